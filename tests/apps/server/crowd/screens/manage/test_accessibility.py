"""axe-core over every page, in light and in dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PAGES = (
    "",
    "/workers",
    "/worker#2",
    "/voids#2",
    "/golds",
    "/decisions",
    "/people",
    "/settings",
    "/export",
    "/audit",
)
ALL = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
CONTRAST = ("color-contrast",)  # what alone differs between light and dark
RUN = "rules => axe.run(document, { runOnly: rules })"


def findings(page: Any, axe: str, rules: tuple[str, ...] = ALL) -> list[str]:
    page.evaluate(axe)
    found = page.evaluate(RUN, list(rules))["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(("theme", "rules"), [("light", ALL), ("dark", CONTRAST)])
def test_the_managers_pages(manager: Any, axe: str, theme: str, rules: tuple[str, ...]) -> None:
    found = {}
    for path in PAGES:
        page = manager.manage(path)
        page.emulate_media(color_scheme=theme)
        found[path] = findings(page, axe, rules)
        page.close()
    assert {path: one for path, one in found.items() if one} == {}


def test_the_workers_pages(demo: Any, enter: Callable[..., Any], axe: str) -> None:
    worker = enter("expert")
    found = {}
    for path in ("", *(f"/{stage}" for stage in demo.stages)):
        page = worker.open(f"/work{path}")
        page.wait_for_selector(".stage[data-ready]" if path else "a.card")
        found[path] = findings(page, axe)
        page.close()
    assert {path: one for path, one in found.items() if one} == {}


def test_the_entrance(browser: Any, demo: Any, axe: str) -> None:
    context = browser.new_context()
    context.set_default_timeout(120_000)  # an upper bound for slow machines
    page = context.new_page()
    page.goto(f"{demo.address}/enter")
    page.wait_for_selector("button.primary")
    assert findings(page, axe) == []
    context.close()
