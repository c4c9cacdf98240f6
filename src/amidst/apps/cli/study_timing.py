"""How long a detector takes for one photograph: the network and what turns its output into boxes, alone.

Reading and resizing are left out, as in the thesis. Photographs go one at a time; the median is what counts,
because other work on the machine makes some of them slow and none of them fast.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

import torch
from torch import nn

from amidst.apps.cli.jobs import Split
from amidst.inference.predict import dataset_sources, resize_rule
from amidst.inference.reading import Unreadable, prepare
from amidst.models.build import size_divisor
from amidst.models.weights import ModelInfo
from amidst.ops.images import make_batch
from amidst.training.config import ResizeConfig

TIMED_IMAGES = 50
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Timing:
    """Median milliseconds of one image, over how many."""

    ms: float
    images: int


def time_per_image(
    model: nn.Module, info: ModelInfo, split: Split, rule: ResizeConfig | None = None
) -> Timing | None:
    """The time of `model`, prepared for inference, on photographs spread over the sizes of `split`.

    None for a split without images. Raises ImageError for a photograph that cannot be read.
    """
    device = next(model.parameters()).device
    pixels, divisor = info.config.pixels, size_divisor(info.config)
    sources = dataset_sources(split.dataset, split.images_dir, proposals=split.proposals)
    chosen = sources[:: max(1, len(sources) // TIMED_IMAGES)][:TIMED_IMAGES]
    spent: list[float] = []
    for source in [*chosen[:1] * WARM_UP, *chosen]:
        item = prepare(source, rule or resize_rule(info), device)
        if isinstance(item, Unreadable):
            raise item.error
        batch = make_batch(
            [item.image],
            order=pixels.order,
            scale=pixels.scale,
            mean=pixels.mean,
            std=pixels.std,
            divisor=divisor,
        )
        if item.proposals_xyxy is not None:
            batch = replace(batch, proposals_xyxy=(item.proposals_xyxy,))
        _wait_for(device)
        begun = time.perf_counter()
        with torch.no_grad():
            model(batch)
        _wait_for(device)
        spent.append(1000 * (time.perf_counter() - begun))
    return Timing(statistics.median(spent[WARM_UP:]), len(chosen)) if chosen else None


def _wait_for(device: torch.device) -> None:
    """An accelerator works on while Python goes on."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
