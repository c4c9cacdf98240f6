"""The explorer's answers over HTTP: what it shows, and what it refuses."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

from amidst.apps.explorer import pictures
from amidst.apps.explorer.captions import load_captions
from amidst.apps.explorer.index import Index
from amidst.apps.explorer.server import make_explorer, make_server
from amidst.coco import Image
from amidst.errors import DataError, ImageError, UsageError


def get(running: Any, target: str, host: str | None = None, method: str = "GET") -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    try:
        connection.request(method, target, headers={"Host": host or f"127.0.0.1:{running.port}"})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def ask(running: Any, target: str) -> Any:
    status, _, body = get(running, target)
    assert status == 200, body
    return json.loads(body)


def test_an_empty_dataset_is_served() -> None:
    explorer = make_explorer(Index([]), [], "nothing")
    assert json.loads(explorer.answer("/api/dataset")[0][1])["images"] == 0
    assert json.loads(explorer.answer("/api/images")[0][1]) == {
        "total": 0,
        "marks": 0,
        "offset": 0,
        "images": [],
    }
    assert json.loads(explorer.answer("/api/sheet")[0][1])["instances"] == []


def test_the_dataset_at_a_glance(running: Any) -> None:
    view = ask(running, "/api/dataset")
    assert (view["images"], view["annotations"], view["detections"]) == (5, 6, 4)
    assert [split["name"] for split in view["splits"]] == ["train", "val"]
    assert view["has_results"]
    assert view["has_captions"]
    assert [(c["name"], c["annotations"], c["detections"]) for c in view["categories"]] == [
        ("dog", 3, 2),
        ("bus", 2, 2),
        ("<b>cat</b>", 1, 0),
    ]


def test_pages_of_images(running: Any) -> None:
    page = ask(running, "/api/images?limit=2&offset=1")
    assert (page["total"], [image["row"] for image in page["images"]]) == (5, [1, 2])
    dogs = ask(running, "/api/images?category=dog&size=medium")
    assert [image["row"] for image in dogs["images"]] == [0]
    assert dogs["marks"] == 2
    assert {box["category"] for box in dogs["images"][0]["boxes"]} == {0}
    missed = ask(running, "/api/images?outcome=wrong&least=0.3")
    assert (missed["marks"], [box["category"] for box in missed["images"][0]["boxes"]]) == (1, [1])
    sure = ask(running, "/api/images?source=found&min_score=0.85")
    assert [len(image["boxes"]) for image in sure["images"]] == [1]


def test_one_image_with_masks_captions_and_outcomes(running: Any) -> None:
    view = ask(running, "/api/images/0?min_score=0.3")
    assert view["captions"] == ["A dog waits for a bus."]
    assert [mark["outcome"] for mark in view["truth"]] == ["found", "missed", "ignored"]
    assert [(mark["score"], mark["outcome"]) for mark in view["found"]] == [(0.9, "hit"), (0.8, "alarm")]
    assert view["truth"][0]["mask"]["polygons"][0][:2] == [10.0, 10.0]
    assert view["truth"][2]["mask"] == {"counts": [60, 20, 9520], "size": [80, 120]}
    all_of_them = ask(running, "/api/images/0")
    assert all_of_them["truth"][1]["outcome"] == "found"  # by the detection of score .2
    assert ask(running, "/api/images/3")["truth"][0]["outcome"] is None  # no results for this split


def test_places_among_the_filtered(running: Any) -> None:
    assert ask(running, "/api/place/1?category=dog") == {"total": 2, "place": 1, "previous": 0, "next": None}
    assert ask(running, "/api/place/4?category=dog") == {
        "total": 2,
        "place": None,
        "previous": None,
        "next": 0,
    }


def test_pictures(running: Any) -> None:
    for target, size in (("/photo/0", (120, 80)), ("/thumb/0?side=60", (60, 40)), ("/photo/2", (60, 60))):
        status, headers, body = get(running, target)
        assert status == 200
        assert headers["Content-Type"].startswith("image/")
        with PillowImage.open(BytesIO(body)) as picture:
            assert picture.size == size
    for mark in range(4):
        status, _, body = get(running, f"/crop/truth/{mark}?side=64")
        assert status == 200
        with PillowImage.open(BytesIO(body)) as picture:
            assert max(picture.size) <= 64
    assert get(running, "/crop/found/0")[0] == 200


def test_what_is_missing_is_said_in_words(running: Any) -> None:
    status, _, body = get(running, "/photo/4")
    assert status == 422
    assert "gone.jpg" in json.loads(body)["problem"]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/nowhere", 404),
        ("/static/../server.py", 404),
        ("/static/%2e%2e%2fserver.py", 404),
        ("/photo/..%2f..%2fsecret.jpg", 404),
        ("/photo/99", 404),
        ("/photo/" + "9" * 5000, 404),
        ("/crop/truth/" + "9" * 5000, 404),
        ("http://[/x", 400),
        ("/photo/-1", 404),
        ("/api/images/x", 404),
        ("/crop/truth/99", 422),
        ("/crop/elsewhere/1", 404),
        ("/api/images?limit=100000", 400),
        ("/api/images?offset=-3", 400),
        ("/api/images?size=huge", 400),
        ("/api/images?min_score=nan", 400),
        ("/thumb/0?side=99999", 400),
    ],
)
def test_other_requests_are_refused(running: Any, target: str, status: int) -> None:
    found, headers, body = get(running, target)
    assert found == status
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body)["problem"]


def test_only_reading_is_possible(running: Any) -> None:
    assert get(running, "/", method="POST")[0] == 501
    status, headers, body = get(running, "/", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80"])
def test_other_hosts_are_refused(running: Any, host: str) -> None:
    assert get(running, "/api/dataset", host=host)[0] == 421


def test_every_answer_forbids_foreign_content(running: Any) -> None:
    for target in ("/", "/static/app.js", "/api/dataset", "/photo/0", "/nowhere"):
        _, headers, _ = get(running, target)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_server_is_bound_to_this_machine(explorer: Any) -> None:
    server = make_server(explorer)
    try:
        assert server.server_address[0] == "127.0.0.1"
    finally:
        server.server_close()


def test_a_browser_that_hangs_up_is_not_told(running: Any, capfd: pytest.CaptureFixture[str]) -> None:
    before = set(threading.enumerate())
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: localhost:{running.port}\r\n\r\n".encode())
        client.recv(1)
        (serving,) = set(threading.enumerate()) - before
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # resets
    serving.join(60)
    assert not serving.is_alive()
    assert capfd.readouterr().err == ""


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg"), "link.jpg"):
        with pytest.raises(ImageError, match="leads out"):
            pictures.find_file([root.resolve()], name)
    with pytest.raises(ImageError, match="no such file"):
        pictures.find_file([root.resolve()], "none.jpg")


def test_turned_photographs_are_sent_as_the_annotations_lie(tmp_path: Path) -> None:
    exif = PillowImage.Exif()
    exif[pictures.ORIENTATION] = 6
    PillowImage.new("RGB", (40, 20), "red").save(tmp_path / "turned.jpg", exif=exif)
    for record in (Image(1, 20, 40, "turned.jpg"), Image(1, 40, 20, "turned.jpg")):
        kind, body = pictures.photograph(tmp_path / "turned.jpg", record)
        with PillowImage.open(BytesIO(body)) as picture:
            assert picture.size == (record.width, record.height)
            assert not picture.getexif()
        assert kind == "image/jpeg"
    with pytest.raises(ImageError, match="its record says"):
        pictures.photograph(tmp_path / "turned.jpg", Image(1, 30, 30, "turned.jpg"))


def test_damaged_photographs_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff nothing")
    for make in (pictures.photograph, lambda p, r: pictures.thumbnail(p, r, 64)):
        with pytest.raises(ImageError, match=r"bad\.jpg"):
            make(tmp_path / "bad.jpg", Image(1, 5, 5, "bad.jpg"))


def test_the_cache_keeps_the_most_recent() -> None:
    cache, made = pictures.Cache(limit_bytes=25), []

    def picture(key: int) -> pictures.Encoded:
        return cache.get(key, lambda: (made.append(key), ("image/png", bytes(10)))[1])

    for key in (1, 2, 1, 3, 1, 2):
        picture(key)
    assert made == [1, 2, 3, 2]


def test_captions(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_captions(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"annotations": [{"image_id": "x"}]}')
    with pytest.raises(DataError, match=r"bad\.json"):
        load_captions(tmp_path / "bad.json")
    (tmp_path / "empty.json").write_text('{"annotations": []}')
    assert dict(load_captions(tmp_path / "empty.json")) == {}
