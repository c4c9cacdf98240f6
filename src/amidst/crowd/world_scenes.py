"""Planning the photographs of a generated world (spec 11; thesis section 2.2 on iconic and non-iconic views).

A photographer visits a place and takes a burst of pictures there; some are nearly the picture before. A scene
is a list of things from front to back. `paint` decides what is seen: the canvas belongs to the first thing
that covers a pixel, and a thing of which too little would be seen is not in the scene at all, so that nothing
is half-hidden from the truth. Everything follows from the seed, image by image: a larger world begins with
the smaller one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from amidst.config import Config
from amidst.crowd.world_shapes import Colour, Thing, covers, window, world_categories

Labels = npt.NDArray[np.int16]
Rng = np.random.Generator

ICONIC_OBJECT, ICONIC_SCENE, NON_ICONIC, INVALID = "iconic object", "iconic scene", "non-iconic", "invalid"
_EPOCH = datetime(2013, 5, 1, 9, 0)


class WorldConfig(Config, frozen=True):
    """What the photographs are like; the defaults lie near COCO's 3.5 categories and 7.7 objects an image.

    long_side: pixels. iconic_objects, iconic_scenes, invalid: shares of pictures that the image filter should
    remove. crowds: share of non-iconic pictures in which one category has `crowd_things` (from, to).
    categories: mean number of categories drawn for a non-iconic picture. repeats: mean things of each.
    radius: smallest and, as a share of the short side, largest radius of a thing.
    litter: mean number of bars before and behind the things.
    least_area, least_visible: a thing is in the scene if it shows so many pixels and this share of itself.
    burst: mean photographs of one visit. near_duplicates: share of a burst's further pictures that repeat the
    one before it, moved a little.
    """

    long_side: int = 480
    iconic_objects: float = 0.06
    iconic_scenes: float = 0.03
    invalid: float = 0.01
    crowds: float = 0.08
    crowd_things: tuple[int, int] = (20, 34)
    categories: float = 4.2
    repeats: float = 2.0
    radius: tuple[float, float] = (5.0, 0.26)
    litter: float = 3.0
    least_area: int = 40
    least_visible: float = 0.35
    burst: float = 3.0
    near_duplicates: float = 0.1


@dataclass(frozen=True, slots=True)
class Scene:
    """What stands before the camera, and how the picture was taken.

    things: front to back. light: factor on all colours. ground: seed of the background and the noise.
    """

    size_hw: tuple[int, int]
    layout: str
    things: tuple[Thing, ...]
    light: float
    ground: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One picture of a burst: its scene, who took it and when. repeats: index of the picture it nearly is."""

    scene: Scene
    photographer: int
    taken_at: datetime
    repeats: int | None


def paint(
    things: tuple[Thing, ...], size_hw: tuple[int, int], config: WorldConfig
) -> tuple[tuple[Thing, ...], Labels]:
    """The things that are seen, and for each pixel the index among them, -1 for background.

    Returns (kept, labels (H, W)). Litter is kept whenever it shows at all.
    """
    labels = np.full(size_hw, -1, dtype=np.int16)
    kept: list[Thing] = []
    for thing in things:
        at = window(thing, size_hw)
        whole = covers(thing, at)
        patch = labels[at.rows, at.columns]
        seen = whole & (patch < 0)
        shown = np.count_nonzero(seen)
        enough = shown >= config.least_area and shown >= config.least_visible * np.count_nonzero(whole)
        if enough or (thing.category < 0 and shown):
            patch[seen] = len(kept)
            kept.append(thing)
    return tuple(kept), labels


