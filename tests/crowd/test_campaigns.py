"""amidst.crowd.campaigns: what may be added, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from amidst.coco import masks
from amidst.crowd import engine
from amidst.crowd.bodies import Client, LabellingTask
from amidst.crowd.config import CampaignConfig
from amidst.crowd.results import Ticket
from amidst.crowd.store import Store
from amidst.curation.selection import Proposal
from amidst.errors import DataError, UnknownRecord, UsageError

Play = Callable[..., Any]


def category(id: int, name: str, group: str = "all") -> engine.NewCategory:
    return engine.NewCategory(id=id, name=name, supercategory=group)


def picture(name: str, width: int = 9) -> engine.NewImage:
    return engine.NewImage(file_name=name, width=width, height=9)


def test_what_cannot_be_added(with_store: Play) -> None:
    async def play(store: Store) -> None:
        with pytest.raises(UsageError, match="holds a campaign already"):
            await engine.create_campaign(store, CampaignConfig(), 0, secret="")
        await engine.add_categories(store, [category(1, "cat"), category(10**9, "x" * 200)])
        for wrong in (category(1, "dog"), category(2, "cat"), category(0, "dog"), category(3, " ")):
            with pytest.raises(DataError):
                await engine.add_categories(store, [category(7, "seven"), wrong])
        assert await engine.add_images(store, [], 0) == []
        await engine.add_images(store, [picture("a")], 0)
        for images in ([picture("a")], [picture("b"), picture("b")], [picture("c", 0)]):
            with pytest.raises(DataError):
                await engine.add_images(store, images, 0)
        with pytest.raises(DataError, match="proposed twice"):
            await engine.add_candidates(store, [Proposal("p"), Proposal("p")], 0)
        with pytest.raises(UnknownRecord):
            await engine.retire_category(store, 5, 1)
        with pytest.raises(UnknownRecord):
            await engine.change_worker(store, 5, state="banned")
        with pytest.raises(UnknownRecord):
            await engine.add_gold_mask(store, 1, 5, masks.empty((9, 9)))
        with pytest.raises(DataError, match="too small"):
            await engine.add_gold_mask(store, 1, 1, masks.empty((9, 9)))
        found = await engine.export(store)  # nothing of what was refused is there
        assert [(c.id, c.name) for c in found.dataset.categories] == [(1, "cat"), (10**9, "x" * 200)]
        assert [image.file_name for image in found.dataset.images] == ["a"]

    with_store(play)


def test_a_retired_category_leaves_the_panels(with_store: Play) -> None:
    async def play(store: Store) -> None:
        await engine.add_categories(store, [category(2, "b"), category(1, "a"), category(3, "c", "other")])
        await engine.retire_category(store, 3, 1)
        await engine.add_images(store, [picture("a")], 0)
        worker = await engine.add_worker(store, "ann", 0)
        got = await engine.lease(store, worker, "labelling", 1)
        assert isinstance(got, Ticket)
        assert isinstance(got.task, LabellingTask)
        assert [[c.name for c in panel.categories] for panel in got.task.panels] == [["a", "b"]]
        assert (await engine.read_worker(store, worker)).display == "ann"

    with_store(play)


def test_known_masks_are_kept_with_their_spoiled_kin(with_store: Play) -> None:
    async def play(store: Store) -> None:
        await engine.add_categories(store, [category(1, "a")])
        (image,) = await engine.add_images(
            store, [engine.NewImage(file_name="g", width=60, height=60)], 0, state="gold"
        )
        square = masks.from_box((20, 20, 20, 20), (60, 60))
        made = await engine.add_gold_mask(store, image, 1, square)
        golds = await engine.list_golds(store)
        assert [gold.id for gold in golds] == made
        kinds = [gold.kind for gold in golds]
        assert kinds[:2] == ["training", "known_good"]
        assert set(kinds[2:]) == {"known_bad"}
        assert len(kinds) >= 6
        await engine.retire_gold(store, made[0])
        assert (await engine.list_golds(store))[0].state == "retired"
        with pytest.raises(UnknownRecord):
            await engine.retire_gold(store, 1000)

    with_store(play)


@pytest.mark.parametrize("voted", [False, True])
def test_no_candidate_joins_a_vote_that_has_begun(with_store: Play, voted: bool) -> None:
    async def play(store: Store) -> None:
        worker = await engine.add_worker(store, "w", 0)
        await engine.add_candidates(store, [Proposal("x")], 0)
        await engine.add_candidates(store, [Proposal("y")], 0)  # nobody has seen the ballot
        ticket = await engine.lease(store, worker, "category_votes", 1)
        assert isinstance(ticket, Ticket)
        scores = {"scores": [{"candidate": 1, "score": 3}, {"candidate": 2, "score": 4}]}
        if voted:
            await engine.submit(store, worker, ticket.id, ticket.token, "k", scores, Client(), 2)
        with pytest.raises(UsageError, match="the vote on categories has begun"):
            await engine.add_candidates(store, [Proposal("z")], 3)
        await engine.add_candidates(store, [], 3)
        assert len((await engine.ballot(store))[0].proposals) == 2
        if not voted:
            await engine.release(store, worker, ticket.id, ticket.token)
            await engine.add_candidates(store, [Proposal("z")], 4)

    with_store(play)
