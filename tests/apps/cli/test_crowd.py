"""`amidst crowd`: from a folder of photographs to a COCO file, and the whole chain with simulated workers."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from PIL import Image as PillowImage
from sqlalchemy import select

from amidst.apps.cli import crowd_simulation
from amidst.apps.cli.crowd_campaigns import read_categories
from amidst.apps.cli.crowd_client import Client, Reply
from amidst.apps.cli.root import run
from amidst.coco.dataset import CocoDataset
from amidst.crowd.config import STAGES
from amidst.crowd.plans import Plan
from amidst.crowd.schema import ticket
from amidst.crowd.store import open_store
from amidst.errors import DataError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.jpg", "b.png", "deep/c.jpg")):
        PillowImage.new("RGB", (64, 48), (80 * number, 0, 0)).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def make_campaign(photos: Path, tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text("# birds\nrobin, bird\nwren, bird\n\nnest\n")
    folder = tmp_path / "campaign"
    words = [
        "crowd",
        "init",
        str(folder),
        "--images",
        str(photos),
        "--categories",
        str(tmp_path / "names.txt"),
    ]
    assert run(words) == 0
    return folder


@pytest.fixture
def campaign(photos: Path, tmp_path: Path) -> Path:
    return make_campaign(photos, tmp_path)


# --- init


def test_init_takes_pictures_in_and_names_those_it_does_not(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = make_campaign(photos, tmp_path)
    said = capsys.readouterr().err
    assert "broken.jpg" in said
    assert "3 images and 3 categories" in said
    assert stat.S_IMODE((campaign / "secrets.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--images", "nowhere"], "there is no such folder"),
        (["--images", ".", "--categories", "empty.txt"], "no category in the file"),
        (["--images", ".", "--categories", "twice.txt"], "named twice"),
        (["--images", ".", "--set", "labelling.wokers=5"], "did you mean"),
        (["--images", "photos", "--set", "labelling.workers=0"], "expected 1 or more"),
        (["--images", "photos", "--categories", "same.json"], "is taken"),
        (["--images", "photos", "--database-url", "mysql://here"], "expected a file or postgresql://"),
        (["--images", "photos", "--database-url", "postgresql://127.0.0.1:9/none"], "Connect call failed"),
        (["--images", "."], "no picture"),
    ],
)
@pytest.mark.parametrize("there", [False, True])
def test_init_refuses_in_one_line_and_leaves_nothing(
    tmp_path: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    words: list[str],
    complaint: str,
    there: bool,
) -> None:
    (tmp_path / "work").mkdir()
    photos.rename(tmp_path / "work" / "photos")
    monkeypatch.chdir(tmp_path / "work")
    if words == ["--images", "."]:
        shutil.rmtree("photos")
    if there:
        Path("new", "media").mkdir(parents=True)
        Path("new", "media", "mine").write_text("mine")
    kinds = [{"id": number, "name": "cat", "supercategory": "animal"} for number in (1, 2)]
    Path("same.json").write_text(json.dumps({"images": [], "annotations": [], "categories": kinds}))
    Path("empty.txt").write_text("# nothing\n")
    Path("twice.txt").write_text("cat\ncat, animal\n")
    before = sorted(Path("new").rglob("*"))
    assert run(["crowd", "init", "new", *words]) in (1, 2)
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("amidst: error") == 1
    assert sorted(Path("new").rglob("*")) == before
    assert Path("new").exists() == there


def test_a_failure_after_the_photographs_takes_them_out_again(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "secrets.json").write_text("damaged")
    assert run(["crowd", "init", str(tmp_path / "new"), "--images", str(photos)]) == 2
    assert [path.name for path in (tmp_path / "new").rglob("*")] == ["secrets.json"]


def test_init_leaves_a_database_that_holds_a_campaign(
    photos: Path, tmp_path: Path, postgres_url: str, capsys: Any
) -> None:
    words = ["--images", str(photos), "--database-url", postgres_url]
    assert run(["crowd", "init", str(tmp_path / "one"), *words]) == 0
    assert run(["crowd", "init", str(tmp_path / "two"), *words]) == 2
    assert "holds a campaign already" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()


def test_init_does_not_touch_a_campaign_that_is_there(campaign: Path, photos: Path, capsys: Any) -> None:
    before = (campaign / "campaign.db").read_bytes()
    assert run(["crowd", "init", str(campaign), "--images", str(photos)]) == 2
    assert "there is a campaign already" in capsys.readouterr().err
    assert (campaign / "campaign.db").read_bytes() == before


def test_without_a_file_the_categories_are_the_91_in_11_groups() -> None:
    found = read_categories(None)
    assert len(found) == 91
    assert len({one.supercategory for one in found}) == 11


def test_categories_of_a_coco_file_keep_their_ids(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(
        '{"images":[],"annotations":[],"categories":[{"id":90,"name":"toothbrush"}]}'
    )
    (found,) = read_categories(tmp_path / "c.json")
    assert (found.id, found.name) == (90, "toothbrush")


def test_categories_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        read_categories(tmp_path / "c.txt")


# --- looking at it


def test_status_export_and_doctor_of_a_new_campaign(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    capsys.readouterr()
    assert run(["crowd", "status", str(campaign), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (labelling,) = [stage for stage in found["stages"] if stage["stage"] == "labelling"]
    assert (labelling["open"], labelling["needed"], labelling["done"]) == (3, 24, 0)
    assert run(["crowd", "status", str(campaign)]) == 0
    assert "labelling" in capsys.readouterr().out
    assert run(["crowd", "export", str(campaign), "-o", str(tmp_path / "out.json")]) == 0
    dataset = CocoDataset.load(tmp_path / "out.json")
    assert [image.file_name for image in dataset.images] == ["a.jpg", "b.png", "deep/c.jpg"]
    assert run(["crowd", "doctor", str(campaign)]) == 0


def test_status_tells_of_decisions_that_a_killed_process_left(campaign: Path, capsys: Any) -> None:
    with closing(sqlite3.connect(campaign / "campaign.db")) as connection, connection:
        connection.execute("INSERT INTO unsettled (stage, ref_kind, ref_id) VALUES ('labelling', 'image', 1)")
    capsys.readouterr()
    assert run(["crowd", "status", str(campaign)]) == 0
    assert "1 decisions are still to be drawn again" in capsys.readouterr().err
    assert run(["crowd", "export", str(campaign), "-o", str(campaign / "out.json")]) != 0


def test_a_folder_without_a_campaign(tmp_path: Path, capsys: Any) -> None:
    for words in (["status"], ["doctor"], ["serve"], ["export", "-o", str(tmp_path / "x.json")]):
        assert run(["crowd", words[0], str(tmp_path), *words[1:]]) == 2
        assert "amidst crowd init" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# --- serve


@contextmanager
def served(
    folder: Path, *words: str, entered: bool = False
) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """A real server in a process of its own: the process, its port, the first manager's link, which is not
    printed when that one has entered.
    """
    command = [sys.executable, "-m", "amidst", "crowd", "serve", str(folder), "--port", "0", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline() + ("" if entered else process.stderr.readline())
        port = re.search(r"127\.0\.0\.1:(\d+)", said)
        assert port, said
        yield process, int(port[1]), said.rpartition("#")[2].strip()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        process.stderr.close()


def ask(port: int, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content)


def test_serve_one_process_one_link_and_a_first_ticket(campaign: Path, capsys: Any) -> None:
    with served(campaign) as (process, port, link):
        status, owner = ask(port, "POST", "/api/auth/enter", {"token": link, "display": "o", "bearer": True})
        assert (status, owner["role"]) == (200, "owner")
        status, found = ask(port, "POST", "/api/tickets/lease", {"stage": "labelling"}, owner["token"])
        assert found["ticket"]["task"]["panels"]
        if sys.platform == "linux":
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            assert (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") < 5  # of processor time
            status_lines = Path(f"/proc/{process.pid}/status").read_text()
            resident = re.search(r"VmHWM:\s+(\d+) kB", status_lines)
            assert resident
            assert int(resident[1]) < 200 * 1024
        assert run(["crowd", "serve", str(campaign), "--port", "0"]) == 2  # a second process
        assert f"in use by process {process.pid}" in capsys.readouterr().err
        assert run(["crowd", "status", str(campaign), "--json"]) == 0  # reading is possible meanwhile
        stages = {one["stage"]: one for one in json.loads(capsys.readouterr().out)["stages"]}
        assert stages["labelling"]["leased"] == 1
        assert ask(port, "POST", "/api/auth/enter", {"token": link})[0] == 403  # the link is used up


@pytest.mark.parametrize(
    "url", ["label.example", "ftp://label.example", "https://", "https://a.example/path"]
)
def test_serve_refuses_an_odd_public_url(campaign: Path, capsys: Any, url: str) -> None:
    assert run(["crowd", "serve", str(campaign), "--public-url", url]) == 2
    assert "--public-url" in capsys.readouterr().err


def test_serve_refuses_a_port_that_is_taken(campaign: Path, capsys: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["crowd", "serve", str(campaign), "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot listen" in capsys.readouterr().err


# --- simulate

SIMULATE = ["crowd", "simulate", "--images", "3", "--workers", "8", "--seed", "12", "--json"]


def test_too_few_workers_are_refused(capsys: Any) -> None:
    assert run(["crowd", "simulate", "--workers", "6"]) == 2
    assert "needs 8 different" in capsys.readouterr().err


class Recording(Client):
    """The real client, remembering what it was sent."""

    seen: ClassVar[list[tuple[str, bytes]]] = []

    def call(self, method: str, path: str, token: str = "", body: Any = None) -> Reply:
        reply = super().call(method, path, token, body)
        if path.startswith("/api/tickets/"):
            self.seen.append((path.rpartition("/")[2], reply.content))
        return reply


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A small campaign that went through every stage: its folder, and what was printed."""
    folder = tmp_path_factory.mktemp("simulated")
    Recording.seen.clear()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setattr(crowd_simulation, "Client", Recording)
        assert run([*SIMULATE, "-o", str(folder / "one.json"), "--keep", str(folder / "campaign")]) == 0
    return folder, json.loads(out.getvalue())


