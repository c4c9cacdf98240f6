"""Long JSON lists read in pieces: the same records for any size of piece, and defects by their number."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from amidst.coco.stream import Cutter, stream_records
from amidst.errors import DataError, UsageError


class Item(msgspec.Struct):
    id: int
    note: str = ""
    parts: list[dict[str, int]] = []


def read(path: Path, piece_bytes: int) -> list[Item]:
    items: list[Item] = []
    for begun, part in stream_records(path, Item, "item", piece_bytes=piece_bytes):
        assert begun == len(items)
        items += part
    return items


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["[]", " [\n] ", "\ufeff[]"])
def test_an_empty_list(text: str, tmp_path: Path) -> None:
    assert read(written(tmp_path / "f.json", text), 4) == []


@pytest.mark.parametrize("indent", [None, 1])
def test_any_size_of_piece_gives_the_same_records(indent: int | None, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"id": n, "note": "x" * (n % 7)} for n in range(40)]
    path = written(tmp_path / "f.json", json.dumps(records, indent=indent))
    for piece_bytes in (1, 2, 3, 17, 64, 1000, 10**6):
        assert [item.id for item in read(path, piece_bytes)] == list(range(40))


def test_what_looks_like_the_end_of_a_record_is_read_all_the_same(tmp_path: Path) -> None:
    tricky = [{"id": 0}, {"id": 1, "note": "}, {"}, {"id": 2, "parts": [{"a": 1}, {"b": 2}]}, {"id": 3}]
    path = written(tmp_path / "f.json", json.dumps(tricky))
    for piece_bytes in range(1, 120):
        assert read(path, piece_bytes) == msgspec.convert(tricky, list[Item])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"id": 0}, {"id": 1}, {"id": "x"}]', r"f.json: item at index 2: id: Expected `int`, got `str`"),
        ('[{"id": 0}, {"note": "x"}]', r"item at index 1: .*missing required field `id` \[missing-field\]"),
        ('[{"id": 0}, {"id": 1}, 5]', r"item at index 2: Expected `object`, got `int`"),
        ('{"id": 0}', r"f.json: expected a list of item records"),
        ('[{"id": 0}, {"id": 1}', r"f.json: not valid JSON"),
        ('[{"id": 0}] {"id": 1}', r"not valid JSON"),
        ("", r"not valid JSON"),
        ('[{"id": 0}, {"id": NaN}]', r"\$\[1\].id: expected a finite number \[non-finite\]"),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 12, 1000])
def test_defects_name_file_and_record(text: str, message: str, piece_bytes: int, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(written(tmp_path / "f.json", text), piece_bytes)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none\.json"):
        read(tmp_path / "none.json", 4)


def test_text_without_the_end_of_a_record_is_searched_in_linear_time() -> None:
    """Braces in a text: four times as many take four times as long, not sixteen times."""

    def seconds(braces: int) -> float:
        cutter, text = Cutter(1 << 14), b'[{"a":"' + b"}" * braces
        begun = time.thread_time()  # which other work on the machine does not lengthen
        for at in range(0, len(text), 1 << 14):
            assert cutter.feed(text[at : at + (1 << 14)]) is None
        return time.thread_time() - begun

    size = 1 << 20
    few, many = zip(*((seconds(size), seconds(4 * size)) for _ in range(3)), strict=True)
    assert min(many) < 9 * min(few)


def test_deep_nesting_is_no_traceback(tmp_path: Path) -> None:
    path = written(tmp_path / "f.json", '[{"id": 1, "x": ' + "[" * 200_000 + "]" * 200_000 + "}]")
    with pytest.raises(DataError, match=r"nested too deeply \[json\]"):
        read(path, 1 << 23)
