"""Fingerprints of files: the cache, broken files, processes."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as PillowImage

from amidst.curation import fingerprints
from amidst.curation.fingerprints import fingerprint_files
from amidst.errors import FindingError


@pytest.fixture
def folder(tmp_path: Path, photographs: SimpleNamespace) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for source in sorted(photographs.folder.glob("*.jpg"))[:4]:
        shutil.copy(source, images)
    return images


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_no_files(tmp_path: Path) -> None:
    prints = fingerprint_files(tmp_path, [], cache=tmp_path / "cache")
    assert len(prints) == 0
    assert prints.thumbnails(slice(None)).shape == (0, 32, 32, 3)


def test_an_interrupted_run_goes_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    direct = fingerprint_files(folder, names(folder))
    fingerprint_files(folder, names(folder)[:3], cache=cache)
    with cache.open("r+b") as stream:  # the third record was being written when the power failed
        stream.truncate(cache.stat().st_size - 100)
    read: list[str] = []
    original = fingerprints.read_image

    def counting(path: Path, **options: int) -> np.ndarray:
        read.append(Path(path).name)
        return original(path, **options)

    monkeypatch.setattr(fingerprints, "read_image", counting)
    progress: list[tuple[int, int]] = []
    resumed = fingerprint_files(
        folder, names(folder), cache=cache, report=lambda done, total: progress.append((done, total))
    )
    assert read == names(folder)[2:]
    assert progress == [(2, 4), (4, 4)]
    assert np.array_equal(resumed.pixel_digests, direct.pixel_digests)
    assert np.array_equal(resumed.thumbnails(slice(None)), direct.thumbnails(slice(None)))
    assert np.array_equal(resumed.sizes_hw, direct.sizes_hw)


def test_a_changed_file_is_read_again(folder: Path, tmp_path: Path) -> None:
    cache, name = tmp_path / "cache", names(folder)[0]
    before = fingerprint_files(folder, [name], cache=cache)
    PillowImage.new("RGB", (50, 40), "red").save(folder / name)
    after = fingerprint_files(folder, [name], cache=cache)
    assert not np.array_equal(before.byte_digests, after.byte_digests)
    assert after.sizes_hw.tolist() == [[40, 50]]


def test_a_record_with_a_wrong_checksum_is_ignored(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    direct = fingerprint_files(folder, names(folder), cache=cache)
    data = bytearray(cache.read_bytes())
    data[16 + 20] ^= 1
    cache.write_bytes(data)
    again = fingerprint_files(folder, names(folder), cache=cache)
    assert np.array_equal(direct.byte_digests, again.byte_digests)


def test_a_file_that_is_no_cache_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "thesis.pdf"
    other.write_bytes(b"%PDF-1.7 not to be overwritten")
    with pytest.raises(FindingError, match=r"thesis\.pdf: not a fingerprint cache"):
        fingerprint_files(folder, names(folder), cache=other)
    assert other.read_bytes().startswith(b"%PDF")


def test_broken_files_are_listed_and_the_rest_is_done(folder: Path) -> None:
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("this is not a picture")
    cut = folder / "cut.jpg"
    cut.write_bytes((folder / names(folder)[0]).read_bytes()[:5000])
    prints = fingerprint_files(folder, [*names(folder), "absent.jpg", "../cache.jpg"])
    assert len(prints) == 4
    found = {(Path(str(e.file)).name, e.rule) for e in prints.broken}
    assert found == {
        ("empty.jpg", "empty-image"),
        ("text.png", "unreadable-image"),
        ("cut.jpg", "unreadable-image"),
        ("absent.jpg", "missing-image"),
        ("images", "outside-folder"),
    }


def test_two_processes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "_BATCH", 2)
    one = fingerprint_files(folder, names(folder))
    two = fingerprint_files(folder, names(folder), processes=2)
    assert one.names == two.names
    assert np.array_equal(one.pixel_digests, two.pixel_digests)


def test_equal_pixels_of_another_format(folder: Path) -> None:
    photo = PillowImage.open(folder / names(folder)[0])
    photo.save(folder / "a.png")
    photo.save(folder / "b.bmp")
    prints = fingerprint_files(folder, ["a.png", "b.bmp"])
    assert np.array_equal(prints.pixel_digests[0], prints.pixel_digests[1])
    assert not np.array_equal(prints.byte_digests[0], prints.byte_digests[1])
