"""`amidst dataset stats`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_the_figures_of_two_files(amidst: Any, data: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    typed = amidst("dataset", "stats", data.train, data.val, "-o", tmp_path, "--json")
    assert typed.code == 0
    assert [figures["name"] for figures in typed.json] == ["train", "val"]
    assert [figures["images"] for figures in typed.json] == [6, 4]
    assert json.loads((tmp_path / "statistics.json").read_text()) == typed.json
    assert (tmp_path / "statistics.svg").stat().st_size > 1000
    assert (tmp_path / "statistics.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_stands_beside_the_published_numbers(amidst: Any, data: Any) -> None:
    out = amidst("dataset", "stats", data.train, "--name", "mine").out
    for name in ("mine", "(COCO)", "(ImageNet)", "(PASCAL VOC)", "(SUN)"):
        assert name in out


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (("--size", "volume"), "side or area", 2),
        (("--name", "a", "--name", "b"), "2 names", 2),
        (("{train}",), "two datasets are called 'train'", 1),
        (("none.json",), "none.json", 2),
    ],
)
def test_wrong_calls(amidst: Any, data: Any, words: tuple[str, ...], message: str, code: int) -> None:
    typed = amidst("dataset", "stats", data.train, *(word.format(train=data.train) for word in words))
    assert typed.code == code
    assert message in typed.err
