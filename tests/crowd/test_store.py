"""amidst.crowd.store: one writer, shared commits, kill -9, full disks, migrations; on both databases."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, func, insert, select, text

from amidst.crowd import engine, schema_chain, schema_people
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig
from amidst.crowd.migrations import HEAD
from amidst.crowd.results import Receipt, Ticket
from amidst.crowd.schema import answer, metadata, supercategory
from amidst.crowd.store import Store, open_store
from amidst.errors import StoreUnavailable, UsageError
from amidst.store.opening import Schema, open_database

Play = Any


def add(name: str) -> Any:
    def work(connection: Connection) -> str:
        connection.execute(insert(supercategory), {"name": name, "ordinal": 0})
        if name == "wrong":
            raise ValueError("after writing")
        return name

    return work


async def names(store: Store) -> list[str]:
    return await store.read(
        lambda c: [row[0] for row in c.execute(select(supercategory.c.name).order_by(supercategory.c.name))]
    )


def test_a_place_without_a_campaign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no campaign here"):
        asyncio.run(open_store(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="expected a file or postgresql"):
        asyncio.run(open_store("mysql://somewhere/else"))


def test_the_migrated_schema_is_the_declared_one(with_store: Play) -> None:
    assert {"icon_drop", "invitation"} <= set(metadata.tables)
    assert schema_chain.cell.metadata is schema_people.accounts.session.metadata is metadata

    def differences(connection: Connection) -> tuple[list[Any], str | None]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        return compare_metadata(context, metadata), context.get_current_revision()

    async def play(store: Store) -> None:
        assert await store.read(differences) == ([], HEAD)

    with_store(play)


def test_a_campaign_of_the_first_schema_goes_on(place: str) -> None:
    """Its rows are kept, columns that came later are filled, work goes on."""
    first = Schema("campaign", "amidst crowd", "amidst.crowd:migrations", "0001")
    body = {"panels": [{"super": "all", "present": False}]}
    sent = hashlib.sha256(b'1:{"panels":[{"super":"all","present":false}]}').hexdigest()

    def old_rows(connection: Connection) -> None:
        for statement in (
            "INSERT INTO campaign (id, config_json, catalogue_json, secret, created_at) VALUES "
            """(1, '{}', '[{"super":"all","categories":[{"id":1,"name":"thing"}]}]', 'x', 0)""",
            "INSERT INTO supercategory (name, ordinal) VALUES ('all', 0)",
            "INSERT INTO category (id, name, supercategory_id) VALUES (1, 'thing', 1)",
            "INSERT INTO image (file_name, width, height) VALUES ('a.jpg', 9, 9)",
            "INSERT INTO worker (display, created_at) VALUES ('ann', 0)",
            "INSERT INTO worker (display, created_at) VALUES ('bob', 0)",
            "INSERT INTO unit (stage, ref_kind, ref_id, needed, taken, done, created_at) "
            "VALUES ('labelling', 'image', 1, 8, 1, 1, 0)",
            "INSERT INTO ticket (stage, worker_id, token_hash, state, plan_json, issued_at, expires_at) "
            """VALUES ('labelling', 1, '', 'submitted', '{"items":[["image",1,1]]}', 0, 9)""",
            "INSERT INTO answer (ticket_id, worker_id, stage, idem_key, body_json, body_sha256, client_json, "
            "receipt_json, status, created_at) VALUES (1, 1, 'labelling', 'key', "
            """'{"panels":[{"super":"all","present":false}]}', """
            f"'{sent}', "
            """'{"ms_active":1234}', '{}', 'accepted', 1)""",
            "INSERT INTO slot (unit_id, worker_id, ticket_id, position, state, answer_id) "
            "VALUES (1, 1, 1, 0, 'submitted', 1)",
        ):
            connection.exec_driver_sql(statement)

    async def play() -> None:
        store = await open_database(place, first, create=True)
        await store.write(old_rows)
        await store.close()
        store = await open_store(place)
        (row,) = await store.read(lambda c: c.execute(select(answer)).all())
        assert (row.idem_key, row.ms_active) == ("key", 1234)
        got = await engine.lease(store, 2, "labelling", 1)
        assert isinstance(got, Ticket)
        plan = text("""UPDATE ticket SET plan_json = '{"items":[["image",1,1]]}'""")
        await store.write(lambda c: c.execute(plan))  # as tickets were then
        assert await engine.add_categories(store, [engine.NewCategory(2, "other", "more")], 1) == 1
        receipt = await engine.submit(store, 2, got.id, got.token, "key 2", body, Client(ms_active=5), 2)
        assert isinstance(receipt, Receipt)
        again = await engine.lease(store, 2, "labelling", 3)
        assert isinstance(again, Ticket)
        assert [panel.super for panel in again.task.panels] == ["more"]
        assert await engine.doctor(store) == []
        await store.close()

    asyncio.run(play())


def test_a_later_schema_is_refused(place: str) -> None:
    async def play() -> None:
        store = await open_store(place, create=True)
        await store.write(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
        await store.close()
        with pytest.raises(UsageError, match="another version of amidst"):
            await open_store(place)

    asyncio.run(play())


def test_who_fails_in_a_shared_commit_takes_nothing_with_it(with_store: Play) -> None:
    async def play(store: Store) -> None:
        asked = [f"{i:02}" for i in range(20)] + ["wrong"] + [f"{i:02}" for i in range(20, 40)]
        done = await asyncio.gather(*(store.write(add(name)) for name in asked), return_exceptions=True)
        assert [type(result) for result in done].count(ValueError) == 1
        assert await names(store) == [name for name in asked if name != "wrong"]

    with_store(play)


def test_sqlite_serves_one_process(tmp_path: Path) -> None:
    async def play() -> None:
        store = await open_store(tmp_path / "campaign.db", create=True)
        with pytest.raises(UsageError, match="in use by process"):
            await open_store(tmp_path / "campaign.db")
        await store.close()
        again = await open_store(tmp_path / "campaign.db")
        await again.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await again.write(add("late"))

    asyncio.run(play())


def test_a_full_disk_is_said_and_overcome(tmp_path: Path) -> None:
    """SQLite is told that the file may not grow, which fails as a full disk does; then it may."""

    def limit(pages: int) -> Any:
        return lambda c: c.execute(text(f"PRAGMA max_page_count = {pages}")).scalar()

    async def play() -> None:
        store = await open_store(tmp_path / "campaign.db", create=True)
        await store.write(add("before"))
        size = await store.write(lambda c: c.execute(text("PRAGMA page_count")).scalar())
        await store.write(limit(size))
        with pytest.raises(StoreUnavailable, match="full; nothing was written"):
            await store.write(add("x" * 100_000))
        # the connection that was told so has been replaced, so the disk is as large as before
        await store.write(add("x" * 100_000))
        assert [len(name) for name in await names(store)] == [6, 100_000]
        assert await store.read(lambda c: c.execute(text("PRAGMA integrity_check")).scalar()) == "ok"
        await store.close()

    asyncio.run(play())


def test_a_read_only_database_is_said_and_overcome(tmp_path: Path) -> None:
    async def play() -> None:
        store = await open_store(tmp_path / "campaign.db", create=True)
        await store.write(lambda c: c.exec_driver_sql("PRAGMA query_only = ON"))
        with pytest.raises(StoreUnavailable, match="readonly"):
            await store.write(add("refused"))
        await store.write(add("kept"))
        assert await names(store) == ["kept"]
        await store.close()

    asyncio.run(play())


def test_an_unreachable_or_read_only_server_is_said(postgres_url: str) -> None:
    async def play() -> None:
        with pytest.raises(StoreUnavailable):
            await open_store("postgresql://postgres@127.0.0.1:1/none")
        store = await open_store(postgres_url, create=True)
        await store.write(add("before"))

        def refused(connection: Connection) -> None:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            add("refused")(connection)

        with pytest.raises(StoreUnavailable, match="read-only"):
            await store.write(refused)
        await store.write(lambda c: c.execute(text("SELECT pg_sleep(0)")))
        assert await names(store) == ["before"]
        await store.close()

    asyncio.run(play())


WORKER = """
import asyncio, itertools, sys
from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.results import Receipt, Ticket
from amidst.crowd.store import open_store

