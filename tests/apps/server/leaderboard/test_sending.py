"""Submissions over HTTP: pieces, resuming, refusals while uploading, visibility, exports."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from amidst.coco import CocoDataset
from amidst.evaluation import evaluate
from amidst.leaderboard.uploads import Uploads

Guesses = Callable[..., list[dict[str, Any]]]


def truth(site: Any, phase: int) -> CocoDataset:
    return CocoDataset.load(site.folder.truth(phase))


def test_the_empty_board(site: Any) -> None:
    status, board = site.call("", "GET", "/api/board")
    assert status == 200
    assert [(phase["name"], phase["images"]) for phase in board["phases"]] == [("dev", 10), ("final", 10)]
    assert site.call("", "GET", "/api/phases/dev/table")[1]["rows"] == []
    assert site.call("", "GET", "/api/phases/none/table")[0] == 404
    assert site.call("eve", "GET", "/api/submissions")[1] == {"team": None, "submissions": [], "left": {}}
    public = site.call("", "GET", "/api/board/images")[1]
    assert set(public) == {"images", "categories"}
    assert len(public["images"]) == 20


def test_a_submission_scores_as_evaluate_says(site: Any, make_guesses: Guesses) -> None:
    records = make_guesses(site.dataset, 1)
    status, sent = site.send("ann", records, method="<b>M</b>", link="https://example.org/x")
    assert (status, sent["state"] in ("queued", "running", "scored"), sent["records"]) == (200, True, 60)
    found = site.wait("abe", sent["id"])
    assert found["state"] == "scored", found
    part = truth(site, 1)
    inside = [r for r in records if r["image_id"] in {i.id for i in part.images}]
    expected = evaluate(part, inside)
    assert found["numbers"]["ap"] == round(expected.ap, 3)
    table = site.call("", "GET", "/api/phases/dev/table")[1]
    assert [(row["rank"], row["team"], row["method"]) for row in table["rows"]] == [(1, "A", "<b>M</b>")]
    text = site.call("", "GET", "/api/phases/dev/table.csv")[1]
    (row,) = csv.DictReader(io.StringIO(text))
    assert float(row["ap"]) == found["numbers"]["ap"]


def test_pieces_may_be_sent_again_and_go_on_where_they_broke_off(site: Any, make_guesses: Guesses) -> None:
    data = json.dumps(make_guesses(site.dataset, 2)).encode()
    sha256 = hashlib.sha256(data).hexdigest()
    status, found = site.announce("ann", len(data), sha256=sha256)
    assert (status, found["state"], found["offset"]) == (201, "received", 0)
    key = found["id"]
    assert site.put("ann", key, data[:1000])[1]["offset"] == 1000
    status, refused = site.put("ann", key, data[:1000])
    assert (status, refused["error"]["code"]) == (409, "offset")
    assert refused["error"]["message"] == "go on at byte 1000"
    assert site.announce("abe", len(data), sha256=sha256)[1]["id"] == key  # the same file, by a colleague
    assert site.call("ann", "GET", f"/api/submissions/{key}")[1]["state"] == "checking"
    assert site.put("abe", key, data[1000:], 1000)[0] == 200
    assert site.put("ann", key, b"", len(data))[0] == 200  # a reply that was lost
    assert site.wait("ann", key)["state"] == "scored"
    now = site.call("ann", "GET", f"/api/submissions/{key}")[1]
    assert site.announce("ann", len(data), sha256=sha256) == (200, {**now, "new": False})
    assert site.announce("bob", len(data), sha256=sha256)[0] == 201


def test_the_same_content_with_other_words_says_them_anew(site: Any, make_guesses: Guesses) -> None:
    data = json.dumps(make_guesses(site.dataset, 41)).encode()
    about = {"sha256": hashlib.sha256(data).hexdigest(), "method": "M1", "description": "D"}
    first = site.send("bob", data, **about)[1]
    status, again = site.announce("bob", len(data), **{**about, "method": "M2", "description": ""})
    assert (status, again["id"], again["method"], again["description"]) == (200, first["id"], "M2", "D")
    assert site.announce("bob", len(data), sha256=about["sha256"])[1]["method"] == "M2"


def test_a_zip_in_a_folder(site: Any, make_guesses: Guesses) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("a/b/results.json", json.dumps(make_guesses(site.dataset, 3)))
    status, sent = site.send("bob", stream.getvalue(), phase="final")
    assert status == 200, sent
    found = site.wait("bob", sent["id"])
    assert (found["state"], found["numbers"]) == ("scored", {})  # nobody sees scores of this phase
    assert site.call("ann", "GET", "/api/phases/final/table")[1]["rows"] == []
    assert site.call("owner", "GET", f"/api/submissions/{sent['id']}")[1]["numbers"]["ap"] > 0
    assert len(site.call("owner", "GET", "/api/phases/final/table")[1]["rows"]) == 1
    settings = {"visibility": "owner", "per_day": 1000, "total": 1000}
    assert site.call("max", "POST", "/api/phases/final/settings", settings)[0] == 200
    assert site.call("bob", "GET", "/api/phases/final/table")[1]["rows"][0]["team"] == "B"
    assert site.call("ann", "GET", "/api/phases/final/table")[1]["rows"] == []


def bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("r.json", b" " * (32 << 20))
    return stream.getvalue()


WRONG = [
    (b"[]x", "json"),
    (bomb(), "zip-bomb"),
    (b"PK\x03\x04" + b"?" * 100, "bad-zip"),
    (
        json.dumps([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": float("nan")}]).encode(),
        "non-finite",
    ),
    (
        json.dumps([{"image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]).encode(),
        "unknown-image",
    ),
    (json.dumps([{"image_id": 1, "category_id": 1, "score": 1}]).encode(), "missing-field"),
]


@pytest.mark.parametrize(("data", "rule"), WRONG, ids=[rule for _, rule in WRONG])
def test_wrong_files_are_refused_while_uploading_and_do_not_count(site: Any, data: bytes, rule: str) -> None:
    before = site.call("ann", "GET", "/api/submissions")[1]["left"]
    status, found = site.announce("ann", len(data) + 10)
    status, refused = site.put("ann", found["id"], data)
    if status == 200:  # what only the end of the file shows
        status, refused = site.put("ann", found["id"], b" " * 10, len(data))
    assert (status, refused["error"]["code"]) == (422, rule)
    assert "r.json" in refused["error"]["message"]
    failed = site.call("ann", "GET", f"/api/submissions/{found['id']}")[1]
    assert (failed["state"], failed["reason"]) == ("failed", refused["error"]["message"])
    assert not site.folder.upload(found["id"]).exists()
    assert site.put("ann", found["id"], b"more", 0)[1]["state"] == "failed"
    assert site.call("ann", "GET", "/api/submissions")[1]["left"] == before


def test_other_bytes_than_announced(site: Any) -> None:
    _, found = site.announce("ann", 2, sha256="0" * 64)
    status, refused = site.put("ann", found["id"], b"[]")
    assert (status, refused["error"]["code"]) == (422, "sha256")
    _, found = site.announce("ann", 2)
    assert site.put("ann", found["id"], b"[  ]")[0] == 413
    assert site.announce("ann", 2**41)[0] == 413
    status, refused = site.announce("ann", 2, link="javascript:alert(1)")
    assert (status, "http" in refused["error"]["message"]) == (422, True)
    assert site.announce("eve", 2)[1]["error"]["code"] == "no-team"
    assert site.announce("vic", 2)[0] == 403


def test_withdrawing_describing_and_settings(site: Any, make_guesses: Guesses) -> None:
    sent = site.send("bob", make_guesses(site.dataset, 5))[1]
    site.wait("bob", sent["id"])
    path = f"/api/submissions/{sent['id']}"
    assert site.call("bob", "POST", f"{path}/describe", {"method": "new"})[1]["method"] == "new"
    assert site.call("ann", "POST", f"{path}/withdraw")[0] == 404
    assert site.call("bob", "POST", f"{path}/withdraw")[1]["state"] == "withdrawn"
    assert site.call("bob", "POST", f"{path}/withdraw")[1]["error"]["code"] == "refused"
    assert site.call("ann", "POST", "/api/phases/dev/settings", {})[0] == 403
    wrong = {"opens_at": 5, "closes_at": 4}
    assert site.call("owner", "POST", "/api/phases/dev/settings", wrong)[0] == 422
    assert site.call("owner", "POST", "/api/phases/dev/settings", {"per_day": "5"})[0] == 422


def test_nearly_the_same_is_noted_for_organisers(site: Any, make_guesses: Guesses) -> None:
    records = make_guesses(site.dataset, 7)
    first = site.send("ann", records)[1]
    site.wait("ann", first["id"])
    changed = [{**record, "score": record["score"] / 2} for record in records[1:]]
    second = site.send("bob", changed)[1]
    site.wait("bob", second["id"])
    noted = site.call("owner", "GET", "/api/organise/near-equal")[1]
    assert (noted[0]["submission"], noted[0]["other"]) == (second["id"], first["id"])
    assert noted[0]["similarity"] >= 0.95
    assert site.call("ann", "GET", "/api/organise/near-equal")[0] == 403


def test_what_breaks_the_check_ends_the_submission(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody thought of leaves no submission that is checked for ever."""
    _, found = site.announce("ann", 2)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Uploads, "append", broken)
    assert site.put("ann", found["id"], b"[]")[0] == 500
    after = site.call("ann", "GET", f"/api/submissions/{found['id']}")[1]
    assert (after["state"], after["reason"]) == (
        "failed",
        "the server could not check this file; send it again",
    )
