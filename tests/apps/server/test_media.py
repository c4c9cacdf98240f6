"""Pictures as served: pixels alone, from formats that are pixels alone, within limits."""

from __future__ import annotations

import hashlib
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from amidst.apps.server.media import ORIGINAL, VARIANTS, MediaStore, encoded
from amidst.errors import ImageError


def picture(width: int, height: int) -> PillowImage.Image:
    row = np.linspace(0, 255, width, dtype=np.uint8)
    return PillowImage.fromarray(np.broadcast_to(row[None, :, None], (height, width, 3)).copy())


def size_of(path: Path | None) -> tuple[int, int]:
    assert path is not None
    with PillowImage.open(path) as opened:
        assert opened.format == "JPEG"
        return opened.size


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "media")


def saved(tmp_path: Path, name: str, image: PillowImage.Image, exif: PillowImage.Exif | None = None) -> Path:
    path = tmp_path / name
    image.save(path, exif=exif) if exif is not None else image.save(path)
    return path


def test_three_variants_under_the_hash_of_the_file(store: MediaStore, tmp_path: Path) -> None:
    source = saved(tmp_path, "a.png", picture(1600, 800))
    stored = store.add(source)
    assert stored.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert stored.size_hw == (800, 1600)
    assert [size_of(store.find(stored.sha256, variant)) for variant in VARIANTS] == [
        (1600, 800),
        (1024, 512),
        (256, 128),
    ]


def test_a_small_picture_is_never_made_larger() -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    assert PillowImage.open(BytesIO(encoded(pixels, "256"))).size == (30, 20)


def test_the_same_file_again_is_not_decoded_again(store: MediaStore, tmp_path: Path) -> None:
    stored = store.add(saved(tmp_path, "a.png", picture(40, 20)))
    path = store.find(stored.sha256, ORIGINAL)
    assert path is not None
    before = path.stat().st_mtime_ns
    assert store.add(saved(tmp_path, "b.png", picture(40, 20))) == stored
    assert path.stat().st_mtime_ns == before


def test_orientation_is_applied_and_metadata_gone(store: MediaStore, tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[0x0112], exif[0x010E] = 6, "<script>alert(1)</script>"
    stored = store.add(saved(tmp_path, "a.jpg", picture(40, 20), exif))
    assert stored.size_hw == (40, 20)  # upright: turned
    for variant in VARIANTS:
        path = store.find(stored.sha256, variant)
        assert path is not None
        with PillowImage.open(path) as opened:
            assert not opened.getexif()
            assert set(opened.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert b"script" not in path.read_bytes()


def test_what_follows_a_picture_is_not_served(store: MediaStore, tmp_path: Path) -> None:
    source = saved(tmp_path, "a.jpg", picture(40, 20))
    source.write_bytes(source.read_bytes() + b"<html><script>alert(1)</script>")
    stored = store.add(source)
    assert all(b"script" not in (store.find(stored.sha256, v) or source).read_bytes() for v in VARIANTS)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    "content",
    [SVG, b"<?xml version='1.0'?>" + SVG, b"<!doctype html><p>", EPS, b"%PDF-1.4\n", b"", b"GIF89a"],
    ids=["svg", "xml", "html", "eps", "pdf", "empty", "cut"],
)
@pytest.mark.parametrize("name", ["a.jpg", "a.svg"])
def test_documents_are_refused_whatever_their_name(
    store: MediaStore, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError):
        store.add(tmp_path / name)
    assert not store.folder.exists()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize("side", [15_000, 65_000])
def test_a_picture_that_claims_too_many_pixels_is_refused(
    store: MediaStore, tmp_path: Path, side: int
) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(side, side))
    with pytest.raises(ImageError, match=r"huge-image"):
        store.add(tmp_path / "bomb.png")


def test_limits_of_bytes_and_pixels(store: MediaStore, tmp_path: Path) -> None:
    source = saved(tmp_path, "a.png", picture(40, 20))
    with pytest.raises(ImageError, match="huge-file"):
        store.add(source, max_bytes=10)
    with pytest.raises(ImageError, match="huge-image"):
        store.add(source, max_pixels=799)


@pytest.mark.parametrize(
    "sha256", ["", "..", "../../etc/passwd", "0" * 63, "0" * 65, "G" * 64, "0" * 63 + "\n"]
)
@pytest.mark.parametrize("variant", [ORIGINAL, "..", "../secrets", ""])
def test_no_name_leads_out_of_the_store(store: MediaStore, sha256: str, variant: str) -> None:
    assert store.find(sha256, variant) is None
