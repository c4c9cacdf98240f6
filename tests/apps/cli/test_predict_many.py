"""`amidst predict --engine` and `dataset duplicates --engine`: what parts hold, and refusals."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli import predict_many
from amidst.apps.cluster.parts import Done, Plan
from amidst.models.weights import resolve_model

PICTURES = 24  # of the fixture
starts_ray = pytest.mark.skipif("AMIDST_CLUSTER" not in os.environ, reason="starts Ray; set AMIDST_CLUSTER=1")


def test_device_and_batch_reach_the_job(
    amidst: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Any] = []

    def run(job: Any, _plan: Plan, _numbers: list[int], _workers: int) -> Iterator[Done]:
        jobs.append(job)
        return iter(())

    monkeypatch.setattr(predict_many, "engine_of", lambda _name: run)
    words = ("predict", photos, "-o", tmp_path / "out", "--batch", 3)
    amidst(*words, "--engine", "local", "--device", "cpu")
    amidst(*words, "--engine", "ray", "--device", "cuda")
    assert [(job.device, job.batch_size) for job in jobs] == [("cpu", 3), ("cuda", 3)]


@pytest.mark.parametrize(
    ("pictures", "expected"), [(0, 32), (8192, 32), (10_000, 39), (65_536, 256), (10**6, 256)]
)
def test_large_jobs_have_large_parts(pictures: int, expected: int) -> None:
    assert predict_many.part_size(pictures) == expected


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_an_unusable_model_is_one_line(amidst: Any, photos: Path, tmp_path: Path, engine: str) -> None:
    whole = resolve_model("person").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "x.onnx").write_bytes(b"")
    for name, code, problem in (
        ("half.safetensors", 1, "half.safetensors"),
        ("x.onnx", 1, "x.onnx: holds no model description"),
    ):
        typed = amidst("predict", tmp_path / name, photos, "--engine", engine, "-o", tmp_path / "out")
        assert typed.code == code
        assert problem in typed.err
        assert len(typed.err.splitlines()) == 1
        assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("engine_here")
def test_another_folder_and_changed_files_are_another_run(
    amidst: Any, model_file: Path, photos: Path, tmp_path: Path
) -> None:
    other, out, cache = tmp_path / "other", tmp_path / "out", tmp_path / "cache"
    shutil.copytree(photos, other)
    find = ("--engine", "local", "-o", out)
    count = ("dataset", "duplicates", photos, "--engine", "local", "--cache", cache, "--json")
    assert amidst("predict", model_file, photos, *find).code == 1
    assert len(amidst(*count).json["broken"]) == 1
    elsewhere = amidst("predict", model_file, other, *find)
    assert elsewhere.code == 2
    assert "another run (different: place)" in elsewhere.err
    shutil.copy(photos / "00.png", photos / "99.png")  # the broken one is replaced
    for words in (("predict", model_file, photos, *find), count):
        mended = amidst(*words)
        assert mended.code == 2
        assert "another run (different: files)" in mended.err


@pytest.mark.usefixtures("engine_here")
def test_changed_records_of_a_dataset_are_another_run(amidst: Any, photos: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "d.json"
    words = (
        "predict",
        "person",
        "--ann",
        dataset,
        "--images",
        photos,
        "--engine",
        "local",
        "-o",
        tmp_path / "o",
    )
    person = {"id": 1, "name": "person"}
    for number, code in ((7, 0), (8, 2)):
        image = {"id": number, "file_name": "00.png", "height": 40, "width": 60}
        dataset.write_text(json.dumps({"images": [image], "annotations": [], "categories": [person]}))
        typed = amidst(*words)
        assert typed.code == code
    assert "different: files" in typed.err


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=starts_ray)])
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_predict_and_duplicates_with_an_engine_say_what_they_say_without(
    amidst: Any, model_file: Path, photos: Path, tmp_path: Path, engine: str, ray_cluster: None
) -> None:
    plain = amidst("predict", model_file, photos, "--json", "--threshold", 0)
    found = tmp_path / "found"
    words = ("predict", model_file, photos, "--engine", engine, "-o", found, "--parts", "jsonl", "--json")
    typed = amidst(*words)
    assert typed.code == 1  # one is broken
    assert typed.json | {"found": 0} == {
        "pictures": PICTURES,
        "resumed": 0,
        "found": 0,
        "broken": 1,
        "failed": 0,
        "parts": 1,
    }
    rows = [json.loads(line) for line in (found / "part-00000.jsonl").read_text().splitlines()]
    assert [row["file_name"] for row in rows] == sorted(path.name for path in photos.iterdir())
    for row, line in zip(rows, plain.lines, strict=True):
        assert Path(line["file_name"]).name == row["file_name"]
        assert ("error" in line) == (row["error"] is not None)
        scores = [detection["score"] for detection in line.get("detections", ())]
        assert sorted(row["scores"]) == pytest.approx(sorted(scores), abs=1e-4)
    again = amidst(*words)
    assert again.code == 1  # it is broken still
    assert again.json == typed.json | {"resumed": PICTURES}
    one = amidst("dataset", "duplicates", photos, "--json")
    many = amidst("dataset", "duplicates", photos, "--engine", engine, "--processes", 2, "--json")
    assert many.json["groups"] == one.json["groups"]
    assert many.json["images"] == one.json["images"]
    assert len(many.json["broken"]) == 1


@starts_ray
@pytest.mark.timeout(240)
def test_ray_says_nothing_in_python(photos: Path, tmp_path: Path) -> None:
    words = ("predict", photos, "--engine", "ray", "--workers", 1, "-o", tmp_path / "found", "--json")
    command = [sys.executable, "-m", "amidst", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["pictures"] == PICTURES
    own = ("predicting", "[")  # a line of its core, "[time pid] core_worker.cc", cannot be turned off
    assert [line for line in done.stderr.splitlines() if line and not line.startswith(own)] == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--engine", "spark", "-o", "out"), "expected local or ray"),
        (("--engine", "local"), "name a folder with -o"),
        (("--engine", "local", "-o", "found.json"), "name a folder with -o"),
        (("--engine", "local", "-o", "out", "--threshold", "0.5"), "does not go with --threshold"),
        (
            ("--engine", "local", "-o", "out", "--every", "2", "--tile", "800"),
            "does not go with --tile, --every",
        ),
        (("--engine", "local", "-o", "out", "--runtime", "openvino"), "person runs in torch"),
        (("--engine", "local", "-o", "out", "--device", "nonsense"), "--device nonsense"),
        (("--engine", "ray", "-o", "out", "--device", "cuda:1"), "say --device cuda"),
    ],
)
def test_wrong_calls(amidst: Any, photos: Path, words: tuple[str, ...], problem: str) -> None:
    typed = amidst("predict", photos, *words)
    assert typed.code == 2
    assert problem in typed.err
