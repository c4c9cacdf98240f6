"""amidst.crowd.doctor: every invariant that a hand breaks is found, and named."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from amidst.crowd import engine
from amidst.crowd.config import CampaignConfig
from amidst.crowd.store import open_store

PLANTS = [
    ("UPDATE unit SET taken = taken - 1, done = done - 1 WHERE id = 1", "unit-places"),
    ("UPDATE unit SET done = done - 1 WHERE id = 1", "unit-places"),
    ("UPDATE unit SET state = 'open' WHERE id = 1", "unit-state"),
    ("UPDATE slot SET state = 'released' WHERE id = 1", "unit-places"),
    ("UPDATE ticket SET worker_id = worker_id % 8 + 1 WHERE id = 1", "slot-ticket"),
    ("UPDATE slot SET answer_id = 2 WHERE id = 1", "slot-answer"),
    ("UPDATE slot SET answer_id = NULL WHERE id = 1", "answer-slots"),
    ("UPDATE ticket SET state = 'leased' WHERE id = 1", "ticket-answer"),
    ("UPDATE answer SET status = 'look_again' WHERE id = 1", "ticket-answer"),
    ("UPDATE cell SET n_segmented = 5 WHERE id = 1", "cell-masks"),
    ("UPDATE cell SET state = 'waiting' WHERE id = 1", "state"),
    ("UPDATE cell SET more_than_10 = true WHERE id = 1", "state"),
    ("UPDATE segmentation SET area = area + 1 WHERE id = 1", "mask"),
    ("UPDATE segmentation SET state = 'discarded' WHERE id = 1", "state"),
    ("UPDATE segmentation SET rle = 'nonsense!' WHERE id = 1", "mask"),
    ("DELETE FROM coverage WHERE segmentation_id = 1 AND point_id = (SELECT min(point_id) FROM coverage "
     "WHERE segmentation_id = 1)", "coverage"),
    ("UPDATE mask_vote SET good = false WHERE id IN (1, 2)", "decision-current"),
    ("UPDATE icon_drop SET x = x + 1, category_id = 2 WHERE id = 1", "decision-current"),
    ("UPDATE decision SET outcome_json = '{}' WHERE id = 1", "decision-replay"),
    ("UPDATE decision SET rule = 'no-rule' WHERE id = 1", "decision-rule"),
    ("DELETE FROM decision WHERE rule = 'categories-present'", "undecided"),
    ("DELETE FROM decision WHERE rule = 'mask-verdict'", "undecided"),
    ("UPDATE qualification SET state = 'open'", "state"),
    ("UPDATE training_attempt SET passed = false", "decision-current"),
    ("UPDATE image SET state = 'removed' WHERE id = (SELECT min(id) FROM image WHERE state = 'kept')",
     "state"),
    ("UPDATE image SET state = 'candidate' WHERE id = (SELECT min(id) FROM image WHERE state = 'kept')",
     "state"),
    ("UPDATE answer SET body_json = '{}' WHERE id = 1", "answer-body"),
    ("UPDATE answer SET body_json = replace(body_json, 'true', 'false') WHERE stage = 'labelling'",
     "answer-body"),
    ("UPDATE answer SET worker_id = worker_id % 8 + 1 WHERE stage = 'captions'", "answer-rows"),
    ("DELETE FROM icon_drop WHERE id = 1", "answer-rows"),
    ("UPDATE point SET x = x + 0.25 WHERE id = 1", "answer-rows"),
    ("DELETE FROM mask_vote WHERE id = 1", "answer-rows"),
    ("UPDATE caption SET text = 'another text' WHERE id = 1", "answer-rows"),
    ("DELETE FROM caption WHERE id = 1", "answer-rows"),
    ("UPDATE segmentation SET parts_json = '[]' WHERE id = 1", "mask"),
    ("UPDATE segmentation SET parts_json = 'nonsense' WHERE id = 1", "answer-rows"),
    ("UPDATE segmentation SET parts_json = (SELECT parts_json FROM segmentation WHERE id = 2) WHERE id = 1",
     "mask"),
    ("UPDATE segmentation SET instance_id = (SELECT max(id) FROM instance) WHERE id = 1", "instance"),
    ("UPDATE instance SET state = 'pool' WHERE id = 1", "instance"),
    ("UPDATE instance SET attempt = 9 WHERE id = 1", "instance"),
    ("UPDATE unit SET state = 'cancelled' WHERE stage = 'labelling'", "unit-image"),
    ("UPDATE unit SET state = 'open' WHERE id = (SELECT min(id) FROM unit WHERE stage = 'verification')",
     "unit-verdict"),
    ("UPDATE unit SET state = 'open' WHERE id = (SELECT min(id) FROM unit WHERE stage = 'segmentation')",
     "cell-units"),
    ("UPDATE unit SET author_id = NULL WHERE stage = 'verification'", "unit-verdict"),
    ("UPDATE cell SET prior_x = prior_x + 5 WHERE id = 1", "cell-icon"),
    ("INSERT INTO cell (image_id, category_id, prior_x, prior_y) SELECT i.id, k.id, 1, 1 FROM image i, "
     "category k WHERE NOT EXISTS (SELECT 1 FROM cell WHERE image_id = i.id AND category_id = k.id) LIMIT 1",
     "cell-icon"),
]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A campaign that has gone through the whole chain, as the bytes of its file."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("chain", Path(__file__).with_name("test_engine.py"))
    assert spec is not None
    assert spec.loader is not None
    chain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chain)
    path = tmp_path_factory.mktemp("doctor") / "campaign.db"

    async def play() -> None:
        store = await open_store(path, create=True, durable=False)
        await engine.create_campaign(store, CampaignConfig(), 0, secret="5e" * 32)
        await chain.work(store, await chain.prepare(store), chain.CHAIN)
        await store.close()

    asyncio.run(play())
    return path.read_bytes()


async def _examined(path: Path, plant: str | None) -> set[str]:
    store = await open_store(path, durable=False)
    try:
        if plant is not None:
            await store.write(lambda c: c.execute(text("PRAGMA defer_foreign_keys = ON")))
            changed = await store.write(lambda c: c.execute(text(plant)).rowcount)
            assert changed > 0, "the plant changed nothing"
        return {fault.rule for fault in await engine.doctor(store)}
    finally:
        await store.close()


def test_a_sound_campaign_has_no_fault(finished: bytes, tmp_path: Path) -> None:
    path = tmp_path / "campaign.db"
    path.write_bytes(finished)
    assert asyncio.run(_examined(path, None)) == set()


@pytest.mark.parametrize(("plant", "rule"), PLANTS)
def test_the_doctor_finds(finished: bytes, tmp_path: Path, plant: str, rule: str) -> None:
    path = tmp_path / "campaign.db"
    path.write_bytes(finished)
    assert rule in asyncio.run(_examined(path, plant))
