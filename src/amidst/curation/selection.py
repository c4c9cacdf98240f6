"""Choosing the categories of a dataset from votes (thesis section 2.3 and appendix B).

Each voter gives each candidate 1 to 5 points for how common, useful and different from the others it is.
Taken are

    1. all mandatory candidates (the thesis: those of PASCAL VOC),
    2. of each supercategory that has a minimum, its best candidates up to the minimum,
    3. the best of all others up to the target number, as long as their supercategory is below its maximum.

Better means a higher mean vote; then the smaller variance, then the name decides. Candidates that are no
things, or of which too few instances can be had, are not eligible, unless mandatory. Among all lists
that meet the conditions no other has a higher sum of mean votes. Every candidate that is not taken gets
the condition that kept it out.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pvariance

import msgspec

from amidst.config import Config
from amidst.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class Proposal:
    """A candidate category. instances: how many objects could be had, None if nobody estimated it."""

    name: str
    supercategory: str = ""
    mandatory: bool = False
    thing: bool = True
    instances: int | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """1 to 5 points of one voter for one candidate."""

    voter: str
    candidate: str
    points: int


class SelectionSettings(Config, frozen=True):
    """How many to choose. Quotas by supercategory; one that is not named has none."""

    target: int = 91
    more_instances_than: int = 5000
    least: dict[str, int] = msgspec.field(default_factory=dict)
    most: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate's result. `reason` says why it was taken or what kept it out; mean -1 without votes."""

    proposal: Proposal
    taken: bool
    reason: str
    mean: float
    variance: float
    votes: int


@dataclass(frozen=True)
class Selection:
    """Every candidate, best first; ties by variance, then by name."""

    standings: tuple[Standing, ...]

    @property
    def taken(self) -> tuple[str, ...]:
        """Names of the chosen categories, best first."""
        return tuple(standing.proposal.name for standing in self.standings if standing.taken)


def select(
    proposals: Sequence[Proposal], votes: Iterable[Vote], settings: SelectionSettings | None = None
) -> Selection:
    """The chosen categories and the reasons.

    Raises DataError for a name proposed twice, a vote outside 1..5, for nobody's candidate or cast
    twice; UsageError if the mandatory candidates or the minimums cannot be met.
    """
    settings = settings or SelectionSettings()
    by_name = _by_name(proposals)
    points = _points(votes, by_name)
    order = sorted(
        proposals,
        key=lambda p: (-_mean(points[p.name]), pvariance(points[p.name]) if points[p.name] else 0.0, p.name),
    )
    reasons = _taken(order, settings)
    used = Counter(by_name[name].supercategory for name in reasons)
    last = min((_mean(points[name]) for name in reasons if points[name]), default=0.0)
    standings = []
    for proposal in order:
        given = points[proposal.name]
        taken = proposal.name in reasons
        reason = (
            reasons[proposal.name]
            if taken
            else _barred(proposal, settings) or _full(proposal, settings, used)
        )
        standings.append(
            Standing(
                proposal,
                taken,
                reason
                or f"target: {settings.target} are taken, the lowest voted one with a mean of {last:.2f}",
                _mean(given),
                pvariance(given) if given else -1.0,
                len(given),
            )
        )
    return Selection(tuple(standings))


def read_votes(path: str | Path) -> tuple[Vote, ...]:
    """Votes of a CSV file with the columns voter, candidate and points. Raises UsageError or DataError."""
    votes = []
    for line, row in _rows(Path(path), {"voter", "candidate", "points"}):
        try:
            votes.append(Vote(row["voter"], row["candidate"], int(row["points"])))
        except ValueError:
            raise DataError(
                f"points must be 1 to 5, not {row['points']!r}", file=path, record=f"line {line}", rule="vote"
            ) from None
    return tuple(votes)


def read_proposals(path: str | Path) -> tuple[Proposal, ...]:
    """Candidates of a CSV file: name, and if wanted supercategory, mandatory, thing (0 or 1), instances."""
    found = []
    for line, row in _rows(Path(path), {"name"}):
        flags = {key: row.get(key) or default for key, default in (("mandatory", "0"), ("thing", "1"))}
        instances = row.get("instances") or ""
        if not set(flags.values()) <= {"0", "1"} or not (instances or "0").isdigit():
            raise DataError(
                "mandatory and thing must be 0 or 1, instances a whole number",
                file=path,
                record=f"line {line}",
                rule="candidate",
            )
        found.append(
            Proposal(
                row["name"],
                row.get("supercategory") or "",
                flags["mandatory"] == "1",
                flags["thing"] == "1",
                int(instances) if instances else None,
            )
        )
    return tuple(found)


