"""amidst.crowd.spoiling: every spoiled mask is poor, inside the image and not empty."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import masks
from amidst.crowd.spoiling import nudged, spoil


def disc(height: int, width: int, y: float, x: float, radius: float) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def test_an_empty_mask_cannot_be_spoiled() -> None:
    assert spoil(masks.empty((5, 5)), 0.6) == []


@pytest.mark.parametrize("place", [(50, 60, 20), (5, 5, 5), (95, 115, 4), (50, 60, 2)])
def test_spoiled_masks_are_poor_but_there(place: tuple[float, float, float]) -> None:
    truth = masks.encode(disc(100, 120, *place)[None])[0]
    found = spoil(truth, 0.6)
    assert len(found) >= 3
    assert masks.iou(found, [truth]).max() <= 0.6
    assert masks.area(found).min() >= 4
    assert {mask.size for mask in found} == {(100, 120)}
    assert spoil(truth, 0.6) == found


def test_a_neighbour_is_taken_when_it_is_another_object() -> None:
    bits = np.stack([disc(50, 50, 20, 20, 8), disc(50, 50, 20, 20.4, 8), disc(50, 50, 30, 30, 8)])
    truth, twin, neighbour = masks.encode(bits)
    assert spoil(truth, 0.6, neighbours=[twin, neighbour])[-1] == neighbour
    assert twin not in spoil(truth, 0.6, neighbours=[twin])


def test_a_mask_that_cannot_bear_a_nudge_stays() -> None:
    lot = np.random.default_rng(0)
    assert nudged(masks.empty((5, 5)), lot) == masks.empty((5, 5))
    dot = masks.encode(disc(20, 20, 10, 10, 1)[None])[0]
    assert nudged(dot, lot) == dot


@pytest.mark.parametrize("place", [(50, 60, 30), (0, 0, 40), (99, 119, 25), (50, 60, 12), (50, 60, 200)])
def test_a_nudged_mask_is_the_same_to_the_eye_and_never_the_same_pixels(
    place: tuple[float, float, float],
) -> None:
    truth = masks.encode(disc(100, 120, *place)[None])[0]
    made = [nudged(truth, np.random.default_rng(seed)) for seed in range(30)]
    assert masks.iou(made, [truth]).min() >= 0.9
    if place[2] < 100:  # else the mask is the whole image, and so it stays
        assert truth not in made
        assert len(set(made)) > 5
