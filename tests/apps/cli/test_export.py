from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amidst.apps.cli.export_int8 import loss_lines, spread
from amidst.models.weights import builtin_models

SIZE_HW = (96, 128)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of six photographs, an object in each, in `data.json` and `images/`."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    height, width = SIZE_HW
    records: dict[str, list[dict[str, Any]]] = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 3, "name": "square"}, {"id": 7, "name": "bar"}],
    }
    for number in range(6):
        coarse = random.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((width, height)).save(folder / "images" / f"{number}.png")
        records["images"].append(
            {"id": number, "file_name": f"{number}.png", "height": height, "width": width}
        )
        records["annotations"].append(
            {
                "id": number,
                "image_id": number,
                "category_id": 3,
                "bbox": [5, 5, 40, 40],
                "area": 1600,
                "iscrowd": 0,
            }
        )
    (folder / "data.json").write_text(json.dumps(records))
    return folder


@pytest.mark.usefixtures("engine_here")
def test_an_int8_file_predicts_as_the_model_does(
    amidst: Any, model_file: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = amidst(
        "export", model_file, "-o", tmp_path / "m.onnx", "--int8", "--calibrate", data / "data.json",
        "--images", data / "images", "--samples", 4, "--json",
    )  # fmt: skip
    assert made.code == 0, made.err
    (record,) = made.lines
    assert (record["precision"], record["opset"], record["images"]) == ("int8", 18, 2)
    assert set(record["float32"]) == set(record["int8"]) >= {"ap", "ap50"}
    assert "points lost, on 2 images" in made.err
    found = {}
    for name, model in (("torch", model_file), ("onnx", tmp_path / "m.onnx")):
        output = tmp_path / f"{name}.json"
        typed = amidst(
            "predict", model, "--ann", data / "data.json", "--images", data / "images", "-o", output,
            "--draw", tmp_path / name,
        )  # fmt: skip
        assert typed.code == 0, typed.err
        found[name] = json.loads(output.read_bytes())
        assert len(list((tmp_path / name).glob("*.jpg"))) == 6
    assert {entry["image_id"] for entry in found["onnx"]} == {entry["image_id"] for entry in found["torch"]}
    best = [max(entry["score"] for entry in found[name]) for name in ("onnx", "torch")]
    assert best[0] == pytest.approx(best[1], abs=0.05)
    first = [entry for entry in found["onnx"] if entry["image_id"] == 0]
    words = ("predict", tmp_path / "m.onnx", data / "images", "--engine", "local", "-o", tmp_path / "parts")
    for runtime in ("auto", "onnxruntime"):
        typed = amidst(*words, "--parts", "jsonl", "--runtime", runtime, "--json")
        if runtime == "auto":
            assert (typed.code, typed.json["found"]) == (0, len(found["onnx"])), typed.err
    assert "different: runtime" in typed.err  # of another runtime, whose last digits may differ
    typed = amidst("predict", tmp_path / "m.onnx", data / "images" / "0.png", "--precision", "bfloat16")
    assert (typed.code, "computed as it was exported" in typed.err) == (2, True)
    seen = run_the_page(tmp_path / "m.onnx", data / "images" / "0.png", tmp_path, monkeypatch)
    assert int(seen["count"][0]) == len(first)
    boxes = np.array([entry["bbox"] for entry in first])
    boxes[:, 2:] += boxes[:, :2]
    assert np.abs(np.clip(seen["boxes"], 0, None) - boxes).max() < 1
    assert seen["scores"][0, : len(first)] == pytest.approx([entry["score"] for entry in first], abs=0.01)


def run_the_page(
    model: Path, photograph: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """What the program of docs/deploy.md finds in a photograph, without amidst and torch."""
    shutil.copy(model, folder / "person.onnx")
    shutil.copy(photograph, folder / "photo.jpg")
    monkeypatch.chdir(folder)
    text = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # the page's own code
    return names


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-o", "model.pt"], "expected a name that ends in .onnx"),
        (["--calibrate", "a.json"], "belong to --int8"),
        (["--runtime", "openvino"], "belong to --int8"),
        (["--zoom", "1"], "for networks that propose masks"),
        (["--threshold", "1"], "between 0 and 1"),
        (["-o", "{images}/0.png/m.onnx"], "cannot be written"),
        (["--int8"], "--int8 needs --calibrate"),
        (["--int8", "--calibrate", "{data}", "--images", "{images}", "--samples", "6"], "no images are left"),
        (
            ["--int8", "--calibrate", "{data}", "--images", "{images}", "--validate-images", "x"],
            "folder of --validate",
        ),
        (
            ["--int8", "--calibrate", "{data}", "--images", "{images}", "--samples", "2", "--runtime", "x"],
            "expected auto, onnxruntime, openvino",
        ),
        (
            ["--int8", "--calibrate", "{data}", "--images", "{images}", "--validate", "{empty}"],
            "no objects on the images that the loss is measured on",
        ),
    ],
)
def test_options_that_do_not_go_together(
    amidst: Any, model_file: Path, data: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    names = {"data": data / "data.json", "images": data / "images", "empty": tmp_path / "empty.json"}
    record = json.loads(names["data"].read_bytes())
    names["empty"].write_text(json.dumps(record | {"annotations": []}))
    given = [word.format(**names) for word in options]
    if "-o" not in options:
        given += ["-o", str(tmp_path / "m.onnx")]
    typed = amidst("export", model_file, *given)
    assert (typed.code, typed.out) == (2, "")
    assert words in typed.err
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize("broken", [0, 5])
def test_a_photograph_that_cannot_be_read_is_said_at_once(
    amidst: Any, model_file: Path, data: Path, tmp_path: Path, broken: int
) -> None:
    """One that gives ranges, or one that the loss is measured on: before the long work, without a file."""
    shutil.copytree(data / "images", tmp_path / "images")
    (tmp_path / "images" / f"{broken}.png").write_bytes(b"\x89PNG")
    typed = amidst(
        "export", model_file, "-o", tmp_path / "m.onnx", "--int8", "--calibrate", data / "data.json",
        "--images", tmp_path / "images", "--samples", 3,
    )  # fmt: skip
    assert (typed.code, typed.out) == (1, "")
    assert f"{broken}.png" in typed.err.splitlines()[-1]
    assert not list(tmp_path.glob("*.onnx"))


def test_what_is_exported_is_not_exported_again(amidst: Any, tmp_path: Path) -> None:
    typed = amidst("export", tmp_path / "m.onnx", "-o", tmp_path / "n.onnx")
    assert (typed.code, "name the model that it was made from" in typed.err) == (2, True)


def test_the_loss_is_told_in_points() -> None:
    before, after = {"ap": 0.25, "ap50": 0.5}, {"ap": 0.22, "ap50": 0.501}
    assert loss_lines(before, after, 7) == [
        "AP 0.250 -> 0.220: 3.00 points lost, on 7 images",
        "AP50 0.500 -> 0.501: 0.10 points gained, on 7 images",
    ]
    assert loss_lines({}, {}, 0) == []


def test_a_file_of_others_is_no_model(amidst: Any, data: Path, tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(b"\x00" * 64)
    typed = amidst("predict", tmp_path / "other.onnx", data / "images")
    assert (typed.code, typed.out) == (1, "")
    assert "other.onnx" in typed.err
    assert len(typed.err.splitlines()) == 1


def test_a_runtime_is_for_exported_files(amidst: Any, data: Path) -> None:
    (name,) = builtin_models()[:1]
    typed = amidst("predict", name, data / "images", "--runtime", "openvino")
    assert typed.code == 2
    assert "runs in torch" in typed.err


@pytest.mark.parametrize(("number", "expected"), [(0, []), (2, [1, 3]), (4, [1, 2, 3, 4]), (9, [1, 2, 3, 4])])
def test_spread(number: int, expected: list[int]) -> None:
    assert spread([1, 2, 3, 4], number) == expected
    assert spread([], number) == []
