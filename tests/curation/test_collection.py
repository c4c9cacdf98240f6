"""Query plans, licences, and the photographer rule against a plain implementation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.coco.categories import scene_categories, selected_categories
from amidst.curation.collection import Candidate, CollectionSettings, choose, normal_licence, plan
from amidst.errors import DataError


def candidate(source_id: str = "1", **fields: str) -> Candidate:
    values = {"licence": "CC BY 2.0", "attribution": "Ann", "photographer": "ann"} | fields
    return Candidate("web", source_id, f"{source_id}.jpg", **values)


def at(hours: float) -> str:
    return (datetime(2014, 5, 1, tzinfo=UTC) + timedelta(hours=hours)).isoformat()


def test_nothing() -> None:
    assert plan([]) == ()
    assert choose([]).taken == ()


def test_the_plan_of_the_thesis() -> None:
    objects = [category.name for category in selected_categories()]
    scenes = [name for names in scene_categories().values() for name in names]
    queries = plan(objects, scenes, short_of_target=["toaster"])
    kinds = [query.kind for query in queries]
    assert (kinds.count("object-object"), kinds.count("object-scene"), kinds.count("object")) == (
        4095,
        3640,
        1,
    )
    assert queries[0].text == "person + bicycle"
    assert len({query.text for query in queries}) == len(queries)
    assert [query.terms for query in queries if query.iconic_filter] == [("toaster",)]


@pytest.mark.parametrize(
    ("objects", "scenes", "short", "problem"),
    [
        (["cat", "cat"], [], [], "object 'cat': the name stands twice"),
        (["cat"], ["park", "park"], [], "scene 'park'"),
        (["cat"], [], ["dog"], "object 'dog': is not among the objects"),
    ],
)
def test_impossible_plans(objects: list[str], scenes: list[str], short: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        plan(objects, scenes, short_of_target=short)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"licence": ""}, "missing-licence"),
        ({"licence": "CC BY-NC 2.0"}, "licence"),
        ({"licence": "CC BY-ND 4.0"}, "licence"),
        ({"licence": "All rights reserved"}, "licence"),
        ({"attribution": " "}, "missing-attribution"),
        ({"taken_at": "last summer"}, "date"),
        ({"taken_at": at(100), "uploaded_at": at(0)}, "dates"),
    ],
)
def test_what_is_refused(fields: dict[str, str], rule: str) -> None:
    choice = choose([candidate(**fields), candidate("2")])
    assert [refusal.rule for refusal in choice.refused] == [rule]
    assert [c.source_id for c in choice.taken] == ["2"]


def test_the_photographer_may_have_to_be_known() -> None:
    unknown = candidate(photographer="")
    assert choose([unknown]).unattributed == (unknown,)
    strict = choose([unknown], CollectionSettings(allow_unknown_photographer=False))
    assert strict.rules == {"missing-photographer": 1}


def test_an_uploader_stands_in() -> None:
    pictures = [candidate(str(i), photographer="", uploader="club", taken_at=at(i)) for i in range(7)]
    assert choose(pictures).rules == {"photographer-window": 2}


def test_unknown_photographers_are_not_one_person() -> None:
    assert len(choose([candidate(str(i), photographer="") for i in range(9)]).taken) == 9


def test_undated_photographs_count_as_one_moment() -> None:
    assert len(choose([candidate(str(i)) for i in range(9)]).taken) == 5


def test_a_photograph_found_by_two_queries_counts_once() -> None:
    choice = choose([candidate(query="dog + park"), candidate(query="cat + dog")])
    assert [c.query for c in choice.taken] == ["cat + dog"]
    assert choice.rules == {"duplicate-id": 1}


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from("ab")), max_size=25),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
@settings(max_examples=60, deadline=None)
def test_the_window_against_plain_counting(shots: list[tuple[int, str]], most: int, random: object) -> None:
    pictures = [
        candidate(f"{i:02d}", photographer=who, taken_at=at(hour)) for i, (hour, who) in enumerate(shots)
    ]
    order = sorted(range(len(shots)), key=lambda i: (shots[i][0], i))
    accepted: list[int] = []
    for i in order:
        hour, who = shots[i]
        if sum(shots[j][1] == who and hour - 24 < shots[j][0] <= hour for j in accepted) < most:
            accepted.append(i)
    random.shuffle(pictures)  # type: ignore[attr-defined]
    choice = choose(pictures, CollectionSettings(photographs=most))
    assert [int(c.source_id) for c in choice.taken] == accepted


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("CC BY-SA 4.0", "cc-by-sa"),
        ("cc_by", "cc-by"),
        ("https://creativecommons.org/licenses/by-nc/2.0/", "cc-by-nc"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "pdm"),
        ("No known copyright restrictions", "no-known-copyright-restrictions"),
        ("CC0 1.0", "cc0"),
    ],
)
def test_licence_names(text: str, short: str) -> None:
    assert normal_licence(text) == short
