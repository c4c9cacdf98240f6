"""The page itself in a real Chromium: browsing, filters, keys, the sample sheet; nothing foreign runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

WAIT_MS = 120_000  # an upper bound for slow machines; nothing waits this long by design


@pytest.fixture
def page(browser: Any, running: Any) -> Iterator[Any]:
    """The page, loaded; any error in its console fails the test."""
    opened = browser.new_page(viewport={"width": 1100, "height": 700})
    opened.set_default_timeout(WAIT_MS)
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    opened.goto(running.address)
    opened.wait_for_selector("[data-ready]", state="attached")
    yield opened
    opened.close()
    expected = ("422", "Content Security Policy")  # a picture is missing on purpose, a script is refused
    assert [p for p in problems if not any(word in p for word in expected)] == []


def rows(page: Any) -> list[int]:
    found: list[int] = page.eval_on_selector_all(".tile", "tiles => tiles.map(t => Number(t.dataset.row))")
    return found


def wait_for_rows(page: Any, expected: list[int]) -> None:
    """Until the grid shows these images, in this order."""
    shown = "[...document.querySelectorAll('.tile')].map(t => t.dataset.row).join()"
    page.wait_for_function(f"wanted => {shown} === wanted", arg=",".join(map(str, expected)))


def test_images_are_listed_and_filtered(page: Any) -> None:
    wait_for_rows(page, [0, 1, 2, 3, 4])
    assert "5 of 5 images" in page.inner_text("#summary")
    page.click('.category[data-name="dog"]')
    wait_for_rows(page, [0, 1])
    page.click('label:has(input[name="crowd"][value="only"])')
    wait_for_rows(page, [0])
    assert "category=dog" in page.url
    page.reload()
    wait_for_rows(page, [0])  # the address holds the filters
    page.click("#clear-categories")
    page.click('label:has(input[name="crowd"][value="any"])')
    page.click('label:has(input[name="source"][value="found"])')
    page.fill('input[name="min_score"]', "0.7")
    wait_for_rows(page, [0])
    page.fill('input[name="min_score"]', "0.95")
    page.wait_for_selector("#nothing:not([hidden])")


def test_names_from_the_file_are_text(page: Any) -> None:
    names = page.eval_on_selector_all(".category b", "all => all.map(b => b.textContent)")
    assert "<b>cat</b>" in names
    assert page.query_selector(".category b b") is None


def test_an_image_by_keys(page: Any) -> None:
    wait_for_rows(page, [0, 1, 2, 3, 4])
    page.click('.tile[data-row="0"]')
    page.wait_for_selector('#viewer[data-shown="0"]')
    outcomes = page.eval_on_selector_all(".mark em", "all => all.map(e => e.className)")
    assert outcomes == ["found", "missed", "ignored", "hit", "alarm"]
    assert "A dog waits for a bus." in page.inner_text("#side")

    def pixels() -> str:
        data: str = page.evaluate("document.getElementById('truth-canvas').toDataURL()")
        return data

    with_masks = pixels()
    page.keyboard.press("m")
    without_masks = pixels()
    assert without_masks != with_masks
    page.keyboard.press("m")
    assert pixels() == with_masks
    page.keyboard.press("+")
    assert pixels() != with_masks
    page.keyboard.press("0")
    assert pixels() == with_masks
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('#viewer[data-shown="1"]')
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector('#viewer[data-shown="0"]')
    page.keyboard.press("Escape")
    page.wait_for_selector("#viewer", state="hidden")
    assert page.evaluate("document.activeElement.dataset.row") == "0"


def test_the_least_score_moves_by_key(page: Any, running: Any) -> None:
    page.goto(running.address + "#row=0&min_score=0.25")
    page.reload()
    page.wait_for_selector('#viewer[data-shown="0"]')
    assert page.locator(".mark").count() == 5
    page.keyboard.press("[")
    page.wait_for_function("() => document.querySelectorAll('.mark').length === 6")


def test_a_missing_picture_is_explained(page: Any, running: Any) -> None:
    page.goto(running.address + "#row=4")
    page.reload()
    page.wait_for_selector(".problem")
    assert "gone.jpg" in page.inner_text(".problem")


def test_the_sample_sheet(page: Any) -> None:
    page.keyboard.press("s")
    # one of each image with objects
    page.wait_for_function("() => document.querySelectorAll('.cut').length === 4")
    page.keyboard.press("g")
    page.wait_for_selector("#grid:not([hidden])")
    wait_for_rows(page, [0, 1, 2, 3, 4])


def hold(page: Any, address: str) -> None:
    """Keeps questions whose address matches, as they come, until `let_go`."""
    page.evaluate(
        """address => {
            const ask = window.fetch;
            window.held = [];
            window.fetch = (where, ...rest) => new RegExp(address).test(where)
                ? new Promise((go) => window.held.push(() => go(ask(where, ...rest))))
                : ask(where, ...rest);
        }""",
        address,
    )


def wait_for_one(page: Any) -> None:
    page.wait_for_function("() => window.held.length === 1")


def let_go(page: Any) -> None:
    page.evaluate("() => { window.held[0](); }")


def test_an_older_answer_is_not_shown_after_a_newer_one(page: Any, running: Any) -> None:
    page.goto(running.address + "#row=0&min_score=0.25")
    page.reload()
    page.wait_for_selector('#viewer[data-shown="0"]')
    hold(page, "/api/images/0.*min_score=0.2$")
    page.keyboard.press("[")
    wait_for_one(page)
    with page.expect_response(lambda response: "min_score=0.25" in response.url):
        page.keyboard.press("]")
    with page.expect_response(lambda response: response.url.endswith("min_score=0.2")):
        let_go(page)
    page.wait_for_timeout(300)  # it would be shown by now
    assert page.locator(".mark").count() == 5
    assert "Detections from 0.25" in page.inner_text("#side")


def test_a_sheet_that_comes_late_does_not_speak_for_the_grid(page: Any) -> None:
    hold(page, "/api/sheet")
    page.keyboard.press("s")
    wait_for_one(page)
    page.keyboard.press("g")
    page.wait_for_selector("#grid:not([hidden])")
    let_go(page)
    page.wait_for_timeout(300)  # it would be shown by now
    assert "5 of 5 images" in page.inner_text("#summary")
    assert page.locator(".cut").count() == 0


def test_what_is_typed_counts_when_a_category_is_chosen_at_once(page: Any) -> None:
    page.evaluate(
        """() => {
            const text = document.getElementById("text");
            text.value = "a.jpg";
            text.dispatchEvent(new Event("input", { bubbles: true }));
            document.querySelector('.category[data-name="dog"]').click();
        }"""
    )
    wait_for_rows(page, [0])
    assert page.input_value("#text") == "a.jpg"


def test_a_grid_left_before_it_is_painted(browser: Any, running: Any) -> None:
    opened = browser.new_page(viewport={"width": 1100, "height": 700})
    opened.set_default_timeout(WAIT_MS)
    refused: list[str] = []
    opened.on("response", lambda response: refused.append(response.url) if response.status == 400 else None)
    # the grid goes between the sight of its first tiles and the telling of it
    opened.add_init_script(
        """window.IntersectionObserver = class extends IntersectionObserver {
          constructor(told, options) {
            super((entries, self) => {
              const tiles = entries.some((entry) => entry.isIntersecting && entry.target.matches(".tile"));
              if (tiles && !window.left) document.getElementById("grid").hidden = window.left = true;
              told(entries, self);
            }, options);
          }
        };"""
    )
    opened.goto(running.address)
    opened.wait_for_function("() => window.left")
    opened.wait_for_timeout(200)  # a picture asked for now would be refused
    opened.evaluate("document.getElementById('grid').hidden = false")
    opened.wait_for_selector('.tile[data-row="0"][data-painted]')
    opened.close()
    assert refused == []


def test_light_and_dark(page: Any) -> None:
    def background() -> str:
        colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return colour

    before = background()
    page.keyboard.press("t")
    assert background() != before
    page.keyboard.press("t")
    assert background() == before


def test_foreign_scripts_do_not_run(page: Any) -> None:
    page.evaluate(
        """() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';
        document.head.append(s); }"""
    )
    assert page.evaluate("window.ran") is None
