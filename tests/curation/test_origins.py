"""Photographer and day of a record."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from amidst.coco.records import Image
from amidst.curation.origins import parse_time, photographer_days
from amidst.errors import DataError


def image(image_id: int, **extra: object) -> Image:
    return Image(image_id, 10, 10, f"{image_id}.jpg", extra=extra)


def test_no_images() -> None:
    assert photographer_days([]) == ({}, ())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2014-05-01", datetime(2014, 5, 1, tzinfo=UTC)),
        ("2013-11-14 17:02:52", datetime(2013, 11, 14, 17, 2, 52, tzinfo=UTC)),
        ("2014:05:01 12:30:00", datetime(2014, 5, 1, 12, 30, tzinfo=UTC)),
        ("2014-05-01T01:30:00+02:00", datetime(2014, 4, 30, 23, 30, tzinfo=UTC)),
        ("2014-05-01T01:30:00Z", datetime(2014, 5, 1, 1, 30, tzinfo=UTC)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2014-13-01", "0000:00:00 00:00:00", "1066-10-14"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(DataError, match=r"image 4: .*\[date\]"):
        parse_time(text, record="image 4")


def test_groups() -> None:
    groups, unknown = photographer_days(
        [
            image(1, photographer="ann", date_captured="2014:05:01 08:00:00"),
            image(2, photographer="ann", date_captured="2014-05-01T23:59:00-10:00"),
            image(3, photographer="ann"),
            image(4, photographer=7, date_captured="2014-05-02"),
            image(5, date_captured="2014-05-02"),
            image(6, photographer=" "),
        ]
    )
    assert groups == {
        1: ("ann", "2014-05-01"),
        2: ("ann", "2014-05-01"),
        3: ("ann", ""),
        4: ("7", "2014-05-02"),
    }
    assert unknown == (5, 6)


def test_a_date_that_is_none_names_the_image() -> None:
    with pytest.raises(DataError, match="image 9: 'soon' is not a date"):
        photographer_days([image(9, photographer="ann", date_captured="soon")])
