"""Which regions Fast R-CNN learns from, and how much each counts."""

from __future__ import annotations

import math

import pytest
import torch

from amidst.models.config_rcnn import RegionLossConfig
from amidst.models.fast_rcnn_head import RegionOutputs, Regions
from amidst.models.fast_rcnn_loss import RegionTargets, region_losses, sample_regions
from amidst.models.structures import Target

CONFIG = RegionLossConfig()
K = 3
NONE = torch.zeros(0, 4)
NOTHING = Target(NONE, torch.zeros(0, dtype=torch.int64))
OBJECT = Target(torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([1]))
# IoU with the object: 1, .5, .4
PROPOSALS = torch.tensor([[0.0, 0, 10, 10], [0, 0, 5, 10], [0, 0, 4, 10]])


@pytest.mark.parametrize(
    ("proposals", "target", "boxes", "classes"),
    [
        (NONE, NOTHING, [], []),
        (PROPOSALS[:2], NOTHING, PROPOSALS[:2].tolist(), [K, K]),
        (NONE, OBJECT, [[0, 0, 10, 10]], [1]),  # the object is a candidate itself
        (PROPOSALS, OBJECT, [[0, 0, 10, 10], [0, 0, 5, 10], [0, 0, 10, 10], [0, 0, 4, 10]], [1, 1, 1, K]),
    ],
)
def test_assignment(
    proposals: torch.Tensor, target: Target, boxes: list[list[float]], classes: list[int]
) -> None:
    wanted = sample_regions([proposals], [target], K, CONFIG)
    assert wanted.regions.boxes_xyxy.tolist() == boxes
    assert wanted.class_index.tolist() == classes
    assert wanted.regions.image.tolist() == [0] * len(boxes)
    positive = wanted.class_index < K
    assert wanted.boxes_xyxy[positive].tolist() == [[0, 0, 10, 10]] * int(positive.sum())


def test_images_stand_one_after_another_and_the_best_proposals_count() -> None:
    config = RegionLossConfig(proposals=1)
    wanted = sample_regions([PROPOSALS, PROPOSALS.flip(0)], [NOTHING, NOTHING], K, config)
    assert wanted.regions.image.tolist() == [0, 1]
    assert wanted.regions.boxes_xyxy.tolist() == [[0, 0, 10, 10], [0, 0, 4, 10]]


def test_a_quarter_at_most_is_foreground_and_the_seed_chooses() -> None:
    proposals = torch.cat(
        (PROPOSALS[:1].repeat(20, 1), torch.arange(100.0)[:, None] + torch.tensor([50.0, 50, 60, 60]))
    )

    def draw(seed: int) -> RegionTargets:
        target = Target(OBJECT.boxes_xyxy, OBJECT.class_index, None, seed)
        return sample_regions([proposals], [target], K, RegionLossConfig(sampled=16))

    wanted = draw(0)
    assert (wanted.class_index == 1).sum() == 4
    assert (wanted.class_index == K).sum() == 12
    assert torch.equal(wanted.regions.boxes_xyxy, draw(0).regions.boxes_xyxy)
    assert not torch.equal(wanted.regions.boxes_xyxy, draw(1).regions.boxes_xyxy)


def targets(classes: list[int]) -> RegionTargets:
    """Regions (0, 0, 5, 10) around the object (0, 0, 10, 10)."""
    count = len(classes)
    regions = Regions(torch.tensor([[0.0, 0, 5, 10]]).repeat(count, 1), torch.zeros(count, dtype=torch.int64))
    return RegionTargets(
        regions,
        torch.tensor(classes),
        torch.tensor([[0.0, 0, 10, 10]]).repeat(count, 1),
        torch.full((count,), 1 / count),
    )


def test_losses_by_hand() -> None:
    """Logits 0: ln 4 for each region. The code of the foreground is (10 * .5, 0, 5 ln 2, 0), off by .2 in the
    first and 3 in the last coordinate: (.02 + 2.5) over two regions. Other classes' codes do not count."""
    codes = torch.full((2, K, 4), 99.0)
    codes[0, 1] = torch.tensor([5.2, 0.0, 5 * math.log(2), 3.0])
    outputs = RegionOutputs(torch.zeros(2, K + 1), codes)
    found = region_losses(outputs, targets([1, K]), CONFIG)
    assert float(found["class_loss"]) == pytest.approx(math.log(4))
    assert float(found["box_loss"]) == pytest.approx(2.52 / 2, rel=1e-5)


def test_background_is_the_last_class() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 20.0]])
    outputs = RegionOutputs(logits, torch.zeros(1, K, 4))
    assert float(region_losses(outputs, targets([K]), CONFIG)["class_loss"]) < 1e-6
    assert float(region_losses(outputs, targets([0]), CONFIG)["class_loss"]) == pytest.approx(20, rel=1e-3)


def test_no_regions() -> None:
    outputs = RegionOutputs(
        torch.zeros(0, K + 1, requires_grad=True), torch.zeros(0, K, 4, requires_grad=True)
    )
    losses = region_losses(outputs, sample_regions([NONE], [NOTHING], K, CONFIG), CONFIG)
    assert [float(value.detach()) for value in losses.values()] == [0, 0]
    sum(losses.values()).backward()  # type: ignore[union-attr]


def test_a_batch_is_the_mean_of_its_images() -> None:
    """Whatever the numbers of their regions: three, and one."""
    torch.manual_seed(0)
    proposals, objects = [PROPOSALS[1:], NONE], [OBJECT, OBJECT]
    logits, codes = torch.randn(4, K + 1), torch.randn(4, K, 4)
    wanted = sample_regions(proposals, objects, K, CONFIG)
    assert wanted.regions.image.tolist() == [0, 0, 0, 1]
    together = region_losses(RegionOutputs(logits, codes), wanted, CONFIG)
    alone = [
        region_losses(
            RegionOutputs(logits[part], codes[part]),
            sample_regions(proposals[image : image + 1], objects[image : image + 1], K, CONFIG),
            CONFIG,
        )
        for image, part in enumerate((slice(0, 3), slice(3, 4)))
    ]
    for name, value in together.items():
        torch.testing.assert_close(value, (alone[0][name] + alone[1][name]) / 2)
