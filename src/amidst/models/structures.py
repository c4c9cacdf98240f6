"""What goes into a network for training and what comes out of it.

Shapes: B images, L pyramid levels, n_l anchors of level l, K classes, G objects of an image, D detections of
an image. Boxes are `xyxy` pixels of the resized image, classes are indices 0..K-1. Crowd regions are not
objects and never appear in a `Target`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Target:
    """The objects of one image; G may be 0. Masks are there for networks that learn masks.

    A loss that samples anchors or regions at random draws them from `seed`, so that it stays a function of
    its arguments: the loop gives every image of every batch a seed of its own.
    """

    boxes_xyxy: Tensor  # (G, 4) float32
    class_index: Tensor  # (G,) int64
    masks: Tensor | None = None  # (G, h, w) bool, in the pixels of the resized image
    seed: int = 0

    def to(self, device: torch.device | str) -> Target:
        """The same objects on `device`."""
        masks = None if self.masks is None else self.masks.to(device)
        return Target(self.boxes_xyxy.to(device), self.class_index.to(device), masks, self.seed)


@dataclass(frozen=True)
class Detections:
    """The detections of one image by descending score; D may be 0."""

    boxes_xyxy: Tensor  # (D, 4) float32
    scores: Tensor  # (D,) float32
    class_index: Tensor  # (D,) int64

    def to(self, device: torch.device | str) -> Detections:
        """The same detections on `device`."""
        return Detections(self.boxes_xyxy.to(device), self.scores.to(device), self.class_index.to(device))

    def __len__(self) -> int:
        return int(self.scores.shape[0])


@dataclass(frozen=True)
class DenseOutputs:
    """Raw output of a dense detector, one entry per pyramid level, finest first."""

    class_logits: tuple[Tensor, ...]  # L of (B, n_l, K)
    box_codes: tuple[Tensor, ...]  # L of (B, n_l, 4)
    anchors_xyxy: tuple[Tensor, ...]  # L of (n_l, 4), the same for all images


@dataclass(frozen=True)
class PatchTarget:
    """What DeepMask learns from one patch (C.2): the mask of its object, or whether there is one."""

    mask: Tensor | None = None  # (g, g) int8 of -1 and +1
    label: int | None = None  # +1 an object, centred, whole and of the right size; -1 none


@dataclass(frozen=True)
class MaskProposals:
    """The mask proposals for one image by descending score; N may be 0.

    A mask is `logits` enlarged to its window and cut at a threshold; a window may leave the image.
    """

    scores: Tensor  # (N,) float32
    logits: Tensor  # (N, m, m) float32
    windows_xyxy: Tensor  # (N, 4) float32

    def __len__(self) -> int:
        return int(self.scores.shape[0])
