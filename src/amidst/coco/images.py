"""Photographs as arrays: any file a camera, a browser or an editor writes becomes uint8 RGB (H, W, 3).

What users expect, decided here once:

- The EXIF orientation is applied: the array is the picture as a viewer shows it.
- A palette becomes its colours; transparency is laid over white, the colour of the page behind it.
- Grey becomes three equal channels. 16-bit, 32-bit and float grey is scaled by range: 16-bit by 1/257,
wider integers
  and floats from their minimum..maximum to 0..255 (floats within 0..1 by 255).
- CMYK, with Adobe's inverted values too, is converted by the plain formula, without colour profiles.
- Of several frames the first counts.

Anything that cannot be read completely raises ImageError naming the file and what is wrong with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import simplejpeg  # type: ignore[import-untyped]
from PIL import Image as PillowImage
from PIL import UnidentifiedImageError

from amidst.errors import ImageError

Pixels = npt.NDArray[np.uint8]

PIXEL_LIMIT = 178_000_000
"""Larger pictures are refused: a small file can claim a size that fills the memory (decompression bomb).
Just below the bound at which Pillow refuses by itself; Pillow warns from half of it."""

_ORIENTATION = 0x0112
_SWAPS_SIDES = (5, 6, 7, 8)
PILLOW_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    ArithmeticError,
    MemoryError,
    struct.error,
)
"""What Pillow raises on damaged files."""


def read_image(
    path: str | Path, expect_hw: tuple[int, int] | None = None, *, pixel_limit: int = PIXEL_LIMIT
) -> Pixels:
    """The picture as uint8 RGB (H, W, 3), C-contiguous and writable.

    expect_hw: (height, width) of its record. If only the pixels before EXIF orientation have this size,
    they are
        returned unturned, for the record's boxes were drawn on them; if neither has it, ImageError is
        raised.
    pixel_limit: refuse pictures of more pixels.
    """
    file = Path(path)
    data = _read_bytes(file)
    with _open(BytesIO(data), file) as picture:
        if picture.width * picture.height > pixel_limit:
            raise ImageError(
                f"{picture.width}x{picture.height} pixels are more than the {pixel_limit:,} allowed",
                file=file,
                rule="huge-image",
            )
        orientation = _orientation(picture)
        turned = _keeps_turn(picture.size, orientation, expect_hw, file)
        pixels = _fast_jpeg(picture, data)
        if pixels is None:
            pixels = _decode(picture)
    return np.ascontiguousarray(_oriented(pixels, orientation) if turned else pixels)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first bytes of an image file say. size_hw: as `read_image` gives it; stored_hw: unturned."""

    format: str
    size_hw: tuple[int, int]
    stored_hw: tuple[int, int]


def read_header(path: str | Path) -> Header:
    """Format and sizes without decoding. Raises ImageError."""
    file = Path(path)
    try:
        stream = file.open("rb")
    except OSError as error:
        raise _unreadable(file, error) from None
    with stream, _open(stream, file) as picture:
        width, height = picture.size
        turned = _orientation(picture) in _SWAPS_SIDES
        return Header(picture.format or "", (width, height) if turned else (height, width), (height, width))


def image_size(path: str | Path) -> tuple[int, int]:
    """(height, width) as `read_image` would give it, from the header alone. Raises ImageError."""
    return read_header(path).size_hw


def _read_bytes(file: Path) -> bytes:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from None
    if not data:
        raise ImageError("the file is empty", file=file, rule="empty-image")
    return data


def _unreadable(file: Path, error: OSError) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError("there is no such file", file=file, rule="missing-image")
    return ImageError(f"cannot be read: {error.strerror or error}", file=file, rule="unreadable-image")


@contextmanager
def _open(source: IO[bytes], file: Path) -> Iterator[PillowImage.Image]:
    """The picture with its header parsed; whatever Pillow raises inside becomes an ImageError."""
    try:
        with PillowImage.open(source) as picture:
            yield picture
    except (PillowImage.DecompressionBombError, PillowImage.DecompressionBombWarning) as error:
        raise ImageError(str(error), file=file, rule="huge-image") from None
    except UnidentifiedImageError:
        raise ImageError("not an image of a known format", file=file, rule="unreadable-image") from None
    except PILLOW_ERRORS as error:
        raise ImageError(f"damaged: {error}", file=file, rule="unreadable-image") from None


def _orientation(picture: PillowImage.Image) -> int:
    """EXIF orientation 1..8; 1 where there is none or Pillow has applied it (TIFF)."""
    if picture.format == "TIFF" or (picture.format == "PNG" and "exif" not in picture.info):
        return 1  # asking a PNG without the header chunk would decode all of it
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF, which Pillow reports in many ways, does not damage the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _keeps_turn(
    size_wh: tuple[int, int], orientation: int, expect_hw: tuple[int, int] | None, file: Path
) -> bool:
    """Whether the orientation applies. Raises ImageError if the picture is of another size than expected."""
    stored = (size_wh[1], size_wh[0])
    shown = size_wh if orientation in _SWAPS_SIDES else stored
    if expect_hw is None or tuple(expect_hw) == shown:
        return True
    if tuple(expect_hw) == stored:
        return False
    raise ImageError(
        f"the image is {shown[1]}x{shown[0]} pixels, its record says {expect_hw[1]}x{expect_hw[0]}",
        file=file,
        rule="image-size",
    )


def _fast_jpeg(picture: PillowImage.Image, data: bytes) -> Pixels | None:
    """A plain JPEG by the faster decoder; None for what it does not take or finds fault with."""
    if picture.format not in ("JPEG", "MPO") or picture.mode not in ("RGB", "L"):
        return None
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError:
        return None  # Pillow reads some files this one refuses, and its message is clearer for the rest
    return pixels


def _decode(picture: PillowImage.Image) -> Pixels:
    """Any other picture through Pillow, (H, W, 3)."""
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return np.repeat(_grey_by_range(np.asarray(picture))[:, :, None], 3, axis=2)
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        page = PillowImage.new("RGBA", layer.size, "white")
        return np.array(PillowImage.alpha_composite(page, layer).convert("RGB"))
    return np.array(picture.convert("RGB"))


def _grey_by_range(grey: npt.NDArray[Any]) -> Pixels:
    """Grey of more than 8 bits, (H, W), to uint8."""
    if grey.dtype.itemsize == 2:
        return np.round(grey.astype(np.uint16) / np.float32(257)).astype(np.uint8)
    values = np.nan_to_num(grey.astype(np.float64), nan=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1 and grey.dtype.kind == "f":
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 65535 and grey.dtype.kind == "i":
        low, high = 0.0, 65535.0  # 16-bit values in a wider container
    return np.round((values - low) * (255.0 / (high - low))).astype(np.uint8)


def _oriented(pixels: Pixels, orientation: int) -> Pixels:
    """The picture as shown: transposed from 5 on, then mirrored."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
