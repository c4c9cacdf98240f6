"""A detector small enough for tests, and images for it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
import torch

from amidst.models.config import BackboneConfig, FPNConfig, HeadConfig, RetinaNetConfig
from amidst.models.structures import Target
from amidst.ops.images import ImageBatch, make_batch


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small run faster without waiting for a second core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_config() -> RetinaNetConfig:
    return RetinaNetConfig(
        num_classes=3,
        backbone=BackboneConfig(name="tiny"),
        fpn=FPNConfig(channels=32),
        head=HeadConfig(convs=1, channels=32),
    )


@pytest.fixture
def images(tiny_config: RetinaNetConfig) -> ImageBatch:
    """Two noise images with a bright rectangle in each."""
    torch.manual_seed(0)
    pictures = [torch.randint(0, 60, (3, *size), dtype=torch.uint8) for size in ((100, 120), (128, 90))]
    pictures[0][:, 10:70, 20:80] = 220
    pictures[1][:, 40:100, 10:60] = 180
    p = tiny_config.pixels
    return make_batch(pictures, order=p.order, scale=p.scale, mean=p.mean, std=p.std, divisor=128)


@pytest.fixture
def targets() -> list[Target]:
    return [
        Target(torch.tensor([[20.0, 10.0, 80.0, 70.0]]), torch.tensor([1])),
        Target(torch.tensor([[10.0, 40.0, 60.0, 100.0]]), torch.tensor([2])),
    ]


@pytest.fixture
def no_targets() -> list[Target]:
    return [Target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)) for _ in range(2)]


class NearTrunk(torch.nn.Module):
    """C1..C4 of the tiny backbone's widths from strided 3x3 convolutions: C4 sees 15 px beyond its centre."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 16, 16, 24, 32)
        self.convs = torch.nn.ModuleList(
            torch.nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )

    def maps(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found = []
        for conv in self.convs:
            pixels = torch.relu(conv(pixels))
            found.append(pixels)
        return tuple(found)


@pytest.fixture
def near_trunk() -> NearTrunk:
    torch.manual_seed(0)
    return NearTrunk()
