"""amidst.crowd.rules: tables of outcomes, and the vote rule against the thesis's arithmetic."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from amidst.crowd.rules import (
    Drop,
    FilterInputs,
    GateInputs,
    LabellingInputs,
    ProposalRow,
    RegionInputs,
    SelectionInputs,
    SpottingInputs,
    VerdictInputs,
    choose_categories,
    clusters,
    filter_image,
    judge_mask,
    judge_region,
    open_gate,
    prior,
    unite_labels,
    unite_points,
)

GOOD, BAD = True, False


def verdict(
    *votes: bool, early_stop: bool = True, by_expert: bool = False, counts: bool = True
) -> tuple[str, int]:
    outcome = judge_mask(
        VerdictInputs(
            votes=votes,
            first=3,
            more=2,
            good_needed=4,
            early_stop=early_stop,
            by_expert=by_expert,
            counts=counts,
        )
    )
    return outcome.state, outcome.needed


@pytest.mark.parametrize(
    ("votes", "early_stop", "outcome"),
    [
        ((), True, ("pending", 3)),
        ((GOOD, GOOD), True, ("pending", 3)),
        ((GOOD, GOOD, GOOD), True, ("accepted", 3)),
        ((BAD,), True, ("pending", 3)),
        ((GOOD, GOOD, BAD), True, ("pending", 5)),
        ((GOOD, GOOD, BAD, GOOD), True, ("pending", 5)),
        ((GOOD, GOOD, BAD, GOOD, GOOD), True, ("accepted", 5)),
        ((GOOD, GOOD, BAD, GOOD, BAD), True, ("discarded", 5)),
        ((BAD, BAD), True, ("discarded", 2)),
        ((GOOD, GOOD, BAD, BAD), True, ("discarded", 4)),
        ((BAD, BAD), False, ("pending", 3)),
        ((BAD, BAD, BAD), False, ("pending", 5)),
        ((BAD, BAD, GOOD, GOOD, GOOD), False, ("discarded", 5)),
        ((GOOD, GOOD, GOOD, BAD, BAD), True, ("accepted", 3)),  # votes after the verdict do not count
    ],
)
def test_verdicts(votes: tuple[bool, ...], early_stop: bool, outcome: tuple[str, int]) -> None:
    assert verdict(*votes, early_stop=early_stop) == outcome


def test_experts_are_believed_and_void_authors_are_not() -> None:
    assert verdict(by_expert=True)[0] == "accepted"
    assert verdict(GOOD, GOOD, GOOD, counts=False)[0] == "withdrawn"


def test_early_stop_saves_votes_and_never_changes_the_outcome() -> None:
    for votes in product((GOOD, BAD), repeat=5):
        finals = []
        for early_stop in (True, False):
            given: tuple[bool, ...] = ()
            while (state := verdict(*given, early_stop=early_stop)[0]) == "pending":
                given = votes[: len(given) + 1]
            finals.append((state, len(given)))
        assert finals[0][0] == finals[1][0]
        assert finals[0][1] <= finals[1][1]


@pytest.mark.parametrize(
    ("good", "accepted", "votes"), [(0.9, 0.926, 3.54), (0.7, 0.559, 4.31), (0.3, 0.044, 4.95)]
)
def test_acceptance_is_what_the_rule_promises(good: float, accepted: float, votes: float) -> None:
    """All 32 sequences weighted; P = q^3 + 3 q^4 (1 - q), as derived in the specification."""
    chance = mean = 0.0
    for sequence in product((GOOD, BAD), repeat=5):
        weight = float(np.prod([good if vote else 1 - good for vote in sequence]))
        given: tuple[bool, ...] = ()
        while (state := verdict(*given, early_stop=False)[0]) == "pending":
            given = sequence[: len(given) + 1]
        chance += weight * (state == "accepted")
        mean += weight * len(given)
    assert chance == pytest.approx(good**3 + 3 * good**4 * (1 - good), abs=1e-12)
    assert chance == pytest.approx(accepted, abs=5e-4)
    assert mean == pytest.approx(votes, abs=5e-3)


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [((), "pending"), ((GOOD, GOOD), "accepted"), ((BAD, BAD), "discarded"), ((GOOD, BAD), "pending")],
)
def test_regions_need_two_of_three(votes: tuple[bool, ...], outcome: str) -> None:
    inputs = RegionInputs(
        votes=votes, total=3, good_needed=2, early_stop=True, by_expert=False, empty=False, counts=True
    )
    assert judge_region(inputs).state == outcome


@pytest.mark.parametrize(
    ("reasons", "state"),
    [
        ((), "candidate"),
        (("",), "candidate"),
        (("", ""), "kept"),
        (("", "invalid"), "candidate"),
        (("", "invalid", ""), "kept"),
        (("iconic_object", "invalid"), "removed"),
    ],
)
def test_images_go_on_two_of_three(reasons: tuple[str, ...], state: str) -> None:
    assert filter_image(FilterInputs(reasons=reasons, workers=3, remove_votes=2)).state == state


def test_no_drop_is_no_category() -> None:
    outcome = unite_labels(LabellingInputs(answers=8, workers=8, drops=(), radius=10))
    assert outcome.complete
    assert outcome.present == ()


def test_one_worker_is_enough_for_a_category() -> None:
    drops = (Drop(7, 1, 2), Drop(3, 50, 50), Drop(3, 51, 50), Drop(3, 90, 90))
    outcome = unite_labels(LabellingInputs(answers=7, workers=8, drops=drops, radius=10))
    assert not outcome.complete
    assert outcome.present == (Drop(3, 50, 50), Drop(7, 1, 2))


def test_the_prior_is_a_point_of_the_largest_cluster() -> None:
    points = [(0.0, 0.0), (100.0, 100.0), (104.0, 100.0), (108.0, 100.0)]
    assert prior(points, radius=5) == (104.0, 100.0)
    assert prior(points, radius=1) == (0.0, 0.0)  # no cluster is larger: the first


def test_clusters_are_chains() -> None:
    x = np.array([0.0, 4, 8, 100, 103])
    assert clusters(np.abs(x[:, None] - x), 5).tolist() == [0, 0, 0, 1, 1]
    assert clusters(np.zeros((0, 0)), 5).tolist() == []


@pytest.mark.parametrize(
    ("answers", "complete", "many"),
    [
        ((), False, False),
        (((10, False),) * 3 + ((2, False),) * 5, True, False),
        (((10, False),) * 4 + ((2, False),) * 4, True, True),
        (((10, True),) * 4, False, True),
    ],
)
def test_points(answers: tuple[tuple[int, bool], ...], complete: bool, many: bool) -> None:
    outcome = unite_points(SpottingInputs(answers=answers, workers=8, max_points=10, crowd_votes=4))
    assert (outcome.complete, outcome.more_than_10) == (complete, many)


@pytest.mark.parametrize(
    ("attempts", "state", "left"),
    [
        ((), "open", 5),
        ((True,), "open", 4),
        ((True, True), "passed", 0),
        ((False, False, True, False, True), "passed", 0),
        ((False,) * 5, "paused", 5),
        ((True, False, False, False, False), "paused", 5),
        ((False,) * 5 + (True,), "open", 4),  # a new round after the pause
        ((False,) * 5 + (True, True), "passed", 0),
    ],
)
def test_gates(attempts: tuple[bool, ...], state: str, left: int) -> None:
    timed = tuple((passed, index) for index, passed in enumerate(attempts))
    outcome = open_gate(GateInputs(attempts=timed, passes=2, tries=5, pause_us=100))
    assert (outcome.state, outcome.tries_left) == (state, left)
    assert outcome.until == (104 if state == "paused" else 0)


def test_categories_wait_for_every_voter() -> None:
    rows = tuple(ProposalRow(name, "", False, True, None) for name in ("a", "b", "c"))
    votes = (("1", "a", 5), ("1", "b", 1), ("1", "c", 3), ("2", "a", 4), ("2", "b", 2), ("2", "c", 5))

    def chosen(ballots: int) -> tuple[str, ...]:
        inputs = SelectionInputs(
            proposals=rows, votes=votes, voters=2, ballots=ballots, target=2, more_instances_than=0
        )
        return choose_categories(inputs).taken

    assert chosen(1) == ()
    assert chosen(2) == ("a", "c")


@pytest.mark.parametrize(
    ("least", "most", "taken"),
    [(0, 0, ("a", "b", "c")), (1, 0, ("a", "b", "d")), (0, 2, ("a", "b", "d")), (1, 1, ("a", "d"))],
)
def test_every_super_category_has_its_least_and_most(least: int, most: int, taken: tuple[str, ...]) -> None:
    groups = {"a": "x", "b": "x", "c": "x", "d": "y"}
    inputs = SelectionInputs(
        proposals=tuple(ProposalRow(name, group, False, True, None) for name, group in groups.items()),
        votes=tuple(("1", name, points) for name, points in zip("abcd", (5, 4, 3, 2), strict=True)),
        voters=1,
        ballots=1,
        target=3,
        more_instances_than=0,
        least=least,
        most=most,
    )
    assert choose_categories(inputs).taken == taken
