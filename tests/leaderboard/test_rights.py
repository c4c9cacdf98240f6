"""amidst.leaderboard.rights: a server and scorers of three users, of whom the scorers' alone reads the truth.

The users are numbers, so nobody has to be made; who may become them is root alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from amidst.coco import CocoDataset
from amidst.errors import UsageError
from amidst.leaderboard import benchmarks
from amidst.leaderboard.client import Client
from amidst.leaderboard.folder import Folder
from amidst.leaderboard.rights import check_database, check_folder
from amidst.leaderboard.store import Store

SERVER, SCORER, GROUP = 61001, 61002, 61003
ROOT = Path(__file__).parents[2]


def test_a_folder_with_all_rights_and_one_that_lacks_something(with_board: Any) -> None:
    async def play(store: Store, folder: Folder) -> None:
        phases = await store.read(benchmarks.phases)
        check_folder(folder, phases)
        assert list(folder.work.iterdir()) == list(folder.uploads.iterdir()) == []
        folder.truth(2).rename(folder.root / "2")
        with pytest.raises(UsageError, match=r"hidden/2\.json: No such file"):
            check_folder(folder, phases)
        (folder.root / "2").rename(folder.truth(2))
        folder.work.rmdir()
        with pytest.raises(UsageError, match="No such file"):
            check_folder(folder, phases)

    with_board(play)


@pytest.fixture(scope="module")
def python() -> str:
    """An interpreter that other users may run; this one may lie in somebody's home."""
    if os.geteuid() != 0:
        pytest.skip("only root can become other users")
    for program in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        if (
            Path(program).exists()
            and _as(SCORER, program, "-c", "import amidst.apps.cli.leaderboard")[0] == 0
        ):
            return program
    pytest.skip("no interpreter here that another user may run")


def _environment() -> dict[str, str]:
    places = (str(ROOT / "src"), sysconfig.get_paths()["purelib"])
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": ":".join(places)}


def _as(user: int, *words: str) -> tuple[int, str]:
    """Exit code and messages of a program that another user runs."""
    try:
        made = subprocess.run(
            words,
            user=user,
            group=user,
            extra_groups=[GROUP],
            env=_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            timeout=150,
        )
    except OSError as error:
        return 1, str(error)
    return made.returncode, made.stderr


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder that every user reaches."""
    made = Path(tempfile.mkdtemp(prefix="amidst-rights-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def _role(url: str, name: str) -> str:
    """A role of the database without rights; its address."""
    asyncio.run(_say(url, f"CREATE ROLE {name} LOGIN"))
    return url.replace("//postgres@", f"//{name}@")


async def _say(url: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


def _share(board: Path) -> None:
    """docs/leaderboard.md, 'Scorers as another user'."""
    os.chown(board / "uploads", SERVER, GROUP)
    (board / "uploads").chmod(0o2770)
    for path in (board / "hidden", *(board / "hidden").iterdir(), board / "work"):
        os.chown(path, SCORER, SCORER)


def test_scorers_as_another_user_who_alone_reads_the_truth(
    python: str,
    postgres_url: str,
    root: Path,
    dataset: CocoDataset,
    make_detections: Callable[..., list[dict[str, Any]]],
) -> None:
    board, truth, role = root / "board", root / "truth.json", f"scorer_{os.getpid()}"
    dataset.save(truth)
    amidst = (python, "-m", "amidst", "leaderboard")
    address = ("--database-url", postgres_url)
    root.chmod(0o777)
    made = _as(SERVER, *amidst, "init", str(board), "--ann", str(truth), "--name", "x", *address)
    assert made[0] == 0, made
    limited = _role(postgres_url, role)
    score = (*amidst, "score", str(board), "--database-url", limited)
    code, told = _as(SCORER, *score)
    assert (code, "board' is not readable" in told) == (2, True), told
    os.chown(board, SERVER, GROUP)
    board.chmod(0o750)
    code, told = _as(SCORER, *score)
    assert (code, "permission denied for table alembic_version" in told) == (2, True), told
    page = (ROOT / "docs" / "leaderboard.md").read_text()
    rights = [line.replace(" TO scorer;", f" TO {role};") for line in page.splitlines() if "GRANT" in line]
    asyncio.run(_say(postgres_url, "\n".join(rights[:3])))
    code, told = _as(SCORER, *score)
    assert (code, "permission denied for sequence transition_id_seq" in told) == (2, True), told
    asyncio.run(_say(postgres_url, rights[3]))
    code, told = _as(SCORER, *score)
    assert (code, "Permission denied; the rights that they need" in told) == (2, True), told
    assert told.count("\n") == 1
    _share(board)
    code, told = _as(SERVER, *amidst, "serve", str(board), "--port", "0", *address)
    assert (code, "hidden" in told) == (2, True)  # it would score itself
    log = root / "log"
    serving = _start(log, SERVER, *amidst, "serve", str(board), "--port", "0", "--set", "scorers=0", *address)
    scoring = _start(root / "log2", SCORER, *score)
    try:
        found = _entered(log)
        url = found.partition("/enter")[0]
        owner = Client(url, Client(url).enter(found, "Olga"))
        link = owner.ask("POST", "/api/teams/invite", {"team": "A"})["token"]
        ann = Client(url, Client(url).enter(f"{url}/enter#{link}", "Ann"))
        results = root / "results.json"
        results.write_text(json.dumps(make_detections(dataset, 1)))
        sent = ann.submit(results, "dev", say=lambda *_: None)
        end = time.monotonic() + 120
        while (now := ann.status(sent["id"]))["state"] != "scored":
            assert now["state"] in ("queued", "running"), now
            assert time.monotonic() < end, (root / "log2").read_text()
            time.sleep(0.1)
        assert now["numbers"]["ap"] > 0
        code, told = _as(SERVER, python, "-c", f"open({str(board / 'hidden' / '1.json')!r})")
        assert (code, "Permission denied" in told) == (1, True)
    finally:
        for process in (serving, scoring):
            process.send_signal(signal.SIGINT)
            assert process.wait(120) == 0
        asyncio.run(_say(postgres_url, f"DROP OWNED BY {role}; DROP ROLE {role}"))


def _start(log: Path, user: int, *words: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as stream:
        return subprocess.Popen(
            words,
            user=user,
            group=user,
            extra_groups=[GROUP],
            umask=0o027,
            env=_environment(),
            cwd="/",
            stderr=stream,
        )


def _entered(log: Path) -> str:
    """The first organiser's link."""
    end = time.monotonic() + 120
    while not (found := re.search(r"http://\S+/enter#\S{32}", log.read_text())):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return found[0]


def test_all_rights_to_a_database(with_board: Any, place: str) -> None:
    async def play(store: Store, _: Folder) -> None:
        if "://" in place:
            await store.write(check_database)

    with_board(play)
