"""Photographs with their truth and their detections, ready for the page's template.

A photograph is embedded once, as a JPEG data URI that both of its panes show; boxes are page elements on top,
placed in per cent of the picture, so that they stay crisp and the reader can move the score threshold.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image as PillowImage

from amidst.apps.report.comparison import Comparison, Detection, Outcome, TrueObject
from amidst.coco.files import image_path
from amidst.coco.images import read_image
from amidst.coco.records import Box, Image
from amidst.errors import ImageError

LONGEST_SIDE = 640  # of an embedded photograph, pixels
JPEG_QUALITY = 80
CHIP_HEIGHT, CHIP_LETTER = 15, 6.3  # of captions, CSS pixels
MOST_BOXES = 60  # detections shown on one photograph, the most certain ones


@dataclass(frozen=True)
class BoxView:
    """A box as the template places it. `place` holds extra class names, each with a space before it.

    area: left, top, width, height as shares of the image's sides, inside it.
    """

    kind: str
    area: tuple[float, float, float, float]
    title: str
    chip: str
    place: str
    score: float | None = None
    hidden: bool = False

    @property
    def style(self) -> str:
        """The box's place as CSS."""
        left, top, width, height = (f"{100 * value:.2f}%" for value in self.area)
        return f"left:{left};top:{top};width:{width};height:{height}"


@dataclass(frozen=True)
class PairView:
    """One photograph of the page; the counts hold at the page's first threshold."""

    name: str
    photo: str
    aspect: str
    missed: int
    false: int
    correct: int
    objects: Sequence[BoxView]
    detections: Sequence[BoxView]


def make_pairs(
    comparisons: Sequence[Comparison],
    images_dir: Path,
    names: Mapping[int, str],
    threshold: float,
    *,
    budget: int,
    notes: list[str],
) -> list[PairView]:
    """Views of the photographs in the given order, until their data fill `budget` bytes.

    names: category id -> name; with a single one the captions leave it out. A photograph that cannot be read
    is left out; the first of them and their number are put into `notes`.
    """
    pairs: list[PairView] = []
    broken: list[str] = []
    used = 0
    for comparison in comparisons:
        try:
            photo = _data_uri(images_dir, comparison.image)
        except ImageError as error:
            broken.append(str(error))
            continue
        used += len(photo)
        if used > budget and pairs:
            break
        pairs.append(_pair(comparison, photo, names, threshold))
    if broken:
        others = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        notes.append(f"Photographs that cannot be read are left out: {broken[0]}{others}.")
    return pairs


def _pair(comparison: Comparison, photo: str, names: Mapping[int, str], threshold: float) -> PairView:
    image = comparison.image
    single = len(names) == 1
    objects = sorted(comparison.objects, key=lambda item: -item.box_xywh[2] * item.box_xywh[3])
    views = [_object(item, image, names, threshold, single) for item in objects]
    found = [_detection(item, image, names, threshold, single) for item in comparison.detections[:MOST_BOXES]]
    return PairView(
        name=image.file_name,
        photo=photo,
        aspect=f"{image.width / image.height:.4f}",
        missed=comparison.missed(threshold),
        false=comparison.count(Outcome.FALSE, threshold),
        correct=comparison.count(Outcome.CORRECT, threshold),
        objects=_without_collisions(views, image),
        detections=_without_collisions(found, image)[::-1],
    )


def _object(
    item: TrueObject, image: Image, names: Mapping[int, str], threshold: float, single: bool
) -> BoxView:
    name = names.get(item.category_id, str(item.category_id))
    if item.ignored:
        kind, title = "ignored", f"{name}, not counted (crowd or marked so)"
    elif item.found_at is None:
        kind, title = "missed", f"{name}, missed"
    else:
        kind = "missed" if item.missed(threshold) else "correct"
        title = f"{name}, found with score {item.found_at:.2f}"
    score = None if item.found_at is None else _rounded(item.found_at)
    area = _inside(item.box_xywh, image)
    return BoxView(kind, area, title, "" if single else name, _place(area, image), score)


def _detection(
    item: Detection, image: Image, names: Mapping[int, str], threshold: float, single: bool
) -> BoxView:
    name = names.get(item.category_id, str(item.category_id))
    score = f"{item.score:.2f}"
    area = _inside(item.box_xywh, image)
    return BoxView(
        kind=str(item.outcome),
        area=area,
        title=f"{name} {score}, {item.outcome}",
        chip=score if single else f"{name} {score}",
        place=_place(area, image),
        score=_rounded(item.score),
        hidden=item.score < threshold,
    )


def _rounded(score: float) -> float:
    return round(score, 4)


def _inside(box_xywh: Box, image: Image) -> tuple[float, float, float, float]:
    """The part of the box inside the image: left, top, width, height as shares of the image's sides."""
    x, y, w, h = box_xywh
    left, top = min(max(x / image.width, 0.0), 1.0), min(max(y / image.height, 0.0), 1.0)
    right, bottom = min(max((x + w) / image.width, left), 1.0), min(max((y + h) / image.height, top), 1.0)
    return left, top, right - left, bottom - top


def _place(area: tuple[float, float, float, float], image: Image) -> str:
    """On which side the caption goes, so that it stays in the picture."""
    left, top, width, _ = area
    low = " low" if top * _pane_size(image)[1] < CHIP_HEIGHT else ""
    return low + (" right" if left > 0.72 and left + width > 0.85 else "")


def _pane_size(image: Image) -> tuple[float, float]:
    """About the size at which the page shows a photograph, in CSS pixels."""
    aspect = image.width / image.height
    width = min(480.0, 440.0 * aspect)
    return width, width / aspect


def _without_collisions(boxes: Sequence[BoxView], image: Image) -> list[BoxView]:
    """The same boxes; a caption that would cover an earlier one is kept back until its box is pointed at."""
    pane_w, pane_h = _pane_size(image)
    taken: list[tuple[float, float, float]] = []
    calm: list[BoxView] = []
    for box in boxes:
        left, top, width, _ = box.area
        chip_w = CHIP_LETTER * len(box.chip) + 8
        x = (left + width) * pane_w - chip_w if "right" in box.place else left * pane_w
        y = top * pane_h - (0 if "low" in box.place else CHIP_HEIGHT)
        covers = any(
            x < other_x + other_w and other_x < x + chip_w and abs(y - other_y) < CHIP_HEIGHT
            for other_x, other_y, other_w in taken
        )
        visible = box.chip and not (covers or box.kind == "ignored" or box.hidden)
        if visible:
            taken.append((x, y, chip_w))
        calm.append(replace(box, place=box.place + " quiet") if covers else box)
    return calm


def _data_uri(images_dir: Path, image: Image) -> str:
    """The photograph as a small JPEG in a data URI. Raises ImageError where it cannot be read."""
    pixels = read_image(image_path(images_dir, image.file_name), (image.height, image.width))
    picture = PillowImage.fromarray(pixels)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), PillowImage.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
