"""A real file system that is full, then read-only: 503, nothing corrupt, work goes on without a restart."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from amidst.crowd import engine

SIZE = 4 * 1024 * 1024


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path_factory.mktemp("disk")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a small file system; tests/crowd/test_store.py does without")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any], small_disk: Path) -> Any:
    """The application with its database on that disk."""
    return open_site(database=str(small_disk / "campaign.db"))


def fill(folder: Path) -> Path:
    """A file that takes all room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 4096)
        except OSError:
            return ballast


def sound(site: Any) -> None:
    assert site.run(site.store.read(lambda c: c.execute(text("PRAGMA integrity_check")).scalar())) == "ok"
    assert site.run(engine.doctor(site.store)) == []


def refusals(site: Any, ticket: Any) -> list[int]:
    """What comes back while drafts of some size are saved, until they are refused."""
    found: list[int] = []
    for rev in range(1, 200):
        body = {"token": ticket["token"], "rev": rev, "body": {"text": "y" * 20_000}}
        found.append(site.post("worker", f"/api/tickets/{ticket['id']}/draft", body).status_code)
        if found[-1] != 200:
            break
    return found


def test_a_full_disk(site: Any, small_disk: Path) -> None:
    ticket = site.lease("worker")
    ballast = fill(small_disk)
    found = refusals(site, ticket)
    assert found[-1] == 503
    while (refused := site.submit("worker", ticket)).status_code == 200:
        ticket = site.lease("worker")  # an answer may still fit where a draft does not
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "unavailable"
    assert "nothing was written" in refused.json()["error"]["message"]
    sound(site)
    ballast.unlink()
    assert site.submit("worker", ticket).json()["replayed"] is False
    assert site.submit("worker", ticket).json()["replayed"] is True
    sound(site)


def test_a_disk_that_may_not_be_written(site: Any, small_disk: Path) -> None:
    ticket = site.lease("expert")
    site.run(site.store.write(lambda c: c.execute(text("SELECT 1"))))

    def remount(how: str) -> int:
        command = ["mount", "-o", f"remount,{how},size={SIZE}", str(small_disk)]
        return subprocess.run(command, capture_output=True).returncode

    site.run(site.store.write(lambda c: c.exec_driver_sql("PRAGMA query_only = ON")))
    assert site.submit("expert", ticket).status_code == 503
    if remount("ro") == 0:  # refused while files are open for writing, by some systems
        assert site.submit("expert", ticket).status_code == 503
        assert remount("rw") == 0
    assert site.submit("expert", ticket).status_code == 200
    sound(site)
