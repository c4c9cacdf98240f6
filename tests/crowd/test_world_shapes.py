"""Outlines and textures of the generated world."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from amidst.crowd.world_shapes import (
    OUTLINE_NAMES,
    TEXTURE_NAMES,
    Thing,
    covers,
    lookalikes,
    texture,
    window,
    world_categories,
)

DISC = Thing(0, (50.0, 40.0), 20.0, 0.3, 1.0, 1.0, (200, 0, 0), (0, 200, 200))
SIZE = (90, 100)


def canvas(thing: Thing, size_hw: tuple[int, int] = SIZE) -> np.ndarray:
    full = np.zeros(size_hw, dtype=bool)
    at = window(thing, size_hw)
    full[at.rows, at.columns] = covers(thing, at)
    return full


def test_a_thing_outside_the_canvas_covers_nothing() -> None:
    at = window(replace(DISC, centre_xy=(-500.0, 40.0)), SIZE)
    assert at.u.size == 0
    assert not covers(DISC, at).any()
    assert texture(DISC, at).size == 0


def test_a_disc_has_the_area_of_a_disc() -> None:
    assert canvas(DISC).sum() == pytest.approx(np.pi * 20**2, rel=0.01)
    assert canvas(replace(DISC, stretch=1.5)).sum() == pytest.approx(np.pi * 20**2, rel=0.01)


def test_every_pixel_of_a_disc_lies_within_its_radius() -> None:
    rows, columns = np.nonzero(canvas(DISC))
    assert np.hypot(columns + 0.5 - 50, rows + 0.5 - 40).max() <= 20


@pytest.mark.parametrize("outline", OUTLINE_NAMES)
def test_every_outline_stays_within_its_window(outline: str) -> None:
    category = OUTLINE_NAMES.index(outline) * len(TEXTURE_NAMES)
    for phase in (0.0, 1.6, 3.1, 4.7):
        thing = replace(DISC, category=category, phase=phase, stretch=1.2)
        wide = replace(thing, radius=10.0)
        share = canvas(wide).sum() / (4 * 10**2)
        assert 0.15 < share < 1.0
        touched = canvas(wide)
        reach = int(1.3 * 10)
        assert not touched[: 40 - reach - 1].any()
        assert not touched[:, : 50 - reach - 1].any()


def test_a_ring_has_a_hole_and_a_pair_two_parts() -> None:
    ring = canvas(replace(DISC, category=OUTLINE_NAMES.index("ring") * 3))
    assert not ring[40, 50]
    assert ring[40, 50 - 15]
    pair = canvas(replace(DISC, category=OUTLINE_NAMES.index("pair") * 3, angle=0.0))
    assert not pair[:, 50].any()
    assert pair[:, :50].any()
    assert pair[:, 50:].any()


def test_names_say_what_is_seen() -> None:
    categories = world_categories()
    assert [category.id for category in categories] == list(range(1, 34))
    assert categories[4].name == "striped egg"
    assert len({category.supercategory for category in categories}) == 11
    assert lookalikes()[4] == (3, 5)


def test_textures_differ() -> None:
    at = window(DISC, SIZE)
    plain, striped, spotted = (texture(replace(DISC, category=k), at) for k in range(3))
    assert plain.max() < 0.5
    assert set(np.unique(striped)) == {0.0, 1.0}
    assert 0.1 < spotted.mean() < striped.mean() < 0.7
    assert not texture(replace(DISC, category=-1), at).any()
