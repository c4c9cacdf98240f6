"""`amidst dataset show`: what it refuses before it serves, and the splits it makes."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli.dataset_show import make_splits
from amidst.errors import DataError


def test_files_become_splits_with_their_detections(data: Any, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    file.write_text(json.dumps([{"image_id": 10, "category_id": 3, "score": 1, "bbox": [0, 0, 1, 1]}]))
    train, val = make_splits([data.train, data.val], file)
    assert (train.name, val.name) == ("train", "val")
    assert train.results is not None
    assert val.results is not None
    assert (len(train.results), len(val.results)) == (0, 1)
    assert make_splits([data.val], None)[0].results is None
    with pytest.raises(DataError, match="image 10 is in none"):
        make_splits([data.train], file)


def test_a_missing_folder_is_named(amidst: Any, data: Any) -> None:
    typed = amidst("dataset", "show", data.val, "--images", "nowhere", "--no-browser")
    assert typed.code == 2
    assert "nowhere" in typed.err


def test_a_taken_port_is_named(amidst: Any, data: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        typed = amidst("dataset", "show", data.val, "--images", data.images, "--no-browser", "--port", port)
    assert typed.code == 2
    assert str(port) in typed.err
