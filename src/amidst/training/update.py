"""One update of the weights: forward, backward, clip, step.

Losses are computed in float32 by the network whatever the precision of its convolutions. The update is
refused, before it touches the weights, if a loss or a gradient is not finite.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from amidst.errors import NonFiniteLoss
from amidst.ops.images import ImageBatch
from amidst.training import distributed
from amidst.training.ema import WeightAverage
from amidst.training.optim import clip
from amidst.training.samples import Sample


@dataclass(frozen=True, slots=True)
class Prepared:
    """One micro-batch as the network takes it."""

    images: ImageBatch
    targets: Sequence[object]  # one of the network's kind for each image or patch
    image_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update tells about itself, as means over its micro-batches and over all processes."""

    losses: dict[str, float]
    grad_norm: float
    stop: bool  # some process was asked to stop
    wait_s: float  # for data


@dataclass(slots=True)
class Learner:
    """Everything that an update changes."""

    model: nn.Module  # the network itself
    module: nn.Module  # the same, wrapped for several processes
    optimiser: torch.optim.Optimizer
    average: WeightAverage | None
    scaler: torch.amp.GradScaler
    dtype: torch.dtype
    clip_norm: float | None
    accumulate: int


Prepare = Callable[[list[Sample]], Prepared]


def update(learner: Learner, batches: Iterator[list[Sample]], prepare: Prepare, stop: bool) -> Updated:
    """Learn from the next `accumulate` micro-batches.

    Raises NonFiniteLoss with the image ids.
    """
    learner.optimiser.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    image_ids: list[int] = []
    wait_s = 0.0
    for micro in range(learner.accumulate):
        begin = time.perf_counter()
        samples = next(batches)
        wait_s += time.perf_counter() - begin
        prepared = prepare(samples)
        image_ids += prepared.image_ids
        losses = _accumulate_gradients(learner, prepared, last=micro == learner.accumulate - 1)
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + loss.detach() / learner.accumulate
    learner.scaler.unscale_(learner.optimiser)
    grad_norm = clip(learner.optimiser, learner.clip_norm)
    told = distributed.mean_over_processes(
        torch.stack([*sums.values(), torch.full_like(grad_norm, float(stop))])
    )
    values = [*told.tolist(), float(grad_norm)]
    names = [*sums, "stop", "grad_norm"]
    result = dict(zip(names, values, strict=True))
    _refuse_non_finite(result, image_ids, scaled=learner.scaler.is_enabled())
    learner.scaler.step(learner.optimiser)
    learner.scaler.update()
    if learner.average is not None:
        learner.average.update()
    return Updated(
        losses={name: result[name] for name in sums},
        grad_norm=result["grad_norm"],
        stop=result["stop"] > 0,
        wait_s=wait_s,
    )


def _accumulate_gradients(learner: Learner, prepared: Prepared, last: bool) -> dict[str, Tensor]:
    """Forward and backward; processes average their gradients with the last micro-batch only."""
    wrapped = learner.module is not learner.model
    quiet = learner.module.no_sync() if wrapped and not last else contextlib.nullcontext()  # type: ignore[operator]
    device = prepared.images.pixels.device
    with quiet:
        with torch.autocast(device.type, dtype=learner.dtype, enabled=learner.dtype != torch.float32):
            losses: dict[str, Tensor] = learner.module(prepared.images, prepared.targets)
        loss = torch.stack(list(losses.values())).sum() / learner.accumulate
        torch.autograd.backward(learner.scaler.scale(loss))
    return losses


def _refuse_non_finite(result: dict[str, float], image_ids: list[int], scaled: bool) -> None:
    """float16 gradients may overflow: the scaler then skips the update, so only losses count there."""
    bad = [name for name, value in result.items() if not abs(value) < float("inf")]
    if scaled:
        bad = [name for name in bad if name != "grad_norm"]
    if bad:
        shown = ", ".join(f"{name} = {result[name]}" for name in bad)
        raise NonFiniteLoss(
            f"{shown} in a batch of the images with ids {', '.join(map(str, image_ids))}; "
            "lower optim.lr, set optim.clip_norm, or look at these images' boxes"
        )
