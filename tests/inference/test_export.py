"""Every exported family against its network in torch: same count, boxes to 0.01 pixels, scores to 1e-4."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from amidst.config import override
from amidst.errors import UsageError, WeightsError
from amidst.inference.export import export_model, exportable
from amidst.inference.export_int8 import quantise_file
from amidst.inference.export_masks import ExportedDeepMask, ExportedFPNMasks, scaled
from amidst.inference.exported import BOX_OUTPUTS, MASK_OUTPUTS
from amidst.inference.propose_settings import ProposalSettings, adjusted
from amidst.inference.reading import Source
from amidst.inference.runtime import Arrays, Engine, ExportedModel, open_exported
from amidst.models.build import build_model, size_divisor
from amidst.models.config import (
    BackboneConfig,
    DeepMaskConfig,
    DeepMaskDecodeConfig,
    FasterRCNNConfig,
    FastRCNNConfig,
    FPNConfig,
    FPNMasksConfig,
    HeadConfig,
    MaskConfig,
    ModelConfig,
    RefineConfig,
    RetinaNetConfig,
    RPNConfig,
    SharpMaskConfig,
)
from amidst.models.config_fpn_masks import FPNMasksDecodeConfig
from amidst.models.config_rcnn import (
    RegionDecodeConfig,
    RegionHeadConfig,
    RegionPartConfig,
    RPNAnchorConfig,
    RPNDecodeConfig,
    RPNPartConfig,
)
from amidst.models.config_retinanet import DecodeConfig
from amidst.models.structures import Detections, MaskProposals
from amidst.models.weights import ModelInfo
from amidst.ops.images import ImageBatch

TINY = BackboneConfig(name="tiny", freeze_at=0)
# Two levels: each one costs the exporter seconds.
PYRAMID = FPNConfig(channels=16, min_level=4, max_level=5, extra_from="pool")
PROPOSALS = RPNPartConfig(
    anchors=RPNAnchorConfig(sizes=(32.0, 64.0)), decode=RPNDecodeConfig(test_candidates=150, test_count=60)
)
REGIONS = RegionPartConfig(
    head=RegionHeadConfig(fcs=1, width=32),
    decode=RegionDecodeConfig(score_threshold=0.2, proposals=50, max_detections=30),
)
SCALES = DeepMaskDecodeConfig(exponents=(-0.5, 0.0), num_proposals=40)

CONFIGS: dict[str, ModelConfig] = {
    "retinanet": RetinaNetConfig(
        num_classes=3,
        backbone=TINY,
        fpn=PYRAMID,
        head=HeadConfig(convs=1, channels=16),
        decode=DecodeConfig(score_threshold=0.3, candidates_per_level=200, max_detections=50),
    ),
    "rpn": RPNConfig(backbone=TINY, fpn=PYRAMID, rpn=PROPOSALS),
    "faster_rcnn": FasterRCNNConfig(num_classes=3, backbone=TINY, fpn=PYRAMID, rpn=PROPOSALS, roi=REGIONS),
    "fast_rcnn": FastRCNNConfig(num_classes=3, backbone=TINY, fpn=PYRAMID, roi=REGIONS),
    "fpn_masks": FPNMasksConfig(
        backbone=TINY, fpn=PYRAMID, hidden=16, mask_side=7, decode=FPNMasksDecodeConfig(num_proposals=40)
    ),
    "deepmask": DeepMaskConfig(backbone=TINY, trunk="W32-P3-D2-F16", padding="zeros", decode=SCALES),
    "sharpmask": SharpMaskConfig(
        backbone=TINY,
        trunk="W32-P3-D2-F16",
        padding="zeros",
        decode=DeepMaskDecodeConfig(exponents=(-0.5,), num_proposals=40),  # one scale: it is slow to export
        refine=RefineConfig(channels=8),
    ),
}

# Geometry of other families: strides that follow the padded side (other than 64 on P6, for the side is a
# multiple of 32), and boxes that are clipped or dropped after suppression.
CONFIGS["retinanet, other families"] = override(
    CONFIGS["retinanet"],
    [
        "pixels.divisor=32",
        "fpn.min_level=5",
        "fpn.max_level=6",
        'fpn.extra_from="P5"',
        'anchors.grid={"centre": "corner", "stride": "fitted", "whole_pixels": true}',
        'decode.boxes={"clip": "after_nms", "drop_empty": "after_nms", "min_side": 6}',
    ],
)
CONFIGS["faster_rcnn, other families"] = override(
    CONFIGS["faster_rcnn"],
    [
        "pixels.divisor=32",
        "fpn.min_level=5",
        "fpn.max_level=6",
        'rpn.anchors.grid={"centre": "corner", "stride": "fitted", "whole_pixels": true}',
        "rpn.decode.min_side=0.001",
        'roi.pooling={"kind": "align_legacy", "sampling": 0}',
        "roi.head.silent=4",
        'roi.decode.boxes={"drop_empty": "after_nms", "min_side": 6}',
    ],
)


def with_weights(config: ModelConfig) -> nn.Module:
    """Random weights whose outputs are spread widely enough that thresholds and suppression have work."""
    torch.manual_seed(1)
    network = build_model(config).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1 and not name.startswith("backbone"):
                parameter.normal_(std=1.5 / parameter[0].numel() ** 0.5)
            elif name == "class_subnet.predict.bias":
                parameter.fill_(-1.0)
    return network


@dataclass(frozen=True)
class Pair:
    """A network and its exported file."""

    network: nn.Module
    info: ModelInfo
    file: Path


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Each family once."""
    config = CONFIGS[request.param]
    network = with_weights(config)
    categories = tuple(
        {"id": number, "name": f"thing {number}", "supercategory": ""} for number in range(config.num_classes)
    )
    info = ModelInfo(config, categories, {"resize": {"short": 64, "long": 96}})
    file = tmp_path_factory.mktemp("exported") / f"{request.param}.onnx"
    export_model(network, info, file)
    return Pair(network, info, file)


