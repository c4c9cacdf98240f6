"""Category ids against class indices."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

from amidst.coco import Category, ClassMap
from amidst.errors import DataError

CATEGORIES = [Category(18, "dog", "animal"), Category(0, "ant"), Category(90, "brush", "indoor")]


def test_empty() -> None:
    classes = ClassMap([])
    assert (classes.num_classes, classes.names, classes.to_builtins()) == (0, (), [])
    assert classes.category_id_of([]).tolist() == []


def test_sorted_by_id() -> None:
    classes = ClassMap(CATEGORIES)
    assert classes.names == ("ant", "dog", "brush")
    assert classes.category_ids == (0, 18, 90)
    assert [classes.class_index(i) for i in (0, 18, 90)] == [0, 1, 2]
    assert [classes.category_id(k) for k in range(3)] == [0, 18, 90]
    assert classes.category_id_of(np.array([[2, 0]])).tolist() == [[90, 0]]
    assert len(classes) == 3


def test_round_trip() -> None:
    classes = ClassMap(CATEGORIES)
    again = ClassMap.from_builtins(json.loads(json.dumps(classes.to_builtins())))
    assert again == classes
    assert hash(again) == hash(classes)
    assert pickle.loads(pickle.dumps(classes)) == classes
    assert again.categories[1].supercategory == "animal"


def test_equality() -> None:
    assert ClassMap(CATEGORIES) == ClassMap(CATEGORIES[::-1])
    assert ClassMap(CATEGORIES) != ClassMap(CATEGORIES[:2])
    assert ClassMap(CATEGORIES) != "classes"


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.class_index(5),
        lambda c: c.category_id(3),
        lambda c: c.category_id(-1),
        lambda c: c.category_id_of([3]),
        lambda c: c.category_id_of([-1]),
    ],
)
def test_unknown(ask: Any) -> None:
    with pytest.raises(DataError, match=r"5|3|-1"):
        ask(ClassMap(CATEGORIES))


def test_repeated_id() -> None:
    with pytest.raises(DataError, match="18"):
        ClassMap([Category(18, "a"), Category(18, "b")])


@pytest.mark.parametrize("records", [[{}], [{"id": 1}], [3], [{"id": "x", "name": "a"}]])
def test_malformed(records: Any) -> None:
    with pytest.raises(DataError, match="id and name"):
        ClassMap.from_builtins(records)
