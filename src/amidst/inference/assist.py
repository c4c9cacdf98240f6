"""Masks for a click or a box: what an editor asks while someone draws (a click selects a proposal).

    scene     all that is computed once for an image: its proposals, with masks and tight boxes
    point     the proposals whose mask holds the point; the best by score times the mask's probability there
    box       the proposals whose tight box overlaps the box; the best by score times that overlap

A click costs a few look-ups, whatever the network costs.

N proposals of the scene, Q queries; points are (x, y) and boxes (x1, y1, x2, y2) in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.errors import UsageError
from amidst.inference.predict import resize_rule
from amidst.inference.propose import propose_pixels
from amidst.inference.propose_settings import ProposalSettings, adjusted, is_adjustable
from amidst.models.config import MaskConfig
from amidst.models.structures import MaskProposals
from amidst.models.weights import ModelInfo
from amidst.ops.boxes import pairwise_iou

PROPOSALS = 2000  # of a scene: more than of a list, for the click says where to look


@dataclass(frozen=True)
class Suggestion:
    """A mask for a query; `score` in 0..1 ranks the suggestions of one query."""

    rle: Rle
    box_xywh: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class Scene:
    """An image that has been looked at. `proposals` are in its pixels, their logits in float16: a scene of
    2,000 masks of 160 x 160 is 100 MB, and a server keeps some of them."""

    size_hw: tuple[int, int]
    proposals: MaskProposals
    rles: tuple[Rle, ...]  # N
    boxes_xywh: npt.NDArray[np.float64]  # (N, 4)
    threshold: float

    def at_point(self, x: float, y: float, number: int = 3) -> list[Suggestion]:
        """The best masks that hold the pixel at (x, y), at most `number`. Raises UsageError outside."""
        height, width = self.size_hw
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(f"point ({x:g}, {y:g}) is outside the image of {width} x {height} pixels")
        probability = _probability_at(self.proposals, x, y)
        worth = self.proposals.scores * probability
        return self._best(torch.where(probability > self.threshold, worth, torch.zeros_like(worth)), number)

    def at_box(self, box_xyxy: Sequence[float], number: int = 3) -> list[Suggestion]:
        """The best masks of about this box, at most `number`. Raises UsageError for a box without area."""
        box = torch.tensor([list(box_xyxy)], dtype=torch.float32)
        if box.shape != (1, 4) or not bool((box[0, 2:] > box[0, :2]).all()):
            raise UsageError(f"box {list(box_xyxy)}: expected x1 < x2 and y1 < y2")
        tight = torch.from_numpy(self.boxes_xywh).float()
        tight = torch.cat((tight[:, :2], tight[:, :2] + tight[:, 2:]), dim=1)
        return self._best(self.proposals.scores * pairwise_iou(tight, box)[:, 0], number)

    def _best(self, worth: Tensor, number: int) -> list[Suggestion]:
        """Of what is worth (N,) more than nothing the most."""
        value, chosen = worth.topk(min(number, len(worth)))
        return [
            Suggestion(self.rles[n], tuple(self.boxes_xywh[n].tolist()), score)
            for n, score in zip(chosen.tolist(), value.tolist(), strict=True)
            if score > 0
        ]


def open_scene(
    model: nn.Module, info: ModelInfo, image: npt.NDArray[np.uint8], *, proposals: int = PROPOSALS
) -> Scene:
    """Look at an RGB image uint8 (H, W, 3) once, for at most this number of proposals, of an exported model
    for as many as it gives.

    Raises UsageError for another kind of array and for a model that proposes no masks.
    """
    if not isinstance(info.config, MaskConfig):
        raise UsageError("this model proposes no masks; DeepMask, SharpMask and FPN masks do")
    _check_image(image)
    threshold = info.config.decode.mask_threshold
    if is_adjustable(model):
        model, info = adjusted(model, info, ProposalSettings(number=proposals))
    size_hw = (int(image.shape[0]), int(image.shape[1]))
    found = propose_pixels(model, info, image, resize_rule(info), proposals)
    windows = replace(found.windows, logits=found.windows.logits.half())
    return Scene(size_hw, windows, found.rles, masks.boxes(found.rles), threshold)


def _check_image(image: object) -> None:
    if not isinstance(image, np.ndarray):
        raise UsageError(f"image: expected an array uint8 (H, W, 3), found {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        shape = "x".join(map(str, image.shape)) or "no shape"
        raise UsageError(
            f"image: expected RGB pixels uint8 (H, W, 3), found {image.dtype} {shape}; "
            "amidst.coco.images.read_image reads a photograph so"
        )


def masks_at(
    model: nn.Module,
    info: ModelInfo,
    image: npt.NDArray[np.uint8],
    *,
    points: Sequence[tuple[float, float]] = (),
    boxes: Sequence[Sequence[float]] = (),
) -> list[Suggestion | None]:
    """The best mask for each point (x, y) and then for each box (x1, y1, x2, y2); None where there is none.

    For several clicks on one image keep what `open_scene` gives.
    """
    scene = open_scene(model, info, image)
    found = [scene.at_point(x, y, 1) for x, y in points] + [scene.at_box(box, 1) for box in boxes]
    return [best[0] if best else None for best in found]


def _probability_at(proposals: MaskProposals, x: float, y: float) -> Tensor:
    """Probability (N,) of each mask at the middle of a pixel; 0 outside its window."""
    windows = proposals.windows_xyxy
    at = windows.new_tensor([int(x) + 0.5, int(y) + 0.5])
    place = (at - windows[:, :2]) / (windows[:, 2:] - windows[:, :2]).clamp(min=1e-6) * 2 - 1  # (N, 2)
    sampled = F.grid_sample(
        proposals.logits[:, None],
        place[:, None, None].to(proposals.logits.dtype),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )[:, 0, 0, 0]
    return sampled.float().sigmoid() * (place.abs() <= 1).all(dim=1)
