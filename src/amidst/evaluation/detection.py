"""Average precision and recall of detections, as COCO defines them.

Per image and category, detections are matched greedily by descending score, at each IoU threshold, to the
ground truth they overlap most; over all images the matches give precision at each recall. Ignored objects
(crowds, those out of the area range, those marked `ignore`) count neither as found nor as missed.

The arithmetic is the engine's (`coco.engine`), equal to pycocotools to the last bit. We differ from
pycocotools in what it gets wrong or leaves out:

- `ignore` of an annotation is respected (pycocotools overwrites it by `iscrowd`).
- Every id is legal; pycocotools takes a match with the object of id 0 for none.
- The numbers at "100 detections" are those of the largest limit; pycocotools gives -1 if that is not 100.
- Nothing is printed, and nothing that was passed in is changed.

Detections of a category that the dataset does not have are left out, as in pycocotools, also where
categories are not compared.

Source: COCOeval of pycocotools; docs/decisions.md, "COCO engine".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from amidst.coco import engine as coco_engine
from amidst.coco import masks
from amidst.coco.bulk import collection_paused
from amidst.coco.dataset import CocoDataset
from amidst.coco.engine import Curves, EngineName, Floats
from amidst.coco.records import Annotation, Category, Rle
from amidst.coco.results import Results
from amidst.coco.skim import skim
from amidst.errors import DataError, UsageError
from amidst.evaluation.params import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    MAX_DETS,
    RECALL_THRESHOLDS,
    AreaRange,
    Params,
)
from amidst.evaluation.summary import Summary, summarize

Kind = Literal["bbox", "segm"]
Detections = Results | str | Path | Sequence[Mapping[str, Any]]

_IGNORED_AREA = -1.0
"""Lies outside every area range, which makes an object ignored without making it a crowd."""


def evaluate(
    dataset: CocoDataset | str | Path,
    results: Detections,
    kind: Kind = "bbox",
    *,
    engine: EngineName = "fast",
    max_dets: Sequence[int] = MAX_DETS,
    area_ranges: Sequence[AreaRange] = AREA_RANGES,
    iou_thresholds: Sequence[float] = IOU_THRESHOLDS,
    recall_thresholds: Sequence[float] = RECALL_THRESHOLDS,
    class_agnostic: bool = False,
) -> Summary:
    """Scores detections against a dataset, each given in memory or as a file (two files are fastest).

    kind: "bbox" compares boxes (of masks alone, their tight boxes), "segm" masks. engine: "pycocotools" is
    the far slower reference. Empty results and datasets are ordinary cases. Raises UsageError for settings
    that make no sense or a file that cannot be opened, and DataError for malformed records, detections of
    unknown images, and missing masks.
    """
    params = Params(
        tuple(iou_thresholds), tuple(recall_thresholds), tuple(area_ranges), tuple(max_dets), class_agnostic
    )
    if kind not in ("bbox", "segm"):
        raise UsageError(f"kind must be 'bbox' or 'segm', not {kind!r}")
    if engine not in ("fast", "pycocotools"):
        raise UsageError(f"engine must be 'fast' or 'pycocotools', not {engine!r}")
    if engine == "fast" and isinstance(dataset, (str, Path)) and isinstance(results, (str, Path)):
        summary = _evaluate_files(Path(dataset), Path(results), kind, params)
        if summary is not None:
            return summary
    truth = dataset if isinstance(dataset, CocoDataset) else CocoDataset.load(dataset)
    found = results if isinstance(results, Results) else Results.load(results)
    found.check_against(truth, categories=False)
    with collection_paused():
        records = truth_records(truth, kind), detection_records(truth, found, kind)
        curves = _curves(*records, kind, params, engine)
    counted = Counter(a.category_id for a in truth.annotations if not (a.iscrowd or a.ignore))
    return summarize(kind, curves, params, _rows(truth.class_map().categories, counted, params))


def _evaluate_files(dataset: Path, results: Path, kind: Kind, params: Params) -> Summary | None:
    """The short way for plain files, which the engine reads itself; None if these are not plain."""
    look = skim(dataset, with_masks=kind == "segm")
    if look is None:
        return None
    try:
        curves = _curves(dataset, results, kind, params, "fast")
    except coco_engine.Unplain:
        return None
    counted = Counter(look.category_ids.tolist())
    categories = sorted(look.categories, key=lambda category: category.id)
    return summarize(kind, curves, params, _rows(categories, counted, params))


def _curves(
    truth: dict[str, Any] | Path,
    found: list[dict[str, Any]] | Floats | Path,
    kind: Kind,
    params: Params,
    engine: EngineName,
) -> Curves:
    return coco_engine.curves(
        truth,
        found,
        kind=kind,
        iou_thresholds=params.iou_thresholds,
        recall_thresholds=params.recall_thresholds,
        area_ranges=[(low, high) for _, low, high in params.area_ranges],
        max_dets=params.max_dets,
        use_categories=not params.class_agnostic,
        engine=engine,
    )


def _rows(
    categories: Sequence[Category], counted: Mapping[int, int], params: Params
) -> list[tuple[int, str, int]]:
    if params.class_agnostic:
        return [(-1, "any", sum(counted.values()))]
    return [(category.id, category.name, counted.get(category.id, 0)) for category in categories]


def _ranks(ids: Sequence[int]) -> dict[int, int]:
    """Small ids in the same order: engines take id 0 for none, and arrays of floats hold no large ids."""
    return {id_: rank for rank, id_ in enumerate(sorted(ids), 1)}


def truth_records(dataset: CocoDataset, kind: Kind) -> dict[str, Any]:
    """The dataset as the engine's records, with ids replaced by ranks."""
    image_rank = _ranks([image.id for image in dataset.images])
    category_rank = _ranks(dataset.class_map().category_ids)
    records = [
        {
            "id": number,
            "image_id": image_rank[a.image_id],
            "category_id": category_rank[a.category_id],
            "bbox": list(a.bbox_xywh),
            "area": _IGNORED_AREA if a.ignore else a.area,
            "iscrowd": int(a.iscrowd),
        }
        for number, a in enumerate(dataset.annotations, 1)
    ]
    if kind == "segm":
        for record, annotation in zip(records, dataset.annotations, strict=True):
            record["segmentation"] = _segmentation(annotation)
    return {
        "info": {},
        "images": [{"id": image_rank[i.id], "height": i.height, "width": i.width} for i in dataset.images],
        "categories": [{"id": rank, "name": str(rank)} for rank in category_rank.values()],
        "annotations": records,
    }


