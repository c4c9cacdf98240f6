from __future__ import annotations

import math
import time

import pytest

from amidst.apps.cli import progress
from amidst.apps.cli.console import duration, error_line, print_json, print_table
from amidst.apps.cli.progress import screen, step


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [math.nan, math.inf, 1.5], "b": ("ä", None), "c": -1})
    assert capsys.readouterr().out == '{"a": [null, null, 1.5], "b": ["ä", null], "c": -1}\n'


def test_a_table_shows_markup_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("[b]title[/b]", ("name", "[i]"), [("[red]x[/red]", "[/]")], right=("[i]",))
    out = capsys.readouterr().out
    assert "[b]title[/b]" in out
    assert "[red]x[/red]" in out


def test_an_error_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    error_line("a\n  b [c] " + "long " * 100)
    assert capsys.readouterr().err.startswith("amidst: error: a b [c] long long")
    error_line("a\nb")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_progress_without_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with screen() as room:
        resumed = room.step("training", 100, begun_at=50)
        for second in range(25):
            now[0] = float(second)
            resumed.update(50 + second, note="loss 1")
        resumed.finish()
    assert capsys.readouterr().err.splitlines() == [
        "training: 60/100, loss 1, 40 s left",
        "training: 70/100, loss 1, 30 s left",
    ]


def test_progress_of_unknown_length(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with step("downloading") as bar:
        bar.update(5)
    assert capsys.readouterr().err == "downloading: 5\n"


def test_a_process_that_is_not_the_first_keeps_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    with screen(show=False) as room:
        room.step("training", 10).update(5)
    assert capsys.readouterr().err == ""


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        progress, "STDERR", progress.STDERR.__class__(stderr=True, force_terminal=True, width=100)
    )
    with screen() as room:
        first, second = room.step("training", 10, begun_at=2), room.step("validating")
        first.update(5, note="loss 2")
        second.update(1, 4)
        time.sleep(0.15)
        second.finish()
    said = capsys.readouterr().err
    assert "training" in said
    assert "5/10" in said
    assert "loss 2" in said
