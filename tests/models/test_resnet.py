"""ResNets: sizes, names, frozen parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from amidst.models.backbone import build_backbone
from amidst.models.config import BackboneConfig
from amidst.models.resnet import resnet18, resnet34, resnet50, resnet101

SCRATCH = BackboneConfig(norm="batch", freeze_at=0)


@pytest.mark.parametrize(
    ("build", "published", "width"),
    [
        (resnet18, 11_689_512, 512),
        (resnet34, 21_797_672, 512),
        (resnet50, 25_557_032, 2048),
        (resnet101, 44_549_160, 2048),
    ],
)
def test_number_of_parameters_is_the_published_one(build: object, published: int, width: int) -> None:
    with torch.device("meta"):
        network = build(SCRATCH)  # type: ignore[operator]
    classifier = width * 1000 + 1000
    assert sum(p.numel() for p in network.parameters()) + classifier == published


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_lite0", "tiny"])
@pytest.mark.parametrize("size_hw", [(64, 96), (65, 95), (33, 1)])
def test_features_have_the_promised_shapes(name: str, size_hw: tuple[int, int]) -> None:
    backbone = build_backbone(BackboneConfig(name=name))  # type: ignore[arg-type]
    with torch.inference_mode():
        features = backbone(torch.randn(1, 3, *size_hw))
    assert len(features) == 4
    for feature, stride, channels in zip(features, backbone.strides, backbone.out_channels, strict=True):
        height, width = (-(-side // stride) for side in size_hw)
        assert feature.shape == (1, channels, height, width)


def test_names_are_torchvisions() -> None:
    names = set(resnet50(SCRATCH).state_dict())
    for name in (
        "conv1.weight",
        "bn1.running_var",
        "layer1.0.downsample.0.weight",
        "layer1.0.downsample.1.bias",
        "layer4.2.conv3.weight",
        "layer4.2.bn3.num_batches_tracked",
    ):
        assert name in names
    assert len(names) == 318  # 320 in torchvision, less the classifier's two


@pytest.mark.parametrize("in_1x1", [False, True])
def test_place_of_the_stride(in_1x1: bool) -> None:
    block = resnet50(BackboneConfig(stride_in_1x1=in_1x1)).get_submodule("layer2.0")
    conv1, conv2 = block.get_submodule("conv1"), block.get_submodule("conv2")
    assert isinstance(conv1, nn.Conv2d)
    assert isinstance(conv2, nn.Conv2d)
    assert (conv1.stride, conv2.stride) == (((2, 2), (1, 1)) if in_1x1 else ((1, 1), (2, 2)))


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0"])
@pytest.mark.parametrize("norm", ["frozen", "batch"])
@pytest.mark.parametrize("freeze_at", [0, 1, 2, 5])
def test_frozen_parts_get_no_gradient_and_record_no_graph(name: str, norm: str, freeze_at: int) -> None:
    config = BackboneConfig(name=name, norm=norm, freeze_at=freeze_at)  # type: ignore[arg-type]
    backbone = build_backbone(config).train()
    before = {name: t.clone() for name, t in backbone.state_dict().items()}
    features = backbone(torch.randn(2, 3, 64, 64))
    assert [f.requires_grad for f in features] == [freeze_at < level for level in (2, 3, 4, 5)]
    if freeze_at < 5:
        features[-1].mean().backward()
    trained = {name for name, p in backbone.named_parameters() if p.grad is not None}
    assert trained == {name for name, p in backbone.named_parameters() if p.requires_grad}
    stem = [name for name in before if name.startswith(("conv1", "conv_stem", "bn"))]
    if freeze_at >= 1:  # neither weights nor statistics of a frozen part move
        assert not trained.intersection(stem)
        assert all(torch.equal(backbone.state_dict()[name], before[name]) for name in stem)


def test_bottleneck_is_what_the_formula_says() -> None:
    torch.manual_seed(0)
    network = resnet50(BackboneConfig()).double()
    block = network.get_submodule("layer2.0")
    x = torch.randn(1, 256, 8, 8, dtype=torch.float64)

    def step(y: torch.Tensor, conv: str, norm: str) -> torch.Tensor:
        out: torch.Tensor = block.get_submodule(norm)(block.get_submodule(conv)(y))
        return out

    y = F.relu(step(x, "conv1", "bn1"))
    y = F.relu(step(y, "conv2", "bn2"))
    y = F.relu(step(y, "conv3", "bn3") + step(x, "downsample.0", "downsample.1"))
    assert torch.allclose(block(x), y, atol=1e-9)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_lite0", "tiny"])
def test_stops_at_a_level_and_the_last_stage_goes_on_from_there(name: str) -> None:
    backbone = build_backbone(BackboneConfig(name=name)).eval()  # type: ignore[arg-type]
    pixels = torch.randn(1, 3, 70, 50)
    whole, part = backbone(pixels), backbone(pixels, coarsest=4)
    assert [torch.equal(a, b) for a, b in zip(part, whole, strict=False)] == [True] * 3
    c5 = torch.nn.Sequential(*backbone.last_stage())(part[-1])
    assert torch.equal(c5, whole[-1])
