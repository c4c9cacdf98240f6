"""Links to pictures: bound to their ticket, short-lived, cached, in ranges."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amidst.apps.server.headers import FILE_POLICY
from amidst.apps.server.limits import MICRO
from amidst.apps.server.media_links import MediaLinks, Picture


@pytest.fixture(scope="module")
def site(open_site: Callable[..., Any]) -> Any:
    return open_site()


@pytest.fixture(scope="module")
def link(site: Any) -> tuple[str, str]:
    """Base and access of a picture, for a ticket of four hours."""
    answer = site.post("worker", "/api/tickets/lease", {"stage": "labelling"}).json()
    (picture,) = answer["media"].values()
    return picture["base"], picture["access"]


def test_a_picture_is_kept_by_the_browser_and_runs_nothing(site: Any, link: tuple[str, str]) -> None:
    answer = site.client.get(f"{link[0]}/256?{link[1]}")
    assert answer.status_code == 200
    assert answer.content[:3] == b"\xff\xd8\xff"
    assert answer.headers["cache-control"] == f"private, max-age={4 * 3600}, immutable"
    assert answer.headers["content-security-policy"] == FILE_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = site.client.get(f"{link[0]}/256?{link[1]}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "status", "length"),
    [("bytes=0-99", 206, 100), ("bytes=-10", 206, 10), ("bytes=9999999-", 416, 0)],
)
def test_ranges(site: Any, link: tuple[str, str], asked: str, status: int, length: int) -> None:
    whole = site.client.get(f"{link[0]}/1024?{link[1]}").content
    part = site.client.get(f"{link[0]}/1024?{link[1]}", headers={"Range": asked})
    assert part.status_code == status
    if status == 206:
        assert len(part.content) == length
        assert part.content in whole


def test_head_sends_no_body(site: Any, link: tuple[str, str]) -> None:
    answer = site.client.request("HEAD", f"{link[0]}/256?{link[1]}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100


def test_the_address_stays_while_the_ticket_lives(site: Any) -> None:
    first = site.post("expert", "/api/tickets/lease", {"stage": "labelling"}).json()
    site.clock[0] += 60 * MICRO
    again = site.post("expert", f"/api/tickets/{first['ticket']['id']}/resume").json()
    assert again["media"] == first["media"]


def test_who_has_the_key_reads_the_content_of_a_link(site: Any, link: tuple[str, str]) -> None:
    links = MediaLinks(site.media, site.secrets.links, lambda: site.clock[0])
    sha256 = links.content_of(Picture(*link))
    stored = site.media.find(sha256, "256")
    assert stored.read_bytes() == site.client.get(f"{link[0]}/256?{link[1]}").content
    other = MediaLinks(site.media, b"k" * 32, lambda: site.clock[0])
    assert site.media.find(other.content_of(Picture(*link)), "256") is None


def test_a_link_dies_with_its_ticket(site: Any, link: tuple[str, str]) -> None:
    now = site.clock[0]
    site.clock[0] += 5 * 3600 * MICRO
    answer = site.client.get(f"{link[0]}/256?{link[1]}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "link-expired")
    site.clock[0] = now


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("for", "ticket-2"),
        ("for", "ticket-1025"),
        ("until", "99999999999"),
        ("until", "9" * 13),
        ("until", "x"),
        ("until", "٣"),
        ("key", ""),
    ],
)
def test_no_part_of_a_link_can_be_changed(site: Any, link: tuple[str, str], name: str, value: str) -> None:
    access = dict(parse_qsl(link[1])) | {name: value}
    assert site.client.get(f"{link[0]}/256?{urlencode(access)}").status_code == 403


def test_a_link_opens_one_picture_and_does_not_name_its_content(site: Any, link: tuple[str, str]) -> None:
    for path in site.media.folder.glob("*/*"):
        assert path.name not in link[0]
        assert site.client.get(f"/media/{path.name}/256?{link[1]}").status_code == 403
    assert site.client.get(f"{link[0]}/512?{link[1]}").status_code == 404


PUBLIC = [item.read_bytes() for item in files("amidst.apps.server").joinpath("static").iterdir()]
NAMES = st.text(max_size=30) | st.sampled_from(
    [
        "..",
        "../..",
        "%2e%2e",
        "..%2f..%2fsecrets.json",
        "/etc/passwd",
        "campaign.db",
        "256.jpg",
        "256\x00",
        "C:\\x",
    ]
)


@settings(max_examples=250, deadline=None)
@given(sha256=NAMES, variant=NAMES)
def test_no_name_reads_anything_outside(site: Any, sha256: str, variant: str) -> None:
    for one, two in ((quote(sha256, safe="%"), quote(variant, safe="%")), (quote(sha256), quote(variant))):
        answer = site.client.get(f"/media/{one}/{two}?for=a&until=1&key=b")
        assert answer.status_code in (403, 404, 422) or answer.content in PUBLIC, (sha256, variant)
    answer = site.client.get(f"/static/{quote(variant, safe='%')}")
    assert answer.status_code == 404 or answer.content in PUBLIC
