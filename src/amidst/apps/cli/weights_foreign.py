"""`amidst weights inspect` and `convert`: checkpoints of other families become model files of ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.coco.categories import released_categories
from amidst.coco.classes import ClassMap
from amidst.coco.files import check_writable
from amidst.coco.records import Category
from amidst.config import to_builtins
from amidst.errors import AmidstError, UsageError, WeightsError
from amidst.models.foreign import (
    Choice,
    Conversion,
    choose_classes,
    class_names,
    convert,
    places,
    recognise,
)
from amidst.models.foreign_files import Checkpoint, read_checkpoint
from amidst.models.foreign_layout import Layout
from amidst.models.weights import ModelInfo, save_model

SHOWN = 10  # names of each kind in a message
COCO_CLASSES = 80

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="A .pth, .pt, .ckpt, .pkl or .safetensors checkpoint.")
]
Classes = Annotated[
    Path | None,
    typer.Option(
        help="Its classes: a COCO file, or names one a line. Default: those inside the file, or COCO's 80.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def inspect(file: File, classes: Classes = None, as_json: AsJson = False) -> None:
    """Show what a checkpoint of torchvision, detectron2 or mmdetection is, and what becomes of each tensor.

    Nothing in the file is executed. The exit code is 1 if it could not be converted whole.

    **Examples**

      amidst weights inspect fasterrcnn_resnet50_fpn_coco-258fb6c6.pth

      amidst weights inspect model_final.pkl --json
    """
    checkpoint = read_checkpoint(file)
    layout = recognise(checkpoint, file)
    categories, conversion, problem = _attempt(file, checkpoint, layout, classes)
    record = _record(layout, checkpoint, categories, conversion, problem)
    if as_json:
        print_json(record)
    else:
        _print(record)
    if problem or conversion is None or not conversion.whole:
        raise typer.Exit(1)


def convert_file(
    file: File,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file to write.")],
    classes: Classes = None,
    short: Annotated[int, typer.Option(help="Shorter side that images are resized to.", min=1)] = 800,
    long: Annotated[int, typer.Option(help="Longer side at most.", min=1)] = 1333,
) -> None:
    """Turn a checkpoint of another family into a model file that predicts as that family does.

    Its geometry and its preprocessing travel in the file: `amidst predict MODEL ...` needs nothing else.
    Every tensor is used and every parameter filled, or nothing is written and the exit code is 1.

    **Examples**

      amidst weights convert retinanet_resnet50_fpn_coco-eeacb38b.pth -o retinanet.safetensors

      amidst weights convert mine.pth -o mine.safetensors --classes train.json
    """
    if output.suffix != ".safetensors":
        raise UsageError(f"{output}: expected a name that ends in .safetensors")
    check_writable(output)
    checkpoint = read_checkpoint(file)
    layout = recognise(checkpoint, file)
    categories, choice = _classes(file, checkpoint, layout, classes)
    conversion = convert(layout, checkpoint.tensors, choice)
    if not conversion.whole:
        raise WeightsError(f"{file}: {layout.family} {layout.architecture}: {describe_gaps(conversion)}")
    notes = {
        "resize": {"short": short, "long": long},
        "source": {"family": layout.family, "architecture": layout.architecture, "file": file.name},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    save_model(output, conversion.state, ModelInfo(conversion.config, categories, notes))
    say(
        f"{output}: {layout.family} {layout.architecture}, {len(categories)} classes, "
        f"{len(conversion.state)} tensors"
    )


def describe_gaps(conversion: Conversion) -> str:
    """Which tensors were not used or are no numbers and which parameters not filled, in one line."""
    kinds = (
        ("not used", conversion.unknown),
        ("not filled", conversion.missing),
        ("of another shape", conversion.misshapen),
        ("with NaN or infinity", conversion.not_finite),
    )
    return "; ".join(f"{len(names)} {kind}: {_some(names)}" for kind, names in kinds if names)


def _some(names: tuple[str, ...]) -> str:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def read_categories(path: Path) -> tuple[Category, ...]:
    """Categories of a COCO file in order of id, or of a text file of names in the order of the outputs.

    Names are numbered from 1; COCO's own, in COCO's order, have their released ids. Raises UsageError for a
    file without any.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file of classes")
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".json":
            return ClassMap.from_builtins(json.loads(text)["categories"]).categories
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a COCO file with categories ({error})") from None
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise UsageError(f"{path}: names no classes")
    if len(set(names)) < len(names):
        raise UsageError(f"{path}: names a class twice")
    return _named(names)


def _named(names: Sequence[str]) -> tuple[Category, ...]:
    coco = released_categories()
    if tuple(names) == tuple(category.name for category in coco):
        return coco
    return tuple(Category(number, name) for number, name in enumerate(names, start=1))


def _classes(
    file: Path, checkpoint: Checkpoint, layout: Layout, classes: Path | None
) -> tuple[tuple[dict[str, Any], ...], Choice]:
    """Categories in the order of our class indices, and which outputs of the file they are."""
    inside = class_names(checkpoint)
    if classes is not None:
        categories, source = read_categories(classes), str(classes)
    elif inside:
        categories, source = _named(inside), "the file"
    else:
        categories, source = released_categories(), "COCO"
    try:
        choice = choose_classes(layout, len(categories), [category.id for category in categories])
    except WeightsError as error:
        hint = "" if classes is not None else "; name them with --classes FILE"
        raise WeightsError(f"{file}: {error} (classes of {source}){hint}") from None
    return tuple(ClassMap(categories).to_builtins()), choice


def _attempt(
    file: Path, checkpoint: Checkpoint, layout: Layout, classes: Path | None
) -> tuple[tuple[dict[str, Any], ...], Conversion | None, str]:
    """Classes, conversion, and what stands in its way."""
    try:
        categories, choice = _classes(file, checkpoint, layout, classes)
    except UsageError:
        raise
    except AmidstError as error:
        return (), None, str(error)
    conversion = convert(layout, checkpoint.tensors, choice)
    return categories, conversion, "" if conversion.whole else describe_gaps(conversion)


def _record(
    layout: Layout,
    checkpoint: Checkpoint,
    categories: tuple[dict[str, Any], ...],
    conversion: Conversion | None,
    problem: str,
) -> dict[str, Any]:
    return {
        "family": layout.family,
        "architecture": layout.architecture,
        "class_outputs": layout.outputs,
        "background": layout.background,
        "classes": [category["name"] for category in categories],
        "converts": conversion is not None and conversion.whole,
        "problem": problem or None,
        "not_filled": list(conversion.missing) if conversion is not None else [],
        "config": to_builtins(layout.config if conversion is None else conversion.config),
        "tensors": [
            {"name": place.name, "shape": list(place.shape), "becomes": place.ours, "reason": place.reason}
            for place in places(layout, checkpoint.tensors)
        ],
    }


def _print(record: dict[str, Any]) -> None:
    rows = [
        (
            tensor["name"],
            "x".join(map(str, tensor["shape"])) or "scalar",
            tensor["becomes"] or f"left out: {tensor['reason']}",
        )
        for tensor in record["tensors"]
    ]
    print_table("", ("tensor", "shape", "becomes"), rows)
    names = record["classes"]
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    say(
        f"{record['family']} {record['architecture']}: {record['class_outputs']} class outputs, "
        f"background {record['background']}; {len(names)} classes{f' ({shown})' if names else ''}"
    )
    say("converts whole" if record["converts"] else f"does not convert: {record['problem']}")
