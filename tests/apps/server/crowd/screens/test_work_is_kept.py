"""Nothing that a worker did is lost: over a reload, a crash, no connection, an ended session, another tab."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from amidst.crowd.schema import answer, draft

sync_api = pytest.importorskip("playwright.sync_api")

STEPS = 210
WAIT_MS = 120_000  # an upper bound for slow machines; nothing waits this long by design


def put(page: Any, desk: Any, number: int, first: int = 0) -> None:
    """So many crosses, in rows, one undoable step each."""
    for step in range(first, first + number):
        page.mouse.click(*desk.place(page, 30 + 25 * (step % 10), 30 + 25 * (step // 10)))


def count(page: Any, number: int) -> None:
    """Waits until so many crosses are said to be there."""
    page.wait_for_selector(f"[data-count]:text('{number} of')")


def journal_has(page: Any, least: int) -> None:
    """Waits until the journal holds the events up to this number."""
    page.wait_for_function("n => Number(document.querySelector('.stage').dataset.kept) >= n", arg=least)


def kept(page: Any) -> int:
    """The number of the last event that the journal holds, of a desk that may write."""
    return int(page.wait_for_selector(".stage[data-kept]").get_attribute("data-kept"))


def drafts(site: Any) -> list[Any]:
    return [row[0] for row in site.run(site.store.read(lambda c: c.execute(select(draft.c.body_json)).all()))]


def test_two_hundred_steps_back_and_forth_over_a_reload(desk: Any) -> None:
    page = desk("spotting")
    desk.place(page, 0, 0)
    put(page, desk, 1)
    for _ in range(STEPS):  # each press of the key is a step: none here, and not
        page.keyboard.press("n")
    journal_has(page, STEPS + 1)
    page.reload()
    desk.ticket(page)
    for _ in range(STEPS - 1):
        page.keyboard.press("Control+z")
    page.wait_for_selector("button:has-text('None here')[aria-pressed=true]")
    journal_has(page, 2 * STEPS + 1)
    page.reload()
    desk.ticket(page)
    page.keyboard.press("Control+z")
    count(page, 1)
    page.keyboard.press("Control+z")
    count(page, 0)
    assert page.is_disabled("text=Undo")
    for _ in range(STEPS + 1):
        page.keyboard.press("Control+Shift+z")
    count(page, 0)
    page.wait_for_selector("button:has-text('None here')[aria-pressed=false]")
    assert page.is_disabled("text=Redo")


def test_an_edit_is_in_the_journal_within_a_tenth_of_a_second_and_in_the_draft_within_five(desk: Any) -> None:
    page = desk("spotting")
    desk.place(page, 0, 0)
    page.evaluate(
        """() => {
            const stage = document.querySelector(".stage");
            addEventListener("keydown", () => (window.pressed = performance.now()), true);
            const kept = () => (window.kept = performance.now());
            new MutationObserver(kept).observe(stage, { attributes: true });
        }"""
    )
    waits = []
    for _ in range(9):
        before = kept(page)
        page.keyboard.press("n")
        journal_has(page, before + 1)
        waits.append(page.evaluate("window.kept - window.pressed"))
    assert min(waits) < 100  # what the machine does meanwhile is not the page's
    page.wait_for_selector("[data-saved]:text('saved')")
    sent = """performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/draft"))"""
    assert page.evaluate(f"{sent}.at(-1).startTime - window.pressed") < 5000
    assert '"none":true' in drafts(desk.site)[-1]


def test_a_page_killed_in_mid_drawing_loses_at_most_one_edit(desk: Any) -> None:
    page = desk("spotting")
    put(page, desk, 6)
    count(page, 6)
    journal_has(page, 5)
    with suppress(sync_api.Error):
        page.goto("chrome://crash")
    again = page.visitor.open("/work/spotting")
    kept(again)
    desk.ticket(again)
    assert int(again.inner_text("[data-count]").split()[0]) >= 5
    again.keyboard.press("Control+z")
    again.wait_for_function("() => parseInt(document.querySelector('[data-count]').textContent) <= 5")


def kill(profile: Path) -> None:
    """SIGKILL to every process of the browser that has this profile; returns when all have ended."""
    own = [place for place in Path("/proc").glob("[0-9]*/cmdline") if str(profile).encode() in read(place)]
    assert own
    for place in own:
        os.kill(int(place.parent.name), signal.SIGKILL)
    while any(read(place) for place in own):
        time.sleep(0.01)


