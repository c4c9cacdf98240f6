"""The tables are checked by count, and against each other."""

from __future__ import annotations

from collections import Counter

import pytest

from amidst.coco import ClassMap, CocoDataset
from amidst.coco.categories import (
    candidate_categories,
    icon_groups,
    pascal_categories,
    released_categories,
    scene_categories,
    selected_categories,
    supercategories,
)


def test_ninety_one_selected_eleven_omitted() -> None:
    assert [c.id for c in selected_categories()] == list(range(1, 92))
    assert len({c.name for c in selected_categories()}) == 91
    omitted = {c.name for c in selected_categories() if c.omitted}
    assert omitted == {
        "street sign", "hat", "shoe", "eye glasses", "plate", "mirror", "window", "desk", "door",
        "blender", "hair brush",
    }  # fmt: skip


def test_eighty_released() -> None:
    categories = released_categories()
    assert len(categories) == 80
    assert (categories[0].id, categories[-1].id) == (1, 90)
    assert ClassMap(categories).class_index(90) == 79
    assert ClassMap(categories).class_index(13) == 11  # stop sign, after the gap at 12


def test_released_are_those_of_the_files(shared_data: object) -> None:
    path = f"{shared_data}/coco_mini/annotations/instances_val2017_mini.json"
    dataset = CocoDataset.load(path)
    theirs = sorted((c.id, c.name, c.supercategory) for c in dataset.categories)
    assert theirs == [(c.id, c.name, c.supercategory) for c in released_categories()]


def test_twelve_supercategories_eleven_groups() -> None:
    assert len(supercategories()) == 12
    groups = icon_groups()
    assert len(groups) == 11
    assert sum(map(len, groups.values())) == 91
    assert {c.name for c in groups["person and accessory"]} >= {"person", "hat", "tie"}


def test_twenty_of_pascal() -> None:
    pascal = pascal_categories()
    assert len(pascal) == 20
    assert pascal["tvmonitor"].name == "tv"
    assert pascal["sofa"].id == 63


def test_candidates() -> None:
    candidates = candidate_categories()
    assert len(candidates) == 272
    assert [c.rank for c in candidates] == list(range(1, 273))
    selected = [c.category_id for c in candidates if c.category_id is not None]
    assert sorted(selected) == list(range(1, 92)), "each selected category is a candidate exactly once"
    twice = {name for name, number in Counter(c.name for c in candidates).items() if number > 1}
    assert {"towel", "bat"} <= twice


@pytest.mark.parametrize(("kind", "example"), [("indoor", "child's room"), ("outdoor", "gas station")])
def test_scenes(kind: str, example: str) -> None:
    scenes = scene_categories()
    assert set(scenes) == {"indoor", "outdoor"}
    assert len(scenes[kind]) == len(set(scenes[kind])) == 20
    assert example in scenes[kind]
