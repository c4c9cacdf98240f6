"""`amidst dataset split`: training, validation and test images that share no photographer's day and no
picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.curation.origins import photographer_days
from amidst.curation.splits import Splits, broken_promises, make_splits, split_table
from amidst.errors import DataError, UsageError


class SplitFile(msgspec.Struct):
    """A splits.json: image ids by split, and those that are in none."""

    splits: dict[str, list[int]]
    ratios: dict[str, float] = {}
    seed: int = 0
    withheld: list[int] = []
    dropped: list[int] = []

    def split_of(self) -> dict[int, str]:
        """Image id -> split."""
        return {image_id: name for name, ids in self.splits.items() for image_id in ids}


class _Pair(msgspec.Struct):
    a: str
    b: str


class _Group(msgspec.Struct):
    keep: str
    duplicates: list[str]


class _Duplicates(msgspec.Struct):
    pairs: list[_Pair]
    groups: list[_Group]


def split(
    ann: Annotated[Path, typer.Argument(metavar="ANN", help="COCO file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File for the image ids of each split.")],
    ratio: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SHARE", help="A split and its share.", show_default="train=0.5 val=0.25 test=0.25"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides among equal choices.")] = 0,
    duplicates: Annotated[
        Path | None,
        typer.Option(help="What `dataset duplicates` wrote; stays together.", show_default=False),
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Leave out the duplicates, but for the one to keep.")
    ] = False,
    released: Annotated[
        Path | None,
        typer.Option(help="Splits of an earlier release; its images do not move.", show_default=False),
    ] = None,
    photographer: Annotated[str, typer.Option(help="Field of the image records.")] = "photographer",
    date: Annotated[str, typer.Option(help="Field of the image records.")] = "date_captured",
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Divide a dataset so that photographs of one photographer's day, and near-duplicates, stay together.

    Exit code 0: done; 1: done, but a share is off (images by 1 %, a category of 200 objects by 3
    points), or images had to be withheld; 2: a wrong call.

    **Examples**

      amidst dataset split all.json -o splits.json --duplicates duplicates.json

      amidst dataset split all.json -o splits-2.json --released splits.json --ratio train=0.8 --ratio val=0.2
    """
    dataset = CocoDataset.load(ann)
    ratios = _ratios(ratio or ["train=0.5", "val=0.25", "test=0.25"])
    groups, unknown = photographer_days(dataset.images, photographer=photographer, date=date)
    pairs, spare = _read_duplicates(duplicates, dataset) if duplicates is not None else ([], set())
    earlier = read_splits(released).split_of() if released is not None else {}
    result = make_splits(dataset, ratios, seed=seed, together=pairs, group_of=groups, released=earlier)
    dropped = sorted(spare - earlier.keys() - set(result.withheld)) if drop else []
    kept = {i: name for i, name in result.split_of.items() if i not in set(dropped)}
    result = Splits(kept, result.component_of, result.withheld)
    names = {name: list(result.image_ids(name)) for name in ratios}
    file = SplitFile(names, ratios, seed, list(result.withheld), dropped)
    write_atomically(output, msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")
    broken = broken_promises(dataset, result, ratios)
    table = split_table(dataset, result, list(ratios))
    if as_json:
        counts = {"withheld": len(result.withheld), "dropped": len(dropped)}
        print_json({"splits": table, "broken": broken, **counts})
    else:
        _show(table, broken, len(dataset.images))
        _tell(len(unknown), photographer, len(result.withheld))
    if broken or result.withheld:
        raise typer.Exit(1)


def read_splits(file: Path) -> SplitFile:
    """A splits.json. Raises UsageError or DataError naming the file."""
    found: SplitFile = _read(file, SplitFile)
    if len(found.split_of()) != sum(map(len, found.splits.values())):
        raise DataError("an image is in two splits", file=file, rule="duplicate-id")
    return found


def _read(file: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise DataError(f"not what this command reads: {error}", file=file, rule="json") from None


def _read_duplicates(file: Path, dataset: CocoDataset) -> tuple[list[tuple[int, int]], set[int]]:
    """Pairs of image ids, and the ids that are duplicates of another."""
    found = _read(file, _Duplicates)
    ids = {image.file_name: image.id for image in dataset.images}
    names = {name for pair in found.pairs for name in (pair.a, pair.b)}
    unknown = sorted(names - ids.keys())
    if unknown:
        raise DataError(
            f"{unknown[0]!r} is no image of the dataset ({len(unknown)} such names)",
            file=file,
            rule="unknown-image",
        )
    spare = {ids[name] for group in found.groups for name in group.duplicates}
    return [(ids[pair.a], ids[pair.b]) for pair in found.pairs], spare


def _ratios(texts: list[str]) -> dict[str, float]:
    ratios: dict[str, float] = {}
    for text in texts:
        name, _, share = text.partition("=")
        try:
            ratios[name] = float(share)
        except ValueError:
            raise UsageError(f"--ratio {text}: expected name=share, as train=0.5") from None
    return ratios


def _show(table: dict[str, dict[str, int]], broken: list[str], images: int) -> None:
    rows = [
        (
            name,
            str(counts.get("images", 0)),
            f"{counts.get('images', 0) / max(images, 1):.1%}",
            str(sum(number for key, number in counts.items() if key != "images")),
        )
        for name, counts in table.items()
    ]
    print_table("", ("split", "images", "share", "objects"), rows, right=("images", "share", "objects"))
    for problem in broken:
        say(f"amidst: warning: {problem}")


def _tell(unknown: int, photographer: str, withheld: int) -> None:
    if unknown:
        say(f"{unknown} images name no {photographer!r}; each stands alone unless it is a near-duplicate")
    if withheld:
        say(f"{withheld} new images tie released splits together and are in none")
