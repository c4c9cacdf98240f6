"""The entrance, and addresses that lead nowhere."""

from __future__ import annotations

from typing import Any

import pytest

WAIT_MS = 120_000  # an upper bound for slow machines; nothing waits this long by design


def test_a_link_to_come_back_greets_its_owner_and_asks_for_no_name(visit: Any, browser: Any) -> None:
    visitor = visit()
    with browser.new_context() as context:
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(f"{visitor.site.address}/enter#{visitor.site.link_of(visitor.account)}")
        page.wait_for_selector("text=Welcome back, A worker.")
        assert page.locator("input").count() == 0
        page.click("text=Go on")
        page.wait_for_url("**/work")
        me = context.request.get(f"{visitor.site.address}/api/auth/me").json()
        assert me["account"] == visitor.account


def test_a_link_that_is_used_up_says_so(site: Any, browser: Any) -> None:
    with browser.new_context() as context:
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.goto(f"{site.address}/enter#nothing%")
        page.get_by_role("heading", name="This link does not let you in").wait_for()
        assert page.get_by_text("Manage, People").is_visible()  # whom to ask, and how
        assert page.locator("input[name=login]").count() == 1


@pytest.mark.parametrize("path", ["/nothere", "/work/nothere"])
def test_an_address_that_leads_nowhere_is_a_page_for_people_and_json_for_programs(
    site: Any, browser: Any, path: str
) -> None:
    with browser.new_context() as context:
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        answer = page.goto(site.address + path)
        assert answer.status == 404
        assert page.inner_text("h1") == "There is no such page"
        plain = context.request.get(site.address + path, headers={"Accept": "application/json"})
        assert plain.json()["error"]["code"] == "not-found"
        told = context.request.get(f"{site.address}/api/nothere", headers={"Accept": "text/html"})
        assert told.json()["error"]["code"] == "not-found"
