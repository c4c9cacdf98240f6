"""How long a manager waits: the figures of the manager's pages over a large campaign.

    python benchmarks/crowd_manager.py --images 100000 --workers 500

The rows are written as they would lie after that many images have been labelled: eight answers with a body of
all panels each, an icon for 3.5 categories, cells, masks and votes in proportion. Then every route behind a
page is asked once, and once again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import timing
from sqlalchemy import Connection, Table, insert

from amidst.apps.server.crowd.app import ServerConfig, create_app, make_accounts
from amidst.apps.server.installation import new_secrets
from amidst.apps.server.media import MediaStore
from amidst.coco.categories import icon_groups
from amidst.crowd import engine
from amidst.crowd.categories import NewCategory
from amidst.crowd.config import CampaignConfig
from amidst.crowd.schema import answer, decision, image, slot, ticket, unit
from amidst.crowd.schema_chain import cell, icon_drop, instance, point, segmentation
from amidst.crowd.store import Store, open_store

RESULTS = Path(__file__).parent / "results" / "crowd_manager.json"
HOUR = 3600 * 1_000_000
BATCH = 20_000
LABELS, CELLS, MASKS = 8, 3.5, 2.2  # answers of an image; categories of an image; masks of a category
ROUTES = (
    "/api/overview",
    "/api/activity",
    "/api/workers?sort=recall&limit=50",
    "/api/quality",
    "/api/workers/7",
    "/api/workers/7/answers?limit=12",
    "/api/golds",
    "/api/masks?state=accepted&limit=30",
    "/api/images?state=kept&limit=30",
    "/api/decisions?limit=30",
    "/api/voids",
    "/api/accounts?limit=100",
    "/api/audit",
)


def now() -> int:
    return time.time_ns() // 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=500)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(Path(folder), options.images, options.workers))
    for row in rows:
        print(f"{row['route']:<45}{row['first_ms']:>10} ms{row['again_ms']:>10} ms{row['kilobytes']:>9} kB")
    about = {"images": options.images, "workers": options.workers}
    timing.write(options.output, "benchmarks/crowd_manager.py", "wall", [{**about, **row} for row in rows])


async def measure(folder: Path, images: int, workers: int) -> list[dict[str, object]]:
    store = await open_store(folder / "campaign.db", create=True, durable=False)
    await engine.create_campaign(store, CampaignConfig(name="large"), now(), secret="5e" * 32)
    categories = [
        NewCategory(id=one.id, name=one.name, supercategory=group)
        for group, members in icon_groups().items()
        for one in members
    ]
    await engine.add_categories(store, categories)
    accounts = make_accounts(now, ServerConfig().accounts)
    await store.write(lambda c: [accounts.create(c, f"worker {n}", "worker") for n in range(workers)])
    began = time.perf_counter()
    await fill(store, images, workers, [one.id for one in categories])
    print(f"{images:,} images written in {time.perf_counter() - began:.0f} s")
    link = await store.write(accounts.first_link)
    config = ServerConfig(sweep_s=0)
    app = create_app(store, MediaStore(folder / "media"), now, new_secrets(), config)
    rows = []
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver", timeout=600) as client:
        entry = {"token": link, "display": "manager", "bearer": True}
        token = (await client.post("/api/auth/enter", json=entry)).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        for route in ROUTES:
            times = []
            for _ in range(2):
                start = time.perf_counter()
                reply = await client.get(route)
                times.append(round(1000 * (time.perf_counter() - start), 1))
                reply.raise_for_status()
            rows.append(
                {
                    "route": route,
                    "first_ms": times[0],
                    "again_ms": times[1],
                    "kilobytes": len(reply.content) // 1000,
                }
            )
    await store.close()
    return rows


async def fill(store: Store, images: int, workers: int, categories: list[int]) -> None:
    rng = np.random.default_rng(5)
    for first in range(1, images + 1, 2000):
        ids = range(first, min(first + 2000, images + 1))
        await store.write(lambda c, ids=ids: write_images(c, ids, workers, categories, rng))  # type: ignore[misc]


def write_images(
    connection: Connection, ids: range, workers: int, categories: list[int], rng: np.random.Generator
) -> None:
    """Everything about some images; row numbers follow from the images', so that nothing is read back."""
    begin = now() - 6 * 24 * HOUR
    rows: dict[Table, list[dict[str, Any]]] = {
        table: []
        for table in (
            image,
            unit,
            ticket,
            answer,
            slot,
            icon_drop,
            cell,
            point,
            instance,
            segmentation,
            decision,
        )
    }
    for key in ids:
        rows[image].append(
            {"id": key, "file_name": f"{key}.jpg", "width": 640, "height": 480, "sha256": f"{key:064x}"}
        )
        rows[unit].append(
            {
                "id": key,
                "stage": "labelling",
                "ref_kind": "image",
                "ref_id": key,
                "needed": LABELS,
                "taken": LABELS,
                "done": LABELS,
                "state": "decided",
                "created_at": begin,
            }
        )
        present = rng.choice(categories, size=1 + rng.poisson(CELLS - 1), replace=False).tolist()
        for place, who in enumerate(rng.permutation(workers)[:LABELS].tolist()):
            number, at = LABELS * key + place, begin + int(rng.integers(0, 6 * 24 * HOUR))
            named = [one for one in present if rng.random() < 0.7]
            rows[ticket].append(
                {
                    "id": number,
                    "stage": "labelling",
                    "worker_id": who + 1,
                    "token_hash": "",
                    "state": "submitted",
                    "plan_json": json.dumps({"items": [["image", key, key, 0]]}),
                    "issued_at": at,
                    "expires_at": at,
                }
            )
            body = json.dumps(
                {
                    "panels": [
                        {
                            "super": "animal",
                            "present": True,
                            "icons": [{"category": one, "x": 5.0, "y": 5.0} for one in named],
                        }
                    ]
                    + [{"super": "indoor", "present": False, "icons": []}] * 10
                }
            )
            rows[answer].append(
                {
                    "id": number,
                    "ticket_id": number,
                    "worker_id": who + 1,
                    "stage": "labelling",
                    "idem_key": str(number),
                    "body_json": body,
                    "body_sha256": "0" * 64,
                    "client_json": "{}",
                    "receipt_json": "{}",
                    "status": "accepted",
                    "created_at": at,
                    "ms_active": int(rng.exponential(27_000)),
                }
            )
            rows[slot].append(
                {
                    "unit_id": key,
                    "worker_id": who + 1,
                    "ticket_id": number,
                    "position": 0,
                    "state": "submitted",
                    "answer_id": number,
                }
            )
            rows[icon_drop] += [
                {"answer_id": number, "image_id": key, "category_id": one, "x": 5.0, "y": 5.0}
                for one in named
            ]
        for place, one in enumerate(present):
            number = 100 * key + place
            rows[cell].append(
                {
                    "id": number,
                    "image_id": key,
                    "category_id": one,
                    "state": "closed",
                    "prior_x": 5.0,
                    "prior_y": 5.0,
                    "n_segmented": 2,
                }
            )
            rows[decision].append(
                {
                    "rule": "cell-step",
                    "rule_version": 1,
                    "subject": f"cell/{number}",
                    "inputs_json": "{}",
                    "outcome_json": "{}",
                    "created_at": begin,
                }
            )
            for mask in range(1 + rng.poisson(MASKS - 1)):
                own = 100 * number + mask
                rows[point].append({"id": own, "cell_id": number, "x": 5.0, "y": 5.0})
                rows[instance].append({"id": own, "cell_id": number, "point_id": own, "state": "accepted"})
                rows[segmentation].append(
                    {
                        "id": own,
                        "cell_id": number,
                        "instance_id": own,
                        "answer_id": LABELS * key,
                        "parts_json": "[]",
                        "rle": "PPYo1",
                        "area": 4,
                        "x": 1,
                        "y": 1,
                        "w": 2,
                        "h": 2,
                        "by_expert": False,
                        "state": "accepted" if rng.random() < 0.9 else "discarded",
                    }
                )
    for table, many in rows.items():
        for part in batches(many):
            connection.execute(insert(table), part)


def batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


if __name__ == "__main__":
    main()
