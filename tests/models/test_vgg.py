"""VGG-A: published size, names, strides, frozen parts; the first DeepMask stands on it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from amidst.errors import ConfigError
from amidst.models.backbone import build_backbone
from amidst.models.build import build_model
from amidst.models.config import BackboneConfig, DeepMaskConfig, DeepMaskDecodeConfig, SharpMaskConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.pretrained import load_backbone
from amidst.models.vgg import vgg11
from amidst.ops.images import ImageBatch

WHOLE = BackboneConfig(name="vgg11", freeze_at=0)


def test_number_of_parameters_is_the_published_one() -> None:
    """132,863,336 less the classifier's three layers."""
    with torch.device("meta"):
        network = vgg11(WHOLE, last_level=4)
    classifier = (512 * 7 * 7 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
    assert sum(p.numel() for p in network.parameters()) + classifier == 132_863_336


def test_names_are_torchvisions_and_depth_is_the_thesis() -> None:
    for level, places in ((4, (0, 3, 6, 8, 11, 13, 16, 18)), (3, (0, 3, 6, 8, 11, 13))):
        network = vgg11(WHOLE, last_level=level)
        expected = {f"features.{place}.{part}" for place in places for part in ("weight", "bias")}
        assert set(network.state_dict()) == expected
    assert network.left_out == ("features.16.", "features.18.")


def test_there_is_no_c5() -> None:
    with pytest.raises(ConfigError, match="vgg11 ends at C4"):
        build_backbone(WHOLE)


@pytest.mark.parametrize("padding", ["zeros", "symmetric"])
@pytest.mark.parametrize("size_hw", [(64, 96), (65, 95), (33, 1)])
def test_features_have_the_promised_shapes(padding: str, size_hw: tuple[int, int]) -> None:
    backbone = vgg11(WHOLE, 4, padding)  # type: ignore[arg-type]
    with torch.inference_mode():
        features = backbone.maps(torch.randn(1, 3, *size_hw))
    widths = (backbone.stem_channels, *backbone.out_channels)
    for feature, stride, channels in zip(features, (2, *backbone.strides), widths, strict=True):
        height, width = (-(-side // stride) for side in size_hw)
        assert feature.shape == (1, channels, height, width)


def test_is_what_the_table_says() -> None:
    """C1 computed literally, mirrored at the border."""
    torch.manual_seed(0)
    network = vgg11(WHOLE, 4, "symmetric").double()
    x = torch.randn(1, 3, 20, 12, dtype=torch.float64)
    state = network.state_dict()
    y = x
    for place in (0, 3):
        padded = F.pad(y, (1, 1, 1, 1), mode="replicate")
        y = F.relu(F.conv2d(padded, state[f"features.{place}.weight"], state[f"features.{place}.bias"]))
        y = F.max_pool2d(y, 2) if place == 0 else y
    assert torch.allclose(network.maps(x)[0], y)


@pytest.mark.parametrize("freeze_at", [0, 1, 2, 4])
def test_frozen_levels_do_not_learn(freeze_at: int) -> None:
    network = vgg11(BackboneConfig(name="vgg11", freeze_at=freeze_at), 4)
    features = network.maps(torch.randn(1, 3, 32, 32))
    assert [f.requires_grad for f in features] == [freeze_at < level for level in (1, 2, 3, 4)]
    learning = {name for name, p in network.named_parameters() if p.requires_grad}
    if freeze_at < 4:
        features[-1].mean().backward()
    assert {name for name, p in network.named_parameters() if p.grad is not None} == learning


def test_published_file_is_taken_without_its_classifier(tmp_path: Path) -> None:
    state = vgg11(WHOLE, 4).state_dict() | {"classifier.0.weight": torch.zeros(2)}
    torch.save(state, tmp_path / "vgg11.pth")
    config = DeepMaskConfig(backbone=WHOLE, trunk="W112-P3-D6-VGG")
    trunk = build_backbone(WHOLE, 3, "symmetric")
    load_backbone(trunk, config, tmp_path / "vgg11.pth")
    assert torch.equal(trunk.state_dict()["features.13.bias"], state["features.13.bias"])


@pytest.mark.parametrize("kind", [DeepMaskConfig, SharpMaskConfig])
def test_proposes_masks(kind: type[DeepMaskConfig]) -> None:
    torch.manual_seed(0)
    decode = DeepMaskDecodeConfig(num_proposals=5, exponents=(-1.0,))
    model = build_model(kind(backbone=WHOLE, trunk="W32-P4-D8-VGG", decode=decode)).eval()
    images = ImageBatch(torch.randn(1, 3, 50, 70), ((50, 70),))
    with torch.inference_mode():
        (a,), (b,) = model(images), prepare_for_inference(model)(images)
    assert len(a.scores) == 5
    assert torch.allclose(a.logits, b.logits, atol=1e-3)
