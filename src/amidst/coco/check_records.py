"""Checks of single records as they stand in a file: no value is trusted to be of its type.

Every function adds to `Findings` and returns what later checks may build on; none raises. Tolerances are
set so that COCO's own files are quiet: their boxes and areas are those of polygons with two decimals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from operator import mul
from typing import Any

import msgspec

from amidst.coco import masks
from amidst.coco.findings import Findings, Severity
from amidst.coco.records import Box, Rle
from amidst.errors import DataError

OUTSIDE_TOLERANCE = 1.0
"""Pixels by which a box may reach over the edge of its image."""
BOX_TOLERANCE = 2.0
"""Pixels by which an edge of the box may differ from the mask's; painted crowds are that coarse."""
AREA_TOLERANCE = 0.05
"""Share of the area, besides half a pixel along the box, by which it may differ from the mask's."""


@dataclass(frozen=True, slots=True)
class SoundImage:
    """An image record whose fields can be used."""

    id: int
    width: int
    height: int
    file_name: str


@dataclass(frozen=True, slots=True)
class SoundObject:
    """An annotation whose references and box can be used."""

    id: int
    image_id: int
    category_id: int
    box_xywh: Box
    iscrowd: bool


def check_images(records: Iterable[Any], found: Findings) -> list[SoundImage]:
    """Fields, sizes, and ids or file names used twice."""
    sound: list[SoundImage] = []
    ids: set[int] = set()
    names: dict[str, int] = {}
    for index, value in enumerate(records):
        record = _name("image", index, value)
        if not _fields(value, record, found, id=int, width=int, height=int, file_name=str):
            continue
        image = SoundImage(value["id"], value["width"], value["height"], value["file_name"])
        _unique(image.id, ids, record, found)
        if image.width <= 0 or image.height <= 0:
            found.add("image-size", "error", record, f"width {image.width}, height {image.height}")
            continue
        if image.file_name in names:
            other = names[image.file_name]
            found.add(
                "duplicate-file", "warning", record, f"{image.file_name} is also the file of image {other}"
            )
        names.setdefault(image.file_name, image.id)
        sound.append(image)
    return sound


def check_categories(records: Iterable[Any], found: Findings) -> dict[int, str]:
    """Fields, ids and names used twice, gaps. Returns names by id."""
    sound: dict[int, str] = {}
    ids: set[int] = set()
    for index, value in enumerate(records):
        record = _name("category", index, value)
        if not _fields(value, record, found, id=int, name=str):
            continue
        _unique(value["id"], ids, record, found)
        if value["name"] in sound.values():
            found.add("duplicate-name", "warning", record, f"another category is named {value['name']!r} too")
        sound[value["id"]] = value["name"]
    missing = max(ids) - min(ids) + 1 - len(ids) if ids else 0
    if missing:
        text = f"ids run {min(ids)}..{max(ids)} with {missing} gaps, which is legal; class indices have none"
        found.add("category-gaps", "note", "categories", text)
    return sound


def check_annotations(
    records: Iterable[Any], images: dict[int, SoundImage], categories: dict[int, str], found: Findings
) -> list[SoundObject]:
    """Fields, references, boxes, areas and masks."""
    sound: list[SoundObject] = []
    ids: set[int] = set()
    for index, value in enumerate(records):
        record = _name("annotation", index, value)
        if not _fields(value, record, found, id=int, image_id=int, category_id=int, bbox=list, area=float):
            continue
        _unique(value["id"], ids, record, found)
        image, known = images.get(value["image_id"]), value["category_id"] in categories
        if image is None:
            text = f"image {value['image_id']} does not exist, or its record is unusable"
            found.add("unknown-image", "error", record, text)
        if not known:
            found.add("unknown-category", "error", record, f"category {value['category_id']} does not exist")
        for flag in ("iscrowd", "ignore"):
            if value.get(flag) not in (0, 1, None):
                found.add("wrong-type", "error", record, f"{flag} must be 0 or 1, not {value[flag]!r}")
        box = _check_box(value["bbox"], image, record, found)
        area = _check_area(value["area"], record, found)
        outline = _check_segmentation(value.get("segmentation"), image, record, found)
        if box is None:
            continue
        if area is not None:
            _compare(box, area, outline, value.get("iscrowd") in (1, True), record, found)
        if image is not None and known:
            sound.append(
                SoundObject(
                    value["id"],
                    value["image_id"],
                    value["category_id"],
                    box,
                    value.get("iscrowd") in (1, True),
                )
            )
    return sound


