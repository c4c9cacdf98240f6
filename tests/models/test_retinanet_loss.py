"""Targets and losses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from amidst.models.config import LossConfig, MatchConfig, MiningConfig
from amidst.models.retinanet_loss import assign, detection_losses
from amidst.models.structures import DenseOutputs, Target
from amidst.ops.anchors import grid_anchors
from amidst.ops.coding import encode
from amidst.ops.losses import cross_entropy, focal, giou, smooth_l1
from amidst.ops.matching import BACKGROUND, IGNORED

K = 3
OBJECT = Target(torch.tensor([[30.0, 30.0, 70.0, 66.0]]), torch.tensor([2]))
NOTHING = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def outputs(batch: int, dtype: torch.dtype = torch.float32, logit: float | None = None) -> DenseOutputs:
    torch.manual_seed(0)
    anchors = grid_anchors(((16, 16), (8, 8)), (8, 16), 4.0, 3, (0.5, 1.0, 2.0))
    logits = [
        torch.randn(batch, len(a), K) if logit is None else torch.full((batch, len(a), K), logit)
        for a in anchors
    ]
    codes = [torch.randn(batch, len(a), 4) for a in anchors]
    return DenseOutputs(
        tuple(x.to(dtype).requires_grad_() for x in logits),
        tuple(x.to(dtype).requires_grad_() for x in codes),
        tuple(anchors),
    )


def total(losses: dict[str, Tensor]) -> Tensor:
    return losses["class_loss"] + losses["box_loss"]


def test_assignment_by_overlap() -> None:
    anchors = torch.tensor(
        [[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 4.5], [0, 0, 10, 3], [50, 50, 60, 60]]
    )
    target = Target(torch.tensor([[0.0, 0, 10, 10], [51, 50, 60, 60]]), torch.tensor([4, 7]))
    wanted = assign(anchors, [NOTHING, target], MatchConfig())
    assert wanted.class_index.tolist() == [[BACKGROUND] * 5, [4, 4, IGNORED, BACKGROUND, 7]]
    assert wanted.image.tolist() == [1, 1, 1]
    assert wanted.anchor.tolist() == [0, 1, 4]
    assert torch.equal(wanted.boxes_xyxy, target.boxes_xyxy[[0, 0, 1]])


def test_loss_of_an_untrained_network_on_background() -> None:
    out = outputs(1, logit=-4.59511985013459)  # the prior, 0.01
    number = sum(x.shape[1] for x in out.class_logits) * K
    losses = detection_losses(out, [NOTHING], MatchConfig(), LossConfig())
    assert float(losses["class_loss"].detach()) == pytest.approx(number * 7.537751890e-7, rel=1e-5)
    assert float(losses["box_loss"].detach()) == 0


@pytest.mark.parametrize("normaliser", ["image", "batch"])
@pytest.mark.parametrize("box", ["smooth_l1", "giou"])
def test_losses_are_what_the_formulas_say(normaliser: str, box: str) -> None:
    out = outputs(2)
    matching = MatchConfig()
    config = LossConfig(normaliser=normaliser, box=box, box_weight=2.0)  # type: ignore[arg-type]
    losses = detection_losses(out, [OBJECT, NOTHING], matching, config)

    anchors, logits = torch.cat(out.anchors_xyxy), torch.cat(out.class_logits, 1)
    wanted = assign(anchors, [OBJECT, NOTHING], matching)
    truth = wanted.class_index[..., None] == torch.arange(K)
    counted = (wanted.class_index != IGNORED)[..., None]
    class_sums = (focal(logits, truth, 2.0, 0.25) * counted).sum((1, 2))
    codes, around = torch.cat(out.box_codes, 1)[0, wanted.anchor], anchors[wanted.anchor]
    positives = len(wanted.anchor)
    assert positives > 3
    if box == "giou":
        half = codes[:, 2:].exp() * (around[:, 2:] - around[:, :2]) / 2
        centre = (around[:, 2:] + around[:, :2]) / 2 + codes[:, :2] * (around[:, 2:] - around[:, :2])
        box_sum = giou(torch.cat((centre - half, centre + half), 1), wanted.boxes_xyxy).sum()
    else:
        box_sum = smooth_l1(codes, encode(wanted.boxes_xyxy, around), 0.11).sum()
    if normaliser == "image":
        expected = (class_sums[0] / positives + class_sums[1]) / 2, 2.0 * box_sum / positives / 2
    else:
        expected = class_sums.sum() / (positives + 2), 2.0 * box_sum / (positives + 2)
    assert torch.allclose(losses["class_loss"], expected[0], rtol=1e-5)
    assert torch.allclose(losses["box_loss"], expected[1], rtol=1e-4)


@pytest.mark.parametrize("kind", ["focal", "cross_entropy", "balanced_cross_entropy", "focal_star", "hinge"])
def test_every_kind_gives_finite_gradients(kind: str) -> None:
    out = outputs(2)
    losses = detection_losses(out, [OBJECT, NOTHING], MatchConfig(), LossConfig(kind=kind))  # type: ignore[arg-type]
    total(losses).backward()
    for x in (*out.class_logits, *out.box_codes):
        assert x.grad is not None
        assert bool(x.grad.isfinite().all())


def test_half_precision_outputs_give_float32_losses() -> None:
    out = outputs(2, torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        losses = detection_losses(out, [OBJECT, NOTHING], MatchConfig(), LossConfig())
    assert {x.dtype for x in losses.values()} == {torch.float32}


def test_no_objects_anywhere_and_no_images() -> None:
    losses = detection_losses(outputs(2), [NOTHING, NOTHING], MatchConfig(), LossConfig())
    assert float(losses["box_loss"].detach()) == 0
    assert float(losses["class_loss"].detach()) > 0
    losses = detection_losses(outputs(0), [], MatchConfig(), LossConfig())
    assert float(total(losses).detach()) == 0


@pytest.mark.parametrize("form", ["ohem", "ohem_1_3"])
@pytest.mark.parametrize("normaliser", ["image", "batch"])
def test_mining_trains_on_the_selected_anchors_alone(form: str, normaliser: str) -> None:
    out = outputs(2)
    mining = MiningConfig(kind=form, batch=16, nms_iou=0.5)  # type: ignore[arg-type]
    config = LossConfig(kind="cross_entropy", mining=mining, normaliser=normaliser)  # type: ignore[arg-type]
    losses = detection_losses(out, [OBJECT, NOTHING], MatchConfig(), config)
    total(losses).backward()
    learning = (
        torch.cat([x.grad.abs().sum(2) for x in out.class_logits if x.grad is not None], 1) > 0
    )  # (B, N)
    moved = torch.cat([x.grad.abs().sum(2) for x in out.box_codes if x.grad is not None], 1) > 0

    wanted = assign(torch.cat(out.anchors_xyxy), [OBJECT, NOTHING], MatchConfig())
    objects = wanted.class_index >= 0
    if form == "ohem":
        assert learning.sum(1).tolist() == [16, 16]
    else:
        positives = int((learning & objects).sum())
        assert positives == 4  # a quarter; the image without objects gets three negatives
        assert learning.sum(1).tolist() == [16, 3]
    assert torch.equal(moved, learning & objects)
    assert not bool((learning & (wanted.class_index == IGNORED)).any())

    logits = torch.cat(out.class_logits, 1)
    truth = wanted.class_index[..., None] == torch.arange(K)
    sums = (cross_entropy(logits, truth).sum(2) * learning).sum(1)
    numbers = learning.sum(1)
    expected = (sums / numbers).mean() if normaliser == "image" else sums.sum() / numbers.sum()
    assert torch.allclose(losses["class_loss"], expected, rtol=1e-5)


def test_mining_ranks_by_the_box_too() -> None:
    """All logits alike: background and objects differ by the prior, the objects among each other by box."""
    out = outputs(1, logit=-2.0)
    config = LossConfig(kind="cross_entropy", mining=MiningConfig(kind="ohem", batch=4, nms_iou=1.0))
    detection_losses(out, [OBJECT], MatchConfig(), config)["box_loss"].backward()
    moved = torch.cat([x.grad.abs().sum(2) for x in out.box_codes if x.grad is not None], 1)[0] > 0
    anchors = torch.cat(out.anchors_xyxy)
    wanted = assign(anchors, [OBJECT], MatchConfig())
    codes = torch.cat(out.box_codes, 1)[0, wanted.anchor]
    box_losses = smooth_l1(codes, encode(wanted.boxes_xyxy, anchors[wanted.anchor]), 0.11).sum(1)
    worst = wanted.anchor[box_losses.topk(4).indices]
    assert set(moved.nonzero()[:, 0].tolist()) == set(worst.tolist())


@pytest.mark.parametrize("form", ["ohem", "ohem_1_3"])
def test_mining_without_objects_and_without_images(form: str) -> None:
    config = LossConfig(kind="cross_entropy", mining=MiningConfig(kind=form))  # type: ignore[arg-type]
    losses = detection_losses(outputs(1), [NOTHING], MatchConfig(), config)
    assert float(losses["class_loss"].detach()) > 0
    assert float(losses["box_loss"].detach()) == 0
    losses = detection_losses(outputs(0), [], MatchConfig(), config)
    assert float(total(losses).detach()) == 0
