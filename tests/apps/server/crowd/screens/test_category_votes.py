"""screen_category_votes.js in a real Chromium: points for every candidate to the stored answer."""

from __future__ import annotations

from typing import Any


def candidates(desk: Any, page: Any) -> list[int]:
    found = [one["id"] for one in desk.task(page)["candidates"]]
    assert len(found) == 6
    return found


def stored(desk: Any) -> dict[int, tuple[int, str]]:
    body = desk.site.answers("category_votes")[-1]
    return {one["candidate"]: (one["score"], one["comment"]) for one in body["scores"]}


def test_points_by_keys_alone(desk: Any) -> None:
    page = desk("category_votes")
    ids = candidates(desk, page)
    for key in "54321":
        page.keyboard.press(key)
    page.wait_for_selector(".badge:text('5 of 6')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".said.error:has-text('1 candidate has no points yet')")
    page.keyboard.press("Home")
    page.keyboard.press("Delete")
    page.keyboard.press("2")
    page.keyboard.press("c")  # a comment on the second
    page.keyboard.type("11 kinds of it")
    page.keyboard.press("Enter")
    page.keyboard.press("u")
    page.keyboard.press("3")
    desk.hand_in(page, by_key=True)
    assert stored(desk) == {
        one: (score, "11 kinds of it" if place == 1 else "")
        for place, (one, score) in enumerate(zip(ids, [2, 4, 3, 2, 1, 3], strict=True))
    }


def test_points_by_mouse(desk: Any) -> None:
    page = desk("category_votes")
    ids = candidates(desk, page)
    for place, one in enumerate(ids):
        page.click(f"[data-candidate='{one}'] [role=radio] >> nth={place % 5}")
    page.click(f"[data-candidate='{ids[0]}'] [role=radio] >> nth=4")  # changed
    checked = page.locator("[role=radio][aria-checked=true]")
    assert checked.all_inner_texts() == ["5", "2", "3", "4", "5", "1"]
    desk.hand_in(page)
    assert {one: score for one, (score, _) in stored(desk).items()} == dict(
        zip(ids, [5, 2, 3, 4, 5, 1], strict=True)
    )


def test_points_are_taken_back_and_survive_a_reload(desk: Any) -> None:
    page = desk("category_votes")
    page.keyboard.press("5")
    page.keyboard.press("4")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".badge:text('1 of 6')")
    page.wait_for_function("() => Number(document.querySelector('.stage').dataset.kept) >= 3")
    page.reload()
    desk.ticket(page)
    page.wait_for_selector(".badge:text('1 of 6')")
    page.keyboard.press("Control+Shift+z")
    page.wait_for_selector(".badge:text('2 of 6')")
