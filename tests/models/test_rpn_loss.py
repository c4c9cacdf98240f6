"""Which anchors the RPN learns from, and how much each counts."""

from __future__ import annotations

import math

import pytest
import torch

from amidst.models.config_rcnn import RPNLossConfig
from amidst.models.rpn_loss import anchor_targets, rpn_losses
from amidst.models.structures import DenseOutputs, Target

CONFIG = RPNLossConfig()
NOTHING = Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
# IoU with the object (0, 0, 10, 10): 1, .7, .5, .2, 0; the last crosses the border of any image
ANCHORS = torch.tensor([[0.0, 0, 10, 10], [0, 0, 7, 10], [0, 0, 5, 10], [0, 0, 2, 10], [-30, 0, -20, 10]])


def outputs(logits: torch.Tensor, codes: torch.Tensor) -> DenseOutputs:
    """Of one image and one map."""
    return DenseOutputs((logits.view(1, -1, 1),), (codes.view(1, -1, 4),), (ANCHORS[: len(logits)],))


def target(*boxes: tuple[float, float, float, float], seed: int = 0) -> Target:
    return Target(torch.tensor(boxes), torch.zeros(len(boxes), dtype=torch.int64), None, seed)


@pytest.mark.parametrize(
    ("boxes", "positives", "negatives"),
    [
        ([], [], [0, 1, 2, 3, 4]),
        ([(0.0, 0, 10, 10)], [0, 1], [3, 4]),  # .5 is ignored; what crosses the border is kept
        ([(0.0, 0, 10, 40)], [0], [1, 2, 3, 4]),  # IoU .25 is the object's best: positive, not negative
        ([(0.0, 50, 10, 60)], [], [0, 1, 2, 3, 4]),  # an object that no anchor touches claims none
        ([(0.0, 0, 10, 10), (0.0, 0, 10, 10)], [0, 1], [3, 4]),
    ],
)
def test_assignment(
    boxes: list[tuple[float, float, float, float]], positives: list[int], negatives: list[int]
) -> None:
    wanted = target(*boxes) if boxes else NOTHING
    found = anchor_targets(ANCHORS, wanted, CONFIG)
    assert (found[0].tolist(), found[1].tolist()) == (positives, negatives)
    assert found[2].shape == (len(positives), 4)


def test_all_of_the_best_anchors_are_positive() -> None:
    twins = torch.tensor([[0.0, 0, 4, 10], [6, 0, 10, 10], [0, 0, 3, 10]])  # IoU .4, .4, .3
    positives, negatives, _ = anchor_targets(twins, target((0.0, 0, 10, 10)), CONFIG)
    assert (positives.tolist(), negatives.tolist()) == ([0, 1], [])


def test_losses_by_hand() -> None:
    """Two positives and two negatives, logits 0: 4 ln 2 / 256. A code off by .5 in one coordinate of the
    first: smooth L1 of beta 1/9 is .5 - 1/18, over 4 sampled anchors."""
    codes = torch.zeros(5, 4)
    codes[0, 0] = 0.5
    codes[1, 0] = 1.5 / 7  # the object's centre is 1.5 to the right of the anchor's, which is 7 wide
    codes[1, 2] = math.log(10 / 7)
    found = rpn_losses(outputs(torch.zeros(5), codes), [target((0.0, 0, 10, 10))], CONFIG)
    assert float(found["rpn_class_loss"]) == pytest.approx(4 * math.log(2) / 256)
    assert float(found["rpn_box_loss"]) == pytest.approx((0.5 - 1 / 18) / 4)


def test_a_batch_is_the_mean_of_its_images() -> None:
    torch.manual_seed(0)
    logits, codes = torch.randn(2, 5), torch.randn(2, 5, 4)
    wanted = [target((0.0, 0, 10, 10)), NOTHING]
    together = rpn_losses(DenseOutputs((logits[..., None],), (codes,), (ANCHORS,)), wanted, CONFIG)
    alone = [rpn_losses(outputs(logits[i], codes[i]), [wanted[i]], CONFIG) for i in (0, 1)]
    for name, value in together.items():
        torch.testing.assert_close(value, (alone[0][name] + alone[1][name]) / 2)


def test_only_sampled_anchors_get_a_gradient_and_the_seed_chooses_them() -> None:
    config = RPNLossConfig(sampled=2)

    def touched(seed: int) -> list[int]:
        logits = torch.zeros(5, requires_grad=True)
        sum(
            rpn_losses(
                outputs(logits, torch.zeros(5, 4)), [target((0.0, 0, 10, 10), seed=seed)], config
            ).values()
        ).backward()  # type: ignore[union-attr]
        assert logits.grad is not None
        return logits.grad.nonzero().flatten().tolist()

    assert len(touched(0)) == 2
    assert touched(0) == touched(0)
    assert (
        len({tuple(touched(seed)) for seed in range(20)}) == 4
    )  # one of two positives, one of two negatives


def test_no_anchors_at_all() -> None:
    empty = DenseOutputs((torch.zeros(1, 0, 1),), (torch.zeros(1, 0, 4),), (torch.zeros(0, 4),))
    found = rpn_losses(empty, [target((0.0, 0, 10, 10))], CONFIG)
    assert {float(value) for value in found.values()} == {0.0}
