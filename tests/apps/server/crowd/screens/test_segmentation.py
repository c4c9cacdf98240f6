"""screen_segmentation.js in a real Chromium: outlines and other answers by mouse and by keys, training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from amidst.apps.server.crowd.assistance import Assistance
from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.crowd.schema import gold, training_attempt

Xy = tuple[float, float]


def square_around(task: Any, half: float = 12) -> list[Xy]:
    x, y = task["target_xy"]
    return [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]


def click(page: Any, desk: Any, places: Sequence[Xy]) -> None:
    """Clicks on places of the image."""
    for place in places:
        page.mouse.click(*desk.place(page, *place))


def parts_of(page: Any, desk: Any) -> list[Any]:
    desk.hand_in(page)
    body = desk.site.answers("segmentation")[-1]
    assert body["kind"] == "mask"
    parts: list[Any] = body["parts"]
    return parts


def is_close(points: Any, expected: Sequence[Xy], within: float) -> bool:
    return len(points) == len(expected) and all(
        abs(x - ex) <= within and abs(y - ey) <= within
        for (x, y), (ex, ey) in zip(points, expected, strict=True)
    )


def test_an_outline_with_a_hole_by_mouse(desk: Any) -> None:
    page = desk("segmentation")
    task, ticket = desk.task(page), desk.ticket(page)
    outer, inner = square_around(task, 30), square_around(task, 9)
    page.keyboard.press("s")  # no snapping
    click(page, desk, [*outer, outer[0]])
    page.wait_for_selector("text=Undo")
    page.click("text=Hole")
    click(page, desk, inner)
    page.click("text=Close outline")
    page.visitor.expected.add("422")
    page.click("text=Submit")
    page.wait_for_selector("dialog:has-text('marked place')")  # it lies in the hole
    page.click("text=It is right")
    desk.ticket(page, but=ticket)
    desk.stored(page)
    body = desk.site.answers("segmentation")[-1]
    assert body["off_target"]
    assert [part["hole"] for part in body["parts"]] == [False, True]
    scale = 1.5  # CSS pixels per pixel of the image, at least; the mouse has whole ones
    assert is_close(body["parts"][0]["points"], outer, 1 / scale)
    assert is_close(body["parts"][1]["points"], inner, 1 / scale)


def test_vertices_are_dragged_inserted_and_deleted(desk: Any) -> None:
    page = desk("segmentation")
    corners = square_around(desk.task(page), 20)
    page.keyboard.press("s")
    click(page, desk, corners)
    page.keyboard.press("Enter")
    (x0, y0), (x1, _) = corners[:2]
    drag(page, desk, corners[0], (x0 - 15, y0 - 10))
    drag(page, desk, ((x0 - 15 + x1) / 2, y0 - 5), ((x0 + x1) / 2, y0 - 20))  # from the middle of an edge
    page.keyboard.down("Alt")
    click(page, desk, [corners[2]])
    page.keyboard.up("Alt")
    expected = [(x0 - 15, y0 - 10), ((x0 + x1) / 2, y0 - 20), corners[1], corners[3]]
    (part,) = parts_of(page, desk)
    assert is_close(part["points"], expected, 1)


def drag(page: Any, desk: Any, start: Xy, end: Xy) -> None:
    page.mouse.move(*desk.place(page, *start))
    page.mouse.down()
    page.mouse.move(*desk.place(page, *end), steps=4)
    page.mouse.up()


def test_an_outline_by_keys(desk: Any) -> None:
    page = desk("segmentation")
    x, y = desk.task(page)["target_xy"]
    desk.place(page, 0, 0)
    press = page.keyboard.press
    press("s")
    press("z")  # eight times, the cursor at the place
    for step in ("Left", "Up", "Right", "Right", "Down", "Down", "Left", "Left"):  # around it
        press(f"Shift+Arrow{step}")  # 64 pixels of the screen are 8 of the image
        press("Space")
    press("Enter")
    press("Tab")  # to the first vertex: pick it up, let it go elsewhere
    press("Space")
    press("ArrowLeft")
    press("Space")
    desk.hand_in(page, by_key=True)
    (part,) = desk.site.answers("segmentation")[-1]["parts"]
    around = [(-9, 0), (-8, -8), (0, -8), (8, -8), (8, 0), (8, 8), (0, 8), (-8, 8)]
    assert is_close(part["points"], [(x + dx, y + dy) for dx, dy in around], 0.02)


@pytest.mark.parametrize(
    ("key", "kind"), [("1", "no_such_object"), ("2", "all_done"), ("3", "not_here"), ("4", "cannot_tell")]
)
def test_the_other_answers(desk: Any, key: str, kind: str) -> None:
    page = desk("segmentation")
    desk.place(page, 0, 0)
    page.keyboard.press(key)
    desk.hand_in(page, by_key=True)
    assert desk.site.answers("segmentation")[-1]["kind"] == kind


def test_a_vertex_at_eight_times_lies_within_half_a_pixel(desk: Any) -> None:
    page = desk("segmentation")
    x, y = desk.task(page)["target_xy"]
    desk.place(page, x, y)
    page.keyboard.press("s")
    page.keyboard.press("z")
    assert float(page.get_attribute("canvas.view", "data-scale")) == 8
    wanted = [(x - 17.3, y - 11.6), (x + 14.9, y - 9.2), (x + 11.1, y + 16.8), (x - 8.45, y + 13.3)]
    click(page, desk, wanted)
    page.keyboard.press("Enter")
    (part,) = parts_of(page, desk)
    assert is_close(part["points"], wanted, 0.5)


def test_the_wheel_goes_up_to_sixteen_times_and_keeps_what_lies_under_the_pointer(desk: Any) -> None:
    page = desk("segmentation")
    at = [round(value) for value in desk.place(page, 200, 150)]  # wheels have whole pixels
    before = under(page, at)
    page.mouse.move(*at)
    for _ in range(40):
        page.mouse.wheel(0, -120)
    page.wait_for_function("() => Number(document.querySelector('canvas.view').dataset.scale) === 16")
    assert is_close([under(page, at)], [before], 0.01)


def under(page: Any, at: Sequence[float]) -> Xy:
    """The place of the image that lies under a place of the window."""
    x, y = page.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector("canvas.view"), box = canvas.getBoundingClientRect();
            const { scale, x: left, y: top } = canvas.dataset;
            return [(x - box.x - left) / scale, (y - box.y - top) / scale];
        }""",
        list(at),
    )
    return float(x), float(y)


