"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real photographs and detections; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("AMIDST_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}; set AMIDST_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """Folder with the ImageNet ResNet-50 weights; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("AMIDST_SHARED", ROOT.parent / "shared")) / "weights"
    if not folder.is_dir():
        pytest.skip(f"weights not found at {folder}; set AMIDST_SHARED to the folder that holds weights/")
    return folder
