"""Archives that somebody else made."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from amidst.curation.archives import ArchiveLimits, unpack
from amidst.errors import DataError, UsageError


def archive(path: Path, entries: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as pack:
        for name, data in entries.items():
            pack.writestr(name, data)
    return path


def test_an_empty_archive(tmp_path: Path) -> None:
    assert unpack(archive(tmp_path / "a.zip", {}), tmp_path / "out") == ()
    assert (tmp_path / "out").is_dir()


def test_a_good_archive(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.zip", {"b/ü.txt": b"1", "a.txt": b"2", "dir/": b""})
    files = unpack(source, tmp_path / "out")
    assert [f.relative_to(tmp_path / "out").as_posix() for f in files] == ["b/ü.txt", "a.txt"]
    assert files[0].read_bytes() == b"1"


@pytest.mark.parametrize(
    "name", ["../a", "/etc/a", "b/../../a", "C:/a", "a\\b", "con\x01", "~/a", "x" * 201, 'a"b', "*"]
)
def test_paths_that_are_refused(name: str, tmp_path: Path) -> None:
    source = tmp_path / "a.zip"
    with zipfile.ZipFile(source, "w") as pack:
        pack.writestr("good.txt", b"1")
        entry = zipfile.ZipInfo("placeholder")
        entry.filename = name
        pack.writestr(entry, b"evil")
    with pytest.raises(DataError, match=r"a\.zip: entry .*\[archive-path\]"):
        unpack(source, tmp_path / "out" / "in")
    assert not (tmp_path / "out" / "in").exists()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [source]


def test_links_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        pack.writestr(entry, "/etc/passwd")
    with pytest.raises(DataError, match="is a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["a.txt", "A.TXT"])
def test_a_name_that_stands_twice(other: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        pack.writestr("a.txt", "1")
        pack.writestr(other, "2")
    with pytest.raises(DataError, match="the same name stands twice"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_bombs(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "bomb.zip", {"zeros.jpg": bytes(5_000_000)})
    assert bomb.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"entry 'zeros\.jpg': .*zip bomb does \[zip-bomb\]"):
        unpack(bomb, tmp_path / "out")
    with pytest.raises(DataError, match=r"more than 1,000 bytes in all \[archive-size\]"):
        unpack(bomb, tmp_path / "out", ArchiveLimits(bytes=1000))
    many = archive(tmp_path / "many.zip", {f"{i}": b"" for i in range(11)})
    with pytest.raises(DataError, match="11 entries, 10 are allowed"):
        unpack(many, tmp_path / "out", ArchiveLimits(files=10))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bomb.zip", "many.zip"]


def test_files_that_are_no_archives(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(DataError, match="not a sound ZIP"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    with pytest.raises(UsageError, match="there is no file"):
        unpack(tmp_path / "absent.zip", tmp_path / "out")
    with pytest.raises(UsageError, match="exists already"):
        unpack(tmp_path / "a.zip", tmp_path)


def test_a_damaged_entry_leaves_nothing(tmp_path: Path) -> None:
    source = archive(tmp_path / "a.zip", {"a": b"hello " * 100, "b": b"1"})
    data = bytearray(source.read_bytes())
    data[35] ^= 255
    source.write_bytes(data)
    with pytest.raises(DataError, match="not a sound ZIP"):
        unpack(source, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
