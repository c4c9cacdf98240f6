"""A generated world with exact truth, to try an annotation pipeline on (spec 11; thesis-spec K.4).

No crowd and no photographs are needed to see whether labels come out right: the world's pictures show
textured shapes of 33 categories in 11 super-categories, among litter, behind each other, tiny, in crowds,
alone in the middle of the picture ("iconic") or not; photographers take them in bursts and sometimes twice.
The truth is known to the pixel. A world is made from a seed alone.

    world = generate_world(seed=7, num_images=500)
    write_world(world, Path("world"))          # images/*.jpg and truth.json
    pixels = render(world, 0)                  # (H, W, 3) uint8
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import write_atomically
from amidst.coco.records import Annotation, Box, Category, Image, Rle
from amidst.crowd.world_pixels import render_scene
from amidst.crowd.world_scenes import Scene, Visit, WorldConfig, paint, visits
from amidst.crowd.world_shapes import covers, window, world_categories
from amidst.errors import UsageError

CROWD_CELL = 15  # a category with more things in one image is finished as a crowd region (spec 6.7)
_JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class TrueObject:
    """One thing as it is seen: mask of its visible pixels, tight box (x, y, w, h), area in pixels.

    visible_share: of its own pixels, how many nothing hides (0..1]; what the frame cuts off is not counted.
    in_crowd: its category has more than 15 things in the image.
    """

    category_id: int
    mask: Rle
    box_xywh: Box
    area: int
    visible_share: float
    in_crowd: bool


@dataclass(frozen=True, slots=True)
class WorldImage:
    """One photograph and the truth about it.

    record: as in the COCO file; `extra` holds photographer and date_captured. layout: one of
    `world_scenes`'s four. near_duplicate_of: id of the first image that shows the same scene.
    """

    record: Image
    layout: str
    near_duplicate_of: int | None
    scene: Scene
    objects: tuple[TrueObject, ...]


@dataclass(frozen=True)
class World:
    """All photographs, ids 1..n in order, and their categories."""

    seed: int
    config: WorldConfig
    categories: tuple[Category, ...]
    images: tuple[WorldImage, ...]


def generate_world(seed: int, num_images: int, config: WorldConfig | None = None) -> World:
    """A world of `num_images` photographs. Raises UsageError for a negative number or seed."""
    if num_images < 0 or seed < 0:
        raise UsageError(f"a world needs a seed and a number of images from 0, got {seed} and {num_images}")
    config = config or WorldConfig()
    images = tuple(islice(photographs(seed, config), num_images))
    return World(seed, config, world_categories(), images)


def photographs(seed: int, config: WorldConfig) -> Iterator[WorldImage]:
    """The photographs of a world, without end."""
    for image_id, visit in enumerate(visits(seed, config), start=1):
        yield _photograph(image_id, visit, config)


def render(world: World, index: int) -> npt.NDArray[np.uint8]:
    """The pixels of `world.images[index]`, (H, W, 3) RGB; the same at each call."""
    image = world.images[index]
    return render_scene(image.scene, world.seed + image.record.id, world.config)


def truth_dataset(world: World) -> CocoDataset:
    """Every object by itself with its exact mask; `crowd_cell` in `extra` marks those in crowds."""
    annotations: list[Annotation] = []
    for image in world.images:
        for thing in image.objects:
            number = len(annotations) + 1
            record = Annotation(
                id=number,
                image_id=image.record.id,
                category_id=thing.category_id,
                bbox_xywh=thing.box_xywh,
                area=float(thing.area),
                segmentation=thing.mask,
                extra={"crowd_cell": thing.in_crowd},
            )
            annotations.append(record)
    return CocoDataset(
        images=tuple(image.record for image in world.images),
        annotations=tuple(annotations),
        categories=world.categories,
        info={"description": f"generated world, seed {world.seed}; no photograph shows anything real"},
    )


def write_world(world: World, folder: Path) -> None:
    """Writes folder/images/*.jpg and folder/truth.json; files of the same names are replaced."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(world.images):
        stream = BytesIO()
        PillowImage.fromarray(render(world, index)).save(stream, "JPEG", quality=_JPEG_QUALITY)
        write_atomically(folder / "images" / image.record.file_name, stream.getvalue())
    truth_dataset(world).save(folder / "truth.json")


def _photograph(image_id: int, visit: Visit, config: WorldConfig) -> WorldImage:
    height, width = visit.scene.size_hw
    extra = {
        "photographer": f"photographer {visit.photographer + 1}",
        "date_captured": visit.taken_at.isoformat(sep=" "),
    }
    return WorldImage(
        record=Image(image_id, width, height, f"world_{image_id:06d}.jpg", extra=extra),
        layout=visit.scene.layout,
        near_duplicate_of=None if visit.repeats is None else visit.repeats + 1,
        scene=visit.scene,
        objects=_true_objects(visit.scene, config),
    )


def _true_objects(scene: Scene, config: WorldConfig) -> tuple[TrueObject, ...]:
    things, labels = paint(scene.things, scene.size_hw, config)
    indices = [k for k, thing in enumerate(things) if thing.category >= 0]
    if not indices:
        return ()
    rles = masks.encode(labels[None] == np.array(indices, dtype=np.int16)[:, None, None])
    areas, boxes = masks.area(rles), masks.boxes(rles)
    population = np.bincount([things[k].category for k in indices])
    found = []
    for k, rle, area, box in zip(indices, rles, areas, boxes, strict=True):
        thing = things[k]
        whole = np.count_nonzero(covers(thing, window(thing, scene.size_hw)))
        x, y, w, h = (float(value) for value in box)
        share, crowded = float(area / whole), bool(population[thing.category] > CROWD_CELL)
        category_id = world_categories()[thing.category].id
        found.append(TrueObject(category_id, rle, (x, y, w, h), int(area), share, crowded))
    return tuple(found)
