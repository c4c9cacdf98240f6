"""The pictures of docs/labelling.md: every screen of `amidst crowd demo`, in a real Chromium.

    python tools/make_screenshots.py [NAME ...]        # docs/images/crowd/NAME.webp, all by default

The photographs are those of the bundled sample; src/amidst/data/sample/ATTRIBUTION.md names their sources.
"""

# ruff: noqa: T201

from __future__ import annotations

import io
import math
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from amidst.apps.cli import crowd_campaigns
from amidst.apps.cli.crowd_campaigns import Place, opened
from amidst.apps.cli.demo_campaign import Entrances, make_demo
from amidst.apps.server.background import background
from amidst.apps.server.crowd.app import ServerConfig, create_app
from amidst.apps.server.installation import load_secrets

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "crowd"
CHROMIUM = os.environ.get("AMIDST_CHROMIUM", "/usr/bin/chromium")
VIEW: Any = {"width": 1280, "height": 760}
QUALITY = 78
HEIGHTS = {"overview": 1100, "workers": 1420, "worker": 1500}  # of long pages
WAIT_MS = 120_000
MANAGE = {
    "overview": "",
    "workers": "/workers",
    "worker": "/worker#1",
    "voids": "/voids#10",
    "golds": "/golds",
    "decisions": "/decisions#cell/1",
    "people": "/people",
    "settings": "/settings",
    "export": "/export",
    "audit": "/audit",
}


def main() -> None:
    """Makes the demo in a temporary folder and photographs it."""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        entrances = make_demo(place, crowd_campaigns.now(), print)

        @asynccontextmanager
        async def opening() -> AsyncIterator[FastAPI]:
            async with opened(place) as store:
                secrets = load_secrets(place.folder)
                yield create_app(store, place.media, crowd_campaigns.now, secrets, ServerConfig())

        with background(opening) as server, sync_playwright() as playwright:
            address = "http://{}:{}".format(*server.address)
            root = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=root)
            photograph(browser, address, entrances, sys.argv[1:] or [*ACTS, "work", *MANAGE], OUT)
            browser.close()


def photograph(browser: Browser, address: str, entrances: Entrances, names: list[str], out: Path) -> None:
    """These pages; the worker's first, so that the manager's show what was done."""
    guest = enter(browser, address, entrances.expert, "light")
    for stage, act in ((stage, act) for stage, act in ACTS.items() if stage in names):
        page = guest.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{address}/work/{stage}")
        page.wait_for_selector(".stage[data-ready]")
        page.wait_for_load_state("networkidle")
        act(page)
        page.wait_for_timeout(400)
        save(page, out, stage)
        page.close()
    if "work" in names:
        page = enter(browser, address, entrances.worker, "dark").new_page()
        page.goto(f"{address}/work")
        page.wait_for_selector("a.card", timeout=WAIT_MS)
        save(page, out, "work")
    manager = enter(browser, address, entrances.manager, "light")
    for name, path in ((name, path) for name, path in MANAGE.items() if name in names):
        page = manager.new_page()
        page.set_viewport_size({**VIEW, "height": HEIGHTS.get(name, VIEW["height"])})
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{address}/manage{path}")
        page.wait_for_selector(".ready")
        if name == "voids":
            page.click("text=See what it would do")
            page.wait_for_selector("[aria-label=Effect]")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(400)
        save(page, out, name)
        page.close()


def enter(browser: Browser, address: str, token: str, theme: Any) -> BrowserContext:
    """Somebody who has come in by a link."""
    context = browser.new_context(viewport=VIEW, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{address}/enter#{token}")
    page.click("button.primary")
    page.wait_for_url(re.compile("/(manage|work)$"))
    page.close()
    return context


def save(page: Page, out: Path, name: str) -> None:
    """A screenshot as WebP."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    path = out / f"{name.replace('_', '-')}.webp"
    picture.convert("RGB").save(path, "WEBP", quality=QUALITY, method=6)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def mark_tiles(page: Page) -> None:
    """Marks two pictures of a grid."""
    for place in (1, 6):
        page.locator(".tile").nth(place).click()


def place_crosses(page: Page) -> None:
    """Two crosses on the canvas."""
    click_share(page, 0.42, 0.62)
    click_share(page, 0.6, 0.7)


def draw_outline(page: Page) -> None:
    """An outline around the place that is asked for, not finished, of something that is easy to see."""
    for _ in range(12):
        if page.inner_text(".subject").strip() in PLAIN:
            break
        before = page.get_attribute(".stage", "data-ready")
        page.click("text=Give back")
        page.wait_for_function(
            "before => ![undefined, before].includes(document.querySelector('.stage').dataset.ready)",
            arg=before,
        )
    page.wait_for_selector("canvas.view[data-picture=shown]")
    left, top = page.evaluate(PLACE, int(page.get_attribute(".stage", "data-ready") or 0))
    for turn in range(7):
        angle = 2 * math.pi * (turn - 1) / 9
        page.mouse.click(left + 46 * math.cos(angle), top + 62 * math.sin(angle))


def paint(page: Page) -> None:
    """A stroke of the brush."""
    box = page.locator("canvas.view").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 0.6 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.62 * box["height"], steps=12)
    page.mouse.up()


def write_caption(page: Page) -> None:
    """A sentence."""
    page.fill("textarea", "A bearded man in a white shirt and a green tie looks up and smiles in a hall.")


def click_share(page: Page, x: float, y: float) -> None:
    """A click at a share of the canvas."""
    box = page.locator("canvas.view").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def nothing(page: Page) -> None:
    """As it comes."""


PLAIN = {"person", "dog", "cat", "horse", "motorcycle", "tv", "bicycle", "potted plant"}
PLACE = """async number => {
    const opening = indexedDB.open("amidst");
    const database = await new Promise((r) => (opening.onsuccess = () => r(opening.result)));
    const asking = database.transaction("tickets").objectStore("tickets").get(number);
    const held = await new Promise((r) => (asking.onsuccess = () => r(asking.result)));
    const [x, y] = held.ticket.task.target_xy;
    database.close();
    const canvas = document.querySelector("canvas.view"), box = canvas.getBoundingClientRect();
    const { scale, x: left, y: top } = canvas.dataset;
    return [box.x + Number(left) + x * scale, box.y + Number(top) + y * scale];
}"""
ACTS = {
    "category_votes": nothing,
    "image_filter": mark_tiles,
    "labelling": nothing,
    "spotting": place_crosses,
    "segmentation": draw_outline,
    "verification": mark_tiles,
    "crowd_regions": paint,
    "captions": write_caption,
}

if __name__ == "__main__":
    main()
