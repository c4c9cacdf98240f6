"""screen_spotting.js in a real Chromium: from first sight to the stored answer, by mouse and by keys."""

from __future__ import annotations

from typing import Any

PLACES = [(100, 100), (200, 150)]


def test_crosses_by_mouse(desk: Any) -> None:
    page = desk("spotting")
    for place in PLACES:
        page.mouse.click(*desk.place(page, *place))
    page.wait_for_selector("[data-count]:text('2 of')")
    desk.hand_in(page)
    (body,) = desk.site.answers("spotting")
    assert [(round(p["x"]), round(p["y"])) for p in body["points"]] == PLACES
    assert (body["none"], body["more_than_10"]) == (False, False)
