"""Score branches: the four of Table 3.2, and pooling without leaving patches out."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from amidst.models.config import BackboneConfig, DeepMaskConfig
from amidst.models.deepmask_geometry import geometry
from amidst.models.deepmask_heads import CODE, ScoreHead


def head(kind: str) -> ScoreHead:
    torch.manual_seed(0)
    config = DeepMaskConfig(
        backbone=BackboneConfig(name="tiny"),
        trunk="W64-P4-D3-F12",
        padding="zeros",
        head=kind,  # type: ignore[arg-type]
    )
    return ScoreHead(config, geometry(config), trunk_channels=32).eval()


@pytest.mark.parametrize("kind", ["original", "A", "B", "C"])
def test_all_patches_of_an_image_score_as_each_alone(kind: str) -> None:
    network = head(kind)
    trunk, reduced, codes = torch.randn(1, 32, 7, 9), torch.randn(1, 12, 7, 9), torch.randn(1, CODE, 4, 6)
    with torch.no_grad():
        whole = network(trunk, reduced, codes)
        assert whole.shape == (1, 4, 6)
        for row, column in ((0, 0), (1, 2), (3, 5)):
            window = (slice(None), slice(None), slice(row, row + 4), slice(column, column + 4))
            alone = network(trunk[window], reduced[window], codes[:, :, row : row + 1, column : column + 1])
            assert float(alone) == pytest.approx(float(whole[0, row, column]), abs=1e-5)


def test_the_original_head_pools_in_pairs() -> None:
    """On one patch it is the 2x2 max-pool of stride 2 and a dense convolution of its definition."""
    network = head("original")
    trunk = torch.randn(3, 32, 4, 4)
    assert isinstance(network.look, nn.Sequential)
    look = network.look[1]
    assert isinstance(look, nn.Conv2d)
    with torch.no_grad():
        plain = F.relu(F.conv2d(F.max_pool2d(trunk, 2), look.weight, look.bias))
        assert torch.allclose(network.look(trunk), plain, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        ("original", 32 * 2 * 2 * 512 + 512),
        ("A", 32 * 12 + 12 + 12 * 4 * 4 * 512 + 512),
        ("B", 12 * 4 * 4 * 512 + 512),
        ("C", 0),
    ],
)
def test_what_a_branch_has_of_its_own(kind: str, weights: int) -> None:
    judge = 512 * 1024 + 1024 + 1024 + 1
    assert sum(p.numel() for p in head(kind).parameters()) == weights + judge


def test_dropout_works_in_training_alone() -> None:
    network = head("C")
    codes = torch.randn(1, CODE, 1, 1)
    empty = torch.zeros(1, 1, 1, 1)
    with torch.no_grad():
        assert torch.equal(network(empty, empty, codes), network(empty, empty, codes))
        network.train()
        assert not torch.equal(network(empty, empty, codes), network(empty, empty, codes))
