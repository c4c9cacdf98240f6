"""Which anchors are hard."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from amidst.ops.boxes import pairwise_iou
from amidst.ops.hard_examples import anchor_cross_entropy, ohem, ohem_1_3
from amidst.ops.losses import cross_entropy
from amidst.ops.matching import BACKGROUND, IGNORED


def apart(number: int) -> Tensor:
    """Boxes (n, 4) of side 8 in a row, none touching another."""
    left = torch.arange(number, dtype=torch.float32) * 10
    return torch.stack((left, torch.zeros(number), left + 8, torch.full((number,), 8.0)), dim=1)


def select(form: str, boxes: Tensor, losses: Tensor, classes: Tensor, batch: int, iou: float = 0.7) -> Tensor:
    return {"ohem": ohem, "ohem_1_3": ohem_1_3}[form](
        boxes, losses, classes, batch=batch, nms_iou=iou, preselect=10_000
    )


@pytest.mark.parametrize("form", ["ohem", "ohem_1_3"])
def test_no_anchors_and_none_that_count(form: str) -> None:
    for number in (0, 5):
        classes = torch.full((number,), IGNORED)
        assert select(form, apart(number), torch.rand(number), classes, 8).tolist() == []


def test_cross_entropy_of_an_anchor_is_the_sum_over_classes() -> None:
    torch.manual_seed(0)
    levels = [torch.randn(6, 3) * 4, torch.randn(2, 3) * 4]
    classes = torch.tensor([0, 2, BACKGROUND, BACKGROUND, 1, BACKGROUND, BACKGROUND, 1])
    truth = classes[:, None] == torch.arange(3)
    expected = cross_entropy(torch.cat(levels), truth).sum(dim=1)
    assert torch.allclose(anchor_cross_entropy(levels, classes), expected, atol=1e-6)


def test_cross_entropy_by_hand() -> None:
    third = math.log(0.25 / 0.75)  # p = .25
    loss = anchor_cross_entropy([torch.tensor([[third, 0.0], [third, 0.0]])], torch.tensor([0, BACKGROUND]))
    assert loss.tolist() == pytest.approx([math.log(4) + math.log(2), math.log(4 / 3) + math.log(2)])


def test_a_table_by_hand() -> None:
    """Boxes 0 to 3 are one place, the others lie apart; classes and losses as written."""
    boxes = apart(8)
    boxes[1:4] = boxes[0]
    #         hardest background here, hidden by it, class 0 here, class 1 here, ignored, then apart
    classes = torch.tensor([BACKGROUND, BACKGROUND, 0, 1, IGNORED, BACKGROUND, 1, BACKGROUND])
    losses = torch.tensor([9.0, 8.0, 7.0, 6.0, 99.0, 5.0, 4.0, 3.0])
    assert select("ohem", boxes, losses, classes, 4).tolist() == [0, 2, 3, 5]
    assert select("ohem", boxes, losses, classes, 50).tolist() == [0, 2, 3, 5, 6, 7]
    # 1:3 of 4: one positive, three negatives; of 8: two positives and all three negatives that are left
    assert select("ohem_1_3", boxes, losses, classes, 4).tolist() == [2, 0, 5, 7]
    assert select("ohem_1_3", boxes, losses, classes, 8).tolist() == [2, 3, 0, 5, 7]


@pytest.mark.parametrize("batch", [128, 256, 512])
def test_exactly_the_batch_is_selected(batch: int) -> None:
    torch.manual_seed(1)
    classes = torch.full((3000,), BACKGROUND)
    classes[torch.randperm(3000)[:40]] = torch.randint(0, 5, (40,))
    chosen = select("ohem", apart(3000), torch.rand(3000), classes, batch)
    assert len(chosen) == len(set(chosen.tolist())) == batch


@pytest.mark.parametrize(
    ("positives", "expected"), [(0, (0, 3)), (5, (5, 15)), (32, (32, 96)), (40, (32, 96)), (2999, (32, 1))]
)
def test_three_negatives_for_each_positive(positives: int, expected: tuple[int, int]) -> None:
    torch.manual_seed(2)
    classes = torch.full((3000,), BACKGROUND)
    classes[:positives] = 0
    chosen = select("ohem_1_3", apart(3000), torch.rand(3000), classes, 128)
    found = classes[chosen]
    assert (int((found == 0).sum()), int((found == BACKGROUND).sum())) == expected


@pytest.mark.parametrize("iou", [0.5, 0.7])
def test_against_plain_suppression_of_all_and_then_a_cut(iou: float) -> None:
    """The head of the ranking gives what suppressing everything gives, crowded as the boxes may be."""
    torch.manual_seed(3)
    corners = torch.rand(600, 2) * 12
    boxes = torch.cat((corners, corners + 10 + torch.rand(600, 2) * 2), dim=1)
    classes = torch.randint(-2, 2, (600,))
    losses = torch.rand(600)
    overlaps = pairwise_iou(boxes, boxes) > iou
    kept: list[int] = []
    for index in torch.argsort(losses, descending=True).tolist():
        rivals = [other for other in kept if classes[other] == classes[index]]
        if classes[index] != IGNORED and not overlaps[index, rivals].any():
            kept.append(index)
    assert len(kept) > 8
    for batch in (4, 8, len(kept), 600):
        assert select("ohem", boxes, losses, classes, batch, iou).tolist() == kept[:batch]


def test_preselection_bounds_what_suppression_sees() -> None:
    boxes = torch.cat(
        (apart(1).expand(20, 4), apart(5)[1:])
    )  # twenty in one place are harder than four apart
    losses, classes = torch.arange(24, 0, -1).float(), torch.full((24,), BACKGROUND)
    assert select("ohem", boxes, losses, classes, 4).tolist() == [0, 20, 21, 22]
    assert ohem(boxes, losses, classes, batch=4, nms_iou=0.7, preselect=21).tolist() == [0, 20]
