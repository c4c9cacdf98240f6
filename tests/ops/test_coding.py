"""The regression code: hand-worked values, identity, limits."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.ops.coding import decode, encode

coordinate = st.floats(-500, 500, width=32)
side = st.floats(0.5, 500, width=32)
box = st.tuples(coordinate, coordinate, side, side).map(lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]])


def test_no_boxes() -> None:
    none = torch.zeros(0, 4)
    assert encode(none, none).shape == decode(none, none).shape == (0, 4)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ([10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 0.0, 0.0]),
        ([20.0, 20.0, 40.0, 60.0], [0.5, 0.0, 0.0, 0.0]),
        ([10.0, 30.0, 30.0, 70.0], [0.0, 0.25, 0.0, 0.0]),
        ([0.0, 20.0, 40.0, 60.0], [0.0, 0.0, math.log(2), 0.0]),
        ([10.0, 30.0, 30.0, 50.0], [0.0, 0.0, 0.0, -math.log(2)]),
    ],
)
def test_codes_of_a_twenty_by_forty_anchor(target: list[float], code: list[float]) -> None:
    anchor = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    for weights in ((1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)):
        expected = torch.tensor([code]) * torch.tensor(weights)
        torch.testing.assert_close(encode(torch.tensor([target]), anchor, weights), expected)
        torch.testing.assert_close(decode(expected, anchor, weights), torch.tensor([target]))


@given(box, box, st.sampled_from([(1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)]))
@settings(max_examples=100, deadline=None)
def test_decoding_undoes_encoding(
    target: list[float], anchor: list[float], weights: tuple[float, float, float, float]
) -> None:
    targets = torch.tensor([target], dtype=torch.float64)
    anchors = torch.tensor([anchor], dtype=torch.float64)
    growth = (targets[:, 2:] - targets[:, :2]) / (anchors[:, 2:] - anchors[:, :2])
    if growth.max() < 62:  # beyond 1000 / 16 decoding is clamped
        torch.testing.assert_close(
            decode(encode(targets, anchors, weights), anchors, weights), targets, atol=1e-6, rtol=1e-6
        )


def test_growth_is_limited() -> None:
    anchor = torch.tensor([[0.0, 0.0, 16.0, 16.0]])
    for weights in ((1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)):
        grown = decode(torch.tensor([[0.0, 0.0, 1e4, 1e4]]), anchor, weights)
        torch.testing.assert_close(grown, torch.tensor([[-492.0, -492.0, 508.0, 508.0]]))
    shrunk = decode(torch.tensor([[0.0, 0.0, -1e4, -1e4]]), anchor)
    torch.testing.assert_close(shrunk, torch.full((1, 4), 8.0))


def test_degenerate_boxes_have_finite_codes() -> None:
    point, anchor = torch.full((1, 4), 5.0), torch.tensor([[0.0, 0.0, 16.0, 16.0]])
    assert encode(point, anchor).isfinite().all()
    assert encode(anchor, point).isfinite().all()
    assert encode(anchor.flip(1), anchor).isfinite().all()


def test_logarithms_are_clamped_from_below_where_asked() -> None:
    anchor = torch.tensor([[0.0, 0, 100, 100]])
    code = torch.tensor([[0.0, 0, -9, 9]])
    above, both = (decode(code, anchor, clamp=clamp) for clamp in ("above", "both"))
    width = [float(boxes[0, 2] - boxes[0, 0]) for boxes in (above, both)]
    assert width == pytest.approx([100 * math.exp(-9), 1.6], rel=1e-3)
    assert float(both[0, 3] - both[0, 1]) == pytest.approx(6250, rel=1e-3)
