"""screen_crowd_regions.js in a real Chromium: painting by mouse and keys, against the reference encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as reference

from amidst.coco import masks
from amidst.coco.records import Rle


def drag(page: Any, desk: Any, *places: tuple[float, float]) -> None:
    first, *others = [desk.place(page, *place) for place in places]
    page.mouse.move(*first)
    page.mouse.down()
    for at in others:
        page.mouse.move(*at, steps=6)
    page.mouse.up()


def existing(task: Any) -> Any:
    """(H, W): all individual masks."""
    rles = [Rle(tuple(one["size"]), one["counts"]) for one in task["masks"]]
    return masks.decode(rles).any(axis=0)


def region_of(desk: Any) -> tuple[Any, dict[str, Any]]:
    region = desk.site.answers("crowd_regions")[-1]["region"]
    return masks.decode([Rle(tuple(region["size"]), region["counts"])])[0], region


def test_a_region_by_mouse_is_encoded_as_the_reference_does_it(desk: Any) -> None:
    page = desk("crowd_regions")
    task = desk.task(page)
    others = existing(task)
    rows, columns = others.nonzero()
    over = (float(columns.mean()), float(rows.mean()))
    drag(page, desk, (60, 60), (200, 90), over)  # over the individual masks
    page.keyboard.press("]")
    drag(page, desk, (300, 50), (400, 120))
    page.click("text=Eraser")
    drag(page, desk, (80, 65), (120, 70))
    page.click("text=Fill outline")
    for place in ((20, 200), (60, 200), (60, 240), (20, 240)):
        page.mouse.click(*desk.place(page, *place))
    page.keyboard.press("Enter")
    desk.hand_in(page)
    painted, region = region_of(desk)
    encoded = reference.encode(np.asfortranarray(painted.astype(np.uint8)))
    assert region["counts"] == encoded["counts"].decode()
    assert region["size"] == encoded["size"]
    assert not (painted & others).any()
    assert painted[90, 200]
    assert painted[118, 396]
    assert not painted[67, 100]  # erased
    square = painted[201:239, 21:59] | others[201:239, 21:59]
    assert square.all()


def test_a_region_by_keys_and_steps_back(desk: Any) -> None:
    page = desk("crowd_regions")
    task = desk.task(page)
    x, y = task["points"][0]
    desk.place(page, 0, 0)
    press = page.keyboard.press
    press("Space")  # the brush is down where the cursor begins, at a point that workers have seen
    press("Shift+ArrowRight")
    press("Space")
    press("e")
    press("Space")
    press("Space")
    press("Control+z")
    press("Control+z")
    press("Control+Shift+z")
    desk.hand_in(page, by_key=True)
    painted, _ = region_of(desk)
    clear = ~existing(task)
    column, row = int(x), int(y)
    assert painted[row, column] == clear[row, column]
    assert painted[row, column : column + 30].sum() == clear[row, column : column + 30].sum()


def test_none_is_left(desk: Any) -> None:
    page = desk("crowd_regions")
    desk.place(page, 0, 0)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".said.error")
    page.keyboard.press("n")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".stage[data-ready=nothing]")
    desk.stored(page)
    assert desk.site.answers("crowd_regions") == [{"none_left": True}]
    page.goto(f"{desk.site.address}/work")
    page.wait_for_selector(".card.idle:has-text('Crowd painting') >> text=Nothing to do at the moment")
    assert page.locator(".card.idle").count() < page.locator(".card").count()
