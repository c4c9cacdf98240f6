"""Settings of a mask proposal network that need no training: what they change, and no more."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from amidst.config import override
from amidst.errors import ConfigError, UsageError
from amidst.inference.propose_settings import ProposalSettings, adjusted, is_adjustable
from amidst.inference.runtime import ExportedModel
from amidst.models.build import build_model
from amidst.models.config import (
    BackboneConfig,
    DeepMaskConfig,
    DeepMaskDecodeConfig,
    FPNConfig,
    FPNMasksConfig,
    ModelConfig,
    RefineConfig,
    RetinaNetConfig,
    SharpMaskConfig,
)
from amidst.models.norms import prepare_for_inference
from amidst.models.structures import MaskProposals
from amidst.models.weights import ModelInfo
from amidst.ops.images import ImageBatch

TINY = BackboneConfig(name="tiny")
FEW = DeepMaskDecodeConfig(num_proposals=5)
DEEP = DeepMaskConfig(backbone=TINY, trunk="W32-P3-D2-F16", padding="zeros", decode=FEW)
SHARP = SharpMaskConfig(
    backbone=TINY, trunk="W32-P3-D2-F16", padding="zeros", decode=FEW, refine=RefineConfig(channels=8)
)
PYRAMID = FPNMasksConfig(
    backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
    fpn=FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool"),
    hidden=16,
)


def opened(config: ModelConfig) -> tuple[nn.Module, ModelInfo]:
    torch.manual_seed(0)
    return prepare_for_inference(build_model(config)), ModelInfo(config, ())


def proposals(model: nn.Module, height: int = 64, width: int = 96) -> MaskProposals:
    torch.manual_seed(1)
    found: list[MaskProposals] = model(ImageBatch(torch.randn(1, 3, height, width), ((height, width),)))
    return found[0]


@pytest.mark.parametrize("config", [DEEP, SHARP, PYRAMID])
def test_nothing_asked_is_nothing_changed(config: ModelConfig) -> None:
    model, info = opened(config)
    assert adjusted(model, info, ProposalSettings()) == (model, info)


@pytest.mark.parametrize("config", [DEEP, SHARP, PYRAMID])
@pytest.mark.parametrize("number", [2, 40])
def test_fewer_or_more_proposals(config: ModelConfig, number: int) -> None:
    model, info = opened(config)
    before = proposals(model)
    changed, about = adjusted(model, info, ProposalSettings(number=number))
    found = proposals(changed)
    assert len(found) == number
    both = min(number, len(before))
    torch.testing.assert_close(found.scores[:both], before.scores[:both])
    torch.testing.assert_close(found.logits[:both], before.logits[:both])
    assert about.config == changed.config
    assert len(proposals(model)) == len(before)  # the model itself is as it was
    assert [id(p) for p in changed.parameters()] == [id(p) for p in model.parameters()]


@pytest.mark.parametrize("config", [DEEP, SHARP])
@pytest.mark.parametrize("zoom", [1, 2])
def test_zoom_adds_finer_scales(config: ModelConfig, zoom: int) -> None:
    model, info = opened(config)
    changed, _ = adjusted(model, info, ProposalSettings(number=100_000, zoom=zoom))
    whole, _ = adjusted(model, info, ProposalSettings(number=100_000))
    finer = [model.scales[-1] * 2 ** (step / 2) for step in range(1, zoom + 1)]
    assert changed.scales == pytest.approx([*model.scales, *finer])
    found, usual = proposals(changed), proposals(whole)
    smallest = (found.windows_xyxy[:, 2] - found.windows_xyxy[:, 0]).min()
    smallest_usual = (usual.windows_xyxy[:, 2] - usual.windows_xyxy[:, 0]).min()
    assert float(smallest_usual / smallest) == pytest.approx(2 ** (zoom / 2), rel=0.02)
    assert len(found) > len(usual)


def test_zoom_can_be_taken_back() -> None:
    model, info = opened(override(DEEP, ["decode.zoom=2"]))
    changed, _ = adjusted(model, info, ProposalSettings(zoom=0))
    assert len(changed.scales) == len(model.scales) - 2


def test_coarse_masks_are_those_of_the_deepmask_within() -> None:
    model, info = opened(SHARP)
    changed, about = adjusted(model, info, ProposalSettings(coarse=True))
    deep = prepare_for_inference(build_model(DEEP))
    deep.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("refine.")})
    found, expected, sharp = proposals(changed), proposals(deep), proposals(model)
    torch.testing.assert_close(found.logits, expected.logits)
    torch.testing.assert_close(found.scores, sharp.scores)
    assert sharp.logits.shape[-1] == 32
    assert about.config.masks == "coarse"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("config", "settings", "said"),
    [
        (PYRAMID, ProposalSettings(zoom=1), "FPN masks look at one scale"),
        (PYRAMID, ProposalSettings(coarse=True), "one kind of masks"),
        (DEEP, ProposalSettings(coarse=True), "one kind of masks"),
        (
            DeepMaskConfig(
                backbone=TINY, trunk="W32-P3-D2-F16", decode=DeepMaskDecodeConfig(exponents=(0.0,))
            ),
            ProposalSettings(zoom=1),
            r"its own: \[0\.0\]",
        ),
        (RetinaNetConfig(backbone=TINY), ProposalSettings(number=3), "amidst predict"),
    ],
)
def test_what_a_family_does_not_have(config: Any, settings: ProposalSettings, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        adjusted(nn.Identity(), ModelInfo(config, ()), settings)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_is_a_probability(threshold: float) -> None:
    with pytest.raises(ConfigError, match="mask_threshold"):
        adjusted(*opened(DEEP), ProposalSettings(threshold=threshold))


def exported(config: ModelConfig) -> tuple[ExportedModel, ModelInfo]:
    """An exported model that is not run."""
    info = ModelInfo(config, ())
    return ExportedModel(info, lambda arrays: arrays), info


@pytest.mark.parametrize(
    ("config", "settings"),
    [
        (SHARP, ProposalSettings(zoom=1)),
        (SHARP, ProposalSettings(coarse=True)),
        (SHARP, ProposalSettings(number=6)),
        (PYRAMID, ProposalSettings(number=1001)),
    ],
)
def test_an_exported_graph_stays_as_it_is(config: ModelConfig, settings: ProposalSettings) -> None:
    model, info = exported(config)
    assert not is_adjustable(model)
    with pytest.raises(UsageError, match="an exported graph keeps"):
        adjusted(model, info, settings)


def test_an_exported_graph_can_be_cut_and_have_another_threshold() -> None:
    model, info = exported(SHARP)
    assert adjusted(model, info, ProposalSettings(number=5, zoom=0))[1].config.decode.zoom == 0  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="amidst export -n 6 writes"):
        adjusted(model, info, ProposalSettings(number=6))
    changed, about = adjusted(model, info, ProposalSettings(number=2, threshold=0.4))
    assert isinstance(changed, ExportedModel)
    assert changed.engine is model.engine
    assert about.config.decode.mask_threshold == 0.4  # type: ignore[union-attr]
    assert about.config.decode.num_proposals == 5  # type: ignore[union-attr]
