"""Splits: what is promised holds on random datasets, and placing agrees with a plain greedy on small ones."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image
from amidst.curation.splits import Splits, broken_promises, make_splits, split_table
from amidst.errors import DataError, UsageError

RATIOS = {"train": 0.5, "val": 0.25, "test": 0.25}


def dataset(objects: list[list[int]], first_id: int = 0) -> CocoDataset:
    """One image for each list of category ids; image ids from `first_id` on, annotation ids by image."""
    images = tuple(Image(first_id + i, 10, 10, f"{i}.jpg") for i in range(len(objects)))
    annotations = tuple(
        Annotation(1000 * image.id + k, image.id, category, (0, 0, 1, 1), 1.0)
        for image, categories in zip(images, objects, strict=True)
        for k, category in enumerate(categories)
    )
    return CocoDataset(images, annotations, tuple(Category(c, f"c{c}") for c in range(10)))


def big_dataset(count: int, seed: int) -> CocoDataset:
    """Categories from common to rare, objects in clusters as in photographs."""
    rng = np.random.default_rng(seed)
    odds = 0.6 / np.arange(1, 11)
    present = rng.random((count, 10)) < odds
    numbers = rng.geometric(0.3, (count, 10)) * present
    return dataset([np.repeat(np.arange(10), row).tolist() for row in numbers])


def test_no_images() -> None:
    splits = make_splits(CocoDataset(), RATIOS)
    assert splits.split_of == {}
    assert splits.image_ids("train") == ()
    assert broken_promises(CocoDataset(), splits, RATIOS) == []


def test_images_without_objects_are_placed_too() -> None:
    splits = make_splits(dataset([[]] * 100), RATIOS)
    assert [len(splits.image_ids(name)) for name in RATIOS] == [50, 25, 25]


def test_groups_and_pairs_stay_whole() -> None:
    splits = make_splits(
        dataset([[0]] * 12), RATIOS, together=[(0, 5), (5, 7)], group_of={7: "a", 9: "a", 3: "b"}
    )
    assert len({splits.split_of[i] for i in (0, 5, 7, 9)}) == 1
    assert {splits.component_of[i] for i in (0, 5, 7, 9)} == {0}
    assert splits.component_of[3] == 3


@pytest.mark.parametrize("seed", [0, 1])
def test_the_promise_of_balance(seed: int) -> None:
    """1,500 images in groups of up to 30: images within 1 %, categories of 200 objects within 3 points."""
    data = big_dataset(1500, seed)
    rng = np.random.default_rng(seed)
    groups = {i: int(g) for i, g in enumerate(np.minimum(rng.zipf(1.6, 1500), 900))}
    group_of = {i: (g, i // 30) for i, g in groups.items()}
    splits = make_splits(data, RATIOS, seed=seed, group_of=group_of)
    assert broken_promises(data, splits, RATIOS) == []
    homes = defaultdict(set)
    for image_id, key in group_of.items():
        homes[key].add(splits.split_of[image_id])
    assert all(len(home) == 1 for home in homes.values())


def test_a_category_in_few_images_is_shared_out() -> None:
    splits = make_splits(dataset([[0]] * 80 + [[0, 9]] * 8), RATIOS)
    table = split_table(dataset([[0]] * 80 + [[0, 9]] * 8), splits, list(RATIOS))
    assert [table[name]["c9"] for name in RATIOS] == [4, 2, 2]


def test_the_seed_decides_and_nothing_else() -> None:
    data = big_dataset(300, 0)
    assert make_splits(data, RATIOS, seed=3) == make_splits(data, RATIOS, seed=3)
    assert make_splits(data, RATIOS, seed=3) != make_splits(data, RATIOS, seed=4)
    shuffled = CocoDataset(data.images[::-1], data.annotations[::-1], data.categories)
    assert make_splits(shuffled, RATIOS, seed=3).split_of == make_splits(data, RATIOS, seed=3).split_of


@given(
    before=st.integers(0, 30),
    after=st.integers(0, 30),
    pairs=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 59)), max_size=25),
    seed=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_adding_images_moves_none(before: int, after: int, pairs: list[tuple[int, int]], seed: int) -> None:
    """Released images stay, components are whole, and only new images are withheld."""
    old, whole = dataset([[0]] * before), dataset([[0]] * (before + after))
    old_pairs = [(a, b) for a, b in pairs if max(a, b) < before]
    all_pairs = [(a, b) for a, b in pairs if max(a, b) < before + after]
    first = make_splits(old, RATIOS, seed=seed, together=old_pairs)
    second = make_splits(whole, RATIOS, seed=seed, together=all_pairs, released=first.split_of)
    assert first.split_of.items() <= second.split_of.items()
    assert second.split_of.keys() | set(second.withheld) == set(range(before + after))
    assert not second.split_of.keys() & set(second.withheld)
    assert all(image_id >= before for image_id in second.withheld)
    for a, b in all_pairs:
        if not {a, b} & set(second.withheld):
            assert second.split_of[a] == second.split_of[b]


def test_a_new_image_between_two_splits_is_withheld() -> None:
    released = {0: "train", 1: "val"}
    splits = make_splits(dataset([[0]] * 4), RATIOS, together=[(0, 2), (2, 1)], released=released)
    assert splits.withheld == (2,)
    assert splits.split_of.keys() == {0, 1, 3}


def test_a_release_that_leaks_is_refused() -> None:
    with pytest.raises(DataError, match=r"image 0: released in 'train', but .* image 1 in 'val' \[leak\]"):
        make_splits(dataset([[0]] * 2), RATIOS, together=[(0, 1)], released={0: "train", 1: "val"})


@pytest.mark.parametrize("ratios", [{}, {"a": 0.5}, {"a": 1.5, "b": -0.5}, {"a": 1.0, "b": 0.0}])
def test_impossible_ratios(ratios: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="ratios must"):
        make_splits(dataset([[0]]), ratios)


def test_unknown_images_and_splits() -> None:
    with pytest.raises(DataError, match=r"image 8: near-duplicates name 1 images .*\[unknown-image\]"):
        make_splits(dataset([[0]]), RATIOS, together=[(0, 8)])
    with pytest.raises(DataError, match=r"\[unknown-split\]"):
        make_splits(dataset([[0]]), RATIOS, released={0: "dev"})


def test_broken_promises_are_named() -> None:
    data = dataset([[0] * 250, [1]])
    splits = Splits({0: "train", 1: "val"}, {0: 0, 1: 1})
    found = broken_promises(data, splits, {"train": 0.5, "val": 0.5})
    assert found == ["train has 100.0% of c0, not 50.0%", "val has 0.0% of c0, not 50.0%"]


def test_the_cost_is_least_among_single_moves() -> None:
    """After placing, no component can move and lower the documented cost."""
    data = big_dataset(60, 5)
    splits = make_splits(data, RATIOS, group_of={i: i // 2 for i in range(60)})
    total = {c: sum(a.category_id == c for a in data.annotations) for c in range(10)}

    def cost(split_of: dict[int, str]) -> float:
        value = 0.0
        for name, ratio in RATIOS.items():
            share = sum(s == name for s in split_of.values()) / 60
            value += 30 * (share - ratio) ** 2 / ratio
            for c, whole in total.items():
                if whole:
                    here = sum(a.category_id == c and split_of[a.image_id] == name for a in data.annotations)
                    value += min(whole / 200, 1) * (here / whole - ratio) ** 2 / ratio
        return value

    least = cost(dict(splits.split_of))
    for component, name in itertools.product(range(0, 60, 6), RATIOS):
        moved = dict(splits.split_of) | {2 * (component // 2): name, 2 * (component // 2) + 1: name}
        assert cost(moved) >= least - 1e-12
