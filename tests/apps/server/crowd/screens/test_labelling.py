"""screen_labelling.js in a real Chromium: eleven panels to the stored answer, by mouse, by keys, by touch."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from amidst.crowd import engine
from amidst.crowd.categories import NewCategory
from amidst.crowd.schema import unit

PANELS = 11


def step_to(page: Any, name: str) -> None:
    """Opens a panel by its button."""
    page.click(f".step[title='{name}']")
    page.wait_for_selector(f".guide h2:has-text('{name}')")


def centre(page: Any, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Any, selector: str, to: tuple[float, float]) -> None:
    page.mouse.move(*centre(page, selector))
    page.mouse.down()
    page.mouse.move(*to, steps=4)
    page.mouse.up()


def say_no_to_the_rest(page: Any) -> None:
    page.wait_for_selector(".guide")
    while page.locator(".step[data-answer=open]").count():
        page.locator(".step[data-answer=open]").first.click()
        page.locator(".guide .row button").first.click()


def icons(body: Any) -> dict[str, list[tuple[int, int, int]]]:
    """The icons of an answer, of panels that are present: category, and place in whole pixels."""
    assert len(body["panels"]) == PANELS
    return {
        one["super"]: [(icon["category"], round(icon["x"]), round(icon["y"])) for icon in one["icons"]]
        for one in body["panels"]
        if one["present"]
    }


def test_icons_by_mouse(desk: Any) -> None:
    page = desk("labelling")
    step_to(page, "animal")
    drag(page, ".choice[data-category='25']", desk.place(page, 100, 120))  # giraffe, dragged
    page.wait_for_selector(".pin[data-category='25']")
    page.click(".choice[data-category='16']")  # bird, clicked and put down
    page.mouse.click(*desk.place(page, 200, 40))
    drag(page, ".pin[data-category='25'] >> nth=0", desk.place(page, 150, 160))  # moved
    step_to(page, "vehicle")
    drag(page, ".choice[data-category='3']", desk.place(page, 60, 60))
    drag(page, ".pin[data-category='3']", (20.0, 400.0))  # off the picture: taken away
    page.wait_for_selector(".pin[data-category='3']", state="detached")
    say_no_to_the_rest(page)
    assert f"{PANELS} of {PANELS} answered" in page.inner_text(".toolbar")
    desk.hand_in(page)
    body = desk.site.answers("labelling")[-1]
    grip = 29  # a pin is held at its icon, above its point
    (animal,) = icons(body).values()
    (bird, giraffe) = animal
    assert bird == (16, 200, 40)
    scale = (giraffe[2] - 160, giraffe[1] - 150)
    assert giraffe[0] == 25
    assert abs(scale[1]) <= 1
    assert abs(scale[0]) <= grip


def test_icons_by_keys_alone(desk: Any) -> None:
    page = desk("labelling")
    task = desk.task(page)
    page.keyboard.type("gir")
    page.wait_for_selector(".choice[data-category='25'][aria-pressed=true]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pin[data-category='25']")
    for _ in range(PANELS):  # on from this panel, then no to each of the others
        page.keyboard.press("Enter")
    page.wait_for_selector(f".badge:text('{PANELS} of {PANELS} answered')")
    scale = float(page.get_attribute("canvas.view", "data-scale"))
    desk.hand_in(page, by_key=True)
    body = desk.site.answers("labelling")[-1]
    (icon,) = next(one["icons"] for one in body["panels"] if one["super"] == "animal")
    image = task["image"]
    assert icon["x"] == pytest.approx(image["width"] / 2 + 8 / scale, abs=0.02)
    assert icon["y"] == pytest.approx(image["height"] / 2 - 64 / scale, abs=0.02)
    assert list(icons(body)) == ["animal"]


def test_keys_choose_move_and_take_away(desk: Any) -> None:
    page = desk("labelling")
    task = desk.task(page)
    first = task["panels"][0]["super"]
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(f".guide h2:has-text('{task['panels'][1]['super']}')")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(f".guide h2:has-text('{first}')")
    page.keyboard.press("ArrowDown")  # the first icon of the panel
    chosen = task["panels"][0]["categories"][0]
    assert chosen["definition"]
    assert page.inner_text(".definition") == f"{chosen['name']}: {chosen['definition']}"
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_selector(f".pin[data-category='{chosen['id']}']")
    page.keyboard.press("Delete")
    page.wait_for_selector(f".pin[data-category='{chosen['id']}']", state="detached")
    page.keyboard.press("Control+z")
    page.wait_for_selector(f".pin[data-category='{chosen['id']}']")
    page.click(".foot button.primary")
    page.wait_for_selector(".said.error:has-text('Not answered')")


def test_one_icon_of_a_kind(desk: Any) -> None:
    page = desk("labelling")
    for place in ((50, 60), (90, 80)):
        page.keyboard.type("dog")
        page.mouse.click(*desk.place(page, *place))
    assert page.locator(".pin[data-category='18']").count() == 1
    say_no_to_the_rest(page)
    desk.hand_in(page)
    assert icons(desk.site.answers("labelling")[-1]) == {"animal": [(18, 90, 80)]}


def test_no_takes_icons_back_and_can_be_undone(desk: Any) -> None:
    page = desk("labelling")
    page.keyboard.type("dog")
    page.keyboard.press("Enter")
    page.click(".guide button:has-text('No, none of it')")
    page.wait_for_selector(".step[title=animal][data-answer=no]")
    assert page.locator(".pin[data-category]").count() == 0
    page.keyboard.press("Control+z")
    page.wait_for_selector(".step[title=animal][data-answer=yes]")
    assert page.locator(".pin[data-category]").count() == 1


def test_icons_by_touch(desk: Any) -> None:
    page = desk("labelling", has_touch=True)
    page.locator(".step[title=food]").tap()
    page.wait_for_selector(".guide h2:has-text('food')")
    x, y = centre(page, ".choice[data-category='53']")
    to = desk.place(page, 120, 90)
    touch = page.context.new_cdp_session(page)
    send = "Input.dispatchTouchEvent"
    touch.send(send, {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for share in (
        0.1,
        0.4,
        0.7,
        1.0,
        1.0,
        1.0,
    ):  # who aims holds still at the end; a finger that flies off flings
        at = {"x": x + share * (to[0] - x), "y": y + share * (to[1] - y)}
        touch.send(send, {"type": "touchMove", "touchPoints": [at]})
        page.wait_for_timeout(40)
    touch.send(send, {"type": "touchEnd", "touchPoints": []})
    page.wait_for_selector(".pin[data-category='53']")
    say_no_to_the_rest(page)
    page.locator(".foot button.primary").tap()
    page.wait_for_function("() => !document.querySelector('.pin[data-category]')")
    desk.stored(page)
    assert icons(desk.site.answers("labelling")[-1]) == {"food": [(53, 120, 90)]}


def test_work_survives_a_reload(desk: Any) -> None:
    page = desk("labelling")
    page.keyboard.type("dog")
    page.keyboard.press("Enter")
    page.wait_for_selector(".pin[data-category='18']")
    page.wait_for_function("() => Number(document.querySelector('.stage').dataset.kept) >= 1")
    page.reload()
    desk.ticket(page)
    page.wait_for_selector(".step[title=animal][data-answer=yes]")
    assert page.locator(".pin[data-category='18']").count() == 1


def test_a_question_about_one_later_category(desk: Any, site: Any) -> None:
    """An image that others have labelled is asked about the category that came since, and nothing else."""
    lantern = NewCategory(id=1000, name="lantern", supercategory="light", definition="It shines.")
    assert site.run(engine.add_categories(site.store, [lantern], 1)) > 0

    def only_the_question(connection: Any) -> None:
        first = (unit.c.stage == "labelling") & (unit.c.question == 0) & (unit.c.state == "open")
        connection.execute(update(unit).where(first).values(state="cancelled"))

    site.run(site.store.write(only_the_question))
    page = desk("labelling")
    page.wait_for_selector(".guide h2:has-text('light')")
    assert page.locator(".step").count() == 1
    drag(page, ".choice[data-category='1000']", desk.place(page, 50, 60))
    page.wait_for_selector(".pin[data-category='1000']")
    desk.hand_in(page)
    body = site.answers("labelling")[-1]
    assert [one["super"] for one in body["panels"]] == ["light"]
    assert [icon["category"] for one in body["panels"] for icon in one["icons"]] == [1000]
