"""Tiles cover the image, an object is found once, one tile is no tiles at all."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from amidst.errors import ImageError, UsageError
from amidst.inference.predict import Prediction, predict_images
from amidst.inference.reading import Opened, Source, Unreadable, open_image
from amidst.inference.tiles import Tiling, is_cut, merge, places, predict_tiled
from amidst.models.config import RetinaNetConfig
from amidst.models.structures import Detections
from amidst.models.weights import ModelInfo
from amidst.ops.images import ImageBatch
from amidst.training.config import ResizeConfig

Pixels = npt.NDArray[np.uint8]
SAME = ResizeConfig(short=64, long=64)
Box = tuple[int, int, int, int]

sides = st.integers(1, 400)


class Finder(nn.Module):
    """Finds rectangles of one grey each on black: a detector that is never wrong about what it can see."""

    def __init__(self, info: ModelInfo) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.pixels = info.config.pixels
        self.images = 0

    def forward(self, images: ImageBatch) -> list[Detections]:
        self.images += len(images.sizes_hw)
        return [self._find(x[:, :h, :w]) for x, (h, w) in zip(images.pixels, images.sizes_hw, strict=True)]

    def _find(self, pixels: Tensor) -> Detections:
        grey = (pixels[0] * self.pixels.std[0] + self.pixels.mean[0]) / self.pixels.scale
        boxes, scores = [], []
        for value in torch.unique(grey.round()).tolist():
            rows, columns = ((grey - value).abs() < 0.6).nonzero(as_tuple=True)
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            sides = (int(box[2] - box[0]), int(box[3] - box[1]))
            solid = min(sides) > 1 and len(rows) == sides[0] * sides[1]
            if value > 5 and solid:  # not what resizing leaves around a rectangle
                boxes.append([float(side) for side in box])
                scores.append(value / 255)
        found = torch.tensor(boxes).reshape(-1, 4)
        return Detections(found, torch.tensor(scores), torch.zeros(len(scores), dtype=torch.int64))


def painted(size_hw: tuple[int, int], boxes: Sequence[Box]) -> Pixels:
    image = np.zeros((*size_hw, 3), dtype=np.uint8)
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        image[y1:y2, x1:x2] = 250 - 7 * index
    return image


def predicted(info: ModelInfo, image: Pixels, tiling: Tiling, batch_size: int = 1) -> Prediction:
    """With tiles that keep their size."""
    side = max(tiling.width, tiling.height)
    rule = ResizeConfig(short=min(tiling.width, tiling.height), long=side)
    opened = Opened(Source(Path("image"), None, 7), image)
    (found,) = predict_tiled(Finder(info), info, [opened], tiling, resize=rule, batch_size=batch_size)
    return found


def test_no_images(info: ModelInfo) -> None:
    assert list(predict_tiled(Finder(info), info, [], Tiling(64, 64))) == []


@given(height=sides, width=sides, tile_w=sides, tile_h=sides, overlap=st.floats(0, 0.9))
def test_tiles_cover_the_image_and_overlap(
    height: int, width: int, tile_w: int, tile_h: int, overlap: float
) -> None:
    found = places((height, width), Tiling(tile_w, tile_h, overlap))
    for low, high, side, tile in ((0, 2, width, tile_w), (1, 3, height, tile_h)):
        spans = sorted({(place[low], place[high]) for place in found})
        assert spans[0][0] == 0
        assert spans[-1][1] == side
        assert all(end - begin == min(tile, side) for begin, end in spans)
        for (_, end), (begin, _) in itertools.pairwise(spans):
            assert end - begin >= min(tile * overlap, tile - 1) - 1e-9
    if tile_w >= width and tile_h >= height:
        assert found == [(0, 0, width, height)]


def test_tiles_by_hand() -> None:
    assert places((100, 250), Tiling(100, 100, 0.0)) == [
        (0, 0, 100, 100),
        (75, 0, 175, 100),
        (150, 0, 250, 100),
    ]
    assert len(places((1000, 1000), Tiling(500, 500, 0.2))) == 9


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-1, 5)])
def test_tiles_that_cannot_be(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="expected at least 1x1"):
        Tiling(*size)
    with pytest.raises(UsageError, match="less than 1"):
        Tiling(10, 10, 1.0)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_one_tile_is_no_tiles(
    info: ModelInfo, network: nn.Module, photographs: list[Path], batch_size: int
) -> None:
    whole = list(predict_images(network, info, photographs, batch_size=batch_size))
    opened = [open_image(Source(path)) for path in photographs]
    tiled = list(predict_tiled(network, info, opened, Tiling(200, 200), batch_size=batch_size))
    for a, b in zip(whole, tiled, strict=True):
        assert (a.path, a.size_hw) == (b.path, b.size_hw)
        assert torch.allclose(a.detections.boxes_xyxy, b.detections.boxes_xyxy, atol=1e-3)
        assert torch.allclose(a.detections.scores, b.detections.scores, atol=1e-5)
        if batch_size == 1:
            assert torch.equal(a.detections.boxes_xyxy, b.detections.boxes_xyxy)
            assert torch.equal(a.detections.scores, b.detections.scores)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_small_object_is_found_once(data: st.DataObject) -> None:
    """Objects no larger than the overlap, wherever they lie: their exact boxes, each once."""
    info = ModelInfo(RetinaNetConfig(), (), {})
    height, width = data.draw(st.integers(70, 200)), data.draw(st.integers(70, 200))
    tiling = Tiling(data.draw(st.integers(40, 90)), data.draw(st.integers(40, 90)), 0.4)
    boxes: list[Box] = []
    for y in range(0, height - 30, 35):  # one object in each cell of a grid
        for x in range(0, width - 30, 35):
            if len(boxes) < 30 and data.draw(st.booleans()):
                w = data.draw(st.integers(3, int(tiling.shared_wh[0])))
                h = data.draw(st.integers(3, int(tiling.shared_wh[1])))
                dx, dy = data.draw(st.integers(0, 34 - w)), data.draw(st.integers(0, 34 - h))
                boxes.append((x + dx, y + dy, min(x + dx + w, width), min(y + dy + h, height)))
    found = predicted(info, painted((height, width), boxes), tiling, data.draw(st.sampled_from([1, 4])))
    assert found.image_id == 7
    assert sorted(found.detections.boxes_xyxy.tolist()) == sorted(list(map(float, box)) for box in boxes)
    scores = found.detections.scores
    assert torch.equal(scores, scores.sort(descending=True).values)


def test_a_large_object_is_found_once_by_the_look_at_the_whole(info: ModelInfo) -> None:
    """It is cut in every tile; small ones beside it come from the tiles."""
    boxes = [(32, 24, 192, 176), (200, 4, 210, 12)]
    found = predicted(info, painted((200, 220), boxes), Tiling(100, 100, 0.2))
    assert len(found.detections) == 2
    assert torch.allclose(found.detections.boxes_xyxy[0], torch.tensor(boxes[0]).float(), atol=3)
    assert found.detections.boxes_xyxy[1].tolist() == list(boxes[1])


def test_which_boxes_are_cut() -> None:
    boxes = torch.tensor([[0, 10, 20, 30], [80, 10, 99.5, 30], [100, 10, 120, 30], [150, 0, 200, 30.0]])
    tiles = torch.tensor([[0, 0, 100, 50], [0, 0, 100, 50], [100, 0, 200, 50], [100, 0, 200, 50]])
    assert is_cut(boxes, tiles, (50, 200)).tolist() == [False, True, True, False]


def test_merging_by_hand() -> None:
    """Two tiles and the whole: a piece goes where a whole object is seen; of another class it stays."""
    tiling = Tiling(100, 100, 0.2)
    tiles = [(0, 0, 100, 100), (80, 0, 180, 100), (0, 0, 180, 100)]

    def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
        table = torch.tensor(rows).reshape(-1, 6)
        return Detections(table[:, :4], table[:, 4], table[:, 5].long())

    left = detections(
        (84, 40, 100, 56, 0.9, 0),  # the left half of an object, surer than the whole one
        (82, 70, 98, 90, 0.8, 0),  # whole, in the overlap
        (90, 10, 100, 20, 0.7, 1),  # a piece of something nobody sees whole
    )
    right = detections(
        (4, 40, 19, 56, 0.6, 0),  # the whole object
        (2, 70, 18, 90, 0.5, 0),  # the same as the one in the overlap
        (10, 10, 20, 20, 0.4, 0),  # where the piece is, of another class
    )
    whole = detections((84, 40, 100, 56, 0.99, 0), (5, 5, 90, 95, 0.3, 0))  # too small; large enough
    found = merge([left, right, whole], tiles, (100, 180), tiling)
    assert found.scores.tolist() == pytest.approx([0.8, 0.7, 0.6, 0.4, 0.3])
    assert found.class_index.tolist() == [0, 1, 0, 0, 0]
    assert found.boxes_xyxy[2].tolist() == [84, 40, 99, 56]


def test_nothing_in_any_tile(info: ModelInfo) -> None:
    found = predicted(info, painted((150, 150), []), Tiling(64, 64))
    assert found.detections.boxes_xyxy.shape == (0, 4)


def test_images_come_in_order_and_unreadable_ones_are_told(info: ModelInfo) -> None:
    sources = [Source(Path(str(number)), None, number) for number in range(4)]
    images: list[Opened | Unreadable] = [
        Opened(source, painted((64 + 40 * number, 130), [(3, 3, 13, 13)]))
        for number, source in enumerate(sources)
    ]
    error = ImageError("torn", file="2", rule="unreadable-image")
    images[2] = Unreadable(sources[2], error)
    told: list[tuple[Path, ImageError]] = []
    found = predict_tiled(
        Finder(info),
        info,
        images,
        Tiling(64, 64),
        resize=SAME,
        batch_size=3,
        on_error=lambda *args: told.append(args),
    )
    assert [(item.image_id, len(item.detections)) for item in found] == [(0, 1), (1, 1), (3, 1)]
    assert told == [(Path("2"), error)]
    with pytest.raises(ImageError, match="torn"):
        list(predict_tiled(Finder(info), info, images, Tiling(64, 64)))


def test_proposals_of_the_whole_image_do_not_fit_tiles(info: ModelInfo) -> None:
    source = Source(Path("a"), proposals_xyxy=np.zeros((0, 4), dtype=np.float32))
    with pytest.raises(UsageError, match="proposals"):
        list(predict_tiled(Finder(info), info, [Opened(source, painted((9, 9), []))], Tiling(64, 64)))


def test_every_look_is_told(info: ModelInfo) -> None:
    told: list[tuple[int, int]] = []
    image = Opened(Source(Path("a")), painted((64, 100), []))
    found = predict_tiled(
        Finder(info), info, [image], Tiling(64, 64), on_tile=lambda *looks: told.append(looks)
    )
    assert len(list(found)) == 1
    assert told == [(1, 3), (2, 3), (3, 3)]  # two tiles and the whole


def test_images_are_opened_one_after_the_other(info: ModelInfo) -> None:
    """A large image is not held while others wait: the next is asked for when its tiles are under way."""
    asked: list[int] = []

    def images() -> Iterator[Opened]:
        for number in range(6):
            asked.append(number)
            yield Opened(Source(Path(str(number))), painted((300, 300), []))

    found = predict_tiled(Finder(info), info, images(), Tiling(64, 64), batch_size=2)
    next(found)
    assert len(asked) <= 2
    found.close()