def test_an_outline_that_crosses_itself_is_told_and_not_taken(desk: Any) -> None:
    page = desk("segmentation")
    one, two, three, four = square_around(desk.task(page), 25)
    page.keyboard.press("s")
    click(page, desk, [one, three, two, four])
    page.keyboard.press("Enter")
    page.wait_for_selector(".said:has-text('crosses itself')")
    page.click("text=Submit")
    page.wait_for_selector(".said.error:has-text('crosses itself at the red ring')")
    page.visitor.expected.add("422")


def test_a_vertex_snaps_to_a_border_that_exists(desk: Any) -> None:
    page = desk("segmentation")
    while not (task := desk.task(page))["masks"]:
        page.keyboard.press("4")
        desk.hand_in(page)
    rle = Rle(tuple(task["masks"][0]["size"]), task["masks"][0]["counts"])
    left, top, _, height = masks.boxes([rle])[0]
    row = int(top + height / 2)
    border = int(masks.decode([rle])[0][row].argmax())  # where the mask begins in this row
    away = [(border - 3, row + 0.5), (left - 30, row - 20), (left - 30, row + 20)]
    click(page, desk, away[:1])
    page.keyboard.down("Control")  # holds it off
    click(page, desk, away[1:])
    page.keyboard.up("Control")
    page.keyboard.press("Enter")
    ticket = desk.ticket(page)
    page.visitor.expected.add("422")
    page.click("text=Submit")
    page.wait_for_selector("dialog:has-text('marked place')")
    page.click("text=It is right")
    desk.ticket(page, but=ticket)
    desk.stored(page)
    point, *others = desk.site.answers("segmentation")[-1]["parts"][0]["points"]
    assert is_close(others, away[1:], 1)
    assert point[0] == int(point[0]) or point[1] == int(point[1])  # borders lie between pixels
    assert abs(point[0] - border) <= 2


