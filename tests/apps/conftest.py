"""A real browser for the tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium-headless-shell", "chromium")  # the first has no windows: it starts and draws faster


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; without one the test skips, in continuous integration it fails."""
    path = os.environ.get("AMIDST_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), "")
    if not Path(path or ".").is_file():
        reason = f"no Chromium ({path or ', '.join(BROWSERS)}); install it, or set AMIDST_CHROMIUM"
        if os.environ.get("AMIDST_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    """Not longer than a module: while Playwright runs, asyncio.run says in every test that a loop is running.

    A container's root user cannot use the sandbox; nothing is fetched in the background.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright (extra: dev)")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    arguments = [*root, "--disable-background-networking", "--disable-quic"]
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()
