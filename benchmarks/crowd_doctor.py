"""How long the doctor looks at a large campaign, and in how much memory.

    python benchmarks/crowd_doctor.py --images 10000
    python benchmarks/crowd_doctor.py --images 100000       # 12 GB of disk

A campaign of 40 photographs is simulated through labelling, spotting, drawing, judging and captions, by real
requests; its rows are then copied under other numbers until there are as many images as asked for, each copy
with workers of its own. All invariants hold in the copies, so that the doctor finds nothing and sees all.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import timing
from sqlalchemy import Table

from amidst.crowd import schema, schema_chain

RESULTS = Path(__file__).parent / "results" / "crowd_doctor.json"
SOURCE_IMAGES = 40
STEP = 10**6  # between the numbers of one copy and those of the next
STAGES = ["labelling", "spotting", "segmentation", "training", "verification", "crowd_regions", "captions"]
COPIED: tuple[Table, ...] = (
    schema.worker,
    schema.image,
    schema.unit,
    schema.ticket,
    schema.answer,
    schema.slot,
    schema.gold_result,
    schema.training_attempt,
    schema.qualification,
    schema.decision,
    schema_chain.icon_drop,
    schema_chain.cell,
    schema_chain.point,
    schema_chain.instance,
    schema_chain.segmentation,
    schema_chain.coverage,
    schema_chain.claim,
    schema_chain.mask_vote,
    schema_chain.crowd_region,
    schema_chain.caption,
)
NUMBERED = {("unit", "ref_id"), ("unit", "author_id")}  # ids without a foreign key
WRITTEN = {  # numbers inside of text
    ("image", "file_name"): ":n || '-' || file_name",
    ("ticket", "plan_json"): "plan(plan_json, :n)",
    ("answer", "body_sha256"): f"digest(ticket_id + :n * {STEP}, body_json)",
    ("decision", "subject"): "subject(subject, :n)",
    ("claim", "points_json"): "numbers(points_json, :n)",
}


def plan(text: str, n: int) -> str:
    """The plan of a ticket in copy n; known items are not copied."""
    made = json.loads(text)
    for item in made["items"]:
        if item[0] != "gold":
            item[1] += n * STEP
        item[2] += n * STEP if item[2] else 0
    if made.get("target"):
        made["target"][0] += n * STEP
    return json.dumps(made)


def digest(ticket: int, body: str) -> str:
    return hashlib.sha256(f"{ticket}:{body}".encode()).hexdigest()


def subject(text: str, n: int) -> str:
    return re.sub(r"\d+", lambda found: str(int(found[0]) + n * STEP), text, count=1)


def numbers(text: str, n: int) -> str:
    return json.dumps([one + n * STEP for one in json.loads(text)])


def copy_statement(table: Table) -> str:
    """Puts one more copy, number :n, of the source's rows into the campaign."""
    columns = []
    for column in table.columns:
        targets = {key.column.table for key in column.foreign_keys}
        own = column.name == "id" or targets & set(COPIED) or (table.name, column.name) in NUMBERED
        plain = f"{column.name} + :n * {STEP}" if own else f'"{column.name}"'
        columns.append(WRITTEN.get((table.name, column.name), plain))
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    where = " WHERE state <> 'gold'" if table is schema.image else ""
    return (
        f'INSERT INTO "{table.name}" ({names}) SELECT {", ".join(columns)} FROM source."{table.name}"{where}'
    )


def multiply(source: Path, campaign: Path, copies: int) -> None:
    """Fills a copy of the source, which is one already, up to so many."""
    functions: dict[str, Callable[..., Any]] = {
        "plan": plan,
        "digest": digest,
        "subject": subject,
        "numbers": numbers,
    }
    with closing(sqlite3.connect(campaign, isolation_level=None)) as connection:
        for name, function in functions.items():
            connection.create_function(name, 2, function, deterministic=True)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("ATTACH DATABASE ? AS source", (str(source),))
        for n in range(1, copies):
            connection.execute("BEGIN")
            for table in COPIED:
                connection.execute(copy_statement(table), {"n": n})
            connection.execute("COMMIT")
        connection.execute("ANALYZE")


def simulate(folder: Path) -> None:
    """The source."""
    words = ["--images", str(SOURCE_IMAGES), "--workers", "24", "--seed", "3", "--keep", str(folder)]
    settings = ["--set", f"stages={json.dumps(STAGES)}", "--json"]
    command = [sys.executable, "-m", "amidst", "crowd", "simulate", *words, *settings]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def examine(folder: Path) -> tuple[float, float, float]:
    """`amidst crowd doctor`: seconds by the wall and of the processor, and the most memory in MB."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "amidst", "crowd", "doctor", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError("the doctor found faults in a sound campaign")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure(folder: Path, images: int) -> timing.Row:
    campaign, source = folder / "campaign", folder / "source.db"
    simulate(campaign)
    with closing(sqlite3.connect(campaign / "campaign.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(source),))
    multiply(source, campaign / "campaign.db", images // SOURCE_IMAGES)
    with closing(sqlite3.connect(campaign / "campaign.db")) as connection:
        counts = {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
            for name in ("image", "answer", "segmentation", "decision")
        }
    seconds, of_processor, most_mb = examine(campaign)
    return {
        **counts,
        "database_mb": round((campaign / "campaign.db").stat().st_size / 2**20),
        "seconds": round(seconds, 1),
        "processor_s": round(of_processor, 1),
        "at_most_mb": round(most_mb),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(Path(folder), given.images)]
    timing.show(rows)
    timing.write(given.output, "python benchmarks/crowd_doctor.py", "wall", rows)


if __name__ == "__main__":
    main()
