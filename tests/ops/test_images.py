"""Sizes, resizing and batches."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from amidst.ops.images import ImageBatch, make_batch, resize, resized_hw


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


def test_no_images_are_a_batch_of_none() -> None:
    batch = make_batch([], order="rgb", scale=1.0, mean=(0, 0, 0), std=(1, 1, 1), divisor=32)
    assert batch.pixels.shape[:2] == (0, 3)
    assert batch.sizes_hw == ()


@pytest.mark.parametrize(
    ("size", "short", "long", "expected"),
    [
        ((480, 640), 800, 1333, (800, 1067)),
        ((640, 480), 800, 1333, (1067, 800)),
        ((480, 640), 600, 1000, (600, 800)),
        ((400, 900), 800, 1333, (592, 1333)),  # 800 would make 1800
        ((600, 1000), 800, 1333, (800, 1333)),  # 1333.3 rounds to the cap: the short side rules
        ((800, 1333), 800, 1333, (800, 1333)),
        ((1, 5000), 800, 1333, (1, 1333)),  # never smaller than a pixel
        ((100, 100), 50, 1000, (50, 50)),
    ],
)
def test_size_rule(size: tuple[int, int], short: int, long: int, expected: tuple[int, int]) -> None:
    assert resized_hw(size, short, long) == expected


def test_size_rule_of_torchvision() -> None:
    """Sides rounded down; a product that falls short of the short side by rounding loses a pixel."""
    assert resized_hw((480, 640), 800, 1333, "down") == (800, 1066)
    assert resized_hw((375, 500), 800, 1333, "down") == (800, 1066)
    assert resized_hw((400, 900), 800, 1333, "down") == (592, 1333)
    short = [h for h in range(1, 2000) if resized_hw((h, h), 800, 1333, "down")[0] == 799]
    assert short == [h for h in range(1, 2000) if int(h * (800 / h)) == 799]


@pytest.mark.parametrize("resample", ["bilinear", "bilinear_unrounded"])
def test_two_neighbours_a_side(resample: Literal["bilinear", "bilinear_unrounded"]) -> None:
    """Shrinking fourfold takes the two middle pixels of four; enlarging is as with the filter."""
    image = torch.tensor([[0, 10, 21, 200]], dtype=torch.uint8).expand(3, 4, 4).contiguous()
    found = resize(image, (1, 1), resample)
    assert found.flatten().tolist() == ([16] * 3 if resample == "bilinear" else [15.5] * 3)
    assert found.dtype == (torch.uint8 if resample == "bilinear" else torch.float32)
    assert resize(image, (4, 4), resample) is image


def test_the_same_size_is_the_same_image() -> None:
    image = noise(20, 30)
    assert resize(image, (20, 30)) is image


@pytest.mark.parametrize("size", [(40, 60), (13, 17), (20, 61), (7, 30)])
@pytest.mark.parametrize("layout", ["planar", "interleaved"])
def test_resizing_agrees_with_pillow(size: tuple[int, int], layout: str) -> None:
    rows = noise(20, 30).permute(1, 2, 0).contiguous()  # (H, W, 3), as a decoder gives it
    image = rows.permute(2, 0, 1)
    if layout == "planar":
        image = image.contiguous()
    resized = resize(image, size)
    assert resized.dtype == torch.uint8
    assert resized.shape == (3, *size)
    picture = Image.fromarray(rows.numpy()).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    assert int((resized.int() - expected.int()).abs().max()) <= 1


def test_a_constant_image_stays_constant() -> None:
    assert (resize(torch.full((3, 33, 47), 200, dtype=torch.uint8), (100, 20)) == 200).all()


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_batch_normalises_then_pads(order: str) -> None:
    images = [noise(20, 33, 1), noise(40, 10, 2)]
    mean, std, scale = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0), 1 / 255
    batch = make_batch(images, order=order, scale=scale, mean=mean, std=std, divisor=16)  # type: ignore[arg-type]
    assert batch.pixels.shape == (2, 3, 48, 48)
    assert batch.pixels.dtype == torch.float32
    assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
    assert batch.sizes_hw == ((20, 33), (40, 10))
    for image, (h, w), pixels in zip(images, batch.sizes_hw, batch.pixels, strict=True):
        source = image if order == "rgb" else image.flip(0)
        expected = (source.double() * scale - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(
            3, 1, 1
        )
        torch.testing.assert_close(pixels[:, :h, :w].double(), expected, atol=1e-6, rtol=1e-6)
        assert pixels[:, h:].abs().max() == 0
        assert w == 48 or pixels[:, :, w:].abs().max() == 0


def test_batch_is_the_same_for_any_layout_of_an_image() -> None:
    planar = noise(70, 400)
    interleaved = planar.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    pixels = [
        make_batch([x], order="rgb", scale=1.0, mean=(1, 2, 3), std=(1, 1, 1), divisor=1).pixels
        for x in (planar, interleaved)
    ]
    assert torch.equal(*pixels)
    assert torch.equal(pixels[0][0], planar - torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1))


def test_batch_moves_between_devices() -> None:
    batch = ImageBatch(torch.zeros(1, 3, 4, 4), ((4, 4),))
    assert batch.to("cpu").sizes_hw == ((4, 4),)
