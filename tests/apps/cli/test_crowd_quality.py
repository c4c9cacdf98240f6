"""`amidst crowd quality` and what `status` says of the work that is left, on a simulated campaign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from amidst.apps.cli.root import run


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images that eight simulated workers and an expert have labelled, and no more."""
    folder = tmp_path_factory.mktemp("quality") / "campaign"
    words = ["crowd", "simulate", "--images", "2", "--workers", "8", "--seed", "5", "--keep", str(folder)]
    assert run([*words, "--set", 'stages=["labelling"]', "--set", "hour_cost=10"]) == 0
    return folder


def test_figures_of_a_campaign_in_which_nobody_has_worked(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "photos" / "a.png")
    assert run(["crowd", "init", str(tmp_path / "new"), "--images", str(tmp_path / "photos")]) == 0
    capsys.readouterr()
    assert run(["crowd", "status", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "27 (thesis)" in said
    assert "79 (thesis)" in said
    assert "45 (ours)" in said  # of captions, of which it says nothing
    plots = tmp_path / "plots"
    assert run(["crowd", "quality", str(tmp_path / "new"), "--json", "--plots", str(plots)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["workers"], found["agreement"], found["union"]) == ([], [], None)
    assert (found["stages"]["first_pass"], found["stages"]["captions"]) == (None, 0)
    assert (plots / "workers.svg").stat().st_size > 1000


def test_everybody_against_the_others(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    capsys.readouterr()
    assert run(["crowd", "quality", str(campaign), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["agreement"]) >= 8
    assert all(0 <= one["precision"] <= 1 for one in found["agreement"] if one["precision"] is not None)
    assert (
        run(["crowd", "quality", str(campaign), "--least-precision", "0.99", "--plots", str(tmp_path)]) == 0
    )
    said = capsys.readouterr().out
    assert "workers" in said
    below = [one for one in found["agreement"] if one["precision"] is not None and one["precision"] < 0.99]
    assert said.count("below the line") == len(below)
    assert (tmp_path / "workers.png").read_bytes()[:4] == b"\x89PNG"


def test_the_line_is_the_campaigns_until_another_is_tried(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "photos" / "a.png")
    words = ["crowd", "init", str(tmp_path / "new"), "--images", str(tmp_path / "photos")]
    assert run([*words, "--set", "rejection.second_precision=0.7"]) == 0
    for more, ends in (([], (0.5, 0.7)), (["--least-precision", "0.3"], (0.3, 0.3))):
        capsys.readouterr()
        assert run(["crowd", "quality", str(tmp_path / "new"), "--json", *more]) == 0
        line = json.loads(capsys.readouterr().out)["line"]
        assert (line["first_precision"], line["second_precision"]) == ends
        assert (line["first_recall"], line["second_recall"]) == (0.0, 1.0)


def test_a_line_outside_the_plane_is_refused(campaign: Path, capsys: Any) -> None:
    assert run(["crowd", "quality", str(campaign), "--least-precision", "2"]) == 2


def test_status_says_what_is_left_and_what_it_costs(campaign: Path, capsys: Any) -> None:
    capsys.readouterr()
    assert run(["crowd", "status", str(campaign), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    outlook = found["outlook"]
    assert outlook["cost"] == pytest.approx(10 * outlook["hours"])
    assert run(["crowd", "status", str(campaign)]) == 0
    said = capsys.readouterr()
    assert "what is left" in said.out
    assert "at 10 an hour" in said.err
