"""What to search for, and which of the photographs found may be used (thesis section 2.3).

Searching for one object finds iconic pictures of it: large, centred, alone. Searching for two objects
together, or for an object in a scene, finds objects among others. A single object is searched for only
when it is still short of its target, and what it finds has to pass the filter for iconic pictures.

Of what is found, a photograph is taken if its licence allows its use, it says whom to name, and fewer
than five photographs of its photographer within a window of time before it have been taken. Times are UTC.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations, product
from typing import Any, Literal

import msgspec

from amidst.config import Config
from amidst.curation.origins import parse_time
from amidst.errors import DataError

QueryKind = Literal["object-object", "object-scene", "object"]

REUSABLE = (
    "cc0",
    "cc-by",
    "cc-by-sa",
    "pdm",
    "us-government-work",
    "no-known-copyright-restrictions",
)
"""Licences that allow passing a photograph on, changed and for any purpose."""


@dataclass(frozen=True, slots=True)
class Query:
    """One search. iconic_filter: what it finds has to be looked through for iconic pictures."""

    kind: QueryKind
    terms: tuple[str, ...]
    iconic_filter: bool = False

    @property
    def text(self) -> str:
        """As it is sent to a search engine; it also identifies the query."""
        return " + ".join(self.terms)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A photograph that a source offers, before it is fetched.

    source, source_id: together its name for ever. locator: where its file is, a path or a URL. taken_at,
    uploaded_at: ISO 8601, "" if unknown. photographer: their name or account; uploader stands in for a
    missing one.
    """

    source: str
    source_id: str
    locator: str
    licence: str
    attribution: str
    photographer: str = ""
    uploader: str = ""
    taken_at: str = ""
    uploaded_at: str = ""
    title: str = ""
    query: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> str:
        """As messages name it."""
        return f"{self.source} {self.source_id}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A candidate that is not taken, by which rule, and the sentence that says so."""

    candidate: Candidate
    rule: str
    problem: str


@dataclass(frozen=True)
class Choice:
    """Candidates in the order of their time. `unattributed`: taken ones whose photographer nobody knows."""

    taken: tuple[Candidate, ...]
    refused: tuple[Refusal, ...] = ()
    unattributed: tuple[Candidate, ...] = ()

    @property
    def rules(self) -> dict[str, int]:
        """Number of refusals by rule."""
        return dict(Counter(refusal.rule for refusal in self.refused))


class CollectionSettings(Config, frozen=True):
    """Rules for candidates. The thesis gives the five photographs but not the window's length."""

    photographs: int = 5  # of one photographer
    window_hours: float = 24.0  # in any stretch of this length
    licences: tuple[str, ...] = msgspec.field(default_factory=lambda: REUSABLE)
    allow_unknown_photographer: bool = True


def plan(
    objects: Sequence[str], scenes: Sequence[str] = (), *, short_of_target: Iterable[str] = ()
) -> tuple[Query, ...]:
    """Every pair of two objects, every object in every scene, and the objects that are short of their
    target alone.

    Raises DataError for a name that stands twice, or an object short of its target that is none of the
    objects.
    """
    for kind, names in (("object", objects), ("scene", scenes)):
        twice = [name for name, number in Counter(names).items() if number > 1]
        if twice:
            raise DataError("the name stands twice", record=f"{kind} {twice[0]!r}", rule="duplicate-id")
    lacking = list(short_of_target)
    unknown = sorted(set(lacking) - set(objects))
    if unknown:
        raise DataError("is not among the objects", record=f"object {unknown[0]!r}", rule="unknown-category")
    return (
        *(Query("object-object", pair) for pair in combinations(objects, 2)),
        *(Query("object-scene", pair) for pair in product(objects, scenes)),
        *(Query("object", (name,), iconic_filter=True) for name in dict.fromkeys(lacking)),
    )


