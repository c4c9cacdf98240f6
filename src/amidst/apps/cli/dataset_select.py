"""`amidst dataset select` and `merge`: a part of a dataset, or several as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.console import print_json, say
from amidst.coco.dataset import CocoDataset
from amidst.errors import UsageError

Output = Annotated[Path, typer.Option("-o", "--output", help="COCO file to write; a new one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")]


def select(
    ann: Annotated[Path, typer.Argument(metavar="ANN", help="COCO file.")],
    output: Output,
    category: Annotated[
        list[str] | None,
        typer.Option(help="Keep this category and its objects; may be repeated.", show_default=False),
    ] = None,
    containing: Annotated[
        list[str] | None,
        typer.Option(
            help="Keep images with an object of this category; may be repeated.", show_default=False
        ),
    ] = None,
    drop_empty: Annotated[
        bool, typer.Option("--drop-empty", help="Leave out images without objects; else they stay.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the part of a dataset that meets every condition; ids stay as they are.

    **Examples**

      amidst dataset select val.json -o persons.json --category person

      amidst dataset select train.json -o riders.json --containing person --containing bicycle
    """
    dataset = CocoDataset.load(ann)
    chosen = dataset.select(
        category_ids=_ids(dataset, ann, category) if category else None,
        containing=_ids(dataset, ann, containing or ()),
        drop_empty=drop_empty,
    )
    _save(chosen, output, as_json)


def merge(
    anns: Annotated[list[Path], typer.Argument(metavar="ANN...", help="COCO files, in this order.")],
    output: Output,
    renumber: Annotated[
        bool,
        typer.Option("--renumber", help="Give new ids where two files use one; categories join by name."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write one dataset with the records of all files.

    Categories of equal id and name are one. An id that stands in two files is refused, or replaced with
    --renumber.

    **Example**

      amidst dataset merge spring.json autumn.json -o both.json --renumber
    """
    _save(CocoDataset.merge([CocoDataset.load(ann) for ann in anns], renumber=renumber), output, as_json)


def _ids(dataset: CocoDataset, ann: Path, names: Sequence[str]) -> list[int]:
    by_name = {one.name: one.id for one in dataset.categories}
    for name in names:
        if name not in by_name:
            known = ", ".join(sorted(by_name)[:8])
            raise UsageError(f"{ann}: no category is named {name!r}; there are {known}, ...")
    return [by_name[name] for name in names]


def _save(dataset: CocoDataset, output: Path, as_json: bool) -> None:
    if output.exists():
        raise UsageError(f"{output} exists already; name a new one")
    dataset.save(output)
    images, annotations = len(dataset.images), len(dataset.annotations)
    if as_json:
        print_json({"output": str(output), "images": images, "annotations": annotations})
    else:
        say(f"{images:,} images with {annotations:,} annotations written to {output}")
