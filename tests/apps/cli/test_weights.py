from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amidst.errors import WeightsError
from amidst.models.download import WEIGHTS


def test_the_list(amidst: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMIDST_CACHE", str(tmp_path))
    (tmp_path / WEIGHTS["resnet50"]).write_bytes(b"")
    records = {record["name"]: record for record in amidst("weights", "list", "--json").json}
    assert set(WEIGHTS) <= set(records)
    assert records["resnet50"]["place"] == str(tmp_path / WEIGHTS["resnet50"])
    assert records["resnet18"]["place"] == "amidst weights fetch resnet18"
    assert "resnet101" in amidst("weights", "list").out


def test_fetch_finds_what_is_there(amidst: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AMIDST_CACHE", str(tmp_path))
    (tmp_path / WEIGHTS["resnet18"]).write_bytes(b"")
    typed = amidst("weights", "fetch", "resnet18", "--json")
    assert typed.code == 0
    assert typed.json == {"name": "resnet18", "path": str(tmp_path / WEIGHTS["resnet18"])}


def test_no_such_weights(amidst: Any) -> None:
    typed = amidst("weights", "fetch", "resnet19")
    assert typed.code == 2
    assert "resnet18" in typed.err


def test_no_network(amidst: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **names: object) -> None:
        raise WeightsError("https://...: cannot be downloaded; is this machine online?")

    monkeypatch.setattr("amidst.apps.cli.weights.download_weights", refuse)
    typed = amidst("weights", "fetch", "resnet18")
    assert typed.code == 1
    assert "online" in typed.err
