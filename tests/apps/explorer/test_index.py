"""Filters over annotations and detections, by hand and against a plain loop."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from amidst.apps.explorer.index import SIZES, Filter, Index, Split
from amidst.coco import CocoDataset
from amidst.errors import DataError


def test_no_splits_and_empty_splits() -> None:
    for index in (Index([]), Index([Split("none", CocoDataset())])):
        assert index.images == ()
        assert index.find(Filter(categories=("dog",))).tolist() == []
        assert index.sample(Filter(), 5).tolist() == []


def test_two_splits_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="same name"):
        Index([Split("a", CocoDataset()), Split("a", CocoDataset())])


def test_categories_are_joined_by_name(index: Index) -> None:
    assert index.names == ("dog", "bus", "<b>cat</b>")
    assert index.counts("truth").tolist() == [3, 2, 1]
    assert index.counts("found").tolist() == [2, 2, 0]
    assert index.find(Filter(categories=("bus",))).tolist() == [0, 3]


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (Filter(), [0, 1, 2, 3, 4]),
        (Filter(empty=True), [2]),
        (Filter(crowd="only"), [0]),
        (Filter(crowd="none"), [0, 1, 3, 4]),
        (Filter(size="small"), [0, 3, 4]),
        (Filter(size="large"), [1]),
        (Filter(split="val"), [3, 4]),
        (Filter(split="nowhere"), []),
        (Filter(categories=("unknown",)), []),
        (Filter(categories=("dog", "bus"), size="small"), [0, 3]),
        (Filter(categories=("bus",), crowd="only"), []),  # one mark has to meet both
        (Filter(text="EMPTY"), [2]),
        (Filter(text="50"), [3]),
        (Filter(order="objects"), [0, 1, 3, 4, 2]),
        (Filter(source="found", scores=(0.7, 1.0)), [0]),
        (Filter(source="found", scores=(0.0, 0.65)), [0, 1]),
        (Filter(source="found", scores=(0.7, 1.0), categories=("bus",)), [0]),
        (Filter(source="found", empty=True), [2, 3, 4]),
        (Filter(outcome="wrong"), []),  # every object of the split with results has a detection
        (Filter(outcome="wrong", least=0.3), [0]),
        (Filter(outcome="right", least=0.3), [0, 1]),
        (Filter(outcome="right", least=0.3, categories=("bus",)), []),
        (Filter(source="found", outcome="wrong"), [0]),
        (Filter(source="found", outcome="right"), [0, 1]),
        (Filter(source="found", outcome="wrong", scores=(0.85, 1.0)), []),
    ],
)
def test_filters_by_hand(index: Index, wanted: Filter, rows: list[int]) -> None:
    assert index.find(wanted).tolist() == rows


def test_every_combination_against_a_plain_loop(index: Index) -> None:
    choices = itertools.product(
        (None, *SIZES), ("any", "only", "none"), ((), ("dog",), ("dog", "bus")), ("", "a")
    )
    for size, crowd, categories, text in choices:
        expected = []
        for row, image in enumerate(index.images):
            dataset = index.split(row).dataset
            names = {c.id: c.name for c in dataset.categories}
            fitting = [
                a
                for a in dataset.annotations_of(image.id)
                if (not categories or names[a.category_id] in categories)
                and (size is None or SIZES[size][0] <= a.area < SIZES[size][1])
                and (crowd == "any" or a.iscrowd == (crowd == "only"))
            ]
            asked = bool(size or categories or crowd != "any")
            if (fitting or not asked) and text in image.file_name:
                expected.append(row)
        wanted = Filter(size=size, crowd=crowd, categories=categories, text=text)  # type: ignore[arg-type]
        assert index.find(wanted).tolist() == expected


def test_random_order_is_that_of_its_seed(index: Index) -> None:
    orders = {tuple(index.find(Filter(order="random", seed=seed)).tolist()) for seed in range(20)}
    assert len(orders) > 5
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    again = [index.find(Filter(order="random", seed=3)).tolist() for _ in range(2)]
    assert again[0] == again[1]


def test_a_sample_holds_one_instance_of_an_image(index: Index) -> None:
    for seed in range(30):
        marks = index.sample(Filter(seed=seed), 10)
        assert sorted(index.truth.row[marks].tolist()) == [0, 1, 3, 4]
    chosen = {int(m) for seed in range(60) for m in index.sample(Filter(seed=seed, split="train"), 10)}
    assert chosen == {0, 1, 2, 3}  # every annotation gets its turn
    assert len(index.sample(Filter(), 2)) == 2


def test_detections_by_descending_score(index: Index) -> None:
    assert index.detections_of(0) == [0, 1, 2]
    assert index.detections_of(1) == [3]
    assert index.detections_of(4) == []
    assert np.array_equal(index.boxes(0)[3], [0, 0, 80, 120])
    assert index.boxes(4).shape == (0, 4)
