"""A way to type a command, and a real browser for the tests of pages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amidst.apps.cli.root import run

BROWSERS = ("chromium-headless-shell", "chromium")  # the first has no windows: it starts and draws faster


@dataclass(frozen=True)
class Typed:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which has to be one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """stdout, which has to be a JSON document a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Type = Callable[..., Typed]


@pytest.fixture
def amidst(capsys: pytest.CaptureFixture[str]) -> Type:
    """Type a command: amidst("evaluate", ann, results)."""

    def type_(*words: object) -> Typed:
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Typed(code, said.out, said.err)

    return type_


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
        started = playwright.chromium.launch(executable_path=chromium, args=arguments, timeout=120_000)
        yield started
        started.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """24 pictures, one of them broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(23):
        noise = random.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02d}.png")
    (folder / "99.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """Ray, once started by a test, stays until the last test of a file."""
    yield
    import ray

    ray.shutdown()
