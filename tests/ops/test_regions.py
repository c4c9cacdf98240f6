"""Features of regions: bins worked by hand, fields of known answer, and the definitions as plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from amidst.ops.regions import level_of, pool_pyramid, roi_align, roi_max_pool

NAN, INF = float("nan"), float("inf")


def slow_align(
    features: Tensor, box: list[float], size: int, stride: float, sampling: int, aligned: bool
) -> Tensor:
    """(C, H, W) -> (C, p, p), sample by sample, as the definition says it."""
    height, width = features.shape[1:]
    x1, y1, x2, y2 = (side / stride - 0.5 * aligned for side in box)
    w, h = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1), max(y2 - y1, 1))
    across = sampling or math.ceil(w / size)
    down = sampling or math.ceil(h / size)
    result = torch.zeros(len(features), size, size, dtype=features.dtype)
    for row in range(size):
        for column in range(size):
            for k in range(down):
                for j in range(across):
                    y = y1 + (row + (k + 0.5) / down) * h / size
                    x = x1 + (column + (j + 0.5) / across) * w / size
                    if not (-1 <= y <= height and -1 <= x <= width):
                        continue
                    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                    top, left = int(y), int(x)
                    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                    v, u = y - top, x - left
                    upper = features[:, top, left] * (1 - u) + features[:, top, right] * u
                    lower = features[:, bottom, left] * (1 - u) + features[:, bottom, right] * u
                    result[:, row, column] += (upper * (1 - v) + lower * v) / (down * across)
    return result


def slow_max(features: Tensor, box: list[float], size: int, stride: float) -> Tensor:
    """(C, H, W) -> (C, p, p), bin by bin."""

    def rounded(value: float) -> int:
        return int(math.copysign(math.floor(abs(value) + 0.5), value))

    x1, y1, x2, y2 = (rounded(side / stride) for side in box)
    w, h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
    result = torch.zeros(len(features), size, size, dtype=features.dtype)
    for row in range(size):
        for column in range(size):
            top, bottom = y1 + row * h // size, y1 - (-(row + 1) * h // size)
            left, right = x1 + column * w // size, x1 - (-(column + 1) * w // size)
            inside = features[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
            if inside.numel():
                result[:, row, column] = inside.amax(dim=(1, 2))
    return result


def some_boxes(count: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Of all sizes, many across the border, some far outside, some in whole numbers."""
    generator = torch.Generator().manual_seed(seed)
    extent = torch.tensor([width, height])
    centre = torch.rand(count, 2, generator=generator) * extent * 1.4 - extent * 0.2
    side = torch.exp(torch.randn(count, 2, generator=generator)) * extent / 4
    boxes = torch.cat((centre - side / 2, centre + side / 2), dim=1)
    boxes[::3] = boxes[::3].round()
    far = torch.tensor([[-90.0, -90.0, -70.0, -70.0], [5.0, 900.0, 30.0, 950.0]])
    return torch.cat((boxes, far * max(height, width) / 30))


def test_nothing_to_pool() -> None:
    """No box: an empty result, through which the features still receive a gradient, of zeros."""
    maps = [torch.rand(2, 3, side, side, requires_grad=True) for side in (8, 4)]
    boxes, image_index = torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)
    assert level_of(boxes).tolist() == []
    for kind in ("align", "align_legacy", "max"):
        for sampling in (0, 2):
            pooled = pool_pyramid(
                maps, boxes, image_index, size=7, strides=[4, 8], levels=(2, 3), kind=kind, sampling=sampling
            )
            assert pooled.shape == (0, 3, 7, 7)
            for grad in torch.autograd.grad(pooled.sum(), maps):
                assert not grad.any()
    assert roi_align(maps[0], boxes, image_index, size=2, stride=4).shape == (0, 3, 2, 2)
    assert roi_max_pool(maps[0], boxes, image_index, size=2, stride=4).shape == (0, 3, 2, 2)


@pytest.mark.parametrize(
    ("width", "height", "level"),
    [
        (224, 224, 4),
        (448, 112, 4),  # only the area counts
        (112, 112, 3),
        (111.9, 111.9, 2),
        (223.9, 223.9, 3),
        (448, 448, 5),
        (447, 447, 4),
        (2000, 2000, 5),
        (4, 4, 2),
        (0, 0, 2),
        (0, 500, 2),
        (-9, 30, 2),
        (-300, -300, 2),
        (NAN, 10, 2),
        (INF, 10, 5),
    ],
)
def test_levels(width: float, height: float, level: int) -> None:
    box = torch.tensor([[10.0, 20.0, 10.0 + width, 20.0 + height]])
    assert level_of(box).tolist() == [level]


