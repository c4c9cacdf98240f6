"""Model files: complete, exact, and refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from amidst.errors import UsageError, WeightsError
from amidst.models import weights
from amidst.models.build import build_model
from amidst.models.config import BackboneConfig, FPNMasksConfig, RetinaNetConfig
from amidst.models.weights import (
    ModelInfo,
    builtin_models,
    info_from_text,
    load_model,
    read_info,
    resolve_model,
    save_model,
    text_of_info,
)
from amidst.ops.images import ImageBatch

CATEGORIES = tuple(
    {"id": 7 * i + 1, "name": name, "supercategory": "thing"} for i, name in enumerate(("ä", "b", "c"))
)

LAST = {"id": 99, "name": "d", "supercategory": "thing"}


@pytest.fixture
def info(tiny_config: RetinaNetConfig) -> ModelInfo:
    return ModelInfo(tiny_config, CATEGORIES, {"score": 0.25, "data": ["x"]})


@pytest.fixture
def saved(tmp_path: Path, info: ModelInfo) -> tuple[Path, torch.nn.Module]:
    torch.manual_seed(0)
    model = build_model(info.config)
    path = tmp_path / "m.safetensors"
    save_model(path, model.state_dict(), info)
    return path, model


def test_round_trip_is_exact(
    saved: tuple[Path, torch.nn.Module], info: ModelInfo, images: ImageBatch
) -> None:
    path, model = saved
    loaded, found = load_model(path)
    assert found == info
    assert read_info(path) == info
    assert not loaded.training
    assert list(loaded.state_dict()) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    with torch.inference_mode():
        for a, b in zip(model(images), loaded(images), strict=True):
            assert torch.equal(a.scores, b.scores)
            assert torch.equal(a.boxes_xyxy, b.boxes_xyxy)
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # no temporary file left


def test_channels_last_weights_and_live_norms_round_trip(tmp_path: Path) -> None:
    backbone = BackboneConfig(name="resnet18", norm="batch", freeze_at=2)
    config = RetinaNetConfig(num_classes=1, backbone=backbone)
    model = build_model(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_model(tmp_path / "m.safetensors", model.state_dict(), ModelInfo(config, CATEGORIES[:1]))
    loaded, _ = load_model(tmp_path / "m.safetensors")
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {name for name, p in loaded.named_parameters() if not p.requires_grad} != set()


def test_half_precision_storage(tmp_path: Path, info: ModelInfo) -> None:
    model = build_model(info.config)
    full, half = tmp_path / "full.safetensors", tmp_path / "half.safetensors"
    save_model(full, model.state_dict(), info)
    save_model(half, model.state_dict(), info, torch.float16)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    loaded, _ = load_model(half)
    for name, tensor in model.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == torch.float32
        assert torch.equal(found, tensor.half().float() if tensor.ndim >= 2 else tensor)
    state = model.state_dict() | {"fpn.output.3.conv.weight": torch.full((32, 32, 3, 3), 1e6)}
    with pytest.raises(WeightsError, match=r"output.3.conv.weight: largest value 1e\+06 does not fit"):
        save_model(half, state, info, torch.float16)


def test_mismatch_is_explained(tmp_path: Path, info: ModelInfo) -> None:
    state = build_model(info.config).state_dict()
    del state["fpn.output.3.conv.bias"]
    state["extra"] = torch.zeros(1)
    more = ModelInfo(msgspec.structs.replace(info.config, num_classes=4), (*CATEGORIES, LAST))
    save_model(tmp_path / "m.safetensors", state, more)
    with pytest.raises(WeightsError) as caught:
        load_model(tmp_path / "m.safetensors")
    message = str(caught.value)
    assert "1 missing: fpn.output.3.conv.bias" in message
    assert "1 unexpected: extra" in message
    assert "class_subnet.predict.weight expected 36x32x3x3, found 27x32x3x3" in message


def test_failed_write_leaves_the_old_file(saved: tuple[Path, torch.nn.Module], info: ModelInfo) -> None:
    path, model = saved
    before = path.read_bytes()
    bad = ModelInfo(info.config, CATEGORIES, {"what": object()})
    with pytest.raises(TypeError):
        save_model(path, model.state_dict(), bad)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_damaged_file_is_one_line(saved: tuple[Path, torch.nn.Module], keep: int) -> None:
    path, _ = saved
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "no model description"),
        ({"amidst": "{"}, "damaged model description"),
        ({"amidst": "[]"}, "damaged model description"),
        ({"amidst": json.dumps({"format": 99})}, "format 99"),
        ({"amidst": json.dumps({"format": 1, "config": {"family": "other"}})}, "damaged model description"),
    ],
)
def test_description_is_checked(tmp_path: Path, metadata: dict[str, str] | None, words: str) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata)
    with pytest.raises(WeightsError, match=words):
        load_model(path)


@pytest.mark.parametrize(
    ("categories", "notes", "words"),
    [
        ((), {}, "0 categories for a network of 3 classes"),
        ((*CATEGORIES, LAST), {}, "4 categories for a network of 3 classes"),
        ((*CATEGORIES[:2], {"name": "c"}), {}, "category 2: expected a whole number as id, found None"),
        ((*CATEGORIES[:2], {"id": "c", "name": "c"}), {}, "category 2: expected a whole number as id"),
        ((*CATEGORIES[:2], {"id": 5}), {}, "category 2: expected an object with id and name"),
        ((*CATEGORIES[:2], "c"), {}, "category 2: expected an object with id and name"),
        ((*CATEGORIES[:2], CATEGORIES[0]), {}, "two categories have the same id"),
        (CATEGORIES, {"resize": {"short": "abc", "long": 9}}, "notes.resize: expected short and long"),
        (CATEGORIES, {"resize": {"short": 0, "long": 0}}, "notes.resize: expected short and long"),
        (CATEGORIES, {"resize": {"short": 9}}, "notes.resize: expected short and long"),
        (CATEGORIES, {"resize": 9}, "notes.resize: expected short and long"),
    ],
)
def test_a_description_that_does_not_fit_its_network_is_refused(
    tmp_path: Path, info: ModelInfo, categories: Any, notes: Any, words: str
) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, build_model(info.config).state_dict(), ModelInfo(info.config, categories, notes))
    with pytest.raises(WeightsError, match=rf"m\.safetensors: damaged model description \({words}"):
        load_model(path)


def test_what_proposes_whatever_is_an_object_needs_no_categories() -> None:
    bare = ModelInfo(FPNMasksConfig(), ())
    assert info_from_text(text_of_info(bare), "m") == bare


def test_what_a_source_may_be(
    saved: tuple[Path, torch.nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = saved
    run, shelf = tmp_path / "run", tmp_path / "shelf"
    run.mkdir()
    shelf.mkdir()
    (run / "model.safetensors").write_bytes(path.read_bytes())
    (shelf / "person.safetensors").write_bytes(path.read_bytes())
    foreign = tmp_path / "x.pth"
    foreign.write_bytes(b"")
    monkeypatch.setattr(weights, "BUILTIN_DIR", shelf)
    assert builtin_models() == ["person"]
    assert resolve_model("person") == shelf / "person.safetensors"
    assert resolve_model(str(path)) == path
    assert resolve_model(run) == run / "model.safetensors"
    for source, words in (
        (tmp_path / "none", r"no such model; expected .* built-in model \(person\)"),
        (shelf, "holds no model.safetensors"),
        (foreign, r"amidst weights convert \S+x\.pth -o MODEL\.safetensors"),
        (__file__, "expected a .safetensors file, found .py"),
    ):
        with pytest.raises(UsageError, match=words):
            resolve_model(source)
    with pytest.raises(UsageError, match="no such model file"):
        read_info(tmp_path / "none.safetensors")
