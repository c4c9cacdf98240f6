"""Image files of every kind become RGB, or an error that names them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from amidst.coco import image_size, read_image
from amidst.coco.images import read_header
from amidst.errors import ImageError

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (21, 37, 3), dtype=np.uint8)


def save(path: Path, picture: Image.Image, **options: Any) -> Path:
    picture.save(path, **options)
    return path


def smooth(height: int = 48, width: int = 64) -> np.ndarray:
    """A picture that JPEG keeps nearly as it is."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], 2).astype(
        np.uint8
    )


class TestModes:
    @pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "ppm"])
    def test_lossless(self, suffix: str, tmp_path: Path) -> None:
        options = {"lossless": True} if suffix == "webp" else {}
        path = save(tmp_path / f"a.{suffix}", Image.fromarray(NOISE), **options)
        pixels = read_image(path)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable
        np.testing.assert_array_equal(pixels, NOISE)

    def test_jpeg_as_pillow_decodes_it(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.jpg", Image.fromarray(smooth()), quality=90)
        np.testing.assert_allclose(read_image(path), np.asarray(Image.open(path)), atol=2)

    def test_grey_jpeg(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.jpg", Image.fromarray(smooth()[..., 0]), quality=95)
        pixels = read_image(path)
        assert pixels.shape == (48, 64, 3)
        assert (pixels[..., 0] == pixels[..., 2]).all()

    @pytest.mark.parametrize("suffix", ["jpg", "tif"])
    def test_cmyk(self, suffix: str, tmp_path: Path) -> None:
        """JPEG stores CMYK inverted, as Adobe does."""
        picture = Image.fromarray(smooth()).convert("CMYK")
        path = save(tmp_path / f"a.{suffix}", picture, **({"quality": 95} if suffix == "jpg" else {}))
        with Image.open(path) as stored:
            assert stored.mode == "CMYK"
        np.testing.assert_allclose(read_image(path).astype(int), smooth(), atol=6)

    def test_palette(self, tmp_path: Path) -> None:
        picture = Image.fromarray(smooth()).quantize(16)
        path = save(tmp_path / "a.png", picture)
        np.testing.assert_array_equal(read_image(path), np.asarray(picture.convert("RGB")))

    def test_one_bit(self, tmp_path: Path) -> None:
        bits = NOISE[..., 0] > 128
        path = save(tmp_path / "a.png", Image.fromarray(bits))
        np.testing.assert_array_equal(read_image(path)[..., 1], bits * 255)

    @pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
    def test_transparency_lies_over_white(self, mode: str, tmp_path: Path) -> None:
        picture = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
        picture.putpixel((1, 0), (0, 0, 0, 255))
        converted = picture.quantize(2) if mode == "P" else picture.convert(mode)
        pixels = read_image(save(tmp_path / "a.png", converted))
        assert pixels.tolist() == [[[255, 255, 255], [0, 0, 0]]]

    def test_sixteen_bits_are_scaled(self, tmp_path: Path) -> None:
        values = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
        path = save(tmp_path / "a.png", Image.fromarray(values))
        assert read_image(path)[0, :, 0].tolist() == [0, 1, 128, 255]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
            (np.array([[0.0, 100.0, 200.0]], np.float32), [0, 100, 200]),
            (np.array([[-5.0, 0.0, 5.0]], np.float32), [0, 128, 255]),
            (np.array([[7.0, np.nan, 0.0]], np.float32), [7, 0, 0]),
            (np.array([[0, 1000, 65535]], np.int32), [0, 4, 255]),
            (np.array([[0, 100000, 200000]], np.int32), [0, 128, 255]),
        ],
    )
    def test_wide_grey(self, values: np.ndarray, expected: list[int], tmp_path: Path) -> None:
        path = save(tmp_path / "a.tif", Image.fromarray(values))
        assert read_image(path)[0, :, 2].tolist() == expected

    @pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
    def test_first_of_several_frames(self, suffix: str, tmp_path: Path) -> None:
        frames = [Image.new("RGB", (5, 4), color) for color in ("white", "black")]
        path = save(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:])
        assert (read_image(path) == 255).all()