def test_simulated_workers_go_through_every_stage(
    simulated: tuple[Path, dict[str, Any]], capsys: Any
) -> None:
    folder, found = simulated
    assert set(found["answers"]) == set(STAGES)
    assert min(found["answers"].values()) > 0
    assert (found["categories"]["precision"], found["categories"]["recall"]) == (1.0, 1.0)
    assert (found["filter"]["precision"], found["filter"]["recall"]) == (1.0, 1.0)  # the one iconic picture
    assert (found["filter"]["true"], found["images"]) == (1, 2)
    assert (found["captions"]["sentences"], found["captions"]["complete"]) == (10, 1.0)
    assert 8 <= found["captions"]["mean_words"] <= 60
    assert any(one.iscrowd for one in CocoDataset.load(folder / "one.json").annotations)
    assert found["per_class"]["recall"] >= 0.8
    assert found["per_class"]["precision"] >= 0.8
    assert found["per_class"]["mean_iou"] >= 0.8
    assert run(["crowd", "doctor", str(folder / "campaign")]) == 0
    capsys.readouterr()
    assert run(["crowd", "quality", str(folder / "campaign"), "--json"]) == 0
    stages = json.loads(capsys.readouterr().out)["stages"]
    assert (stages["captions"], stages["assisted"]) == (10, 0.0)
    assert stages["caption_words"] == pytest.approx(found["captions"]["mean_words"])
    assert 0 < stages["training_passed"] <= 1
    assert 0 < stages["first_pass"] <= 1
    run(["dataset", "check", str(folder / "one.json")])  # two images leave categories without instances
    assert "0 errors" in capsys.readouterr().err


