"""Names every defect of a dataset, and goes on after each.

Rules. Errors make a dataset unusable or its numbers wrong, warnings are probable mistakes, notes are legal.

    json, missing-field, wrong-type, non-finite       error    the text of the file
    duplicate-id, unknown-image, unknown-category     error    ids and references
    missing-image, unreadable-image, empty-image,
      huge-image, image-size                          error    image files and their records
    bad-polygon, bad-rle, mask-size                   error    masks
    degenerate-box, outside-box, bad-area             error    (warning for a box or area of zero extent,
    and
                                                               a box that reaches out of its image)
    empty-mask, box-mask, area-mask, area-box         warning  mask, box and area against each other
    duplicate-file, duplicate-name, no-instances      warning
    unreachable                                       warning  no anchor fits the object (with
    `AnchorReach`) category-gaps, no-objects, image-orientation      note
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.coco import parsing
from amidst.coco.check_files import Progress, check_files
from amidst.coco.check_records import (
    SoundImage,
    SoundObject,
    check_annotations,
    check_categories,
    check_images,
)
from amidst.coco.dataset import CocoDataset
from amidst.coco.findings import Findings, Report
from amidst.errors import DataError, UsageError

_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class AnchorReach:
    """The anchors of a detector, to find objects that none of them fits.

    shapes_wh: widths and heights of all anchors in network pixels, (A, 2). Images are resized so that their
    short side is `short`, or less if the long side would exceed `long`. An object is out of reach if no
    anchor, laid over its centre, has an IoU of at least `min_iou` with it.
    """

    shapes_wh: Sequence[tuple[float, float]]
    short: float
    long: float
    min_iou: float


def check(
    dataset: CocoDataset | str | Path,
    images_dir: str | Path | None = None,
    *,
    decode: bool = False,
    anchor_reach: AnchorReach | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """All findings on a dataset file (or a dataset in memory), and with `images_dir` on its image files.

    decode: decode every image to the last pixel; by default headers and ends of files are read. workers:
    threads for the files. progress: called with the files done and their number. Raises UsageError if the
    dataset file or the folder cannot be opened, and nothing on bad data.
    """
    if images_dir is not None and not Path(images_dir).is_dir():
        raise UsageError(f"there is no folder {images_dir}")
    file = None if isinstance(dataset, CocoDataset) else Path(dataset)
    data = dataset.to_json() if isinstance(dataset, CocoDataset) else parsing.read_file(Path(dataset))
    found = Findings(None if file is None else str(file))
    try:
        sections = _sections(data, file, found)
    except DataError as error:
        found.add(error.rule, "error", error.record, error.problem)
        return Report(tuple(found.all))
    images = check_images(_records(sections, "images", found), found)
    categories = check_categories(_records(sections, "categories", found), found)
    by_id = {image.id: image for image in images}
    objects = check_annotations(_records(sections, "annotations", found), by_id, categories, found)
    _check_use(images, objects, categories, found)
    if anchor_reach is not None:
        _check_reach(by_id, objects, anchor_reach, found)
    checked = {"images": len(images), "annotations": len(objects), "categories": len(categories)}
    findings = found.all
    if images_dir is not None:
        findings += check_files(images, Path(images_dir), decode=decode, workers=workers, progress=progress)
        checked["files"] = len(images)
    findings.sort(key=lambda finding: _SEVERITIES.index(finding.severity))  # stable: file order within each
    return Report(tuple(findings), checked)


def _sections(data: bytes, file: Path | None, found: Findings) -> dict[str, Any]:
    """The top level; lists of records unparsed, except in a file with NaN, which only json reads."""
    try:
        return dict(parsing.parse_sections(data, file))
    except DataError as error:
        if error.rule != "non-finite":
            raise
        found.add("non-finite", "error", error.record, error.problem)
        value = json.loads(data)
        if not isinstance(value, dict):
            raise DataError("a dataset is one JSON object", file=file, rule="json") from None
        return value


def _records(sections: dict[str, Any], name: str, found: Findings) -> Iterator[Any]:
    """The records of a list, one at a time: a large file would not fit into memory as a whole."""
    section = sections.get(name)
    if section is None:
        if name == "images":
            found.add("missing-field", "error", None, f"the list `{name}` is missing")
        return
    if isinstance(section, msgspec.Raw):
        try:
            texts = parsing.decode(parsing.LIST, section)
        except msgspec.DecodeError:
            found.add("wrong-type", "error", None, f"`{name}` must be a list")
            return
        for index, text in enumerate(texts):
            try:
                yield _value(text)
            except RecursionError:
                found.add("json", "error", f"record at index {index} of `{name}`", parsing.TOO_DEEP)
    elif isinstance(section, list):
        yield from section
    else:
        found.add("wrong-type", "error", None, f"`{name}` must be a list")


def _value(text: msgspec.Raw) -> Any:
    """A record. Raises RecursionError for one that is nested too deeply."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:  # a number beyond float64, which json reads as infinite
        return json.loads(bytes(text))


def _check_use(
    images: Sequence[SoundImage], objects: Sequence[SoundObject], categories: dict[int, str], found: Findings
) -> None:
    """Images without objects, categories without instances."""
    full = {item.image_id for item in objects}
    for image in images:
        if image.id not in full:
            found.add("no-objects", "note", f"image {image.id}", "has no objects")
    instances = Counter(item.category_id for item in objects if not item.iscrowd)
    for category_id, name in categories.items():
        if not instances[category_id]:
            found.add("no-instances", "warning", f"category {category_id}", f"{name} has no instance")


def _check_reach(
    images: dict[int, SoundImage], objects: Sequence[SoundObject], reach: AnchorReach, found: Findings
) -> None:
    """Objects that no anchor fits well enough to be matched."""
    single = [item for item in objects if not item.iscrowd]
    sizes = np.array([(images[i.image_id].width, images[i.image_id].height) for i in single]).reshape(-1, 2)
    scale = np.minimum(reach.short / sizes.min(axis=1), reach.long / sizes.max(axis=1))
    boxes_wh = np.array([item.box_xywh[2:] for item in single]).reshape(-1, 2) * scale[:, None]
    best = best_shape_iou(boxes_wh, np.asarray(reach.shapes_wh, dtype=np.float64).reshape(-1, 2))
    for item, (w, h), iou in zip(single, boxes_wh.tolist(), best.tolist(), strict=True):
        if iou < reach.min_iou:
            text = f"{w:.1f}x{h:.1f} network pixels; the best anchor has IoU {iou:.2f} < {reach.min_iou}"
            found.add("unreachable", "warning", f"annotation {item.id}", text)


def best_shape_iou(
    boxes_wh: npt.NDArray[np.float64], shapes_wh: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The largest IoU of each box (N, 2) with any shape (A, 2) over its centre, (N,); 0 without shapes."""
    best = np.zeros(len(boxes_wh))
    for shape in shapes_wh:
        overlap = np.minimum(boxes_wh, shape).prod(axis=1)
        best = np.maximum(best, overlap / (boxes_wh.prod(axis=1) + shape.prod() - overlap))
    return best
