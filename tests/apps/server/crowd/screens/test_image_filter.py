"""screen_image_filter.js in a real Chromium: to the stored answer, by mouse, by keys, by touch."""

from __future__ import annotations

from typing import Any

COUNT = 24


def iconic(desk: Any, page: Any) -> list[int]:
    """Places of the known iconic images: the tests know them, the page does not."""
    found: list[int] = desk.site.known(desk.ticket(page), "iconic")
    assert len(found) == 4
    return found


def tile(page: Any, place: int) -> Any:
    return page.locator(f".tile[data-index='{place}']")


def shown(page: Any) -> dict[int, str]:
    """The marks on the page, by position."""
    marks = page.eval_on_selector_all(
        ".tile .mark", "marks => marks.map(m => [Number(m.parentElement.dataset.index), m.textContent])"
    )
    return dict(marks)


def tapped(page: Any, number: int) -> None:
    """Waits for so many marks: a tap becomes a click a little later."""
    page.wait_for_function("n => document.querySelectorAll('.tile .mark').length === n", arg=number)


def test_marks_by_mouse(desk: Any) -> None:
    page = desk("image_filter")
    assert page.locator(".tile").count() == COUNT
    for clicks, place in enumerate(iconic(desk, page)):
        for _ in range(clicks or 4):  # the first goes through all marks and back to none
            tile(page, place).click()
    first, *rest = iconic(desk, page)
    assert shown(page) == dict(zip(rest, ["Iconic object", "Iconic scene", "Invalid"], strict=True))
    tile(page, first).hover()
    page.mouse.move(*middle(page, first))
    page.locator(".toolbar button", has_text="Iconic scene").click()
    desk.hand_in(page)
    reasons = ["iconic_scene", "iconic_object", "iconic_scene", "invalid"]
    expected = [
        {"item": place, "reason": reason} for place, reason in zip([first, *rest], reasons, strict=True)
    ]
    assert desk.site.answers("image_filter")[-1]["removed"] == sorted(expected, key=lambda one: one["item"])


def middle(page: Any, place: int) -> tuple[float, float]:
    box = tile(page, place).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_marks_by_keys_alone(desk: Any) -> None:
    page = desk("image_filter")
    places, at = iconic(desk, page), 0
    for key, place in zip("1231", places, strict=True):
        page.keyboard.press("Home")
        for _ in range(place):
            page.keyboard.press("ArrowRight")
        page.keyboard.press(key)
        at = place
    assert page.evaluate("document.activeElement.dataset.index") == str(at)
    page.keyboard.press("Enter")  # on: iconic scene
    assert shown(page)[at] == "Iconic scene"
    page.keyboard.press("0")
    assert at not in shown(page)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert shown(page)[at] == "Iconic object"
    desk.hand_in(page, by_key=True)
    reasons = ["iconic_object", "iconic_scene", "invalid", "iconic_object"]
    stored = {one["item"]: one["reason"] for one in desk.site.answers("image_filter")[-1]["removed"]}
    assert stored == dict(zip(places, reasons, strict=True))


def test_the_large_view_by_keys(desk: Any) -> None:
    page = desk("image_filter")
    page.keyboard.press("End")
    desk.press_space(page)  # a tap keeps it open
    page.wait_for_selector(f".peek .caption:text('{COUNT} of {COUNT}')")
    page.wait_for_function("() => document.querySelector('.peek img').src.includes('/1024')")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("1")
    page.wait_for_selector(".peek .badge:text('Iconic object')")
    assert shown(page) == {COUNT - 2: "Iconic object"}
    desk.press_space(page)
    page.wait_for_selector(".peek", state="hidden")
    desk.press_space(page)
    page.wait_for_selector(".peek img")
    page.keyboard.press("Escape")
    page.wait_for_selector(".peek", state="hidden")


