"""`amidst dataset convert`: from and to the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from amidst.apps.cli.console import print_json, say
from amidst.coco.dataset import CocoDataset
from amidst.curation.conversion import Losses
from amidst.curation.convert_cvat import read_cvat, write_cvat
from amidst.curation.convert_labelme import read_labelme, write_labelme
from amidst.curation.convert_voc import read_voc, write_voc
from amidst.curation.convert_yolo import read_yolo, write_yolo
from amidst.errors import UsageError

Format = Literal["coco", "yolo", "voc", "labelme", "cvat"]


def convert(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="File (coco, cvat) or folder.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="New file (coco, cvat) or folder.")],
    from_: Annotated[Format, typer.Option("--from", help="Format of SOURCE.")] = "coco",
    to: Annotated[Format, typer.Option("--to", help="Format of TARGET.")] = "coco",
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images; YOLO has no sizes.", show_default=False)
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(help="COCO file to take ids from, by file name and category.", show_default=False),
    ] = None,
    outlines: Annotated[
        bool, typer.Option("--outlines", help="YOLO: write polygons instead of boxes.")
    ] = False,
    trust_iscrowd: Annotated[
        bool, typer.Option("--trust-iscrowd", help="CVAT: an RLE with iscrowd is a crowd.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written and lost as JSON.")] = False,
) -> None:
    """Convert a dataset; what the new format cannot hold is counted.

    **Examples**

      amidst dataset convert train.json labels/ --to yolo

      amidst dataset convert labels/ back.json --from yolo --images images/ --like train.json
    """
    if target.exists():
        raise UsageError(f"{target} exists already; name a new one")
    known = CocoDataset.load(like) if like is not None else None
    dataset = _read(source, from_, images, known, trust_iscrowd)
    losses = _write(dataset, target, to, outlines)
    if as_json:
        print_json(
            {
                "target": str(target),
                "images": len(dataset.images),
                "annotations": len(dataset.annotations),
                "categories": len(dataset.categories),
                "lost": dict(losses),
            }
        )
        return
    for loss, number in losses.items():
        say(f"amidst: warning: {to} cannot hold everything: {number} {loss}")
    say(f"{target}: {len(dataset.images)} images, {len(dataset.annotations)} objects read from {source}")


def _read(
    source: Path, kind: Format, images: Path | None, like: CocoDataset | None, trust_iscrowd: bool
) -> CocoDataset:
    if kind == "coco":
        return CocoDataset.load(source)
    if kind == "yolo":
        if images is None:
            raise UsageError("YOLO labels do not say how large the images are: give their folder by --images")
        return read_yolo(source, images, like=like)
    if kind == "voc":
        return read_voc(source, like=like)
    if kind == "labelme":
        return read_labelme(source, like=like)
    return read_cvat(source, like=like, trust_iscrowd=trust_iscrowd)


def _write(dataset: CocoDataset, target: Path, kind: Format, outlines: bool) -> Losses:
    if kind == "coco":
        dataset.save(target)
        return Losses()
    if kind == "yolo":
        return write_yolo(dataset, target, outlines=outlines)
    if kind == "voc":
        return write_voc(dataset, target)
    if kind == "labelme":
        return write_labelme(dataset, target)
    return write_cvat(dataset, target)
