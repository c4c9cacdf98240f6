"""Run a mask proposal network over image files (C.6, D.5, G): from windows of logits to masks.

A network gives, for each proposal, logits over a window of the resized image. Here the windows are moved to
the original image, the logits enlarged to it, thresholded and run-length encoded, and each mask gets its
tight box. Images go through the network one at a time: an image has thousands of windows already.

N proposals of an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from amidst.coco import masks
from amidst.coco.classes import AGNOSTIC
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Rle
from amidst.coco.results import Results
from amidst.errors import OutOfMemory, UsageError
from amidst.inference.mask_windows import paste
from amidst.inference.predict import OnError, Progress, dataset_sources, device_of, resize_rule
from amidst.inference.reading import Prepared, Source, prepare, prepare_pixels, read_ahead
from amidst.models.build import size_divisor
from amidst.models.config import MaskConfig
from amidst.models.structures import MaskProposals
from amidst.models.weights import ModelInfo
from amidst.ops.images import make_batch
from amidst.ops.nms import nms
from amidst.training.config import ResizeConfig


class Proposed(NamedTuple):
    """The proposals for one image, by descending score, in pixels of the original of size (H, W)."""

    path: Path
    size_hw: tuple[int, int]
    scores: npt.NDArray[np.float64]  # (N,)
    rles: tuple[Rle, ...]  # N masks
    boxes_xywh: npt.NDArray[np.float64]  # (N, 4), tight
    image_id: int | None = None


def propose_images(
    model: nn.Module,
    info: ModelInfo,
    sources: Iterable[str | Path | Source],
    *,
    limit: int | None = None,
    nms_iou: float | None = None,
    resize: ResizeConfig | None = None,
    workers: int = 2,
    on_error: OnError | None = None,
) -> Iterator[Proposed]:
    """Mask proposals for `sources` in their order, at most `limit` an image; a mask has at least one pixel.

    Of these, with `nms_iou`, those whose tight box overlaps no better one's by more (the thesis keeps all).
    `resize` defaults to the rule the model was trained with. An image that cannot be read is passed to
    `on_error` and left out; without `on_error` its ImageError is raised. Raises UsageError for a model that
    proposes no masks and OutOfMemory where the device cannot hold an image.
    """
    if not isinstance(info.config, MaskConfig):
        raise UsageError("this model proposes no masks; amidst predict runs it")
    device = device_of(model)
    listed = (item if isinstance(item, Source) else Source(Path(item)) for item in sources)
    read = partial(prepare, rule=resize or resize_rule(info), device=device)
    was_training = model.training
    model.eval()
    try:
        for item in read_ahead(listed, read, workers=workers, ahead=1 + 2 * workers):
            if isinstance(item, Prepared):
                yield _propose(model, info, item, limit, nms_iou)
            elif on_error is None:
                raise item.error
            else:
                on_error(item.source.path, item.error)
    finally:
        model.train(was_training)


def propose_dataset(
    model: nn.Module,
    info: ModelInfo,
    dataset: CocoDataset,
    images_dir: str | Path,
    *,
    limit: int | None = None,
    resize: ResizeConfig | None = None,
    workers: int = 2,
    shard: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> Results:
    """Proposals for every image of `dataset` (of one `shard` of it) as COCO results with masks and boxes.

    Raises ImageError for an image that cannot be read or has another size than its record.
    """
    sources = dataset_sources(dataset, images_dir, shard)
    parts: list[Results] = []
    found = propose_images(model, info, sources, limit=limit, resize=resize, workers=workers)
    for done, proposed in enumerate(found, start=1):
        parts.append(to_results(proposed))
        if progress is not None:
            progress(done, len(sources))
    return Results.concatenate(parts)


def to_results(proposed: Proposed) -> Results:
    """The proposals of one image as COCO results, of the category id that stands for any object.

    Raises UsageError for an image without an id.
    """
    if proposed.image_id is None:
        raise UsageError(f"{proposed.path}: no image id; results need one")
    number = len(proposed.scores)
    return Results(
        image_ids=np.full(number, proposed.image_id, dtype=np.int64),
        category_ids=np.full(number, AGNOSTIC.id, dtype=np.int64),
        scores=proposed.scores,
        boxes_xywh=proposed.boxes_xywh,
        rles=proposed.rles,
    )


class Masks(NamedTuple):
    """Proposals that have at least one pixel: windows in pixels of the original, and their masks."""

    windows: MaskProposals  # N, on the CPU
    rles: tuple[Rle, ...]  # N


def propose_pixels(
    model: nn.Module,
    info: ModelInfo,
    image: npt.NDArray[np.uint8],
    rule: ResizeConfig,
    limit: int | None = None,
) -> Masks:
    """Mask proposals for an image uint8 (H, W, 3) in memory. Errors as `propose_images`."""
    device = device_of(model)
    return _masks(model, info, prepare_pixels(Source(Path()), image, rule, device), limit)


def _propose(
    model: nn.Module, info: ModelInfo, item: Prepared, limit: int | None, nms_iou: float | None
) -> Proposed:
    found = _masks(model, info, item, limit)
    scores, rles, boxes = found.windows.scores, found.rles, masks.boxes(found.rles)
    if nms_iou is not None:
        corners = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
        kept = nms(torch.from_numpy(corners), scores, nms_iou)
        scores, rles, boxes = scores[kept], tuple(rles[n] for n in kept.tolist()), boxes[kept.numpy()]
    in_double = scores.to(torch.float64).numpy()
    return Proposed(item.source.path, item.size_hw, in_double, rles, boxes, item.source.image_id)


def _masks(model: nn.Module, info: ModelInfo, item: Prepared, limit: int | None) -> Masks:
    found = _forward(model, info, item)
    scale_y, scale_x = (before / now for before, now in zip(item.size_hw, item.image.shape[-2:], strict=True))
    windows = found.windows_xyxy * found.windows_xyxy.new_tensor([scale_x, scale_y, scale_x, scale_y])
    found = _select(replace(found, windows_xyxy=windows), slice(limit))
    assert isinstance(info.config, MaskConfig)
    rles = paste(found, item.size_hw, info.config.decode.mask_threshold)
    kept = np.flatnonzero(masks.area(rles) > 0)
    return Masks(_select(found, torch.from_numpy(kept)), tuple(rles[i] for i in kept))


def _select(found: MaskProposals, which: slice | torch.Tensor) -> MaskProposals:
    """Some of the proposals, on the CPU."""
    parts = (found.scores, found.logits, found.windows_xyxy)
    scores, logits, windows = (part.cpu()[which] for part in parts)
    return MaskProposals(scores, logits, windows)


def _forward(model: nn.Module, info: ModelInfo, item: Prepared) -> MaskProposals:
    pixels = info.config.pixels
    try:
        with torch.no_grad():
            batch = make_batch(
                [item.image],
                order=pixels.order,
                scale=pixels.scale,
                mean=pixels.mean,
                std=pixels.std,
                divisor=size_divisor(info.config),
            )
            (found,) = model(batch)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"the device has too little memory for an image of {tuple(item.image.shape[-2:])} pixels: lower "
            "the short side of the resize rule"
        ) from error
    proposals: MaskProposals = found
    return proposals
