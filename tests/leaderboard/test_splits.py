"""amidst.leaderboard.splits: whole, seeded, in proportion."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from amidst.coco import CocoDataset, Image
from amidst.errors import UsageError
from amidst.leaderboard.splits import divide

PICTURES = tuple(Image(id, 8, 8, f"{id}.jpg") for id in range(10))


def test_images_without_objects_are_divided_too() -> None:
    parts = divide(CocoDataset(PICTURES, (), ()), [0.3, 0.7], 1)
    assert [len(part) for part in parts] == [3, 7]
    assert sorted(parts[0] + parts[1]) == list(range(10))


def test_shares_that_do_not_fit() -> None:
    for shares in ([], [0.5], [0.5, 0.6], [1.5, -0.5], [0.5, 0.25, 0.25]):
        with pytest.raises(UsageError):
            divide(CocoDataset(PICTURES[:2], (), ()), shares, 1)


def test_each_category_is_divided_in_proportion(shared_data: Path) -> None:
    dataset = CocoDataset.load(shared_data / "coco_mini" / "annotations" / "instances_val2017_mini.json")
    parts = divide(dataset, [0.5, 0.5], 4)
    assert sorted(parts[0] + parts[1]) == sorted(image.id for image in dataset.images)
    assert abs(len(parts[0]) - len(parts[1])) <= 4
    images = [
        Counter(c for i in part for c in {a.category_id for a in dataset.annotations_of(i)}) for part in parts
    ]
    for category in dataset.categories:
        in_all = images[0][category.id] + images[1][category.id]
        assert abs(images[0][category.id] - in_all / 2) <= max(2, 0.12 * in_all), category.name
    assert divide(dataset, [0.5, 0.5], 4) == parts
    assert divide(dataset, [0.5, 0.5], 5) != parts
