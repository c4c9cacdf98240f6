"""The five figures of Fig. 2.5: by hand, and on random datasets against a plain implementation."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image
from amidst.curation.references import REFERENCES
from amidst.curation.statistics import (
    SIZE_EDGES,
    StatisticsConfig,
    require_distinct_names,
    statistics,
    to_builtins,
)
from amidst.errors import DataError


def note(id: int, image: int, category: int, area: float, crowd: bool = False) -> Annotation:
    return Annotation(id, image, category, (0.0, 0.0, 1.0, 1.0), area, crowd)


HAND = CocoDataset(
    images=(Image(5, 100, 100, "a.jpg"), Image(0, 200, 50, "b.jpg"), Image(9, 10, 10, "c.jpg")),
    categories=(Category(1, "dog"), Category(0, "cat", "animal"), Category(7, "unused")),
    annotations=(
        note(1, 5, 1, 100.0),  # side share 0.1: its lower edge, so the bin from 10 %
        note(2, 5, 1, 25.0),  # 0.05
        note(3, 5, 0, 10_000.0),  # 1.0
        note(4, 0, 0, 1.0),  # 0.01
        note(5, 0, 0, 5_000.0, crowd=True),
        note(6, 0, 0, 0.0),  # no size
    ),
)


def test_an_empty_dataset_has_empty_figures() -> None:
    figures = statistics(CocoDataset(), "nothing")
    assert (figures.images, figures.instances, figures.categories) == (0, 0, ())
    assert figures.mean_categories_per_image is None
    assert figures.mean_instances_per_image is None
    assert figures.instances_per_category is None
    assert figures.single_category_share is None
    assert sum(figures.sizes) == 0
    assert json.loads(json.dumps(to_builtins(figures)))["instance_size"]["shares"] == []


def test_images_without_objects_count() -> None:
    figures = statistics(CocoDataset(images=(Image(1, 4, 4, "a"), Image(2, 4, 4, "b"))), "bare")
    assert figures.categories_per_image == (2,)
    assert figures.mean_instances_per_image == 0
    assert figures.single_category_share == 0
    assert figures.empty_images == 2


def test_by_hand() -> None:
    figures = statistics(HAND, "hand")
    assert [(c.name, c.instances, c.images) for c in figures.categories] == [
        ("cat", 4, 2),
        ("dog", 2, 1),
        ("unused", 0, 0),
    ]
    assert figures.categories_per_image == (1, 1, 1)
    assert figures.mean_categories_per_image == pytest.approx(1.0)
    assert figures.instances_per_image == (1, 0, 0, 2)
    assert figures.mean_instances_per_image == pytest.approx(2.0)
    assert figures.single_category_share == pytest.approx(1 / 3)
    assert figures.instances_per_category == pytest.approx(2.0)
    assert figures.sizes == (1, 1, 0, 1, 0, 0, 0, 1)
    assert figures.absolute_sizes == (3, 0, 1)
    assert (figures.crowds, figures.unsized, figures.empty_images) == (1, 1, 1)


def test_crowds_are_left_out_on_request() -> None:
    figures = statistics(HAND, "hand", StatisticsConfig(count_crowds=False))
    assert figures.instances == 5
    assert figures.crowds == 1
    assert figures.instances_per_image == (1, 0, 1, 1)


def test_size_as_a_share_of_the_area() -> None:
    figures = statistics(HAND, "hand", StatisticsConfig(size="area"))
    assert figures.sizes == (3, 0, 0, 0, 0, 0, 0, 1)  # 0.01, 0.0025, 1, 0.0001


def test_edges_are_those_of_the_specification() -> None:
    assert [round(100 * edge, 1) for edge in SIZE_EDGES] == [4.0, 6.3, 10.0, 15.8, 25.1, 39.8, 63.1, 100.0]


def test_reference_numbers_are_those_of_the_thesis() -> None:
    by_name = {reference.name: reference for reference in REFERENCES}
    coco = by_name["COCO"]
    assert (coco.categories, coco.categories_per_image, coco.instances_per_image) == (91, 3.5, 7.7)
    assert by_name["ImageNet"].instances_per_image == 3.0
    assert by_name["PASCAL VOC"].instances_per_image == 2.3
    assert by_name["SUN"].instances_per_image >= 17


def test_two_datasets_of_one_name_are_refused() -> None:
    require_distinct_names(["a", "b"])
    with pytest.raises(DataError, match="'a'"):
        require_distinct_names(["a", "b", "a"])


def random_dataset(seed: int) -> CocoDataset:
    draw = random.Random(seed)
    images = tuple(
        Image(id, draw.randint(1, 900), draw.randint(1, 900), f"{id}.jpg")
        for id in draw.sample(range(50), draw.randint(0, 12))
    )
    categories = tuple(Category(id, f"c{id}") for id in draw.sample(range(30), draw.randint(1, 8)))
    count = draw.randint(0, 60) if images else 0
    annotations = tuple(
        note(
            id,
            draw.choice(images).id,
            draw.choice(categories).id,
            draw.choice([0.0, 10 ** draw.uniform(0, 6)]),
            draw.random() < 0.1,
        )
        for id in range(count)
    )
    return CocoDataset(images, annotations, categories)


@pytest.mark.parametrize("seed", range(100))
def test_random_datasets_against_a_plain_implementation(seed: int) -> None:
    dataset = random_dataset(seed)
    figures = statistics(dataset, "random")
    kinds = [len({a.category_id for a in dataset.annotations_of(i.id)}) for i in dataset.images]
    objects = [len(dataset.annotations_of(i.id)) for i in dataset.images]
    assert list(figures.categories_per_image) == [kinds.count(n) for n in range(max(kinds, default=-1) + 1)]
    assert list(figures.instances_per_image) == [
        objects.count(n) for n in range(max(objects, default=-1) + 1)
    ]
    if objects:
        assert figures.mean_instances_per_image == pytest.approx(sum(objects) / len(objects))
        assert figures.mean_categories_per_image == pytest.approx(sum(kinds) / len(kinds))
    for c in figures.categories:
        of = [a for a in dataset.annotations if a.category_id == c.id]
        assert (c.instances, c.images) == (len(of), len({a.image_id for a in of}))
    bins = [0] * len(SIZE_EDGES)
    for a in dataset.annotations:
        image = dataset.image(a.image_id)
        if not a.iscrowd and a.area > 0:
            share = math.sqrt(a.area / (image.width * image.height))
            bins[min(sum(share >= edge for edge in SIZE_EDGES), len(SIZE_EDGES) - 1)] += 1
    assert list(figures.sizes) == bins
    assert sum(bins) + figures.unsized + figures.crowds == len(dataset.annotations)


def test_coco_mini(shared_data: Path) -> None:
    dataset = CocoDataset.load(shared_data / "coco_mini/annotations/instances_train2017_mini.json")
    figures = statistics(dataset, "coco_mini")
    assert (figures.images, figures.instances, figures.crowds) == (337, 2838, 28)
    assert len(figures.categories) == 80