BODY = {"panels": [{"super": "all", "present": False}]}
leases, most = itertools.count(), int(sys.argv[2])

async def one(store, worker):
    while next(leases) < most:
        ticket = await engine.lease(store, worker, "labelling", 0)
        if not isinstance(ticket, Ticket):
            return
        key = str(ticket.id)
        receipt = await engine.submit(store, worker, ticket.id, ticket.token, key, BODY, Client(), 1)
        if isinstance(receipt, Receipt):
            print(receipt.answer_id, flush=True)

async def main(place):
    store = await open_store(place)
    print("ready", flush=True)
    await asyncio.gather(*(one(store, worker) for worker in range(1, 9)))
    await asyncio.Event().wait()  # to be killed

asyncio.run(main(sys.argv[1]))
"""


def test_killed_at_any_moment_no_acknowledged_answer_is_lost_and_none_doubled(place: str) -> None:
    """Three kills here; the full size is benchmarks/crowd_http.py."""
    images = 60

    async def begin() -> None:
        store = await open_store(place, create=True)
        await engine.create_campaign(store, CampaignConfig(), 0, secret="5e" * 32)
        await engine.add_categories(store, [engine.NewCategory(id=1, name="thing", supercategory="all")])
        new = [engine.NewImage(file_name=f"{i}.jpg", width=20, height=10) for i in range(images)]
        await engine.add_images(store, new, 0)
        for _ in range(8):
            await engine.add_worker(store, "", 0)
        await store.close()

    async def look() -> None:
        store = await open_store(place)
        await engine.sweep(store, 2**50)
        stored = {row[0] for row in await store.read(lambda c: c.execute(select(answer.c.id)).all())}
        assert acknowledged <= stored
        per_ticket = select(func.count(), func.count(answer.c.ticket_id.distinct()))
        assert len(set(await store.read(lambda c: tuple(c.execute(per_ticket).one())))) == 1
        assert await engine.doctor(store) == []
        await store.close()

    asyncio.run(begin())
    acknowledged: set[int] = set()
    for kill_after in (5, 40, 110):
        # A process leaves work to the next ones, however late its killer comes.
        command = [sys.executable, "-c", WORKER, place, str(kill_after + 80)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(kill_after):
            acknowledged.add(int(process.stdout.readline()))
        time.sleep(0.003)
        process.send_signal(signal.SIGKILL)
        acknowledged |= {int(line) for line in process.stdout.read().splitlines() if line.isdecimal()}
        process.wait()
        process.stdout.close()
        asyncio.run(look())
    assert len(acknowledged) >= 155


def test_sqlite_keeps_every_acknowledged_commit(tmp_path: Path) -> None:
    async def play() -> None:
        store = await open_store(tmp_path / "campaign.db", create=True)
        settings = await store.write(
            lambda c: [
                c.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        )
        assert settings == ["wal", 2, 1, 10000]  # 2 is FULL
        await store.close()

    asyncio.run(play())
    with sqlite3.connect(tmp_path / "campaign.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