def test_levels_of_other_pyramids() -> None:
    sides = torch.tensor([16.0, 56.0, 112.0, 224.0, 448.0, 896.0])
    boxes = torch.stack((0 * sides, 0 * sides, sides, sides), dim=1)
    assert level_of(boxes, 4, 4).tolist() == [4] * 6
    assert level_of(boxes, 2, 6).tolist() == [2, 2, 3, 4, 5, 6]
    assert level_of(boxes, 3, 5).tolist() == [3, 3, 3, 4, 5, 5]
    assert level_of(boxes, 2, 5, canonical_level=5, canonical_size=448.0).tolist() == [2, 2, 3, 4, 5, 5]
    assert level_of(boxes.half(), 2, 6).tolist() == [2, 2, 3, 4, 5, 6]
    assert level_of(boxes).dtype == torch.int64


def test_a_bin_by_hand() -> None:
    """Box (4, 4, 12, 12) at stride 4 is (.5, .5, 2.5, 2.5) in cells: a bin of side 2, samples at 1 and 2."""
    features = torch.arange(16.0).view(1, 1, 4, 4)
    box, image = torch.tensor([[4.0, 4.0, 12.0, 12.0]]), torch.tensor([0])
    assert roi_align(features, box, image, size=1, stride=4).item() == (5 + 6 + 9 + 10) / 4
    # One sample, in the middle: 1.5, 1.5, between the same four cells.
    assert roi_align(features, box, image, size=1, stride=4, sampling=1).item() == (5 + 6 + 9 + 10) / 4
    # Two bins of side 1, one sample each: at 1 and 2.
    assert roi_align(features, box, image, size=2, stride=4, sampling=0).tolist() == [[[[5, 6], [9, 10]]]]
    # No half cell: (1, 1, 3, 3), samples at 1.5 and 2.5; each is the mean of four cells.
    legacy = roi_align(features, box, image, size=1, stride=4, aligned=False)
    assert legacy.item() == (7.5 + 8.5 + 11.5 + 12.5) / 4
    # Cells 1 to 3 in each direction: 3 x 3 of them, two bins of 2 x 2 that share the middle.
    assert roi_max_pool(features, box, image, size=2, stride=4).tolist() == [[[[10, 11], [14, 15]]]]


def test_the_border_by_hand() -> None:
    """A row of four cells, one sample a bin, bins of one cell: samples at -2.5, -1.5, ..., 6.5 - .5."""
    features = torch.tensor([1.0, 2.0, 4.0, 8.0]).view(1, 1, 1, 4).expand(1, 1, 9, 4)
    box, image = torch.tensor([[-2.0, 0.0, 7.0, 9.0]]), torch.tensor([0])
    row = roi_align(features, box, image, size=9, stride=1, sampling=1)[0, 0, 4]
    assert row.tolist() == [0, 1, 1, 2, 4, 8, 8, 0, 0]  # at -2, -1 (the last that counts), 0, ..., 4, 5, 6
    half = roi_align(features, box + 0.5, image, size=9, stride=1, sampling=1)[0, 0, 4]
    assert half.tolist() == [0, 1, 1.5, 3, 6, 8, 0, 0, 0]  # at -1.5, -.5, .5, ..., 3.5, 4.5


def test_a_box_smaller_than_a_cell() -> None:
    """Aligned: all samples near one point. Legacy: at least one cell wide."""
    features = torch.arange(6.0).view(1, 1, 1, 6).expand(1, 1, 6, 6)
    box, image = torch.tensor([[2.4, 2.4, 2.6, 2.6]]), torch.tensor([0])
    aligned = roi_align(features, box, image, size=2, stride=1)[0, 0, 0]
    torch.testing.assert_close(aligned, torch.tensor([1.95, 2.05]))
    legacy = roi_align(features, box, image, size=2, stride=1, aligned=False)[0, 0, 0]
    torch.testing.assert_close(legacy, torch.tensor([2.65, 3.15]))
    assert roi_max_pool(features, box, image, size=2, stride=1)[0, 0].tolist() == [[2, 3], [2, 3]]
    assert roi_max_pool(features, box - 0.2, image, size=2, stride=1)[0, 0].tolist() == [[2, 2], [2, 2]]


