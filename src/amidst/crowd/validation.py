"""What an answer's body has to be, beyond its types, before it is stored.

`check_*` functions raise AnswerError with a rule name that a page can act upon and a sentence for the
worker. Nothing is repaired silently.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import (
    BODIES,
    BallotBody,
    Body,
    CaptionBody,
    CrowdBody,
    FilterBody,
    ImageRef,
    LabellingBody,
    Panel,
    SegmentationBody,
    SpottingBody,
)
from amidst.crowd.config import CaptionConfig, SegmentationConfig, SpottingConfig, Stage
from amidst.crowd.outlines import covered, first_crossing, rasterise
from amidst.errors import AnswerError, DataError

MAX_BYTES, MAX_BYTES_DRAWN = 256_000, 2_000_000
DECIMALS = 2  # of a coordinate, in pixels
DRAWN: frozenset[Stage] = frozenset({"segmentation", "training", "crowd_regions"})


def parse_body(stage: Stage, body: bytes) -> Body:
    """The body of an answer from JSON. Raises AnswerError (rules body-size, body-format)."""
    limit = MAX_BYTES_DRAWN if stage in DRAWN else MAX_BYTES
    if len(body) > limit:
        raise AnswerError(f"the answer has {len(body)} bytes, at most {limit} are taken", rule="body-size")
    try:
        return msgspec.json.decode(body, type=BODIES[stage])
    except (msgspec.DecodeError, RecursionError) as error:
        raise AnswerError(f"{stage}: {error}", rule="body-format") from None


def check_ballot(body: BallotBody, candidates: Collection[int]) -> None:
    """Exactly one score for each candidate."""
    given = Counter(score.candidate for score in body.scores)
    twice = [name for name, number in given.items() if number > 1]
    if twice:
        raise AnswerError(f"candidate {twice[0]} is scored twice", rule="candidate-twice")
    if set(given) != set(candidates):
        odd = sorted(set(given) ^ set(candidates))[0]
        raise AnswerError(
            f"candidate {odd} is {'not of this ballot' if odd in given else 'not scored'}", rule="candidates"
        )


def check_filter(body: FilterBody, items: int) -> None:
    """Positions of the grid, none twice."""
    check_positions([removal.item for removal in body.removed], items)


def check_positions(positions: Sequence[int], items: int) -> None:
    """Positions of a grid with so many items, none twice."""
    if len(set(positions)) != len(positions):
        raise AnswerError("an item is marked twice", rule="item-twice")
    if max(positions, default=-1) >= items:
        raise AnswerError(f"item {max(positions)} is not in this grid of {items}", rule="item-unknown")


def check_labelling(body: LabellingBody, panels: Iterable[Panel], image: ImageRef) -> None:
    """All panels answered; icons only where something is present, one per category, inside the image."""
    expected = {panel.super: {category.id for category in panel.categories} for panel in panels}
    answered = Counter(panel.super for panel in body.panels)
    if set(answered) != set(expected) or max(answered.values(), default=1) > 1:
        odd = sorted(set(answered) ^ set(expected)) or [name for name, n in answered.items() if n > 1]
        raise AnswerError(f"expected one answer for each panel; see {odd[0]!r}", rule="panels")
    for panel in body.panels:
        if panel.present != bool(panel.icons):
            wanted = "needs at least one icon" if panel.present else "is answered no but has icons"
            raise AnswerError(f"panel {panel.super!r} {wanted}", rule="icons")
        dropped = Counter(icon.category for icon in panel.icons)
        for category_id, number in dropped.items():
            if category_id not in expected[panel.super]:
                raise AnswerError(
                    f"category {category_id} is not of panel {panel.super!r}", rule="icon-category"
                )
            if number > 1:
                raise AnswerError(f"category {category_id} has two icons", rule="icon-twice")
        _check_places([(icon.x, icon.y) for icon in panel.icons], image)


def check_spotting(body: SpottingBody, image: ImageRef, config: SpottingConfig) -> None:
    """Few enough points, inside the image, apart from each other; "none" stands alone."""
    number = len(body.points)
    if number > config.max_points:
        raise AnswerError(f"{number} points, at most {config.max_points} are taken", rule="points-many")
    if body.none and (number or body.more_than_10):
        raise AnswerError('"none here" goes with no point', rule="none-with-points")
    if not number and not body.none:
        raise AnswerError('put a point on each instance, or say "none here"', rule="points-none")
    if body.more_than_10 and number < config.max_points:
        raise AnswerError(f'"more than 10" goes with {config.max_points} points', rule="more-than-10")
    xy = np.array([(point.x, point.y) for point in body.points]).reshape(-1, 2)
    _check_places([(point.x, point.y) for point in body.points], image)
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + np.eye(number) * 1e9
    if number > 1 and apart.min() < config.min_distance_px:
        i, j = np.unravel_index(apart.argmin(), apart.shape)
        raise AnswerError(f"points {i} and {j} lie on each other", rule="points-close")


def prepare_drawing(body: bytes) -> None:
    """Looks for crossings in a large drawing ahead of its transaction, which then finds them looked up.

    For what is no drawing, or no good one, nothing is done: the transaction will say so.
    """
    try:
        drawing = msgspec.json.decode(body, type=SegmentationBody)
    except (msgspec.DecodeError, RecursionError):
        return
    if sum(len(part.points) for part in drawing.parts) <= SegmentationConfig().max_total_vertices:
        for part in drawing.parts:
            _crossing(part.points)


def check_outlines(body: SegmentationBody, config: SegmentationConfig) -> None:
    """What a drawing must be in any image: parts or none, numbers of vertices, no outline that crosses
    itself.
    """
    if (body.kind == "mask") != bool(body.parts):
        raise AnswerError(
            f"{body.kind!r} goes {'with' if body.kind == 'mask' else 'without'} parts", rule="parts"
        )
    if body.kind != "mask":
        return
    if all(part.hole for part in body.parts):
        raise AnswerError("a mask needs a part that is no hole", rule="parts")
    if len(body.parts) > config.max_parts:
        raise AnswerError(f"{len(body.parts)} parts, at most {config.max_parts} are taken", rule="parts-many")
    total = sum(len(part.points) for part in body.parts)
    if total > config.max_total_vertices:
        raise AnswerError(
            f"{total} vertices, at most {config.max_total_vertices} are taken", rule="vertices-many"
        )
    for index, part in enumerate(body.parts):
        if not config.min_vertices <= len(part.points) <= config.max_vertices:
            raise AnswerError(
                f"part {index} has {len(part.points)} vertices, expected {config.min_vertices} to "
                f"{config.max_vertices}",
                rule="vertices",
            )
        crossing = _crossing(part.points)
        if crossing is not None:
            raise AnswerError(
                f"part {index} crosses itself at ({crossing[0]:g}, {crossing[1]:g})", rule="self-crossing"
            )


def drawn_mask(
    body: SegmentationBody, image: ImageRef, target_xy: tuple[float, float], config: SegmentationConfig
) -> Rle:
    """The raster of a drawing. Raises AnswerError if it leaves the image, is too small, or misses its
    target and the worker has not confirmed that.
    """
    for part in body.parts:
        _check_places(part.points, image)
    mask = rasterise(body.parts, (image.height, image.width))
    area = int(masks.area([mask])[0])
    if area < config.min_area:
        raise AnswerError(
            f"the mask has {area} pixels, at least {config.min_area} are needed", rule="mask-small"
        )
    if not body.off_target and not covered(mask, [target_xy], config.target_px)[0]:
        raise AnswerError("the mask does not hold the marked point; is that right?", rule="off-target")
    return mask


def painted_region(body: CrowdBody, image: ImageRef, min_area: int) -> Rle | None:
    """The region of a body in canonical form, or None for "none left". Raises AnswerError."""
    if (body.region is None) != body.none_left:
        raise AnswerError('paint a region or say "none left"', rule="region")
    if body.region is None:
        return None
    if tuple(body.region.size) != (image.height, image.width):
        raise AnswerError(
            f"the region is {body.region.size}, its image {(image.height, image.width)} (height, width)",
            rule="region-size",
        )
    try:
        masks.check(body.region)
        runs = masks.counts(body.region)
    except DataError as error:
        raise AnswerError(error.problem, rule="region-rle") from None
    region = masks.encode(masks.decode([Rle((image.height, image.width), runs)]))[0]
    if int(masks.area([region])[0]) < min_area:
        raise AnswerError(f"the region has fewer than {min_area} pixels", rule="mask-small")
    return region


def caption_text(body: CaptionBody, config: CaptionConfig) -> str:
    """The text in composed form (NFC), spaces single. Raises AnswerError for its length, links, control
    characters.
    """
    text = " ".join(unicodedata.normalize("NFC", body.text).split(" ")).strip()
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn") for letter in text):
        raise AnswerError("the text has characters that cannot be shown", rule="caption-characters")
    if re.search(r"://|www\.|\b[\w-]+\.(com|net|org|io|ru|cn)\b", text, re.IGNORECASE):
        raise AnswerError("the text has a link", rule="caption-link")
    number = len(text.split())
    if not config.min_words <= number <= config.max_words:
        raise AnswerError(
            f"the text has {number} words, expected {config.min_words} to {config.max_words}",
            rule="caption-length",
        )
    return text


def caption_words(text: str) -> frozenset[str]:
    """The words by which captions are compared."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def similar(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard index of two sets of words; 1 for two empty ones."""
    return len(one & other) / len(one | other) if one | other else 1.0


@lru_cache(maxsize=1024)
def _crossing(points: tuple[tuple[float, float], ...]) -> tuple[float, float] | None:
    return first_crossing(points)


def _check_places(points: Sequence[tuple[float, float]], image: ImageRef) -> None:
    """Inside the image, with no more decimals than anyone can point at; rounding is the client's."""
    for x, y in points:
        if round(x, DECIMALS) != x or round(y, DECIMALS) != y:
            raise AnswerError(
                f"({x!r}, {y!r}) has more than {DECIMALS} decimals; round coordinates", rule="decimals"
            )
        if not (0 <= x <= image.width and 0 <= y <= image.height):
            raise AnswerError(
                f"({x:g}, {y:g}) lies outside the image of {image.width} x {image.height}", rule="outside"
            )
