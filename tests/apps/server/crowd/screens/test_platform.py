"""The page for crowd platforms in a real Chromium: in a fake platform's frame, and by a study's link."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from msgspec.structs import replace

from amidst.apps.server.crowd.app import ServerConfig
from amidst.apps.server.crowd.platforms import PlatformConfig, campaign_word
from amidst.apps.server.crowd.tickets import WorkerLimits
from amidst.apps.server.limits import Rate
from amidst.crowd.adapter_mturk import PREVIEW
from amidst.crowd.adapters import sign_entry

MANY = Rate(count=1_000_000)
OPEN = ServerConfig(sweep_s=0, workers=WorkerLimits(lease=MANY, submit=MANY, other=MANY))
FAR = 2**52  # microseconds


class Platform:
    """A site that shows a page of ours in a frame, and takes the form at its end."""

    def __init__(self) -> None:
        self.frame = ""
        self.taken: list[dict[str, list[str]]] = []
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send(f'<!doctype html><iframe src="{platform.frame}" width=1280 height=800></iframe>')

            def do_POST(self) -> None:
                assert self.path == "/mturk/externalSubmit"
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                platform.taken.append(parse_qs(body))
                self.send("<p>The platform has it</p>")

            def send(self, text: str) -> None:
                data = text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://localhost:{self.server.server_address[1]}"  # another site than 127.0.0.1


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def site(open_site: Callable[..., Any], platform: Platform) -> Any:
    platforms = PlatformConfig(submit_hosts=(platform.address,), return_url=f"{platform.address}/complete")
    return open_site(replace(OPEN, platforms=platforms))


def address(site: Any, platform: Platform, **change: str) -> str:
    """Our page, as the platform calls it."""
    secret = site.secrets.adapters.hex()
    expires = FAR
    parameters = {
        "stage": "captions",
        "group": "g",
        "expires": str(expires),
        "signature": sign_entry(secret, campaign_word(secret), "captions", "g", expires),
        "assignmentId": "A1",
        "hitId": "H1",
        "workerId": "W1",
        "turkSubmitTo": platform.address,
        **change,
    }
    return f"{site.address}/mturk?{urlencode(parameters)}"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A tab that has never been here, and keeps no cookies of other sites."""
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    context.set_default_timeout(120_000)  # an upper bound for slow machines
    yield context.new_page()
    context.close()


def write_caption(place: Any) -> None:
    place.get_by_role("textbox").first.fill("Some people stand together in a street with several parked cars")
    place.locator(".foot button.primary").click()


def test_a_preview_shows_what_the_work_is(site: Any, platform: Platform, page: Any) -> None:
    platform.frame = address(site, platform, assignmentId=PREVIEW)
    page.goto(platform.address)
    inside = page.frame_locator("iframe")
    inside.get_by_text("Accept the task on the platform to begin").wait_for()
    assert inside.get_by_role("heading", name="Captions").count() >= 1
    assert inside.get_by_role("link", name="Sign in").count() == 0


def test_from_the_frame_back_to_the_platform(site: Any, platform: Platform, page: Any) -> None:
    platform.frame = address(site, platform)
    page.goto(platform.address)
    inside = page.frame_locator("iframe")
    write_caption(inside)
    inside.get_by_text("The platform has it").wait_for()
    assert platform.taken == [{"assignmentId": ["A1"], "answers": ["1"]}]
    assert len(site.answers("captions")) == 1
    assert page.context.cookies() == []


def test_nobody_else_may_frame_it(site: Any, platform: Platform, page: Any) -> None:
    def refused(framing: str) -> None:
        with page.expect_console_message(lambda said: "frame-ancestors" in said.text):
            page.goto(framing)

    platform.frame = address(site, platform)
    refused(platform.address.replace("localhost", "127.0.0.1"))
    platform.frame = f"{site.address}/work"
    refused(platform.address)


def test_a_code_for_a_study(site: Any, platform: Platform, page: Any) -> None:
    secret = site.secrets.adapters.hex()
    signature = sign_entry(secret, campaign_word(secret), "captions", "study", FAR)
    named = {"STUDY_ID": "study", "PROLIFIC_PID": "ann", "SESSION_ID": "s1"}
    query = urlencode({"stage": "captions", "expires": FAR, "signature": signature, **named})
    page.goto(f"{site.address}/prolific?{query}")
    write_caption(page)
    page.get_by_text("Your completion code").wait_for()
    code = page.locator("code").inner_text()
    link = page.get_by_role("link", name="Back to the platform")
    assert link.get_attribute("href") == f"{platform.address}/complete?cc={code}"
    page.reload()
    assert page.locator("code").inner_text() == code


def test_an_address_that_was_changed_is_refused_in_words(site: Any, platform: Platform, page: Any) -> None:
    page.goto(address(site, platform, stage="labelling"))
    page.get_by_role("alert").wait_for()
    assert "not one that the campaign gave out" in page.get_by_role("alert").inner_text()
