"""Records are plain values; a segmentation may wait as text."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from amidst.coco import Annotation, Category, Image, Rle
from amidst.coco.records import parse_segmentation
from amidst.errors import DataError

POLYGON = ((1.0, 2.0, 3.0, 4.0, 5.0, 6.0),)


def stored(text: bytes) -> Annotation:
    return Annotation.from_json(0, 1, 2, (1, 2, 3, 4), 12.0, False, True, msgspec.Raw(text), {"note": 1})


def test_defaults() -> None:
    annotation = Annotation(0, 1, 2, (1, 2, 3, 4), 12.0)
    assert (annotation.iscrowd, annotation.ignore, annotation.segmentation, annotation.extra) == (
        False,
        False,
        None,
        {},
    )
    assert Image(0, 1, 2, "a").license is None
    assert Category(0, "a").supercategory == ""


@pytest.mark.parametrize(
    "record", [Image(0, 1, 2, "a"), Category(0, "a"), Annotation(0, 1, 2, (1, 2, 3, 4), 1.0)]
)
def test_frozen(record: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.id = 5
    with pytest.raises((AttributeError, TypeError)):
        record.colour = "red"


def test_stored_equals_made() -> None:
    made = Annotation(0, 1, 2, (1, 2, 3, 4), 12.0, ignore=True, segmentation=POLYGON, extra={"note": 1})
    assert stored(b"[[1, 2, 3, 4, 5, 6]]") == made
    assert repr(stored(b"[[1, 2, 3, 4, 5, 6]]")) == repr(made)
    assert made.segmentation_json == POLYGON


def test_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="colour"):
        stored(b"[]").colour  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"null", None),
        (b"[]", ()),
        (b"[[1, 2, 3, 4, 5, 6]]", POLYGON),
        (b'{"size": [2, 3], "counts": [1, 5]}', Rle((2, 3), (1, 5))),
        (b'{"counts": "15", "size": [2, 3]}', Rle((2, 3), "15")),
    ],
)
def test_segmentations(text: bytes, value: object) -> None:
    assert parse_segmentation(text, 0) == value


@pytest.mark.parametrize(
    "text", [b"3", b'"x"', b"[1, 2]", b'[["a"]]', b'{"size": [2, 3]}', b'{"size": [2], "counts": ""}']
)
def test_bad_segmentation(text: bytes) -> None:
    with pytest.raises(DataError, match="annotation 0"):
        _ = stored(text).segmentation
