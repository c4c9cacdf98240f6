"""The manager's pages on a campaign with a history: each shows what the server says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

ONE = "article"


def text(page: Any) -> str:
    return str(page.inner_text("main"))


def test_the_overview_shows_every_stage_and_what_is_left(manager: Any) -> None:
    page = manager.manage()
    outlook = manager.ask("/api/overview")["outlook"]
    rows = page.locator("section[aria-label=Stages] tbody tr")
    assert rows.count() == len(outlook["stages"]) == 9
    waiting = {one["stage"]: one["waiting"] for one in outlook["stages"]}
    assert all(waiting[stage] > 0 for stage in waiting if stage != "training")
    assert f"{waiting['labelling']}" in rows.nth(2).inner_text()
    assert page.locator("svg.chart rect").count() > 5
    assert outlook["hours"] > 0
    assert outlook["cost"] == pytest.approx(15 * outlook["hours"])


def test_the_overview_tells_of_decisions_that_wait(manager: Any) -> None:
    page = manager.manage()
    assert page.get_by_text("still being drawn again").count() == 0

    def with_some(route: Any) -> None:
        found = route.fetch().json()
        found["progress"]["unsettled"] = 1234
        route.fulfill(json=found)

    page.route("**/api/overview", with_some)
    page.reload()
    page.get_by_text("1,234 decisions are still being drawn again").wait_for()


def test_pausing_stops_the_handing_out_and_going_on_starts_it_again(manager: Any) -> None:
    page = manager.manage()
    page.click("text=Pause the campaign")
    page.wait_for_selector(".badge:text-is('paused')")
    page.click("text=Go on handing out work")
    page.wait_for_selector(".badge:text-is('open')")


def test_workers_are_sorted_and_searched_by_the_server(manager: Any) -> None:
    page = manager.manage("/workers")
    table = page.locator("section[aria-label=Workers]")
    names = table.locator("tbody tr td:first-child")
    assert {"Noor", "Ada", "Zed"} <= set(names.all_inner_texts())
    table.get_by_role("button", name="Recall").click()
    page.wait_for_selector("th[aria-sort=ascending]:has-text('Recall')")
    shown = [cell for cell in table.locator("tbody tr td:nth-child(10)").all_inner_texts() if cell != "–"]
    assert shown == sorted(shown)
    assert len(shown) >= 8
    page.fill("input[type=search]", "zed")
    page.wait_for_function(
        "() => document.querySelectorAll('section[aria-label=Workers] tbody tr').length === 1"
    )
    assert "below the line" in table.inner_text()
    assert page.locator("svg.chart circle.disc").count() > 1
    assert page.locator("svg.chart polyline").count() == 2


def test_an_older_search_is_not_shown_after_a_newer_one(manager: Any) -> None:
    page = manager.manage("/workers")
    page.evaluate(
        """() => {
            const ask = window.fetch;
            window.fetch = (where, ...rest) => where.includes("search=a&")
                ? new Promise((go) => { window.letGo = () => go(ask(where, ...rest)); })
                : ask(where, ...rest);
        }"""
    )
    page.fill("input[type=search]", "a")
    page.wait_for_function("() => window.letGo")
    page.fill("input[type=search]", "zed")
    rows = "section[aria-label=Workers] tbody tr"
    page.wait_for_function("rows => document.querySelectorAll(rows).length === 1", arg=rows)
    with page.expect_response(re.compile("search=a&")):
        page.evaluate("() => { window.letGo(); }")
    page.wait_for_timeout(300)  # it would be shown by now
    assert page.locator(rows).count() == 1
    assert "Zed" in page.inner_text(rows)


def test_one_workers_work_is_shown_answer_by_answer(manager: Any) -> None:
    page = manager.manage("/workers")
    page.click("a:text-is('Noor')")
    page.wait_for_selector(".ready article")
    first = page.locator(ONE).count()
    page.click("text=Show earlier answers")
    page.wait_for_function(f"() => document.querySelectorAll('article').length > {first}")
    page.select_option("section[aria-label^='The work'] select", "segmentation")
    page.wait_for_function(
        """() => [...document.querySelectorAll("article strong")]
                 .every(one => one.textContent === "Instance segmentation")"""
    )
    page.wait_for_function(
        """() => { const canvas = document.querySelector("article canvas");
                  return canvas.getContext("2d").getImageData(9, 9, 1, 1).data[3] === 255; }"""
    )
    assert "vertices" in text(page)


def test_voiding_is_previewed_done_and_taken_back_without_a_trace_in_the_export(manager: Any) -> None:
    before, accepted = manager.ask("/api/export"), manager.ask("/api/progress")["masks"]
    page = manager.manage("/voids#1")
    page.click("text=See what it would do")
    page.wait_for_selector("[aria-label=Effect]")
    effect = page.inner_text("[aria-label=Effect]")
    assert "answers taken out" in effect
    assert "Instance segmentation" in effect
    assert manager.ask("/api/export") == before  # a preview changes nothing
    page.fill("input[name=reason]", "a rehearsal")
    page.click("button.danger")
    page.wait_for_selector("text=are void")
    assert manager.ask("/api/progress")["masks"] != accepted
    assert manager.ask("/api/export") != before
    page.click("button:text-is('Take back')")
    page.wait_for_selector("text=count again")
    assert manager.ask("/api/export") == before
    assert manager.ask("/api/doctor") == []


def test_known_items_are_added_from_decided_masks_and_retired(manager: Any) -> None:
    page = manager.manage("/golds")
    assert page.locator(ONE).count() == 30  # a page of them
    page.click("text=Add from accepted masks")
    page.locator("button:text-is('Make it known as good')").first.click()
    page.wait_for_selector(".badge:has-text('known, with')")
    page.click("text=Add from discarded masks")
    page.wait_for_selector("button:text-is('Make it known as poor'), .empty")
    page.click(".segments button:text-is('Known items')")
    page.locator("button:text-is('Retire')").first.click()
    page.wait_for_selector(".badge:text-is('retired')")
    page.click("text=Add images")
    page.locator("button:text-is('Iconic')").first.click()
    page.wait_for_selector("text=known as iconic")
    actions = [row["action"] for row in manager.ask("/api/audit")]
    assert {"gold.add", "gold.retire"} <= set(actions)


def test_settings_come_from_the_server_and_it_says_what_does_not_fit(manager: Any) -> None:
    page = manager.manage("/settings")
    assert page.locator("input[name]").count() > 60
    assert 'the thesis says "adequately matched"' in text(page)
    page.fill("input[name='captions.workers']", "4")
    page.click("text=Save")
    page.wait_for_selector(".banner.good")
    assert manager.ask("/api/settings")["captions"]["workers"] == 4
    for key, value, word in (
        ("verification.good_votes", "9", "there are 5 votes in all"),
        ("captions.workers", "", "captions.workers: a number is missing"),
    ):
        page = manager.manage("/settings")
        page.fill(f"input[name='{key}']", value)
        page.click("text=Save")
        page.wait_for_selector(".banner.error")
        assert word in page.inner_text(".banner.error")
        manager.problems[:] = [one for one in manager.problems if "422" not in one]
    assert manager.ask("/api/settings")["verification"]["good_votes"] == 4


def test_a_category_is_added_retired_and_taken_up_again(manager: Any) -> None:
    page = manager.manage("/settings")
    page.fill("input[name='category']", "great auk")
    page.fill("input[name='group']", "bird")
    page.fill("input[name='definition']", "A large bird that cannot fly.")
    page.click("button:text-is('Add category')")
    page.wait_for_selector("td:text-is('great auk')")
    assert "great auk is there" in text(page)
    row = page.locator("tr:has(td:text-is('great auk'))")
    row.locator("button:text-is('Retire')").click()
    page.wait_for_selector(".badge:text-is('retired')")
    state = {one["name"]: one["state"] for one in manager.ask("/api/categories/all")}
    assert state.pop("great auk") == "retired"
    assert set(state.values()) == {"active"}
    page.locator("button:text-is('Take up again')").click()
    page.wait_for_selector(".badge:text-is('retired')", state="detached")
    page.fill("input[name='category']", "great auk")
    page.fill("input[name='group']", "bird")
    page.click("button:text-is('Add category')")
    page.wait_for_selector("text='great auk' is taken")
    manager.problems[:] = [one for one in manager.problems if "422" not in one]
    actions = [one["action"] for one in manager.ask("/api/audit")]
    assert {"category.add", "category.retire", "category.restore"} <= set(actions)


def test_an_invitation_is_made_and_used(manager: Any, enter: Callable[..., Any]) -> None:
    page = manager.manage("/people")
    page.fill("input[name=note]", "for the test")
    page.click("text=Make a link")
    link = page.inner_text("code.address")
    guest = enter("worker", link)
    assert guest.open("/work").wait_for_selector("a.card") is not None
    names = [one["display"] for one in manager.ask("/api/accounts")]
    assert "A worker" in names
    assert "for the test" not in [one["note"] for one in manager.ask("/api/invitations")]  # used up


def test_decisions_explain_themselves(manager: Any) -> None:
    page = manager.manage("/decisions")
    assert page.locator(ONE).count() == 30
    page.fill("input[name=subject]", "cell/1")
    page.click("button.primary")
    page.wait_for_selector("h2:text-is('About cell/1, oldest first')")
    page.locator("summary").first.click()
    assert page.locator("dl.tree").count() >= 2


def test_the_dataset_is_downloaded_and_checked(manager: Any) -> None:
    page = manager.manage("/export")
    with page.expect_download() as waiting:
        page.click("text=annotations.json")
    assert waiting.value.suggested_filename == "annotations.json"
    page.click("text=Check now")
    page.wait_for_selector("text=No fault")
    audit = manager.manage("/audit")
    assert "settings" in text(audit)


def test_a_viewer_sees_the_overview_and_nothing_else(manager: Any, enter: Callable[..., Any]) -> None:
    page = manager.manage("/people")
    page.select_option("select[name=role]", "viewer")
    page.click("text=Make a link")
    viewer = enter("viewer", page.inner_text("code.address"))
    page = viewer.manage()
    assert page.locator("nav.tabs a").all_inner_texts() == ["Overview"]
    assert page.locator("text=Pause the campaign").count() == 0


def test_settings_say_in_words_what_is_missing(manager: Any) -> None:
    page = manager.manage("/settings")
    before = manager.ask("/api/settings")
    page.fill("input[name='labelling.workers']", "")
    page.click("text=Save")
    page.wait_for_selector(".banner.error:text-is('labelling.workers: a number is missing.')")
    page.reload()
    page.wait_for_selector(".ready")
    for one in page.locator("input[name=stages]").all():
        one.uncheck()
    page.click("text=Save")
    page.wait_for_selector(".banner.error:has-text('leave at least one on')")
    assert manager.ask("/api/settings") == before


def test_decisions_of_nothing_are_told_in_words(manager: Any) -> None:
    page = manager.manage("/decisions#foo")
    assert "There is nothing called “foo”" in text(page)