def test_training_shows_the_errors_of_a_try(desk: Any) -> None:
    page = desk("segmentation", qualified=False)
    task = desk.task(page)
    assert task["type"] == "training"
    corners = square_around(task, 25)
    page.keyboard.press("s")
    click(page, desk, corners)
    page.keyboard.press("Enter")
    page.click("text=Submit")
    page.wait_for_selector(".result:has-text('overlaps')")
    assert page.get_attribute(".stage", "data-result") in ("failed", "passed")
    truth = masks.decode([true_mask(desk.site, page.visitor.account, task["image"])])[0]
    mine = masks.decode([masks.from_polygons([[v for xy in corners for v in xy]], truth.shape)])[0]
    desk.frames(page)
    regions = {"agreed": truth & mine, "missed": truth & ~mine, "surplus": mine & ~truth}
    found = {name: inner(region) for name, region in regions.items()}
    for name, place in found.items():
        if place is not None:
            red, green, blue = pixel_at(page, desk, *place)
            seen = "agreed" if green >= red else "missed" if green > 0.65 * red else "surplus"
            assert seen == name, (red, green, blue)
    assert found["agreed"]
    assert found["missed"] or found["surplus"]
    before = desk.ticket(page)
    page.keyboard.press("Enter")
    desk.ticket(page, but=before)
    assert "tries left" in page.inner_text(".toolbar")


def true_mask(site: Any, worker: int, image: Any) -> Rle:
    """Of the worker's last try."""
    tried = select(gold.c.rle).join(training_attempt, training_attempt.c.gold_id == gold.c.id)
    mine = tried.where(training_attempt.c.worker_id == worker).order_by(training_attempt.c.id.desc())
    return Rle((image["height"], image["width"]), site.run(site.store.read(lambda c: c.scalar(mine))))


def inner(region: Any) -> Xy | None:
    """A pixel all whose neighbours within 2 belong to a region as well."""
    height, width = region.shape
    solid = region.copy()
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            moved = region[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
            kept = solid[max(-dy, 0) : height - max(dy, 0), max(-dx, 0) : width - max(dx, 0)]
            kept &= moved
    found = solid[2:-2, 2:-2].nonzero()
    return (float(found[1][0]) + 2.5, float(found[0][0]) + 2.5) if len(found[0]) else None


def pixel_at(page: Any, desk: Any, x: float, y: float) -> list[int]:
    at = desk.place(page, x, y)
    pixel: list[int] = page.evaluate(
        """([x, y]) => {
            const canvas = document.querySelector("canvas.view"), box = canvas.getBoundingClientRect();
            const data = canvas.getContext("2d").getImageData(x - box.x, y - box.y, 1, 1).data;
            return [...data.slice(0, 3)];
        }""",
        list(at),
    )
    return pixel


def test_nothing_is_offered_that_the_server_cannot(desk: Any) -> None:
    page = desk("segmentation")
    desk.place(page, 0, 0)
    page.keyboard.press("a")
    page.keyboard.press("h")  # the keys work
    page.wait_for_selector("button[aria-pressed=true]:has-text('Hole')")
    assert page.locator("button:has-text('Suggest')").count() == 0
    assert desk.site.answers("segmentation") == []


def test_a_suggested_outline(open_site: Callable[..., Any], visit: Any, desk: Any) -> None:
    def assist(picture: Path, category: Any, points: Any, polygon: Any) -> list[Rle]:
        x, y = points[0]
        return [masks.from_box((x - 20, y - 10, 40, 20), (321, 480))]

    site = open_site(assist=Assistance(assist))
    visitor = visit(site=site)
    site.qualify(visitor.account)
    page = visitor.open("/work/segmentation")
    desk.ticket(page)
    desk.place(page, 0, 0)
    page.keyboard.press("a")
    page.wait_for_selector(".said:has-text('Suggested')")
    desk.hand_in(page)
    body = site.answers("segmentation")[-1]
    assert len(body["parts"][0]["points"]) == 4
