"""A real `amidst leaderboard serve` for the benchmarks: started, killed, started again on the same port."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from ports import lasting_port

from amidst.leaderboard.client import Client

AMIDST = (sys.executable, "-m", "amidst")
PATIENCE_S = 120.0


@dataclass
class Server:
    """The server of one benchmark; link: of the first organiser."""

    folder: Path
    database_url: str = ""
    settings: tuple[str, ...] = ()
    port: int = 0
    link: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _more(self) -> list[str]:
        return ["--database-url", self.database_url] if self.database_url else []

    def init(self, truth: Path, *arguments: str) -> None:
        """Makes the benchmark."""
        made = [*AMIDST, "leaderboard", "init", str(self.folder), "--ann", str(truth), "--name", "Benchmark"]
        subprocess.run([*made, *arguments, *self._more], check=True, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        """Returns when it answers."""
        self.port = self.port or lasting_port()
        sets = [word for setting in self.settings for word in ("--set", setting)]
        serve = [*AMIDST, "leaderboard", "serve", str(self.folder), "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*serve, *sets, *self._more], stderr=log)
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/api/board", timeout=5):
                    break
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.02)
        found = re.search(r"/enter#(\S+)", (self.folder / "log").read_text())
        self.link = found[1] if found else ""

    def kill(self) -> None:
        """kill -9, of the server alone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """An end as by Ctrl-C."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)

    def scorers(self) -> list[int]:
        """Process ids of its running scorers."""
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task")
        found: list[int] = []
        for task in path.iterdir() if path.exists() else ():
            try:
                found += map(int, (task / "children").read_text().split())
            except OSError:
                continue
        return found

    def organiser(self) -> Client:
        """A client of the first organiser, who also lets everybody send as often as they like."""
        client = Client(self.url, Client(self.url).enter(self.link, "organiser"))
        for phase in client.ask("GET", "/api/board")["phases"]:
            config = {**phase["config"], "per_day": 100_000, "total": 100_000}
            client.ask("POST", f"/api/phases/{phase['name']}/settings", config)
        return client

    def member(self, organiser: Client, team: str) -> Client:
        """A client of a new team."""
        made = organiser.ask("POST", "/api/teams/invite", {"team": team})
        return Client(self.url, Client(self.url).enter(made["token"], team), patience_s=600)


def kill_process(pid: int) -> bool:
    """kill -9; whether it was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def write_json(path: Path, value: object) -> Path:
    """A file of JSON."""
    path.write_text(json.dumps(value))
    return path
