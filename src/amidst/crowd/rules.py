"""The rules of the chain, each a pure function from inputs to an outcome.

Inputs are gathered from the rows that count (answers that are not voided); the application is recorded as a
decision, and can be drawn again from the recorded inputs, or from the rows as they are now. Numbers of the
configuration are part of the inputs: a decision explains itself.

Source: section 2.4 and appendix A of the thesis; what is ours is marked in `config`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.curation.selection import Proposal, Selection, SelectionSettings, Vote, select


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what a rule looks at."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what follows."""


# --- image filter: an image goes if so many of its judges say so ------------------------------------------


class FilterInputs(Inputs, frozen=True):
    """reasons: one per judge, "" to keep the image. known: the kind of the known item that it is, if any."""

    reasons: tuple[str, ...]
    workers: int
    remove_votes: int
    known: Literal["", "iconic", "not_iconic"] = ""


class FilterOutcome(Outcome, frozen=True):
    """state of the image."""

    state: Literal["candidate", "kept", "removed"]


def filter_image(inputs: FilterInputs) -> FilterOutcome:
    """Removed on `remove_votes`; kept when all have judged, or no longer enough can be against it. Of a known
    image it is the word of who vouched for it that counts.
    """
    if inputs.known:
        return FilterOutcome(state="removed" if inputs.known == "iconic" else "kept")
    against = sum(reason != "" for reason in inputs.reasons)
    if against >= inputs.remove_votes:
        return FilterOutcome(state="removed")
    to_come = inputs.workers - len(inputs.reasons)
    return FilterOutcome(state="candidate" if against + to_come >= inputs.remove_votes else "kept")


# --- labelling: present if anyone says so -----------------------------------------------------------------


class Drop(msgspec.Struct, frozen=True, array_like=True):
    """An icon."""

    category_id: int
    x: float
    y: float


class LabellingInputs(Inputs, frozen=True):
    """answers: how many workers have answered; radius: of a cluster of icons, pixels."""

    answers: int
    workers: int
    drops: tuple[Drop, ...]
    radius: float


class LabellingOutcome(Outcome, frozen=True):
    """present: of each category the place of the prior, in order of id."""

    complete: bool
    present: tuple[Drop, ...]


def unite_labels(inputs: LabellingInputs) -> LabellingOutcome:
    """The union of the workers' categories. The prior is the medoid of the largest cluster of icons."""
    by_category: dict[int, list[tuple[float, float]]] = {}
    for drop in inputs.drops:
        by_category.setdefault(drop.category_id, []).append((drop.x, drop.y))
    present = [Drop(key, *prior(by_category[key], inputs.radius)) for key in sorted(by_category)]
    return LabellingOutcome(complete=inputs.answers >= inputs.workers, present=tuple(present))


def prior(points: Sequence[tuple[float, float]], radius: float) -> tuple[float, float]:
    """The medoid of the largest cluster: points within `radius` of each other, also through others.

    Ties go to the cluster, then to the point, that lies furthest left, whoever has answered first.
    """
    xy = np.asarray(sorted(points), dtype=np.float64)
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    cluster = clusters(apart, radius)
    largest = np.flatnonzero(cluster == np.bincount(cluster).argmax())
    best = largest[apart[np.ix_(largest, largest)].sum(axis=1).argmin()]
    x, y = xy[best]
    return float(x), float(y)


def clusters(apart: npt.NDArray[np.float64], radius: float) -> npt.NDArray[np.int64]:
    """(P,) number of the cluster of each point, from distances (P, P); chains of near points are one."""
    near = apart <= radius
    label = np.full(len(apart), -1, dtype=np.int64)
    for start in range(len(apart)):
        if label[start] >= 0:
            continue
        reached, size = near[start], 0
        while reached.sum() > size:
            size = int(reached.sum())
            reached = near[reached].any(axis=0)
        label[reached] = label.max() + 1
    return label


# --- spotting: all points are kept ------------------------------------------------------------------------


class SpottingInputs(Inputs, frozen=True):
    """answers: of each worker the number of points, and whether there were more."""

    answers: tuple[tuple[int, bool], ...]
    workers: int
    max_points: int
    crowd_votes: int


class SpottingOutcome(Outcome, frozen=True):
    """more_than_10: a candidate for a crowd region."""

    complete: bool
    more_than_10: bool


