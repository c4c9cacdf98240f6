from __future__ import annotations

from pathlib import Path

from amidst.training.log import RunLog, StepRecord, ValidationRecord, read_lines, scores


def record(step: int) -> StepRecord:
    return StepRecord(
        step=step,
        epoch=0.5,
        lr=0.1,
        loss=2.0,
        losses={"class_loss": 2.0},
        grad_norm=1.0,
        images_per_s=3.0,
        data_wait_s=0.0,
        memory_mb=1.0,
        eta_s=9.0,
    )


def test_an_empty_log(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.jsonl", 0)
    assert read_lines(log.path) == []
    assert log.validation(0) is None


def test_lines_are_read_back(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.jsonl", 0)
    log.append(record(1))
    log.append(ValidationRecord(step=1, validation={"ap": 0.5}))
    first, second = read_lines(log.path)
    assert first["losses"] == {"class_loss": 2.0}
    assert second == {"step": 1, "validation": {"ap": 0.5}}
    assert log.validation(1) == {"ap": 0.5}
    assert log.validation(2) is None


def test_a_resumed_log_forgets_what_will_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = RunLog(path, 0)
    for step in (1, 2, 3):
        log.append(record(step))
    with path.open("ab") as file:
        file.write(b'{"step": 4, "lo')  # the process was killed here
    resumed = RunLog(path, 2)
    resumed.append(record(3))
    assert [line["step"] for line in read_lines(path)] == [1, 2, 3]


def test_scores_become_plain_floats() -> None:
    assert scores({"ap": 1}) == {"ap": 1.0}
