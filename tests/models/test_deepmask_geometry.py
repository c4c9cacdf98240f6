"""Sizes from names: Table 3.1 of the thesis, and what is refused."""

from __future__ import annotations

import pytest
import torch

from amidst.errors import ConfigError
from amidst.models.backbone import build_backbone
from amidst.models.config import BackboneConfig, DeepMaskConfig, DeepMaskDecodeConfig
from amidst.models.deepmask_geometry import DEPTHS, geometry, scales


def config(trunk: str, backbone: str = "resnet50", head: str = "C") -> DeepMaskConfig:
    return DeepMaskConfig(trunk=trunk, backbone=BackboneConfig(name=backbone), head=head)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("trunk", "cells", "features", "crop", "object_side"),
    [
        ("W160-P4-D39", 10, 512, 192, 92),
        ("W160-P4-D39-F128", 10, 128, 192, 92),
        ("W112-P4-D39", 7, 512, 144, 64),
        ("W112-P3-D21", 14, 512, 144, 64),
        ("W112-P3-D21-F128", 14, 128, 144, 64),
        ("W224-P4-D39", 14, 512, 256, 128),
        ("W224-P4-D8-VGG", 14, 512, 256, 128),
        ("W160-P4-D8-VGG", 10, 512, 192, 92),
    ],
)
def test_trunks_of_the_thesis(trunk: str, cells: int, features: int, crop: int, object_side: int) -> None:
    sizes = geometry(config(trunk, "vgg11" if "VGG" in trunk else "resnet50"))
    assert (sizes.cells, sizes.features, sizes.crop, sizes.object_side) == (
        cells,
        features,
        crop,
        object_side,
    )


@pytest.mark.parametrize(
    ("trunk", "message"),
    [
        ("R50", "expected W<side>"),
        ("W160-P4-D8-VGG", "expected model.backbone.name=vgg11, found resnet50"),
        ("W160-P5-D48", "expected P3 or P4, found P5"),
        ("W160-P4-D21", "expected D39"),
        ("W150-P4-D39", "multiple of 16"),
        ("W0-P4-D39", "multiple of 16"),
    ],
)
def test_names_that_do_not_fit(trunk: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        geometry(config(trunk))


def test_the_backbone_and_its_name_go_together() -> None:
    with pytest.raises(ConfigError, match="vgg11 has names like W160-P4-D8-VGG"):
        geometry(config("W160-P4-D8", "vgg11"))
    with pytest.raises(ConfigError, match="vgg11 has 8 convolutions up to 4 halvings: expected D8"):
        geometry(config("W160-P4-D11-VGG", "vgg11"))


def test_an_odd_number_of_cells_is_not_pooled_in_pairs() -> None:
    with pytest.raises(ConfigError, match="an odd number"):
        geometry(config("W112-P4-D39", head="original"))


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_depths_count_the_convolutions(name: str) -> None:
    """Without the stem and the shortcuts."""
    for level, depth in DEPTHS[name].items():  # type: ignore[index]
        with torch.device("meta"):
            trunk = build_backbone(BackboneConfig(name=name), last_level=level)  # type: ignore[arg-type]
        convolutions = [key for key in trunk.state_dict() if ".conv" in key]
        assert len(convolutions) == depth


def test_depths_of_the_light_backbones() -> None:
    for name, stem in (("efficientnet_lite0", "conv_stem"), ("tiny", "stem.")):
        for level, depth in DEPTHS[name].items():  # type: ignore[index]
            trunk = build_backbone(BackboneConfig(name=name), last_level=level)  # type: ignore[arg-type]
            convolutions = [key for key in trunk.state_dict() if "conv" in key and not key.startswith(stem)]
            assert len(convolutions) == depth


def test_scales_of_the_release_and_of_the_thesis() -> None:
    halves = [2 ** (e / 2) for e in range(-5, 2)]
    assert scales(config("W160-P4-D39")) == pytest.approx(halves)
    assert scales(config("W224-P4-D39")) == pytest.approx([2 ** (e / 2) for e in range(-4, 3)])
    zoomed = DeepMaskConfig(decode=DeepMaskDecodeConfig(zoom=1))
    assert scales(zoomed) == pytest.approx([*halves, 2])
    zoomed = DeepMaskConfig(decode=DeepMaskDecodeConfig(zoom=2))
    assert scales(zoomed) == pytest.approx([*halves, 2, 2**1.5])
    chosen = DeepMaskConfig(decode=DeepMaskDecodeConfig(exponents=(1.0, -1.0)))
    assert scales(chosen) == (0.5, 2.0)