def unite_points(inputs: SpottingInputs) -> SpottingOutcome:
    """Points are not merged: drawing settles which are of one instance."""
    many = sum(more or number >= inputs.max_points for number, more in inputs.answers)
    return SpottingOutcome(
        complete=len(inputs.answers) >= inputs.workers, more_than_10=many >= inputs.crowd_votes
    )


# --- verification: three votes, two more after a bad one --------------------------------------------------


class VerdictInputs(Inputs, frozen=True):
    """votes: True is good, in the order of their arrival. counts: the author's work is not void. retired:
    nobody asks about its category any more.
    """

    votes: tuple[bool, ...]
    first: int
    more: int
    good_needed: int
    early_stop: bool
    by_expert: bool
    counts: bool
    retired: bool = False


class VerdictOutcome(Outcome, frozen=True):
    """needed: votes that the mask should get in all."""

    state: Literal["pending", "accepted", "discarded", "withdrawn"]
    needed: int


def judge_mask(inputs: VerdictInputs) -> VerdictOutcome:
    """All of the first votes good: accepted. Any bad: more voters, and `good_needed` of all must be good.
    Masks of a retired category are not judged to the end.
    """
    return _called_off(inputs.retired, _judge_mask(inputs))


def _called_off(retired: bool, outcome: VerdictOutcome) -> VerdictOutcome:
    undecided = retired and outcome.state == "pending"
    return VerdictOutcome(state="withdrawn", needed=0) if undecided else outcome


def _judge_mask(inputs: VerdictInputs) -> VerdictOutcome:
    if not inputs.counts:
        return VerdictOutcome(state="withdrawn", needed=0)
    if inputs.by_expert:
        return VerdictOutcome(state="accepted", needed=0)
    total = inputs.first + inputs.more
    early = inputs.votes[: inputs.first]
    if all(early):
        state: Literal["pending", "accepted"] = "accepted" if len(early) == inputs.first else "pending"
        return VerdictOutcome(state=state, needed=inputs.first)
    votes = inputs.votes[:total]
    if inputs.early_stop and votes.count(False) > total - inputs.good_needed:
        return VerdictOutcome(state="discarded", needed=len(votes))
    if len(early) < inputs.first:
        return VerdictOutcome(state="pending", needed=inputs.first)
    if len(votes) < total:
        return VerdictOutcome(state="pending", needed=total)
    good = votes.count(True) >= inputs.good_needed
    return VerdictOutcome(state="accepted" if good else "discarded", needed=total)


class RegionInputs(Inputs, frozen=True):
    """The same of a crowd region; empty: the worker said that none is left."""

    votes: tuple[bool, ...]
    total: int
    good_needed: int
    early_stop: bool
    by_expert: bool
    empty: bool
    counts: bool
    retired: bool = False


def judge_region(inputs: RegionInputs) -> VerdictOutcome:
    """Accepted if `good_needed` of `total` votes are good. "None left" and experts are believed."""
    return _called_off(inputs.retired, _judge_region(inputs))


def _judge_region(inputs: RegionInputs) -> VerdictOutcome:
    if not inputs.counts:
        return VerdictOutcome(state="withdrawn", needed=0)
    if inputs.by_expert or inputs.empty:
        return VerdictOutcome(state="accepted", needed=0)
    votes = inputs.votes[: inputs.total]
    good, bad = votes.count(True), votes.count(False)
    if len(votes) < inputs.total and not inputs.early_stop:
        return VerdictOutcome(state="pending", needed=inputs.total)
    if good >= inputs.good_needed:
        return VerdictOutcome(state="accepted", needed=len(votes))
    if bad > inputs.total - inputs.good_needed:
        return VerdictOutcome(state="discarded", needed=len(votes))
    return VerdictOutcome(state="pending", needed=inputs.total)


# --- training: the gate of a category ---------------------------------------------------------------------


class GateInputs(Inputs, frozen=True):
    """attempts: (passed, time) in order; the tries are counted anew after a pause."""

    attempts: tuple[tuple[bool, int], ...]
    passes: int
    tries: int
    pause_us: int


class GateOutcome(Outcome, frozen=True):
    """until: end of the pause. passed, tries_left: in the present round."""

    state: Literal["open", "passed", "paused"]
    until: int
    passed: int
    tries_left: int


