"""Pictures of the generated world."""

from __future__ import annotations

import numpy as np

from amidst.crowd.world_pixels import render_scene
from amidst.crowd.world_scenes import ICONIC_SCENE, INVALID, NON_ICONIC, Scene, WorldConfig
from amidst.crowd.world_shapes import Thing

CONFIG = WorldConfig()
RED = Thing(0, (30.0, 20.0), 10.0, 0.0, 1.0, 0.0, (250, 0, 0), (250, 0, 0))


def scene(layout: str, *things: Thing, light: float = 1.0) -> Scene:
    return Scene((40, 60), layout, things, light, 5)


def test_a_scene_without_things_is_ground() -> None:
    pixels = render_scene(scene(ICONIC_SCENE), 1, CONFIG)
    assert pixels.shape == (40, 60, 3)
    assert pixels.dtype == np.uint8
    assert pixels.mean() > 60


def test_an_invalid_picture_is_dark() -> None:
    assert render_scene(scene(INVALID), 1, CONFIG).max() < 20


def test_a_thing_has_its_colour_where_it_stands() -> None:
    pixels = render_scene(scene(NON_ICONIC, RED), 1, CONFIG).astype(int)
    assert pixels[20, 30, 0] > 180
    assert pixels[20, 30, 1:].max() < 40
    empty = render_scene(scene(NON_ICONIC), 1, CONFIG).astype(int)
    assert np.array_equal(pixels[:8], empty[:8])  # the same ground and noise around it


def test_the_seed_is_of_the_noise_alone() -> None:
    first, second = (render_scene(scene(NON_ICONIC, RED), seed, CONFIG).astype(int) for seed in (1, 2))
    assert not np.array_equal(first, second)
    assert np.abs(first - second).mean() < 10


def test_light_brightens_everything() -> None:
    dark, bright = (render_scene(scene(NON_ICONIC, light=light), 1, CONFIG).mean() for light in (0.7, 1.1))
    assert 1.3 < bright / dark < 1.7
