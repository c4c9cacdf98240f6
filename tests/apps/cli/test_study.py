"""Studies from the command line, on six small images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli.root import run as run_command
from amidst.recipes.studies import STUDIES

FAST = (
    "schedule.iterations=2",
    "data.resize.short=64",
    "data.resize.long=96",
    "data.batch_size=2",
    "optim.lr_batch=2",
)
CELLS = ("cross-entropy", "focal")


def words(data: Any, run: Path, *more: object, only: tuple[str, ...] = CELLS) -> list[object]:
    sets = [word for setting in FAST for word in ("--set", setting)]
    cells = [word for cell in only for word in ("--only", cell)]
    places = ["--train", data.train, "--val", data.val, "--images", data.images, "--run", run]
    return ["study", "losses", "--recipe", "smoke", *places, *sets, *cells, *more]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Any) -> Path:
    """The folder of a study of which two cells are done; read only."""
    folder = tmp_path_factory.mktemp("study") / "losses"
    assert run_command([str(word) for word in words(data, folder)]) == 0
    return folder


def table(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "table.json").read_bytes())
    return found


def test_without_a_name_all_are_listed(amidst: Any) -> None:
    typed = amidst("study")
    assert typed.code == 0
    assert all(name in typed.out for name in STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_a_name_alone_shows_the_cells(amidst: Any, name: str) -> None:
    typed = amidst("study", name)
    assert typed.code == 0
    assert STUDIES[name].title in typed.out
    assert STUDIES[name].recipe in typed.err


def test_a_study_leaves_one_table_with_pictures(finished: Path) -> None:
    assert {"study.json", "table.json", "table.md", "study.svg", "study.png"} <= {
        path.name for path in finished.iterdir()
    }
    found = table(finished)
    states = {row["name"]: row["state"] for row in found["rows"]}
    assert states == {
        cell.name: "done" if cell.name in CELLS else "not run" for cell in STUDIES["losses"].cells
    }
    done = {row["name"]: row for row in found["rows"] if row["state"] == "done"}
    for name, row in done.items():
        assert row["ms"] > 0
        summary = json.loads((finished / "cells" / name / "summary.json").read_bytes())
        assert row["scores"] == {column: pytest.approx(summary[column]) for column in found["columns"]}
    assert found["order"]["pairs"] == 1  # the two have one setting of the thesis in common
    assert found["about"]["recipe"].startswith("`smoke` with `schedule.iterations=2`")
    assert "0, the same in every cell" in found["about"]["seed"]
    text = (finished / "table.md").read_text()
    assert "thesis AP (R50-600)" in text
    assert "(study.svg)" in text


def test_cells_differ_in_what_the_study_varies_and_in_nothing_else(finished: Path) -> None:
    first, second = (json.loads((finished / "cells" / cell / "config.json").read_bytes()) for cell in CELLS)
    assert first["train"]["seed"] == second["train"]["seed"] == 0
    assert first["model"]["loss"].pop("kind") == "cross_entropy"
    assert second["model"]["loss"].pop("kind") == "focal"
    assert first == second


def test_sizes_without_objects_are_minus_one_and_said_to_be(finished: Path) -> None:
    found = table(finished)
    rows = [row["scores"] for row in found["rows"] if row["scores"]]
    assert all(scores["ap_medium"] == scores["ap_large"] == -1 for scores in rows)
    assert all(scores["ap_small"] >= 0 for scores in rows)
    assert [note for note in found["notes"] if "no large objects: their scores are -1" in note]


def test_categories_without_objects_are_said(amidst: Any, data: Any, tmp_path: Path) -> None:
    content = json.loads(data.val.read_text())
    content["categories"].append({"id": 99, "name": "hexagon"})
    (tmp_path / "val.json").write_text(json.dumps(content))
    typed = amidst(*words(data, tmp_path / "run", "--val", tmp_path / "val.json", only=("focal",)))
    assert typed.code == 0, typed.err
    assert "no object of hexagon" in typed.err


def test_a_finished_cell_is_not_repeated_and_a_further_one_is_added(
    amidst: Any, data: Any, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    model = run / "cells" / "focal" / "model.safetensors"
    before = model.stat().st_mtime_ns
    typed = amidst(*words(data, run, "--resume", only=("focal", "ohem-128-nms-0.5")))
    assert typed.code == 0, typed.err
    assert "1 of 2 cells are finished already" in typed.err
    assert model.stat().st_mtime_ns == before
    assert sum(row["state"] == "done" for row in table(run)["rows"]) == 3


def test_an_unfinished_cell_goes_on_from_its_checkpoint(
    amidst: Any, data: Any, finished: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "cells" / "focal" / "cell.json").unlink()
    typed = amidst(*words(data, run, "--resume"))
    assert typed.code == 0, typed.err
    assert "continuing after update 2" in typed.err
    scores = [[row["scores"] for row in table(folder)["rows"]] for folder in (run, finished)]
    assert scores[0] == scores[1]


def test_a_cell_that_diverges_is_a_result(amidst: Any, data: Any, tmp_path: Path) -> None:
    wild = ("--set", "optim.lr=1e30", "--set", "optim.clip_norm=null", "--set", "optim.kind=sgd")
    typed = amidst(*words(data, tmp_path / "run", *wild, "--set", "schedule.iterations=8", only=("focal",)))
    assert typed.code == 0, typed.err
    (row,) = [row for row in table(tmp_path / "run")["rows"] if row["name"] == "focal"]
    assert row["state"].startswith("diverged: update")
    assert row["scores"] is None
    again = amidst(
        *words(data, tmp_path / "run", *wild, "--set", "schedule.iterations=8", "--resume", only=("focal",))
    )
    assert "1 of 1 cells are finished already" in again.err


def test_a_folder_in_use_is_refused(amidst: Any, data: Any, finished: Path, run_folder: Path) -> None:
    typed = amidst(*words(data, finished))
    assert typed.code == 2
    assert "holds a study already; continue it with --resume" in typed.err
    typed = amidst(*words(data, run_folder))
    assert typed.code == 2
    assert "holds something else" in typed.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--set", "optim.lr=0.5"], "optim.lr was"),
        (["--seed", "1"], "train.seed was 0, now 1"),
        (["--val", "TRAIN"], "--val changed since the study began"),
    ],
)
def test_other_settings_than_the_study_began_with_are_refused(
    amidst: Any, data: Any, finished: Path, more: list[str], message: str
) -> None:
    typed = amidst(
        *words(data, finished, *[data.train if word == "TRAIN" else word for word in more], "--resume")
    )
    assert typed.code == 2
    assert message in typed.err
    assert len(typed.err.splitlines()) == 1


def test_a_damaged_record_is_told(amidst: Any, data: Any, finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    (run / "study.json").write_text("{}")
    typed = amidst(*words(data, run, "--resume"))
    assert typed.code == 1
    assert "study.json" in typed.err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--only", "nothing"], "--only nothing: no such cell; there are: cross-entropy"),
        (["--set", "model.loss.gamma=1"], "this is what the study losses varies"),
        (["--recipe", "smoek"], "did you mean 'smoke'?"),
        (["--images", "nowhere"], "nowhere"),
        (["--model", "person", "--short", "64"], "with the study speed-accuracy only"),
    ],
)
def test_misuse(amidst: Any, data: Any, tmp_path: Path, more: list[str], message: str) -> None:
    typed = amidst(*words(data, tmp_path / "run", *more))
    assert typed.code == 2
    assert message in typed.err
    assert len(typed.err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_an_unknown_study_and_missing_options(amidst: Any, data: Any) -> None:
    assert "did you mean 'losses'?" in amidst("study", "loses").err
    assert "--run is missing" in amidst("study", "losses", "--train", data.train).err
    assert "--run is missing" in amidst("study", "losses", "--recipe", "smoke").err
    places = ("--val", data.val, "--images", data.images, "--run", "nowhere")
    assert "--train is missing" in amidst("study", "losses", *places).err


def test_trained_models_at_several_sizes(amidst: Any, data: Any, model_file: Path, tmp_path: Path) -> None:
    places = ("--val", data.val, "--images", data.images, "--run", tmp_path / "run")
    sizes = ("--model", model_file, "--short", 64, "--short", 32)
    typed = amidst("study", "speed-accuracy", *places, *sizes)
    assert typed.code == 0, typed.err
    found = table(tmp_path / "run")
    assert [row["name"] for row in found["rows"]] == ["tiny-32", "tiny-64"]
    assert all(row["state"] == "done" and row["ms"] > 0 for row in found["rows"])
    again = amidst("study", "speed-accuracy", *places, *sizes, "--resume")
    assert again.code == 0
    assert "cell 1" not in again.err
    assert [row["scores"] for row in table(tmp_path / "run")["rows"]] == [r["scores"] for r in found["rows"]]
    refused = amidst("study", "speed-accuracy", *places, "--model", model_file)
    assert "--model and --short go together" in refused.err
