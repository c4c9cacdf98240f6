"""amidst.apps.cli.crowd_records: origins of photographs, of a file that is never held."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli.crowd_records import read_origins
from amidst.errors import DataError, UsageError

NOTHING = {"licence": "", "photographer": "", "taken_on": "", "source": ""}


def write(path: Path, **content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_what_is_told_and_what_is_not(tmp_path: Path) -> None:
    told = {"photographer": "Jürgen", "date_captured": "2014-05-01", "source": "flickr", "height": 4.5}
    file = write(
        tmp_path / "c.json",
        images=[{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b/ü.jpg", "license": 4, **told}],
        annotations=[{"id": 1, "segmentation": [[1, 2, 3]]}],
        licenses=[{"id": 4, "name": "cc-by"}, {"name": "of no number"}],
    )
    assert read_origins(file) == {
        "a.jpg": NOTHING,
        "b/ü.jpg": {
            "licence": "cc-by",
            "photographer": "Jürgen",
            "taken_on": "2014-05-01",
            "source": "flickr",
        },
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"images": [1, }', "not JSON"),
        ("[]", "images"),
        ('{"images": []}', "images"),
        ('{"images": [7]}', r"images\[0\].*object"),
        ('{"images": [{"file_name": "a"}, {"id": 1}]}', r"images\[1\].*file_name"),
        ('{"images": [{"file_name": "a", "photographer": 3}]}', r"images\[0\].*photographer"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read_origins(tmp_path / "c.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*nowhere\.json"):
        read_origins(tmp_path / "nowhere.json")


def test_annotations_are_never_held(tmp_path: Path) -> None:
    outline = [float(value) for value in range(200)]
    annotations = [{"id": n, "image_id": 1, "segmentation": [outline]} for n in range(20_000)]
    file = write(tmp_path / "c.json", annotations=annotations, images=[{"id": 1, "file_name": "a.jpg"}])
    del annotations
    assert file.stat().st_size > 20_000_000
    tracemalloc.start()
    read_origins(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4_000_000
