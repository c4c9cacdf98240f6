"""Sixty attempts to learn something of the hidden annotations, or of other teams, from the server.

What is hidden: ids, boxes and areas of the annotations, and which images a phase scores. The annotations here
have ids from 77,000 on, so that they can be told from anything else in a reply.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from amidst.coco import CocoDataset

Guesses = Callable[..., list[dict[str, Any]]]
BOX = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 10, 10], "score": 0.5}
HIDDEN_ID = re.compile(r"\b77\d{3}\b")
NAMES = ("", "ann", "bob", "eve", "vic", "max", "owner")


def secrets(site: Any) -> set[str]:
    """Texts of the annotations that a reply must not hold: boxes as they would be written."""
    return {json.dumps(list(a.bbox_xywh))[1:-1] for a in site.dataset.annotations}


def assert_silent(site: Any, reply: Any) -> None:
    text = reply if isinstance(reply, str) else json.dumps(reply)
    assert not HIDDEN_ID.search(text), text[:500]
    assert not any(secret in text for secret in secrets(site))
    assert "hidden" not in text.replace("hidden annotations", "")
    assert "Traceback" not in text


ROUTES = [
    "/api/board",
    "/api/board/images",
    "/api/phases/dev/table",
    "/api/phases/dev/table.csv",
    "/api/phases/final/table",
    "/api/phases/final/table.csv",
    "/api/submissions",
    "/api/submissions/1",
    "/api/submissions/1/changes",
    "/api/teams",
    "/api/organise/submissions",
    "/api/organise/near-equal",
    "/api/accounts",
    "/api/invitations",
    "/api/audit",
    "/api/auth/me",
    "/api/openapi.json",
    "/",
    "/submissions",
    "/organise",
    "/enter",
]


@pytest.mark.parametrize("path", ROUTES)
def test_no_route_tells_annotations_to_any_role(site: Any, path: str) -> None:
    for name in NAMES:
        assert_silent(site, site.call(name, "GET", path)[1])


PATHS = [
    "/hidden/1.json",
    "/static/../hidden/1.json",
    "/static/..%2fhidden%2f1.json",
    "/static/%2e%2e/hidden/1.json",
    "/static//etc/passwd",
    "/api/board/images/../../hidden/1.json",
    "/api/phases/..%2f..%2fhidden%2f1.json/table",
    "/api/phases/1.json/table",
    "/api/submissions/..%2f..%2fhidden%2f1.json",
    "/uploads/1",
    "/public.json/../hidden/1.json",
    "/benchmark.db",
    "/secrets.json",
    "/api/phases/dev/images",
    "/api/phases/dev/annotations",
    "/api/submissions/1/numbers",
    "/api/board/hidden",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_to_the_files(site: Any, path: str) -> None:
    for name in ("", "ann", "owner"):
        status, reply = site.call(name, "GET", path)
        assert status in (404, 405, 422)
        assert_silent(site, reply)


CRAFTED: list[tuple[str, Any]] = [
    ("an unknown image", {**BOX, "image_id": 4711}),
    ("an annotation's id as image", {**BOX, "image_id": 77_000}),
    ("a huge id", {**BOX, "image_id": 2**62}),
    ("an id that is no integer", {**BOX, "image_id": 2**70}),
    ("an unknown category", {**BOX, "category_id": 4}),
    ("category 0", {**BOX, "category_id": 0}),
    ("a path as image", {**BOX, "image_id": "../hidden/1.json"}),
    ("SQL as category", {**BOX, "category_id": "1; select * from submission"}),
    ("an object as score", {**BOX, "score": {"$gt": 0}}),
    ("a mask for a box", {**BOX, "bbox": None, "segmentation": {"size": [60, 80], "counts": "PPPP"}}),
    ("a negative box", {**BOX, "bbox": [0, 0, -1, 5]}),
    ("a score beyond", {**BOX, "score": 10**400}),
    ("deep nesting", [[[[[[BOX]]]]]]),
]


@pytest.mark.parametrize(("what", "record"), CRAFTED, ids=[what for what, _ in CRAFTED])
def test_error_texts_tell_nothing(site: Any, what: str, record: Any) -> None:
    status, refused = site.send("ann", [BOX, record])
    assert status == 422
    own = str(record["image_id"]) if isinstance(record, dict) else "?"
    assert_silent(site, json.dumps(refused).replace(own, ""))
    assert "detection at index 1" in refused["error"]["message"]


def test_images_of_both_phases_are_taken_alike(site: Any) -> None:
    """A submission may name every public image, so a refusal never tells in which phase one is."""
    for image in site.dataset.images:
        status, refused = site.send("ann", [{**BOX, "image_id": image.id}, {**BOX, "image_id": 4711}])
        assert status == 422
        assert "detection at index 1: image 4711 is not in the list" in refused["error"]["message"]


def test_one_detection_tells_three_decimals_of_totals(site: Any) -> None:
    sent = site.send("bob", [BOX])[1]
    found = site.wait("bob", sent["id"])
    assert set(found["numbers"]) == {
        *("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
        *("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"),
    }
    assert all(round(value, 3) == value for value in found["numbers"].values())
    assert_silent(site, found)


def test_organisers_too_see_three_decimals(site: Any, make_guesses: Guesses) -> None:
    sent = site.send("bob", make_guesses(site.dataset, 11))[1]
    site.wait("bob", sent["id"])
    for path in (f"/api/submissions/{sent['id']}", "/api/phases/dev/table", "/api/organise/submissions"):
        text = json.dumps(site.call("owner", "GET", path)[1])
        assert not re.search(r"\d\.\d{4}", text), path


@pytest.mark.parametrize(
    ("method", "suffix", "data"),
    [
        ("GET", "", None),
        ("GET", "/changes", None),
        ("POST", "/withdraw", None),
        ("PUT", "/content?offset=0", b"x"),
    ],
)
def test_another_team_s_submission_is_as_one_that_does_not_exist(
    site: Any, method: str, suffix: str, data: bytes | None
) -> None:
    sent = site.send("bob", [{**BOX, "score": 0.123}])[1]
    paths = [f"/api/submissions/{sent['id']}", "/api/submissions/999999"]
    kind = {"Content-Type": "application/octet-stream"} if data else {}
    replies = [site.call("ann", method, path + suffix, data=data, **kind) for path in paths]
    assert [status for status, _ in replies] == [404, 404]
    assert len({re.sub(r"\d+", "N", json.dumps(reply)) for _, reply in replies}) == 1


@pytest.mark.parametrize("kind", ["submission", "image"])
def test_unknown_and_foreign_take_the_same_time(site: Any, kind: str) -> None:
    """The quickest of interleaved requests, which other work on the machine disturbs least: a factor of two
    would show a different path, however many are sent.
    """
    sent = site.send("bob", [{**BOX, "score": 0.321}])[1]
    of_dev, of_final = (CocoDataset.load(site.folder.truth(phase)).images[0].id for phase in (1, 2))
    times: tuple[list[float], list[float]] = ([], [])
    ratio = 0.0
    for turn in range(200):
        for side, place in enumerate((sent["id"], 999_999) if kind == "submission" else (of_dev, of_final)):
            begun = time.perf_counter()
            if kind == "submission":
                site.call("ann", "GET", f"/api/submissions/{place}")
            else:
                site.send("ann", [{**BOX, "image_id": place}] * 50 + [{}])
            times[side].append(time.perf_counter() - begun)
        ratio = min(times[0]) / min(times[1])
        if turn >= 24 and 0.5 < ratio < 2:
            break
    assert 0.5 < ratio < 2


def test_scores_of_a_phase_that_nobody_sees(site: Any, make_guesses: Guesses) -> None:
    settings = {"visibility": "nobody", "per_day": 1000, "total": 1000}
    assert site.call("owner", "POST", "/api/phases/final/settings", settings)[0] == 200
    sent = site.send("ann", make_guesses(site.dataset, 12), phase="final")[1]
    assert site.wait("ann", sent["id"])["numbers"] == {}
    for name in ("ann", "bob", "vic", ""):
        table = site.call(name, "GET", "/api/phases/final/table")[1]
        assert (table["rows"], table["history"]) == ([], [])


def test_the_files_are_closed_to_others(site: Any) -> None:
    root = site.folder.root
    assert (root / "hidden").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (root / "hidden").iterdir())
    assert root.stat().st_mode & 0o077 == 0
    assert (root / "uploads").stat().st_mode & 0o077 == 0


def test_there_are_sixty_probes(request: pytest.FixtureRequest) -> None:
    here = [item for item in request.session.items if item.path == request.path]
    if len(here) > 50:  # not when some of them are run alone
        assert len(here) > 60
