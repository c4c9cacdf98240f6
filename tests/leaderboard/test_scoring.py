"""amidst.leaderboard.scoring: the numbers of `evaluate` and of pycocotools, in a process of its own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from amidst.coco import CocoDataset, masks
from amidst.evaluation import evaluate, score_proposals
from amidst.evaluation.summary import NUMBERS
from amidst.leaderboard import grouping
from amidst.leaderboard.config import Kind
from amidst.leaderboard.scoring import PROPOSALS_AT, Outcome, Task, score_submission

MakeDataset = Callable[..., CocoDataset]
MakeDetections = Callable[..., list[dict[str, Any]]]


def task(folder: Path, dataset: CocoDataset, data: bytes, kind: Kind) -> Task:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    dataset.save(folder / "truth.json")
    (folder / "upload").write_bytes(data)
    where = [str(folder / name) for name in ("upload", "truth.json", "work")]
    return Task(where[0], "results.json", where[1], where[2], kind)


def with_masks(records: list[dict[str, Any]], boxes: bool = False) -> list[dict[str, Any]]:
    made = []
    for record in records:
        rle = masks.from_box(record["bbox"], (60, 80))
        more = {"bbox": record["bbox"]} if boxes else {}
        rest = {key: value for key, value in record.items() if key != "bbox"}
        made.append({**rest, **more, "segmentation": {"size": [60, 80], "counts": rle.counts}})
    return made


def test_an_empty_submission_scores_nothing(tmp_path: Path, dataset: CocoDataset) -> None:
    outcome = score_submission(task(tmp_path, dataset, b"[]", "bbox"))
    assert outcome.numbers["ap"] == 0
    assert outcome.sketch == []
    assert score_submission(task(tmp_path, dataset, b"[]", "proposals")).numbers["auc"] == 0


@pytest.mark.parametrize("kind", ["bbox", "segm"])
def test_fuzzed_sets_score_as_evaluate_and_the_reference(
    tmp_path: Path, make_dataset: MakeDataset, make_detections: MakeDetections, kind: Kind, monkeypatch: Any
) -> None:
    monkeypatch.setattr(grouping, "IMAGES", 2)
    monkeypatch.setattr(grouping, "BUFFERED", 10)
    for seed in range(25):
        dataset = make_dataset(9, seed)
        records = make_detections(dataset, seed)
        if kind == "segm":
            records = with_masks(records, boxes=seed % 2 == 0)
        outcome = score_submission(task(tmp_path, dataset, json.dumps(records).encode(), kind))
        whole = evaluate(dataset, records, kind)  # type: ignore[arg-type]
        reference = evaluate(dataset, records, kind, engine="pycocotools")  # type: ignore[arg-type]
        assert list(outcome.numbers) == list(NUMBERS)
        assert list(outcome.numbers.values()) == pytest.approx(whole.stats, abs=1e-9)
        assert list(outcome.numbers.values()) == pytest.approx(reference.stats, abs=1e-9)


@pytest.mark.parametrize("kind", ["proposals", "mask-proposals"])
def test_proposals(
    tmp_path: Path, make_dataset: MakeDataset, make_detections: MakeDetections, kind: Kind, monkeypatch: Any
) -> None:
    monkeypatch.setattr(grouping, "IMAGES", 2)
    for seed in range(8):
        dataset = make_dataset(9, seed)
        records = make_detections(dataset, seed)
        if kind == "mask-proposals":
            records = with_masks(records)
        outcome = score_submission(task(tmp_path, dataset, json.dumps(records).encode(), kind))
        compared: Any = "bbox" if kind == "proposals" else "segm"
        (tmp_path / "file.json").write_text(json.dumps(records))
        whole = (
            score_proposals(dataset, tmp_path / "file.json", kind=compared, at=PROPOSALS_AT)
            if records
            else None
        )
        if whole is not None:
            assert outcome.numbers == pytest.approx(whole.numbers(), abs=1e-9)


def test_images_of_other_phases_are_left_out(
    tmp_path: Path, make_dataset: MakeDataset, make_detections: MakeDetections
) -> None:
    dataset = make_dataset(12, 3)
    records = make_detections(dataset, 3)
    half = {image.id for image in dataset.images[:6]}
    outcome = score_submission(task(tmp_path, dataset.select(half), json.dumps(records).encode(), "bbox"))
    inside = [record for record in records if record["image_id"] in half]
    assert list(outcome.numbers.values()) == list(evaluate(dataset.select(half), inside).stats)


def test_the_process_gives_numbers_and_nothing_else(tmp_path: Path, shared_data: Path) -> None:
    """The real detections, in a zip, through the real process; expected numbers by pycocotools."""
    truth = shared_data / "coco_mini" / "annotations" / "instances_val2017_mini.json"
    file = shared_data / "detections" / "yolox_nano_coco_mini_val2017_bbox_results.json"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.write(file, "detections/results.json")
    asked = task(tmp_path, CocoDataset.load(truth), stream.getvalue(), "bbox")
    text = msgspec.json.encode(asked) + b"\n"
    scorer = subprocess.Popen(
        [sys.executable, "-m", "amidst.leaderboard.scoring"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert scorer.stdin is not None
    assert scorer.stdout is not None
    scorer.stdin.write(text)
    scorer.stdin.flush()
    line = scorer.stdout.read()
    assert scorer.wait() == 0
    outcome = msgspec.json.decode(line, type=Outcome)
    expected = json.loads(next(file.parent.glob("*expected*")).read_text())["stats"]
    assert list(outcome.numbers.values()) == pytest.approx(expected, abs=1e-9)
    assert len(outcome.sketch) == 256
    assert not Path(asked.work).exists()
    scorer.stdin.close()
    scorer.stdout.close()


def test_a_scorer_ends_with_who_started_it(tmp_path: Path) -> None:
    scorer = subprocess.Popen(
        [sys.executable, "-c", "from amidst.leaderboard import scoring; scoring._end_with_parent()"],
        stdin=subprocess.PIPE,
    )
    assert scorer.stdin is not None
    assert scorer.poll() is None
    scorer.stdin.close()
    assert scorer.wait(120) == 3


def test_a_file_that_was_changed_is_refused(tmp_path: Path, dataset: CocoDataset) -> None:
    refused = score_submission(task(tmp_path, dataset, b"[{]", "bbox")).refused
    assert "results.json" in refused
    assert "not valid JSON" in refused
