"""`amidst weights inspect` and `convert`, and `amidst predict` on what they make."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from amidst.apps.cli.weights_foreign import read_categories
from amidst.coco.categories import released_categories
from amidst.errors import UsageError
from amidst.models.foreign_detectron2 import PIXELS as DETECTRON2
from amidst.models.foreign_mmdetection import PYTORCH as MMDETECTION
from amidst.models.foreign_torchvision import PIXELS as TORCHVISION
from amidst.models.weights import read_info
from amidst.ops.images import make_batch, resize, resized_hw

MODELS = Path(__file__).parents[2] / "models"


def load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, MODELS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An mmdetection RetinaNet of five named classes."""
    families = load("foreign_families").Families(load("foreign_plain"))
    state = families.exact_retinanet("mmdetection", 5, torch.randn(1, 3, 64, 64))
    path = tmp_path_factory.mktemp("foreign") / "epoch_12.pth"
    meta = {"dataset_meta": {"classes": ("ant", "bee", "cow", "dog", "eel")}, "cfg": "style='pytorch'"}
    torch.save({"state_dict": state, "meta": meta}, path)
    return path


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC).save(path)
    return path


def test_a_checkpoint_is_inspected_converted_and_predicts(
    amidst: Any, checkpoint: Path, photograph: Path, tmp_path: Path
) -> None:
    typed = amidst("weights", "inspect", checkpoint, "--json")
    assert typed.code == 0
    record = typed.json
    assert record["family"] == "mmdetection"
    assert record["architecture"] == "RetinaNet resnet50 FPN"
    assert record["classes"] == ["ant", "bee", "cow", "dog", "eel"]
    assert record["converts"]
    becomes = {tensor["name"]: tensor["becomes"] for tensor in record["tensors"]}
    assert becomes["bbox_head.retina_cls.weight"] == "class_subnet.predict.weight"
    assert "converts whole" in amidst("weights", "inspect", checkpoint).err
    target = tmp_path / "model.safetensors"
    typed = amidst("weights", "convert", checkpoint, "-o", target, "--short", 96, "--long", 160)
    assert typed.code == 0
    assert read_info(target).notes["source"]["file"] == "epoch_12.pth"
    typed = amidst("predict", target, photograph, "--json", "--threshold", 0.05)
    assert typed.code == 0
    found = typed.json["detections"]
    assert found
    assert {detection["category"] for detection in found} <= {"ant", "bee", "cow", "dog", "eel"}


def test_classes_by_name_and_by_dataset(amidst: Any, checkpoint: Path, tmp_path: Path) -> None:
    names, target = tmp_path / "names.txt", tmp_path / "model.safetensors"
    names.write_text("a\nb\n\nc\nd\ne\n")
    assert amidst("weights", "convert", checkpoint, "-o", target, "--classes", names).code == 0
    assert [c["name"] for c in read_info(target).categories] == ["a", "b", "c", "d", "e"]
    ann = tmp_path / "ann.json"
    ann.write_text(json.dumps({"categories": [{"id": 7 * i, "name": str(i)} for i in range(1, 6)]}))
    assert amidst("weights", "convert", checkpoint, "-o", target, "--classes", ann).code == 0
    assert [c["id"] for c in read_info(target).categories] == [7, 14, 21, 28, 35]


def test_names_of_coco_have_its_ids_in_a_file_of_torchvision(amidst: Any, tmp_path: Path) -> None:
    """Such a file has an output for each id: names numbered from 1 would be other outputs."""
    families = load("foreign_families").Families(load("foreign_plain"))
    with torch.no_grad():
        torch.save(families.torchvision_retinanet(1, torch.randn(1, 3, 64, 64)), tmp_path / "coco.pth")
    coco = released_categories()
    names = tmp_path / "names.txt"
    names.write_text("\n".join(category.name for category in coco))
    by_name, plain = tmp_path / "by_name.safetensors", tmp_path / "plain.safetensors"
    assert amidst("weights", "convert", tmp_path / "coco.pth", "-o", plain).code == 0
    assert amidst("weights", "convert", tmp_path / "coco.pth", "-o", by_name, "--classes", names).code == 0
    assert [c["id"] for c in read_info(by_name).categories] == [category.id for category in coco]
    expected, found = load_file(plain), load_file(by_name)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    names.write_text("\n".join(sorted(category.name for category in coco)))
    by_name.unlink()
    typed = amidst("weights", "convert", tmp_path / "coco.pth", "-o", by_name, "--classes", names)
    assert typed.code == 1
    assert "COCO's 80 with COCO's names in COCO's order" in typed.err
    assert not by_name.exists()


