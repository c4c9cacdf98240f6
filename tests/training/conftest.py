"""Generated photographs: coloured rectangles on grey noise, with their boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image
from amidst.recipes.smoke import smoke
from amidst.training.config import Experiment, ResizeConfig

COLOURS = ((220, 40, 40), (40, 60, 220))

MakeScene = Callable[..., CocoDataset]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Pictures of 64 pixels gain nothing from threads that wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def make_scene(tmp_path: Path) -> MakeScene:
    """`make_scene(images, objects=2)` writes images below tmp_path / "images" and gives their dataset.

    Even image ids are landscape 64x48 (width x height), odd ones portrait 40x56; ids start at 0.
    """
    return lambda images, objects=2: write_scene(tmp_path / "images", images, objects)


def write_scene(folder: Path, images: int, objects: int) -> CocoDataset:
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(7)
    records, annotations = [], []
    for image_id in range(images):
        width, height = (64, 48) if image_id % 2 == 0 else (40, 56)
        pixels = generator.integers(100, 156, (height, width, 3), dtype=np.uint8)
        for _ in range(objects):
            w, h = generator.integers(12, 28, 2).tolist()
            x, y = int(generator.integers(0, width - w)), int(generator.integers(0, height - h))
            category = int(generator.integers(0, 2))
            pixels[y : y + h, x : x + w] = COLOURS[category]
            annotations.append(
                Annotation(len(annotations), image_id, 10 + category, (x, y, w, h), float(w * h))
            )
        PillowImage.fromarray(pixels).save(folder / f"{image_id}.png")
        records.append(Image(image_id, width, height, f"{image_id}.png"))
    categories = (Category(10, "red"), Category(11, "blue"))
    return CocoDataset(tuple(records), tuple(annotations), categories)


@pytest.fixture
def tiny_experiment() -> Experiment:
    """Ten updates of four 64-pixel images with everything switched on that changes the result."""
    experiment = smoke()
    replace = msgspec.structs.replace
    return replace(
        experiment,
        name="tiny",
        data=replace(
            experiment.data,
            resize=ResizeConfig(short=64, long=96),
            train_short_sides=(48, 64),
            crop_scale=(0.6, 1.3),
            colour_jitter=0.3,
        ),
        schedule=replace(experiment.schedule, iterations=10, warmup_iterations=3),
        train=replace(experiment.train, log_every=1, checkpoint_every=5, ema_decay=0.9, seed=3),
    )
