"""`amidst crowd late`: an answer whose ticket has ended is listed, used once, and noted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sqlalchemy import select

from amidst.apps.cli.crowd_campaigns import DATABASE
from amidst.apps.cli.root import run
from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.config import CampaignConfig
from amidst.crowd.results import Conflict, Ticket
from amidst.crowd.schema_people import accounts
from amidst.crowd.store import open_store

BODY = {"panels": [{"super": "all", "present": False}]}


async def _late(path: Path) -> int:
    """A campaign with one answer to a ticket that was given back."""
    store = await open_store(path, create=True, durable=False)
    await engine.create_campaign(store, CampaignConfig(), 0, secret="5e" * 32)
    await engine.add_categories(store, [NewCategory(id=1, name="thing", supercategory="all")])
    await engine.add_images(store, [NewImage(file_name="1.jpg", width=20, height=10)], 0)
    worker = await engine.add_worker(store, "", 0)
    ticket = await engine.lease(store, worker, "labelling", 0)
    assert isinstance(ticket, Ticket)
    await engine.release(store, worker, ticket.id, ticket.token)
    late = await engine.submit(store, worker, ticket.id, ticket.token, "late key", BODY, Client(), 1)
    assert isinstance(late, Conflict)
    assert late.orphan_id is not None
    await store.close()
    return late.orphan_id


async def _notes(path: Path) -> list[str]:
    store = await open_store(path, read_only=True)
    found = await store.read(lambda c: list(c.execute(select(accounts.audit.c.action)).scalars()))
    await store.close()
    return found


def test_late_answers_are_listed_and_used(tmp_path: Path, capsys: Any) -> None:
    late = asyncio.run(_late(tmp_path / DATABASE))
    assert run(["crowd", "late", str(tmp_path)]) == 0
    assert "1 free" in capsys.readouterr().out
    assert run(["crowd", "late", str(tmp_path), "--use", "999"]) == 2
    assert "there is no late answer 999" in capsys.readouterr().err
    assert run(["crowd", "late", str(tmp_path), "--use", str(late)]) == 0
    assert "counts as answer 1" in capsys.readouterr().err
    assert run(["crowd", "late", str(tmp_path), "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["answer"], listed["free"], listed["body"]) == (1, 0, BODY)
    assert asyncio.run(_notes(tmp_path / DATABASE)) == ["late.use"]
    assert run(["crowd", "doctor", str(tmp_path)]) == 0
