"""Who took a photograph and when: what the photographer rules of collection and splits go by.

A day or time comes as ISO 8601 ("2014-05-01", "2014-05-01T12:30:00+02:00", "2013-11-14 17:02:52") or as
cameras write it ("2014:05:01 12:30:00"). A time without zone counts as UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from amidst.coco.records import Image
from amidst.errors import DataError

_CAMERA = re.compile(r"^(\d{4}):(\d{2}):(\d{2})")
_FIRST_PHOTOGRAPH = 1826


def parse_time(text: str, *, record: str | None = None) -> datetime:
    """The moment a text names, in UTC. Raises DataError (rule date) for anything else."""
    try:
        moment = datetime.fromisoformat(_CAMERA.sub(r"\1-\2-\3", text.strip()))
    except ValueError:
        raise DataError(f"{text!r} is not a date or time", record=record, rule="date") from None
    if moment.year < _FIRST_PHOTOGRAPH:
        raise DataError(f"{text!r} lies before the first photograph", record=record, rule="date")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def photographer_days(
    images: Sequence[Image], *, photographer: str = "photographer", date: str = "date_captured"
) -> tuple[dict[int, tuple[str, str]], tuple[int, ...]]:
    """Image id -> (photographer, day), for images whose record has both fields; ids of the others.

    The day is the one written in the record, in the photographer's own time. Undated images of one
    photographer are kept together under the day "". Raises DataError naming the image for what is no date.
    """
    groups: dict[int, tuple[str, str]] = {}
    unknown = []
    for image in images:
        name = _text(image.extra, photographer)
        if not name:
            unknown.append(image.id)
            continue
        day = _text(image.extra, date)
        if day:
            parse_time(day, record=f"image {image.id}")
            day = _CAMERA.sub(r"\1-\2-\3", day)[:10]
        groups[image.id] = (name, day)
    return groups, tuple(unknown)


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else str(value).strip()
