"""Known items from a COCO file: photographs with masks that are right, which workers never know to be known.

They train workers, stand in grids, and are never exported. Categories are matched by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.console import warning_line
from amidst.apps.cli.progress import step
from amidst.apps.server.media import MediaStore
from amidst.apps.server.media_import import import_folder
from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Image, Rle
from amidst.crowd.campaigns import NewImage
from amidst.crowd.golds import NewKnown
from amidst.errors import DataError, UsageError

MAX_WARNINGS = 20
NAMED = 10  # categories of one warning

KnownFile = Annotated[
    Path | None,
    typer.Option(
        "--known",
        metavar="COCO.json",
        help="Photographs with masks that are right: they train workers and stand unseen in grids.",
        show_default=False,
    ),
]
KnownImages = Annotated[
    Path | None,
    typer.Option(help="Folder of the photographs of --known; left out: the folder of the file."),
]


@dataclass(frozen=True)
class KnownFileContent:
    """Of a file that was read: its images that have masks for the campaign, and their masks by category."""

    path: Path
    folder: Path
    images: tuple[tuple[Image, tuple[tuple[int, Rle], ...]], ...]


def read_known(
    path: Path | None, folder: Path | None, categories: Mapping[str, int], min_area: int
) -> KnownFileContent | None:
    """The masks of a COCO file, before any photograph is read; None without a file.

    categories: ids by name. Crowds, masks below `min_area` pixels and categories of other names are left out
    and told. Raises UsageError, or DataError where a mask is damaged or none is left.
    """
    if path is None:
        if folder is not None:
            raise UsageError("--known-images without --known: there is no file of masks")
        return None
    folder = folder or path.parent
    if not folder.is_dir():
        raise UsageError(f"--known-images {folder}: there is no such folder")
    dataset = CocoDataset.load(path)
    names = {one.id: one.name for one in dataset.categories}
    images = {one.id: one for one in dataset.images}
    found: dict[int, list[tuple[int, Rle]]] = {}
    strange: Counter[str] = Counter()
    small = 0
    for one in dataset.annotations:
        outline = one.segmentation
        if one.iscrowd or outline is None:
            continue
        category_id = categories.get(names[one.category_id])
        if category_id is None:
            strange[names[one.category_id]] += 1
            continue
        shown = images[one.image_id]
        try:
            mask = masks.from_segmentation(outline, (shown.height, shown.width))
        except DataError as error:
            raise DataError(
                error.problem, file=path, record=f"annotation {one.id}", rule=error.rule or "mask"
            ) from error
        if int(masks.area([mask])[0]) < min_area:
            small += 1
            continue
        found.setdefault(one.image_id, []).append((category_id, mask))
    if strange:
        some = ", ".join(f"{number:,} {name}" for name, number in strange.most_common(NAMED))
        rest = f" and {len(strange) - NAMED:,} more kinds" if len(strange) > NAMED else ""
        kinds = f"of categories that the campaign has not: {some}{rest}"
        warning_line(f"{path}: {strange.total():,} masks left out, {kinds}")
    if small:
        warning_line(f"{path}: {small:,} masks left out: smaller than {min_area} pixels")
    if not found:
        raise DataError("no mask of a category of the campaign", file=path, rule="no-known-masks")
    return KnownFileContent(path, folder, tuple((images[key], tuple(found[key])) for key in sorted(found)))


def take_known_in(content: KnownFileContent | None, media: MediaStore) -> list[NewKnown]:
    """The photographs of known masks, in the store. Refused ones are told; DataError if none is left."""
    if content is None:
        return []
    taken: list[NewKnown] = []
    refused: list[str] = []
    names = [one.file_name for one, _ in content.images]
    imported = import_folder(content.folder, names, media)
    with step("known images", len(names)) as progress:
        for done, ((record, shapes), one) in enumerate(zip(content.images, imported, strict=True), 1):
            if one.stored is None:
                refused.append(one.problem)
            elif one.stored.size_hw != (record.height, record.width):
                height, width = one.stored.size_hw
                refused.append(
                    f"{one.file_name}: {width} x {height} upright, {record.width} x {record.height} in "
                    f"{content.path}: its masks do not fit [image-size]"
                )
            else:
                new = NewImage(one.file_name, record.width, record.height, one.stored.sha256)
                taken.append(NewKnown(image=new, masks=shapes))
            progress.update(done)
    for problem in refused[:MAX_WARNINGS]:
        warning_line(problem)
    if len(refused) > MAX_WARNINGS:
        warning_line(f"and {len(refused) - MAX_WARNINGS} more")
    if not taken:
        raise DataError("no known picture that can be taken in", file=content.folder, rule="no-images")
    return taken
