"""Shape masks on the command line: learn them, add them to detections, score masks of correct detections."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amidst.apps.cli.console import print_json, print_table, say
from amidst.coco.categories import pascal_categories
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.curation.pasting import Shape, ellipse, full_box, paste
from amidst.curation.shape_files import load_shapes, save_shapes
from amidst.curation.shape_masks import ShapeConfig, fit
from amidst.curation.shape_study import Row, compare_shapes
from amidst.errors import UsageError
from amidst.evaluation.segmentation import IOU, Segmentation, segmentation_quality, to_builtins

AnnFile = Annotated[Path, typer.Argument(metavar="ANN.json", help="COCO file with the ground truth.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
BUILT_IN: dict[str, Shape] = {"box": full_box, "ellipse": ellipse}


def fit_shapes(
    ann: Annotated[Path, typer.Argument(metavar="TRAIN.json", help="COCO file with masks to learn from.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Write the shapes here (.npz).")],
    clusters: Annotated[int, typer.Option(help="Clusters by aspect in a category.", min=1)] = 3,
    orientation: Annotated[
        bool, typer.Option("--orientation/--no-orientation", help="Align mirror images before averaging.")
    ] = True,
    tune_threshold: Annotated[
        bool, typer.Option("--tune-threshold", help="Choose each threshold on the training masks.")
    ] = False,
) -> None:
    """Learn the average shape of each category, by aspect and orientation.

    **Example**

      amidst analyse fit-shapes instances_train.json -o shapes.npz
    """
    config = ShapeConfig(clusters=clusters, orientation=orientation, tune_threshold=tune_threshold)
    shapes = fit(CocoDataset.load(ann), config)
    save_shapes(shapes, output)
    components = sum(len(parts) for parts in shapes.components.values())
    say(f"{components} components of {len(shapes.components)} categories written to {output}")


def paste_shapes(
    ann: AnnFile,
    results: Annotated[Path, typer.Argument(metavar="RESULTS.json", help="Detections with boxes.")],
    shapes: Annotated[str, typer.Option(help="File of fit-shapes, or one of: box, ellipse.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Write the detections with masks here.")],
) -> None:
    """Add a mask to every detection: the learnt shape of its category, pasted into its box.

    **Example**

      amidst analyse paste-shapes val.json results.json --shapes shapes.npz -o results_with_masks.json
    """
    dataset, found = CocoDataset.load(ann), Results.load(results)
    found.check_against(dataset)
    pasted = paste(dataset, found, _shape(shapes))
    pasted.save(output)
    say(f"{len(pasted)} detections with masks written to {output}")


def masks(
    ann: AnnFile,
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS.json", help="Detections with masks, or boxes for --shapes.")
    ],
    shapes: Annotated[
        list[str] | None,
        typer.Option(
            help="Paste these shapes and compare them with the full box, the ellipse and the objects' own "
            "boxes; once for each file of fit-shapes.",
            show_default=False,
        ),
    ] = None,
    iou: Annotated[float, typer.Option(help="Least box IoU of a correct detection.", min=0.01, max=1)] = IOU,
    min_score: Annotated[
        float | None, typer.Option(help="Leave out detections below this score.", show_default=False)
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(help="Average over these categories, by name; left out: all.", show_default=False),
    ] = None,
    pascal: Annotated[
        bool, typer.Option("--pascal", help="Average over the 20 categories of PASCAL VOC.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Mask IoU of the correct detections, by category and on average (Fig. 2.9).

    **Examples**

      amidst analyse masks val.json results_with_masks.json

      amidst analyse masks val.json results.json --shapes shapes.npz
    """
    dataset, found = CocoDataset.load(ann), Results.load(results)
    names = [*(category or []), *(c.name for c in pascal_categories().values() if pascal)]
    if names:
        dataset, found = _restricted(dataset, found, names)
    if shapes:
        named: dict[str, Shape] = {Path(name).stem: load_shapes(name) for name in shapes}
        rows = compare_shapes(dataset, found, BUILT_IN | named, iou=iou, min_score=min_score)
        _print_study(rows, as_json)
        return
    quality = segmentation_quality(dataset, found, iou=iou, min_score=min_score)
    if as_json:
        print_json(to_builtins(quality))
        return
    columns = ("category", "objects", "found", "mean mask IoU")
    lines = [
        (r.name, f"{r.objects:,}", f"{r.found:,}", _iou(r.mean_iou)) for r in quality.categories if r.objects
    ]
    lines.append(("mean of categories", "", "", _iou(quality.mean_of_categories)))
    lines.append(
        ("mean of objects", f"{quality.objects:,}", f"{quality.found:,}", _iou(quality.mean_of_objects))
    )
    print_table("", columns, lines, right=columns[1:])


def _shape(name: str) -> Shape:
    return BUILT_IN[name] if name in BUILT_IN else load_shapes(name)


def _restricted(dataset: CocoDataset, found: Results, names: list[str]) -> tuple[CocoDataset, Results]:
    ids = {c.name: c.id for c in dataset.categories}
    unknown = [name for name in names if name not in ids]
    if unknown:
        raise UsageError(f"--category {unknown[0]}: the dataset has no such category")
    kept = {ids[name] for name in names}
    part = dataset.select(category_ids=sorted(kept))
    return part, found.take([c in kept for c in found.category_ids.tolist()])


def _print_study(rows: list[Row], as_json: bool) -> None:
    if as_json:
        print_json([{"shape": r.shape, "boxes": r.boxes} | to_builtins(r.quality) for r in rows])
        return
    columns = ("mask", "boxes", "found", "mean of categories", "mean of objects")
    print_table("", columns, [(r.shape, r.boxes, *_means(r.quality)) for r in rows], right=columns[2:])


def _means(quality: Segmentation) -> tuple[str, str, str]:
    return f"{quality.found:,}", _iou(quality.mean_of_categories), _iou(quality.mean_of_objects)


def _iou(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