def test_boxes_without_area_or_not_finite() -> None:
    features = torch.rand(1, 2, 9, 9) + 1
    boxes = torch.tensor(
        [[8.0, 8.0, 8.0, 20.0], [NAN, 1.0, 9.0, 9.0], [0.0, 0.0, INF, 9.0], [1.0, 1.0, NAN, 9.0]]
    )
    image = torch.zeros(4, dtype=torch.int64)
    assert not roi_align(features, boxes, image, size=3, stride=4, sampling=0).any()
    assert not roi_align(features, boxes[1:], image[1:], size=3, stride=4).any()
    assert roi_align(features, boxes[:1], image[:1], size=3, stride=4).all()  # a line has samples
    assert roi_max_pool(features, boxes, image, size=3, stride=4).isfinite().all()


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling", [0, 1, 2, 3])
@pytest.mark.parametrize(("shape", "stride", "size"), [((2, 3, 11, 15), 4, 7), ((3, 2, 5, 4), 16, 3)])
def test_align_as_a_loop(
    shape: tuple[int, int, int, int], stride: int, size: int, sampling: int, aligned: bool
) -> None:
    features = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    boxes = some_boxes(12, shape[2] * stride, shape[3] * stride).double()
    image_index = torch.arange(len(boxes)) % shape[0]
    pooled = roi_align(
        features, boxes, image_index, size=size, stride=stride, sampling=sampling, aligned=aligned
    )
    for box, image, found in zip(boxes.tolist(), image_index.tolist(), pooled, strict=True):
        torch.testing.assert_close(found, slow_align(features[image], box, size, stride, sampling, aligned))


@pytest.mark.parametrize(("shape", "stride", "size"), [((2, 3, 11, 15), 4, 7), ((3, 2, 5, 4), 16, 3)])
def test_max_as_a_loop(shape: tuple[int, int, int, int], stride: int, size: int) -> None:
    features = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    boxes = some_boxes(40, shape[2] * stride, shape[3] * stride)
    image_index = torch.arange(len(boxes)) % shape[0]
    pooled = roi_max_pool(features, boxes, image_index, size=size, stride=stride)
    for box, image, found in zip(boxes.tolist(), image_index.tolist(), pooled, strict=True):
        assert torch.equal(found, slow_max(features[image], box, size, stride))


inside = st.tuples(st.floats(0, 20), st.floats(0, 20), st.floats(0.1, 30), st.floats(0.1, 30))


