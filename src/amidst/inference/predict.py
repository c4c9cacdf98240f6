"""Run a detector over image files: the one place where boxes leave the tensors.

Inside, boxes are xyxy in the resized image; what comes out is in pixels of the original image as
`amidst.coco.images.read_image` gives it (orientation applied), clipped to it. Images are batched only with
images of the same padded size, so that the batch size never changes what a network with normalisation over
the image (GroupNorm) sees, and thus no result beyond the order of floating-point sums.

Shapes: B images of a batch, h, w resized image, N detections.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from amidst.coco.classes import AGNOSTIC
from amidst.coco.dataset import CocoDataset
from amidst.coco.files import image_path
from amidst.coco.proposals import Proposals
from amidst.coco.results import Results
from amidst.config import from_builtins
from amidst.errors import ConfigError, ImageError, OutOfMemory, UsageError
from amidst.inference.reading import Prepared, Source, Unreadable, prepare, read_ahead
from amidst.models.build import size_divisor
from amidst.models.config import ProposalConfig
from amidst.models.structures import Detections
from amidst.models.weights import ModelInfo
from amidst.ops.images import ImageBatch, make_batch
from amidst.training.config import ResizeConfig

logger = logging.getLogger(__name__)

T = TypeVar("T")

OnError = Callable[[Path, ImageError], None]
Progress = Callable[[int, int], None]  # images done, images in all


class Prediction(NamedTuple):
    """What a detector says about one image.

    `size_hw` is the original height and width; `detections.boxes_xyxy` (N, 4) are in its pixels, on the CPU,
    in descending order of score as the model gave them.
    """

    path: Path
    size_hw: tuple[int, int]
    detections: Detections
    image_id: int | None = None


def resize_rule(info: ModelInfo) -> ResizeConfig:
    """The resize rule a model was validated with, kept in `info.notes["resize"]`; without one, the default.

    Raises ConfigError when the note is there but not a rule.
    """
    note = info.notes.get("resize")
    if note is None:
        return ResizeConfig()
    if not isinstance(note, dict) or not {"short", "long"} <= set(note):
        raise ConfigError(f"model notes: expected resize to hold short and long, found {note!r}")
    rule: ResizeConfig = from_builtins({"short": note["short"], "long": note["long"]}, ResizeConfig)
    return rule


def device_of(model: nn.Module) -> torch.device:
    """Where the images of a network belong; an exported one has no parameters and runs on the CPU."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def predict_images(
    model: nn.Module,
    info: ModelInfo,
    sources: Iterable[str | Path | Source],
    *,
    resize: ResizeConfig | None = None,
    batch_size: int = 1,
    workers: int = 2,
    on_error: OnError | None = None,
) -> Iterator[Prediction]:
    """Predictions for `sources` in their order, on the device `model` is on.

    `resize` defaults to the rule the model was trained with. An image that cannot be read is passed to
    `on_error` and left out; without `on_error` its ImageError is raised. Raises OutOfMemory where the device
    cannot hold a batch. The model is in evaluation mode until the iterator is exhausted or closed.
    """
    rule = resize or resize_rule(info)
    listed = (item if isinstance(item, Source) else Source(Path(item)) for item in sources)
    read = partial(prepare, rule=rule, device=device_of(model), pixels=info.config.pixels)
    items = read_ahead(listed, read, workers=workers, ahead=_window(batch_size) + 2 * workers)
    yield from predict_prepared(model, info, _readable(items, on_error), batch_size)


def predict_prepared(
    model: nn.Module,
    info: ModelInfo,
    items: Iterable[Prepared],
    batch_size: int = 1,
    window: int | None = None,
) -> Iterator[Prediction]:
    """Predictions for images that are read and resized, in their order; otherwise as `predict_images`.

    Images of equal size are sought among `window` neighbours.
    """
    divisor = size_divisor(info.config)
    was_training = model.training
    model.eval()
    try:
        for chunk in _chunks(items, window or _window(batch_size)):
            yield from _predict_window(model, info, chunk, batch_size, divisor)
    finally:
        model.train(was_training)


def _window(batch_size: int) -> int:
    """Images among which batches of equal size are sought."""
    return 1 if batch_size == 1 else 4 * batch_size


def _readable(items: Iterable[Prepared | Unreadable], on_error: OnError | None) -> Iterator[Prepared]:
    for item in items:
        if isinstance(item, Prepared):
            yield item
        elif on_error is None:
            raise item.error
        else:
            on_error(item.source.path, item.error)


def predict_dataset(
    model: nn.Module,
    info: ModelInfo,
    dataset: CocoDataset,
    images_dir: str | Path,
    *,
    resize: ResizeConfig | None = None,
    batch_size: int = 1,
    workers: int = 2,
    shard: tuple[int, int] = (0, 1),
    proposals: Proposals | None = None,
    progress: Progress | None = None,
    on_error: OnError | None = None,
) -> Results:
    """Detections for every image of `dataset`, with its image ids and the model's category ids.

    `proposals` are for a network that judges proposals from elsewhere.
    `shard` (rank, world) takes every world-th image from rank on; the results of all ranks together are
    those of the whole. Raises ImageError for an image that cannot be read or has another size than its
    record, unless `on_error` takes it.
    """
    sources = dataset_sources(dataset, images_dir, shard, proposals)
    category_ids = dataset_category_ids(info, dataset)
    failed = 0

    def failing(path: Path, error: ImageError) -> None:
        nonlocal failed
        if on_error is None:
            raise error
        failed += 1
        on_error(path, error)

    predictions = predict_images(
        model, info, sources, resize=resize, batch_size=batch_size, workers=workers, on_error=failing
    )
    parts: list[Results] = []
    for done, prediction in enumerate(predictions, start=1):
        parts.append(to_results(prediction, category_ids))
        if progress is not None:
            progress(done + failed, len(sources))
    return Results.concatenate(parts)


