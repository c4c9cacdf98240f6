"""The tiny backbone."""

from __future__ import annotations

from amidst.models.config import BackboneConfig
from amidst.models.tiny import tiny


def test_is_tiny_and_trained_whole() -> None:
    backbone = tiny(BackboneConfig(freeze_at=5))
    assert sum(p.numel() for p in backbone.parameters()) < 100_000
    assert all(p.requires_grad for p in backbone.parameters())
