"""amidst.leaderboard.similarity: sketches estimate the share of equal records."""

from __future__ import annotations

from amidst.leaderboard.records import Record
from amidst.leaderboard.similarity import SIZE, Sketch, similarity


def sketch(records: list[Record], step: int = 100) -> list[int]:
    made = Sketch()
    for _ in made.watch((begin, records[begin : begin + step]) for begin in range(0, len(records), step)):
        pass
    return made.values


def boxes(begin: int, end: int, score: float = 0.5) -> list[Record]:
    return [
        Record(image_id=i, score=score, category_id=1, bbox=(float(i), 2.0, 3.0, 4.0))
        for i in range(begin, end)
    ]


def test_nothing_is_the_same_as_nothing() -> None:
    assert sketch([]) == []
    assert similarity([], []) == 1.0
    assert similarity(sketch(boxes(0, 5)), []) == 0.0


def test_few_records_are_compared_exactly() -> None:
    assert similarity(sketch(boxes(0, 10)), sketch(boxes(5, 15))) == 5 / 15


def test_scores_order_and_pieces_do_not_matter() -> None:
    assert sketch(boxes(0, 3000)) == sketch(boxes(0, 3000, 0.9)[::-1], step=7)
    assert len(sketch(boxes(0, 3000))) == SIZE


def test_many_records_are_estimated() -> None:
    for shared in (9000, 9900, 5000):
        found = similarity(sketch(boxes(0, 10_000)), sketch(boxes(10_000 - shared, 20_000 - shared)))
        assert abs(found - shared / (20_000 - shared)) < 0.12
