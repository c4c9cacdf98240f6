"""Verification grids in memory: verdicts, the gate, spoiled masks."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.coco import masks
from amidst.crowd.bodies import Body, CategoryRef, Task
from amidst.crowd.config import CampaignConfig, VerificationConfig
from amidst.crowd.simulated_answers import Memory, answer
from amidst.crowd.simulated_grids import Candidate, fill_and_judge, judge, passes_gate, spoil
from amidst.crowd.simulated_workers import SPAM, CrowdModel, Habit, SimulatedWorker, make_workers
from amidst.crowd.world import World, generate_world

RULES = VerificationConfig()
THESIS = VerificationConfig(known_good=0, max_marked=1.0, tries=1)


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(seed=5, num_images=25)


def candidate(world: World, overlap: float = 1.0) -> Candidate:
    image = next(image for image in world.images if image.objects)
    thing = image.objects[0]
    return Candidate(image, CategoryRef(id=thing.category_id, name=""), thing.mask, -1, overlap)


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        ("", None),
        ("gg", None),
        ("ggg", True),
        ("ggb", None),
        ("ggbg", None),
        ("ggbgg", True),
        ("ggbgb", False),
        ("gbb", False),  # at most three of five can be good
        ("bb", False),
    ],
)
def test_verdicts_by_the_rule(world: World, votes: str, verdict: bool | None) -> None:
    waiting = candidate(world)
    waiting.votes = {k: vote == "g" for k, vote in enumerate(votes)}
    assert waiting.verdict(RULES) is verdict


def test_the_gate_by_hand() -> None:
    assert not passes_gate([], 64, RULES)
    assert passes_gate([-1, -1, -1], 64, RULES)
    assert not passes_gate([-1, -1, 5], 64, RULES)
    assert passes_gate([-1, -1, -1, -2, -2, 7], 64, RULES)
    assert not passes_gate([-1] * 4 + [-2] * 3, 64, RULES)
    assert not passes_gate([-1] * 4 + list(range(29)), 64, RULES)  # 33 of 64 marked
    assert passes_gate([-1] * 4 + list(range(60)), 64, THESIS)
    assert passes_gate([], 3, RULES, gold=False)


def test_spoiled_masks_are_poor(world: World) -> None:
    rng = np.random.default_rng(0)
    for image in world.images:
        for thing in image.objects:
            spoiled = spoil(thing.mask, 0.6, rng)
            assert masks.iou([spoiled], [thing.mask])[0, 0] <= 0.6


def test_votes_come_in_the_shares_of_the_table(world: World) -> None:
    """Voters who approve with chance q: accepted as q^3 + 3 q^4 (1 - q) says, within sampling error."""
    many = 3000
    for q in (0.5, 0.8, 0.95):
        rng = np.random.default_rng(1)
        accepted = votes = 0
        for _ in range(many):
            waiting = candidate(world)
            while waiting.verdict(RULES) is None:
                waiting.votes[len(waiting.votes)] = bool(rng.random() < q)
            accepted += waiting.verdict(RULES) is True
            votes += len(waiting.votes)
        expected = q**3 + 3 * q**4 * (1 - q)
        assert accepted / many == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / many))
        assert 3 - (1 - q) ** 2 + 3 * q * q * (1 - q) * (1 + q) == pytest.approx(votes / many, abs=0.08)


def pass_rate(world: World, habit: Habit, rules: VerificationConfig, grids: int = 25) -> float:
    """Share of grids of 56 good masks that workers of a habit get through."""
    model = CrowdModel(spam=0.0 if habit == "honest" else 1.0)
    crew = [w for w in make_workers(2, 80, world.categories, model) if w.habit == habit][:15]
    images = {image.record.id: image for image in world.images}
    known = [(image, thing) for image in world.images for thing in image.objects if thing.area > 300]
    rng = np.random.default_rng(4)
    real = [Candidate(i, CategoryRef(id=t.category_id, name=""), t.mask, -1, 1.0) for i, t in known][:56]
    previous: dict[int, Body] = {}

    def ask(worker: SimulatedWorker, task: Task, earlier: Body | None) -> Body:
        memory = Memory(0, previous.get(worker.index), earlier)
        previous[worker.index] = answer(task, images, worker, rng, memory).body
        return previous[worker.index]

    through = [
        fill_and_judge(ask, crew[k % len(crew)], real, known, rules, rng) is not None for k in range(grids)
    ]
    return float(np.mean(through))


def test_the_gate_stops_each_kind_of_spam_and_lets_honest_workers_through(world: World) -> None:
    assert pass_rate(world, "honest", RULES) > 0.9
    assert pass_rate(world, "nothing", RULES) == 0.0
    assert pass_rate(world, "everything", RULES) == 0.0
    assert pass_rate(world, "everything", THESIS) == 1.0  # what the cap was added for
    # 25 % marked at random find 3 of 4 with chance .051, so three tries pass .145 at most.
    assert pass_rate(world, "random", RULES, 40) < 0.3
    assert pass_rate(world, "copy", RULES, 40) < 0.3
    assert set(SPAM) == {"nothing", "everything", "random", "copy"}


def test_good_masks_are_accepted_and_poor_ones_not(world: World) -> None:
    crew = make_workers(2, 12, world.categories, CrowdModel(spam=0.0))
    images = {image.record.id: image for image in world.images}
    rng = np.random.default_rng(4)
    known = [(image, thing) for image in world.images for thing in image.objects if thing.area > 300][:30]
    good = [Candidate(i, CategoryRef(id=t.category_id, name=""), t.mask, -1, 1.0) for i, t in known]
    poor = [
        Candidate(i, CategoryRef(id=t.category_id, name=""), spoil(t.mask, 0.4, rng), -1, 0.4)
        for i, t in known
    ]

    def ask(worker: SimulatedWorker, task: Task, earlier: Body | None) -> Body:
        return answer(task, images, worker, rng, Memory(earlier=earlier)).body

    refused: dict[str, int] = {}
    verdicts = judge(ask, crew, [*good, *poor], CampaignConfig(), rng, refused)
    assert np.mean(verdicts[: len(good)]) > 0.9
    assert np.mean(verdicts[len(good) :]) < 0.1
    assert judge(ask, crew, [], CampaignConfig(), rng, refused) == []
    assert all(len(c.votes) == len(set(c.votes)) <= 5 for c in [*good, *poor])


def test_nobody_votes_on_his_own_mask(world: World) -> None:
    crew = make_workers(2, 5, world.categories, CrowdModel(spam=0.0))
    images = {image.record.id: image for image in world.images}
    rng = np.random.default_rng(4)
    own = candidate(world)
    own.drawer = 2

    def ask(worker: SimulatedWorker, task: Task, earlier: Body | None) -> Body:
        return answer(task, images, worker, rng, Memory(earlier=earlier)).body

    judge(ask, crew, [own], CampaignConfig(), rng, {})
    assert own.votes
    assert 2 not in own.votes
