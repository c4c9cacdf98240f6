"""screen_spotting.js in a real Chromium: from first sight to the stored answer, by mouse and by keys."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

PLACES = [(100, 100), (200, 150)]
PIXEL = """([x, y]) => {
    const canvas = document.querySelector("canvas.view"), box = canvas.getBoundingClientRect();
    const at = [Math.round(x - box.x), Math.round(y - box.y)];
    return [...canvas.getContext("2d").getImageData(...at, 1, 1).data.slice(0, 3)];
}"""


def ring_is_shown(page: Any, desk: Any) -> bool:
    """Whether the pixel on the right of the prior's ring is yellow."""
    x, y = desk.place(page, *desk.task(page)["prior_xy"])
    red, green, blue = page.evaluate(PIXEL, [x + 22, y])
    return bool(red > 200 and green > 170 and blue < 110)


def test_crosses_by_mouse(desk: Any) -> None:
    page = desk("spotting")
    for place in (*PLACES, (300, 200)):
        page.mouse.click(*desk.place(page, *place))
    page.wait_for_selector("[data-count]:text('3 of')")
    page.mouse.click(*desk.place(page, 300, 200))  # a click on a cross takes it away
    page.wait_for_selector("[data-count]:text('2 of')")
    desk.hand_in(page)
    body = desk.site.answers("spotting")[-1]
    assert [(round(p["x"]), round(p["y"])) for p in body["points"]] == PLACES
    assert (body["none"], body["more_than_10"]) == (False, False)


def test_crosses_by_keys(desk: Any) -> None:
    page = desk("spotting")
    prior = desk.task(page)["prior_xy"]
    press = page.keyboard.press
    desk.place(page, 0, 0)
    press("Space")  # the cursor begins at the prior
    press("Shift+ArrowLeft")
    press("Space")
    page.wait_for_selector("[data-count]:text('2 of')")
    press("Tab")
    press("Tab")
    press("Delete")
    page.wait_for_selector("[data-count]:text('1 of')")
    press("Control+z")
    page.wait_for_selector("[data-count]:text('2 of')")
    desk.hand_in(page, by_key=True)
    points = desk.site.answers("spotting")[-1]["points"]
    assert points[0] == {"x": prior[0], "y": prior[1]}
    assert points[1]["y"] == prior[1]
    assert points[1]["x"] < prior[0]


def test_none_and_more_than_ten(desk: Any) -> None:
    page = desk("spotting")
    desk.place(page, 0, 0)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".said.error")  # neither a cross nor a word
    page.click("text=None here")
    desk.hand_in(page)
    assert desk.site.answers("spotting")[-1] == {"points": [], "none": True, "more_than_10": False}
    for step in range(11):
        page.mouse.click(*desk.place(page, 20 + 30 * step, 40))
    page.wait_for_selector("[data-count]:text('10 of')")  # the eleventh is not taken
    page.keyboard.press("t")
    desk.hand_in(page)
    body = desk.site.answers("spotting")[-1]
    assert (len(body["points"]), body["more_than_10"]) == (10, True)


def test_the_prior_blinks_until_the_first_click(desk: Any, visit: Any) -> None:
    visitor = visit()
    visitor.context.clock.install()
    page = visitor.open("/work/spotting")
    desk.ticket(page)
    desk.place(page, 0, 0)
    page.clock.pause_at(page.evaluate("Date.now()") + 30_000)  # it goes on until it is told to pause
    phases = []
    for _ in range(16):  # 1.6 s in steps of 100 ms
        page.clock.run_for(100)
        phases.append(ring_is_shown(page, desk))
    turns = [i for i in range(1, 16) if phases[i] != phases[i - 1]]
    assert [after - before for before, after in pairwise(turns)] == [4] * (len(turns) - 1)
    assert len(turns) in (3, 4)  # on and off each 800 ms: 1.25 Hz
    page.mouse.click(*desk.place(page, 30, 30))
    for _ in range(10):
        page.clock.run_for(100)
        assert ring_is_shown(page, desk)


def test_a_steady_ring_where_motion_is_not_wanted(desk: Any, visit: Any) -> None:
    visitor = visit(reduced_motion="reduce")
    visitor.context.clock.install()
    page = visitor.open("/work/spotting")
    desk.ticket(page)
    desk.place(page, 0, 0)
    for _ in range(10):
        page.clock.run_for(100)
        assert ring_is_shown(page, desk)


@pytest.mark.parametrize("by_key", [False, True])
def test_the_magnifier_doubles_what_lies_under_the_pointer(desk: Any, by_key: bool) -> None:
    page = desk("spotting", reduced_motion="reduce")
    x, y = desk.place(page, 120, 90)
    offsets = [(dx, dy) for dx in (-40, -14, 0, 22, 38) for dy in (-36, 6, 30)]
    page.keyboard.press("0")  # fitted: smooth scaling in both
    desk.frames(page)
    before = [page.evaluate(PIXEL, [x + dx / 2, y + dy / 2]) for dx, dy in offsets]
    page.mouse.move(x, y)
    if by_key:
        page.keyboard.press("m")
    else:
        page.click("text=Magnifier")
        page.mouse.move(x, y)
    page.wait_for_function("document.querySelector('[aria-pressed=true]')")
    desk.frames(page)
    after = [page.evaluate(PIXEL, [x + dx, y + dy]) for dx, dy in offsets]
    apart = [
        abs(a - b) for one, other in zip(before, after, strict=True) for a, b in zip(one, other, strict=True)
    ]
    assert sorted(apart)[len(apart) // 2] <= 12  # the same picture, at another sampling
