"""Padding with the mirrored picture: hand-worked rows, shapes, gradients."""

from __future__ import annotations

import pytest
import torch

from amidst.errors import ConfigError
from amidst.models.backbone import build_backbone
from amidst.models.config import BackboneConfig
from amidst.models.symmetric_padding import pad_symmetric


def test_no_images_and_no_border() -> None:
    assert pad_symmetric(torch.zeros(0, 3, 4, 5), 1).shape == (0, 3, 6, 7)
    x = torch.rand(1, 2, 3, 4)
    assert pad_symmetric(x, 0) is x


@pytest.mark.parametrize(
    ("border", "row"),
    [
        (1, [1, 1, 2, 3, 4, 4]),
        (2, [2, 1, 1, 2, 3, 4, 4, 3]),
        (3, [3, 2, 1, 1, 2, 3, 4, 4, 3, 2]),
    ],
)
def test_the_border_pixel_is_repeated(border: int, row: list[int]) -> None:
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).expand(1, 1, 4, 4)
    padded = pad_symmetric(x, border)
    assert padded.shape == (1, 1, 4 + 2 * border, 4 + 2 * border)
    assert padded[0, 0, 0].tolist() == row
    assert torch.equal(pad_symmetric(x.mT, border), padded.mT)


@pytest.mark.parametrize("border", [1, 3])
def test_gradient_flows_through_the_border(border: int) -> None:
    x = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: pad_symmetric(x, border), (x,))


def test_a_constant_picture_has_no_border_in_a_symmetric_trunk() -> None:
    torch.manual_seed(0)
    config = BackboneConfig(name="resnet18", freeze_at=0)
    trunk = build_backbone(config, last_level=4, padding="symmetric").eval()
    with torch.no_grad():
        maps = trunk.maps(torch.full((1, 3, 64, 96), 0.7))
    assert [tuple(m.shape[1:]) for m in maps] == [(64, 32, 48), (64, 16, 24), (128, 8, 12), (256, 4, 6)]
    for level in maps:
        assert torch.allclose(level, level[:, :, :1, :1].expand_as(level), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "tiny"])
def test_backbones_of_zeros_refuse(name: str) -> None:
    with pytest.raises(ConfigError, match='want padding "zeros"'):
        build_backbone(BackboneConfig(name=name), padding="symmetric")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0", "tiny"])
def test_a_trunk_is_the_front_of_the_backbone(name: str) -> None:
    config = BackboneConfig(name=name)  # type: ignore[arg-type]
    torch.manual_seed(0)
    whole, trunk = build_backbone(config).eval(), build_backbone(config, last_level=4).eval()
    left_out = whole.state_dict().keys() - trunk.state_dict().keys()
    assert left_out
    if trunk.left_out:
        assert left_out == {key for key in whole.state_dict() if key.startswith(trunk.left_out)}
    trunk.load_state_dict({key: whole.state_dict()[key] for key in trunk.state_dict()})
    pixels = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        maps = trunk.maps(pixels)
        assert all(torch.equal(a, b) for a, b in zip(maps, whole.maps(pixels), strict=False))
        assert [m.shape[1] for m in maps] == [trunk.stem_channels, *trunk.out_channels]
        assert [64 // m.shape[2] for m in maps] == [2, 4, 8, 16]
