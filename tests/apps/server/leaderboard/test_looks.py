"""Every page of the board, for whoever may see it: narrow windows, light and dark, axe-core."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).resolve().parents[4] / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    ("", "/#dev"),
    ("", "/#%"),
    ("", "/enter"),
    ("", "/enter#no-such-link"),
    ("ann", "/#dev"),
    ("ann", "/submissions"),
    ("eve", "/submissions"),
    ("owner", "/organise#phases"),
    ("owner", "/organise#benchmark"),
    ("owner", "/organise#teams"),
    ("owner", "/organise#submissions"),
    ("owner", "/organise?team=A&method=m#submissions"),
    ("owner", "/organise?state=queued#submissions"),
    ("ann", "/submissions?method=none"),
    ("owner", "/organise#events"),
)
SHOWN = ".ready, main.narrow form"
OUTSIDE = """() => [...document.querySelectorAll("body *")]
    .filter(one => one.checkVisibility() && !one.closest("nav, .scroll, .sr"))
    .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5)
    .map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 30)}`)"""
FRAMES = "() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
RUN = """async () => (await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
})).violations.filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes[0].html.slice(0, 160)}`)"""


@pytest.fixture(scope="module")
def full(site: Any, make_guesses: Callable[..., Any]) -> Any:
    """The board with long names, hostile words, an unfinished upload and a refused file."""
    words = {"method": "m" * 100, "description": "<script>alert(1)</script>\n" + "d" * 500}
    sent = site.send("ann", make_guesses(site.dataset, 51), link="https://e.org/" + "l" * 400, **words)[1]
    site.wait("ann", sent["id"])
    site.announce("ann", 999, file_name="f" * 196 + ".json")
    site.send("ann", [{"image_id": 4711, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}])
    site.call("owner", "POST", "/api/teams/invite", {"team": "T" * 60})
    found = site.call("owner", "GET", "/api/board/settings")[1]
    config = {**found["config"], "contact": f"{'o' * 180}@e.org"}
    site.call("owner", "POST", "/api/board/settings", {"name": "N" * 60, "description": "", "config": config})
    return site


@pytest.mark.parametrize(("name", "path"), PAGES, ids=[f"{name}{path}" for name, path in PAGES])
def test_a_page_fits_its_window_and_has_no_barriers(
    full: Any, visitor: Any, come_back: Callable[..., Any], name: str, path: str
) -> None:
    page = visitor if not name else come_back(name, "/")
    page.goto("about:blank")  # so that another part behind # is another page
    page.goto(full.url + path)
    page.wait_for_selector(SHOWN)
    if path.startswith("/enter"):
        page.wait_for_selector(".contact a")
    for unfold in page.get_by_role("button", expanded=False).all():
        unfold.click()
    page.evaluate("document.querySelectorAll('main details').forEach(one => one.open = true)")
    for width in (768, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function("width => innerWidth === width", arg=width)
        page.evaluate(FRAMES)  # the plot is drawn for the room there is
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("document.querySelector('main').scrollWidth") <= width
        assert page.evaluate(OUTSIDE) == []
    if not AXE.exists():
        if os.environ.get("AMIDST_CI") == "1":
            pytest.fail("axe-core is not installed: npm install")
        pytest.skip("axe-core is not installed: npm install")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.evaluate(AXE.read_text())
        assert page.evaluate(RUN) == []


def test_no_link_runs_a_script(full: Any) -> None:
    for link in (
        "javascript:alert(1)",
        " JavaScript:alert(1)",
        "data:text/html,x",
        "//e.org",
        "http://e.org/ x",
    ):
        status, told = full.announce("ann", 9, link=link)
        assert status == 422, link
        assert "link" in told["error"]["message"]
