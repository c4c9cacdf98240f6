"""`amidst dataset duplicates`: near-duplicate photographs of a folder or of a dataset."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt
import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.apps.cli.lazy import load_module
from amidst.apps.cli.progress import step
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.config import override
from amidst.curation.duplicates import Duplicates, DuplicateSettings, find_duplicates
from amidst.curation.fingerprints import Fingerprints, fingerprint_files
from amidst.curation.sources import PICTURES
from amidst.errors import UsageError

SHOWN = 20  # groups in the table


Engine = Annotated[
    str | None,
    typer.Option(
        help="local or ray: read in parts, on processes or a Ray cluster; IMAGES may be s3://...",
        show_default=False,
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        help="File that keeps fingerprints, to go on after an interruption; a folder with --engine.",
        show_default=False,
    ),
]


def duplicates(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of photographs.")],
    ann: Annotated[
        Path | None,
        typer.Option(help="COCO file: look at its images, keep the annotated ones.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write what was found as JSON.", show_default=False)
    ] = None,
    cache: Cache = None,
    processes: Annotated[int, typer.Option(help="Processes that read images.", min=1)] = 1,
    engine: Engine = None,
    mirrored: Annotated[bool, typer.Option("--mirrored", help="Mirrored copies too.")] = False,
    rotated: Annotated[bool, typer.Option("--rotated", help="Copies turned by quarters too.")] = False,
    embeddings: Annotated[
        Path | None,
        typer.Option(help=".npy array (N, D) to confirm by, in order of the images.", show_default=False),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a threshold.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Find photographs that show the same picture: copies, resized, compressed, brightened, cropped.

    Exit code 0: none; 1: duplicates, or files that cannot be read; 2: a wrong call.

    **Examples**

      amidst dataset duplicates photos/ --cache prints.bin -o duplicates.json

      amidst dataset duplicates images/ --ann train.json --mirrored --set gist_distance=0.6

      amidst dataset duplicates s3://bucket/photos --engine ray --processes 8 --cache prints/
    """
    settings = override(DuplicateSettings(mirrored=mirrored, rotated=rotated), assignments or [])
    dataset = CocoDataset.load(ann) if ann is not None else None
    prints, vectors = _read(images, dataset, cache, embeddings, engine, processes)
    with step("comparing"):
        counts = _object_counts(dataset, prints.names) if dataset is not None else None
        found = find_duplicates(prints, settings, embeddings=vectors, annotated=counts, processes=processes)
    document = _document(prints, found, settings, dataset)
    if output is not None:
        write_atomically(output, msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    if as_json:
        print_json(document)
    else:
        _show(prints, found)
    if found.pairs or prints.broken:
        raise typer.Exit(1)


def _read(
    images: Path,
    dataset: CocoDataset | None,
    cache: Path | None,
    embeddings: Path | None,
    engine: str | None,
    processes: int,
) -> tuple[Fingerprints, npt.NDArray[np.floating[Any]] | None]:
    """Fingerprints of the pictures, and the embeddings of those that could be read."""
    if engine is not None:
        if embeddings is not None:
            raise UsageError("--embeddings go with the images of a folder here, not with --engine")
        listed = None if dataset is None else [image.file_name for image in dataset.images]
        many = load_module("amidst.apps.cli.duplicates_many")
        return many.read_fingerprints(images, listed, cache, engine, processes), None
    names = _names(images, dataset)
    vectors = _read_embeddings(embeddings, len(names)) if embeddings is not None else None
    with step("reading images") as bar:
        prints = fingerprint_files(images, names, cache=cache, processes=processes, report=bar.update)
    if vectors is not None:  # those of broken files are not among the fingerprints
        place = {name: i for i, name in enumerate(names)}
        vectors = vectors[[place[name] for name in prints.names]]
    return prints, vectors


def _names(images: Path, dataset: CocoDataset | None) -> list[str]:
    if not images.is_dir():
        raise UsageError(f"there is no folder {images}")
    if dataset is not None:
        return [image.file_name for image in dataset.images]
    files = (path for path in images.rglob("*") if path.suffix.lower() in PICTURES and path.is_file())
    return sorted(path.relative_to(images).as_posix() for path in files)


def _read_embeddings(file: Path, count: int) -> npt.NDArray[np.floating[Any]]:
    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{file}: not a .npy array: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f" or len(array) != count:
        raise UsageError(f"{file}: expected {count} rows of numbers, one for each image")
    return array


def _object_counts(dataset: CocoDataset, names: tuple[str, ...]) -> list[int]:
    counts = Counter(annotation.image_id for annotation in dataset.annotations)
    by_name = {image.file_name: counts[image.id] for image in dataset.images}
    return [by_name[name] for name in names]


def _document(
    prints: Fingerprints, found: Duplicates, settings: DuplicateSettings, dataset: CocoDataset | None
) -> dict[str, Any]:
    names = prints.names
    document: dict[str, Any] = {
        "images": len(names),
        "settings": msgspec.to_builtins(settings),
        "broken": [
            {"file": str(error.file), "problem": error.problem, "rule": error.rule} for error in prints.broken
        ],
        "groups": [
            {"keep": names[group[0]], "duplicates": [names[i] for i in group[1:]]} for group in found.groups
        ],
        "pairs": [
            {
                "a": names[pair.a],
                "b": names[pair.b],
                "method": pair.method,
                "distance": round(pair.distance, 4),
            }
            for pair in found.pairs
        ],
    }
    if dataset is not None:
        ids = {image.file_name: image.id for image in dataset.images}
        document["image_ids"] = {
            name: ids[name] for group in found.groups for name in (names[i] for i in group)
        }
    return document


def _show(prints: Fingerprints, found: Duplicates) -> None:
    names, groups = prints.names, found.groups
    rows = [(names[group[0]], ", ".join(names[i] for i in group[1:])) for group in groups[:SHOWN]]
    if rows:
        print_table("", ("keep", "duplicates of it"), rows)
    if len(groups) > SHOWN:
        say(f"... and {len(groups) - SHOWN} more groups; write all with -o")
    for error in prints.broken:
        say(f"amidst: warning: {error}")
    extra = sum(len(group) - 1 for group in groups)
    methods = Counter(pair.method for pair in found.pairs)
    by = ", ".join(f"{number} by {method}" for method, number in sorted(methods.items()))
    say(f"{len(names)} images, {extra} duplicates in {len(groups)} groups{f' (pairs: {by})' if by else ''}")
