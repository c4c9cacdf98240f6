"""Boxes, masks and captions drawn on photographs.

Everything is in pixels of the given image; boxes are (x1, y1, x2, y2), continuous. A box is a line of the
colour of its mark between two thin white casings, so that it stands out on any photograph; lines and text
grow with the image. A caption is a chip at the box, moved where it would leave the picture or cover another
one, and left out where there is no room. Lines are placed on whole pixels, which keeps them crisp.

    draw               any marks: what the other functions are made of
    draw_detections    detections in the colours of their categories
    draw_comparison    truth beside detections: missed objects red, false alarms amber, found ones green
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from amidst.apps.report.colours import (
    FALSE_ALARM,
    FOUND,
    MISSED,
    TRUTH,
    Colour,
    category_colour,
    text_colour,
)

Pixels = NDArray[np.uint8]  # (H, W, 3) RGB
Mask = NDArray[np.bool_]  # (H, W)
Area = tuple[int, int, int, int]  # x1, y1, x2, y2 in whole pixels, ends not included

CASING: Colour = (255, 255, 255)
CASING_OPACITY = 0.6
MASK_OPACITY = 0.34
CHIP_OPACITY = 0.92
SMALL = 12  # objects are seen well in a whole image that is at most so many times as wide
CHIP_OVERLAP = 0.15  # a caption that would hide more of the others than this is left out


@dataclass(frozen=True)
class Mark:
    """One object to draw. `caption` "" draws no chip; a box that is not finite or outside is left out.

    `frame=False` leaves the line of the box away, for masks that show their shape themselves.
    """

    box_xyxy: tuple[float, float, float, float]
    caption: str = ""
    colour: Colour = TRUTH
    dashed: bool = False
    mask: Mask | None = None
    frame: bool = True


def draw(image: Pixels, marks: Sequence[Mark]) -> Pixels:
    """A copy of the image, (H, W, 3) or grey (H, W), with the marks; the first ones end up on top."""
    canvas = _canvas(image)
    height, width = canvas.shape[:2]
    areas = [_whole_pixels(mark.box_xyxy, width, height) for mark in marks]
    near = _nearness([area for area in areas if area is not None], width, height)
    line, text = line_width(width // near, height // near), text_size(width // near, height // near)
    for mark in reversed(marks):
        if mark.mask is not None:
            _paint_mask(canvas, mark.mask, mark.colour, line)
    for mark, area in reversed(list(zip(marks, areas, strict=True))):
        if area is not None and mark.frame:
            _paint_box(canvas, area, mark, line)
    chips: list[Area] = []
    placed: list[tuple[Pixels, Area]] = []
    for mark, area in zip(marks, areas, strict=True):
        if area is not None and mark.caption:
            size = round(min(text, max(0.8 * text, 0.4 * (area[3] - area[1]))))
            chip = _chip(_fitting(mark.caption, size, width), mark.colour, size)
            where = _chip_place(area, chip.shape[1], chip.shape[0], width, height, line, chips)
            if where is not None:
                chips.append(where)
                placed.append((chip, where))
    for chip, where in reversed(placed):
        _blend(canvas, where, chip, CHIP_OPACITY)
    return canvas


def draw_detections(
    image: Pixels,
    boxes_xyxy: NDArray[np.floating],
    category_ids: Sequence[int] | NDArray[np.integer],
    scores: Sequence[float] | NDArray[np.floating],
    names: Mapping[int, str],
    *,
    min_score: float = 0.3,
    masks: Sequence[Mask] | None = None,
) -> Pixels:
    """The image with all detections of at least `min_score`, the most certain on top.

    boxes_xyxy: (N, 4). names: category id -> name; an id without a name is drawn as its number.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    marks = [
        Mark(
            box_xyxy=_box(boxes_xyxy[n]),
            caption=f"{names.get(int(category_ids[n]), category_ids[n])} {scores[n]:.2f}",
            colour=category_colour(int(category_ids[n])),
            mask=None if masks is None else masks[n],
        )
        for n in order.tolist()
        if scores[n] >= min_score
    ]
    return draw(image, marks)


