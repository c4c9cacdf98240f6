"""kill -9 of scorer and server at random moments over many submissions, against a real server.

    python benchmarks/leaderboard_kills.py                        # 200 submissions, 60 kills
    python benchmarks/leaderboard_kills.py --database-url postgresql://postgres@127.0.0.1/empty

Teams send different files through the client of `amidst leaderboard submit`, which goes on by itself where it
broke off. Meanwhile, at random moments, the server is killed and started again, or a scorer is killed.
Afterwards every submission that was acknowledged is in the database, scored exactly once, with the numbers of
`amidst evaluate`; none is in an unfinished state, and none was in one for longer than twice its limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timing
from leaderboard_server import Server, kill_process, write_json
from sqlalchemy import select

from amidst.coco import Annotation, Category, CocoDataset, Image
from amidst.evaluation import evaluate
from amidst.leaderboard.schema import submission, transition
from amidst.leaderboard.states import OPEN
from amidst.leaderboard.store import open_store

RESULTS = Path(__file__).parent / "results"
LIMITS_S = {"received": 60.0, "checking": 120.0, "queued": 1800.0, "running": 60.0}
LEASE_S = 3.0
RETRIES = 10


def small_truth(images: int = 30) -> CocoDataset:
    """Boxes of three categories."""
    rng = np.random.default_rng(1)
    annotations = []
    for image in range(images):
        for _ in range(4):
            x, y, w, h = (float(v) for v in rng.integers((0, 0, 5, 5), (60, 50, 60, 50)))
            annotations.append(
                Annotation(len(annotations) + 1, image + 1, int(rng.integers(1, 4)), (x, y, w, h), w * h)
            )
    pictures = tuple(Image(i + 1, 160, 120, f"{i}.jpg") for i in range(images))
    return CocoDataset(pictures, tuple(annotations), tuple(Category(k, f"c{k}") for k in (1, 2, 3)))


def some_results(truth: CocoDataset, seed: int) -> list[dict[str, Any]]:
    """Boxes near the true ones."""
    rng = np.random.default_rng(seed)
    return [
        {
            "image_id": a.image_id,
            "category_id": a.category_id,
            "bbox": [round(float(v), 2) for v in np.array(a.bbox_xywh) + rng.normal(0, 2, 4).clip(-4, 4)],
            "score": round(float(rng.random()), 3),
        }
        for a in truth.annotations
    ]


class Sender(threading.Thread):
    """A team that sends its files one after the other. sent: (submission, file)."""

    def __init__(self, client: Any, files: Sequence[Path]) -> None:
        super().__init__(daemon=True)
        self.client, self.files = client, files
        self.sent: list[tuple[int, Path]] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for file in self.files:
                found = self.client.submit(file, "dev", say=lambda *_: None)
                self.sent.append((found["id"], file))
        except BaseException as error:
            self.failure = error


def run_kills(
    root: Path, database_url: str, *, submissions: int, kills: int, teams: int, seed: int
) -> dict[str, object]:
    """The run; raises AssertionError when a promise is broken."""
    draw, truth = random.Random(seed), small_truth()
    root.mkdir(parents=True, exist_ok=True)
    truth.save(root / "truth.json")
    files = [write_json(root / f"{i}.json", some_results(truth, i)) for i in range(submissions)]
    server = Server(
        root / "board", database_url, ("scorers=2", "pieces.count=1000000", "auth.enter_address.count=1000")
    )
    times = [f"times.{state}={limit}" for state, limit in LIMITS_S.items()]
    sets = [
        *times,
        f"times.lease={LEASE_S}",
        "times.watch=0.5",
        f"times.retries={RETRIES}",
        "uploads.max_per_image=100",
    ]
    server.init(root / "truth.json", "--phase", "dev:1", *(w for s in sets for w in ("--set", s)))
    server.start()
    organiser = server.organiser()
    senders = [Sender(server.member(organiser, f"team {i}"), files[i::teams]) for i in range(teams)]
    begun, done = time.monotonic(), Counter[str]()
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders) or sum(done.values()) < kills:
        time.sleep(draw.uniform(0.05, 1.5))
        if sum(done.values()) >= kills:
            continue
        if draw.random() < 0.5:
            done["server"] += 1
            server.kill()
            server.start()
        else:
            found = server.scorers()
            done["scorer"] += bool(found) and kill_process(draw.choice(found))
    for sender in senders:
        sender.join()
        assert sender.failure is None, sender.failure
    keys = {key: file for sender in senders for key, file in sender.sent}
    client = senders[0].client
    while any(one["state"] in OPEN for one in organiser_submissions(organiser)):
        time.sleep(0.5)
    client.ask("GET", "/api/board")
    server.stop()
    attempts, given_up, longest = asyncio.run(check(server, truth, keys))
    return {
        "database": "PostgreSQL" if database_url else "SQLite",
        "submissions": len(keys),
        "kills_of_server": done["server"],
        "kills_of_scorer": done["scorer"],
        "lost": 0,
        "scored_twice": 0,
        "older_than_twice_its_limit": 0,
        "longest_of_its_limit": longest,
        "retries": RETRIES,
        "attempts": attempts,
        f"failed_after_{RETRIES + 1}_dead_scorers": given_up,
        "seconds": round(time.monotonic() - begun, 1),
    }


def organiser_submissions(organiser: Any) -> list[dict[str, Any]]:
    """All of them, as organisers see them."""
    found: list[dict[str, Any]] = organiser.ask("GET", "/api/organise/submissions")
    return found


async def check(
    server: Server, truth: CocoDataset, keys: dict[int, Path]
) -> tuple[int, int, dict[str, float]]:
    """Holds the database against what was acknowledged.

    The attempts, how many were given up, and by state the longest stay as a share of its limit.
    """
    store = await open_store(server.database_url or server.folder / "benchmark.db")
    rows = await store.read(lambda c: c.execute(select(submission)).mappings().all())
    steps = await store.read(
        lambda c: c.execute(select(transition).order_by(transition.c.id)).mappings().all()
    )
    await store.close()
    found = {row["id"]: row for row in rows}
    assert keys.keys() <= found.keys(), "an acknowledged submission is lost"
    # Whoever is killed takes the oldest submission along, so that one may meet more kills than it has tries.
    unscored = [(row["id"], row["state"], row["reason"]) for row in rows if row["state"] != "scored"]
    given_up = [one for one in unscored if one[1] == "failed" and one[2].startswith("the scorer died")]
    assert unscored == given_up, unscored
    assert len(rows) == len(keys)
    scored = Counter(step["submission_id"] for step in steps if step["after"] == "scored")
    assert set(scored.values()) == {1}, "a submission was scored twice"
    entered: dict[int, tuple[str, int]] = {}
    longest = dict.fromkeys(LIMITS_S, 0.0)
    for step in steps:
        state, since = entered.get(step["submission_id"], ("", step["created_at"]))
        if state in LIMITS_S:
            share = (step["created_at"] - since) / 1e6 / LIMITS_S[state]
            assert share <= 2, f"too long {state}"
            longest[state] = max(longest[state], round(share, 3))
        entered[step["submission_id"]] = (step["after"], step["created_at"])
    for key, file in [(k, f) for k, f in keys.items() if k in scored][:10]:
        numbers = list(json.loads(found[key]["scores_json"]).values())
        assert np.allclose(numbers, evaluate(truth, file).stats, rtol=0, atol=1e-9)
    return sum(row["attempts"] for row in rows), len(given_up), longest


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--teams", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", default="")
    parser.add_argument("--output", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        row = run_kills(
            Path(folder),
            chosen.database_url,
            submissions=chosen.submissions,
            kills=chosen.kills,
            teams=chosen.teams,
            seed=chosen.seed,
        )
    kind = "postgresql" if chosen.database_url else "sqlite"
    output = chosen.output or RESULTS / f"leaderboard_kills_{kind}.json"
    timing.write(output, "python benchmarks/leaderboard_kills.py", "wall", [row])


if __name__ == "__main__":
    main()