def test_the_same_seed_gives_the_same_file(simulated: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = simulated
    assert run([*SIMULATE, "-o", str(folder / "two.json")]) == 0
    assert (folder / "one.json").read_bytes() == (folder / "two.json").read_bytes()


def test_known_items_look_like_all_others(simulated: tuple[Path, dict[str, Any]]) -> None:
    """Keys, their order, types and formats; places in the grid; and no word about them in any reply."""
    folder, _ = simulated
    shapes: dict[bool, set[Any]] = {True: set(), False: set()}
    places: dict[bool, list[int]] = {True: [], False: []}
    plans = plans_of(folder / "campaign")
    for action, content in Recording.seen:
        for word in (b"gold", b"known", b"spoil", b"secret", b'"plan'):  # an airplane is a candidate
            assert word not in content
        if action == "submit":
            assert set(json.loads(content)) <= {"answer_id", "status", "tries_left", "training", "replayed"}
        held = json.loads(content).get("ticket") if action == "lease" else None
        if held is None or held["stage"] != "verification":
            continue
        items = held["task"]["items"]
        for place, (item, is_known) in enumerate(zip(items, plans[held["id"]], strict=True)):
            shapes[is_known].add(shape(item))
            places[is_known].append(place)
    assert len(places[True]) > 20
    assert shapes[True] == shapes[False]
    middle = {kind: sum(found) / len(found) for kind, found in places.items()}
    assert abs(middle[True] - middle[False]) < 3  # of some ten places: not at one end of the grid


def shape(value: Any) -> Any:
    """Keys in order and types, numbers by whether they have more than two decimals, no content."""
    if isinstance(value, dict):
        return tuple((key, shape(one)) for key, one in value.items())
    if isinstance(value, list):
        return tuple(shape(one) for one in value)
    if isinstance(value, float):
        return "number" if round(value, 2) == value else "long number"
    return "number" if isinstance(value, int) and not isinstance(value, bool) else type(value).__name__


def plans_of(folder: Path) -> dict[int, list[bool]]:
    """For each ticket, which of its places hold known items."""

    async def read() -> list[Any]:
        store = await open_store(folder / "campaign.db", read_only=True)
        rows = await store.read(lambda c: c.execute(select(ticket.c.id, ticket.c.plan_json)).all())
        await store.close()
        return list(rows)

    plans = {row[0]: msgspec.json.decode(row[1], type=Plan) for row in asyncio.run(read())}
    return {number: [bool(item.gold) for item in plan.items] for number, plan in plans.items()}


# --- imports


def test_the_server_and_its_commands_leave_torch_alone() -> None:
    code = (
        "import sys, amidst.apps.cli.crowd, amidst.apps.server.crowd.app; "
        "sys.exit(any(name.split('.')[0] in ('torch', 'matplotlib') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
