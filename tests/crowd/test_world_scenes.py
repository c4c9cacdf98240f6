"""Planning of photographs: what is seen, and in which order pictures are taken."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from amidst.crowd.world_scenes import NON_ICONIC, WorldConfig, paint, visits
from amidst.crowd.world_shapes import Thing

CONFIG = WorldConfig()
FRONT = Thing(0, (50.0, 50.0), 20.0, 0.0, 1.0, 0.0, (200, 0, 0), (0, 200, 200))
SIZE = (100, 100)


def test_nothing_to_paint() -> None:
    kept, labels = paint((), SIZE, CONFIG)
    assert kept == ()
    assert (labels == -1).all()


def test_the_first_thing_hides_the_second() -> None:
    behind = replace(FRONT, centre_xy=(65.0, 50.0))
    kept, labels = paint((FRONT, behind), SIZE, CONFIG)
    assert kept == (FRONT, behind)
    alone = (paint((behind,), SIZE, CONFIG)[1] == 0) & (labels != 0)
    assert np.array_equal(labels == 1, alone)


def test_what_hardly_shows_is_not_in_the_scene() -> None:
    behind = replace(FRONT, centre_xy=(54.0, 50.0))
    speck = replace(FRONT, centre_xy=(10.0, 10.0), radius=3.0)  # 28 pixels
    kept, labels = paint((FRONT, behind, speck), SIZE, CONFIG)
    assert kept == (FRONT,)
    assert set(np.unique(labels)) == {-1, 0}


def test_painting_what_was_kept_changes_nothing() -> None:
    for visit in islice(visits(1, CONFIG), 20):
        kept, _ = paint(visit.scene.things, visit.scene.size_hw, CONFIG)
        assert kept == visit.scene.things


def test_shares_of_layouts_follow_the_configuration() -> None:
    only = WorldConfig(iconic_objects=0.0, iconic_scenes=0.0, invalid=0.0, near_duplicates=0.0)
    taken = list(islice(visits(1, only), 30))
    assert {visit.scene.layout for visit in taken} == {NON_ICONIC}
    assert all(visit.repeats is None for visit in taken)


def test_a_repeated_picture_names_the_first_of_its_kind() -> None:
    taken = list(islice(visits(1, WorldConfig(near_duplicates=1.0, burst=5.0)), 40))
    for index, visit in enumerate(taken):
        if visit.repeats is not None:
            assert taken[visit.repeats].repeats is None
            assert taken[index - 1].photographer == visit.photographer
    assert any(visit.repeats is not None and index - visit.repeats > 1 for index, visit in enumerate(taken))
