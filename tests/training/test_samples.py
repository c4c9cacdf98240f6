from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from amidst.coco import masks
from amidst.coco.classes import ClassMap
from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import Proposals
from amidst.coco.records import Annotation, Category, Image
from amidst.coco.results import Results
from amidst.errors import DataError, ImageError, UsageError
from amidst.training.samples import Samples


def dataset_of(*boxes: tuple[Any, ...], crowd: bool = False, ignore: bool = False) -> CocoDataset:
    annotations = tuple(
        Annotation(i, 0, 1, box, box[2] * box[3], iscrowd=crowd, ignore=ignore) for i, box in enumerate(boxes)
    )
    return CocoDataset((Image(0, 20, 10, "a.png"),), annotations, (Category(1, "thing"),))


def test_no_images_are_a_usage_error(tmp_path: Path) -> None:
    dataset = CocoDataset(categories=(Category(1, "thing"),))
    with pytest.raises(UsageError, match="no images"):
        Samples(dataset, tmp_path, dataset.class_map())


@pytest.mark.parametrize(
    "dataset",
    [
        dataset_of(),
        dataset_of((1, 1, 5, 5), crowd=True),
        dataset_of((1, 1, 5, 5), ignore=True),
        dataset_of((1, 1, 1, 5)),
        dataset_of((19, 1, 5, 5)),
        dataset_of((30, 1, 5, 5)),
    ],
    ids=["none", "crowd", "ignore", "one pixel wide", "one pixel left inside", "outside"],
)
def test_an_image_may_have_no_usable_objects(dataset: CocoDataset, tmp_path: Path) -> None:
    samples = Samples(dataset, tmp_path, dataset.class_map())
    boxes, classes = samples.objects(0)
    assert boxes.shape == (0, 4)
    assert boxes.dtype == torch.float32
    assert classes.shape == (0,)
    assert classes.dtype == torch.int64
    assert samples.num_objects == 0


def test_boxes_become_corners_clipped_to_the_image(tmp_path: Path) -> None:
    dataset = dataset_of((-3, 2, 8, 4), (15.5, 7, 10, 10))
    boxes, _ = Samples(dataset, tmp_path, dataset.class_map()).objects(0)
    assert boxes.tolist() == [[0, 2, 5, 6], [15.5, 7, 20, 10]]


def test_a_sample_knows_image_and_classes(make_scene: Any, tmp_path: Path) -> None:
    dataset = make_scene(3)
    samples = Samples(dataset, tmp_path / "images", dataset.class_map())
    assert len(samples) == 3
    for index, image in enumerate(dataset.images):
        sample = samples[index]
        assert sample.image_id == image.id
        assert sample.image.shape == (3, image.height, image.width)
        pixels = np.asarray(PillowImage.open(tmp_path / "images" / image.file_name))
        assert np.array_equal(sample.image.permute(1, 2, 0).numpy(), pixels)
        expected = [dataset.class_map().class_index(a.category_id) for a in dataset.annotations_of(image.id)]
        assert sample.class_index.tolist() == expected


def test_a_category_that_the_class_map_lacks(make_scene: Any, tmp_path: Path) -> None:
    dataset = make_scene(1)
    with pytest.raises(DataError, match="category id 10"):
        Samples(dataset, tmp_path, CocoDataset(categories=(Category(1, "thing"),)).class_map())


def test_an_image_of_another_size_than_on_record(tmp_path: Path) -> None:
    PillowImage.new("RGB", (21, 10)).save(tmp_path / "a.png")
    dataset = dataset_of()
    with pytest.raises(ImageError, match=r"a\.png"):
        Samples(dataset, tmp_path, dataset.class_map())[0]


def test_samples_travel_to_other_processes(make_scene: Any, tmp_path: Path) -> None:
    dataset = make_scene(3)
    samples = Samples(dataset, tmp_path / "images", dataset.class_map())
    copy = pickle.loads(pickle.dumps(samples))
    assert copy.pictures.path(2) == samples.pictures.path(2)
    assert torch.equal(copy[2].image, samples[2].image)
    assert torch.equal(copy[2].boxes_xyxy, samples[2].boxes_xyxy)