def _segmentation(annotation: Annotation) -> Any:
    """An annotation's mask for the engine."""
    value = annotation.segmentation
    record = f"annotation {annotation.id}"
    if value is None:
        raise DataError("has no segmentation; evaluate boxes", record=record, rule="missing-field")
    if isinstance(value, Rle):
        return {"size": list(value.size), "counts": masks.compress(value).counts}
    if not value or any(len(part) < 6 or len(part) % 2 for part in value):
        raise DataError("every polygon needs at least 3 x, y pairs", record=record, rule="bad-polygon")
    return [list(part) for part in value]


def detection_records(dataset: CocoDataset, results: Results, kind: Kind) -> list[dict[str, Any]] | Floats:
    """Detections of known categories, ids replaced by ranks: an array of boxes, or records of masks."""
    image_rank = _ranks([image.id for image in dataset.images])
    category_rank = _ranks(dataset.class_map().category_ids)
    known = results.take(np.isin(results.category_ids, list(category_rank)))
    images = [image_rank[i] for i in known.image_ids.tolist()]
    categories = [category_rank[c] for c in known.category_ids.tolist()]
    if not len(known):
        return []
    if kind == "bbox" and known.boxes_xywh is not None:
        return np.column_stack([images, known.boxes_xywh, known.scores, categories]).astype(np.float64)
    if known.rles is None:
        raise DataError("the detections have boxes only; evaluate boxes", rule="missing-field")
    rles = [masks.compress(rle) for rle in known.rles]
    sizes = {rle.size: list(rle.size) for rle in rles}
    records: list[dict[str, Any]] = [
        {
            "image_id": i,
            "category_id": c,
            "score": s,
            "segmentation": {"size": sizes[r.size], "counts": r.counts},
        }
        for i, c, s, r in zip(images, categories, known.scores.tolist(), rles, strict=True)
    ]
    if known.boxes_xywh is not None:  # as in loadRes, a detection that brings its box is as large as the box
        for record, box in zip(records, known.boxes_xywh.tolist(), strict=True):
            record["bbox"] = box
    return records
