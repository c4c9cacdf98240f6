"""screen_verification.js in a real Chromium: to the stored answer, by mouse, by keys, by touch."""

from __future__ import annotations

from typing import Any

COUNT = 16


def bad(desk: Any, page: Any) -> list[int]:
    """Places of the known bad masks: the tests know them, the page does not."""
    found: list[int] = desk.site.known(desk.ticket(page), "known_bad")
    assert len(found) == 4
    return found


def tile(page: Any, place: int) -> Any:
    return page.locator(f".tile[data-index='{place}']")


def shown(page: Any) -> set[int]:
    """The places marked on the page."""
    marked = page.eval_on_selector_all(
        ".tile[aria-pressed=true]", "tiles => tiles.map(tile => Number(tile.dataset.index))"
    )
    return set(marked)


def outline(page: Any, selector: str) -> Any:
    """Of a canvas: its side, how many pixels have the outline's colour, and the box around them."""
    page.wait_for_selector(f"{selector}[data-drawn]:not([data-drawn=failed])")
    return page.evaluate(
        """selector => {
            const canvas = document.querySelector(selector), { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            let number = 0, [left, top, right, bottom] = [width, height, 0, 0];
            for (let at = 0; at < data.length; at += 4) {
                if (data[at] !== 255 || data[at + 1] !== 59 || data[at + 2] !== 140) continue;
                const x = (at / 4) % width, y = Math.floor(at / 4 / width);
                number += 1;
                [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
                [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
            }
            return { side: width, number, width: right - left, height: bottom - top };
        }""",
        selector,
    )


def test_marks_by_mouse(desk: Any) -> None:
    page = desk("verification")
    assert page.locator(".tile").count() == COUNT
    page.wait_for_function(f"() => document.querySelectorAll('.tile .name').length === {COUNT}")
    assert all(page.locator(".tile .name").all_inner_texts())
    places = bad(desk, page)
    for place in places:
        tile(page, place).click()
    tile(page, places[0]).click()  # off again
    desk.hand_in(page)  # three of four are enough
    assert desk.site.answers("verification")[-1] == {"bad": places[1:]}


def test_marks_by_keys_alone(desk: Any) -> None:
    page = desk("verification")
    places = bad(desk, page)
    for key, place in zip(["Enter", "1", "x", "Enter"], places, strict=True):
        page.keyboard.press("Home")
        for _ in range(place):
            page.keyboard.press("ArrowRight")
        page.keyboard.press(key)
    assert shown(page) == set(places)
    page.keyboard.press("Control+z")
    assert shown(page) == set(places[:-1])
    page.keyboard.press("Control+Shift+z")
    desk.hand_in(page, by_key=True)
    assert desk.site.answers("verification")[-1] == {"bad": places}


def test_marks_by_touch(desk: Any) -> None:
    page = desk("verification", has_touch=True)
    places = bad(desk, page)
    for place in places:
        tile(page, place).tap()
    page.wait_for_function(  # a tap becomes a click a little later
        "n => document.querySelectorAll('.tile[aria-pressed=true]').length === n", arg=len(places)
    )
    assert shown(page) == set(places)
    page.locator(".foot button.primary").tap()
    page.wait_for_function("() => !document.querySelector('.tile[aria-pressed=true]')")
    desk.stored(page)
    assert desk.site.answers("verification")[-1] == {"bad": places}


def test_look_again_without_a_hint(desk: Any) -> None:
    page = desk("verification")
    ticket, places = desk.ticket(page), bad(desk, page)
    tile(page, places[0]).click()
    page.click(".foot button.primary")
    page.wait_for_selector(".said:text('2 tries left')")
    assert (desk.ticket(page), shown(page)) == (ticket, {places[0]})
    for place in range(COUNT):  # everything marked is no way through
        if place != places[0]:
            tile(page, place).click()
    page.click(".foot button.primary")
    page.wait_for_selector(".said:text('This is the last try')")
    for place in set(range(COUNT)) - set(places):
        tile(page, place).click()
    desk.hand_in(page)
    assert [len(one["bad"]) for one in desk.site.answers("verification")[-3:]] == [1, COUNT, 4]


def test_the_outline_lies_on_the_mask_and_can_be_hidden(desk: Any) -> None:
    page = desk("verification")
    canvas = ".tile[data-index='0'] canvas"
    small = outline(page, canvas)
    item = desk.task(page)["items"][0]
    _, _, width, height = item["crop_xywh"]
    longest = max(width, height)  # the crop is shown in a square, as far as the image goes
    scale = small["side"] / max(min(longest, item["image"][side]) for side in ("width", "height"))
    for side, of_crop in (("width", width), ("height", height)):
        # the crop is 1.5 boxes of the mask, or less at the image's border
        assert of_crop / 1.5 - 3 < small[side] / scale < of_crop + 2
    page.keyboard.press("o")
    wait_for_outline(page, canvas, there=False)
    page.keyboard.press("o")
    wait_for_outline(page, canvas, there=True)
    desk.press_space(page)
    large = outline(page, ".peek canvas")
    assert large["side"] > 2 * small["side"]
    assert large["number"] > small["number"]
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f".peek .caption:has-text('2 of {COUNT}')")
    page.keyboard.press("Enter")
    page.wait_for_selector(".peek .badge:text('Poor')")


def wait_for_outline(page: Any, selector: str, *, there: bool) -> None:
    page.wait_for_function(
        """([selector, there]) => {
            const canvas = document.querySelector(selector), { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            return data.some((_, at) => at % 4 === 0 && data[at] === 255 && data[at + 1] === 59) === there;
        }""",
        arg=[selector, there],
    )
