from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from amidst.errors import ConfigError, ImageError, TrainingError
from amidst.training.batching import BatchPlan, BatchStream, epoch_batches, load_batches, steps_per_epoch
from amidst.training.samples import Pictures, Sample, Samples

CPU = torch.device("cpu")


def sizes(landscape: int, portrait: int) -> np.ndarray:
    return np.array([(40, 60)] * landscape + [(60, 40)] * portrait)


def stream(
    sizes_hw: np.ndarray, start: int = 0, stop: int = 10, rank: int = 0, world: int = 1
) -> BatchStream:
    plan = BatchPlan(sizes_hw, batch_size=4, seed=5, aspect_grouping=True)
    return BatchStream(plan, start, stop, rank, world)


def test_a_finished_run_has_no_batches() -> None:
    assert list(stream(sizes(3, 3), start=10)) == []
    assert len(stream(sizes(3, 3), start=11)) == 0


@pytest.mark.parametrize("grouping", [False, True])
@pytest.mark.parametrize(("landscape", "portrait"), [(1, 0), (0, 3), (8, 0), (9, 7), (5, 2)])
def test_each_image_once_and_the_last_batch_filled(landscape: int, portrait: int, grouping: bool) -> None:
    images = landscape + portrait
    batches = epoch_batches(sizes(landscape, portrait), 4, 0, 0, grouping)
    assert batches.shape == (steps_per_epoch(images, 4), 4)
    assert set(batches.flatten().tolist()) == set(range(images))


def test_landscape_and_portrait_do_not_mix_but_in_the_left_over() -> None:
    batches = epoch_batches(sizes(50, 31), 4, 0, 0, aspect_grouping=True)
    mixed = [batch for batch in (batches >= 50) if 0 < batch.sum() < 4]
    assert len(mixed) <= 2
    ungrouped = epoch_batches(sizes(50, 31), 4, 0, 0, aspect_grouping=False)
    assert len([batch for batch in (ungrouped >= 50) if 0 < batch.sum() < 4]) > 5


def test_order_depends_on_seed_and_epoch() -> None:
    first = epoch_batches(sizes(20, 0), 4, 0, 0, True)
    assert np.array_equal(first, epoch_batches(sizes(20, 0), 4, 0, 0, True))
    assert not np.array_equal(first, epoch_batches(sizes(20, 0), 4, 0, 1, True))
    assert not np.array_equal(first, epoch_batches(sizes(20, 0), 4, 1, 0, True))


def test_a_stream_starts_anywhere() -> None:
    whole = list(stream(sizes(9, 6)))
    for start in range(11):
        assert list(stream(sizes(9, 6), start=start)) == whole[start:]


def test_processes_share_the_global_batches() -> None:
    whole = list(stream(sizes(9, 6)))
    parts = [list(stream(sizes(9, 6), rank=rank, world=2)) for rank in range(2)]
    for batch, left, right in zip(whole, *parts, strict=True):
        assert [left[0], right[0], left[1], right[1]] == batch


def test_a_batch_that_cannot_be_shared_out() -> None:
    with pytest.raises(ConfigError, match="batch_size is 4; expected a multiple of the 3 processes"):
        stream(sizes(9, 6), world=3)


def test_a_batch_without_images_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be positive, found 0"):
        BatchPlan(sizes(1, 0), batch_size=0, seed=0, aspect_grouping=True)


@pytest.fixture
def samples(make_scene: Any, tmp_path: Path) -> Samples:
    dataset = make_scene(7)
    return Samples(dataset, tmp_path / "images", dataset.class_map())


def all_batches(samples: Samples, workers: int) -> list[list[Sample]]:
    return list(load_batches(samples, stream(samples.sizes_hw, stop=3), workers=workers, device=CPU))


def test_workers_give_what_one_process_gives(samples: Samples) -> None:
    alone, helped = all_batches(samples, 0), all_batches(samples, 2)
    assert len(alone) == len(helped) == 3
    for batch, other, indices in zip(alone, helped, stream(samples.sizes_hw, stop=3), strict=True):
        assert [s.image_id for s in batch] == [s.image_id for s in other] == indices
        for index, a, b in zip(indices, batch, other, strict=True):
            assert torch.equal(a.image, b.image)
            assert torch.equal(a.image, samples[index].image)
            assert torch.equal(a.boxes_xyxy, samples[index].boxes_xyxy)
            assert torch.equal(a.class_index, samples[index].class_index)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_is_named(samples: Samples, workers: int) -> None:
    samples.pictures.path(2).write_bytes(b"not an image")
    with pytest.raises(ImageError) as caught:
        all_batches(samples, workers)
    assert str(samples.pictures.path(2)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_image_is_named(samples: Samples, workers: int) -> None:
    samples.pictures.path(3).unlink()
    with pytest.raises(ImageError, match=r"3\.png"):
        all_batches(samples, workers)


class Deadly(Pictures):
    """Kills the process that reads, as the system does when memory runs out."""

    def read(self, index: int) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().read(index)


def test_a_worker_that_dies(samples: Samples) -> None:
    samples.pictures.__class__ = Deadly
    with pytest.raises(TrainingError, match=r"lower data\.workers"):
        all_batches(samples, 1)
