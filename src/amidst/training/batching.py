"""Which images make up which batch, and their way from disk to the device.

The order is a pure function of (seed, epoch), so that a run can start at any batch without reading what
came before, and every process of a distributed run finds its share of the same global batches. Landscape
and portrait images come in separate batches (J.1), which saves padding.

Shape legend: I images, S batches of an epoch, B images of a global batch, R processes.
"""

from __future__ import annotations

import signal
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from amidst.errors import ConfigError, ImageError, TrainingError
from amidst.training.samples import Pictures, Sample, Samples

IntArray = npt.NDArray[np.int64]


def steps_per_epoch(images: int, batch_size: int) -> int:
    """S: every image once, the last batch filled up."""
    return -(-images // batch_size)


def epoch_batches(
    sizes_hw: IntArray, batch_size: int, seed: int, epoch: int, aspect_grouping: bool
) -> IntArray:
    """Image indices (S, B) of one epoch: each image once; the last places repeat images of the same epoch.

    With grouping each batch is all landscape or all portrait, but for the last one or two, which take what
    is left over of both.
    """
    generator = np.random.default_rng((seed, epoch))
    order = generator.permutation(len(sizes_hw))
    if aspect_grouping:
        portrait = sizes_hw[order, 0] > sizes_hw[order, 1]
        groups = [order[~portrait], order[portrait]]
        whole = [group[: len(group) // batch_size * batch_size] for group in groups]
        rest = [group[len(group) // batch_size * batch_size :] for group in groups]
        order = np.concatenate([*whole, *rest])
    steps = steps_per_epoch(len(order), batch_size)
    batches = np.resize(order, (steps, batch_size))  # np.resize repeats from the front
    return batches[generator.permutation(steps)] if aspect_grouping else batches


class BatchPlan:
    """The global batches of a run, by number."""

    def __init__(self, sizes_hw: IntArray, *, batch_size: int, seed: int, aspect_grouping: bool) -> None:
        """Raises ConfigError for an empty batch."""
        if batch_size < 1:
            raise ConfigError(f"data.batch_size must be positive, found {batch_size}")
        self.sizes_hw, self.batch_size, self.seed = sizes_hw, batch_size, seed
        self.aspect_grouping = aspect_grouping
        self.steps = steps_per_epoch(len(sizes_hw), batch_size)
        self._epoch, self._batches = -1, np.empty((0, 0), dtype=np.int64)

    def batch(self, number: int) -> IntArray:
        """Image indices (B,) of batch `number` of the run."""
        epoch, step = divmod(number, self.steps)
        if epoch != self._epoch:
            self._batches = epoch_batches(
                self.sizes_hw, self.batch_size, self.seed, epoch, self.aspect_grouping
            )
            self._epoch = epoch
        indices: IntArray = self._batches[step]
        return indices


class BatchStream(Sampler[list[int]]):
    """Batches number `start` to `stop` of a run, as one process sees them.

    Process `rank` of `world` takes every world-th place of each global batch, starting with `rank`.
    """

    def __init__(self, plan: BatchPlan, start: int, stop: int, rank: int = 0, world: int = 1) -> None:
        """Raises ConfigError if the global batch cannot be shared out equally."""
        if plan.batch_size % world:
            raise ConfigError(
                f"data.batch_size is {plan.batch_size}; expected a multiple of the {world} processes"
            )
        self.plan, self.start, self.stop = plan, start, stop
        self.places = list(range(rank, plan.batch_size, world))

    def __len__(self) -> int:
        return max(self.stop - self.start, 0)

    def __iter__(self) -> Iterator[list[int]]:
        for number in range(self.start, self.stop):
            yield self.plan.batch(number)[self.places].tolist()


@dataclass(frozen=True, eq=False, slots=True)
class PackedBatch:
    """Decoded images of one batch in one block of memory: one transfer to the device, one file handle.

    Images stand behind one another as (H, W, 3).
    """

    indices: list[int]
    pixels: Tensor  # uint8 (sum of H * W * 3,)

    def pin_memory(self) -> PackedBatch:
        """The same in page-locked memory, from which a GPU copies without waiting."""
        return PackedBatch(self.indices, self.pixels.pin_memory())


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An image that could not be read, on its way from a worker process to the one that raises."""

    problem: str
    file: str
    record: str
    rule: str


class _Fetching(Dataset[PackedBatch | Unreadable]):
    """Fetches a whole batch for a DataLoader worker."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def __getitems__(self, indices: list[int]) -> PackedBatch | Unreadable:
        blocks = []
        for index in indices:
            try:
                image = self.pictures.read(index)
            except ImageError as error:
                image_id = self.pictures.image_ids[index]
                record = error.record or f"image {image_id}"
                return Unreadable(error.problem, str(self.pictures.path(index)), record, error.rule)
            blocks.append(image.permute(1, 2, 0).reshape(-1))
        return PackedBatch(indices, torch.cat(blocks))


def _leave_interrupts_to_the_loop(worker: int) -> None:  # noqa: ARG001 - the signature that DataLoader calls
    """Ctrl-C reaches every process of the terminal; workers must outlive it until the update is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _as_fetched(batch: PackedBatch | Unreadable) -> PackedBatch | Unreadable:
    return batch


def make_loader(
    pictures: Pictures, stream: BatchStream, workers: int, *, pin_memory: bool = False
) -> DataLoader[PackedBatch | Unreadable]:
    """Decodes in `workers` processes (0 = in this one), a few batches ahead.

    Workers are started afresh instead of forked: forking a process whose threads hold locks can hang.
    """
    return DataLoader(
        _Fetching(pictures),
        batch_sampler=stream,
        num_workers=workers,
        collate_fn=_as_fetched,  # type: ignore[arg-type]
        pin_memory=pin_memory,
        worker_init_fn=_leave_interrupts_to_the_loop,
        multiprocessing_context="forkserver" if workers else None,
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # its own: a resumed run must not draw once more from torch's
    )


def load_batches(
    samples: Samples, stream: BatchStream, *, workers: int, device: torch.device
) -> Generator[list[Sample]]:
    """Batches of samples on `device`, in order.

    Raises ImageError naming the file that cannot be read, TrainingError if a worker process dies.
    """
    loader = iter(make_loader(samples.pictures, stream, workers, pin_memory=device.type == "cuda"))
    while (fetched := _next(loader)) is not None:
        if isinstance(fetched, Unreadable):
            raise ImageError(fetched.problem, file=fetched.file, record=fetched.record, rule=fetched.rule)
        yield unpack(samples, fetched, device)


def _next(loader: Iterator[PackedBatch | Unreadable]) -> PackedBatch | Unreadable | None:
    try:
        return next(loader, None)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            f"a process that reads images died ({error}); if memory ran out, lower data.workers or "
            "data.batch_size. Continue with --resume"
        ) from error


def unpack(samples: Samples, batch: PackedBatch, device: torch.device) -> list[Sample]:
    """The samples of a packed batch on `device`; their images are views of its one block."""
    sizes_hw: Sequence[list[int]] = samples.sizes_hw[batch.indices].tolist()
    pixels = batch.pixels.to(device, non_blocking=True)
    blocks = torch.split(pixels, [3 * height * width for height, width in sizes_hw])
    return [
        samples.sample(index, block.view(height, width, 3).permute(2, 0, 1))
        for index, block, (height, width) in zip(batch.indices, blocks, sizes_hw, strict=True)
    ]