def agreement(votes: Iterable[Vote]) -> float:
    """Krippendorff's alpha of the votes as ordered values: 1 for full agreement, 0 for chance, may be below.

    NaN where no candidate has two votes, or all votes are equal.
    """
    by_candidate: defaultdict[str, list[int]] = defaultdict(list)
    for vote in votes:
        by_candidate[vote.candidate].append(vote.points)
    units = [points for points in by_candidate.values() if len(points) > 1]
    number = Counter(value for points in units for value in points)
    total = sum(number.values())

    def apart(a: int, b: int) -> float:
        low, high = min(a, b), max(a, b)
        between = sum(number[value] for value in range(low, high + 1))
        return (between - (number[low] + number[high]) / 2) ** 2 if low != high else 0.0

    seen = sum(apart(a, b) / (len(points) - 1) for points in units for a in points for b in points)
    chance = sum(number[a] * number[b] * apart(a, b) for a in number for b in number)
    return 1 - (total - 1) * seen / chance if chance else float("nan")


def _rows(path: Path, needed: set[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text", file=path, rule="encoding") from None
    reader = csv.DictReader(io.StringIO(text))
    missing = needed - set(reader.fieldnames or ())
    if missing:
        raise DataError(
            f"the columns {', '.join(sorted(missing))} are missing", file=path, rule="missing-field"
        )
    return [
        (reader.line_num, {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)})
        for row in reader
    ]


def _by_name(proposals: Sequence[Proposal]) -> dict[str, Proposal]:
    by_name = {proposal.name: proposal for proposal in proposals}
    if len(by_name) < len(proposals):
        twice = next(name for name, n in Counter(p.name for p in proposals).items() if n > 1)
        raise DataError("proposed more than once", record=f"candidate {twice!r}", rule="duplicate-id")
    return by_name


def _points(votes: Iterable[Vote], by_name: Mapping[str, Proposal]) -> defaultdict[str, list[int]]:
    points: defaultdict[str, list[int]] = defaultdict(list)
    cast = set()
    for vote in votes:
        record = f"vote of {vote.voter!r} for {vote.candidate!r}"
        if not 1 <= vote.points <= 5:
            raise DataError(f"points must be 1 to 5, not {vote.points}", record=record, rule="vote")
        if vote.candidate not in by_name:
            raise DataError("nobody proposed this candidate", record=record, rule="unknown-candidate")
        if (vote.voter, vote.candidate) in cast:
            raise DataError("voted twice", record=record, rule="duplicate-vote")
        cast.add((vote.voter, vote.candidate))
        points[vote.candidate].append(vote.points)
    return points


def _mean(points: Sequence[int]) -> float:
    return fmean(points) if points else -1.0


def _barred(proposal: Proposal, settings: SelectionSettings) -> str | None:
    """Why a candidate is not eligible, or None."""
    if proposal.mandatory:
        return None
    if not proposal.thing:
        return "not a thing"
    if proposal.instances is not None and proposal.instances <= settings.more_instances_than:
        return f"too few: {proposal.instances} instances, more than {settings.more_instances_than} are needed"
    return None


def _full(proposal: Proposal, settings: SelectionSettings, used: Mapping[str, int]) -> str | None:
    group = proposal.supercategory
    most = settings.most.get(group)
    if most is not None and used.get(group, 0) >= most:
        return f"quota: {group} has its {most} categories"
    return None


def _taken(order: Sequence[Proposal], settings: SelectionSettings) -> dict[str, str]:
    """Reasons by name of what is taken, in the order of taking."""
    taken = {p.name: "mandatory" for p in order if p.mandatory}
    used = Counter(p.supercategory for p in order if p.mandatory)
    for group, most in settings.most.items():
        if used[group] > most or settings.least.get(group, 0) > most:
            raise UsageError(
                f"{group}: at most {most} categories, but {used[group]} are mandatory or more needed"
            )
    eligible = [p for p in order if not p.mandatory and _barred(p, settings) is None]
    for group, least in settings.least.items():
        best = [p.name for p in eligible if p.supercategory == group][: max(least - used[group], 0)]
        if used[group] + len(best) < least:
            raise UsageError(
                f"{group}: {least} categories are asked for, {used[group] + len(best)} are eligible"
            )
        used[group] += len(best)
        taken |= dict.fromkeys(best, f"minimum of {group}")
    if len(taken) > settings.target:
        raise UsageError(
            f"{len(taken)} categories are mandatory or needed for minimums, target {settings.target}"
        )
    for proposal in eligible:
        if len(taken) == settings.target:
            break
        if proposal.name not in taken and _full(proposal, settings, used) is None:
            taken[proposal.name] = "votes"
            used[proposal.supercategory] += 1
    return taken
