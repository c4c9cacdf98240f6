"""A suggested outline over HTTP: what a worker waits for after a click (goal: 100 ms).

    python benchmarks/crowd_assist.py                       # fpn_masks_lite with random weights
    python benchmarks/crowd_assist.py --model runs/fpn_masks

A campaign of the bundled photographs is served in this process. A worker leases a ticket of segmentation,
which makes the server look at its photograph, and clicks at random places, at once: the first click comes
while the server looks, which a worker who looks at the photograph first does not see.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import timing
import torch
from fastapi import FastAPI
from msgspec.structs import replace

from amidst.apps.cli.crowd_client import Client
from amidst.apps.server.background import background
from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.crowd.model_assistance import open_assistance
from amidst.apps.server.installation import new_secrets
from amidst.apps.server.limits import Rate
from amidst.apps.server.media import MediaStore
from amidst.config import override
from amidst.crowd import engine
from amidst.crowd.campaigns import NewImage
from amidst.crowd.categories import NewCategory
from amidst.crowd.config import CampaignConfig
from amidst.crowd.store import Store, open_store
from amidst.data import sample_dir
from amidst.models.build import build_model
from amidst.models.weights import ModelInfo, save_model
from amidst.recipes import fpn_masks

RESULTS = Path(__file__).parent / "results" / "crowd_assist.json"
CONFIG = override(
    CampaignConfig(name="benchmark"),
    ["labelling.workers=1", "spotting.workers=1", "segmentation.require_training=false"],
)
MANY = Rate(count=1_000_000)


def now() -> int:
    return time.time_ns() // 1000


async def fill(store: Store, media: MediaStore, images: int) -> None:
    """Photographs of which each has one cell to draw."""
    await engine.create_campaign(store, CONFIG, now(), secret="5e" * 32)
    await engine.add_categories(store, [NewCategory(id=1, name="thing", supercategory="all")])
    new = []
    for path in sorted((sample_dir() / "images").iterdir())[:images]:
        stored = media.add(path)
        height, width = stored.size_hw
        new.append(NewImage(file_name=path.name, width=width, height=height, sha256=stored.sha256))
    await engine.add_images(store, new, now())
    helper = await engine.add_worker(store, "helper", now(), expert=True)
    for stage, body in (
        (
            "labelling",
            {"panels": [{"super": "all", "present": True, "icons": [{"category": 1, "x": 50, "y": 50}]}]},
        ),
        ("spotting", {"points": [{"x": 50, "y": 50}]}),
    ):
        while not isinstance(got := await engine.lease(store, helper, stage, now()), engine.NoWork):  # type: ignore[arg-type]
            key = f"key {got.id}"
            await engine.submit(store, helper, got.id, got.token, key, body, engine.Client(), now())


def measure(model: str, images: int, clicks: int) -> list[timing.Row]:
    """Milliseconds of the first click on each photograph, made at once, and of the others."""
    first, later, kept = [], [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = MediaStore(folder / "media")

        @asynccontextmanager
        async def opening() -> AsyncIterator[FastAPI]:
            store = await open_store(folder / "campaign.db", create=True, durable=False)
            await fill(store, media, images)
            limits = replace(ServerConfig().workers, lease=MANY, other=MANY)
            config = ServerConfig(assist=MANY, workers=limits)
            link = await store.write(make_accounts(now, config.accounts).first_link)
            kept["link"] = link
            yield create_app(store, media, now, new_secrets(), config, assist=open_assistance(model))
            await store.close()

        with background(opening) as server:
            client = Client(*server.address)
            sent = {"token": kept["link"], "display": "o", "bearer": True}
            token = client.call("POST", "/api/auth/enter", "", sent).json()["token"]
            for _ in range(images):
                ticket = client.call("POST", "/api/tickets/lease", token, {"stage": "segmentation"}).json()[
                    "ticket"
                ]
                times = [click(client, token, ticket) for _ in range(clicks)]
                first.append(times[0])
                later += times[1:]
                path = f"/api/tickets/{ticket['id']}/submit"
                answer = {"kind": "cannot_tell"}
                body = {"token": ticket["token"], "idem_key": f"ticket-{ticket['id']:06}", "body": answer}
                assert client.call("POST", path, token, body).status == 200
            client.close()
    return [
        {
            "name": name,
            "number": len(times),
            **{key: round(1e3 * value, 1) for key, value in cuts(times).items()},
        }
        for name, times in (("first click, at once", first), ("a click", later))
    ]


def click(client: Client, token: str, ticket: Any) -> float:
    """Seconds of one click at a random place."""
    image = ticket["task"]["image"]
    x, y = random.randrange(image["width"]), random.randrange(image["height"])
    begin = time.perf_counter()
    reply = client.call(
        "POST", f"/api/tickets/{ticket['id']}/assist", token, {"token": ticket["token"], "points": [[x, y]]}
    )
    assert reply.status == 200, reply.content
    return time.perf_counter() - begin


def cuts(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median_ms": statistics.median(ordered),
        "p95_ms": ordered[int(0.95 * len(ordered))],
        "worst_ms": ordered[-1],
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="", help="of mask proposals; left out: fpn_masks_lite, random")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--clicks", type=int, default=30, help="on each image")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    random.seed(0)
    with tempfile.TemporaryDirectory() as name:
        model = given.model
        if not model:
            experiment = fpn_masks.lite()
            resize = experiment.data.resize
            info = ModelInfo(experiment.model, (), {"resize": {"short": resize.short, "long": resize.long}})
            model = str(Path(name) / "model.safetensors")
            torch.manual_seed(0)
            save_model(Path(model), build_model(experiment.model).state_dict(), info)
        rows = measure(model, given.images, given.clicks)
    timing.show(rows)
    timing.write(given.output, "python benchmarks/crowd_assist.py", "wall", rows)


if __name__ == "__main__":
    main()