def read(place: Path) -> bytes:
    try:
        return place.read_bytes()
    except OSError:  # it has ended
        return b""


def unsent(route: Any) -> None:
    """Drafts are asked for, and never saved."""
    if route.request.method == "POST":
        route.abort()
    else:
        route.continue_()


def unanswered(route: Any) -> None:
    """Drafts are asked for; none that is saved is ever answered."""
    if route.request.method != "POST":
        route.continue_()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the browser's processes under /proc")
def test_a_browser_killed_as_a_whole_has_what_it_said_to_have(
    desk: Any, browser: Any, chromium: str, tmp_path: Path
) -> None:
    root = ["--no-sandbox"] if os.geteuid() == 0 else []

    def start() -> Any:
        context = browser.browser_type.launch_persistent_context(
            tmp_path / "profile",
            executable_path=chromium,
            args=root,
            viewport={"width": 1280, "height": 720},
            timeout=WAIT_MS,
        )
        context.set_default_timeout(WAIT_MS)
        context.route("**/draft", unsent)  # what comes back comes from this machine
        return context

    first = desk("spotting", context=start())
    first.visitor.expected.add("ERR_FAILED")
    put(first, desk, 6)
    journal_has(first, 6)
    account, ticket = first.visitor.account, desk.ticket(first)
    kill(tmp_path / "profile")
    context = start()
    entry = {"token": desk.site.link_of(account)}
    assert context.request.post(f"{desk.site.address}/api/auth/enter", data=entry).ok
    again = context.new_page()
    again.goto(f"{desk.site.address}/work/spotting")
    assert desk.ticket(again) == ticket
    count(again, 6)
    context.close()


def test_three_answers_made_offline_arrive_once_each(desk: Any) -> None:
    page = desk("spotting")
    page.visitor.expected.update(["ERR_INTERNET_DISCONNECTED", "Failed to load"])
    desk.ahead(page)
    page.wait_for_function(  # and so are their pictures
        """() => performance.getEntriesByType("resource")
            .filter(({ name }) => name.includes("/original-upright")).length === 4"""
    )
    desk.place(page, 0, 0)
    page.visitor.context.set_offline(True)
    page.wait_for_selector("[data-notice=offline]")
    tickets = []
    for number in range(3):
        tickets.append(desk.ticket(page))
        put(page, desk, number + 1)
        count(page, number + 1)
        page.keyboard.press("Control+Enter")
        desk.ticket(page, but=tickets[-1])
        page.wait_for_selector(f"[data-notice=outbox]:has-text('{['One', '2', '3'][number]} answer')")
    assert desk.site.answers("spotting") == []
    page.visitor.context.set_offline(False)
    page.wait_for_selector("[data-notice=outbox]", state="detached")
    assert [len(body["points"]) for body in desk.site.answers("spotting")] == [1, 2, 3]
    stored = select(func.count()).select_from(answer).where(answer.c.ticket_id.in_(tickets))
    assert desk.site.run(desk.site.store.read(lambda c: c.scalar(stored))) == 3


@pytest.mark.parametrize("by_link", [False, True])
def test_a_session_that_ends_opens_a_dialog_over_the_work(desk: Any, by_link: bool) -> None:
    page = desk("segmentation")
    page.visitor.expected.add("401")
    x, y = desk.task(page)["target_xy"]
    page.keyboard.press("s")
    places = [(x - 15, y - 15), (x + 15, y - 15), (x + 15, y + 15)]
    for place in places:
        page.mouse.click(*desk.place(page, *place))
    desk.ahead(page)
    page.wait_for_selector("[data-saved]:text('saved')")  # nothing is on its way that could find no session
    request = page.visitor.context.request
    token = request.get(f"{desk.site.address}/api/auth/me").json()["csrf"]
    headers = {"X-CSRF-Token": token}
    secret = {"login": "worker 1", "password": "correct horse battery"}
    request.post(f"{desk.site.address}/api/auth/password", data=secret, headers=headers)
    request.post(f"{desk.site.address}/api/auth/logout", headers=headers)
    page.mouse.click(*desk.place(page, x - 15, y + 15))  # its draft finds no session
    page.wait_for_selector("dialog.session")
    if by_link:
        page.fill("input[name=link]", f"{desk.site.address}/enter#{desk.site.link_of(page.visitor.account)}")
        page.click("dialog.session button:text-is('Come in')")
    else:
        page.fill("input[name=login]", secret["login"])
        page.fill("input[name=password]", "wrong " + secret["password"])
        page.click("dialog.session button.primary")
        page.wait_for_selector("dialog.session .problem:text('unknown name')")
        page.fill("input[name=password]", secret["password"])
        page.click("dialog.session button.primary")
    page.wait_for_selector("dialog.session", state="detached")
    page.wait_for_selector("[data-saved]:text('saved')")
    page.keyboard.press("Enter")
    desk.hand_in(page)
    points = desk.site.answers("segmentation")[-1]["parts"][0]["points"]
    assert [[round(v) for v in point] for point in points[:3]] == [[round(v) for v in p] for p in places]
    assert len(points) == 4


