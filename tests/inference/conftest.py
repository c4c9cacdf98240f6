"""Small networks and photographs for prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from amidst.models.build import build_model
from amidst.models.config import BackboneConfig, DecodeConfig, FPNConfig, HeadConfig, RetinaNetConfig
from amidst.models.weights import ModelInfo

CATEGORIES = ({"id": 3, "name": "dog", "supercategory": ""}, {"id": 7, "name": "cat", "supercategory": ""})
RESIZE = {"short": 64, "long": 96}


def small_config() -> RetinaNetConfig:
    """A small RetinaNet with GroupNorm: what is beside an image in a batch could matter."""
    return RetinaNetConfig(
        num_classes=2,
        backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
        fpn=FPNConfig(channels=32, max_level=5),
        head=HeadConfig(convs=1, channels=32, norm="group"),
        decode=DecodeConfig(score_threshold=0.01, max_detections=20),
    )


@pytest.fixture
def info() -> ModelInfo:
    """Two classes, short side 64."""
    return ModelInfo(small_config(), CATEGORIES, {"resize": RESIZE})


@pytest.fixture
def network() -> nn.Module:
    """Random weights from a fixed seed, in evaluation mode."""
    torch.manual_seed(0)
    return build_model(small_config()).eval()


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Six images of four sizes, one of them taller than wide."""
    random = np.random.default_rng(0)
    sizes_hw = [(64, 96), (96, 64), (48, 80), (64, 96), (128, 128), (30, 200)]
    paths = [tmp_path / "photos" / f"{number}.png" for number in range(len(sizes_hw))]
    paths[0].parent.mkdir()
    for path, (height, width) in zip(paths, sizes_hw, strict=True):
        Image.fromarray(random.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(path)
    return paths
