"""Pictures as they are served: content-addressed, re-encoded, stripped of everything but their pixels.

    media/<first two digits>/<sha256 of the file that came in>/<variant>.jpg

Variants are `original-upright` (all pixels, EXIF orientation applied), `1024` and `256` (longer side at most
that). A picture is decoded once, within limits of bytes and pixels and only from formats that are pixels and
nothing else; what is served is written from those pixels, so no metadata, script or trailing file survives.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image as PillowImage

from amidst.coco.files import write_atomically
from amidst.coco.images import Pixels, read_header, read_image
from amidst.errors import ImageError

ORIGINAL = "original-upright"
SIDES = {"1024": 1024, "256": 256}
VARIANTS = (ORIGINAL, *SIDES)
FORMATS = {"JPEG", "MPO", "PNG", "WEBP", "BMP", "TIFF", "GIF"}
"""Formats that are decoded. Not EPS, PDF, WMF and SVG: they are programs or documents, not pixels."""
QUALITY_ORIGINAL, QUALITY_SMALL = 95, 88
MAX_BYTES = 200 * 1024 * 1024
MAX_PIXELS = 100_000_000
MEDIA_TYPE = "image/jpeg"

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Stored:
    """A picture in the store. sha256: of the file that came in; size_hw: upright, in pixels."""

    sha256: str
    size_hw: tuple[int, int]
    bytes: int


@dataclass(frozen=True)
class MediaStore:
    """A local folder of pictures."""

    folder: Path

    def find(self, sha256: str, variant: str) -> Path | None:
        """The file of a variant, or None where there is none; no name leads out of the folder."""
        if variant not in VARIANTS or not _SHA256.fullmatch(sha256):
            return None
        path = self._path(sha256, variant)
        return path if path.is_file() else None

    def add(self, source: Path, *, max_pixels: int = MAX_PIXELS, max_bytes: int = MAX_BYTES) -> Stored:
        """Take a picture in; again the same bytes cost a hash and nothing else.

        Raises ImageError (rules image-format, huge-file, huge-image, unreadable-image).
        """
        try:
            size = source.stat().st_size
        except OSError as error:
            raise ImageError(
                f"cannot be read: {error.strerror}", file=source, rule="unreadable-image"
            ) from None
        if size > max_bytes:
            raise ImageError(f"{size:,} bytes; at most {max_bytes:,}", file=source, rule="huge-file")
        header = read_header(source)
        if header.format not in FORMATS:
            raise ImageError(
                f"{header.format} is not taken; give JPEG, PNG, WebP, BMP, TIFF or GIF",
                file=source,
                rule="image-format",
            )
        with source.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        if any(self.find(sha256, variant) is None for variant in VARIANTS):
            pixels = read_image(source, pixel_limit=max_pixels)
            for variant in VARIANTS:
                write_atomically(self._path(sha256, variant), encoded(pixels, variant))
            return Stored(sha256, (pixels.shape[0], pixels.shape[1]), size)
        return Stored(sha256, header.size_hw, size)

    def _path(self, sha256: str, variant: str) -> Path:
        return self.folder / sha256[:2] / sha256 / f"{variant}.jpg"


def encoded(pixels: Pixels, variant: str) -> bytes:
    """JPEG of the pixels (H, W, 3), made smaller where the variant asks for it, never larger."""
    picture = PillowImage.fromarray(pixels)
    small = variant in SIDES
    if small:
        side = SIDES[variant]
        picture.thumbnail((side, side), PillowImage.Resampling.LANCZOS, reducing_gap=3.0)
    stream = BytesIO()
    quality = QUALITY_SMALL if small else QUALITY_ORIGINAL
    picture.save(stream, "JPEG", quality=quality, subsampling=2 if small else 0)
    return stream.getvalue()
