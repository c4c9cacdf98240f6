"""Logits of the truth over a dataset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from amidst.coco import Annotation, Category, CocoDataset, Image
from amidst.errors import UsageError
from amidst.models.config import BackboneConfig, FPNConfig, HeadConfig, RetinaNetConfig
from amidst.models.retinanet import RetinaNet
from amidst.models.retinanet_loss import assign
from amidst.models.structures import DenseOutputs, Target
from amidst.ops.anchors import grid_anchors
from amidst.ops.loss_distribution import bin_centres, count_logits
from amidst.ops.matching import BACKGROUND, IGNORED
from amidst.training.config import ResizeConfig
from amidst.training.truth_logits import count_truth, truth_logits

K = 3
RESIZE = ResizeConfig(short=64, long=64)


@pytest.fixture(scope="module")
def model() -> RetinaNet:
    torch.manual_seed(0)
    config = RetinaNetConfig(
        num_classes=K,
        backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
        fpn=FPNConfig(channels=16, max_level=5),
        head=HeadConfig(convs=1, channels=16, norm="group", prior=0.1),
    )
    return RetinaNet(config).eval()


def test_every_pair_of_anchor_and_class_once(model: RetinaNet) -> None:
    torch.manual_seed(1)
    anchors = grid_anchors(((8, 8), (4, 4), (2, 2)), (8, 16, 32), 4.0, 3, (0.5, 1.0, 2.0))
    logits = tuple(torch.randn(1, len(a), K) * 3 for a in anchors)
    outputs = DenseOutputs(logits, tuple(torch.zeros(1, len(a), 4) for a in anchors), tuple(anchors))
    target = Target(torch.tensor([[10.0, 10.0, 50.0, 46.0]]), torch.tensor([2]))
    index = assign(torch.cat(anchors), [target], model.config.match).class_index[0]
    assert {BACKGROUND, IGNORED, 2} <= set(index.tolist())
    flat = torch.cat(logits, 1)[0]
    negatives = []
    for anchor, wanted in enumerate(index.tolist()):  # the definition, pair by pair
        if wanted != IGNORED:
            negatives += [-flat[anchor, k] for k in range(K) if k != wanted]
    found = count_truth(outputs, target, model)
    assert torch.equal(found[0], count_logits(flat[index == 2, 2]))
    assert torch.equal(found[1], count_logits(torch.stack(negatives)))


def dataset(folder: Path, *, objects: bool) -> CocoDataset:
    for number in (1, 2):
        pixels = np.full((64, 64, 3), 90, np.uint8)
        PillowImage.fromarray(pixels).save(folder / f"{number}.png")
    annotations = (
        Annotation(1, 1, 7, (8, 8, 32, 32), 1024),
        Annotation(2, 2, 9, (8, 8, 32, 32), 1024),  # of a category the model does not know
        Annotation(3, 2, 7, (0, 0, 60, 60), 3600, iscrowd=True),
    )
    images = tuple(Image(number, 64, 64, f"{number}.png") for number in (1, 2))
    return CocoDataset(images, annotations if objects else (), (Category(7, "cat"), Category(9, "yak")))


def test_a_dataset_adds_up(model: RetinaNet, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    found = truth_logits(
        model, dataset(tmp_path, objects=True), tmp_path, {7: 1}, RESIZE, progress=lambda *x: steps.append(x)
    )
    anchors = torch.cat(model.anchors(((8, 8), (4, 4), (2, 2)), (64, 64), torch.device("cpu")))
    target = Target(torch.tensor([[8.0, 8.0, 40.0, 40.0]]), torch.tensor([1]))
    index = assign(anchors, [target], model.config.match).class_index[0]
    positives, ignored = int((index == 1).sum()), int((index == IGNORED).sum())
    assert positives > 0
    assert int(found.positive.sum()) == positives
    assert int(found.negative.sum()) == 2 * len(anchors) * K - ignored * K - positives
    assert (found.images, steps) == (2, [(1, 2), (2, 2)])
    # fresh weights say the prior everywhere: ln(.1 / .9) = -2.2 of a positive, 2.2 of a negative
    mean = float((found.negative * bin_centres()).sum() / found.negative.sum())
    assert mean == pytest.approx(2.197, abs=0.3)


def test_no_objects_and_no_images(model: RetinaNet, tmp_path: Path) -> None:
    found = truth_logits(model, dataset(tmp_path, objects=False), tmp_path, {7: 1}, RESIZE)
    assert int(found.positive.sum()) == 0
    assert int(found.negative.sum()) > 0
    with pytest.raises(UsageError, match="no images"):
        truth_logits(model, CocoDataset(), tmp_path, {}, RESIZE)
