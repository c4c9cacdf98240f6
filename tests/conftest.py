"""Fixtures of all tests. PostgreSQL runs from installed binaries, once a session, on a loopback port."""

from __future__ import annotations

import asyncio
import gc
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Workers of pytest-xdist share the cores: each has so many threads, and the programs that it starts.

    Examples of hypothesis may take as long as a busy machine makes them; in CI they are the same every time.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // workers, 1)))
    settings.register_profile(
        "tests",
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize="AMIDST_CI" in os.environ,
    )
    settings.load_profile("tests")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there now stays to the end: the collector of cycles need not look at it again and again."""
    gc.collect()
    gc.freeze()


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


def lasting_port() -> int:
    """A free port of those that the system gives to nobody who asks for any: it stays free until it is
    used.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Gives another port at each call."""
    return lasting_port


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    beside = shutil.which("initdb")
    return Path(beside).resolve().parent if beside else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """postgresql://... of a server that belongs to this session; skips where PostgreSQL is not installed."""
    binaries = _binaries()
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user is not None and user not in {entry.pw_name for entry in pwd.getpwall()}:
        binaries = None
    if binaries is None:
        if os.environ.get("AMIDST_CI"):
            pytest.fail("PostgreSQL is not installed, and AMIDST_CI is set: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed (no initdb); tests on it are skipped")
    folder = Path(tempfile.mkdtemp(prefix="amidst-pg-"))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run(
        [binaries / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"],
        check=True,
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    port = lasting_port()
    options = [
        f"port={port}",
        "listen_addresses=127.0.0.1",
        f"unix_socket_directories={folder}",
        "max_connections=60",
        "fsync=off",  # nobody pulls the plug here
        "full_page_writes=off",
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, *(part for text in options for part in ("-c", text))],
            user=user,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(server, data)
            yield f"postgresql://postgres@127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
            server.wait(120)
            shutil.rmtree(folder, ignore_errors=True)


def _wait_for(server: subprocess.Popen[bytes], data: Path) -> None:
    end = time.monotonic() + 120
    while not _is_ready(data):
        assert server.poll() is None, "PostgreSQL did not start"
        assert time.monotonic() < end, "PostgreSQL does not answer"
        time.sleep(0.02)


def _is_ready(data: Path) -> bool:
    """Whether the server says in its own file that it takes connections, as pg_ctl looks for it."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


_numbers = count()


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """An empty database of the session's server."""
    import asyncpg

    name = f"amidst_{os.getpid()}_{next(_numbers)}"

    async def create() -> None:
        connection = await asyncpg.connect(f"{postgres_server}/postgres")
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return f"{postgres_server}/{name}"