def images(config: ModelConfig, sizes_hw: tuple[tuple[int, int], ...]) -> ImageBatch:
    """Random images, zero in the padding; a network that looks at whole images gets no padding."""
    generator = torch.Generator().manual_seed(len(sizes_hw) + sizes_hw[0][0])
    divisor = size_divisor(config)
    height, width = (-(-max(sides) // divisor) * divisor for sides in zip(*sizes_hw, strict=True))
    pixels = torch.zeros(len(sizes_hw), 3, height, width)
    proposals = []
    for image, (h, w) in zip(pixels, sizes_hw, strict=True):
        image[:, :h, :w] = (
            torch.randn(3, h // 8 + 1, w // 8 + 1, generator=generator)
            .repeat_interleave(8, dim=1)
            .repeat_interleave(8, dim=2)[:, :h, :w]
        )
        corner = torch.rand(25 + h % 7, 2, generator=generator) * torch.tensor([w, h]) - 4
        proposals.append(
            torch.cat((corner, corner + 4 + 60 * torch.rand(len(corner), 2, generator=generator)), 1)
        )
    given = tuple(proposals) if isinstance(config, FastRCNNConfig) else None
    return ImageBatch(pixels.contiguous(memory_format=torch.channels_last), sizes_hw, given)


BATCHES = [((64, 96),), ((128, 160),), ((60, 96), (64, 70), (64, 96)), ((100, 160), (128, 99), (128, 160))]


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_an_exported_network_gives_what_the_network_gives(pair: Pair, runtime: str) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino")
        if isinstance(pair.info.config, DeepMaskConfig):
            with pytest.raises(UsageError, match="shrinks images in another way"):
                open_exported(pair.file, runtime)
            return
    model, info = open_exported(pair.file, runtime)
    assert info == ModelInfo(
        pair.info.config, pair.info.categories, pair.info.notes | {"precision": "float32"}
    )
    found = 0
    for sizes_hw in BATCHES:
        batch = images(info.config, sizes_hw)
        with torch.no_grad():
            expected = pair.network(batch)
        got = model(batch)
        assert len(got) == len(expected) == len(sizes_hw)
        for one, other in zip(expected, got, strict=True):
            found += len(one.scores)
            assert_equal(one, other)
    assert found > 50


def assert_equal(expected: Any, got: Any) -> None:
    assert type(got) is type(expected)
    assert len(got) == len(expected)
    close(got.scores, expected.scores, 1e-4)
    if isinstance(expected, Detections):
        assert got.class_index.tolist() == expected.class_index.tolist()
        close(got.boxes_xyxy, expected.boxes_xyxy, 0.01)
    else:
        assert isinstance(expected, MaskProposals)
        close(got.windows_xyxy, expected.windows_xyxy, 0.01)
        close(got.logits, expected.logits, 1e-3)


def close(got: Tensor, expected: Tensor, tolerance: float) -> None:
    assert got.dtype == expected.dtype
    assert float((got - expected).abs().max()) <= tolerance if len(expected) else got.shape == expected.shape


def test_eight_bits_find_about_the_same(pair: Pair, tmp_path: Path) -> None:
    """Ranges from four images; Fast R-CNN, whose ranges need proposals, is refused by the command."""
    if isinstance(pair.info.config, FastRCNNConfig):
        return
    sources = []
    for number in range(4):
        blocks = np.random.default_rng(number).integers(0, 256, (8, 12, 3), dtype=np.uint8)
        Image.fromarray(blocks.repeat(8, 0).repeat(8, 1)).save(tmp_path / f"{number}.png")
        sources.append(Source(tmp_path / f"{number}.png"))
    quantise_file(pair.file, tmp_path / "int8.onnx", sources)
    whole, eight = (open_exported(file, "onnxruntime")[0] for file in (pair.file, tmp_path / "int8.onnx"))
    weights = onnx.load(tmp_path / "int8.onnx").graph.initializer
    assert sum(one.data_type == onnx.TensorProto.INT8 and len(one.dims) > 1 for one in weights) >= 5
    batch = images(pair.info.config, ((128, 160),))
    (expected,), (got,) = whole(batch), eight(batch)
    best = min(len(expected.scores), len(got.scores), 20)
    assert best > 5
    assert float((got.scores[:best] - expected.scores[:best]).abs().mean()) < 0.1


def test_no_images_give_nothing(pair: Pair) -> None:
    model, _ = open_exported(pair.file, "onnxruntime")
    assert model(ImageBatch(torch.zeros(0, 3, 0, 0), ())) == []


def test_masks_and_boxes_are_told_apart(pair: Pair) -> None:
    model, info = open_exported(pair.file, "onnxruntime")
    (found,) = model(images(info.config, ((64, 96),)))
    assert isinstance(found, MaskProposals if isinstance(info.config, MaskConfig) else Detections)


def changed(name: str, *assignments: str) -> ModelConfig:
    return override(CONFIGS[name], assignments)


@pytest.mark.parametrize(
    "config",
    [
        changed(
            "retinanet",
            'anchors.grid.centre="corner"',
            "anchors.grid.whole_pixels=true",
            'decode.boxes.clamp="both"',
            "decode.boxes.min_side=6",
        ),
        changed("retinanet", "pixels.divisor=32", 'decode.boxes.clip="after_nms"'),
        changed("retinanet", "pixels.divisor=32", 'decode.boxes.drop_empty="after_nms"'),
        changed(
            "faster_rcnn",
            'rpn.anchors.grid.centre="corner"',
            "rpn.head.convs=2",
            'rpn.decode.clamp="both"',
            "roi.head.convs=1",
            "roi.head.silent=4",
            'roi.decode.boxes.drop_empty="never"',
        ),
        changed("fast_rcnn", 'roi.pooling.kind="align_legacy"', "roi.pooling.sampling=0"),
        changed("fpn_masks", "windows=[5]"),
    ],
    ids=["retinanet", "clip after", "drop after", "faster_rcnn", "fast_rcnn", "fpn_masks"],
)
def test_the_restated_network_follows_the_settings(config: ModelConfig) -> None:
    """In torch, which is quick: the graph is made of what runs here."""
    network = with_weights(config)
    model = ExportedModel(ModelInfo(config, ()), in_torch(exportable(network, ModelInfo(config, ()))))
    for sizes_hw in BATCHES:
        batch = images(config, sizes_hw)
        with torch.no_grad():
            for expected, got in zip(network(batch), model(batch), strict=True):
                assert_equal(expected, got)


@pytest.mark.parametrize("name", ["deepmask", "sharpmask"])
def test_what_is_exported_looks_at_the_scales_that_were_asked_for(name: str) -> None:
    """In torch, too: the ten scales of a finer grid would cost the exporter half a minute."""
    config = changed(name, "decode.exponents=null")
    settings = ProposalSettings(number=60, threshold=0.4, zoom=2, coarse=name == "sharpmask")
    network, info = adjusted(with_weights(config), ModelInfo(config, ()), settings)
    model = ExportedModel(info, in_torch(exportable(network, info)))
    for batch in (images(config, ((64, 96),)), images(config, ((128, 99),))):
        for expected, got in zip(network(batch), model(batch), strict=True):
            assert len(got.scores) == 60
            assert_equal(expected, got)


def in_torch(restated: nn.Module) -> Engine:
    """A restated network in the place of a runtime."""

    def run(inputs: Arrays) -> Arrays:
        masks = isinstance(restated, ExportedFPNMasks | ExportedDeepMask)
        names = MASK_OUTPUTS if masks else BOX_OUTPUTS
        outputs = restated(*(torch.from_numpy(value) for value in inputs.values()))
        return {name: value.numpy() for name, value in zip(names, outputs, strict=True)}

    return run


def test_a_class_that_the_description_does_not_name_is_refused() -> None:
    config = CONFIGS["retinanet"]
    found = {"count": [1], "boxes_xyxy": [[[0, 0, 9, 9]]], "scores": [[0.5]], "class_index": [[99]]}
    outputs = {name: np.array(value) for name, value in found.items()}
    model = ExportedModel(ModelInfo(config, ()), lambda _: outputs)
    with pytest.raises(WeightsError, match="finds class 99; expected 0"):
        model(images(config, ((64, 64),)))


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    config = changed("fast_rcnn", 'roi.pooling.kind="max"')
    with pytest.raises(UsageError, match="is not exported"):
        export_model(build_model(config).eval(), ModelInfo(config, ()), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("exponent", [-2.5, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5])
def test_scaled_sides_are_those_of_the_network(exponent: float) -> None:
    scale = 2.0**exponent
    for side in range(1, 400):
        assert scaled(side, scale) == max(1, round(side * scale))
