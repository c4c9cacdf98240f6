"""What the packages offer, and that offering it loads nothing heavy."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest


@pytest.mark.parametrize("package", ["amidst.coco", "amidst.evaluation"])
def test_all_exist(package: str) -> None:
    module = importlib.import_module(package)
    assert sorted(module.__all__) == module.__all__
    assert all(hasattr(module, name) for name in module.__all__)


def test_light_import() -> None:
    heavy = {"torch", "pycocotools", "matplotlib", "scipy", "pandas"}
    code = f"import sys, amidst.coco.check, amidst.evaluation; sys.exit(repr({heavy!r} & set(sys.modules)))"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert outcome.stderr.strip() == "set()"
