"""Adapters: folder, lists, and a search service on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from amidst.curation.collection import Query
from amidst.curation.downloads import Web, get
from amidst.curation.sources import SearchService, from_folder, from_records, from_search
from amidst.errors import DataError, FindingError, UsageError

QUERY = Query("object-object", ("dog", "frisbee"))


@pytest.fixture
def server() -> Iterator[SimpleNamespace]:
    """A search service with 5 photographs, 2 a page. `answers` maps a path to (status, headers, body)."""
    state = SimpleNamespace(asked=[], answers={}, busy=0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            state.asked.append(self.path)
            status, headers, body = 404, {}, b"nothing here"
            if state.busy:
                state.busy -= 1
                status, body = 503, b"busy"
            elif parts.path in state.answers:
                status, headers, body = state.answers[parts.path]
            elif parts.path == "/search":
                page = int(parse_qs(parts.query)["page"][0])
                photos = [
                    {
                        "id": i,
                        "url": f"/file/{i}.jpg",
                        "license": "CC BY 2.0",
                        "credit": "Ann",
                        "owner": "ann",
                    }
                    for i in range(2 * page - 2, min(2 * page, 5))
                ]
                status, body = 200, json.dumps({"photos": {"photo": photos, "pages": 3}}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.host = f"127.0.0.1:{httpd.server_port}"
    state.url = f"http://{state.host}"
    state.web = Web(hosts=(state.host,), wait_s=0.01, max_bytes=100_000)
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def service(server: SimpleNamespace, **changes: Any) -> SearchService:
    names = {"source_id": "id", "locator": "url", "licence": "license", "attribution": "credit"}
    values = {
        "name": "fake",
        "endpoint": f"{server.url}/search",
        "parameters": {"license": "4"},
        "records": "photos.photo",
        "pages": "photos.pages",
        "names": names | {"photographer": "owner"},
        "web": server.web,
    }
    return SearchService(**values | changes)


def test_search_goes_through_all_pages(server: SimpleNamespace) -> None:
    found = list(from_search(service(server), QUERY))
    assert [c.source_id for c in found] == ["0", "1", "2", "3", "4"]
    assert found[0].locator == f"{server.url}/file/0.jpg"
    assert (found[0].licence, found[0].photographer, found[0].query) == ("CC BY 2.0", "ann", "dog + frisbee")
    assert server.asked[1] == "/search?license=4&text=dog+frisbee&page=2"


def test_a_busy_server_is_asked_again(server: SimpleNamespace) -> None:
    server.busy = 2
    assert len(list(from_search(service(server), QUERY))) == 5
    server.busy = 3
    with pytest.raises(FindingError, match="answers 503, after 3 tries"):
        list(from_search(service(server), QUERY))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>", r"expected one JSON object.*\[json\]"),
        (b"{}", r"page 1 of 'dog \+ frisbee': the answer has no 'photos.photo' \[search-answer\]"),
        (b'{"photos": {"photo": 3, "pages": 1}}', "expected a list"),
        (b'{"photos": {"photo": [3], "pages": 1}}', "record 0: expected an object"),
        (b'{"photos": {"photo": [{"id": 1}], "pages": 1}}', r"field locator is missing|not among"),
        (b'{"photos": {"photo": [{"id": [], "url": "a"}], "pages": 1}}', "source_id must be text, not list"),
    ],
)
def test_answers_that_are_none(server: SimpleNamespace, body: bytes, problem: str) -> None:
    server.answers["/search"] = (200, {}, body)
    if b'"id": 1' in body:  # an address is made absolute, so a missing one is the service's own
        assert next(iter(from_search(service(server), QUERY))).locator.endswith("/search")
        return
    with pytest.raises(DataError, match=problem):
        list(from_search(service(server), QUERY))


def test_downloads_have_limits(server: SimpleNamespace) -> None:
    server.answers["/big"] = (200, {}, bytes(100_001))
    server.answers["/inside"] = (302, {"Location": "/small"}, b"")
    server.answers["/away"] = (302, {"Location": "http://169.254.169.254/secret"}, b"")
    server.answers["/file"] = (302, {"Location": "file:///etc/passwd"}, b"")
    server.answers["/small"] = (200, {}, b"ok")
    assert get(f"{server.url}/inside", server.web) == b"ok"
    for path, problem in (
        ("/big", r"larger than 100,000 bytes.*\[too-large\]"),
        ("/away", r"'169.254.169.254' is not among the hosts allowed \[address\]"),
    ):
        with pytest.raises(DataError, match=problem):
            get(server.url + path, server.web)
    with pytest.raises(FindingError, match=r"'file:///etc/passwd' is not allowed"):
        get(f"{server.url}/file", server.web)
    with pytest.raises(FindingError, match="answers 404"):
        get(f"{server.url}/none", server.web)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://example.org/a", "a.jpg"]
)
def test_addresses_that_are_not_asked(address: str) -> None:
    with pytest.raises(DataError, match=r"\[address\]"):
        get(address, Web(hosts=("127.0.0.1",)))


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(FindingError, match="no answer"):
        get("http://127.0.0.1:9/", Web(hosts=("127.0.0.1:9",), wait_s=0, tries=2, timeout_s=2))


def test_an_empty_folder(tmp_path: Path) -> None:
    assert list(from_folder(tmp_path)) == []
    with pytest.raises(UsageError, match="no folder"):
        list(from_folder(tmp_path / "absent"))


def test_a_folder_with_sidecars(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "a.JPG").touch()
    (tmp_path / "day" / "a.json").write_text('{"licence": "cc0", "attribution": "Ann", "mood": 3}')
    (found,) = from_folder(tmp_path, source="mine")
    assert (found.source, found.source_id, found.licence) == ("mine", "day/a.JPG", "cc0")
    assert found.extra == {"mood": 3}
    (tmp_path / "b.png").touch()
    with pytest.raises(DataError, match=r"b\.png: has no b\.json beside it .*\[missing-sidecar\]"):
        list(from_folder(tmp_path))


def test_lists(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "source_id,locator,license,attribution\n1,a.jpg,cc0,Ann\n2,http://x/b.jpg,cc0,\n"
    )
    first, second = from_records(tmp_path / "l.csv", names={"licence": "license"})
    assert (first.locator, first.licence) == (str(tmp_path / "a.jpg"), "cc0")
    assert (second.locator, second.attribution) == ("http://x/b.jpg", "")
    (tmp_path / "l.jsonl").write_text('{"source_id": 1, "locator": "a.jpg"}\n\n')
    assert next(from_records(tmp_path / "l.jsonl")).licence == ""


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("l.csv", "source_id,locator\n1,\n", r"line 2: the field locator is missing \[missing-field\]"),
        ("l.csv", "source_id,locator\n1,a,b\n", r"line 2: more values"),
        ("l.jsonl", '{"source_id": 1, "locator": "a"}\n[1]\n', r"line 2: expected one JSON object"),
        ("l.jsonl", '{"source_id": {}, "locator": "a"}\n', r"line 1: source_id must be text, not dict"),
    ],
)
def test_bad_lists(name: str, text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=problem):
        list(from_records(tmp_path / name))


def test_a_list_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a \.csv or \.jsonl file"):
        list(from_records(tmp_path / "list.xlsx"))