@given(inside, st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_a_constant_and_a_ramp(place: tuple[float, float, float, float], size: int, sampling: int) -> None:
    """Inside the map a constant stays, and a map of coordinates gives the centres of the bins."""
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    features = torch.stack((torch.full((16, 16), 3.0), x, y))[None].double()
    x1, y1, w, h = place[0] + 2, place[1] + 2, place[2], place[3]
    box = torch.tensor([[x1, y1, x1 + w, y1 + h]], dtype=torch.float64)
    pooled = roi_align(features, box, torch.tensor([0]), size=size, stride=4, sampling=sampling)[0]
    middles = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    torch.testing.assert_close(pooled[0], torch.full((size, size), 3.0, dtype=torch.float64))
    torch.testing.assert_close(pooled[1], ((x1 + middles * w) / 4 - 0.5).expand(size, size))
    torch.testing.assert_close(pooled[2], ((y1 + middles * h) / 4 - 0.5)[:, None].expand(size, size))


@pytest.mark.parametrize("sampling", [0, 2])
@pytest.mark.parametrize("kind", ["align", "align_legacy", "max"])
def test_gradients(kind: str, sampling: int) -> None:
    maps = [torch.randn(2, 1, side, side + 1, dtype=torch.float64) for side in (5, 3)]
    boxes = torch.tensor([[3.0, 1, 20, 18], [-9, -9, 14, 8], [-40, 0, 150, 121], [900, 0, 920, 9]])
    image_index = torch.tensor([1, 0, 1, 0])

    def pool(*maps: Tensor) -> Tensor:
        return pool_pyramid(
            maps, boxes, image_index, size=3, strides=[4, 8], levels=(2, 3), kind=kind, sampling=sampling
        )

    assert torch.autograd.gradcheck(pool, [each.requires_grad_() for each in maps])


def test_equal_maxima_give_the_gradient_to_one() -> None:
    features = torch.zeros(1, 1, 4, 4, requires_grad=True)
    pooled = roi_max_pool(features, torch.tensor([[0.0, 0.0, 3.0, 3.0]]), torch.tensor([0]), size=2, stride=1)
    (grad,) = torch.autograd.grad(pooled.sum(), features)
    assert grad.sum() == 4
    assert grad.max() == 1


@pytest.mark.parametrize("kind", ["align", "align_legacy", "max"])
@pytest.mark.parametrize("sampling", [0, 2])
def test_a_pyramid_pools_each_box_from_its_level(kind: str, sampling: int) -> None:
    generator = torch.Generator().manual_seed(0)
    strides = [4, 8, 16, 32]
    maps = [torch.randn(2, 5, 640 // s, 512 // s, generator=generator) for s in strides]
    boxes = some_boxes(60, 640, 512)
    image_index = torch.randint(0, 2, (len(boxes),), generator=generator)
    level = level_of(boxes)
    assert set(level.tolist()) == {2, 3, 4, 5}
    pooled = pool_pyramid(
        maps, boxes, image_index, size=7, strides=strides, levels=range(2, 6), kind=kind, sampling=sampling
    )
    for k, (features, stride) in enumerate(zip(maps, strides, strict=True), start=2):
        here = level == k
        if kind == "max":
            alone = roi_max_pool(features, boxes[here], image_index[here], size=7, stride=stride)
        else:
            alone = roi_align(
                features,
                boxes[here],
                image_index[here],
                size=7,
                stride=stride,
                sampling=sampling,
                aligned=kind == "align",
            )
        assert torch.equal(pooled[here], alone)


def test_one_map_takes_all_boxes() -> None:
    features, boxes = torch.rand(1, 2, 20, 20), some_boxes(9, 320, 320)
    image = torch.zeros(len(boxes), dtype=torch.int64)
    pooled = pool_pyramid([features], boxes, image, size=7, strides=[16], levels=(4, 4))
    assert torch.equal(pooled, roi_align(features, boxes, image, size=7, stride=16))


def test_levels_need_as_many_maps() -> None:
    with pytest.raises(ValueError, match="levels 2 to 5 need as many maps and strides, got 1 and 4"):
        pool_pyramid(
            [torch.zeros(1, 1, 4, 4)],
            torch.zeros(0, 4),
            torch.zeros(0, dtype=torch.int64),
            size=7,
            strides=[4, 8, 16, 32],
            levels=(2, 5),
        )


@pytest.mark.parametrize("kind", ["align", "max"])
@pytest.mark.parametrize("sampling", [0, 2])
def test_any_number_of_parts(kind: str, sampling: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same result and gradient from one region at a time, which is also the order of the sums' chunks."""
    features = torch.randn(2, 3, 20, 17, dtype=torch.float64).requires_grad_()
    boxes = some_boxes(33, 80, 68).double()
    image_index = torch.arange(len(boxes)) % 2
    results = []
    for taps in (1, 400, 1 << 18):
        monkeypatch.setattr("amidst.ops.region_align.TAPS", taps)
        monkeypatch.setattr("amidst.ops.region_max.TAPS", taps)
        pooled = pool_pyramid(
            [features], boxes, image_index, size=5, strides=[4], levels=(2, 2), kind=kind, sampling=sampling
        )
        (grad,) = torch.autograd.grad((pooled * torch.arange(5)).sum(), features)
        results.append((pooled.detach(), grad))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["align", "max"])
def test_half_precision_is_summed_in_float32(dtype: torch.dtype, kind: str) -> None:
    features = (torch.randn(1, 4, 25, 25) + 5).to(dtype).requires_grad_()
    boxes, image = some_boxes(30, 100, 100), torch.zeros(32, dtype=torch.int64)

    def pool(features: Tensor) -> Tensor:
        return pool_pyramid([features], boxes, image, size=7, strides=[4], levels=(2, 2), kind=kind)

    with torch.autocast("cpu", torch.bfloat16):
        pooled = pool(features)
    assert pooled.dtype == dtype
    assert torch.equal(pooled, pool(features.float()).to(dtype))
    (grad,) = torch.autograd.grad(pooled.float().sum(), features)
    assert grad.dtype == dtype


def test_channels_last_features_are_read_in_place() -> None:
    """The same numbers either way; the result is channels-last itself, which costs nothing to flatten so."""
    features = torch.rand(2, 8, 13, 9)
    boxes = some_boxes(20, 52, 36)
    image_index = torch.arange(len(boxes)) % 2
    for pool in (roi_align, roi_max_pool):
        plain = pool(features, boxes, image_index, size=3, stride=4)
        last = features.contiguous(memory_format=torch.channels_last)
        assert torch.equal(plain, pool(last, boxes, image_index, size=3, stride=4))
        assert plain.is_contiguous(memory_format=torch.channels_last)
