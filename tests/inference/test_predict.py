from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Category, Image
from amidst.coco.results import Results
from amidst.errors import ConfigError, ImageError, OutOfMemory, UsageError
from amidst.inference.predict import (
    Prediction,
    dataset_category_ids,
    dataset_sources,
    predict_dataset,
    predict_images,
    resize_rule,
    to_results,
)
from amidst.models.structures import Detections
from amidst.models.weights import ModelInfo
from amidst.ops.images import ImageBatch
from amidst.training.config import ResizeConfig


class Fixed(nn.Module):
    """Answers the same boxes, in pixels of the resized image, for every image; remembers its batches."""

    def __init__(self, boxes_xyxy: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.boxes = torch.tensor(boxes_xyxy, dtype=torch.float32).reshape(-1, 4)
        self.batches: list[tuple[tuple[int, int], ...]] = []
        self.modes: list[bool] = []

    def forward(self, images: ImageBatch) -> list[Detections]:
        self.batches.append(images.sizes_hw)
        self.modes.append(self.training)
        count = len(self.boxes)
        scores = torch.linspace(0.9, 0.1, count)
        return [Detections(self.boxes, scores, torch.arange(count) % 2) for _ in images.sizes_hw]


def dataset_of(paths: Sequence[Path], sizes_hw: Sequence[tuple[int, int]]) -> CocoDataset:
    images = [
        Image(id=10 * number, width=width, height=height, file_name=path.name)
        for number, (path, (height, width)) in enumerate(zip(paths, sizes_hw, strict=True))
    ]
    return CocoDataset(tuple(images), (), (Category(3, "dog"), Category(7, "cat")))


SIZES_HW = [(64, 96), (96, 64), (48, 80), (64, 96), (128, 128), (30, 200)]


def columns(predictions: list[Prediction]) -> list[tuple[Path, Tensor]]:
    return [(item.path, item.detections.boxes_xyxy) for item in predictions]


def test_boxes_come_back_in_original_pixels_and_clipped(info: ModelInfo, photographs: list[Path]) -> None:
    # 128 x 128 is shrunk to 64 x 64: pixels double. The second box leaves the image on all sides.
    model = Fixed([[1, 2, 10, 20], [-5, -5, 70, 70]])
    (prediction,) = predict_images(model, info, [photographs[4]])
    assert prediction.size_hw == (128, 128)
    assert prediction.detections.boxes_xyxy.tolist() == [[2, 4, 20, 40], [0, 0, 128, 128]]


def test_the_two_sides_have_their_own_scale(info: ModelInfo, photographs: list[Path]) -> None:
    # 30 x 200 becomes 14 x 96 (14.4 rounds down), so that y and x are scaled differently.
    (prediction,) = predict_images(Fixed([[0, 0, 96, 14]]), info, [photographs[5]])
    assert prediction.detections.boxes_xyxy[0].tolist() == pytest.approx([0, 0, 200, 30])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
def test_order_is_that_of_the_sources(
    info: ModelInfo, photographs: list[Path], batch_size: int, workers: int
) -> None:
    found = list(predict_images(Fixed([]), info, photographs, batch_size=batch_size, workers=workers))
    assert [item.path for item in found] == photographs
    assert [item.size_hw for item in found] == SIZES_HW


def test_a_batch_holds_images_of_one_padded_size(info: ModelInfo, photographs: list[Path]) -> None:
    model = Fixed([])
    list(predict_images(model, info, photographs, batch_size=4))
    padded = [{(-(-h // 32), -(-w // 32)) for h, w in batch} for batch in model.batches]
    assert all(len(sizes) == 1 for sizes in padded)
    assert sorted(len(batch) for batch in model.batches) == [1, 1, 1, 3]


def test_the_batch_size_does_not_change_a_result(
    network: nn.Module, info: ModelInfo, photographs: list[Path]
) -> None:
    alone = columns(list(predict_images(network, info, photographs)))
    together = columns(list(predict_images(network, info, photographs, batch_size=6)))
    assert any(len(boxes) for _, boxes in alone)
    for (path, boxes), (other, other_boxes) in zip(alone, together, strict=True):
        assert path == other
        torch.testing.assert_close(boxes, other_boxes, rtol=1e-3, atol=1e-2)


def test_no_source_and_no_detection(network: nn.Module, info: ModelInfo, photographs: list[Path]) -> None:
    assert list(predict_images(network, info, [])) == []
    (prediction,) = predict_images(Fixed([]), info, photographs[:1])
    assert prediction.detections.boxes_xyxy.shape == (0, 4)


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_broken_file_is_named_and_the_rest_goes_on(
    info: ModelInfo, photographs: list[Path], batch_size: int
) -> None:
    photographs[1].write_bytes(b"not an image")
    broken: list[Path] = []
    found = list(
        predict_images(
            Fixed([]), info, photographs, batch_size=batch_size, on_error=lambda path, _: broken.append(path)
        )
    )
    assert broken == [photographs[1]]
    assert [item.path for item in found] == [photographs[0], *photographs[2:]]


def test_without_a_listener_a_broken_file_is_an_error(info: ModelInfo, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="nowhere"):
        list(predict_images(Fixed([]), info, [tmp_path / "nowhere.jpg"]))


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_of_the_model_comes_back(info: ModelInfo, photographs: list[Path], training: bool) -> None:
    model = Fixed([]).train(training)
    predictions = predict_images(model, info, photographs)
    next(predictions)
    predictions.close()
    assert model.modes == [False]
    assert model.training is training


def test_a_network_can_learn_after_it_has_predicted(
    network: nn.Module, info: ModelInfo, photographs: list[Path]
) -> None:
    list(predict_images(network, info, photographs[:1]))
    assert not any(parameter.is_inference() for parameter in network.parameters())
    outputs = network.predict(torch.rand(1, 3, 64, 96))
    sum(level.sum() for level in (*outputs.class_logits, *outputs.anchors_xyxy)).backward()


def test_too_little_memory_says_what_to_lower(info: ModelInfo, photographs: list[Path]) -> None:
    class Greedy(Fixed):
        def forward(self, images: ImageBatch) -> list[Detections]:
            raise torch.OutOfMemoryError("no")

    with pytest.raises(OutOfMemory, match="lower the batch size"):
        list(predict_images(Greedy([]), info, photographs))


def test_resize_rule(info: ModelInfo) -> None:
    assert resize_rule(info) == ResizeConfig(short=64, long=96)
    assert resize_rule(dataclasses.replace(info, notes={})) == ResizeConfig()
    with pytest.raises(ConfigError, match="short and long"):
        resize_rule(dataclasses.replace(info, notes={"resize": 64}))
    for short in (0, "abc", None):
        with pytest.raises(ConfigError, match="short"):
            resize_rule(dataclasses.replace(info, notes={"resize": {"short": short, "long": 9}}))


def test_a_dataset_gives_coco_results(info: ModelInfo, photographs: list[Path]) -> None:
    dataset = dataset_of(photographs, SIZES_HW)
    done: list[tuple[int, int]] = []
    results = predict_dataset(
        Fixed([[0, 0, 8, 4], [8, 4, 16, 12]]),
        info,
        dataset,
        photographs[0].parent,
        progress=lambda number, total: done.append((number, total)),
    )
    results.check_against(dataset)
    assert sorted(set(results.image_ids.tolist())) == [0, 10, 20, 30, 40, 50]
    assert set(results.category_ids.tolist()) == {3, 7}
    assert results.boxes_xywh is not None
    of_square = results.boxes_xywh[results.image_ids == 40]
    assert of_square.tolist() == [[0, 0, 16, 8], [16, 8, 16, 16]]
    assert done == [(number, 6) for number in range(1, 7)]


def test_shards_together_are_the_whole(network: nn.Module, info: ModelInfo, photographs: list[Path]) -> None:
    dataset, folder = dataset_of(photographs, SIZES_HW), photographs[0].parent
    whole = predict_dataset(network, info, dataset, folder)
    parts = [predict_dataset(network, info, dataset, folder, shard=(rank, 4)) for rank in range(4)]

    def rows(results: Results) -> list[tuple[float, ...]]:
        assert results.boxes_xywh is not None
        return sorted(map(tuple, np.column_stack([results.image_ids, results.scores, results.boxes_xywh])))

    assert len(whole) > 0
    assert rows(Results.concatenate(parts)) == rows(whole)


def test_an_image_of_another_size_than_its_record(info: ModelInfo, photographs: list[Path]) -> None:
    dataset, folder = dataset_of(photographs[:1], [(10, 10)]), photographs[0].parent
    with pytest.raises(ImageError, match="its record says 10x10"):
        predict_dataset(Fixed([]), info, dataset, folder)
    broken: list[Path] = []
    done: list[tuple[int, int]] = []
    results = predict_dataset(
        Fixed([]),
        info,
        dataset,
        folder,
        on_error=lambda path, _: broken.append(path),
        progress=lambda number, total: done.append((number, total)),
    )
    assert (len(results), broken) == (0, photographs[:1])


def test_one_file_may_stand_for_two_images(info: ModelInfo, photographs: list[Path]) -> None:
    dataset = dataset_of([photographs[0], photographs[0]], [(64, 96), (64, 96)])
    results = predict_dataset(Fixed([[0, 0, 1, 1]]), info, dataset, photographs[0].parent)
    assert sorted(results.image_ids.tolist()) == [0, 10]


def test_a_dataset_without_images(info: ModelInfo, tmp_path: Path) -> None:
    assert len(predict_dataset(Fixed([]), info, CocoDataset(), tmp_path)) == 0
    assert dataset_sources(CocoDataset(), tmp_path) == []


@pytest.mark.parametrize(
    ("categories", "expected", "warned"),
    [
        ([(3, "dog"), (7, "cat")], [3, 7], False),
        ([(1, "cat"), (2, "dog")], [2, 1], False),  # by name
        ([(1, "Cat")], [3, 1], False),  # case aside; the other keeps its own id
        ([(3, "hound"), (7, "cat")], [3, 7], True),  # by id, with a word about it
        ([], [3, 7], False),
    ],
)
def test_classes_in_terms_of_a_dataset(
    info: ModelInfo,
    caplog: pytest.LogCaptureFixture,
    categories: list[tuple[int, str]],
    expected: list[int],
    warned: bool,
) -> None:
    dataset = CocoDataset((), (), tuple(Category(number, name) for number, name in categories))
    logging.getLogger("amidst").propagate = True
    with caplog.at_level(logging.WARNING):
        assert dataset_category_ids(info, dataset).tolist() == expected
    assert bool(caplog.records) is warned


def test_results_need_an_image_id(info: ModelInfo, photographs: list[Path]) -> None:
    (prediction,) = predict_images(Fixed([]), info, photographs[:1])
    with pytest.raises(UsageError, match="no image id"):
        to_results(prediction, np.array([3, 7]))
