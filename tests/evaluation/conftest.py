"""Random datasets with detections, small enough for plain implementations, and a plain IoU."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results

FAMILIES = ("animal", "animal", "vehicle", "")
"""Super-category of each category; the last has none."""


def box(draw: random.Random, side: int = 60) -> tuple[float, float, float, float]:
    x, y = draw.uniform(0, side), draw.uniform(0, side)
    return (x, y, draw.uniform(1, side), draw.uniform(1, side))


def jittered(draw: random.Random, of: tuple[float, ...]) -> tuple[float, ...]:
    x, y, w, h = of
    shift = draw.choice([0.0, 0.1, 0.5])
    return (
        x + draw.uniform(-shift, shift) * w,
        y + draw.uniform(-shift, shift) * h,
        w * (1 + draw.uniform(-shift, shift)),
        h * (1 + draw.uniform(-shift, shift)),
    )


def make_set(seed: int, *, segmented: bool = False) -> tuple[CocoDataset, Results]:
    """Up to 5 images of 4 categories; jittered, doubled, misnamed and stray detections; equal scores."""
    draw = random.Random(seed)
    images = tuple(Image(id, 160, 160, f"{id}.jpg") for id in draw.sample(range(99), draw.randint(1, 5)))
    categories = tuple(Category(3 * k, f"c{k}", name) for k, name in enumerate(FAMILIES))
    annotations = []
    for id in range(draw.randint(0, 14)):
        at = box(draw)
        x, y, w, h = at
        outline = ((x, y, x + w, y, x + w / 2, y + h),) if segmented else None
        annotations.append(
            Annotation(
                id,
                draw.choice(images).id,
                draw.choice(categories).id,
                at,
                draw.uniform(0.3, 1) * w * h,
                draw.random() < 0.15,
                draw.random() < 0.1,
                outline,
            )
        )
    records = []
    for a in annotations:
        for _ in range(draw.choice([0, 1, 1, 2])):
            other = draw.random() < 0.25
            records.append(
                (
                    a.image_id,
                    draw.choice(categories).id if other else a.category_id,
                    jittered(draw, a.bbox_xywh),
                )
            )
    records += [
        (draw.choice(images).id, draw.choice(categories).id, box(draw)) for _ in range(draw.randint(0, 5))
    ]
    draw.shuffle(records)
    scores = [draw.choice([0.1, 0.5, 0.5, draw.random()]) for _ in records]
    results = Results(
        np.array([r[0] for r in records], np.int64),
        np.array([r[1] for r in records], np.int64),
        np.array(scores),
        np.array([r[2] for r in records], np.float64).reshape(-1, 4),
    )
    return CocoDataset(images, tuple(annotations), categories), results


def overlap(a: tuple[float, ...], b: tuple[float, ...], crowd: bool = False) -> float:
    w = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    h = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    return w * h / (a[2] * a[3] if crowd else a[2] * a[3] + b[2] * b[3] - w * h)


@pytest.fixture(scope="session")
def random_set() -> Callable[..., tuple[CocoDataset, Results]]:
    """`random_set(seed, segmented=False)`."""
    return make_set


@pytest.fixture(scope="session")
def plain_iou() -> Callable[..., float]:
    """`plain_iou(a_xywh, b_xywh, crowd=False)`."""
    return overlap
