"""How long a detector takes for one photograph: the network and what turns its output into boxes, alone.

Reading and resizing are left out, as in the thesis. Photographs go one at a time, through all networks that
are to be compared before the next one comes, so that other work on the machine slows all of them alike; of
each network the median counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from amidst.apps.cli.jobs import Split
from amidst.inference.predict import dataset_sources
from amidst.inference.reading import Source, Unreadable, prepare
from amidst.models.build import size_divisor
from amidst.models.weights import ModelInfo
from amidst.ops.images import make_batch
from amidst.training.config import ResizeConfig

TIMED_IMAGES = 25
WARM_UP = 2


@dataclass(frozen=True)
class Contestant:
    """A network, prepared for inference, and the size it gets images in."""

    model: nn.Module
    info: ModelInfo
    rule: ResizeConfig


def times_per_image(contestants: Sequence[Contestant], split: Split) -> list[float]:
    """Median milliseconds of each network on photographs spread over the sizes of `split`.

    Nothing for a split without images. Raises ImageError for a photograph that cannot be read.
    """
    sources = dataset_sources(split.dataset, split.images_dir, proposals=split.proposals)
    chosen = sources[:: max(1, len(sources) // TIMED_IMAGES)][:TIMED_IMAGES]
    spent: list[list[float]] = [[] for _ in contestants]
    for source in [*chosen[:1] * WARM_UP, *chosen]:
        for times, contestant in zip(spent, contestants, strict=True):
            times.append(_milliseconds(contestant, source))
    return [statistics.median(times[WARM_UP:]) for times in spent] if chosen else []


def _milliseconds(contestant: Contestant, source: Source) -> float:
    model, pixels = contestant.model, contestant.info.config.pixels
    device = next(model.parameters()).device
    item = prepare(source, contestant.rule, device)
    if isinstance(item, Unreadable):
        raise item.error
    batch = make_batch(
        [item.image],
        order=pixels.order,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        divisor=size_divisor(contestant.info.config),
    )
    if item.proposals_xyxy is not None:
        batch = replace(batch, proposals_xyxy=(item.proposals_xyxy,))
    _wait_for(device)
    begun = time.perf_counter()
    with torch.no_grad():
        model(batch)
    _wait_for(device)
    return 1000 * (time.perf_counter() - begun)


def _wait_for(device: torch.device) -> None:
    """An accelerator works on while Python goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
