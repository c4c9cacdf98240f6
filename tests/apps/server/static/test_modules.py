"""The pages' scripts that need no browser, by Node's own test runner: tests/apps/server/static/*.test.js."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_modules() -> None:
    node = shutil.which("node")
    if node is None:
        reason = "Node is not installed; the logic of the pages' scripts is not tested"
        if os.environ.get("AMIDST_CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    files = sorted(str(path) for path in HERE.glob("*.test.js"))
    assert files
    done = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