def visits(seed: int, config: WorldConfig) -> Iterator[Visit]:
    """The pictures of the world, without end."""
    rng = np.random.default_rng([seed, 0])
    photographers = index = 0
    while True:
        who = int(rng.integers(0, photographers // 2 + 2))
        photographers += 1
        place = Place.draw(rng)
        moment = _EPOCH + timedelta(days=int(rng.integers(0, 700)), seconds=int(rng.integers(0, 30_000)))
        previous: Visit | None = None
        for _ in range(int(rng.geometric(1 / config.burst))):
            own = np.random.default_rng([seed, 1, index])
            if previous is not None and own.random() < config.near_duplicates:
                scene = _moved(previous.scene, own, config)
                previous = Visit(
                    scene, who, moment, index - 1 if previous.repeats is None else previous.repeats
                )
            else:
                previous = Visit(_new_scene(place, own, config), who, moment, None)
            yield previous
            index += 1
            moment += timedelta(seconds=int(rng.integers(15, 240)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a burst is taken: the categories that belong there, and its ground."""

    categories: tuple[int, ...]
    ground: int

    @classmethod
    def draw(cls, rng: Rng) -> Place:
        """Nine categories that are seen together here."""
        return cls(
            tuple(int(k) for k in rng.permutation(len(world_categories()))[:9]), int(rng.integers(2**31))
        )


def _new_scene(place: Place, rng: Rng, config: WorldConfig) -> Scene:
    long, short = config.long_side, round(config.long_side * (0.75 if rng.random() < 0.7 else 2 / 3))
    size_hw = (short, long) if rng.random() < 0.7 else (long, short)
    limits = np.cumsum([config.iconic_objects, config.iconic_scenes, config.invalid])
    draw = rng.random()
    if draw < limits[0]:
        layout, things = ICONIC_OBJECT, _one_thing(size_hw, rng)
    elif draw < limits[1]:
        layout, things = ICONIC_SCENE, ()
    elif draw < limits[2]:
        layout, things = INVALID, ()
    else:
        layout, things = NON_ICONIC, _many_things(place, size_hw, rng, config)
    return Scene(size_hw, layout, paint(things, size_hw, config)[0], rng.uniform(0.8, 1.1), place.ground)


def _moved(scene: Scene, rng: Rng, config: WorldConfig) -> Scene:
    """The same scene a moment later: the camera moved by a few pixels, the light changed."""
    dx, dy = (float(rng.uniform(-6, 6)) for _ in range(2))
    things = tuple(replace(t, centre_xy=(t.centre_xy[0] + dx, t.centre_xy[1] + dy)) for t in scene.things)
    light = scene.light * rng.uniform(0.94, 1.06)
    return replace(scene, things=paint(things, scene.size_hw, config)[0], light=light)


def _one_thing(size_hw: tuple[int, int], rng: Rng) -> tuple[Thing, ...]:
    category = int(rng.integers(len(world_categories())))
    centre = (size_hw[1] / 2 + rng.uniform(-9, 9), size_hw[0] / 2 + rng.uniform(-9, 9))
    return (_thing(category, centre, 0.36 * min(size_hw), rng),)


def _many_things(place: Place, size_hw: tuple[int, int], rng: Rng, config: WorldConfig) -> tuple[Thing, ...]:
    """Objects of several categories, perhaps a crowd of one of them, and litter, in random order of depth."""
    height, width = size_hw
    home, everywhere = np.array(place.categories), np.arange(len(world_categories()))
    number = 1 + int(rng.poisson(config.categories - 1))
    chosen = [int(rng.choice(home if rng.random() < 0.8 else everywhere)) for _ in range(number)]
    low, high = np.log(config.radius[0]), np.log(config.radius[1] * min(size_hw))
    things: list[Thing] = []
    for category in dict.fromkeys(chosen):
        middle = rng.uniform(low, high)
        for _ in range(int(rng.geometric(1 / config.repeats))):
            radius = float(np.exp(np.clip(middle + rng.normal(0, 0.25), low, high)))
            things.append(_thing(category, (rng.uniform(0, width), rng.uniform(0, height)), radius, rng))
    if rng.random() < config.crowds:
        things += _crowd(chosen[0], size_hw, rng, config)
    for _ in range(int(rng.poisson(config.litter))):
        radius = rng.uniform(0.1, 0.35) * width
        things.append(_thing(-1, (rng.uniform(0, width), rng.uniform(0, height)), radius, rng))
    return tuple(things[k] for k in rng.permutation(len(things)))


def _crowd(category: int, size_hw: tuple[int, int], rng: Rng, config: WorldConfig) -> list[Thing]:
    """Many small things of one category, standing close together."""
    height, width = size_hw
    radius = rng.uniform(8, 12)
    middle = np.array([rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height])
    crowd = []
    for _ in range(int(rng.integers(config.crowd_things[0], config.crowd_things[1] + 1))):
        x, y = middle + rng.normal(0, 1, 2) * (0.2 * width, 0.15 * height)
        crowd.append(_thing(category, (float(x), float(y)), radius * rng.uniform(0.85, 1.15), rng))
    return crowd


def _thing(category: int, centre_xy: tuple[float, float], radius: float, rng: Rng) -> Thing:
    angle = rng.uniform(0, np.pi) if category < 0 else rng.normal(0, 0.3)
    base = _colour(rng, (0.15, 0.35) if category < 0 else (0.55, 0.95))
    mark: Colour = tuple(255 - c for c in base)  # type: ignore[assignment]  # three of three
    return Thing(
        category,
        centre_xy,
        radius,
        angle,
        float(np.exp(rng.normal(0, 0.15))),
        rng.uniform(0, 6.28),
        base,
        mark,
    )


def _colour(rng: Rng, saturation: tuple[float, float]) -> Colour:
    """A colour of random hue, HSV with value near 0.85."""
    hue, vivid, value = rng.uniform(0, 6), rng.uniform(*saturation), rng.uniform(0.7, 1.0)
    ramp = np.clip(np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    red, green, blue = (round(255 * value * (1 - vivid + vivid * channel)) for channel in ramp)
    return red, green, blue
