"""amidst.store.copying: a whole campaign to a real PostgreSQL server, every row or none."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig
from amidst.crowd.schema import metadata
from amidst.crowd.store import open_store
from amidst.errors import DataError, StoreUnavailable, UsageError
from amidst.store import copying
from amidst.store.copying import copy_to_postgres, table_sum
from amidst.store.postgres import PostgresStore
from amidst.store.sqlite import SqliteStore

CHAIN = Path(__file__).parents[1] / "crowd" / "test_engine.py"
spec = importlib.util.spec_from_file_location("chain", CHAIN)
assert spec is not None
assert spec.loader is not None
chain: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(chain)

Play = Callable[[SqliteStore, PostgresStore], Awaitable[None]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A campaign in the middle of the chain, as the bytes of its file."""
    path = tmp_path_factory.mktemp("copying") / "campaign.db"

    async def make() -> None:
        store = await open_store(path, create=True, durable=False)
        await engine.create_campaign(store, CampaignConfig(), 0, secret="5e" * 32)
        workers = await chain.prepare(store)
        await chain.work(store, workers, ("labelling", "spotting", "segmentation"))
        await engine.add_worker(store, 'Zo\u00eb, \u732b and "\u00df"', 0)
        await store.close()

    asyncio.run(make())
    return path.read_bytes()


@pytest.fixture
def with_both(finished: bytes, tmp_path: Path, postgres_url: str) -> Callable[[Play], None]:
    """with_both(play) runs `await play(source, target)` on that campaign and an empty database."""
    path = tmp_path / "campaign.db"
    path.write_bytes(finished)

    def run(play: Play) -> None:
        async def main() -> None:
            source, target = await open_store(path), await open_store(postgres_url, create=True)
            assert isinstance(source, SqliteStore)
            assert isinstance(target, PostgresStore)
            await play(source, target)
            await source.close()
            await target.close()

        asyncio.run(main())

    return run


def nothing(_table: str, _rows: int) -> None:
    """No report."""


async def sums_of(store: Any) -> list[copying.TableSum]:
    return [await store.read(lambda c, table=table: table_sum(c, table)) for table in metadata.sorted_tables]


async def rows_of(store: Any) -> int:
    return sum(one.rows for one in await sums_of(store))


def test_every_row_goes_over_and_work_goes_on_there(
    with_both: Callable[[Play], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "PAGE", 7)  # several pages of most tables

    async def play(source: SqliteStore, target: PostgresStore) -> None:
        told: list[int] = []
        sums = await copy_to_postgres(source, target, metadata, lambda _, rows: told.append(rows))
        assert {one.table for one in sums} == set(metadata.tables)
        assert sum(one.rows for one in sums) == told[-1] > 100
        assert await sums_of(source) == await sums_of(target) == list(sums)
        assert await engine.progress(target) == await engine.progress(source)
        assert await engine.doctor(target) == []
        workers = [worker.id for worker in (await engine.progress(target)).workers]
        assert await chain.work(target, workers, chain.CHAIN, now=2) > 0
        assert await engine.doctor(target) == []

    with_both(play)


def test_a_target_that_holds_anything_is_refused_and_left_alone(with_both: Callable[[Play], None]) -> None:
    async def play(source: SqliteStore, target: PostgresStore) -> None:
        await engine.create_campaign(target, CampaignConfig(name="another"), 0, secret="5e" * 32)
        with pytest.raises(UsageError, match=r"the target holds rows already \(table campaign\)"):
            await copy_to_postgres(source, target, metadata, nothing)
        assert await rows_of(target) == 1

    with_both(play)


def test_a_copy_that_ends_early_leaves_nothing_and_can_be_repeated(with_both: Callable[[Play], None]) -> None:
    async def play(source: SqliteStore, target: PostgresStore) -> None:
        class Stopped(Exception):  # noqa: N818
            pass

        def stop(table: str, _rows: int) -> None:
            if table == "slot":
                raise Stopped

        with pytest.raises(Stopped):
            await copy_to_postgres(source, target, metadata, stop)
        assert await rows_of(target) == 0

        async def lose_the_server() -> None:
            async with target.transaction() as step:
                await step(lambda c: c.execute(text("SELECT pg_terminate_backend(pg_backend_pid())")))

        with pytest.raises(StoreUnavailable):
            await lose_the_server()
        await copy_to_postgres(source, target, metadata, nothing)
        assert await rows_of(target) == await rows_of(source)

    with_both(play)


def test_a_row_that_comes_back_changed_is_found(with_both: Callable[[Play], None]) -> None:
    async def play(source: SqliteStore, target: PostgresStore) -> None:
        for statement in (
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN NEW.display = NEW.display || ' '; RETURN NEW; END$$",
            "CREATE TRIGGER meddle BEFORE INSERT ON worker FOR EACH ROW EXECUTE FUNCTION meddle()",
        ):
            await target.write(lambda c, statement=statement: c.execute(text(statement)))
        with pytest.raises(DataError, match=r"nothing was kept"):
            await copy_to_postgres(source, target, metadata, nothing)
        assert await rows_of(target) == 0

    with_both(play)


@pytest.mark.parametrize("url", ["postgresql://me:secret@host:port/x", "postgresql:/me:secret", "://secret"])
def test_an_address_that_is_none_is_said_without_its_password(url: str) -> None:
    with pytest.raises(UsageError, match="expected a database as postgresql://") as caught:
        PostgresStore(url)
    assert "secret" not in str(caught.value)