def choose(candidates: Iterable[Candidate], settings: CollectionSettings | None = None) -> Choice:
    """Which candidates may be used, by the rules of the module; the order of the input does not matter.

    The same photograph found by several queries is taken once, for the first query by name.
    """
    settings = settings or CollectionSettings()
    taken: list[Candidate] = []
    refused: list[Refusal] = []
    dated: list[tuple[datetime | None, Candidate]] = []
    seen: set[tuple[str, str]] = set()
    for candidate in sorted(candidates, key=lambda c: (c.source, c.source_id, c.query)):
        key = (candidate.source, candidate.source_id)
        if key in seen:
            refused.append(Refusal(candidate, "duplicate-id", "the same photograph was found before"))
            continue
        seen.add(key)
        try:
            dated.append((_moment(candidate, settings), candidate))
        except DataError as error:
            refused.append(Refusal(candidate, error.rule, error.problem))
    # Undated photographs of one photographer come first and count as taken at one moment.
    dated.sort(
        key=lambda pair: (pair[0] is not None, pair[0] or datetime.min, pair[1].source_id, pair[1].source)
    )
    window = timedelta(hours=settings.window_hours)
    times: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)
    for moment, candidate in dated:
        person = _person(candidate)
        if not person:
            taken.append(candidate)  # nobody's other photographs are known: a group of its own
            continue
        earlier = times[(person, "" if moment else "undated")]
        when = moment or datetime.min
        recent = len(earlier) - (bisect_right(earlier, when - window) if moment else 0)
        if recent >= settings.photographs:
            problem = (
                f"{recent} photographs of {person!r} within {settings.window_hours:g} h are taken already"
            )
            refused.append(Refusal(candidate, "photographer-window", problem))
            continue
        earlier.append(when)
        taken.append(candidate)
    return Choice(tuple(taken), tuple(refused), tuple(c for c in taken if not _person(c)))


def _person(candidate: Candidate) -> str:
    return candidate.photographer.strip() or candidate.uploader.strip()


def _moment(candidate: Candidate, settings: CollectionSettings) -> datetime | None:
    """When it was taken, else uploaded, else None. Raises DataError with the rule that the candidate
    breaks.
    """
    record = candidate.record
    if not candidate.licence.strip():
        raise DataError("no licence is given", record=record, rule="missing-licence")
    if normal_licence(candidate.licence) not in settings.licences:
        raise DataError(
            f"the licence {candidate.licence!r} does not allow this use", record=record, rule="licence"
        )
    if not candidate.attribution.strip():
        raise DataError("nobody is named to attribute it to", record=record, rule="missing-attribution")
    if not _person(candidate) and not settings.allow_unknown_photographer:
        raise DataError("no photographer is given", record=record, rule="missing-photographer")
    taken, uploaded = (
        parse_time(text, record=record) if text.strip() else None
        for text in (candidate.taken_at, candidate.uploaded_at)
    )
    # A day of slack: cameras do not say in which time zone they are.
    if taken and uploaded and taken > uploaded + timedelta(days=1):
        raise DataError(
            f"taken on {taken:%Y-%m-%d} but uploaded before, on {uploaded:%Y-%m-%d}",
            record=record,
            rule="dates",
        )
    return taken or uploaded


def normal_licence(text: str) -> str:
    """A licence's short name: "CC BY-SA 4.0" and its creativecommons.org address are "cc-by-sa"."""
    words = text.strip().lower().replace("_", "-")
    for start in ("https://creativecommons.org/licenses/", "http://creativecommons.org/licenses/"):
        if words.startswith(start):
            return "cc-" + words.removeprefix(start).split("/")[0]
    if "creativecommons.org/publicdomain/zero" in words:
        return "cc0"
    if "creativecommons.org/publicdomain/mark" in words:
        return "pdm"
    parts = [part for part in words.replace(" ", "-").split("-") if part]
    while parts and parts[-1].replace(".", "").isdigit():  # the version
        parts.pop()
    return "-".join(parts)
