"""Pasting windows of logits: hand-worked places, and parity with masks of whole images."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from amidst.coco import masks
from amidst.inference import mask_windows
from amidst.inference.mask_windows import Samples, paste
from amidst.models.structures import MaskProposals


def proposals(logits: torch.Tensor, windows: list[list[float]]) -> MaskProposals:
    return MaskProposals(torch.ones(len(logits)), logits, torch.tensor(windows).reshape(-1, 4))


def test_no_proposals() -> None:
    assert paste(proposals(torch.zeros(0, 4, 4), []), (10, 12), 0.2) == []


@pytest.mark.parametrize(
    ("window", "box"),
    [
        ([2.0, 3.0, 6.0, 8.0], [2, 3, 4, 5]),  # inside
        ([2.7, 3.9, 6.7, 8.9], [2, 3, 4, 5]),  # corners are rounded down
        ([1.9999, 3.0, 5.9999, 8.0], [2, 3, 4, 5]),  # but not by rounding errors
        ([-3.0, -2.0, 4.0, 5.0], [0, 0, 4, 5]),  # left and above
        ([9.0, 7.0, 20.0, 20.0], [9, 7, 3, 3]),  # right and below
        ([-5.0, -5.0, 50.0, 50.0], [0, 0, 12, 10]),  # all of it
        ([0.0, -4.0, 5.0, 40.0], [0, 0, 5, 10]),  # whole columns: one run
        ([20.0, 2.0, 25.0, 6.0], [0, 0, 0, 0]),  # beside the image
        ([3.2, 3.2, 3.9, 3.9], [3, 3, 1, 1]),  # less than a pixel
    ],
)
def test_a_full_window_is_its_rectangle(window: list[float], box: list[int]) -> None:
    (rle,) = paste(proposals(torch.full((1, 4, 4), 5.0), [window]), (10, 12), 0.2)
    masks.check(rle)
    assert masks.boxes([rle])[0].tolist() == box
    assert masks.area([rle])[0] == box[2] * box[3]
    expected = np.zeros((1, 10, 12), dtype=bool)
    expected[0, box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = True
    assert rle == masks.encode(expected)[0]


@pytest.mark.parametrize("threshold", [0.1, 0.2, 0.5])
def test_the_threshold_is_a_probability(threshold: float) -> None:
    logit = math.log(threshold / (1 - threshold))
    logits = torch.tensor([logit - 1e-3, logit + 1e-3]).view(2, 1, 1)
    below, above = paste(proposals(logits, [[0, 0, 2, 2]] * 2), (2, 2), threshold)
    assert masks.area([below, above]).tolist() == [0, 4]


@pytest.mark.parametrize("at_once", [1, 500, 1 << 23])
def test_equals_masks_of_whole_images(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_windows, "VALUES_AT_ONCE", at_once)
    torch.manual_seed(1)
    height, width, number = 37, 50, 60
    logits = F.interpolate(torch.randn(number, 1, 4, 4), size=(9, 9), mode="bilinear")[:, 0]
    sides = torch.tensor([5.0, 12.0, 23.0, 61.0])[torch.arange(number) % 4]
    corners = (torch.rand(number, 2) * 80 - 30).floor()
    windows = torch.cat((corners, corners + sides[:, None]), dim=1)
    found = paste(MaskProposals(torch.ones(number), logits, windows), (height, width), 0.3)
    for index in range(number):
        side, (left, top) = int(sides[index]), corners[index].long().tolist()
        raised = F.interpolate(logits[index][None, None], size=(side, side), mode="bilinear")[0, 0]
        whole = np.zeros((height + 400, width + 400), dtype=bool)
        whole[200 + top : 200 + top + side, 200 + left : 200 + left + side] = raised.sigmoid() > 0.3
        assert found[index] == masks.encode(whole[None, 200 : 200 + height, 200 : 200 + width])[0], index


@pytest.mark.parametrize(("side", "cells"), [(1, 4), (3, 9), (61, 56), (113, 160), (905, 14), (640, 160)])
def test_samples_are_those_of_torch(side: int, cells: int) -> None:
    samples = Samples.of(side, cells, torch.device("cpu"))
    weights = torch.zeros(cells, side)
    weights[samples.cell, torch.arange(side)] += 1 - samples.share
    weights[samples.after, torch.arange(side)] += samples.share
    units = torch.eye(cells)[None, :, None].expand(1, cells, 2, cells)
    assert torch.equal(weights, F.interpolate(units, size=(2, side), mode="bilinear")[0, :, 0])
    assert samples.ends[0] == 0
    assert samples.ends[-1] == side - 1


def test_a_large_photograph_has_the_masks_of_enlarged_windows() -> None:
    torch.manual_seed(2)
    height, width, number, cut = 700, 900, 12, math.log(0.2 / 0.8)
    logits = F.interpolate(torch.randn(number, 1, 5, 5) * 4, size=(14, 14), mode="bicubic")[:, 0]
    sides = torch.tensor([400.0, 1100.0])[torch.arange(number) % 2]
    corners = (torch.rand(number, 2) * 1200 - 500).floor()
    windows = torch.cat((corners, corners + sides[:, None]), dim=1)
    found = masks.decode(paste(MaskProposals(torch.ones(number), logits, windows), (height, width), 0.2))
    for index in range(number):
        side, (left, top) = int(sides[index]), corners[index].long().tolist()
        raised = F.interpolate(logits[index][None, None], size=(side, side), mode="bilinear")[0, 0]
        whole = torch.full((height + 4000, width + 4000), -99.0)
        whole[2000 + top : 2000 + top + side, 2000 + left : 2000 + left + side] = raised
        expected = whole[2000 : 2000 + height, 2000 : 2000 + width]
        clear = ((expected - cut).abs() > 1e-5).numpy()  # nearer than that, rounding decides
        assert ((found[index] == (expected > cut).numpy()) | ~clear).all(), index


def test_what_a_photograph_of_24_megapixels_costs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0

    def watch(values: torch.Tensor, down: Samples, rows: torch.Tensor) -> torch.Tensor:
        nonlocal largest
        found = raised(values, down, rows)
        largest = max(largest, found.numel())
        return found

    raised = mask_windows._raised
    monkeypatch.setattr(mask_windows, "_raised", watch)
    logits = torch.linspace(-1, 1, 56)[None, :, None].expand(8, 56, 56)
    (rle, *_) = paste(proposals(logits, [[-1000.0, -2500.0, 7500.0, 6000.0]] * 8), (4000, 6000), 0.5)
    assert masks.boxes([rle])[0].tolist() == [0, 1750, 6000, 2250]
    assert largest <= mask_windows.VALUES_AT_ONCE
