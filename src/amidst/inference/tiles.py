"""Predict on large images tile by tile, and put together what the tiles say.

A detector sees an image at the size it was trained for; in an aerial photograph resized to that, a car is a
dot. Here the image is cut into overlapping tiles, each resized as an image of its own, and seen once whole
besides, so that large objects are not lost:

    tiles    of one size, spread evenly, neighbours overlapping by at least `overlap` of a side: an object no
             larger than the overlap lies wholly in some tile
    whole    of the whole image only larger objects are taken: the tiles see the others better
    cut      a box that touches a border of its tile inside the image may be part of an object

Merging, in pixels of the image and within a class:

    1. boxes that are not cut suppress each other by NMS
    2. a cut box goes where most of it lies in a box kept in 1: another tile saw the object whole
    3. the cut boxes left over suppress each other by NMS

An image of a single tile is predicted as without tiles, to the last bit. One decoded image and the tiles of
some batches are in memory at a time, besides what `images` holds ready.

Shapes: H, W image; T tiles, N boxes of all tiles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from amidst.errors import UsageError
from amidst.inference.predict import OnError, Prediction, Progress, device_of, predict_prepared, resize_rule
from amidst.inference.reading import Opened, Prepared, Source, Unreadable, prepare_pixels, read_ahead
from amidst.models.config import PixelConfig
from amidst.models.structures import Detections
from amidst.models.weights import ModelInfo
from amidst.ops.boxes import area
from amidst.ops.nms import nms_by_class
from amidst.training.config import ResizeConfig

Place = tuple[int, int, int, int]  # x1, y1, x2, y2 in whole pixels of the image

MERGE_IOU = 0.5
MOSTLY = 0.5  # of a cut box's area within a whole one
EDGE = 0.01  # of a tile's side: a box that comes so close to the border touches it


@dataclass(frozen=True)
class Tiling:
    """Tiles of `width` x `height` pixels; neighbours share at least `overlap` of a side, 0 <= overlap < 1."""

    width: int
    height: int
    overlap: float = 0.2

    def __post_init__(self) -> None:
        """Raises UsageError for sizes that cannot be."""
        if min(self.width, self.height) < 1:
            raise UsageError(f"tiles of {self.width}x{self.height} pixels: expected at least 1x1")
        if not 0 <= self.overlap < 1:
            raise UsageError(f"an overlap of {self.overlap}: expected at least 0 and less than 1")

    @property
    def shared_wh(self) -> tuple[float, float]:
        """What is no larger, in pixels, lies in some tile whole and clear of its border."""
        share = max(0.0, self.overlap - 2 * EDGE)
        return share * self.width, share * self.height


def places(size_hw: tuple[int, int], tiling: Tiling) -> list[Place]:
    """The tiles of an image, row by row; the whole image where it is no larger than a tile."""
    rows = _along(size_hw[0], tiling.height, tiling.overlap)
    columns = _along(size_hw[1], tiling.width, tiling.overlap)
    return [(x1, y1, x2, y2) for y1, y2 in rows for x1, x2 in columns]


def _along(side: int, tile: int, overlap: float) -> list[tuple[int, int]]:
    if side <= tile:
        return [(0, side)]
    gaps = -(-(side - tile) // max(1, int(tile * (1 - overlap))))
    starts = [round(index * (side - tile) / gaps) for index in range(gaps + 1)]
    return [(start, start + tile) for start in starts]


def predict_tiled(
    model: nn.Module,
    info: ModelInfo,
    images: Iterable[Opened | Unreadable],
    tiling: Tiling,
    *,
    resize: ResizeConfig | None = None,
    batch_size: int = 1,
    workers: int = 2,
    on_error: OnError | None = None,
    on_tile: Progress | None = None,
) -> Iterator[Prediction]:
    """As `predict_images`, for images that are open, each cut into tiles. The merged boxes are not limited
    in number. `on_tile` is told how many looks at an image are done, and of how many. Raises UsageError for
    a network that judges proposals from elsewhere.
    """
    rule, device = resize or resize_rule(info), device_of(model)
    waiting: deque[_Image] = deque()

    def views() -> Iterator[tuple[Source, torch.Tensor]]:
        for item in images:
            if isinstance(item, Opened):
                if item.source.proposals_xyxy is not None:
                    raise UsageError("tiles do not go with proposals from elsewhere")
                opened = _Image(item, tiling)
                waiting.append(opened)
                yield from opened.views()
            elif on_error is None:
                raise item.error
            else:
                on_error(item.source.path, item.error)

    prepared = read_ahead(
        views(),
        partial(_prepare, rule=rule, device=device, pixels=info.config.pixels),
        workers=workers,
        ahead=4 * batch_size + workers,
    )
    parts: list[Detections] = []
    for prediction in predict_prepared(model, info, prepared, batch_size):
        parts.append(prediction.detections)
        if on_tile is not None:
            on_tile(len(parts), waiting[0].count)
        if len(parts) == waiting[0].count:
            yield waiting.popleft().prediction(parts)
            parts = []


def _prepare(
    view: tuple[Source, Tensor], rule: ResizeConfig, device: torch.device, pixels: PixelConfig
) -> Prepared:
    source, tile = view
    return prepare_pixels(source, tile.numpy(), rule, device, pixels)


class _Image:
    """An image on its way through the network."""

    def __init__(self, opened: Opened, tiling: Tiling) -> None:
        height, width = opened.pixels.shape[:2]
        self.source, self.size_hw = opened.source, (int(height), int(width))
        self.tiling, self.places = tiling, places(self.size_hw, tiling)
        if len(self.places) > 1:
            self.places.append((0, 0, self.size_hw[1], self.size_hw[0]))
        self._pixels: Tensor | None = torch.from_numpy(opened.pixels)

    @property
    def count(self) -> int:
        """How many views of it there are."""
        return len(self.places)

    def views(self) -> Iterator[tuple[Source, Tensor]]:
        """The tiles and the whole, uint8 (h, w, 3); afterwards the pixels are let go."""
        assert self._pixels is not None
        pixels, self._pixels = self._pixels, None
        for x1, y1, x2, y2 in self.places:
            yield self.source, pixels[y1:y2, x1:x2]

    def prediction(self, parts: list[Detections]) -> Prediction:
        """What all views (T) say together."""
        merged = parts[0] if len(parts) == 1 else merge(parts, self.places, self.size_hw, self.tiling)
        return Prediction(self.source.path, self.size_hw, merged, self.source.image_id)


def merge(
    parts: list[Detections], tiles: list[Place], size_hw: tuple[int, int], tiling: Tiling
) -> Detections:
    """Detections of all tiles, each in pixels of its tile, as detections of the image, by descending score.

    The last tile is the whole image.
    """
    counts = torch.tensor([len(part) for part in parts])
    tile = torch.tensor(tiles).repeat_interleave(counts, dim=0)  # (N, 4)
    boxes = torch.cat([part.boxes_xyxy for part in parts]) + tile[:, :2].repeat(1, 2)
    scores = torch.cat([part.scores for part in parts])
    class_index = torch.cat([part.class_index for part in parts])
    cut = is_cut(boxes, tile, size_hw)
    of_whole = torch.arange(len(boxes)) >= len(boxes) - len(parts[-1])
    wanted = ~of_whole | ((boxes[:, 2:] - boxes[:, :2]) > torch.tensor(tiling.shared_wh)).any(dim=1)
    kept = _suppressed(boxes, scores, class_index, wanted & ~cut)
    parts_of_kept = _mostly_inside(boxes, class_index, kept)
    kept = torch.cat((kept, _suppressed(boxes, scores, class_index, wanted & cut & ~parts_of_kept)))
    kept = kept[torch.argsort(scores[kept], descending=True, stable=True)]
    return Detections(boxes[kept], scores[kept], class_index[kept])


def is_cut(boxes_xyxy: Tensor, tiles_xyxy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Whether each box (N, 4) touches a border of its tile (N, 4) that is no border of the image: (N,)."""
    height, width = size_hw
    edge = EDGE * (tiles_xyxy[:, 2:] - tiles_xyxy[:, :2])  # (N, 2)
    low = (boxes_xyxy[:, :2] <= tiles_xyxy[:, :2] + edge) & (tiles_xyxy[:, :2] > 0)
    end = tiles_xyxy.new_tensor((width, height))
    high = (boxes_xyxy[:, 2:] >= tiles_xyxy[:, 2:] - edge) & (tiles_xyxy[:, 2:] < end)
    return (low | high).any(dim=1)


def _suppressed(boxes: Tensor, scores: Tensor, class_index: Tensor, among: Tensor) -> Tensor:
    """Indices (n,) of the boxes that NMS keeps among some (N,) bool."""
    chosen = among.nonzero()[:, 0]
    return chosen[nms_by_class(boxes[chosen], scores[chosen], class_index[chosen], MERGE_IOU)]


def _mostly_inside(boxes: Tensor, class_index: Tensor, kept: Tensor) -> Tensor:
    """Whether most of each box (N, 4) lies within one of the kept ones (n,) of its class: (N,) bool."""
    inside = torch.zeros(len(boxes), dtype=torch.bool)
    share = MOSTLY * area(boxes)
    for index in torch.unique(class_index[kept]).tolist():
        own, over = (class_index == index).nonzero()[:, 0], kept[class_index[kept] == index]
        for some in torch.split(own, max(1, (1 << 20) // len(over))):
            low = torch.maximum(boxes[some, None, :2], boxes[over, :2])
            high = torch.minimum(boxes[some, None, 2:], boxes[over, 2:])
            common = (high - low).clamp(min=0).prod(dim=2)  # (some, over)
            inside[some] = (common >= share[some, None]).any(dim=1)
    return inside
