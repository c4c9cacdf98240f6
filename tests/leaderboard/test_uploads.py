"""amidst.leaderboard.uploads: an upload goes on after its process has died."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from amidst.errors import DataError
from amidst.leaderboard.checking import PublicCategory, PublicImage, PublicList, Rules
from amidst.leaderboard.config import BenchmarkConfig, UploadLimits
from amidst.leaderboard.uploads import Uploads, size_of

RULES = Rules.of(PublicList((PublicImage(1, 9, 9, "a.jpg"),), (PublicCategory(1, "c"),)), BenchmarkConfig())
RECORD = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}


def test_nothing_has_come(tmp_path: Path) -> None:
    assert size_of(tmp_path / "1") == 0
    (tmp_path / "1").touch()
    with pytest.raises(DataError, match=r"r\.json: the file is empty"):
        Uploads(RULES).finish(1, "r.json", tmp_path / "1")


def test_it_goes_on_in_another_process(tmp_path: Path) -> None:
    """Which only has the file; also one piece that was written and not checked before the end."""
    data, path = json.dumps([RECORD] * 300).encode(), tmp_path / "1"
    first = Uploads(RULES)
    for at in range(0, 3000, 500):
        first.append(1, "r.json", path, data[at : at + 500])
    with path.open("ab") as file:
        file.write(data[3000:4000])
    second = Uploads(RULES)
    second.append(1, "r.json", path, data[size_of(path) :])
    assert second.finish(1, "r.json", path) == (hashlib.sha256(data).hexdigest(), 300)
    assert Uploads(RULES).finish(1, "r.json", path) == (hashlib.sha256(data).hexdigest(), 300)


def test_what_was_wrong_before_is_wrong_again(tmp_path: Path) -> None:
    path, uploads = tmp_path / "1", Uploads(RULES)
    data = json.dumps([{**RECORD, "image_id": 2}]).encode()
    uploads.append(1, "r.json", path, data)
    for _ in range(2):
        with pytest.raises(DataError, match="index 0: image 2"):
            uploads.finish(1, "r.json", path)


def test_other_limits_hold_for_what_begins_to_come_then(tmp_path: Path) -> None:
    data, uploads = json.dumps([RECORD] * 9).encode(), Uploads(RULES)
    uploads.append(1, "r.json", tmp_path / "1", data[:50])
    uploads.set_limits(UploadLimits(max_per_image=8))
    uploads.append(1, "r.json", tmp_path / "1", data[50:])
    assert uploads.finish(1, "r.json", tmp_path / "1")[1] == 9
    uploads.append(2, "r.json", tmp_path / "2", data)
    with pytest.raises(DataError, match="more than 8"):
        uploads.finish(2, "r.json", tmp_path / "2")