def test_what_does_not_fit_is_said_and_nothing_is_written(
    amidst: Any, checkpoint: Path, tmp_path: Path
) -> None:
    names, target = tmp_path / "names.txt", tmp_path / "model.safetensors"
    names.write_text("a\nb\n")
    typed = amidst("weights", "convert", checkpoint, "-o", target, "--classes", names)
    assert typed.code == 1
    assert "the file has 5 classes, 2 are named" in typed.err
    assert amidst("weights", "inspect", checkpoint, "--classes", names).code == 1
    content = torch.load(checkpoint, weights_only=True)
    state = content["state_dict"]
    state["neck.fpn_convs.9.conv.weight"] = state.pop("neck.fpn_convs.3.conv.weight")
    torch.save({"state_dict": state}, tmp_path / "odd.pth")
    names.write_text("a\nb\nc\nd\ne\n")
    typed = amidst("weights", "convert", tmp_path / "odd.pth", "-o", target, "--classes", names)
    assert typed.code == 1
    assert "1 not used: neck.fpn_convs.9.conv.weight; 1 not filled: fpn.extra.6.weight" in typed.err
    typed = amidst("weights", "inspect", tmp_path / "odd.pth", "--classes", names, "--json")
    assert typed.code == 1
    assert typed.json["not_filled"] == ["fpn.extra.6.weight"]
    typed = amidst("weights", "convert", tmp_path / "odd.pth", "-o", target)
    assert typed.code == 1
    assert "80 are named" in typed.err
    assert "--classes FILE" in typed.err
    assert not target.exists()
    assert amidst("weights", "convert", checkpoint, "-o", tmp_path / "model.bin").code == 2
    (tmp_path / "no.pth").write_bytes(b"")
    typed = amidst("weights", "convert", tmp_path / "no.pth", "-o", names / "model.safetensors")
    assert (typed.code, "cannot be written" in typed.err) == (2, True)


def test_a_checkpoint_full_of_nan_is_refused(amidst: Any, checkpoint: Path, tmp_path: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    for tensor in content["state_dict"].values():
        if tensor.is_floating_point():
            tensor.fill_(torch.nan)
    torch.save(content, tmp_path / "nan.pth")
    target = tmp_path / "model.safetensors"
    typed = amidst("weights", "convert", tmp_path / "nan.pth", "-o", target)
    assert typed.code == 1
    assert "with NaN or infinity: backbone.conv1.weight" in typed.err
    assert not target.exists()
    assert amidst("weights", "inspect", tmp_path / "nan.pth", "--json").code == 1


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("c.txt", "", "names no classes"),
        ("c.txt", "a\na\n", "names a class twice"),
        ("c.json", "{}", "not a COCO file"),
        ("c.json", "[", "not a COCO file"),
    ],
)
def test_files_of_classes_that_say_nothing(tmp_path: Path, name: str, text: str, problem: str) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_categories(tmp_path / name)
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=problem):
        read_categories(tmp_path / name)


def plain_bilinear(image: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Two neighbours a side, half-pixel centres, written as loops over rows and columns."""
    height, width = image.shape[:2]
    out = np.zeros((*size_hw, 3))
    for i in range(size_hw[0]):
        y = min(max((i + 0.5) * height / size_hw[0] - 0.5, 0), height - 1)
        for j in range(size_hw[1]):
            x = min(max((j + 0.5) * width / size_hw[1] - 0.5, 0), width - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
            a, b = y - top, x - left
            upper = image[top, left] * (1 - b) + image[top, right] * b
            lower = image[bottom, left] * (1 - b) + image[bottom, right] * b
            out[i, j] = upper * (1 - a) + lower * a
    return out


@pytest.mark.parametrize("family", ["torchvision", "detectron2", "mmdetection"])
def test_pictures_are_prepared_as_the_family_does(photograph: Path, family: str) -> None:
    """Sizes, resampling, channels, numbers and padding, against the family's own way in plain numpy."""
    image = np.asarray(Image.open(photograph))[:, :399]  # 300 x 399
    if family == "torchvision":
        pixels, size_hw = TORCHVISION, (46, 61)  # 300 * 46 / 300, 399 * 46 / 300 = 61.18
        resized = plain_bilinear(image / 255, size_hw)
        expected = (resized - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        tolerance = 1e-5
    elif family == "detectron2":
        pixels, size_hw = DETECTRON2, (46, 61)
        picture = Image.fromarray(image).resize((61, 46), Image.Resampling.BILINEAR)
        expected = np.asarray(picture)[:, :, ::-1] - np.array([103.53, 116.28, 123.675])
        tolerance = 1.001  # one level of 256
    else:
        pixels, size_hw = MMDETECTION, (46, 61)
        rounded = np.floor(plain_bilinear(image.astype(float), size_hw) + 0.5)
        expected = (rounded - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
        tolerance = 1.001 / 57
    raw = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    assert resized_hw((300, 399), 46, 80, pixels.side_rounding) == size_hw
    batch = make_batch(
        [resize(raw, size_hw, pixels.resample)],
        order=pixels.order,
        scale=pixels.scale,
        mean=pixels.mean,
        std=pixels.std,
        divisor=pixels.divisor or 1,
    )
    assert batch.pixels.shape == (1, 3, 64, 64)
    found = batch.pixels[0].permute(1, 2, 0).numpy()
    assert np.abs(found[:46, :61] - expected).max() <= tolerance
    assert not found[46:].any()
    assert not found[:, 61:].any()
