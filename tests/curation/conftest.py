"""Pictures for the tests of curation: real ones from the bundled sample, and known variants of them."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image as PillowImage
from PIL import ImageEnhance

import amidst

SAMPLE = Path(amidst.__file__).parent / "data" / "sample" / "images"


def sample(count: int) -> list[PillowImage.Image]:
    """The first photographs of the bundled sample, RGB."""
    return [PillowImage.open(path).convert("RGB") for path in sorted(SAMPLE.glob("*.jpg"))[:count]]


def resized(picture: PillowImage.Image, factor: float) -> PillowImage.Image:
    width, height = picture.size
    return picture.resize((round(width * factor), round(height * factor)), PillowImage.Resampling.LANCZOS)


def compressed(picture: PillowImage.Image, quality: int) -> PillowImage.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return PillowImage.open(buffer).convert("RGB")


def brightened(picture: PillowImage.Image, factor: float) -> PillowImage.Image:
    return ImageEnhance.Brightness(picture).enhance(factor)


def cropped(picture: PillowImage.Image, keep: float, across: float, down: float) -> PillowImage.Image:
    """`keep` of each side; `across` and `down` place the crop, 0 left or top, 1 right or bottom."""
    width, height = (round(side * keep) for side in picture.size)
    left, top = round(across * (picture.width - width)), round(down * (picture.height - height))
    return picture.crop((left, top, left + width, top + height))


@pytest.fixture(scope="session")
def photographs() -> SimpleNamespace:
    """The bundled photographs' folder, and the functions above."""
    return SimpleNamespace(
        folder=SAMPLE,
        sample=sample,
        resized=resized,
        compressed=compressed,
        brightened=brightened,
        cropped=cropped,
    )
