"""What the stages are like, in numbers: training, drawing, spotting and captions (spec 6.4, 6.5 and 6.8).

Voided answers are left out. Of answers and captions the latest `MOST` are looked at.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import Connection, Integer, case, cast, func, select

from amidst.crowd.bodies import Client, Wire
from amidst.crowd.caption_metrics import near_duplicates
from amidst.crowd.context import read_campaign
from amidst.crowd.schema import answer, qualification, training_attempt
from amidst.crowd.schema_chain import caption, instance, point, segmentation
from amidst.crowd.spotting_metrics import agreement, new_points, read_spotted
from amidst.crowd.validation import caption_words

MOST = 20_000
AREAS = (("small", 32.0**2), ("medium", 96.0**2), ("large", float("inf")))  # COCO's, upper ends


class DrawingMetrics(Wire, frozen=True):
    """Masks of one size: how many, and means of active seconds and vertices."""

    size: str
    masks: int
    seconds: float
    vertices: float


class StageMetrics(Wire, frozen=True):
    """None where nothing is known yet.

    training_passed: share of the tried gates that are open. attempts_passed: share of the drawings in
    training that fit. first_pass: share of the instances with a decided mask whose first one was accepted.
    assisted: share of masks drawn with suggestions. points: mean of a spotter. agreement, new_points: as
    `spotting_metrics` has them, the latter of the first, second, ... worker. captions, caption_words,
    vocabulary, duplicates: sentences, mean words, different words, share that repeats an earlier sentence.
    near_duplicates: share that does so with words nearly the same, by the campaign's `captions.similarity`.
    """

    training_passed: float | None
    attempts_passed: float | None
    first_pass: float | None
    assisted: float | None
    drawing: tuple[DrawingMetrics, ...]
    points: float | None
    agreement: float | None
    new_points: tuple[float, ...]
    captions: int
    caption_words: float | None
    vocabulary: int
    duplicates: float | None
    near_duplicates: float | None


def stage_metrics(connection: Connection) -> StageMetrics:
    """Reads everything in one transaction. Counts whole tables: not for a hot path."""
    tried = select(training_attempt.c.worker_id, training_attempt.c.category_id).distinct().subquery()
    gates = connection.scalar(select(func.count()).select_from(tried)) or 0
    opened = connection.scalar(select(func.count()).where(qualification.c.state == "passed")) or 0
    fits = connection.execute(
        select(func.count(), func.sum(cast(training_attempt.c.passed, Integer)))
        .join(answer, answer.c.id == training_attempt.c.answer_id)
        .where(answer.c.voided_by.is_(None))
    ).one()
    drawn = _drawn(connection)
    spotted = read_spotted(connection)
    texts = [row[0] for row in connection.execute(_CAPTIONS)][::-1]
    words = [text.casefold().split() for text in texts]
    spots = connection.execute(_SPOTS).one()
    least = read_campaign(connection).config.captions.similarity
    nearly = near_duplicates([caption_words(text) for text in texts], least)
    return StageMetrics(
        training_passed=_share(opened, gates),
        attempts_passed=_share(int(fits[1] or 0), fits[0]),
        first_pass=_first_pass(connection),
        assisted=_share(sum(one[3] for one in drawn), len(drawn)),
        drawing=_by_size(drawn),
        points=_share(spots[1], spots[0]),
        agreement=agreement(spotted),
        new_points=new_points(spotted),
        captions=len(texts),
        caption_words=_share(sum(map(len, words)), len(words)),
        vocabulary=len({word.strip(".,;:!?") for line in words for word in line}),
        duplicates=_share(len(words) - len(Counter(map(tuple, words))), len(words)),
        near_duplicates=_share(nearly, len(texts)),
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _first_pass(connection: Connection) -> float | None:
    decided = segmentation.c.state.in_(("accepted", "discarded"))
    first = (
        select(func.min(segmentation.c.id))
        .join(instance, instance.c.id == segmentation.c.instance_id)
        .where(decided)
        .group_by(segmentation.c.instance_id)
    )
    row = connection.execute(
        select(func.count(), func.sum(case((segmentation.c.state == "accepted", 1), else_=0))).where(
            segmentation.c.id.in_(first)
        )
    ).one()
    return _share(int(row[1] or 0), row[0])


def _drawn(connection: Connection) -> list[tuple[int, int, int, bool]]:
    """Area, milliseconds, vertices and help of the latest masks."""
    rows = connection.execute(
        select(segmentation.c.area, answer.c.ms_active, segmentation.c.parts_json, answer.c.client_json)
        .join(answer, answer.c.id == segmentation.c.answer_id)
        .where(answer.c.voided_by.is_(None))
        .order_by(segmentation.c.id.desc())
        .limit(MOST)
    )
    return [(row[0], row[1], _vertices(row[2]), _helped(row[3])) for row in rows]


def _vertices(parts_json: str) -> int:
    parts: list[dict[str, Any]] = msgspec.json.decode(parts_json)
    return sum(len(part["points"]) for part in parts)


def _helped(client_json: str) -> bool:
    return bool(msgspec.json.decode(client_json, type=Client).assist_used)


def _by_size(drawn: list[tuple[int, int, int, bool]]) -> tuple[DrawingMetrics, ...]:
    found, low = [], 0.0
    for size, high in AREAS:
        own = [one for one in drawn if low <= one[0] < high]
        if own:
            seconds = sum(one[1] for one in own) / 1000 / len(own)
            vertices = sum(one[2] for one in own) / len(own)
            found.append(DrawingMetrics(size=size, masks=len(own), seconds=seconds, vertices=vertices))
        low = high
    return tuple(found)


_CAPTIONS = (
    select(caption.c.text)
    .join(answer, answer.c.id == caption.c.answer_id)
    .where(answer.c.voided_by.is_(None))
    .order_by(caption.c.id.desc())
    .limit(MOST)
)
_SPOTTED = (answer.c.stage == "spotting") & (answer.c.status == "accepted") & answer.c.voided_by.is_(None)
_SPOTS = select(
    select(func.count()).select_from(answer).where(_SPOTTED).scalar_subquery(),
    select(func.count())
    .select_from(point.join(answer, answer.c.id == point.c.answer_id))
    .where(_SPOTTED)
    .scalar_subquery(),
)
