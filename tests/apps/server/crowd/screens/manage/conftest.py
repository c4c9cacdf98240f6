"""`amidst crowd demo`, run as a newcomer runs it: a process, its printed links, a browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[6]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WAIT_MS = 120_000  # an upper bound for slow machines; nothing waits this long by design


@dataclass
class Demo:
    """A running demo. links: by role; stages: addresses of the worker's screens; printed: all it said."""

    process: subprocess.Popen[str]
    printed: str
    temporary: Path

    @property
    def links(self) -> dict[str, str]:
        return dict(re.findall(r"^(manager|worker|expert) +(\S+)$", self.printed, re.MULTILINE))

    @property
    def stages(self) -> dict[str, str]:
        found = re.findall(r"^  \S.*\s(http\S+/work/(\w+))$", self.printed, re.MULTILINE)
        return {name: address for address, name in found}

    @property
    def address(self) -> str:
        return self.links["manager"].partition("/enter")[0]


@pytest.fixture(scope="module")  # one test may take what another looks for
def demo() -> Iterator[Demo]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from amidst.apps.cli import main; main()", "crowd", "demo"]
        environment = {**os.environ, "TMPDIR": folder, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert process.stderr is not None
        printed = ""
        while "/work/category_votes" not in printed and process.poll() is None:
            printed += process.stderr.readline()
        running = Demo(process, printed, Path(folder))
        yield running
        process.send_signal(signal.SIGINT)
        process.wait(120)
        process.stderr.close()
        assert process.returncode == 0
        assert list(Path(folder).iterdir()) == []  # nothing is left behind


@dataclass
class Guest:
    """Somebody in a browser of their own. problems: errors of the pages, breaches of the policy, dialogs."""

    context: Any
    address: str
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda shown: (self.problems.append(f"dialog {shown.message}"), shown.dismiss()))
        page.goto(self.address + path)
        return page

    def manage(self, path: str = "") -> Any:
        """One of the manager's pages, when it is complete."""
        page = self.open(f"/manage{path}")
        page.wait_for_selector(".ready")
        return page

    def ask(self, path: str) -> Any:
        """A GET in this session."""
        answer = self.context.request.get(self.address + path)
        assert answer.ok, answer.text()
        return answer.json()


@pytest.fixture(scope="module")
def enter(browser: Any, demo: Demo) -> Iterator[Callable[..., Guest]]:
    """enter(role) comes in by the link that the demo printed."""
    guests: list[Guest] = []

    def come(role: str, link: str = "") -> Guest:
        context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        guest = Guest(context, demo.address)
        page = context.new_page()  # its errors are not collected: it asks who is signed in, and nobody is
        page.set_default_timeout(WAIT_MS)
        page.goto(link or demo.links[role])
        page.wait_for_selector("form button.primary")
        if page.locator("input[name=display]").count():  # an invitation; the demo's links know their owners
            page.fill("input[name=display]", f"A {role}")
        page.click("button.primary")
        page.wait_for_url(re.compile("/(manage|work)$"))
        page.close()
        guests.append(guest)
        return guest

    yield come
    for guest in guests:
        guest.context.close()
    assert [problem for guest in guests for problem in guest.problems] == []


@pytest.fixture(scope="module")
def owner(enter: Callable[..., Guest]) -> Guest:
    return enter("manager")


@pytest.fixture
def manager(owner: Guest) -> Iterator[Guest]:
    """The same for all tests of a module; what one has opened is closed before the next."""
    yield owner
    for page in owner.context.pages:
        page.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core; without it the test skips, in continuous integration it fails."""
    if not AXE.exists():
        reason = "axe-core is not installed: make types, or npm install"
        if os.environ.get("AMIDST_CI") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return AXE.read_text(encoding="utf-8")
