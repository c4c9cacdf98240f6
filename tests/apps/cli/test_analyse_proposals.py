from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.models.build import build_model
from amidst.models.config import BackboneConfig, FastRCNNConfig, FPNConfig
from amidst.models.weights import ModelInfo, save_model

CATEGORIES = ({"id": 3, "name": "square", "supercategory": ""}, {"id": 7, "name": "bar", "supercategory": ""})


@pytest.fixture(scope="module")
def fast_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Fast R-CNN with random weights."""
    torch.manual_seed(0)
    config = FastRCNNConfig(
        num_classes=2,
        backbone=BackboneConfig(name="tiny", norm="group", freeze_at=0),
        fpn=FPNConfig(channels=16, min_level=2, max_level=5, extra_from="pool"),
    )
    path = tmp_path_factory.mktemp("model") / "fast.safetensors"
    info = ModelInfo(config, CATEGORIES, {"resize": {"short": 64, "long": 96}})
    save_model(path, build_model(config).state_dict(), info)
    return path


def truth_as_proposals(ann: Path, path: Path, extra: int) -> Path:
    """The true boxes, and before them some of the whole image."""
    dataset = CocoDataset.load(ann)
    rows = [
        (image.id, box, score)
        for image in dataset.images
        for box, score in [
            *(((0.0, 0.0, image.width, image.height), 0.9) for _ in range(extra)),
            *((a.bbox_xywh, 0.5) for a in dataset.annotations_of(image.id)),
        ]
    ]
    Results(
        image_ids=np.array([row[0] for row in rows]),
        category_ids=np.ones(len(rows), np.int64),
        scores=np.array([row[2] for row in rows]),
        boxes_xywh=np.array([row[1] for row in rows], dtype=np.float64),
    ).save(path)
    return path


def test_scores_by_number_and_method(amidst: Any, data: Any, fast_model: Path, tmp_path: Path) -> None:
    good = truth_as_proposals(data.val, tmp_path / "good.json", 0)
    late = truth_as_proposals(data.val, tmp_path / "late.json", 2)
    typed = amidst(
        *("analyse", "proposals", fast_model, "--ann", data.val, "--images", data.images),
        *(
            "--proposals",
            good,
            "--proposals",
            f"later={late}",
            "--at",
            "3,1",
            "-o",
            tmp_path / "out",
            "--json",
        ),
    )
    assert typed.code == 0, typed.err
    found = typed.json
    assert set(found) == {"good", "later"}
    assert list(found["later"]) == ["1", "3"]
    assert found["good"]["1"] == found["good"]["3"]  # there is one proposal for each image
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["proposals.png", "proposals.svg"]


@pytest.mark.parametrize("at", ["0", "1,x", ""])
def test_numbers_that_are_none(amidst: Any, data: Any, fast_model: Path, at: str) -> None:
    typed = amidst(
        *("analyse", "proposals", fast_model, "--ann", data.val, "--images", data.images),
        *("--proposals", "x.json", "--at", at),
    )
    assert typed.code == 2
    assert "--at" in typed.err


def test_another_network_is_refused(amidst: Any, data: Any, model_file: Path) -> None:
    typed = amidst(
        *("analyse", "proposals", model_file, "--ann", data.val, "--images", data.images),
        *("--proposals", "x.json"),
    )
    assert typed.code == 2
    assert "Fast R-CNN" in typed.err