# ---------------------------------------------------------------- fields


def _name(kind: str, index: int, value: Any) -> str:
    has_id = isinstance(value, dict) and _is(value.get("id"), int)
    return f"{kind} {value['id']}" if has_id else f"{kind} at index {index}"


def _is(value: Any, kind: type) -> bool:
    """JSON's types: a bool is no number, an integer is a float."""
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if kind is float else kind)


def _fields(value: Any, record: str, found: Findings, **kinds: type) -> bool:
    """Whether the record has all fields, of these types."""
    if not isinstance(value, dict):
        found.add("wrong-type", "error", record, f"expected an object, got {_shown(value)}")
        return False
    sound = True
    for name, kind in kinds.items():
        if value.get(name) is None:
            found.add("missing-field", "error", record, f"{name} is missing")
            sound = False
        elif not _is(value[name], kind):
            text = f"{name} must be {_KIND_NAMES[kind]}, not {_shown(value[name])}"
            found.add("wrong-type", "error", record, text)
            sound = False
    return sound


_KIND_NAMES = {int: "an integer", float: "a number", str: "text", list: "a list"}


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unique(id_: int, seen: set[int], record: str, found: Findings) -> None:
    if id_ in seen:
        found.add("duplicate-id", "error", record, "the id is used more than once")
    seen.add(id_)


# ---------------------------------------------------------------- boxes, areas, masks


def _check_box(value: list[Any], image: SoundImage | None, record: str, found: Findings) -> Box | None:
    """The box if it is four finite numbers of positive extent."""
    if len(value) != 4 or not all(_is(v, float) for v in value):
        found.add("wrong-type", "error", record, f"bbox must be four numbers, not {_shown(value)}")
        return None
    if not all(math.isfinite(v) for v in value):
        found.add("non-finite", "error", record, f"bbox is {value}")
        return None
    x, y, w, h = value
    if w <= 0 or h <= 0:
        # COCO itself has a few of zero extent.
        severity: Severity = "error" if w < 0 or h < 0 else "warning"
        found.add("degenerate-box", severity, record, f"bbox {value} has no extent")
        return None
    if image is not None:
        if x >= image.width or y >= image.height or x + w <= 0 or y + h <= 0:
            text = f"bbox {value} lies outside its {image.width}x{image.height} image"
            found.add("outside-box", "error", record, text)
            return None
        over = max(-x, -y, x + w - image.width, y + h - image.height)
        if over > OUTSIDE_TOLERANCE:
            text = f"bbox {value} reaches {over:.1f} pixels out of its {image.width}x{image.height} image"
            found.add("outside-box", "warning", record, text)
    return x, y, w, h


def _check_area(area: float, record: str, found: Findings) -> float | None:
    if not math.isfinite(area):
        found.add("non-finite", "error", record, f"area is {area}")
        return None
    if area <= 0:
        found.add("bad-area", "error" if area < 0 else "warning", record, f"area is {area}")
        return None
    return area


@dataclass(frozen=True, slots=True)
class Outline:
    """What a mask says of its object. area: by the vertices of the polygons, or in pixels."""

    box: tuple[float, float, float, float]  # x1, y1, x2, y2
    area: float
    polygons: list[list[float]] | None


