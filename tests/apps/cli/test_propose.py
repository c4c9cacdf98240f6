from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from amidst.coco import masks
from amidst.coco.classes import AGNOSTIC
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category
from amidst.coco.records import Image as ImageRecord
from amidst.coco.results import Results
from amidst.config import override
from amidst.models.build import build_model
from amidst.models.config import (
    BackboneConfig,
    DeepMaskDecodeConfig,
    FPNConfig,
    FPNMasksConfig,
    RefineConfig,
    SharpMaskConfig,
)
from amidst.models.weights import ModelInfo, load_model, save_model


@pytest.fixture(scope="module")
def mask_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that proposes masks at random."""
    torch.manual_seed(0)
    config = FPNMasksConfig(
        backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
        fpn=FPNConfig(channels=16, min_level=2, max_level=6, extra_from="pool"),
        hidden=16,
    )
    path = tmp_path_factory.mktemp("model") / "masks.safetensors"
    categories = ({"id": AGNOSTIC.id, "name": AGNOSTIC.name, "supercategory": ""},)
    info = ModelInfo(config, categories, {"resize": {"short": 64, "long": 96}})
    save_model(path, build_model(config).state_dict(), info)
    return path


@pytest.fixture(scope="module")
def few(mask_model: Path) -> Path:
    """The same network, trained to give ten proposals."""
    model, info = load_model(mask_model)
    path = mask_model.with_name("few.safetensors")
    save_model(
        path, model.state_dict(), replace(info, config=override(info.config, ["decode.num_proposals=10"]))
    )
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        pixels = generator.integers(0, 255, (50, 70, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    return folder


def truth(folder: Path, *, with_masks: bool = True) -> Path:
    shape = ((10.0, 10.0, 40.0, 10.0, 40.0, 40.0, 10.0, 40.0),) if with_masks else None
    dataset = CocoDataset(
        (ImageRecord(4, 70, 50, "a.png"), ImageRecord(9, 70, 50, "b.png")),
        (Annotation(1, 4, 3, (10, 10, 30, 30), 900.0, segmentation=shape),),
        (Category(3, "thing"),),
    )
    path = folder.parent / "truth.json"
    dataset.save(path)
    return path


def test_photographs_give_masks_inside_them(amidst: Any, mask_model: Path, pictures: Path) -> None:
    out = pictures.parent / "found.json"
    typed = amidst("propose", mask_model, pictures, "-n", 7, "-o", out, "--draw", pictures.parent / "drawn")
    assert typed.code == 0, typed.err
    found = Results.load(out)
    assert len(found) == 14
    assert found.rles is not None
    assert {rle.size for rle in found.rles} == {(50, 70)}
    assert (masks.area(found.rles) > 0).all()
    assert found.boxes_xywh is not None
    np.testing.assert_array_equal(found.boxes_xywh, masks.boxes(found.rles))
    assert set(found.category_ids.tolist()) == {AGNOSTIC.id}
    assert {record["file_name"] for record in json.loads(out.read_bytes())} == {
        str(pictures / "a.png"),
        str(pictures / "b.png"),
    }
    assert sorted(path.name for path in (pictures.parent / "drawn").iterdir()) == ["a.jpg", "b.jpg"]


@pytest.fixture
def sharp(tmp_path: Path) -> Path:
    """A small SharpMask that looks at two scales and gives ten proposals."""
    torch.manual_seed(0)
    config = SharpMaskConfig(
        backbone=BackboneConfig(name="tiny", freeze_at=0),
        trunk="W32-P3-D2-F16",
        padding="zeros",
        decode=DeepMaskDecodeConfig(exponents=(-0.5, 0.0), num_proposals=10),
        refine=RefineConfig(channels=8),
    )
    path = tmp_path / "sharp.safetensors"
    categories = ({"id": AGNOSTIC.id, "name": AGNOSTIC.name, "supercategory": ""},)
    info = ModelInfo(config, categories, {"resize": {"short": 64, "long": 96}})
    save_model(path, build_model(config).state_dict(), info)
    return path


def test_an_exported_file_keeps_its_settings(amidst: Any, sharp: Path, pictures: Path) -> None:
    """As the model proposes with them; and what the file cannot do any more is refused."""
    file, settings = sharp.with_suffix(".onnx"), ("-n", 60, "--threshold", 0.4, "--coarse")
    made = amidst("export", sharp, "-o", file, *settings)
    assert made.code == 0, made.err
    expected = amidst("propose", sharp, pictures, *settings, "--json").lines
    found = amidst("propose", file, pictures, "--json").lines
    for one, other in zip(expected, found, strict=True):
        (scores, shapes), (same_scores, same_shapes) = (
            (
                [p["score"] for p in each["proposals"]],
                {p["segmentation"]["counts"] for p in each["proposals"]},
            )
            for each in (one, other)
        )
        assert len(scores) > 10
        assert same_scores == pytest.approx(scores, abs=1e-4)
        assert len(shapes & same_shapes) >= 0.9 * len(shapes)  # a pixel may lie at the threshold
    typed = amidst("propose", file, pictures, "-n", 61)
    assert (typed.code, "amidst export -n 61 writes a file" in typed.err) == (2, True)


def test_more_proposals_than_the_model_was_trained_for(amidst: Any, few: Path, pictures: Path) -> None:
    photo = pictures / "a.png"
    (usual,) = amidst("propose", few, photo, "--json").lines
    (more,) = amidst("propose", few, photo, "-n", 60, "--json").lines
    assert len(usual["proposals"]) <= 10 < len(more["proposals"]) <= 60


def test_nms_leaves_one_mask_of_a_box(amidst: Any, mask_model: Path, pictures: Path) -> None:
    photo = pictures / "a.png"
    (every,) = amidst("propose", mask_model, photo, "-n", 200, "--json").lines
    (kept,) = amidst("propose", mask_model, photo, "-n", 200, "--nms", 0.5, "--json").lines
    boxes = np.array([p["bbox"] for p in kept["proposals"]])
    assert 0 < len(boxes) < len(every["proposals"])
    assert every["proposals"][0] == kept["proposals"][0]
    scores = [p["score"] for p in kept["proposals"]]
    assert scores == sorted(scores, reverse=True)
    x, y, w, h = boxes.T
    across = np.minimum.outer(x + w, x + w) - np.maximum.outer(x, x)
    down = np.minimum.outer(y + h, y + h) - np.maximum.outer(y, y)
    both = across.clip(0) * down.clip(0)
    iou = both / (np.add.outer(w * h, w * h) - both)
    assert iou[~np.eye(len(boxes), dtype=bool)].max(initial=0) <= 0.5


def test_a_lower_threshold_gives_larger_masks(amidst: Any, few: Path, pictures: Path) -> None:
    photo = pictures / "a.png"
    low, high = (
        amidst("propose", few, photo, "--threshold", t, "-n", 30, "--json").lines[0]["proposals"]
        for t in (0.01, 0.99)
    )
    assert sum(p["bbox"][2] for p in low) > sum(p["bbox"][2] for p in high)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--zoom", 1), "FPN masks look at one scale"),
        (("--coarse",), "one kind of masks"),
        (("--threshold", 1), "between 0 and 1"),
        (("--zoom", 3), "--zoom"),
    ],
)
def test_what_cannot_be_set(amidst: Any, few: Path, pictures: Path, option: Any, said: str) -> None:
    typed = amidst("propose", few, pictures, *option)
    assert typed.code == 2
    assert said in typed.err


def test_json_lists_an_image_a_line(amidst: Any, mask_model: Path, pictures: Path) -> None:
    typed = amidst("propose", mask_model, pictures / "a.png", "-n", 3, "--json")
    (record,) = typed.lines
    assert (record["height"], record["width"]) == (50, 70)
    scores = [proposal["score"] for proposal in record["proposals"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("with_masks", [True, False])
def test_a_dataset_keeps_its_ids(amidst: Any, mask_model: Path, pictures: Path, with_masks: bool) -> None:
    out, ann = pictures.parent / "found.json", truth(pictures, with_masks=with_masks)
    drawn = pictures.parent / "drawn"
    arguments = ("--ann", ann, "--images", pictures, "-o", out, "--draw", drawn)
    typed = amidst("propose", mask_model, *arguments)
    assert typed.code == 0, typed.err
    assert "amidst recall" in typed.out + typed.err
    assert set(Results.load(out).image_ids.tolist()) == {4, 9}
    assert len(list(drawn.iterdir())) == 2
    assert amidst("recall", truth(pictures), out).code == 0


def test_a_broken_picture_is_named_and_passed_over(amidst: Any, mask_model: Path, pictures: Path) -> None:
    (pictures / "a.png").write_bytes(b"nothing")
    typed = amidst("propose", mask_model, pictures)
    assert typed.code == 1
    assert "a.png" in typed.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a model and photographs"),
        (("person", "x.jpg"), "x.jpg: no such file"),
        (("person", "/tmp", "-o", "/"), "/: a folder; name a file in it"),
        (("person", "/tmp", "-o", "found.jsonl"), "one JSON array"),
    ],
)
def test_misuse(amidst: Any, words: tuple[str, ...], said: str) -> None:
    typed = amidst("propose", *words)
    assert typed.code == 2
    assert said in typed.err


def test_a_detector_proposes_no_masks(amidst: Any, model_file: Path, pictures: Path) -> None:
    typed = amidst("propose", model_file, pictures)
    assert typed.code == 2
    assert "amidst predict" in typed.err


def test_predict_points_to_propose(amidst: Any, mask_model: Path, pictures: Path) -> None:
    typed = amidst("predict", mask_model, pictures)
    assert typed.code == 2
    assert "amidst propose" in typed.err
