"""`amidst analyse loss`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def words(data: Any, model: Path, *more: object) -> list[object]:
    return ["analyse", "loss", model, "--ann", data.val, "--images", data.images, *more]


def test_shares_and_pictures(amidst: Any, data: Any, model_file: Path, tmp_path: Path) -> None:
    typed = amidst(*words(data, model_file, "-o", tmp_path / "out", "--json"))
    assert typed.code == 0, typed.err
    found = typed.json
    assert found["images"] == 4
    for group in found["groups"].values():
        assert group["samples"] > 0
        assert [entry["gamma"] for entry in group["gammas"]] == [0, 0.5, 1, 2]
        for entry in group["gammas"]:
            curve, hardest = entry["cumulative"], entry["hardest"]
            assert (curve[0], curve[-1]) == (pytest.approx(0, abs=0.01), pytest.approx(1))
            assert hardest["0.2"] == pytest.approx(1 - curve[80], abs=1e-6)
            assert hardest["0.2"] >= hardest["0.1"] >= hardest["0.01"] > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"loss.svg", "loss.png"}


def test_a_table(amidst: Any, data: Any, model_file: Path) -> None:
    typed = amidst(*words(data, model_file, "--limit", 2))
    assert typed.code == 0, typed.err
    assert "2 images" in typed.out
    assert "positives" in typed.out
    assert "hardest 20 %" in typed.out


def test_without_objects_there_are_no_shares(
    amidst: Any, data: Any, model_file: Path, tmp_path: Path
) -> None:
    content = json.loads(data.val.read_text())
    content["annotations"] = []
    (tmp_path / "none.json").write_text(json.dumps(content))
    found = amidst(*words(data, model_file, "--ann", tmp_path / "none.json", "--json")).json
    assert found["groups"]["positives"]["samples"] == 0
    assert found["groups"]["positives"]["gammas"][0]["hardest"] == {"0.2": -1, "0.1": -1, "0.01": -1}


def test_misuse(amidst: Any, data: Any, model_file: Path, tmp_path: Path) -> None:
    content = json.loads(data.val.read_text())
    content |= {"annotations": [], "categories": [{"id": 50, "name": "yak"}]}
    (tmp_path / "yak.json").write_text(json.dumps(content))
    for more, message in (
        (["--ann", tmp_path / "yak.json"], "none of its categories is one of the model's"),
        (["--images", "nowhere"], "nowhere"),
        (["--limit", 0], "--limit"),
    ):
        typed = amidst(*words(data, model_file, *more))
        assert typed.code == 2
        assert message in typed.err
    assert "no such model" in amidst(*words(data, Path("nothing.safetensors"))).err
