"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from amidst.coco.files import check_writable, image_path, write_atomically, writing_atomically
from amidst.errors import ImageError, UsageError


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


def test_a_stream_becomes_the_file_when_its_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.bin"
    with writing_atomically(target) as stream:
        stream.write(b"one ")
        assert not target.exists()
        stream.write(b"two")
    assert target.read_bytes() == b"one two"

    def halfway() -> None:
        with writing_atomically(target) as stream:
            stream.write(b"other")
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        halfway()
    assert target.read_bytes() == b"one two"
    assert [path.name for path in target.parent.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("name", ["a.jpg", "train/a.jpg", "a..b.jpg"])
def test_an_image_lies_in_its_folder(tmp_path: Path, name: str) -> None:
    assert image_path(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("name", ["", "..", "../a.jpg", "a/../../b.jpg", "/etc/passwd"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match=r"leads out of the images folder \[outside-folder\]"):
        image_path(tmp_path, name)


def test_what_can_be_written_is_known_before_and_nothing_is_left(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b" / "new.json")
    assert not list(tmp_path.iterdir())
    (tmp_path / "old.json").write_bytes(b"old")
    check_writable(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_bytes() == b"old"
    for path, words in (
        (tmp_path, "a folder; name a file in it"),
        (tmp_path / "old.json" / "new.json", "cannot be written"),
        (Path("/proc/new.json"), r"cannot be written \(/proc: "),
    ):
        with pytest.raises(UsageError, match=words):
            check_writable(path)
