"""amidst.crowd.validation: bodies that break a rule, and the rule that they break."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.bodies import (
    BODIES,
    CaptionBody,
    CategoryRef,
    CrowdBody,
    ImageRef,
    LabellingBody,
    Panel,
    SegmentationBody,
    SpottingBody,
)
from amidst.crowd.config import CaptionConfig, SegmentationConfig, SpottingConfig
from amidst.crowd.validation import (
    caption_text,
    caption_words,
    check_labelling,
    check_outlines,
    check_positions,
    check_spotting,
    drawn_mask,
    painted_region,
    parse_body,
    prepare_drawing,
    similar,
)
from amidst.errors import AnswerError

IMAGE = ImageRef(id=1, width=20, height=10)
PANELS = (
    Panel(super="a", categories=(CategoryRef(id=1, name="one"),)),
    Panel(super="b", categories=(CategoryRef(id=2, name="two"), CategoryRef(id=3, name="three"))),
)
SQUARE = [[2, 2], [8, 2], [8, 8], [2, 8]]


def rule_of(call: Any) -> str:
    try:
        call()
    except AnswerError as error:
        return error.rule
    return ""


def panel(name: str, *icons: tuple[int, float, float], present: bool | None = None) -> dict[str, Any]:
    return {
        "super": name,
        "present": bool(icons) if present is None else present,
        "icons": [{"category": c, "x": x, "y": y} for c, x, y in icons],
    }


@pytest.mark.parametrize(
    ("panels", "rule"),
    [
        ([], "panels"),
        ([panel("a"), panel("b")], ""),
        ([panel("b", (2, 0, 0), (3, 20, 10)), panel("a")], ""),
        ([panel("a")], "panels"),
        ([panel("a"), panel("a"), panel("b")], "panels"),
        ([panel("a"), panel("c")], "panels"),
        ([panel("a", present=True), panel("b")], "icons"),
        ([panel("a", (1, 1, 1), present=False), panel("b")], "icons"),
        ([panel("a", (2, 1, 1)), panel("b")], "icon-category"),
        ([panel("a", (1, 1, 1), (1, 2, 2)), panel("b")], "icon-twice"),
        ([panel("a", (1, 20.01, 1)), panel("b")], "outside"),
    ],
)
def test_labelling(panels: list[dict[str, Any]], rule: str) -> None:
    body = msgspec.convert({"panels": panels}, LabellingBody)
    assert rule_of(lambda: check_labelling(body, PANELS, IMAGE)) == rule


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({}, "points-none"),
        ({"none": True}, ""),
        ({"points": [{"x": 1, "y": 1}]}, ""),
        ({"points": [{"x": 1, "y": 1}], "none": True}, "none-with-points"),
        ({"points": [{"x": 1, "y": 1}], "more_than_10": True}, "more-than-10"),
        ({"points": [{"x": 1, "y": 1}, {"x": 1, "y": 2.9}]}, "points-close"),
        ({"points": [{"x": 1, "y": 1}, {"x": 1, "y": 3}]}, ""),
        ({"points": [{"x": 1, "y": 11}]}, "outside"),
        ({"points": [{"x": 0.07, "y": 9.99}]}, ""),
        ({"points": [{"x": 1, "y": 0.125}]}, "decimals"),
        ({"points": [{"x": x, "y": 1} for x in range(0, 20, 2)], "more_than_10": True}, ""),
        ({"points": [{"x": x, "y": y} for x in (1, 5, 9, 13) for y in (1, 4, 7)]}, "points-many"),
    ],
)
def test_spotting(body: dict[str, Any], rule: str) -> None:
    parsed = msgspec.convert(body, SpottingBody)
    assert rule_of(lambda: check_spotting(parsed, IMAGE, SpottingConfig())) == rule


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({"kind": "mask"}, "parts"),
        ({"kind": "all_done"}, ""),
        ({"kind": "all_done", "parts": [{"points": SQUARE}]}, "parts"),
        ({"kind": "mask", "parts": [{"points": SQUARE, "hole": True}]}, "parts"),
        ({"kind": "mask", "parts": [{"points": SQUARE}]}, ""),
        ({"kind": "mask", "parts": [{"points": [[2, 2], [8, 8], [8, 2], [2, 8]]}]}, "self-crossing"),
        ({"kind": "mask", "parts": [{"points": [[i, i % 2] for i in range(1999)]}] * 6}, "vertices-many"),
    ],
)
def test_outlines(body: dict[str, Any], rule: str) -> None:
    parsed = msgspec.convert(body, SegmentationBody)
    prepare_drawing(msgspec.json.encode(body))
    assert rule_of(lambda: check_outlines(parsed, SegmentationConfig())) == rule


def test_a_crossing_is_named() -> None:
    bow = msgspec.convert(
        {"kind": "mask", "parts": [{"points": [[2, 2], [8, 8], [8, 2], [2, 8]]}]}, SegmentationBody
    )
    with pytest.raises(AnswerError, match=r"part 0 crosses itself at \(5, 5\)"):
        check_outlines(bow, SegmentationConfig())


@pytest.mark.parametrize(
    ("points", "target", "off_target", "rule"),
    [
        (SQUARE, (5, 5), False, ""),
        (SQUARE, (10, 5), False, ""),  # three pixels away at most
        (SQUARE, (12, 5), False, "off-target"),
        (SQUARE, (12, 5), True, ""),
        ([[2, 2], [3, 2], [3, 3]], (2, 2), False, "mask-small"),
        ([[2, 2], [8, 2], [8, 12]], (5, 5), False, "outside"),
        ([[2.25, 2.1], [8, 2], [8, 9.99], [2, 8]], (5, 5), False, ""),
        ([[2.125, 2], [8, 2], [8, 8], [2, 8]], (5, 5), False, "decimals"),
    ],
)
def test_drawings(
    points: list[list[float]], target: tuple[float, float], off_target: bool, rule: str
) -> None:
    body = msgspec.convert(
        {"kind": "mask", "parts": [{"points": points}], "off_target": off_target}, SegmentationBody
    )
    assert rule_of(lambda: drawn_mask(body, IMAGE, target, SegmentationConfig())) == rule


def test_regions_are_written_in_one_form() -> None:
    square = masks.from_polygons([[2, 2, 8, 2, 8, 8, 2, 8]], (10, 20))
    runs = masks.counts(square)
    split = Rle((10, 20), (*runs[:2], 0, 0, *runs[2:]))  # the same pixels, said in another way
    assert painted_region(CrowdBody(region=split), IMAGE, 4) == square
    assert painted_region(CrowdBody(none_left=True), IMAGE, 4) is None


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (CrowdBody(), "region"),
        (CrowdBody(region=Rle((10, 20), (200,)), none_left=True), "region"),
        (CrowdBody(region=Rle((20, 10), (200,))), "region-size"),
        (CrowdBody(region=Rle((10, 20), (199,))), "region-rle"),
        (CrowdBody(region=Rle((10, 20), (300, -100))), "region-rle"),
        (CrowdBody(region=Rle((10, 20), "\u00e4")), "region-rle"),
        (CrowdBody(region=Rle((10, 20), (200,))), "mask-small"),
    ],
)
def test_regions(body: CrowdBody, rule: str) -> None:
    assert rule_of(lambda: painted_region(body, IMAGE, 4)) == rule


def test_captions_are_composed_and_compared_by_their_words() -> None:
    text = "A cafe\u0301 with eight words in its sentence here."
    assert caption_text(CaptionBody(text=text), CaptionConfig()).startswith("A caf\u00e9 with")
    assert similar(caption_words("A dog, a CAT!"), caption_words("a cat a dog")) == 1
    assert similar(caption_words("one two"), caption_words("three")) == 0
    assert similar(frozenset(), frozenset()) == 1


def test_positions() -> None:
    assert rule_of(lambda: check_positions([], 0)) == ""
    assert rule_of(lambda: check_positions([3, 3], 4)) == "item-twice"
    assert rule_of(lambda: check_positions([4], 4)) == "item-unknown"


@given(st.sampled_from(sorted(BODIES)), st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_bytes_are_a_body_or_an_answer_error(stage: Any, body: bytes) -> None:
    assert rule_of(lambda: parse_body(stage, body)) in ("", "body-format")
