"""`amidst leaderboard` as people use it: from a file of annotations to the score of the real detections."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli.root import run as type_command
from amidst.leaderboard.client import Client

Run = Callable[..., Any]


@dataclass(frozen=True)
class Served:
    """A benchmark of coco_mini val behind the real command. first: the first organiser's link."""

    folder: Path
    url: str
    first: str


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> Path:
    return shared_data / "coco_mini" / "annotations" / "instances_val2017_mini.json"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, truth: Path) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("served")
    made = ["init", str(root / "board"), "--ann", str(truth), "--name", "COCO mini", "--phase", "all:1"]
    assert type_command(["leaderboard", *made]) == 0
    words = [sys.executable, "-m", "amidst", "leaderboard", "serve", str(root / "board"), "--port", "0"]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(words, stderr=log)
        end = time.monotonic() + 120
        while not (found := re.search(r"(http://\S+)/enter#\S{32}", (root / "log").read_text())):
            assert process.poll() is None, (root / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        yield Served(root / "board", found[1], found[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.fixture
def run(amidst: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command of the group, typed in an empty folder by somebody without a token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AMIDST_TOKEN", raising=False)
    return lambda *words: amidst("leaderboard", *words)


@pytest.fixture(scope="module")
def organiser(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The token of the first organiser."""
    file = tmp_path_factory.mktemp("organiser") / "token"
    words = ["enter", served.first, "--name", "Olga", "--token-file", str(file)]
    assert type_command(["leaderboard", *words]) == 0
    return file


def test_the_tutorial(
    run: Run,
    served: Served,
    organiser: Path,
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """docs/leaderboard.md, step by step, with the numbers of pycocotools at its end."""
    url = served.url
    invited = run("invite", url, "Team A", "--token-file", organiser)
    link = invited.out.strip()
    assert link.startswith(f"{url}/enter#"), invited.err
    assert run("enter", link, "--name", "Ann").code == 0
    token = tmp_path / ".config" / "amidst" / "leaderboard-token"
    assert token.stat().st_mode & 0o077 == 0
    file = shared_data / "detections" / "yolox_nano_coco_mini_val2017_bbox_results.json"
    expected = json.loads(next(file.parent.glob("*expected*")).read_text())["stats"]
    sent = run("submit", url, file, "--phase", "all", "--method", "YOLOX-Nano", "--json")
    assert sent.code == 0, sent.err
    assert list(sent.json["numbers"].values()) == [round(value, 3) for value in expected]
    monkeypatch.setenv("AMIDST_TOKEN", json.loads(token.read_text())[url])
    token.unlink()
    assert run("submit", url, file, "--phase", "all", "--json").json["id"] == sent.json["id"]
    status = run("status", url, "--json").json
    assert (status["team"], len(status["submissions"]), status["left"]["all"]["today"]) == ("Team A", 1, 4)
    assert "ap 0.286" in run("status", url).out
    (exact,) = run("export", served.folder, "--exact").json["phases"]["all"]["submissions"]
    assert list(exact["numbers"].values()) == pytest.approx(expected, abs=1e-9)
    again = run("submit", url, file, "--phase", "all", "--method", "YOLOX", "--description", "Nano, really")
    assert (again.code, "has the same content" in again.err) == (0, True)
    words = ("export", served.folder, "--phase", "all", "--exact", "-o", "new/t.csv")
    assert run(*words).code == 0
    (row,) = csv.DictReader((tmp_path / "new" / "t.csv").read_text().splitlines())
    assert (row["team"], row["method"], row["description"]) == ("Team A", "YOLOX", "Nano, really")
    assert float(row["ap"]) == pytest.approx(expected[0], abs=1e-9)
    odd = run("export", served.folder, "-o", "t.txt")
    assert (odd.code, "ends in .json or .csv" in odd.err, (tmp_path / "t.txt").exists()) == (2, True, False)
    assert "206" in run("phases", served.folder).out
    assert run("phases", served.folder, "--json").json[0]["config"]["per_day"] == 5


def test_the_way_back_in(run: Run, served: Served, organiser: Path, tmp_path: Path) -> None:
    """For whoever lost a session: from the folder while it is served, or with a token from anywhere."""
    url = served.url
    here = run("link", served.folder)
    assert "lets Olga (owner) in again" in here.err
    assert run("enter", here.out.strip(), "--name", "x", "--token-file", "olga").code == 0
    invited = run("invite", url, "Back", "--token-file", organiser, "--json").json
    assert (invited["team"], invited["uses"]) == ("Back", 1)
    assert run("enter", invited["link"], "--name", "Bea").code == 0
    for words in (
        (url,),
        (url, "--account", "Bea", "--token-file", "olga"),
        (served.folder, "--account", "Bea"),
    ):
        made = run("link", *words)
        assert made.code == 0, made.err
        link = made.out.strip()
        assert link.startswith(f"{url}/enter#")
        assert run("enter", link, "--name", "x", "--replace").code == 0
        assert run("status", url, "--json").json["team"] == "Back"
        assert run("enter", link, "--name", "x", "--replace").code == 1  # once
    nobody = run("link", served.folder, "--account", "Zoe")
    assert (nobody.code, "no account 'Zoe'; there are: Olga" in nobody.err) == (2, True)
    both = run("invite", url, "Back", "--organiser", "--token-file", "olga")
    assert both.code == 2
    co = run("invite", url, "--organiser", "--token-file", "olga").out.strip()
    assert run("enter", co, "--name", "Mo", "--token-file", "mo").code == 0
    assert run("invite", url, "Back", "--token-file", "mo").code == 0
    denied = run("invite", url, "Back")
    assert (denied.code, "for organisers, not for participants" in denied.err) == (1, True)


def test_settings_of_a_phase(run: Run, served: Served, organiser: Path) -> None:
    url, token = served.url, ("--token-file", organiser)
    shown = run("phase", url, "all")
    assert (shown.code, "206 images" in shown.out, "never" in shown.out) == (0, True, True)
    words = ("--closes", "2090-01-02T03:04", "--freeze", "2090-01-02T03:04+01:00", "--description", "Boxes.")
    config = run("phase", url, "all", *words, *token, "--json").json["config"]
    assert (config["closes_at"], config["frozen_at"]) == (3787009440_000000, 3787005840_000000)
    assert (config["description"], config["per_day"], config["visibility"]) == ("Boxes.", 5, "all")
    assert "2090-01-02T03:04" in run("phase", url, "all", *token).out
    words = ("--closes", "never", "--freeze", "never", "--description", "")
    assert run("phase", url, "all", *words, *token, "--json").json["config"]["closes_at"] is None
    for wrong in (("none",), ("all", "--opens", "soon"), ("all", "--per-day", "0")):
        assert run("phase", url, *wrong, *token).code == 2
    assert run("phase", url, "all", "--closes", "1969-01-01", *token).code == 1
    link = run("invite", url, "P", *token).out.strip()
    assert run("enter", link, "--name", "Pia").code == 0
    assert run("phase", url, "all").code == 0
    assert run("phase", url, "all", "--total", "9").code == 1


def test_withdrawing(run: Run, served: Served, organiser: Path, tmp_path: Path) -> None:
    url, file = served.url, tmp_path / "one.json"
    link = run("invite", url, "W", "--token-file", organiser).out.strip()
    assert run("enter", link, "--name", "Wim").code == 0
    token = json.loads((tmp_path / ".config" / "amidst" / "leaderboard-token").read_text())[url]
    announced = {"phase": "all", "file_name": "later.json", "bytes": 9}
    later = Client(url, token).ask("POST", "/api/submissions", announced)["id"]
    assert re.search(r"received, for \d+ s", run("status", url).out)
    assert run("withdraw", url, later).code == 0
    file.write_text('[{"image_id": 139, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.5}]')
    key = run("submit", url, file, "--phase", "all", "--json").json["id"]
    taken = run("withdraw", url, key)
    assert (taken.code, f"submission {key}: withdrawn by the team" in taken.err) == (0, True)
    assert run("withdraw", url, key).code == 1
    assert run("withdraw", url, 10**6).code == 1
    key = run("submit", url, file, "--phase", "all", "--json").json["id"]
    assert run("status", url, "--all").code == 1  # organisers alone
    newest = run("status", url, "--all", "--token-file", organiser, "--json").json["submissions"][0]
    assert (newest["id"], newest["team"], newest["state"]) == (key, "W", "scored")
    assert "scored" in run("status", url, "--all", "--token-file", organiser).out
    others = ("status", url, "--all", "--token-file", organiser)
    for words, ids in (
        (("--team", "w", "--state", "scored"), [key]),
        (("--team", "nobody"), []),
        (("--method", "no such"), []),
        (("--before", key, "--limit", 1), [key - 1]),
    ):
        assert [one["id"] for one in run(*others, *words, "--json").json["submissions"]] == ids
    assert f"older ones: --before {key}" in run("status", url, "--limit", 1).err
    assert [one["id"] for one in run("status", url, "--state", "scored", "--json").json["submissions"]] == [
        key
    ]
    assert (run("status", url, "--team", "w").code, run("status", url, "--state", "odd").code) == (2, 2)
    assert "you belong to no team" in run("status", url, "--token-file", organiser).out
    taken = run("withdraw", url, key, "--token-file", organiser, "--json").json
    assert (taken["state"], taken["reason"]) == ("withdrawn", "by the organisers")


def test_findings_end_with_1_and_wrong_calls_with_2(
    run: Run, served: Served, organiser: Path, tmp_path: Path
) -> None:
    url, wrong = served.url, tmp_path / "wrong.json"
    link = run("invite", url, "B", "--token-file", organiser).out.strip()
    assert run("enter", link, "--name", "Bob").code == 0
    wrong.write_text('[{"image_id": 139, "category_id": 1, "bbox": [0, 0, 1, 1]}]')
    refused = run("submit", url, wrong, "--phase", "all")
    assert (refused.code, refused.out) == (1, "")
    assert "wrong.json: detection at index 0" in refused.err
    assert "[missing-field]" in refused.err
    assert run("submit", url, wrong, "--phase", "none").code == 1
    assert run("submit", url, tmp_path / "no.json", "--phase", "all").code == 2
    assert run("submit", url, wrong, "--phase", "all", "--token-file", "none").code == 2
    assert run("submit", "ftp://x", wrong, "--phase", "all").code == 2
    assert run("enter", link, "--name", "Bob", "--replace").code == 1  # used up
    assert run("settings", served.folder, "--contact", "mailto:olga@lab.example").code == 0
    told = run("enter", link, "--name", "Bob", "--replace")
    assert (told.code, "ask for a new one (contact: olga@lab.example)" in told.err) == (1, True)
    (tmp_path / "empty.json").touch()
    empty = run("submit", url, "empty.json", "--phase", "all")
    assert (empty.code, "is empty" in empty.err) == (2, True)


def test_a_token_goes_to_its_own_server_alone(
    run: Run, served: Served, organiser: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = served.url
    other = run("status", "http://127.0.0.1:9", "--token-file", organiser)
    assert (other.code, "no token for http://127.0.0.1:9" in other.err) == (2, True)
    link = run("invite", url, "C", "--token-file", organiser).out.strip()
    kept = organiser.read_bytes()
    assert run("enter", link, "--name", "Cid", "--token-file", organiser).code == 2
    assert organiser.read_bytes() == kept
    (tmp_path / "file").touch()
    assert run("enter", link, "--name", "Cid", "--token-file", "file/token").code == 2
    (tmp_path / "old").write_text("a-lone-token\n")
    assert "AMIDST_TOKEN" in run("enter", link, "--name", "Cid", "--token-file", "old").err
    assert run("enter", link, "--name", "Cid").code == 0  # none of these used it up
    monkeypatch.setenv("AMIDST_TOKEN", "x" * 32)
    wrong = run("status", url)
    assert (wrong.code, "this token is unknown here" in wrong.err) == (1, True)
    monkeypatch.setenv("AMIDST_TOKEN", "one\ntwo")
    broken = run("status", url)
    assert (broken.code, "is broken" in broken.err) == (2, True)


def test_an_address_where_nobody_or_another_server_answers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIDST_TOKEN", "x")
    monkeypatch.setattr("amidst.leaderboard.client.FIRST_S", 0.3)
    silent = run("status", "http://127.0.0.1:9")
    assert (silent.code, silent.out) == (2, "")
    assert "waiting for http://127.0.0.1:9" in silent.err
    assert "http://127.0.0.1:9 does not answer: Connection refused" in silent.err
    entered = run("enter", "http://127.0.0.1:9/enter#x", "--name", "x")
    assert (entered.code, "urlopen" in entered.err) == (2, False)
    for reply in (b"<html>", b"{}"):
        with _answering(reply) as url:
            for words in (("status", url), ("enter", f"{url}/enter#x", "--name", "x"), ("invite", url, "x")):
                found = run(*words)
                assert (found.code, found.out) == (2, "")
                assert "not as an evaluation server" in found.err


def test_a_token_does_not_follow_a_redirect(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMIDST_TOKEN", "x")
    with _answering(b"{}") as other, _answering(b"", other) as url:
        for words in (("status", url), ("invite", url, "x"), ("enter", f"{url}/enter#x", "--name", "x")):
            found = run(*words)
            assert found.code == 2
            assert f"{url} sends on to {other}" in found.err


@contextmanager
def _answering(reply: bytes, elsewhere: str = "") -> Iterator[str]:
    """A server that has one reply for everything, or sends everybody elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(302 if elsewhere else 200)
            if elsewhere:
                self.send_header("Location", elsewhere)
            self.end_headers()
            self.wfile.write(reply)

        do_POST = do_GET  # noqa: N815 - the name that http.server asks for

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_benchmark_is_made_whole_or_not_at_all(
    run: Run, truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run("init", "board", "--ann", truth, "--name", "x", "--json")
    assert made.code == 0
    assert "scores for organisers alone" in made.err
    assert [(one["name"], one["config"]["visibility"]) for one in made.json] == [
        ("dev", "all"),
        ("final", "nobody"),
    ]
    assert run("init", "board", "--ann", truth, "--name", "again").code == 2
    assert (tmp_path / "board" / "benchmark.db").exists()
    for words in (("--phase", "a:0.5"), ("--phase", "a"), ("--set", "tie=none"), ("--set", "uploads.x=1")):
        assert run("init", "other", "--ann", truth, "--name", "x", *words).code == 2
        assert not (tmp_path / "other").exists() or list((tmp_path / "other").iterdir()) == []
    assert "no token for" in run("status", "http://127.0.0.1:9").err
    apart = run("score", "board")
    assert (apart.code, "scorers apart from the server need PostgreSQL" in apart.err) == (2, True)
    monkeypatch.setenv("AMIDST_DATABASE_URL", "mysql://x")
    for words in (("phases", "board"), ("export", "board"), ("score", "board"), ("link", "board")):
        found = run(*words, *(("--public-url", "http://x") if words[0] == "link" else ()))
        assert (found.code, "expected a file or postgresql://" in found.err) == (2, True)
