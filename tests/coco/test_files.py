"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from amidst.coco.files import write_atomically


@pytest.mark.parametrize("data", [b"", b"new"])
def test_written(data: bytes, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder" / "a.bin"
    write_atomically(target, data)
    write_atomically(str(target), data)
    assert target.read_bytes() == data
    assert [p.name for p in target.parent.iterdir()] == ["a.bin"]


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.bin"
    write_atomically(target, b"old")

    def fail(self: Path, target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
