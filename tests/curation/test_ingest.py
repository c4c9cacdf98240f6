"""Foreign pictures, and the folder that is made of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as PillowImage

from amidst.coco.dataset import CocoDataset
from amidst.coco.images import read_image
from amidst.curation.collection import Candidate, choose
from amidst.curation.fetching import fetch
from amidst.curation.ingest import IngestLimits, Studio
from amidst.errors import DataError, ImageError


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    with Studio(IngestLimits(max_bytes=2_000_000, max_pixels=1_000_000)) as opened:
        yield opened


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be enormous."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def oriented_jpeg(path: Path, photo: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # a quarter turn
    exif[0x010E] = "SECRET-PLACE"
    with PillowImage.open(photo) as picture:
        picture.save(path, exif=exif, comment=b"SECRET-PLACE")


def test_a_picture_comes_out_upright_and_without_metadata(
    studio: Studio, tmp_path: Path, photographs: SimpleNamespace
) -> None:
    source = sorted(photographs.folder.glob("*.jpg"))[0]
    oriented_jpeg(tmp_path / "a.jpg", source)
    assert b"SECRET-PLACE" in (tmp_path / "a.jpg").read_bytes()
    clean = studio.develop(tmp_path / "a.jpg")
    (tmp_path / "clean.jpg").write_bytes(clean.data)
    expected, actual = read_image(tmp_path / "a.jpg"), read_image(tmp_path / "clean.jpg")
    assert actual.shape == expected.shape == (clean.height, clean.width, 3)
    assert np.abs(actual.astype(int) - expected).mean() < 2
    assert b"SECRET-PLACE" not in clean.data
    with PillowImage.open(tmp_path / "clean.jpg") as picture:
        assert dict(picture.getexif()) == {}
        assert "comment" not in picture.info


def test_lossless_pictures_keep_every_pixel(studio: Studio, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    PillowImage.fromarray(pixels).save(tmp_path / "a.bmp")
    clean = studio.develop(tmp_path / "a.bmp")
    (tmp_path / "b.png").write_bytes(clean.data)
    assert clean.suffix == ".png"
    assert np.array_equal(read_image(tmp_path / "b.png"), pixels)


def test_bad_pictures_are_refused_and_the_next_is_fine(studio: Studio, tmp_path: Path) -> None:
    PillowImage.new("RGB", (40, 40), "red").save(tmp_path / "good.png")
    PillowImage.new("RGB", (40, 20), "red").save(tmp_path / "tiny.png")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "page.jpg").write_text("<html><script>alert(1)</script></html>")
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (tmp_path / "bomb.png").write_bytes(bomb(60_000, 60_000))
    (tmp_path / "large.png").write_bytes(bomb(2000, 600))
    (tmp_path / "cut.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    (tmp_path / "fat.jpg").write_bytes(bytes(2_000_001))
    for name, rule in {
        "tiny.png": "tiny-image",
        "empty.jpg": "empty-image",
        "page.jpg": "unreadable-image",
        "drawing.svg": "unreadable-image",
        "bomb.png": "huge-image",
        "large.png": "huge-image",
        "cut.png": "unreadable-image",
        "fat.jpg": "too-large",
        "absent.jpg": "missing-image",
    }.items():
        with pytest.raises(ImageError, match=rf"{name}.*\[{rule}\]"):
            studio.develop(tmp_path / name)
    assert studio.develop(tmp_path / "good.png").width == 40


def test_memory_and_time_have_limits(tmp_path: Path) -> None:
    """A picture that needs more than it may take is refused, not the whole run."""
    PillowImage.new("1", (9000, 9000)).save(tmp_path / "wide.png")
    PillowImage.new("RGB", (40, 40), "red").save(tmp_path / "good.png")
    limits = IngestLimits(max_pixels=100_000_000, memory_bytes=1_000_000_000)
    with Studio(limits) as small:
        with pytest.raises(ImageError, match=r"wide\.png: .*1,000,000,000 bytes.*\[limits\]"):
            small.develop(tmp_path / "wide.png")
        assert small.develop(tmp_path / "good.png").height == 40
    hasty = IngestLimits(max_pixels=100_000_000, seconds=0.0)  # a small picture may be there before one looks
    with Studio(hasty) as opened, pytest.raises(ImageError, match="not opened within 0 s"):
        opened.develop(tmp_path / "wide.png")


@pytest.fixture
def candidates(tmp_path: Path, photographs: SimpleNamespace) -> list[Candidate]:
    """Three good photographs, then a broken one, one with contradictory metadata, and a copy of the first."""
    photos = sorted(photographs.folder.glob("*.jpg"))[:3]
    (tmp_path / "broken.jpg").write_bytes(photos[0].read_bytes()[:3000])
    blank = Candidate("mine", "", "", "CC BY 4.0", "Ann Smith", "ann", taken_at="2014-05-01")
    found = [replace(blank, source_id=f"{i}", locator=str(path)) for i, path in enumerate(photos)]
    return [
        *found,
        replace(blank, source_id="3", locator=str(tmp_path / "broken.jpg"), photographer="bob"),
        replace(blank, source_id="4", locator=str(photos[0]), extra={"width": 1}, photographer="bob"),
        replace(blank, source_id="5", locator=str(photos[0]), photographer="cy"),
        replace(blank, source_id="6", locator=str(photos[1]), licence="CC BY-NC 4.0"),
    ]


def test_a_collection(candidates: list[Candidate], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    collected = fetch(choose(candidates), folder)
    assert collected.refused == {"licence": 1, "unreadable-image": 1, "image-size": 1, "duplicate": 1}
    dataset = CocoDataset.load(collected.file)
    assert [image.id for image in dataset.images] == [1, 2, 3]
    first = dataset.images[0]
    assert first.extra["photographer"] == "ann"
    assert first.extra["attribution"] == "Ann Smith"
    assert [dict(licence) for licence in dataset.licenses] == [{"id": 1, "name": "cc-by"}]
    for image in dataset.images:
        assert read_image(folder / "images" / image.file_name).shape == (image.height, image.width, 3)


def test_an_interrupted_collection_goes_on(candidates: list[Candidate], tmp_path: Path) -> None:
    whole = fetch(choose(candidates), tmp_path / "whole").dataset
    folder = tmp_path / "parts"
    fetch(choose(candidates[:2]), folder)
    with (folder / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"source": "mine", "sou')  # the power failed here
    steps: list[tuple[int, int]] = []
    resumed = fetch(choose(candidates), folder, report=lambda done, total: steps.append((done, total)))
    assert resumed.dataset.images == whole.images
    assert steps[0] == (0, 5)
    again = fetch(choose(candidates), folder, report=lambda done, total: steps.append((done, total)))
    assert again.dataset.images == whole.images
    assert steps[-1] == (0, 0)


def test_nothing_to_collect(tmp_path: Path) -> None:
    collected = fetch(choose([]), tmp_path / "none")
    assert CocoDataset.load(collected.file).images == ()


def test_a_damaged_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"source": "a", "source_id": "b"}\nhello\n')
    with pytest.raises(DataError, match=r"journal\.jsonl: line 2: not a line"):
        fetch(choose([]), tmp_path)