def _check_segmentation(value: Any, image: SoundImage | None, record: str, found: Findings) -> Outline | None:
    """The outline, if there is a usable mask."""
    if value is None or value == []:
        return None
    try:
        if isinstance(value, list):
            return _polygon_outline(value)
        return _rle_outline(value, image)
    except DataError as error:
        found.add(error.rule, "warning" if error.rule == "empty-mask" else "error", record, error.problem)
        return None


def _polygon_outline(parts: list[Any]) -> Outline:
    """Of all parts; plain lists, which for a few dozen vertices are faster than arrays."""
    x1 = y1 = math.inf
    x2 = y2 = -math.inf
    area = 0.0
    for part in parts:
        if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
            raise DataError(f"a polygon must be 3 or more x, y pairs, not {_shown(part)}", rule="bad-polygon")
        x, y = part[0::2], part[1::2]
        try:
            twice = sum(map(mul, x, y[1:] + y[:1])) - sum(map(mul, y, x[1:] + x[:1]))
            total = math.fsum(part)  # not finite if any number is not
        except (TypeError, ValueError, OverflowError):
            total = math.nan
        if not math.isfinite(total):
            raise DataError("a polygon holds something that is not a finite number", rule="bad-polygon")
        x1, y1, x2, y2 = min(x1, min(x)), min(y1, min(y)), max(x2, max(x)), max(y2, max(y))
        area += abs(twice) / 2
    return Outline((x1, y1, x2, y2), area, parts)


def _rle_outline(value: Any, image: SoundImage | None) -> Outline:
    try:
        rle = msgspec.convert(value, Rle)
    except msgspec.ValidationError as error:
        raise DataError(f"expected polygons or an RLE: {error}", rule="bad-rle") from None
    if image is not None and rle.size != (image.height, image.width):
        raise DataError(
            f"the RLE is {rle.size[1]}x{rle.size[0]}, its image {image.width}x{image.height}",
            rule="mask-size",
        )
    masks.check(rle)
    compressed = masks.compress(rle)
    area = float(masks.area([compressed])[0])
    if not area:
        raise DataError("the mask has no pixel", rule="empty-mask")
    x, y, w, h = masks.boxes([compressed])[0].tolist()
    return Outline((x, y, x + w, y + h), area, None)


def _compare(
    box: Box, area: float, outline: Outline | None, iscrowd: bool, record: str, found: Findings
) -> None:
    """Box and area against each other and against the mask."""
    x, y, w, h = box
    if outline is None:
        if area > w * h * (1 + AREA_TOLERANCE) + w + h:
            found.add("area-box", "warning", record, f"area {area:.1f} is more than the box's {w * h:.1f}")
        return
    apart = max(abs(a - b) for a, b in zip((x, y, x + w, y + h), outline.box, strict=True))
    if apart > BOX_TOLERANCE:
        edges = [round(v, 1) for v in outline.box]
        text = f"bbox {[x, y, w, h]} is {apart:.1f} pixels off the mask, which spans x1, y1, x2, y2 = {edges}"
        found.add("box-mask", "warning", record, text)
    if iscrowd:
        return  # in COCO the area of a crowd is not that of its mask, and nothing depends on it
    allowed = AREA_TOLERANCE * area + w + h
    if abs(area - outline.area) > allowed and abs(area - _pixels(outline)) > allowed:
        text = f"area {area:.1f} is not the mask's {_pixels(outline):.0f}"
        found.add("area-mask", "warning", record, text)


def _pixels(outline: Outline) -> float:
    """Area in pixels, which for overlapping or self-crossing polygons is not that of the vertices."""
    if outline.polygons is None:
        return outline.area
    x1, y1, x2, y2 = outline.box
    size = (math.ceil(y2 - y1) + 2, math.ceil(x2 - x1) + 2)
    if size[0] * size[1] > 100_000_000:
        return outline.area
    near = [[v - (y1 if i % 2 else x1) for i, v in enumerate(part)] for part in outline.polygons]
    return float(masks.area([masks.from_polygons(near, size)])[0])
