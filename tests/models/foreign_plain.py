"""Plain forwards of other families, in their names, their order and their geometry: the oracle of `foreign`.

Nothing here comes from amidst. A state is what that family's checkpoint holds, made from a seed: ResNet-50
with a narrow pyramid and narrow heads. Arithmetic is written out; loops run over levels, regions and
boxes. R aspects and S sizes of anchors; one image at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]
DEPTHS, WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)
D, FC = 64, 48  # pyramid and heads, fully connected layers
ASPECTS = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Names:
    """How a family calls the parts of a block: place of stage and block, norm of a convolution, shortcut."""

    stem: tuple[str, str]
    block: Callable[[int, int], str]  # stage 1..4, block
    norm: Callable[[int], str]  # convolution 1..3
    shortcut: tuple[str, str]


def torch_names(prefix: str) -> Names:
    return Names(
        (f"{prefix}conv1", f"{prefix}bn1"),
        lambda stage, block: f"{prefix}layer{stage}.{block}",
        lambda number: f"bn{number}",
        ("downsample.0", "downsample.1"),
    )


CAFFE2_NAMES = Names(
    ("backbone.bottom_up.stem.conv1", "backbone.bottom_up.stem.conv1.norm"),
    lambda stage, block: f"backbone.bottom_up.res{stage + 1}.{block}",
    lambda number: f"conv{number}.norm",
    ("shortcut", "shortcut.norm"),
)


class Maker:
    """Tensors from a seed, under names."""

    def __init__(self, seed: int, counters: bool = False) -> None:
        self.g = torch.Generator().manual_seed(seed)
        self.state: State = {}
        self.counters = counters

    def conv(
        self, name: str, inputs: int, outputs: int, kernel: int, bias: bool = True, gain: float = 1
    ) -> None:
        deviation = gain * math.sqrt(2 / (inputs * kernel**2))
        weight = torch.randn(outputs, inputs, kernel, kernel, generator=self.g) * deviation
        self.state[f"{name}.weight"] = weight
        if bias:
            self.state[f"{name}.bias"] = torch.randn(outputs, generator=self.g) * 0.1

    def linear(self, name: str, inputs: int, outputs: int, gain: float = 1) -> None:
        weight = torch.randn(outputs, inputs, generator=self.g) * gain * math.sqrt(2 / inputs)
        self.state[f"{name}.weight"] = weight
        self.state[f"{name}.bias"] = torch.randn(outputs, generator=self.g) * 0.1

    def affine(self, name: str, channels: int) -> None:
        self.state[f"{name}.weight"] = torch.rand(channels, generator=self.g) * 0.5 + 0.5
        self.state[f"{name}.bias"] = torch.randn(channels, generator=self.g) * 0.1

    def norm(self, name: str, channels: int, gain: float = 1) -> None:
        self.affine(name, channels)
        self.state[f"{name}.weight"] *= gain
        self.state[f"{name}.running_mean"] = torch.randn(channels, generator=self.g) * 0.1
        self.state[f"{name}.running_var"] = torch.rand(channels, generator=self.g) + 0.01
        if self.counters:
            self.state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    def resnet(self, names: Names) -> None:
        self.conv(names.stem[0], 3, 64, 7, bias=False)
        self.norm(names.stem[1], 64)
        inputs = 64
        for stage, (depth, width) in enumerate(zip(DEPTHS, WIDTHS, strict=True), start=1):
            for block in range(depth):
                place = names.block(stage, block)
                shapes = ((inputs, width, 1), (width, width, 3), (width, 4 * width, 1))
                for number, (a, b, kernel) in enumerate(shapes, start=1):
                    self.conv(f"{place}.conv{number}", a, b, kernel, bias=False)
                    self.norm(f"{place}.{names.norm(number)}", b, gain=0.3 if number == 3 else 1)
                if block == 0:
                    self.conv(f"{place}.{names.shortcut[0]}", inputs, 4 * width, 1, bias=False)
                    self.norm(f"{place}.{names.shortcut[1]}", 4 * width, gain=0.5)
                inputs = 4 * width


def conv(state: State, name: str, x: Tensor, stride: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state.get(f"{name}.bias"), stride, padding=weight.shape[-1] // 2)


def norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    x = (x - mean[:, None, None]) / torch.sqrt(var + eps)[:, None, None]
    return x * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]


def resnet(state: State, names: Names, x: Tensor, *, eps: float, stride_in_1x1: bool) -> list[Tensor]:
    """Pixels (1, 3, H, W) -> C2..C5."""
    x = F.relu(norm(state, names.stem[1], conv(state, names.stem[0], x, 2), eps))
    x = F.max_pool2d(x, 3, 2, 1)
    found = []
    for stage, depth in enumerate(DEPTHS, start=1):
        for block in range(depth):
            place = names.block(stage, block)
            stride = 2 if block == 0 and stage > 1 else 1
            strides = (stride, 1, 1) if stride_in_1x1 else (1, stride, 1)
            y = x
            for number in (1, 2, 3):
                y = conv(state, f"{place}.conv{number}", y, strides[number - 1])
                y = norm(state, f"{place}.{names.norm(number)}", y, eps)
                y = F.relu(y) if number < 3 else y
            if block == 0:
                x = conv(state, f"{place}.{names.shortcut[0]}", x, stride)
                x = norm(state, f"{place}.{names.shortcut[1]}", x, eps)
            x = F.relu(x + y)
        found.append(x)
    return found


def pyramid(
    features: Sequence[Tensor],
    lateral: Callable[[int, Tensor], Tensor],
    output: Callable[[int, Tensor], Tensor],
) -> list[Tensor]:
    """Finest first; `lateral` and `output` take the place of the level in `features`."""
    inner = lateral(len(features) - 1, features[-1])
    found = [output(len(features) - 1, inner)]
    for place in range(len(features) - 2, -1, -1):
        below = lateral(place, features[place])
        inner = below + F.interpolate(inner, size=below.shape[-2:], mode="nearest")
        found.insert(0, output(place, inner))
    return found


def rows(x: Tensor, outputs: int) -> Tensor:
    """(1, A * outputs, h, w) -> (h * w * A, outputs), written as the loop it is."""
    _, channels, height, width = x.shape
    found = [
        x[0, a * outputs : (a + 1) * outputs, i, j]
        for i in range(height)
        for j in range(width)
        for a in range(channels // outputs)
    ]
    return torch.stack(found)


def grid(cell: Sequence[Sequence[float]], feature_hw: Sequence[int], stride_yx: tuple[int, int]) -> Tensor:
    """Anchors of a cell at the corner of every cell."""
    boxes = [
        (x1 + j * stride_yx[1], y1 + i * stride_yx[0], x2 + j * stride_yx[1], y2 + i * stride_yx[0])
        for i in range(feature_hw[0])
        for j in range(feature_hw[1])
        for x1, y1, x2, y2 in cell
    ]
    return torch.tensor(boxes, dtype=torch.float32)


def cell_by_size(sizes: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """detectron2: by size, then aspect; exact."""
    found = []
    for size in sizes:
        for aspect in ASPECTS:
            w = math.sqrt(size**2 / aspect)
            h = aspect * w
            found.append((-w / 2, -h / 2, w / 2, h / 2))
    return found


def cell_by_aspect(sizes: Sequence[float], *, rounded: bool) -> list[tuple[float, float, float, float]]:
    """mmdetection, and torchvision with rounded corners: by aspect, then size."""
    found = []
    for aspect in ASPECTS:
        for size in sizes:
            h = size * math.sqrt(aspect)
            w = size / math.sqrt(aspect)
            corners = (-w / 2, -h / 2, w / 2, h / 2)
            found.append(tuple(round(x) for x in corners) if rounded else corners)  # ties to even
    return found  # type: ignore[return-value]


def decode(codes: Tensor, anchors: Tensor, weights: Sequence[float], *, both_sides: bool = False) -> Tensor:
    """(N, 4) and (N, 4) -> boxes."""
    limit = math.log(1000 / 16)
    found = []
    for (dx, dy, dw, dh), (x1, y1, x2, y2) in zip(
        codes.double().tolist(), anchors.double().tolist(), strict=True
    ):
        w, h = x2 - x1, y2 - y1
        dw, dh = min(dw / weights[2], limit), min(dh / weights[3], limit)
        if both_sides:
            dw, dh = max(dw, -limit), max(dh, -limit)
        x, y = x1 + w / 2 + dx / weights[0] * w, y1 + h / 2 + dy / weights[1] * h
        w, h = w * math.exp(dw), h * math.exp(dh)
        found.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    return torch.tensor(found).reshape(-1, 4)


def clip(boxes: Tensor, size_hw: Sequence[int]) -> Tensor:
    boxes = boxes.clone()
    boxes[:, 0::2] = boxes[:, 0::2].clamp(0, size_hw[1])
    boxes[:, 1::2] = boxes[:, 1::2].clamp(0, size_hw[0])
    return boxes


def sides(boxes: Tensor) -> Tensor:
    return boxes[:, 2:] - boxes[:, :2]


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, limit: float) -> Tensor:
    """Indices kept within each group, by descending score."""
    order = scores.argsort(descending=True, stable=True).tolist()
    alive = torch.ones(len(scores), dtype=torch.bool)
    kept = []
    for index in order:
        if not alive[index]:
            continue
        kept.append(index)
        low = torch.maximum(boxes[index, :2], boxes[:, :2])
        high = torch.minimum(boxes[index, 2:], boxes[:, 2:])
        inter = (high - low).clamp(min=0).prod(dim=1)
        union = sides(boxes[index : index + 1]).prod() + sides(boxes).prod(dim=1) - inter
        alive &= ~((inter / union > limit) & (groups == groups[index]))
    return torch.tensor(kept, dtype=torch.int64)


def roi_align(feature: Tensor, box: Sequence[float], stride: int, *, sampling: int, aligned: bool) -> Tensor:
    """(1, C, H, W) and a box -> (C, 7, 7): the mean of bilinear samples in each bin."""
    x1, y1, x2, y2 = (value / stride - (0.5 if aligned else 0) for value in box)
    w, h = x2 - x1, y2 - y1
    if not aligned:
        w, h = max(w, 1.0), max(h, 1.0)
    ny, nx = (sampling or math.ceil(h / 7)), (sampling or math.ceil(w / 7))
    ys = [y1 + (bin_ + (k + 0.5) / ny) * h / 7 for bin_ in range(7) for k in range(ny)]
    xs = [x1 + (bin_ + (k + 0.5) / nx) * w / 7 for bin_ in range(7) for k in range(nx)]
    down, across = _taps(ys, feature.shape[2]), _taps(xs, feature.shape[3])
    samples = down @ feature[0] @ across.T  # (C, 7 * ny, 7 * nx)
    if ny == 0 or nx == 0:
        return feature.new_zeros(feature.shape[1], 7, 7)
    return samples.view(-1, 7, ny, 7, nx).mean(dim=(2, 4))


def _taps(places: Sequence[float], cells: int) -> Tensor:
    """Weights of the cells for each sample: 0 beyond one cell outside."""
    found = torch.zeros(len(places), cells)
    for row, place in enumerate(places):
        if not -1 <= place <= cells:
            continue
        place = min(max(place, 0.0), cells - 1.0)
        low = int(place)
        found[row, low] += 1 - (place - low)
        found[row, min(low + 1, cells - 1)] += place - low
    return found


def level(box: Sequence[float]) -> int:
    """P2..P5 by the area."""
    area = max(box[2] - box[0], 0) * max(box[3] - box[1], 0)
    return min(max(math.floor(4 + math.log2(math.sqrt(area) / 224 + 1e-6)), 2), 5)


def spread(state: State, name: str, outputs: Tensor, mean: float, deviation: float) -> None:
    """Rescale a last layer by what it gives, so that some scores pass and codes are moderate."""
    scale = deviation / float(outputs.std())
    shift = float(outputs.mean())
    state[f"{name}.weight"] *= scale
    state[f"{name}.bias"] = (state[f"{name}.bias"] - shift) * scale + mean


def best(scores: Tensor, threshold: float, number: int) -> tuple[Tensor, Tensor]:
    """Row and class of the best scores (N, K) above a threshold."""
    pairs = (scores > threshold).nonzero()
    order = scores[pairs[:, 0], pairs[:, 1]].argsort(descending=True, stable=True)[:number]
    return pairs[order, 0], pairs[order, 1]


Detections = dict[str, Any]  # boxes (N, 4), scores (N,), labels (N,)