def open_gate(inputs: GateInputs) -> GateOutcome:
    """`passes` of up to `tries` known masks open the gate for good; else it pauses and a new round begins."""
    passed = tries = until = 0
    for good, time in inputs.attempts:
        if until:
            passed = tries = until = 0
        tries += 1
        passed += good
        if passed >= inputs.passes:
            return GateOutcome(state="passed", until=0, passed=passed, tries_left=0)
        if tries >= inputs.tries:
            until = time + inputs.pause_us
    if until:
        return GateOutcome(state="paused", until=until, passed=0, tries_left=inputs.tries)
    return GateOutcome(state="open", until=0, passed=passed, tries_left=inputs.tries - tries)


# --- category votes ---------------------------------------------------------------------------------------


class ProposalRow(msgspec.Struct, frozen=True):
    """`selection.Proposal` as a record."""

    name: str
    supercategory: str
    mandatory: bool
    thing: bool
    instances: int | None


class SelectionInputs(Inputs, frozen=True):
    """votes: (voter, candidate, points). least, most: of every super-category; most 0 for no limit."""

    proposals: tuple[ProposalRow, ...]
    votes: tuple[tuple[str, str, int], ...]
    voters: int
    ballots: int
    target: int
    more_instances_than: int
    least: int = 0
    most: int = 0


class SelectionOutcome(Outcome, frozen=True):
    """Chosen names, best first, and the reason of every candidate; empty until all have voted."""

    complete: bool
    taken: tuple[str, ...]
    reasons: dict[str, str]


def choose_categories(inputs: SelectionInputs) -> SelectionOutcome:
    """`curation.selection`, once every voter has voted."""
    if inputs.ballots < inputs.voters:
        return SelectionOutcome(complete=False, taken=(), reasons={})
    chosen = select_among(inputs, [Vote(*vote) for vote in inputs.votes])
    reasons = {standing.proposal.name: standing.reason for standing in chosen.standings}
    return SelectionOutcome(complete=True, taken=chosen.taken, reasons=reasons)


def select_among(inputs: SelectionInputs, votes: Sequence[Vote]) -> Selection:
    """`curation.selection` of a ballot. Whether it can choose does not depend on the votes: UsageError."""
    groups = {one.supercategory for one in inputs.proposals}
    return select(
        [Proposal(p.name, p.supercategory, p.mandatory, p.thing, p.instances) for p in inputs.proposals],
        votes,
        SelectionSettings(
            target=inputs.target,
            more_instances_than=inputs.more_instances_than,
            least=dict.fromkeys(sorted(groups), inputs.least) if inputs.least else {},
            most=dict.fromkeys(sorted(groups), inputs.most) if inputs.most else {},
        ),
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name. version grows when the same inputs give another outcome.

    numbers: the inputs that are configuration, which a decision keeps when the configuration changes.
    """

    name: str
    version: int
    inputs: type[Inputs]
    outcome: type[Outcome]
    decide: Callable[[Any], Outcome]
    numbers: tuple[str, ...]


IMAGE_KEPT = Rule("image-kept", 1, FilterInputs, FilterOutcome, filter_image, ("workers", "remove_votes"))
CATEGORIES_PRESENT = Rule(
    "categories-present", 1, LabellingInputs, LabellingOutcome, unite_labels, ("workers", "radius")
)
POINTS_UNITED = Rule(
    "points-united",
    1,
    SpottingInputs,
    SpottingOutcome,
    unite_points,
    ("workers", "max_points", "crowd_votes"),
)
MASK_VERDICT = Rule(
    "mask-verdict",
    1,
    VerdictInputs,
    VerdictOutcome,
    judge_mask,
    ("first", "more", "good_needed", "early_stop"),
)
REGION_VERDICT = Rule(
    "region-verdict", 1, RegionInputs, VerdictOutcome, judge_region, ("total", "good_needed", "early_stop")
)
GATE = Rule("gate", 1, GateInputs, GateOutcome, open_gate, ("passes", "tries", "pause_us"))
CATEGORIES_CHOSEN = Rule(
    "categories-chosen",
    1,
    SelectionInputs,
    SelectionOutcome,
    choose_categories,
    ("voters", "target", "more_instances_than", "least", "most"),
)