def test_holding_the_key_shows_it_as_long(desk: Any) -> None:
    page = desk("image_filter")
    page.keyboard.down("Space")
    page.wait_for_selector(".peek img")
    page.wait_for_function("() => (window.since ??= performance.now()) + 500 < performance.now()", polling=50)
    page.keyboard.up("Space")
    page.wait_for_selector(".peek", state="hidden")
    assert shown(page) == {}


def test_a_tap_stays_a_tap_on_a_page_that_is_busy(desk: Any) -> None:
    page = desk("image_filter")
    page.evaluate(
        """addEventListener("keydown", () => {
            for (const end = performance.now() + 600; performance.now() < end; );
        })"""
    )
    desk.press_space(page)
    desk.frames(page)
    assert page.is_visible(".peek img")
    desk.press_space(page)
    page.wait_for_selector(".peek", state="hidden")
    desk.press_space(page, 600)
    desk.frames(page)
    assert page.is_hidden(".peek")


def test_marks_by_touch(desk: Any) -> None:
    page = desk("image_filter", has_touch=True, viewport={"width": 1280, "height": 800})
    places = iconic(desk, page)
    for place in places:
        tile(page, place).tap()
    tapped(page, len(places))
    assert shown(page) == dict.fromkeys(places, "Iconic object")
    touch = page.context.new_cdp_session(page)
    tile(page, places[0]).scroll_into_view_if_needed()
    x, y = middle(page, places[0])
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    page.wait_for_selector(".peek img")  # a long press shows it large, and marks nothing
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_selector(".peek", state="hidden")
    assert shown(page) == dict.fromkeys(places, "Iconic object")
    page.locator(".foot button.primary").tap()
    page.wait_for_function("() => !document.querySelector('.tile .mark')")
    desk.stored(page)
    assert {one["item"] for one in desk.site.answers("image_filter")[-1]["removed"]} == set(places)


def test_look_again_keeps_the_grid_and_its_marks_and_gives_no_hint(desk: Any) -> None:
    page = desk("image_filter")
    ticket, places = desk.ticket(page), iconic(desk, page)
    tile(page, places[0]).click()
    page.click(".foot button.primary")
    page.wait_for_selector(".said:text('2 tries left')")
    assert desk.ticket(page) == ticket
    assert shown(page) == {places[0]: "Iconic object"}
    assert page.locator(".tile[class*=missed], .tile[data-known]").count() == 0
    for place in places[1:]:
        tile(page, place).click()
    desk.hand_in(page)
    first, second = desk.site.answers("image_filter")[-2:]
    assert (len(first["removed"]), len(second["removed"])) == (1, 4)


def test_after_three_tries_another_grid_comes(desk: Any) -> None:
    page = desk("image_filter")
    ticket = desk.ticket(page)
    for text in ("2 tries left", "This is the last try"):
        page.click(".foot button.primary")
        page.wait_for_selector(f".said:text('{text}')")
    page.click(".foot button.primary")
    desk.ticket(page, but=ticket)
    page.wait_for_selector(".said:text('last try of this grid')")


def test_marks_survive_a_reload(desk: Any) -> None:
    page = desk("image_filter")
    tile(page, 5).click()
    page.wait_for_function("() => Number(document.querySelector('.stage').dataset.kept) >= 1")
    page.reload()
    desk.ticket(page)
    assert shown(page) == {5: "Iconic object"}
    page.keyboard.press("Control+z")
    page.wait_for_function("() => !document.querySelector('.tile .mark')")


def test_sizes_and_the_guide_are_remembered(desk: Any) -> None:
    page = desk("image_filter")
    before = tile(page, 0).bounding_box()["width"]
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert tile(page, 0).bounding_box()["width"] > before
    page.click("button:text('Guide')")
    page.wait_for_selector(".guide", state="hidden")
    size = page.evaluate("document.querySelector('.tiles').style.getPropertyValue('--tile')")
    page.reload()
    desk.ticket(page)
    assert page.locator(".guide").is_hidden()
    assert page.evaluate("document.querySelector('.tiles').style.getPropertyValue('--tile')") == size