class TestOrientation:
    @pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_applied(self, suffix: str, orientation: int, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(suffix, {})
        path = save(tmp_path / f"a.{suffix}", Image.fromarray(smooth()), exif=exif, **options)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        pixels = read_image(path)
        assert pixels.shape == expected.shape
        assert image_size(path) == pixels.shape[:2] == ((64, 48) if orientation > 4 else (48, 64))
        np.testing.assert_allclose(pixels.astype(int), expected, atol=2)

    @pytest.fixture
    def turned(self, tmp_path: Path) -> Path:
        exif = Image.Exif()
        exif[0x0112] = 6
        return save(tmp_path / "a.png", Image.fromarray(NOISE), exif=exif)

    def test_expected_size_decides(self, turned: Path) -> None:
        """Boxes drawn on the picture as stored need the picture as stored."""
        assert read_image(turned).shape == read_image(turned, (37, 21)).shape == (37, 21, 3)
        np.testing.assert_array_equal(read_image(turned, (21, 37)), NOISE)
        assert read_header(turned).stored_hw == (21, 37)

    def test_neither_size(self, turned: Path) -> None:
        with pytest.raises(ImageError, match=r"21x37.*30x40") as caught:
            read_image(turned, (40, 30))
        assert caught.value.rule == "image-size"

    @pytest.mark.parametrize("value", [0, 9, 77])
    def test_meaningless_value(self, value: int, tmp_path: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = value
        path = save(tmp_path / "a.png", Image.fromarray(NOISE), exif=exif)
        np.testing.assert_array_equal(read_image(path), NOISE)


def png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "data", "rule"),
        [
            ("empty.jpg", b"", "empty-image"),
            ("text.jpg", b"not an image", "unreadable-image"),
            ("page.png", b"<html></html>", "unreadable-image"),
            ("start.jpg", b"\xff\xd8\xff\xe0", "unreadable-image"),
            ("hollow.png", png(4, 4), "unreadable-image"),
            ("bomb.png", png(60_000, 60_000), "huge-image"),
        ],
    )
    def test_bad_file(self, name: str, data: bytes, rule: str, tmp_path: Path) -> None:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ImageError, match=name) as caught:
            read_image(path)
        assert caught.value.rule == rule
        assert caught.value.file == path

    @pytest.mark.parametrize("read", [read_image, image_size])
    def test_missing(self, read: Any, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="no such file") as caught:
            read(tmp_path / "none.jpg")
        assert caught.value.rule == "missing-image"
        with pytest.raises(ImageError):
            read(tmp_path)

    @pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "webp", "bmp", "tif"])
    @pytest.mark.parametrize("kept", [0.5, 0.9])
    def test_cut_off(self, suffix: str, kept: float, tmp_path: Path) -> None:
        path = save(
            tmp_path / f"a.{suffix}", Image.fromarray(RNG.integers(0, 256, (99, 99, 3), dtype=np.uint8))
        )
        path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
        with pytest.raises(ImageError, match=f"a.{suffix}"):
            read_image(path)

    def test_pixel_limit(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", Image.fromarray(NOISE))
        assert read_image(path, pixel_limit=21 * 37).shape == (21, 37, 3)
        with pytest.raises(ImageError, match="37x21") as caught:
            read_image(path, pixel_limit=21 * 37 - 1)
        assert caught.value.rule == "huge-image"

    def test_large_but_allowed_warns_of_nothing(self, tmp_path: Path) -> None:
        assert image_size(save(tmp_path / "a.png", Image.new("1", (9000, 9000)))) == (9000, 9000)


def test_real_photographs(shared_data: Path) -> None:
    for path in sorted((shared_data / "coco_mini/images/val2017").glob("*.jpg"))[:12]:
        pixels = read_image(path)
        assert pixels.shape[:2] == image_size(path)
        expected = np.asarray(Image.open(path).convert("RGB"))
        assert np.abs(pixels.astype(int) - expected).max() <= 2, path
