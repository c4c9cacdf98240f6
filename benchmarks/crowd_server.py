"""A real `amidst crowd serve`, a campaign of rows for it, and clients fast enough to load it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from ports import lasting_port

from amidst.crowd import engine
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.config import CampaignConfig
from amidst.crowd.store import open_store
from amidst.crowd.world_shapes import world_categories

GENEROUS = ("auth.enter_address", "workers.lease", "workers.submit", "workers.other")
START_S = 90.0


# --- the server ---------------------------------------------------------------------------------------------


@dataclass
class Server:
    """`amidst crowd serve` in a process of its own, on one port however often it is started."""

    folder: Path
    database_url: str = ""
    port: int = 0
    link: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Returns when it serves: the seconds until then."""
        self.port = self.port or lasting_port()
        command = [
            sys.executable,
            "-m",
            "amidst",
            "crowd",
            "serve",
            str(self.folder),
            "--port",
            str(self.port),
        ]
        for name in GENEROUS:
            command += ["--set", f"{name}.count=1000000000"]
        if self.database_url:
            command += ["--database-url", self.database_url]
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if "first manager" in line:
                self.link = line.rpartition("#")[2].strip()
            if self.link and ("first manager" in line or "serving" in line):
                break
        while not answers(self.port):
            if self.process.poll() is not None or time.monotonic() - begin > START_S:
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        return time.monotonic() - begin

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self._end()

    def stop(self) -> None:
        """As Ctrl-C does, also in the background, where that would be ignored."""
        assert self.process is not None
        self.process.terminate()
        self._end()

    def _end(self) -> None:
        assert self.process is not None
        assert self.process.stderr is not None
        self.process.wait(60)
        self.process.stderr.close()

    def processor_s(self) -> float:
        """Processor seconds used so far, of all its threads."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory now."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def answers(port: int) -> bool:
    """Whether the port takes connections."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


async def make_campaign(folder: Path, database_url: str, images: int) -> None:
    """A campaign of `images` photographs without pictures, labelled by 8 workers each."""
    folder.mkdir(parents=True, exist_ok=True)
    store = await open_store(database_url or folder / "campaign.db", create=True)
    config = CampaignConfig(name="benchmark", stages=("labelling",))
    await engine.create_campaign(store, config, now(), secret="b" * 64)
    categories = [
        NewCategory(id=one.id, name=one.name, supercategory=one.supercategory or "thing")
        for one in world_categories()
    ]
    await engine.add_categories(store, categories)
    rows = [
        NewImage(file_name=f"{n:07}.jpg", width=640, height=480, sha256=f"{n:064x}") for n in range(images)
    ]
    await engine.add_images(store, rows, now())
    await store.close()


def now() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


# --- clients ------------------------------------------------------------------------------------------------


class Gone(Exception):  # noqa: N818
    """The connection broke before a whole reply had come."""


@dataclass
class Connection:
    """HTTP/1.1 over one connection, made anew when it breaks: httpx would cost more than the server."""

    port: int
    token: str = ""
    latencies: list[float] = field(default_factory=list)
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and decoded reply. Raises Gone."""
        data = b"" if body is None else msgspec.json.encode(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Length: {len(data)}\r\n"
        if body is not None:
            head += "Content-Type: application/json\r\n"
        if self.token:
            head += f"Authorization: Bearer {self.token}\r\n"
        begin = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self.port)
            reader, writer = self._streams
            writer.write(head.encode() + b"\r\n" + data)
            top = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = dict(line.lower().split(": ", 1) for line in top.split("\r\n")[1:] if ": " in line)
            content = await reader.readexactly(int(lines["content-length"]))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Gone from error
        self.latencies.append(time.perf_counter() - begin)
        return int(top.split(" ", 2)[1]), msgspec.json.decode(content)

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def come_in(server: Server, workers: int) -> list[Connection]:
    """The owner, then `workers` workers by one invitation."""
    owner = Connection(server.port)
    _, about = await owner.call(
        "POST", "/api/auth/enter", {"token": server.link, "display": "o", "bearer": True}
    )
    owner.token = about["token"]
    _, made = await owner.call("POST", "/api/invitations", {"uses": workers})
    found = []
    for number in range(workers):
        one = Connection(server.port)
        sent = {"token": made["token"], "display": f"worker {number}", "bearer": True}
        one.token = (await one.call("POST", "/api/auth/enter", sent))[1]["token"]
        one.latencies.clear()
        found.append(one)
    owner.close()
    return found


def nothing_there(ticket: dict[str, Any]) -> dict[str, Any]:
    """The shortest right answer of the labelling stage."""
    panels = ticket["task"]["panels"]
    return {"panels": [{"super": panel["super"], "present": False, "icons": []} for panel in panels]}