def test_a_second_tab_looks_on_and_may_take_over(desk: Any) -> None:
    page = desk("spotting")
    put(page, desk, 1)
    second = page.visitor.open("/work/spotting")
    assert desk.ticket(second) == desk.ticket(page)
    second.wait_for_selector("[data-notice=lock]:has-text('another tab')")
    count(second, 1)
    second.mouse.click(*desk.place(second, 250, 200))
    second.keyboard.press("n")
    put(page, desk, 1, first=1)
    count(second, 2)  # it follows the first
    assert second.is_disabled("text=Submit")
    second.click("text=Work here")
    second.wait_for_selector("[data-notice=lock]", state="detached")
    page.wait_for_selector("[data-notice=lock]:has-text('taken over')")
    desk.ticket(second)
    before = kept(second)
    put(second, desk, 1, first=2)
    count(second, 3)
    journal_has(second, before + 1)
    second.close()
    page.wait_for_selector("[data-notice=lock]", state="detached")
    desk.ticket(page)
    count(page, 3)
    desk.hand_in(page)
    assert len(desk.site.answers("spotting")[-1]["points"]) == 3


def test_another_browser_goes_on_where_the_draft_ends(desk: Any, browser: Any) -> None:
    page = desk("spotting")
    put(page, desk, 2)
    page.wait_for_selector("[data-saved]:text('saved')")
    context = browser.new_context(
        viewport={"width": 1280, "height": 720}, storage_state=page.context.storage_state()
    )
    elsewhere = context.new_page()
    elsewhere.goto(f"{desk.site.address}/work/spotting")
    desk.ticket(elsewhere)
    count(elsewhere, 2)
    put(elsewhere, desk, 1, first=2)
    count(elsewhere, 3)
    desk.hand_in(elsewhere)
    assert len(desk.site.answers("spotting")[-1]["points"]) == 3
    context.close()
    page.visitor.expected.add("409")
    put(page, desk, 1, first=5)  # the first browser learns that it has lost the ticket
    page.wait_for_selector("dialog.lost")
    page.click("dialog.lost button:text-is('Leave it')")
    page.wait_for_selector("dialog.lost", state="detached")


def test_leaving_with_unsent_work_warns(desk: Any) -> None:
    page = desk("spotting")
    asked: list[str] = []
    page.route("**/draft", unanswered)
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    put(page, desk, 1)
    journal_has(page, 1)  # kept here; the server has not said that it has the draft
    page.goto(f"{desk.site.address}/work")
    assert asked == ["beforeunload"]
    page.goto(f"{desk.site.address}/work/spotting")
    desk.ticket(page)
    kept(page)
    count(page, 1)
    page.goto(f"{desk.site.address}/work")  # nothing new: no question
    assert asked == ["beforeunload"]


def test_tickets_fetched_ahead_go_back_when_one_stops(desk: Any) -> None:
    page = desk("spotting")
    put(page, desk, 1)
    page.click("text=Stop here")
    page.wait_for_selector(".badge:text('1 in your hands')")
    page.click("text=Instance spotting")
    desk.ticket(page)
    count(page, 1)


def test_a_ticket_on_its_way_while_one_stops_goes_back_too(desk: Any, visit: Any) -> None:
    visitor = visit()
    asked: list[Any] = []

    def lease(route: Any) -> None:
        """The first is answered; the one fetched ahead when the test says so."""
        asked.append(route)
        if len(asked) == 1:
            route.continue_()

    visitor.context.route("**/api/tickets/lease", lease)
    page = visitor.open("/work/spotting")
    desk.ticket(page)
    put(page, desk, 1)
    while len(asked) < 2:
        page.wait_for_timeout(10)
    page.click("text=Stop here")
    asked[1].continue_()
    page.wait_for_selector(".badge:text('1 in your hands')")
    assert len(visitor.context.request.get(f"{desk.site.address}/api/tickets").json()) == 1
    assert len(asked) == 2
