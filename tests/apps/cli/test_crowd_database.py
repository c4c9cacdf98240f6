"""`amidst crowd backup | restore | migrate-store`, and a campaign that several processes serve."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from amidst.apps.cli.root import run

spec = importlib.util.spec_from_file_location("crowd_commands", Path(__file__).with_name("test_crowd.py"))
assert spec is not None
assert spec.loader is not None
commands: Any = importlib.util.module_from_spec(spec)
sys.modules["crowd_commands"] = commands
spec.loader.exec_module(commands)
photos, campaign = commands.photos, commands.campaign  # the fixtures
served, ask = commands.served, commands.ask


def leased(port: int, token: str) -> Any:
    status, found = ask(port, "POST", "/api/tickets/lease", {"stage": "labelling"}, token)
    assert status == 200
    assert found["ticket"] is not None, found
    return found["ticket"]


def submitted(port: int, token: str, ticket: Any) -> int:
    panels = [{"super": one["super"], "present": False} for one in ticket["task"]["panels"]]
    body = {"token": ticket["token"], "idem_key": f"ticket-{ticket['id']}", "body": {"panels": panels}}
    status, found = ask(port, "POST", f"/api/tickets/{ticket['id']}/submit", body, token)
    assert status == 200, found
    return int(found["answer_id"])


def entered(port: int, link: str) -> str:
    status, about = ask(port, "POST", "/api/auth/enter", {"token": link, "display": "o", "bearer": True})
    assert status == 200, about
    return str(about["token"])


def done(folder: Path, capsys: Any, *words: str) -> int:
    """Labelling answers that the campaign has."""
    capsys.readouterr()
    assert run(["crowd", "status", str(folder), "--json", *words]) == 0
    stages = {one["stage"]: one for one in json.loads(capsys.readouterr().out)["stages"]}
    return int(stages["labelling"]["done"])


def test_a_backup_while_it_is_served_and_back_again(campaign: Path, tmp_path: Path, capsys: Any) -> None:
    copy = tmp_path / "copy.db"
    with served(campaign) as (_, port, link):
        token = entered(port, link)
        submitted(port, token, leased(port, token))
        assert run(["crowd", "backup", str(campaign), "-o", str(copy)]) == 0
        submitted(port, token, leased(port, token))
        assert run(["crowd", "restore", str(campaign), "--from", str(copy)]) == 2
        assert "in use by process" in capsys.readouterr().err
        assert done(campaign, capsys) == 2
    assert run(["crowd", "restore", str(campaign), "--from", str(copy)]) == 0
    assert done(campaign, capsys) == 1
    assert run(["crowd", "doctor", str(campaign)]) == 0


def test_a_backup_of_nothing_or_over_something_is_refused(
    campaign: Path, tmp_path: Path, capsys: Any
) -> None:
    assert run(["crowd", "backup", str(tmp_path / "none"), "-o", str(tmp_path / "copy.db")]) == 2
    assert "no database here" in capsys.readouterr().err
    (tmp_path / "copy.db").write_text("mine")
    assert run(["crowd", "backup", str(campaign), "-o", str(tmp_path / "copy.db")]) == 2
    assert run(["crowd", "restore", str(campaign), "--from", str(tmp_path / "copy.db")]) == 1
    assert "not a database" in capsys.readouterr().err
    assert run(["crowd", "doctor", str(campaign)]) == 0


@pytest.mark.parametrize("url", ["birds", "mysql://a@b/c"])
def test_a_target_that_is_no_postgresql_is_refused(campaign: Path, capsys: Any, url: str) -> None:
    assert run(["crowd", "migrate-store", str(campaign), "--to", url]) == 2
    assert "postgresql://" in capsys.readouterr().err


def test_from_one_process_on_sqlite_to_several_on_postgresql(
    campaign: Path, postgres_url: str, capsys: Any
) -> None:
    with served(campaign) as (_, port, link):
        token = entered(port, link)
        submitted(port, token, leased(port, token))
        assert run(["crowd", "migrate-store", str(campaign), "--to", postgres_url]) == 2  # it is served
        assert "in use by process" in capsys.readouterr().err
    assert run(["crowd", "migrate-store", str(campaign), "--to", postgres_url, "--json"]) == 0
    sums = {one["table"]: one["rows"] for one in json.loads(capsys.readouterr().out)}
    assert (sums["answer"], sums["image"], sums["session"]) == (1, 3, 1)
    assert run(["crowd", "migrate-store", str(campaign), "--to", postgres_url]) == 2
    assert "holds rows already" in capsys.readouterr().err
    database = ["--database-url", postgres_url]
    with served(campaign, *database, entered=True) as (first, one, _):
        ticket = leased(one, token)  # who was signed in still is
        with served(campaign, *database, entered=True) as (_, other, _):
            first.kill()  # in the middle of someone's work
            first.wait()
            answer = submitted(other, token, ticket)
            assert submitted(other, token, ticket) == answer
            assert done(campaign, capsys, *database) == 2
        assert run(["crowd", "doctor", str(campaign), *database]) == 0
