"""The head of Fast R-CNN: what it pools, how its outputs are laid out, first weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from amidst.errors import ConfigError
from amidst.models.config_rcnn import Maps, PoolingConfig, RegionHeadConfig, RegionPartConfig
from amidst.models.fast_rcnn_head import RegionHead, Regions

NO_REGIONS = Regions(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def make(maps: Maps = "pyramid", levels: tuple[int, ...] = (2, 3, 4, 5, 6), **head: object) -> RegionHead:
    config = RegionPartConfig(
        pooling=PoolingConfig(size=2),
        head=RegionHeadConfig(**({"width": 8} | head)),  # type: ignore[arg-type]
    )
    return RegionHead(config, 3, maps, 4, levels, 6)


def constant_maps(levels: tuple[int, ...]) -> list[Tensor]:
    """Two images of 256 x 256; a map says its level, plus 10 for the second image."""
    maps = [torch.full((2, 4, 256 // 2**level, 256 // 2**level), float(level)) for level in levels]
    return [x + torch.tensor([0.0, 10.0]).view(2, 1, 1, 1) for x in maps]


@pytest.mark.parametrize(("maps", "kind"), [("C4", "fc"), ("C5", "conv5"), ("pyramid", "conv5")])
def test_conv5_belongs_to_c4(maps: Maps, kind: str) -> None:
    with pytest.raises(ConfigError, match=r"roi.head.kind"):
        make(maps, (4,), kind=kind)


def test_no_regions_give_no_outputs_and_zero_gradients() -> None:
    head = make()
    outputs = head([x.requires_grad_() for x in constant_maps((2, 3, 4, 5, 6))], NO_REGIONS)
    assert outputs.class_logits.shape == (0, 4)
    assert outputs.box_codes.shape == (0, 3, 4)
    (outputs.class_logits.sum() + outputs.box_codes.sum()).backward()
    assert all(p.grad is not None and not p.grad.any() for p in head.parameters())


def test_a_region_reads_the_level_of_its_size_and_its_own_image() -> None:
    """Eq. 4.1: 112 -> P3, 224 -> P4; 56 and less -> P2; P6 is for the RPN alone."""
    head = make()
    sides = torch.tensor([20.0, 56, 112, 224, 250])
    boxes = torch.stack((torch.zeros(5), torch.zeros(5), sides, sides), dim=1)
    regions = Regions(boxes.repeat(2, 1), torch.arange(2).repeat_interleave(5))
    pooled = head._pool(constant_maps((2, 3, 4, 5, 6)), regions)
    assert pooled.shape == (10, 4, 2, 2)
    assert pooled[:, 0, 0, 0].tolist() == [2, 2, 3, 4, 4, 12, 12, 13, 14, 14]


def test_codes_are_by_class() -> None:
    head = make()
    with torch.no_grad():
        head.box_codes.weight.zero_()
        head.box_codes.bias.copy_(torch.arange(12.0))
    outputs = head(constant_maps((2, 3, 4, 5)), Regions(torch.tensor([[0.0, 0, 9, 9]]), torch.tensor([0])))
    assert outputs.box_codes[0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_conv5_runs_the_last_stage_over_twice_as_many_cells() -> None:
    head = make("C4", (4,), kind="conv5")
    seen: list[torch.Size] = []

    class Stage(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.shape)
            return x.repeat(1, 2, 1, 1)[:, :6, ::2, ::2]

    outputs = head(
        constant_maps((4,)), Regions(torch.tensor([[0.0, 0, 99, 99]]), torch.tensor([1])), [Stage()]
    )
    assert seen == [(1, 4, 4, 4)]
    assert head.class_logits.in_features == 6
    expected = head.class_logits(torch.full((1, 6), 14.0))
    torch.testing.assert_close(outputs.class_logits, expected)


def test_first_weights() -> None:
    torch.manual_seed(0)
    head = RegionHead(RegionPartConfig(), 80, "pyramid", 16, (2, 3, 4, 5), 0)
    first = head.fcs[0].weight
    assert isinstance(first, Tensor)
    assert float(first.detach().abs().max()) == pytest.approx(math.sqrt(3 / (16 * 49)), rel=1e-3)
    assert float(head.class_logits.weight.detach().std()) == pytest.approx(0.01, rel=0.05)
    assert float(head.box_codes.weight.detach().std()) == pytest.approx(0.001, rel=0.05)
    assert head.class_logits.out_features == 81
    assert head.box_codes.out_features == 320
