"""Several devices and machines: one process each, started by torchrun; gradients are averaged.

torchrun tells a process its place through the environment variables RANK, LOCAL_RANK and WORLD_SIZE;
without them there is one process and nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from amidst.errors import UsageError

T = TypeVar("T")

TIMEOUT = timedelta(hours=2)  # processes that wait for the first one to validate must not give up


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among all of a run."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0


def default_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def processes(device: str | torch.device | None) -> Iterator[Processes]:
    """Joins the other processes of the run for the length of the context.

    Raises UsageError if the environment names a place that does not exist.
    """
    wanted = torch.device(device) if device is not None else default_device()
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield Processes(device=wanted)
        return
    rank, local_rank = int(os.environ["RANK"]), int(os.environ.get("LOCAL_RANK", "0"))
    if wanted.type == "cuda":
        if local_rank >= torch.cuda.device_count():
            raise UsageError(
                f"process {local_rank} of this machine has no GPU: {torch.cuda.device_count()} found; "
                "lower torchrun --nproc-per-node"
            )
        wanted = torch.device("cuda", local_rank)
        torch.cuda.set_device(wanted)
    dist.init_process_group("nccl" if wanted.type == "cuda" else "gloo", timeout=TIMEOUT)
    try:
        yield Processes(rank, world, wanted)
    finally:
        dist.destroy_process_group()


def wrap(module: nn.Module, place: Processes) -> nn.Module:
    """The module with gradients averaged over all processes.

    Every trainable parameter must take part in every loss, also in a batch without objects; the losses of
    `models` see to that. A network of which a batch uses only a part says so (`partly_used`): processes then
    agree on what was used, and the rest gets no gradient, as in one process.
    """
    if place.world == 1:
        return module
    ids = [place.device] if place.device.type == "cuda" else None
    return DistributedDataParallel(
        module,
        device_ids=ids,
        broadcast_buffers=False,
        gradient_as_bucket_view=True,
        find_unused_parameters=bool(getattr(module, "partly_used", False)),
    )


def mean_over_processes(values: Tensor) -> Tensor:
    """Elementwise mean of `values` over all processes."""
    if dist.is_initialized():
        dist.all_reduce(values)
        values /= dist.get_world_size()
    return values


def place_in_run() -> tuple[int, int]:
    """(rank, world): what `inference.predict_dataset` takes as `shard`."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def gather(value: T) -> list[T]:
    """The values of all processes in order of rank, on every process. `value` must be picklable."""
    if not dist.is_initialized():
        return [value]
    gathered: list[T | None] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, value)
    return [item for item in gathered if item is not None]


def wait_for_all() -> None:
    """Returns once every process has arrived here."""
    if dist.is_initialized():
        dist.barrier()
