"""amidst.crowd.numbers: a number that is changed while a campaign runs strands no work, up or down."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import text

from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.bodies import Client
from amidst.crowd.config import CampaignConfig, Stage
from amidst.crowd.results import NoWork, Receipt, Ticket
from amidst.crowd.store import Store
from amidst.curation.selection import Proposal
from amidst.errors import UsageError

Play = Callable[..., Any]
LABELS = {"panels": [{"super": "animal", "present": True, "icons": [{"category": 1, "x": 50, "y": 50}]}]}
CROSS = {"points": [{"x": 50, "y": 50}]}
SQUARE = {"kind": "mask", "parts": [{"points": [[30, 30], [70, 30], [70, 70], [30, 70]]}]}
CONFIG = override(
    CampaignConfig(),
    [
        "image_filter.known_iconic=0",
        "image_filter.known_good=0",
        "image_filter.must_find=0",
        "labelling.workers=1",
        "spotting.workers=1",
        "segmentation.require_training=false",
        "segmentation.gold_most=0",
        "segmentation.gold_least=0",
        "verification.known_bad=0",
        "verification.known_good=0",
        "verification.must_find=0",
        "verification.min_items=1",
        "verification.max_marked=1.0",
    ],
)


class Campaign:
    """A campaign with eight workers and a clock of its own."""

    def __init__(self, store: Store, state: str) -> None:
        self.store, self.state = store, state
        self.clock: Iterator[int] = itertools.count(1_700_000_000_000_000, 1_000_000)
        self.workers: list[int] = []

    async def begin(self) -> None:
        await engine.add_categories(self.store, [engine.NewCategory(1, "dog", "animal")])
        picture = engine.NewImage("a.jpg", 100, 100)
        await engine.add_images(self.store, [picture], next(self.clock), state=self.state)  # type: ignore[arg-type]
        self.workers = [await engine.add_worker(self.store, f"w{n}", 0) for n in range(8)]

    async def change(self, *settings: str) -> None:
        config = override(await engine.campaign_config(self.store), list(settings))
        await engine.change_config(self.store, config, next(self.clock))
        assert await engine.doctor(self.store) == []

    async def work(self, stage: Stage, body: object, workers: Sequence[int] = range(8)) -> int:
        """How many of the workers (by place) find work and do it."""
        done = 0
        for place in workers:
            worker = self.workers[place]
            ticket = await engine.lease(self.store, worker, stage, next(self.clock))
            if isinstance(ticket, NoWork):
                continue
            assert isinstance(ticket, Ticket)
            key = f"k{ticket.id}"
            said = body(ticket.task) if callable(body) else body
            got = await engine.submit(
                self.store, worker, ticket.id, ticket.token, key, said, Client(), next(self.clock)
            )
            assert isinstance(got, Receipt)
            done += 1
        assert await engine.doctor(self.store) == []
        return done

    async def state_of(self, table: str) -> list[str]:
        query = text(f"SELECT state FROM {table} ORDER BY id")
        return await self.store.read(lambda c: [row[0] for row in c.execute(query)])


@pytest.fixture
def campaign(with_store: Play) -> Play:
    """campaign(play, *settings) runs `await play(campaign)`."""

    def run(play: Callable[[Campaign], Any], *settings: str, state: str = "kept") -> None:
        async def main(store: Store) -> None:
            made = Campaign(store, state)
            await made.begin()
            await play(made)

        with_store(main, override(CONFIG, list(settings)))

    return run


def test_an_empty_change(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        await one.change()
        assert await one.work("labelling", LABELS) == 1

    campaign(play)


def test_labelling(campaign: Play) -> None:
    async def up(one: Campaign) -> None:
        assert await one.work("labelling", LABELS, [0]) == 1
        await one.change("labelling.workers=4")
        assert await one.work("labelling", LABELS) == 3
        assert await one.state_of("cell") == ["spotting"]
        await one.change("labelling.workers=6")  # what was decided stays decided
        assert await one.work("labelling", LABELS) == 0

    campaign(up, "labelling.workers=2")


def test_labelling_lowered(campaign: Play) -> None:
    async def down(one: Campaign) -> None:
        assert await one.work("labelling", LABELS, [0, 1, 2]) == 3
        assert await one.state_of("cell") == []
        await one.change("labelling.workers=2")
        assert await one.state_of("cell") == ["spotting"]
        assert await one.work("labelling", LABELS) == 0

    campaign(down, "labelling.workers=4")


def test_a_number_lowered_below_what_is_under_way(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        ticket = await engine.lease(one.store, one.workers[0], "labelling", next(one.clock))
        other = await engine.lease(one.store, one.workers[1], "labelling", next(one.clock))
        assert isinstance(ticket, Ticket)
        assert isinstance(other, Ticket)
        await one.change("labelling.workers=1")
        assert await one.work("labelling", LABELS, [2, 3]) == 0
        for worker, held in ((one.workers[0], ticket), (one.workers[1], other)):
            assert await one.state_of("cell") == []
            got = await engine.submit(
                one.store, worker, held.id, held.token, "k", LABELS, Client(), next(one.clock)
            )
            assert isinstance(got, Receipt)
        assert await one.state_of("cell") == ["spotting"]

    campaign(play, "labelling.workers=4")


def test_image_filter(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        assert await one.work("image_filter", {"removed": []}, [0]) == 1
        await one.change("image_filter.workers=5", "image_filter.remove_votes=3")
        assert await one.work("image_filter", {"removed": []}, [1]) == 1
        assert await one.state_of("image") == ["candidate"]
        await one.change("image_filter.workers=2", "image_filter.remove_votes=2")
        assert await one.state_of("image") == ["kept"]
        await one.change("image_filter.workers=5")
        assert await one.work("image_filter", {"removed": []}) == 0

    campaign(play, "image_filter.workers=3", state="candidate")


def test_spotting(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        await one.work("labelling", LABELS, [0])
        assert await one.work("spotting", CROSS, [0]) == 1
        await one.change("spotting.workers=4")
        assert await one.work("spotting", CROSS, [1, 2]) == 2
        assert await one.state_of("cell") == ["spotting"]
        await one.change("spotting.workers=3")
        assert await one.state_of("cell") == ["segmenting"]

    campaign(play, "spotting.workers=2")


def test_captions(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        words = "a dog stands on the {} of a wide green meadow"
        for place, side in enumerate(("left", "far right end behind bushes")):
            assert await one.work("captions", {"text": words.format(side)}, [place]) == 1
        await one.change("captions.workers=2")
        assert await one.work("captions", {"text": "one two three four five six seven eight"}) == 0
        await one.change("captions.workers=3")
        assert await one.work("captions", {"text": "one two three four five six seven eight"}) == 0

    campaign(play, "captions.workers=3", "captions.similarity=1.0")


def test_votes_on_masks(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        await one.work("labelling", LABELS, [0])
        await one.work("spotting", CROSS, [0])
        assert await one.work("segmentation", SQUARE, [0]) == 1
        assert await one.work("verification", {"bad": []}, [1]) == 1
        await one.change("verification.votes=5")
        assert await one.work("verification", {"bad": []}, [2, 3]) == 2
        assert await one.state_of("segmentation") == ["pending"]
        await one.change("verification.votes=3")
        assert await one.state_of("segmentation") == ["accepted"]
        await one.change("verification.votes=5")
        assert await one.work("verification", {"bad": []}) == 0

    campaign(play, "verification.votes=2", "verification.good_votes=2")


def test_more_votes_after_a_bad_one(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        await one.work("labelling", LABELS, [0])
        await one.work("spotting", CROSS, [0])
        assert await one.work("segmentation", SQUARE, [0]) == 1
        assert await one.work("verification", {"bad": [0]}, [1]) == 1
        assert await one.work("verification", {"bad": []}, [2]) == 1
        await one.change("verification.more_votes=3")
        assert await one.work("verification", {"bad": []}, [3]) == 1
        assert await one.state_of("segmentation") == ["pending"]
        await one.change("verification.more_votes=1", "verification.good_votes=2")
        assert await one.state_of("segmentation") == ["accepted"]

    campaign(play, "verification.votes=2", "verification.good_votes=3", "verification.early_stop=false")


def test_voters(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        await engine.add_candidates(one.store, [Proposal("x", "t"), Proposal("y", "t")], 0)
        scores = {"scores": [{"candidate": 1, "score": 3}, {"candidate": 2, "score": 4}]}
        assert await one.work("category_votes", scores, [0]) == 1
        await one.change("category_votes.voters=4")
        assert await one.work("category_votes", scores, [1, 2]) == 2
        assert not (await engine.ballot(one.store))[1].complete
        await one.change("category_votes.voters=3")
        assert (await engine.ballot(one.store))[1].complete
        await one.change("category_votes.voters=5")
        assert (await engine.ballot(one.store))[1].complete

    campaign(play, "category_votes.voters=2", "category_votes.target=1")


def test_what_was_stranded_is_found_and_settled(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        assert await one.work("labelling", LABELS, [0, 1]) == 2
        short = text("UPDATE unit SET needed = 2, state = 'decided' WHERE stage = 'labelling'")
        await one.store.write(lambda c: c.execute(short))  # as an older version left it
        assert [fault.rule for fault in await engine.doctor(one.store)] == ["undecided", "incomplete"]
        await one.change()
        assert await one.state_of("cell") == ["spotting"]

    campaign(play, "labelling.workers=3")


def test_the_least_and_most_of_a_super_category(campaign: Play) -> None:
    async def play(one: Campaign) -> None:
        things = [Proposal("x", "t"), Proposal("y", "t"), Proposal("z", "u")]
        with pytest.raises(UsageError, match="2 categories are asked for"):
            await engine.add_candidates(one.store, things, 0)  # of u there is one alone
        await one.change("category_votes.least=1")
        await engine.add_candidates(one.store, things, 0)
        with pytest.raises(UsageError, match="2 categories are asked for"):
            await one.change("category_votes.least=2", "category_votes.target=3")

        def vote(task: Any) -> object:
            points = {"x": 5, "y": 4, "z": 3}
            return {
                "scores": [{"candidate": each.id, "score": points[each.name]} for each in task.candidates]
            }

        assert await one.work("category_votes", vote, [0]) == 1
        inputs, outcome = await engine.ballot(one.store)
        assert (inputs.least, outcome.taken) == (1, ("x", "z"))
        (chosen,) = await engine.list_decisions(one.store, "campaign/1")
        assert (chosen.inputs["least"], chosen.inputs["most"]) == (1, 0)
        await one.change("category_votes.least=2")  # decided is decided

    campaign(play, "category_votes.voters=1", "category_votes.target=2", "category_votes.least=2")
