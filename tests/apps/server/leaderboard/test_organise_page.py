"""The organisers' page in a real browser: phases, people and their links, withdrawing, events."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

Guesses = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def organiser(come_back: Callable[..., Any]) -> Any:
    return come_back("owner", "/organise")


def link_in(page: Any) -> str:
    text = page.get_by_role("dialog").locator("code").inner_text()
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    return str(text)


def test_phases_are_set(organiser: Any, site: Any) -> None:
    card = organiser.locator("form", has_text="Phase final")
    card.get_by_label("Scores are seen by").select_option("owner")
    card.get_by_label("Closes (UTC)").fill("2090-01-02T03:04")
    card.get_by_role("button", name="Save").click()
    card.get_by_text("Saved. Closes in").wait_for()
    phases = site.call("", "GET", "/api/board")[1]["phases"]
    final = next(phase for phase in phases if phase["name"] == "final")["config"]
    assert (final["visibility"], final["closes_at"]) == ("owner", 3787009440_000000)
    card.get_by_label("Opens (UTC)").fill("2091-01-02T03:04")
    card.get_by_role("button", name="Save").click()
    card.locator(".banner.error", has_text="closes after it has opened").wait_for()


def test_the_benchmark_is_set(organiser: Any, site: Any) -> None:
    organiser.get_by_role("link", name="Benchmark").click()
    organiser.get_by_label("Name").fill("Crates <i>")
    organiser.get_by_label("Contact").fill("mailto:olga")
    organiser.get_by_role("button", name="Save").click()
    organiser.locator(".banner.error", has_text="mailto:name@host").wait_for()
    organiser.get_by_label("Contact").fill("Olga, room 5")
    organiser.get_by_text("Limits of files").click()
    organiser.get_by_label("Records of one image").fill("999")
    organiser.get_by_role("button", name="Save").press("Enter")
    organiser.get_by_text("Saved, and in force.").wait_for()
    organiser.get_by_role("heading", name="Crates <i>").wait_for()
    board = site.call("", "GET", "/api/board")[1]
    assert (board["name"], board["contact"], board["limits"]["max_per_image"]) == (
        "Crates <i>",
        "Olga, room 5",
        999,
    )
    organiser.get_by_role("link", name="Events").click()
    event = organiser.locator("tbody tr", has_text="changed the benchmark").first
    assert "Olga, room 5" in event.inner_text()
    organiser.goto(f"{site.url}/organise#benchmark")
    organiser.get_by_label("Name").fill("Boxes <b>")
    organiser.get_by_role("button", name="Save").click()
    organiser.get_by_text("Saved, and in force.").wait_for()


def test_teams_invitations_and_ways_back(organiser: Any, site: Any, visitor: Any) -> None:
    organiser.get_by_role("link", name="Teams and people").click()
    organiser.get_by_label("Team", exact=True).fill("New <ones>")
    organiser.get_by_label("People").fill("3")
    organiser.get_by_role("button", name="Invite", exact=True).click()
    link = link_in(organiser)
    assert re.fullmatch(rf"{site.url}/enter#\S{{32}}", link)
    visitor.goto(link)
    visitor.get_by_label("Name").fill("Nele")
    visitor.get_by_role("button", name="Come in").click()
    visitor.wait_for_url(f"{site.url}/")
    organiser.reload()
    organiser.get_by_role("button", name="Revoke the link for team New <ones>").click()
    organiser.get_by_text("The link is revoked").wait_for()
    organiser.get_by_role("button", name="Sign out everywhere Nele").click()
    organiser.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    organiser.get_by_text("Nele is signed out everywhere").wait_for()
    organiser.get_by_role("button", name="Link to come back for Nele").click()
    back = link_in(organiser)
    visitor.goto(link)
    visitor.get_by_role("heading", name="This link does not let you in").wait_for()
    assert visitor.get_by_text("Link to come back").is_visible()
    assert visitor.get_by_label("Login name").is_visible()
    visitor.goto(back)
    visitor.get_by_text("Welcome back, Nele.").wait_for()
    visitor.get_by_role("button", name="Go on").click()
    visitor.wait_for_url(f"{site.url}/")
    visitor.goto(back)  # used up; but the browser is signed in
    visitor.get_by_text("you are signed in as Nele").wait_for()
    visitor.get_by_role("button", name="Go on").click()
    visitor.wait_for_url(f"{site.url}/")


def test_a_co_organiser_comes_in_and_may_not_invite_another(organiser: Any, site: Any, visitor: Any) -> None:
    organiser.get_by_role("link", name="Teams and people").click()
    organiser.get_by_role("button", name="Invite a co-organiser").click()
    visitor.goto(link_in(organiser))
    visitor.get_by_label("Name").fill("Mia")
    visitor.get_by_role("button", name="Come in").click()
    visitor.wait_for_url(f"{site.url}/")
    visitor.goto(f"{site.url}/organise#teams")
    visitor.get_by_text("The first organiser invites others").wait_for()
    assert visitor.get_by_role("button", name="Invite a co-organiser").count() == 0


def test_a_submission_is_withdrawn_with_a_reason_that_stands_in_the_events(
    organiser: Any, site: Any, make_guesses: Guesses
) -> None:
    organiser.get_by_role("link", name="Submissions").last.click()
    organiser.get_by_role("heading", name="Nearly the same").wait_for()
    organiser.context.set_offline(True)
    organiser.locator(".banner.error", has_text="is asked for again").wait_for()
    sent = site.send("bob", make_guesses(site.dataset, 41), method="<img src=x onerror=alert(1)>")[1]
    organiser.context.set_offline(False)
    organiser.get_by_text("<img src=x onerror=alert(1)>").wait_for()
    site.wait("bob", sent["id"])
    row = organiser.locator("tbody tr", has=organiser.get_by_label(f"Details of submission {sent['id']}"))
    row.locator(".badge.good", has_text="scored").wait_for()  # without reloading
    row.get_by_role("button", name="Withdraw submission").click()
    organiser.get_by_role("dialog").get_by_label("Why").fill("trained on val")
    organiser.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
    row.get_by_text("by the organisers: trained on val").wait_for()
    organiser.get_by_role("link", name="Events").click()
    event = organiser.locator("tbody tr", has_text=f"withdrew submission {sent['id']}")
    assert "trained on val" in event.inner_text()


def test_long_lists_are_searched_by_keyboard_and_by_address(
    organiser: Any, site: Any, come_back: Callable[..., Any]
) -> None:
    for k in range(101):
        site.announce("ann" if k % 2 else "bob", 9, method=f"Net {k} &")
    rows = organiser.get_by_role("region", name="Submissions of all teams").locator("tbody tr")
    organiser.goto(f"{site.url}/organise?team=&method=net+100#submissions")
    assert organiser.get_by_label("Method has").input_value() == "net 100"
    rows.first.wait_for()
    assert rows.count() == 1
    organiser.get_by_label("Method has").fill("net")
    organiser.get_by_label("Method has").press("Enter")
    organiser.get_by_text("100 on this page").wait_for()
    organiser.get_by_role("button", name="Older").press("Enter")
    organiser.get_by_text("1 found on this page").wait_for()
    assert rows.count() == 1
    organiser.reload()
    rows.get_by_text("Net 0 &").wait_for()
    organiser.go_back()
    organiser.get_by_text("100 on this page").wait_for()
    organiser.get_by_label("Method has").fill("5 &")
    organiser.get_by_label("Team has").fill("a")
    organiser.get_by_label("State").select_option("received")
    organiser.wait_for_url("**/organise?team=a&method=5+%26&state=received#submissions")
    organiser.get_by_text("10 found on this page").wait_for()
    organiser.get_by_label("State").select_option("scored")
    organiser.get_by_text("None that fits.").wait_for()
    own = come_back("ann", "/submissions?method=net+9")
    own.locator("tr[data-submission]").first.wait_for()
    assert own.locator("tr[data-submission]").count() == 6  # 9, 91, 93, 95, 97, 99
    assert own.get_by_label("Team has").count() == 0


def test_others_are_told_whose_page_it_is(come_back: Callable[..., Any]) -> None:
    page = come_back("ann", "/organise")
    page.get_by_text("This page is for the organisers").wait_for()
    page.locator(".menu summary").click()
    page.get_by_text("Signed in as ann, participant").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("Open the link of your invitation").wait_for()
