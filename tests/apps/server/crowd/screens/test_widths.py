"""Every screen in windows of several widths: nothing runs off the side, the tools keep together."""

from __future__ import annotations

from typing import Any

import pytest

STAGES = (
    "category_votes",
    "image_filter",
    "labelling",
    "spotting",
    "segmentation",
    "verification",
    "crowd_regions",
    "captions",
)
MANAGED = (
    "",
    "/workers",
    "/worker#",
    "/voids#1",
    "/golds",
    "/decisions",
    "/people",
    "/settings",
    "/export",
    "/audit",
)
LONGEST = "traffic light"
OUTSIDE = """() => [...document.querySelectorAll("body *")]
    .filter(one => one.checkVisibility() && !one.closest(".pins, .tabs, nav, .scroll, canvas, .sr"))
    .filter(one => one.getBoundingClientRect().width > 0)
    .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
    .map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 30)}`)"""


def fits(desk: Any, page: Any, width: int, height: int, what: str) -> None:
    """Nothing lies to the right of a window of this size."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function("width => innerWidth === width", arg=width)
    desk.frames(page)  # what is measured for the room is measured anew
    assert page.evaluate("document.querySelector('main').scrollWidth") <= width, what
    assert page.evaluate("document.documentElement.scrollWidth") <= width, what
    assert page.evaluate(OUTSIDE) == [], what


def test_no_screen_is_wider_than_its_window(desk: Any) -> None:
    for stage in STAGES:  # at one server: a new one for each takes longer than looking
        page = desk(stage, role="expert")
        for width, height in ((768, 1024), (390, 844)):
            fits(desk, page, width, height, stage)
            submit = page.locator(".foot button.primary").bounding_box()
            assert submit["y"] + submit["height"] <= height, stage
            stage_box = page.locator(".stage").bounding_box()
            assert stage_box["height"] > height / 2, stage  # there is room to work
        page.close()


def test_no_page_of_the_manager_is_wider_than_its_window(desk: Any, visit: Any) -> None:
    manager = visit("manager", viewport={"width": 768, "height": 1024})
    for path in MANAGED:
        page = manager.open(f"/manage{path}{manager.account if path.endswith('#') else ''}")
        page.wait_for_selector(".ready")
        for width in (768, 390):
            fits(desk, page, width, 844, path)
        page.close()


def test_the_tools_of_segmentation_stand_in_one_row(desk: Any) -> None:
    page = desk("segmentation")
    assert page.viewport_size == {"width": 1280, "height": 720}
    page.evaluate("text => { document.querySelector('.subject').lastChild.data = text; }", LONGEST)
    places = page.locator(".toolbar button").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().y)"
    )
    assert len(places) >= 9
    assert len(set(places)) == 1


@pytest.mark.parametrize("stage", ["spotting", "segmentation", "crowd_regions"])
def test_the_drawing_screens_say_what_to_do(desk: Any, stage: str) -> None:
    page = desk(stage)
    name = desk.task(page)["category"]["name"]
    guide = page.locator("aside.guide")
    assert name in guide.locator("h2").inner_text()
    assert guide.locator(".case").count() >= 3
    before = page.locator("canvas.view").bounding_box()["width"]
    assert name in page.inner_text(".foot .said")
    page.click("text=Guide")
    guide.wait_for(state="hidden")
    page.wait_for_function("before => document.querySelector('canvas.view').clientWidth > before", arg=before)


def test_the_whole_picture_stays_in_sight_until_the_worker_zooms(desk: Any) -> None:
    page = desk("spotting")
    image = desk.task(page)["image"]
    inside = """([width, height]) => {
        const { clientWidth, clientHeight, dataset: { scale, x, y } } = document.querySelector("canvas.view");
        return Number(x) + width * scale <= clientWidth + 1 && Number(y) + height * scale <= clientHeight + 1;
    }"""
    page.wait_for_function(inside, arg=[image["width"], image["height"]])
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(inside, arg=[image["width"], image["height"]])


def test_a_key_may_come_before_the_first_frame(desk: Any, visit: Any) -> None:
    visitor = visit()
    visitor.context.add_init_script("window.ResizeObserver = class { observe() {} disconnect() {} }")
    page = visitor.open("/work/spotting")
    desk.ticket(page)
    page.keyboard.press("ArrowRight")
    image = desk.task(page)["image"]
    free = page.evaluate(
        """([width, height]) => {
            const { clientWidth, clientHeight, dataset: { scale } } = document.querySelector("canvas.view");
            return [clientWidth - width * scale, clientHeight - height * scale];
        }""",
        [image["width"], image["height"]],
    )
    assert min(free) == pytest.approx(24, abs=1)  # the margins: all of it, as large as it can be
