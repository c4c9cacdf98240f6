"""How soon a grid of the image filter is there: 128 photographs over loopback, in a real Chromium.

    python benchmarks/crowd_grid.py

From the click that opens the desk: until the first screen of tiles shows its pictures, and until all 128 are
fetched. The floor, taken in turns: the same 128 pictures read over one connection by a plain client.
The photographs are those of the package's sample, and their mirror images to make up the number.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import timing
from fastapi import FastAPI
from PIL import Image, ImageOps
from playwright.sync_api import sync_playwright

from amidst.apps.server.background import Background, background
from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.installation import new_secrets
from amidst.apps.server.media import MediaStore
from amidst.crowd import engine
from amidst.crowd.campaigns import NewImage
from amidst.crowd.config import CampaignConfig
from amidst.crowd.store import Store, open_store
from amidst.data import sample_dir

RESULTS = Path(__file__).parent / "results" / "crowd_grid.json"
GRID, KNOWN = 128, 4
FIRST_SCREEN = """() => {
    const room = document.querySelector(".scroller")?.getBoundingClientRect();
    const seen = [...document.querySelectorAll(".tile")]
        .filter((t) => t.getBoundingClientRect().top < room.bottom);
    return seen.length > 0 && seen.every((t) => t.querySelector("img")?.complete) && performance.now();
}"""
ALL = """number => {
    const ends = performance.getEntriesByType("resource").filter((r) => r.name.includes("/256?"));
    return ends.length >= number && ends.map((r) => r.responseEnd).sort((a, b) => a - b)[number - 1];
}"""


def now() -> int:
    return time.time_ns() // 1000


def photographs(media: MediaStore, folder: Path) -> list[NewImage]:
    """So many different ones as a grid has."""
    found = []
    files = sorted((sample_dir() / "images").iterdir())
    for number in range(GRID):
        path = files[number % len(files)]
        if number >= len(files):
            with Image.open(path) as picture:
                path = folder / f"mirror-{path.stem}.jpg"
                ImageOps.mirror(picture).save(path)
        stored = media.add(path)
        height, width = stored.size_hw
        found.append(NewImage(file_name=path.name, width=width, height=height, sha256=stored.sha256))
    return found


async def fill(store: Store, images: list[NewImage]) -> None:
    """A campaign with one full grid for everybody."""
    await engine.create_campaign(store, CampaignConfig(name="grid"), now(), secret="5e" * 32)
    known = await engine.add_images(store, images[: 2 * KNOWN], now(), state="gold")
    for place, image_id in enumerate(known):
        await engine.add_gold_image(store, image_id, 0, iconic=place < KNOWN)
    await engine.add_images(store, images[2 * KNOWN :], now(), state="candidate")


def visit(browser: Any, server: Background, store: Store) -> tuple[float, float, float]:
    """Seconds of someone new: first screen, all pictures, the same pictures by a plain client."""
    address = "http://{}:{}".format(*server.address)
    accounts = make_accounts(now, ServerConfig().accounts)
    link = server.call(store.write(lambda c: accounts.issue(c, "worker")))[1]
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.request.post(f"{address}/api/auth/enter", data={"token": link, "display": "A worker"})
    page = context.new_page()
    page.goto(f"{address}/work/image_filter", wait_until="commit")
    first = float(page.wait_for_function(FIRST_SCREEN).json_value()) / 1e3
    whole = float(page.wait_for_function(ALL, arg=GRID).json_value()) / 1e3
    names = page.evaluate("performance.getEntriesByType('resource').map((r) => r.name)")
    links = [name for name in names if "/256?" in name][:GRID]
    context.close()
    with httpx.Client() as client:
        start = time.perf_counter()
        for one in links:
            client.get(one).raise_for_status()
        plain = time.perf_counter() - start
    return first, whole, plain


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="visits; each image takes three judgements")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = MediaStore(folder / "media")
        images = photographs(media, folder)
        made: list[Store] = []

        @asynccontextmanager
        async def opening() -> AsyncIterator[FastAPI]:
            store = await open_store(folder / "campaign.db", create=True)
            await fill(store, images)
            made.append(store)
            yield create_app(store, media, now, new_secrets(), ServerConfig(sweep_s=0))
            await store.close()

        chromium = os.environ.get("AMIDST_CHROMIUM", "/usr/bin/chromium")
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        with background(opening) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            visits = [visit(browser, server, made[0]) for _ in range(options.repeats)]
            browser.close()
    names = ("first screen of tiles", "all 128 pictures", "a plain client, one connection")
    rows = [
        {"name": name, "median_ms": round(1e3 * statistics.median(times)), "best_ms": round(1e3 * min(times))}
        for name, times in zip(names, zip(*visits, strict=True), strict=True)
    ]
    rows[1]["times_of_a_plain_client"] = round(
        statistics.median(whole / plain for _, whole, plain in visits), 2
    )
    timing.show(rows)
    timing.write(options.output, "python benchmarks/crowd_grid.py", "wall", rows)


if __name__ == "__main__":
    main()