def draw_comparison(
    image: Pixels,
    truth_xyxy: NDArray[np.floating],
    truth_names: Sequence[str],
    missed: Sequence[bool] | NDArray[np.bool_],
    boxes_xyxy: NDArray[np.floating],
    captions: Sequence[str],
    correct: Sequence[bool] | NDArray[np.bool_],
) -> Pixels:
    """Two copies side by side: the true objects, missed ones in red; the detections, false alarms in amber.

    Returns (H, 2W + gap, 3). Found objects are white and dashed, correct detections green.
    """
    truth = [
        Mark(_box(box), name if lost else "", MISSED if lost else TRUTH, dashed=not lost)
        for box, name, lost in zip(truth_xyxy, truth_names, missed, strict=True)
    ]
    found = [
        Mark(_box(box), caption, FOUND if right else FALSE_ALARM, dashed=not right)
        for box, caption, right in zip(boxes_xyxy, captions, correct, strict=True)
    ]
    left = draw(image, sorted(truth, key=lambda mark: mark.dashed))
    gap = np.full((left.shape[0], max(2, left.shape[1] // 100), 3), 255, np.uint8)
    return np.concatenate([left, gap, draw(image, found)], axis=1)


def line_width(width: int, height: int) -> int:
    """Width of a box's line, in pixels, for an image of this size."""
    return max(1, round(0.0055 * math.sqrt(width * height)))


def text_size(width: int, height: int) -> float:
    """Size of captions, in pixels, for an image of this size."""
    return max(11.0, 0.024 * math.sqrt(width * height))


def _nearness(areas: Sequence[Area], width: int, height: int) -> int:
    """How many times nearer than for the whole image one goes to see its objects: 1, 2, 4, ...

    Lines and captions are for that distance; else they would hide the small objects of a large photograph.
    In powers of two, so that they do not change with every frame of a video.
    """
    if not areas:
        return 1
    side = float(np.median([math.sqrt((x2 - x1) * (y2 - y1)) for x1, y1, x2, y2 in areas]))
    times = math.sqrt(width * height) / (SMALL * side)
    return 1 << max(0, math.floor(math.log2(times)))


def _box(row: NDArray[np.floating]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(value) for value in row)
    return x1, y1, x2, y2


def _canvas(image: Pixels) -> Pixels:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"expected a uint8 image (H, W, 3) or (H, W), got {image.dtype} {image.shape}")
    return np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image.copy()


def _whole_pixels(box_xyxy: tuple[float, float, float, float], width: int, height: int) -> Area | None:
    """The box on whole pixels inside the image, at least one wide; None if nothing of it is inside."""
    if not all(np.isfinite(box_xyxy)):
        return None
    x1, y1, x2, y2 = box_xyxy
    if x2 < 0 or y2 < 0 or x1 > width or y1 > height or x2 < x1 or y2 < y1:
        return None
    left, top = min(max(round(x1), 0), width - 1), min(max(round(y1), 0), height - 1)
    right, bottom = max(min(round(x2), width), left + 1), max(min(round(y2), height), top + 1)
    return left, top, right, bottom


def _blend(canvas: Pixels, area: Area, colour: Colour | Pixels, opacity: float) -> None:
    x1, y1, x2, y2 = area
    region = canvas[y1:y2, x1:x2]
    mixed = (1 - opacity) * region + opacity * np.asarray(colour, np.float32)
    region[...] = np.rint(mixed).astype(np.uint8)


def _bands(area: Area, line: int) -> list[tuple[Area, int]]:
    """The four sides of a frame inside the area, with the axis (0: x, 1: y) along which each runs."""
    x1, y1, x2, y2 = area
    across, down = min(line, x2 - x1), min(line, y2 - y1)
    return [
        ((x1, y1, x2, y1 + down), 0),
        ((x1, y2 - down, x2, y2), 0),
        ((x1, y1, x1 + across, y2), 1),
        ((x2 - across, y1, x2, y2), 1),
    ]


def _grown(area: Area, by: int, width: int, height: int) -> Area:
    x1, y1, x2, y2 = area
    return max(x1 - by, 0), max(y1 - by, 0), min(x2 + by, width), min(y2 + by, height)


def _paint_box(canvas: Pixels, area: Area, mark: Mark, line: int) -> None:
    """A frame just inside the box, of the mark's colour, between two casings."""
    height, width = canvas.shape[:2]
    casing = max(1, line // 3)
    for band, _ in _bands(_grown(area, casing, width, height), casing):
        _blend(canvas, band, CASING, CASING_OPACITY)
    inner = (area[0] + line, area[1] + line, area[2] - line, area[3] - line)
    if min(inner[2] - inner[0], inner[3] - inner[1]) > 4 * casing:
        for band, _ in _bands(inner, casing):
            _blend(canvas, band, CASING, CASING_OPACITY)
    dash = 4 * line
    for (x1, y1, x2, y2), axis in _bands(area, line):
        region = canvas[y1:y2, x1:x2]
        if not mark.dashed or max(area[2] - area[0], area[3] - area[1]) < 3 * dash:
            region[...] = mark.colour
            continue
        along = region if axis else region.swapaxes(0, 1)
        on = (np.arange(along.shape[0]) // dash) % 2 == 0
        along[on] = mark.colour
        along[~on] = np.rint(0.65 * along[~on]).astype(np.uint8)


def _paint_mask(canvas: Pixels, mask: Mask, colour: Colour, line: int) -> None:
    """A translucent fill with a firmer rim of about half a line's width."""
    if mask.shape != canvas.shape[:2]:
        raise ValueError(f"expected a mask of the image's size {canvas.shape[:2]}, got {mask.shape}")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside, region = mask[window], canvas[window]
    core = np.pad(inside, 1)
    for _ in range(max(1, line // 2)):
        shifted = core.copy()
        shifted[1:] &= core[:-1]
        shifted[:-1] &= core[1:]
        shifted[:, 1:] &= core[:, :-1]
        shifted[:, :-1] &= core[:, 1:]
        core = shifted
    rim = inside & ~core[1:-1, 1:-1]
    paint = np.asarray(colour, np.float32)
    for part, opacity in ((inside & ~rim, MASK_OPACITY), (rim, 0.9)):
        region[part] = np.rint((1 - opacity) * region[part] + opacity * paint).astype(np.uint8)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _chip_size(text: str, size: int) -> tuple[int, int]:
    """Width and height of a chip with this text, in pixels."""
    return round(_font(size).getlength(text) + 0.6 * size) + 1, round(1.3 * size)


def _fitting(text: str, size: int, width: int) -> str:
    """The text, shortened with an ellipsis until its chip is no wider than the image ("" if it never is)."""
    if _chip_size(text, size)[0] <= width:
        return text
    shortened = ("".join((text[:length], "...")) for length in range(len(text) - 1, 0, -1))
    return next((candidate for candidate in shortened if _chip_size(candidate, size)[0] <= width), "")


def _chip(text: str, colour: Colour, size: int) -> Pixels:
    """The chip's pixels (h, w, 3): text on a plate of the colour."""
    width, height = _chip_size(text, size)
    plate = Image.new("RGB", (width, height), colour)
    position = (0.3 * size, round(0.98 * size))
    ImageDraw.Draw(plate).text(position, text, fill=text_colour(colour), font=_font(size), anchor="ls")
    return np.asarray(plate)


def _chip_place(
    area: Area, chip_w: int, chip_h: int, width: int, height: int, line: int, taken: Sequence[Area]
) -> Area | None:
    """Where a chip goes: a corner of the box, in the image, off other chips; None where there is no room."""
    if chip_w > width or chip_h > height or chip_w <= line:
        return None
    x1, y1, x2, y2 = area
    wanted = [(x1, y1 - chip_h), (x1, y1), (x2 - chip_w, y1 - chip_h), (x1, y2), (x1, y2 - chip_h)]
    best: tuple[float, Area] | None = None
    for rank, (x, y) in enumerate(wanted):
        left, top = min(max(x, 0), width - chip_w), min(max(y, 0), height - chip_h)
        place = (left, top, left + chip_w, top + chip_h)
        hidden = sum(_overlap(place, other) for other in taken) / (chip_w * chip_h)
        cost = 0.01 * rank + abs(top - y) / chip_h + hidden
        if hidden <= CHIP_OVERLAP and (best is None or cost < best[0]):
            best = (cost, place)
    return None if best is None else best[1]


def _overlap(a: Area, b: Area) -> int:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
