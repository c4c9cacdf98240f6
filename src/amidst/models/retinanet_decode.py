"""From raw outputs to detections (I.7, thesis section 5.4).

    per level   (anchor, class) pairs of score > threshold, the best `candidates_per_level` of them
    decode      box codes to boxes
    merge       all levels, clipped to the image inside the padding, non-maximum suppression within each
                class, the best `max_detections` (`box_rules`)

One anchor may give several classes. The threshold is applied to the logits, for sigmoid(x) > t is the same as
x > ln(t / (1 - t)): only what passes costs more than a comparison.

Shapes: B images, n anchors of a level, K classes, M candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from amidst.models.box_rules import merge
from amidst.models.config import DecodeConfig
from amidst.models.structures import DenseOutputs, Detections
from amidst.ops.coding import decode

BLOCK = 256


@torch.no_grad()
def decode_detections(
    outputs: DenseOutputs, sizes_hw: Sequence[tuple[int, int]], config: DecodeConfig
) -> list[Detections]:
    """Detections of each of B images of true sizes `sizes_hw`."""
    return [_decode_image(outputs, index, size_hw, config) for index, size_hw in enumerate(sizes_hw)]


def _decode_image(
    outputs: DenseOutputs, index: int, size_hw: tuple[int, int], config: DecodeConfig
) -> Detections:
    candidates = [
        _candidates(logits[index], codes[index], anchors, config)
        for logits, codes, anchors in zip(
            outputs.class_logits, outputs.box_codes, outputs.anchors_xyxy, strict=True
        )
    ]
    # All levels at once: on so few numbers a step costs the same for one level as for all.
    codes, anchors, values, classes = (torch.cat(parts) for parts in zip(*candidates, strict=True))
    boxes = decode(codes.float(), anchors, clamp=config.boxes.clamp)
    return merge(Detections(boxes, values.sigmoid(), classes), size_hw, config)


def _candidates(
    logits: Tensor, codes: Tensor, anchors: Tensor, config: DecodeConfig
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits (n, K), codes (n, 4), anchors (n, 4) of one level -> the M best pairs: codes (M, 4), anchors
    (M, 4), logits (M,), classes (M,).
    """
    num_classes = logits.shape[1]
    flat = logits.flatten()  # (n*K,), class fastest
    chosen = _above(flat, logit(config.score_threshold))
    values = flat[chosen].float()
    if len(chosen) > config.candidates_per_level:
        values, best = values.topk(config.candidates_per_level)
        chosen = chosen[best]
    anchor = chosen // num_classes
    return codes[anchor], anchors[anchor], values, chosen % num_classes


def _above(values: Tensor, threshold: float) -> Tensor:
    """Indices of the values (N,) above a threshold, ascending.

    Of 10^7 values a thousand pass: the maximum of each block, one pass over the memory, finds the blocks to
    look into.
    """
    whole = len(values) // BLOCK * BLOCK
    blocks = values[:whole].view(-1, BLOCK)
    hopeful = (~(blocks.amax(dim=1) <= threshold)).nonzero()[:, 0]  # a NaN hides nothing
    block, place = (blocks[hopeful] > threshold).nonzero().unbind(dim=1)
    rest = (values[whole:] > threshold).nonzero()[:, 0]
    return torch.cat((hopeful[block] * BLOCK + place, rest + whole))


def logit(probability: float) -> float:
    """ln(p / (1 - p)), infinite beyond the ends of 0..1."""
    if probability <= 0:
        return -math.inf
    return math.log(probability / (1 - probability)) if probability < 1 else math.inf
