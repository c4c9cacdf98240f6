"""What goes into a detector for training and what comes out of it.

Shapes: G objects of an image, D detections of an image. Boxes are `xyxy` pixels of the resized image, classes
are indices 0..K-1. Crowd regions are not objects and never appear in a `Target`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Target:
    """The objects of one image; G may be 0."""

    boxes_xyxy: Tensor  # (G, 4) float32
    class_index: Tensor  # (G,) int64

    def to(self, device: torch.device | str) -> Target:
        """The same objects on `device`."""
        return Target(self.boxes_xyxy.to(device), self.class_index.to(device))


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