def masked(*segmentations: Any, crowd: bool = False) -> CocoDataset:
    annotations = tuple(
        Annotation(i, 0, 1, (2, 2, 6, 6), 36.0, iscrowd=crowd, segmentation=shape)
        for i, shape in enumerate(segmentations)
    )
    return CocoDataset((Image(0, 20, 10, "a.png"),), annotations, (Category(1, "thing"),))


SQUARE = ((2.0, 2.0, 8.0, 2.0, 8.0, 8.0, 2.0, 8.0),)


def test_masks_stand_in_the_order_of_the_boxes(tmp_path: Path) -> None:
    whole = masks.encode(np.ones((1, 10, 20), np.uint8))[0]
    dataset = masked(SQUARE, whole)
    samples = Samples(dataset, tmp_path, dataset.class_map(), with_masks=True)
    first, second = samples.rles(0)
    assert masks.area([first, second]).tolist() == [36, 200]
    assert first.size == second.size == (10, 20)


def test_without_masks_none_are_kept(tmp_path: Path) -> None:
    dataset = masked(SQUARE)
    sample = Samples(dataset, tmp_path, dataset.class_map()).sample(0, torch.zeros(3, 10, 20))
    assert sample.rles is None
    assert sample.proposals_xyxy is None


def test_objects_without_a_mask_are_counted_and_refused(tmp_path: Path) -> None:
    dataset = masked(SQUARE, None, None)
    with pytest.raises(DataError, match="2 of 3 annotations have no mask") as caught:
        Samples(dataset, tmp_path, dataset.class_map(), with_masks=True)
    assert caught.value.record == "annotation 1"


def test_a_crowd_needs_no_mask(tmp_path: Path) -> None:
    dataset = masked(None, crowd=True)
    assert Samples(dataset, tmp_path, dataset.class_map(), with_masks=True).rles(0) == ()


def test_proposals_come_with_their_image(tmp_path: Path) -> None:
    dataset = dataset_of((1, 1, 5, 5))
    found = Results(
        image_ids=np.array([0, 0]),
        category_ids=np.array([1, 1]),
        scores=np.array([0.2, 0.7]),
        boxes_xywh=np.array([[0.0, 0, 4, 4], [5, 5, 3, 3]]),
    )
    proposals = Proposals.from_results(found, dataset)
    samples = Samples(dataset, tmp_path, dataset.class_map(), proposals=proposals)
    sample = samples.sample(0, torch.zeros(3, 10, 20))
    assert sample.proposals_xyxy is not None
    assert sample.proposals_xyxy.tolist() == [[5, 5, 8, 8], [0, 0, 4, 4]]


def test_all_objects_are_one_class_for_proposals(tmp_path: Path) -> None:
    categories = (Category(4, "cat"), Category(9, "dog"))
    annotations = tuple(Annotation(i, 0, c.id, (1, 1, 5, 5), 25.0) for i, c in enumerate(categories))
    dataset = CocoDataset((Image(0, 20, 10, "a.png"),), annotations, categories)
    classes = ClassMap.agnostic(categories)
    _, index = Samples(dataset, tmp_path, classes).objects(0)
    assert index.tolist() == [0, 0]
    assert classes.num_classes == 1
    assert classes.to_builtins() == [{"id": 1, "name": "object", "supercategory": ""}]


@pytest.mark.parametrize(
    ("box", "kept"),
    [((0, 0, 4, 4), True), ((6, 1, 6, 6), False), ((6, 1, 8, 6), False), ((6, 1, 9, 6), True)],
    ids=["elsewhere", "inside", "three quarters inside", "two thirds inside"],
)
def test_proposals_in_a_crowd_are_not_learnt_from(
    tmp_path: Path, box: tuple[int, int, int, int], kept: bool
) -> None:
    dataset = dataset_of((6, 0, 6, 10), crowd=True)
    found = Results(
        image_ids=np.array([0]),
        category_ids=np.array([1]),
        scores=np.array([0.5]),
        boxes_xywh=np.array([box], dtype=np.float64),
    )
    proposals = Proposals.from_results(found, dataset)
    samples = Samples(dataset, tmp_path, dataset.class_map(), proposals=proposals)
    sample = samples.sample(0, torch.zeros(3, 10, 20))
    assert sample.proposals_xyxy is not None
    assert len(sample.proposals_xyxy) == kept
