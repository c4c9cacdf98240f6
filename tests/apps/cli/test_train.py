from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amidst.coco.results import Results

FAST = (
    "schedule.iterations=4",
    "data.resize.short=64",
    "data.resize.long=96",
    "data.batch_size=2",
    "optim.lr_batch=2",
)


def words(data: Any, run: Path, *settings: str, recipe: str = "smoke") -> list[str]:
    sets = [word for setting in (*FAST, *settings) for word in ("--set", setting)]
    places = ["--train", data.train, "--val", data.val, "--images", data.images, "--run", run]
    return ["train", recipe, *map(str, places), *sets]


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything(run_folder: Path, data: Any) -> None:
    names = {"config.json", "run.json", "log.jsonl", "results.json", "summary.json", "model.safetensors"}
    assert names <= {path.name for path in run_folder.iterdir()}
    about = json.loads((run_folder / "run.json").read_text())
    assert about["val_annotations"] == str(data.val)
    assert about["train_images"] == str(data.images)
    assert about["recipe"] == "smoke"
    assert about["seconds"] > 0
    assert len(Results.load(run_folder / "results.json")) >= 0
    summary = json.loads((run_folder / "summary.json").read_text())
    assert summary["step"] == 4
    assert len(summary["stats"]) == 12
    validations = [line for line in lines(run_folder) if "validation" in line]
    assert validations[-1]["validation"]["ap"] == pytest.approx(summary["stats"][0])


def test_the_table_and_what_to_do_next(amidst: Any, data: Any, tmp_path: Path) -> None:
    typed = amidst(*words(data, tmp_path / "run", "train.validate_every=2"))
    assert typed.code == 0, typed.err
    assert "AP small" in typed.out
    assert f"amidst report {tmp_path / 'run'}" in typed.err
    assert "4 updates on 6 images with 6 objects" in typed.err
    assert "update 2: AP" in typed.err


def test_a_folder_in_use_is_refused_and_resumed_by_request(
    amidst: Any, data: Any, run_folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(run_folder, run)
    seconds = json.loads((run / "run.json").read_text())["seconds"]
    refused = amidst(*words(data, run))
    assert refused.code == 2
    assert "--resume" in refused.err
    resumed = amidst(*words(data, run), "--resume")
    assert resumed.code == 0, resumed.err
    assert "continuing after update 4" in resumed.err
    assert "nothing was left to do" in resumed.err
    assert json.loads((run / "run.json").read_text())["seconds"] >= seconds


def test_resuming_with_other_settings_is_refused(
    amidst: Any, data: Any, run_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(run_folder, tmp_path / "run")
    typed = amidst(*words(data, tmp_path / "run", "optim.lr=0.5"), "--resume")
    assert typed.code == 2
    assert "optim.lr" in typed.err


def test_the_seed_drives_everything(amidst: Any, data: Any, tmp_path: Path) -> None:
    for name, seed in {"a": 5, "b": 5, "c": 6}.items():
        assert amidst(*words(data, tmp_path / name), "--seed", seed).code == 0
    a, b, c = (lines(tmp_path / name)[0]["losses"] for name in "abc")
    assert a == b
    assert a != c
    assert json.loads((tmp_path / "a" / "config.json").read_text())["train"]["seed"] == 5


def test_starting_from_another_model(amidst: Any, data: Any, run_folder: Path, tmp_path: Path) -> None:
    typed = amidst(*words(data, tmp_path / "run", f"init.model={run_folder}"))
    assert typed.code == 0, typed.err


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"train": "nowhere.json"}, 2, "nowhere.json"),
        ({"val": "nowhere.json"}, 2, "nowhere.json"),
        ({"images": "nowhere"}, 2, "nowhere: no such folder"),
        ({"val-images": "nowhere"}, 2, "nowhere: no such folder"),
        ({"set": "optim.momentun=1"}, 2, "did you mean optim.momentum?"),
        ({"set": "optim.lr=fast"}, 2, "optim.lr"),
        ({"set": "optim.lr"}, 2, "expected key=value"),
        ({"set": "init.model=nowhere"}, 2, "nowhere: no such model"),
        ({"device": "quantum"}, 2, "--device quantum"),
        ({"seed": "x"}, 2, "--seed"),
    ],
)
def test_misuse(
    amidst: Any, data: Any, tmp_path: Path, change: dict[str, str], code: int, message: str
) -> None:
    ((option, value),) = change.items()
    typed = amidst(*words(data, tmp_path / "run"), f"--{option}", value)
    assert typed.code == code, typed.err
    assert message in typed.err
    assert len(typed.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_an_unknown_recipe_suggests_the_nearest(amidst: Any, data: Any, tmp_path: Path) -> None:
    typed = amidst(*words(data, tmp_path / "run", recipe="smoek"))
    assert typed.code == 2
    assert "did you mean 'smoke'?" in typed.err


def test_missing_images_are_told_before_the_training(amidst: Any, data: Any, tmp_path: Path) -> None:
    images = tmp_path / "images"
    shutil.copytree(data.images, images)
    (images / "12.jpg").unlink()
    typed = amidst(*words(data, tmp_path / "run"), "--images", images)
    assert typed.code == 1
    assert "12.jpg" in typed.err
    assert "1 of 4" in typed.err
    assert not (tmp_path / "run").exists()


def test_categories_that_cannot_be_learnt(amidst: Any, data: Any, tmp_path: Path) -> None:
    content = json.loads(data.val.read_text())
    content["categories"].append({"id": 99, "name": "hexagon"})
    content["annotations"][0]["category_id"] = 99
    (tmp_path / "val.json").write_text(json.dumps(content))
    typed = amidst(*words(data, tmp_path / "run"), "--val", tmp_path / "val.json")
    assert typed.code == 0
    assert (
        "1 categories of the validation data are not in the training data and score 0: hexagon" in typed.err
    )


def test_a_dataset_without_images(amidst: Any, data: Any, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"images": [], "annotations": [], "categories": []}')
    typed = amidst(*words(data, tmp_path / "run"), "--train", tmp_path / "none.json")
    assert typed.code == 2
    assert "no images" in typed.err


def test_two_processes_tell_and_write_as_one(data: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--"]
    command = [
        *launch,
        "-m",
        "amidst",
        *words(data, run, "train.validate_every=2", "data.batch_size=4", "optim.lr_batch=4"),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("COCO score") == 1
    assert done.stderr.count("starting: 4 updates") == 1
    found = Results.load(run / "results.json")
    assert len(set(zip(found.image_ids.tolist(), found.scores.tolist(), strict=True))) <= len(found)
    assert [line["step"] for line in lines(run) if "validation" in line] == [2, 4]
