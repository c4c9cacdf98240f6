"""`amidst dataset release` and `amidst dataset verify`: files to publish, and whether they are still the
same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.cli.dataset_split import read_splits
from amidst.coco.dataset import CocoDataset
from amidst.curation.release import Caption, ReleaseSettings, pack
from amidst.curation.release import release as write_release
from amidst.curation.release import verify as verify_release
from amidst.errors import DataError, UsageError


class _Caption(msgspec.Struct):
    id: int
    image_id: int
    caption: str


class _Captions(msgspec.Struct):
    annotations: list[_Caption]


def release(
    ann: Annotated[Path, typer.Argument(metavar="ANN", help="COCO file with all images.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="New folder for the release.")],
    splits: Annotated[Path, typer.Option(help="What `dataset split` wrote.")],
    name: Annotated[str, typer.Option(help="Name of the dataset.")] = "dataset",
    version: Annotated[str, typer.Option(help="Version of the release.")] = "1.0",
    hidden: Annotated[
        list[str] | None, typer.Option(help="Split without its truth.", show_default=False)
    ] = None,
    captions: Annotated[Path | None, typer.Option(help="COCO captions file.", show_default=False)] = None,
    rle: Annotated[bool, typer.Option("--rle", help="Write polygons as RLE too.")] = False,
    keep_boxes: Annotated[
        bool, typer.Option("--keep-boxes", help="Keep bbox and area as recorded instead of the mask's.")
    ] = False,
    archive: Annotated[
        Path | None, typer.Option(help="Also pack it: .zip, .tar, .tar.gz.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checksums as JSON.")] = False,
) -> None:
    """Write the files of a release: the same bytes whenever the records are the same.

    **Examples**

      amidst dataset release all.json --splits splits.json --hidden test -o mine-1.0 --name mine

      amidst dataset release all.json --splits splits.json -o mine-1.0 --archive mine-1.0.zip
    """
    settings = ReleaseSettings(
        name=name, version=version, hidden=tuple(hidden or ()), polygons=not rle, measure=not keep_boxes
    )
    if archive is not None and archive.exists():
        raise UsageError(f"{archive} exists already")
    dataset = CocoDataset.load(ann)
    sentences = _read_captions(captions) if captions is not None else []
    try:
        sums = write_release(dataset, read_splits(splits).split_of(), output, settings, captions=sentences)
    except DataError as error:
        raise DataError(error.problem, file=ann, record=error.record, rule=error.rule) from None
    document: dict[str, Any] = {"folder": str(output), "files": sums}
    if archive is not None:
        document["archive"] = {"file": str(archive), "sha256": pack(output, archive)}
    if as_json:
        print_json(document)
        return
    print_table("", ("file", "SHA-256"), sorted(sums.items()))
    say(f"released {name} {version} in {output}")


def verify(
    folder: Annotated[Path, typer.Argument(metavar="RELEASE", help="Folder of a release.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print changed files as JSON.")] = False,
) -> None:
    """Compare the files of a release with its checksums. Exit code 1 if one is missing or changed.

    **Example**

      amidst dataset verify mine-1.0
    """
    wrong = verify_release(folder)
    if as_json:
        print_json({"folder": str(folder), "changed": list(wrong)})
    else:
        for name in wrong:
            say(f"{folder / name}: missing or changed")
        say(f"{folder}: {'as released' if not wrong else f'{len(wrong)} files differ'}")
    if wrong:
        raise typer.Exit(1)


def _read_captions(file: Path) -> list[Caption]:
    try:
        found = msgspec.json.decode(file.read_bytes(), type=_Captions)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except msgspec.DecodeError as error:
        raise DataError(f"not a COCO captions file: {error}", file=file, rule="json") from None
    return [Caption(c.id, c.image_id, c.caption) for c in found.annotations]
