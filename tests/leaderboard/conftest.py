"""Small benchmarks on both databases, and stores for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image
from amidst.leaderboard import benchmarks
from amidst.leaderboard.benchmarks import NewPhase
from amidst.leaderboard.config import BenchmarkConfig, PhaseConfig
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.store import Store, open_store

T = TypeVar("T")


def small_dataset(images: int = 12, seed: int = 0) -> CocoDataset:
    """Images of 80 x 60 pixels with up to four boxes, which are masks too, of three categories."""
    rng = np.random.default_rng(seed)
    annotations: list[Annotation] = []
    for image in range(images):
        for _ in range(int(rng.integers(0, 5))):
            x, y, w, h = (float(v) for v in rng.integers((0, 0, 5, 5), (40, 30, 40, 30)))
            outline = ((x, y, x + w, y, x + w, y + h, x, y + h),)
            at = len(annotations)
            annotations.append(
                Annotation(at, image * 3, int(rng.integers(1, 4)), (x, y, w, h), w * h, False, False, outline)
            )
    pictures = tuple(Image(3 * id, 80, 60, f"{id}.jpg") for id in range(images))
    return CocoDataset(pictures, tuple(annotations), tuple(Category(k, f"c{k}") for k in (1, 2, 3)))


def detections(dataset: CocoDataset, seed: int = 0) -> list[dict[str, Any]]:
    """Boxes near the true ones, some of them of another category, with scores of which many are equal."""
    rng = np.random.default_rng(seed)
    return [
        {
            "image_id": a.image_id,
            "category_id": a.category_id if rng.random() < 0.8 else 1,
            "bbox": [float(v) for v in np.round(np.array(a.bbox_xywh) + rng.normal(0, 2, 4).clip(-4, 4), 1)],
            "score": round(float(rng.random()), 1),
        }
        for a in dataset.annotations
        for _ in range(int(rng.integers(0, 3)))
    ]


@pytest.fixture(scope="session")
def dataset() -> CocoDataset:
    return small_dataset()


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., CocoDataset]:
    return small_dataset


@pytest.fixture(scope="session")
def make_detections() -> Callable[..., list[dict[str, Any]]]:
    return detections


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty benchmark may be made, on either database."""
    if request.param == "sqlite":
        return str(tmp_path / "board" / "benchmark.db")
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def with_board(place: str, tmp_path: Path, dataset: CocoDataset) -> Callable[..., Any]:
    """with_board(play, config) runs `await play(store, folder)` on a new benchmark, phases dev and final."""

    def run(play: Callable[[Store, Folder], Awaitable[T]], config: BenchmarkConfig | None = None) -> T:
        async def main() -> T:
            folder = Folder(tmp_path / "board")
            store = await open_store(place, create=True)
            phases = [
                NewPhase("dev", 0.5, PhaseConfig()),
                NewPhase("final", 0.5, PhaseConfig(visibility="nobody")),
            ]
            await benchmarks.create(
                store,
                folder,
                dataset,
                name="Board",
                description="",
                config=config or BenchmarkConfig(),
                phases=phases,
                seed=1,
                now=0,
            )
            try:
                return await play(store, folder)
            finally:
                await store.close()

        return asyncio.run(main())

    return run
