"""Pictures of a generated world: ground, things, light and noise.

A picture is drawn when it is asked for, a few milliseconds each, so that a world costs no memory for pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amidst.crowd.world_scenes import INVALID, Scene, WorldConfig, paint
from amidst.crowd.world_shapes import texture, window

Pixels = npt.NDArray[np.uint8]


def render_scene(scene: Scene, seed: int, config: WorldConfig) -> Pixels:
    """The photograph, (H, W, 3) RGB. `seed` is of the noise alone."""
    rng = np.random.default_rng([seed, scene.ground])
    if scene.layout == INVALID:
        return _darkness(scene.size_hw, rng)
    canvas = _ground(scene)
    things, labels = paint(scene.things, scene.size_hw, config)
    for index, thing in enumerate(things):
        at = window(thing, scene.size_hw)
        own = labels[at.rows, at.columns] == index
        share = texture(thing, at)[own][:, None].astype(np.float32)
        shade = (1.06 - 0.16 * at.v[own])[:, None].astype(np.float32)
        colour = (1 - share) * np.array(thing.base, np.float32) + share * np.array(thing.mark, np.float32)
        canvas[at.rows, at.columns][own] = colour * shade
    canvas *= np.float32(scene.light)
    canvas += 4 * rng.standard_normal((*scene.size_hw, 1), dtype=np.float32)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def _ground(scene: Scene) -> npt.NDArray[np.float32]:
    """A pale sky over a pale floor with soft waves, the same at every picture of a place."""
    rng = np.random.default_rng(scene.ground)
    height, width = scene.size_hw
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    horizon = np.float32(rng.uniform(0.3, 0.6))
    waves = sum(
        np.float32(rng.uniform(3, 8)) * np.sin(np.float32(a) * x + np.float32(b) * y + np.float32(c))
        for a, b, c in rng.uniform(2, 25, (4, 3))
    )
    sky, floor = (rng.uniform(120, 200) + rng.uniform(-25, 25, 3) for _ in range(2))
    below = (y + 0.02 * np.sin(9 * x) > horizon)[:, :, None]
    canvas = np.where(below, floor.astype(np.float32), sky.astype(np.float32))
    return np.asarray(canvas + np.asarray(waves)[:, :, None] - 25 * (y - 0.5)[:, :, None], dtype=np.float32)


def _darkness(size_hw: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """What a camera takes with its lens covered."""
    return rng.integers(0, 14, (*size_hw, 3)).astype(np.uint8)