def dataset_sources(
    dataset: CocoDataset,
    images_dir: str | Path,
    shard: tuple[int, int] = (0, 1),
    proposals: Proposals | None = None,
) -> list[Source]:
    """The images of `dataset` (of one `shard` of it) to read, images of equal size side by side."""
    rank, world = shard
    images = sorted(dataset.images, key=lambda image: (image.height, image.width))[rank::world]
    return [
        Source(
            image_path(images_dir, image.file_name),
            (image.height, image.width),
            image.id,
            None if proposals is None else proposals.of(image.id)[0],
        )
        for image in images
    ]


def dataset_category_ids(info: ModelInfo, dataset: CocoDataset) -> npt.NDArray[np.int64]:
    """Category id of each class index in terms of `dataset`: int64 (K,).

    A class keeps its id where the dataset has it under the same name; otherwise it takes the id of the
    dataset's category of its name (case aside); otherwise it keeps its own id, with a warning where
    the dataset gives that id to something else. Proposals are of no category: theirs is always 1.
    """
    if isinstance(info.config, ProposalConfig):
        return np.array([AGNOSTIC.id], dtype=np.int64)
    names = {category.id: category.name for category in dataset.categories}
    ids = {category.name.casefold(): category.id for category in reversed(dataset.categories)}
    found: list[int] = []
    for category in info.categories:
        own_id, name = int(category["id"]), str(category["name"])
        here = own_id if names.get(own_id) == name else ids.get(name.casefold(), own_id)
        found.append(here)
        theirs = names.get(here, name)
        if theirs.casefold() != name.casefold():
            logger.warning("the model calls category %d %r, the dataset %r", here, name, theirs)
    return np.array(found, dtype=np.int64)


def to_results(prediction: Prediction, category_ids: npt.NDArray[np.int64]) -> Results:
    """Detections of one image as COCO results: xyxy becomes xywh, class index becomes id (K,).

    Raises UsageError for an image without an id.
    """
    if prediction.image_id is None:
        raise UsageError(f"{prediction.path}: no image id; results need one")
    detections = prediction.detections
    boxes = detections.boxes_xyxy.to(torch.float64).numpy()
    class_index = detections.class_index.numpy()
    return Results(
        image_ids=np.full(len(class_index), prediction.image_id, dtype=np.int64),
        category_ids=category_ids[class_index],
        scores=detections.scores.to(torch.float64).numpy(),
        boxes_xywh=np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1),
        rles=None,
    )


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _predict_window(
    model: nn.Module, info: ModelInfo, images: Sequence[Prepared], batch_size: int, divisor: int
) -> Iterator[Prediction]:
    """Predictions for `images` in their order, batched by equal padded size."""
    groups: dict[tuple[int, int], list[int]] = {}
    for index, item in enumerate(images):
        height, width = item.image.shape[-2:]
        groups.setdefault((-(-height // divisor), -(-width // divisor)), []).append(index)
    found: dict[int, Detections] = {}
    for members in groups.values():
        for batch in _chunks(members, batch_size):
            found.update(zip(batch, _forward(model, info, [images[i] for i in batch], divisor), strict=True))
    for index, item in enumerate(images):
        resized_hw = (int(item.image.shape[-2]), int(item.image.shape[-1]))
        detections = _to_original(found[index], resized_hw, item.size_hw)
        yield Prediction(item.source.path, item.size_hw, detections, item.source.image_id)


def _forward(model: nn.Module, info: ModelInfo, images: list[Prepared], divisor: int) -> list[Detections]:
    pixels = info.config.pixels
    proposals = tuple(item.proposals_xyxy for item in images if item.proposals_xyxy is not None)
    try:
        with torch.no_grad():  # not inference_mode: a network may keep anchors for training
            batch: ImageBatch = make_batch(
                [item.image for item in images],
                order=pixels.order,
                scale=pixels.scale,
                mean=pixels.mean,
                std=pixels.std,
                divisor=divisor,
            )
            detections: list[Detections] = model(replace(batch, proposals_xyxy=proposals or None))
            return detections
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"the device has too little memory for {len(images)} images of "
            f"{tuple(images[0].image.shape[-2:])} pixels: lower the batch size, or the short side of the "
            "resize rule"
        ) from error


def _to_original(detections: Detections, resized_hw: tuple[int, int], size_hw: tuple[int, int]) -> Detections:
    """Boxes from the resized image to the original one, clipped to it; everything on the CPU."""
    scale_y, scale_x = size_hw[0] / resized_hw[0], size_hw[1] / resized_hw[1]
    boxes = detections.boxes_xyxy.to("cpu", torch.float32)
    boxes = boxes * boxes.new_tensor([scale_x, scale_y, scale_x, scale_y])
    limit = boxes.new_tensor([size_hw[1], size_hw[0], size_hw[1], size_hw[0]])
    boxes = torch.minimum(boxes.clamp(min=0), limit)
    return Detections(boxes, detections.scores.cpu().float(), detections.class_index.cpu())
