"""Faster R-CNN put together from an RPN and a Fast R-CNN."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import torch

from amidst.errors import WeightsError
from amidst.models.config import BackboneConfig, FastRCNNConfig, FPNConfig, RPNConfig
from amidst.models.config_rcnn import Maps, RegionHeadConfig, RegionPartConfig, RPNDecodeConfig, RPNPartConfig
from amidst.models.fast_rcnn import FastRCNN
from amidst.models.faster_rcnn_assembly import assemble, join_configs, rpn_on_maps_of
from amidst.models.structures import Target
from amidst.ops.images import ImageBatch

TINY = BackboneConfig(name="tiny")


def configs(maps: Maps = "pyramid") -> tuple[RPNConfig, FastRCNNConfig]:
    fpn = FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool")
    head = RegionHeadConfig(kind="conv5" if maps == "C4" else "fc", width=16)
    decode = RPNDecodeConfig(test_count=50)
    return (
        RPNConfig(backbone=TINY, fpn=fpn, maps=maps, freeze_shared=True, rpn=RPNPartConfig(decode=decode)),
        FastRCNNConfig(
            num_classes=3,
            backbone=TINY,
            fpn=msgspec.structs.replace(fpn, max_level=5),
            maps=maps,
            freeze_shared=True,
            roi=RegionPartConfig(head=head),
        ),
    )


@pytest.mark.parametrize("maps", ["pyramid", "C4"])
def test_does_what_both_do_one_after_the_other(images: ImageBatch, maps: Maps) -> None:
    rpn_config, fast_config = configs(maps)
    fast = FastRCNN(fast_config).eval()
    rpn = rpn_on_maps_of(fast, rpn_config).eval()
    with torch.no_grad():
        torch.nn.init.normal_(fast.region_head.class_logits.weight, std=0.5)
        if maps == "C4":  # the stage that is Fast R-CNN's head goes on learning in step 4
            fast.last_stage_on_regions()[0].get_parameter("conv.weight").mul_(1.1)
    model = assemble(rpn, fast).eval()
    proposals = tuple(found.boxes_xyxy for found in rpn(images))
    expected = fast(replace(images, proposals_xyxy=proposals))
    for a, b in zip(model(images), expected, strict=True):
        assert len(a) > 0
        assert torch.equal(a.boxes_xyxy, b.boxes_xyxy)
        assert torch.equal(a.scores, b.scores)


def test_a_step_on_frozen_maps_leaves_them_bit_for_bit(images: ImageBatch, targets: list[Target]) -> None:
    rpn_config, fast_config = configs()
    fast = FastRCNN(fast_config)
    rpn = rpn_on_maps_of(fast, rpn_config).train()
    optimiser = torch.optim.AdamW([p for p in rpn.parameters() if p.requires_grad], 0.1)
    before = [p.detach().clone() for p in rpn.rpn_head.parameters()]
    sum(rpn(images, targets).values()).backward()  # type: ignore[union-attr]
    optimiser.step()
    assert not any(torch.equal(a, b) for a, b in zip(before, rpn.rpn_head.parameters(), strict=True))
    assemble(rpn, fast)  # which compares


def test_refuses_networks_on_different_maps() -> None:
    rpn_config, fast_config = configs()
    other = msgspec.structs.replace(fast_config, fpn=FPNConfig(channels=32, min_level=2, max_level=5))
    with pytest.raises(WeightsError, match="share no maps: fpn"):
        join_configs(rpn_config, other)
    with pytest.raises(WeightsError, match="share no maps: maps"):
        join_configs(rpn_config, configs("C5")[1])
    first, second = FastRCNN(fast_config), FastRCNN(fast_config)
    with pytest.raises(WeightsError, match=r"differ in \d+ weights of their maps"):
        assemble(rpn_on_maps_of(first, rpn_config), second)
