"""What the page asks for, as JSON: the dataset at a glance, pages of images, one image, a sample sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from amidst.apps.explorer.index import Filter, Flags, Index, Source
from amidst.apps.explorer.outcomes import MATCH_IOU
from amidst.apps.explorer.pictures import surroundings
from amidst.apps.report.colours import category_colour, css, text_colour
from amidst.coco import masks
from amidst.coco.records import Annotation, Box, Rle, Segmentation
from amidst.errors import DataError
from amidst.evaluation.matching import greedy, overlapping

MARKS_IN_GRID = 60  # boxes drawn on one thumbnail

Json = dict[str, Any]
Captions = Mapping[int, tuple[str, ...]]


def dataset_view(index: Index, title: str, captions: Captions) -> Json:
    """Names, counts and colours: everything that the page needs once."""
    truth, found = index.counts("truth"), index.counts("found")
    supers = {c.name: c.supercategory for split in index.splits for c in split.dataset.categories}
    return {
        "title": title,
        "images": len(index.images),
        "annotations": len(index.truth.row),
        "detections": len(index.found.row),
        "has_results": any(split.results is not None for split in index.splits),
        "has_captions": bool(captions),
        "splits": [{"name": s.name, "images": len(s.dataset.images)} for s in index.splits],
        "match_iou": MATCH_IOU,
        "categories": [
            {
                "name": name,
                "supercategory": supers.get(name, ""),
                "annotations": int(truth[k]),
                "detections": int(found[k]),
                "colour": css(category_colour(k + 1)),
                "ink": css(text_colour(category_colour(k + 1))),
            }
            for k, name in enumerate(index.names)
        ],
    }


def page_view(index: Index, wanted: Filter, offset: int, limit: int) -> Json:
    """`limit` images from `offset` of those that a filter keeps, with their boxes, and how many there are."""
    rows, keep = index.find(wanted), index.matching(wanted)
    return {
        "total": len(rows),
        "marks": int(index.matches_per_image(wanted)[rows].sum()),
        "offset": offset,
        "images": [
            _thumbnail_view(index, int(row), wanted.source, keep) for row in rows[offset : offset + limit]
        ],
    }


def place_view(index: Index, wanted: Filter, row: int) -> Json:
    """Where an image stands among those that a filter keeps, and its neighbours, for going on by key."""
    rows = index.find(wanted)
    at = np.flatnonzero(rows == row)
    if not at.size:
        return {
            "total": len(rows),
            "place": None,
            "previous": None,
            "next": int(rows[0]) if len(rows) else None,
        }
    place = int(at[0])
    return {
        "total": len(rows),
        "place": place,
        "previous": int(rows[place - 1]) if place else None,
        "next": int(rows[place + 1]) if place + 1 < len(rows) else None,
    }


def image_view(index: Index, row: int, captions: Captions, min_score: float) -> Json:
    """One image: record, annotations with masks, detections, captions, and which of them match.

    Detections of at least `min_score` are matched to the objects of their category at IoU .5 by COCO's rule.
    """
    image, split = index.images[row], index.split(row)
    objects = split.dataset.annotations_of(image.id)
    names = index.category_index(row)
    truth: list[Json] = [
        {
            "id": a.id,
            "category": names[a.category_id],
            "box": a.bbox_xywh,
            "area": a.area,
            "crowd": a.iscrowd,
            "ignore": a.ignore,
            "mask": mask_view(a.segmentation, (image.height, image.width)),
            "outcome": None,
        }
        for a in objects
    ]
    return {
        "row": row,
        "id": image.id,
        "file_name": image.file_name,
        "width": image.width,
        "height": image.height,
        "split": split.name,
        "extra": {key: value for key, value in image.extra.items() if isinstance(value, str | int | float)},
        "captions": captions.get(image.id, ()),
        "truth": truth,
        "found": _found_view(index, row, objects, truth, min_score),
    }


def _found_view(
    index: Index, row: int, objects: Sequence[Annotation], truth: list[Json], min_score: float
) -> list[Json]:
    """The detections of an image; sets the outcomes of both sides."""
    results, names = index.split(row).results, index.category_index(row)
    if results is None:
        return []
    image = index.images[row]
    rows = [n for n in index.detections_of(row) if results.scores[n] >= min_score]
    boxes = index.boxes(row)[rows].reshape(-1, 4)
    crowd = [a.iscrowd for a in objects]
    iou = masks.box_iou(boxes, np.array([a.bbox_xywh for a in objects]).reshape(-1, 4), crowd)
    category = [int(results.category_ids[n]) for n in rows]
    same = np.array([[c == a.category_id for a in objects] for c in category], bool).reshape(iou.shape)
    pairs = overlapping(iou, same, MATCH_IOU)
    ignored = [objects[g].iscrowd or objects[g].ignore for _, g, _ in pairs]
    matches = greedy(pairs, ignored, crowd, category)
    for a, record in zip(objects, truth, strict=True):
        record["outcome"] = "ignored" if a.iscrowd or a.ignore else "missed"
    found: list[Json] = []
    for d, n in enumerate(rows):
        match = matches.get(d)
        if match is not None and not match.ignored:
            truth[match.truth]["outcome"] = "found"
        rle = None if results.rles is None else results.rles[n]
        found.append(
            {
                "category": names[category[d]],
                "score": float(results.scores[n]),
                "box": boxes[d].tolist(),
                "mask": mask_view(rle, (image.height, image.width)),
                "outcome": "alarm" if match is None else "ignored" if match.ignored else "hit",
                "iou": None if match is None else match.iou,
            }
        )
    return found


def mask_view(segmentation: Segmentation | None, size_hw: tuple[int, int]) -> Json | None:
    """{"polygons": ...} or {"counts": ..., "size": [h, w]}; None for a mask that is absent or broken."""
    if segmentation is None:
        return None
    if not isinstance(segmentation, Rle):
        return {"polygons": segmentation}
    try:
        masks.check(segmentation)
    except DataError:
        return None
    if segmentation.size != size_hw:
        return None
    return {"counts": masks.counts(segmentation), "size": segmentation.size}


def sheet_view(index: Index, wanted: Filter, count: int) -> Json:
    """A sample sheet: instances drawn at random, at most one of each image (Fig. B.1)."""
    chosen = index.sample(wanted, count)
    return {"source": wanted.source, "instances": [_instance_view(index, wanted, int(m)) for m in chosen]}


def _instance_view(index: Index, wanted: Filter, mark: int) -> Json:
    marks = index.marks(wanted.source)
    row, box = mark_box(index, wanted.source, mark)
    image, split, order = index.images[row], index.split(row), int(marks.order[mark])
    segmentation: Segmentation | None = None
    if wanted.source == "truth":
        segmentation = split.dataset.annotations[order].segmentation
    elif split.results is not None and split.results.rles is not None:
        segmentation = split.results.rles[order]
    left, top, right, bottom = surroundings(image, box)
    return {
        "mark": mark,
        "row": row,
        "width": image.width,
        "height": image.height,
        "region": (left, top, right - left, bottom - top),
        "box": box,
        "mask": mask_view(segmentation, (image.height, image.width)),
        "category": int(marks.category[mark]),
        "crowd": bool(marks.crowd[mark]),
        "score": None if np.isnan(marks.score[mark]) else float(marks.score[mark]),
    }


def mark_box(index: Index, source: str, mark: int) -> tuple[int, Box]:
    """Row of the image and box of a mark of a sample sheet. Raises DataError if there is none."""
    marks = index.truth if source == "truth" else index.found
    if not 0 <= mark < len(marks.row):
        raise DataError(f"there is no mark {mark}", rule="unknown-mark")
    row, order = int(marks.row[mark]), int(marks.order[mark])
    split = index.split(row)
    if source == "truth":
        return row, split.dataset.annotations[order].bbox_xywh
    x, y, w, h = index.boxes(row)[order].tolist()
    return row, (x, y, w, h)


def _thumbnail_view(index: Index, row: int, source: Source, keep: Flags) -> Json:
    image, split, marks = index.images[row], index.split(row), index.marks(source)
    shown = [int(m) for m in index.marks_of(source, row) if keep[m]]
    return {
        "row": row,
        "id": image.id,
        "file_name": image.file_name,
        "width": image.width,
        "height": image.height,
        "split": split.name,
        "count": len(shown),
        "boxes": [
            {
                "category": int(marks.category[m]),
                "box": mark_box(index, source, m)[1],
                "crowd": bool(marks.crowd[m]),
            }
            for m in shown[:MARKS_IN_GRID]
        ],
    }
