"""Which maps the networks of chapter 4 read, and what stays frozen."""

from __future__ import annotations

import pytest
import torch

from amidst.models.build import build_model, size_divisor
from amidst.models.config import BackboneConfig, FasterRCNNConfig, FastRCNNConfig, FPNConfig, RPNConfig
from amidst.models.config_rcnn import Maps, RegionHeadConfig, RegionPartConfig
from amidst.models.rcnn_maps import MapNetwork

Config = RPNConfig | FastRCNNConfig | FasterRCNNConfig
FAMILIES = (RPNConfig, FastRCNNConfig, FasterRCNNConfig)


def config(kind: type[Config], maps: Maps = "pyramid", **options: object) -> Config:
    """Of a size for tests."""
    if kind is not RPNConfig:
        head = RegionHeadConfig(kind="conv5" if maps == "C4" else "fc", width=16)
        options |= {"roi": RegionPartConfig(head=head), "num_classes": 3}
    return kind(
        backbone=BackboneConfig(name="tiny"),
        fpn=FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool"),
        maps=maps,
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("maps", "levels", "channels", "divisor"),
    [
        ("pyramid", (2, 3, 4, 5, 6), 16, 64),
        ("finest", (2,), 16, 32),
        ("C4", (4,), 32, 16),
        ("C5", (5,), 48, 32),
    ],
)
def test_sizes_and_levels(maps: Maps, levels: tuple[int, ...], channels: int, divisor: int) -> None:
    network = MapNetwork(config(RPNConfig, maps), freeze_shared=False)
    height, width = 70, 50  # no multiples of anything
    found = network.maps(torch.randn(2, 3, height, width))
    assert network.levels == levels
    assert network.strides == tuple(2**level for level in levels)
    assert [tuple(x.shape) for x in found] == [
        (2, channels, -(-height // stride), -(-width // stride)) for stride in network.strides
    ]
    assert size_divisor(config(RPNConfig, maps)) == divisor


@pytest.mark.parametrize("kind", FAMILIES)
def test_names_of_weights_are_those_of_files(kind: type[Config]) -> None:
    """Model files live longer than code: backbone, fpn and heads keep their names."""
    names = {name for name in build_model(config(kind)).state_dict() if not name.startswith("backbone.")}
    pyramid = {f"fpn.{part}.{level}.conv" for part in ("lateral", "output") for level in (2, 3, 4, 5)}
    rpn = {f"rpn_head.branches.0.{layer}" for layer in ("conv.conv", "objectness", "codes")}
    region = {f"region_head.{layer}" for layer in ("fcs.0", "fcs.1", "class_logits", "box_codes")}
    heads = {RPNConfig: rpn, FastRCNNConfig: region, FasterRCNNConfig: rpn | region}[kind]
    assert names == {f"{name}.{part}" for name in pyramid | heads for part in ("weight", "bias")}


@pytest.mark.parametrize("kind", [RPNConfig, FastRCNNConfig])
def test_frozen_maps_leave_the_heads_alone(kind: type[Config]) -> None:
    model = build_model(config(kind, freeze_shared=True))
    trained = {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"rpn_head" if kind is RPNConfig else "region_head"}
    assert isinstance(model, MapNetwork)
    assert not model.train().backbone.training
    assert not any(x.requires_grad for x in model.maps(torch.randn(1, 3, 64, 64)))


def test_on_c4_the_last_stage_belongs_to_fast_rcnn() -> None:
    fast = build_model(config(FastRCNNConfig, "C4", freeze_shared=True)).train()
    assert isinstance(fast, MapNetwork)
    (stage, _) = fast.last_stage_on_regions()
    assert stage.training
    learnt = {name for name, p in fast.named_parameters() if p.requires_grad and name.startswith("backbone.")}
    assert learnt == {f"backbone.stages.3.{name}" for name, _ in stage.named_parameters()}
    rpn = build_model(config(RPNConfig, "C4"))
    idle = {name for name, p in rpn.named_parameters() if not p.requires_grad}
    assert idle == learnt
