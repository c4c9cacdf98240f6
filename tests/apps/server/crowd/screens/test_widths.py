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
LONGEST = "traffic light"
OUTSIDE = """() => [...document.querySelectorAll("body *")]
    .filter(one => one.checkVisibility() && !one.closest(".pins, .tabs, nav, .scroll, canvas, .sr"))
    .filter(one => one.getBoundingClientRect().width > 0)
    .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
    .map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 30)}`)"""


@pytest.mark.parametrize("stage", STAGES)
def test_no_screen_is_wider_than_its_window(desk: Any, stage: str) -> None:
    page = desk(stage, role="expert")
    for width, height in ((768, 1024), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function("width => innerWidth === width", arg=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
        submit = page.locator(".foot button.primary").bounding_box()
        assert submit["y"] + submit["height"] <= height
        stage_box = page.locator(".stage").bounding_box()
        assert stage_box["height"] > height / 2  # there is room to work


@pytest.mark.parametrize("path", ["", *(f"/{p}" for p in (
    "workers", "worker#", "voids#1", "golds", "decisions", "people", "settings", "export", "audit",
))])  # fmt: skip
def test_no_page_of_the_manager_is_wider_than_its_window(visit: Any, path: str) -> None:
    manager = visit("manager", viewport={"width": 768, "height": 1024})
    page = manager.open(f"/manage{path}{manager.account if path.endswith('#') else ''}")
    page.wait_for_selector(".ready")
    for width in (768, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function("width => innerWidth === width", arg=width)
        assert page.evaluate("document.querySelector('main').scrollWidth") <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []


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
