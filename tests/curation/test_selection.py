"""Choosing categories: hand-made cases, and small ones against every possible list."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.coco.categories import candidate_categories, pascal_categories
from amidst.curation.selection import (
    Proposal,
    SelectionSettings,
    Vote,
    agreement,
    read_proposals,
    read_votes,
    select,
)
from amidst.errors import DataError, UsageError


def votes_for(**points: str) -> list[Vote]:
    """a="45" means that voter 0 gives a 4 points and voter 1 gives it 5."""
    return [Vote(str(i), name, int(p)) for name, digits in points.items() for i, p in enumerate(digits)]


def test_nothing_proposed() -> None:
    assert select([], []).standings == ()


def test_reasons_name_the_binding_condition() -> None:
    proposals = [
        Proposal("person", "people", mandatory=True),
        Proposal("sky", "nature", thing=False),
        Proposal("unicycle", "vehicle", instances=5000),
        Proposal("car", "vehicle", instances=5001),
        Proposal("bus", "vehicle"),
        Proposal("cup", "kitchen"),
        Proposal("fork", "kitchen"),
        Proposal("lamp", "indoor"),
    ]
    votes = votes_for(sky="55", unicycle="55", car="54", bus="53", cup="22", fork="11")
    result = select(proposals, votes, SelectionSettings(target=3, most={"vehicle": 1}, least={"kitchen": 1}))
    reasons = {s.proposal.name: (s.taken, s.reason) for s in result.standings}
    assert reasons == {
        "person": (True, "mandatory"),
        "sky": (False, "not a thing"),
        "unicycle": (False, "too few: 5000 instances, more than 5000 are needed"),
        "car": (True, "votes"),
        "bus": (False, "quota: vehicle has its 1 categories"),
        "cup": (True, "minimum of kitchen"),
        "fork": (False, "target: 3 are taken, the lowest voted one with a mean of 2.00"),
        "lamp": (False, "target: 3 are taken, the lowest voted one with a mean of 2.00"),
    }
    assert result.taken == ("car", "cup", "person")


def test_ties_go_to_the_smaller_variance_then_to_the_name() -> None:
    proposals = [Proposal(name) for name in ("c", "b", "a")]
    result = select(proposals, votes_for(a="15", b="33", c="33"), SelectionSettings(target=2))
    assert result.taken == ("b", "c")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_no_list_that_meets_the_conditions_has_more_points(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    proposals = [
        Proposal(
            f"p{i}",
            data.draw(st.sampled_from("xyz")),
            mandatory=data.draw(st.integers(0, 5)) == 0,
            thing=data.draw(st.integers(0, 5)) > 0,
        )
        for i in range(count)
    ]
    points = {p.name: data.draw(st.integers(1, 5)) for p in proposals}
    wanted = SelectionSettings(
        target=data.draw(st.integers(0, 6)),
        least=data.draw(st.dictionaries(st.sampled_from("xyz"), st.integers(0, 2))),
        most=data.draw(st.dictionaries(st.sampled_from("xyz"), st.integers(0, 4))),
    )

    def fits(chosen: tuple[Proposal, ...]) -> bool:
        groups = [p.supercategory for p in chosen]
        return (
            all(p in chosen for p in proposals if p.mandatory)
            and all(p.thing or p.mandatory for p in chosen)
            and all(groups.count(g) >= n for g, n in wanted.least.items())
            and all(groups.count(g) <= n for g, n in wanted.most.items())
        )

    possible = [
        chosen
        for size in range(wanted.target + 1)
        for chosen in combinations(proposals, size)
        if fits(chosen)
    ]
    votes = [Vote("v", name, p) for name, p in points.items()]
    if not possible:
        with pytest.raises(UsageError):
            select(proposals, votes, wanted)
        return
    best = max(sum(points[p.name] for p in chosen) for chosen in possible)
    assert sum(points[name] for name in select(proposals, votes, wanted).taken) == best


def test_the_candidates_of_the_thesis() -> None:
    names = dict.fromkeys(c.name for c in candidate_categories())
    pascal = {c.name for c in pascal_categories().values()}
    proposals = [Proposal(name, mandatory=name in pascal) for name in names]
    votes = [Vote("rank", name, 5 - 4 * i // len(names)) for i, name in enumerate(names)]
    result = select(proposals, votes)
    assert len(result.taken) == 91
    assert pascal <= set(result.taken)


@pytest.mark.parametrize(
    ("votes", "problem"),
    [
        ([Vote("v", "a", 6)], r"vote of 'v' for 'a': points must be 1 to 5, not 6 \[vote\]"),
        ([Vote("v", "z", 1)], r"nobody proposed"),
        ([Vote("v", "a", 1), Vote("v", "a", 2)], r"\[duplicate-vote\]"),
    ],
)
def test_bad_votes(votes: list[Vote], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        select([Proposal("a")], votes)


def test_a_name_proposed_twice() -> None:
    with pytest.raises(DataError, match="candidate 'bat': proposed more than once"):
        select([Proposal("bat"), Proposal("bat")], [])


def test_agreement() -> None:
    assert agreement(votes_for(a="55", b="11", c="33")) == 1.0
    assert agreement(votes_for(a="5", b="1")) != agreement([])  # NaN: no candidate has two votes
    # Four units of two votes by hand: values 1, 2; one disagreement of four, alpha = 1 - 7 * (2 * 16) /
    # (2 * 15 * 16)
    assert agreement(votes_for(a="11", b="12", c="22", d="22")) == pytest.approx(1 - 7 * 2 / 30)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(
        "name,supercategory,mandatory,thing,instances\ncat,animal,1,1,\nsky,,0,0,9\n"
    )
    assert read_proposals(tmp_path / "c.csv") == (
        Proposal("cat", "animal", mandatory=True),
        Proposal("sky", thing=False, instances=9),
    )
    (tmp_path / "v.csv").write_text("voter,candidate,points\nann,cat,5\n")
    assert read_votes(tmp_path / "v.csv") == (Vote("ann", "cat", 5),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("voter,candidate\na,b\n", r"the columns points are missing \[missing-field\]"),
        ("voter,candidate,points\na,b,many\n", r"line 2: points must be 1 to 5, not 'many' \[vote\]"),
    ],
)
def test_bad_files(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text(text)
    with pytest.raises(DataError, match=problem):
        read_votes(tmp_path / "v.csv")
    with pytest.raises(UsageError, match="absent"):
        read_votes(tmp_path / "absent.csv")
