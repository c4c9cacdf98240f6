"""A long job in parts, so that nothing is done twice and nothing is lost.

    plan     pictures in their order, cut into parts of equal length; written to OUTPUT/run.json
    part     a worker reads the pictures of one part, and writes OUTPUT/part-00007.parquet when it is whole
    resume   parts whose file is there are done; a run with other settings in the same folder is refused

A picture that is broken gets a row with the reason. Where storage fails, the part is not written: it counts
as failed, is told, and is done by the next run. Who works on which part does not matter, and a part that two
workers wrote is the same twice.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from amidst.apps.cluster.places import Place
from amidst.errors import AmidstError, UsageError

Format = Literal["parquet", "jsonl"]
Row = dict[str, Any]
MANIFEST = "run.json"


class Job(Protocol):
    """What is done with each picture. Travels to workers; `open` makes what does not travel."""

    def about(self) -> dict[str, Any]:
        """Everything that changes the result, in plain values."""

    def columns(self) -> Sequence[tuple[str, Any]]:
        """Names and Arrow types of the columns of a row."""

    @property
    def device(self) -> str:
        """What its workers compute on: cpu, cuda or cuda:N."""

    def open(self) -> Worker:
        """A worker of this job, in the process that calls."""


class Worker(Protocol):
    """A process's own state, such as a network."""

    def rows(self, items: Sequence[Row]) -> Iterable[Row]:
        """A row for each item ("name" and what the plan knows of it). Raises StorageError."""


@dataclass(frozen=True)
class Plan:
    """The parts of a job. `items[i]["name"]` is a picture's name in its place."""

    items: tuple[Row, ...]
    part_size: int
    output: Place
    format: Format

    def __len__(self) -> int:
        return -(-len(self.items) // self.part_size)

    def part(self, number: int) -> Sequence[Row]:
        """The items of a part."""
        return self.items[number * self.part_size : (number + 1) * self.part_size]

    def name(self, number: int) -> str:
        """The file of a part."""
        return f"part-{number:05d}.{self.format}"

    def missing(self) -> list[int]:
        """Parts that are not there yet."""
        there = self.output.names()
        return [number for number in range(len(self)) if self.name(number) not in there]

    def begin(self, job: Job) -> None:
        """Write what the run is, or check that it is the same. Raises UsageError for another one."""
        entry = {
            "job": job.about(),
            "pictures": len(self.items),
            "names": _digest([item["name"] for item in self.items]),
            "files": _digest(self.items),  # all that is known of each: its stamp, its record in the dataset
            "part_size": self.part_size,
            "format": self.format,
        }
        before = self.output.read(MANIFEST)
        if before is None:
            self.output.write(MANIFEST, json.dumps(entry, indent=1).encode())
            return
        try:
            old, new = _flat(json.loads(before)), _flat(json.loads(json.dumps(entry)))
            changed = sorted(key for key in new if old.get(key) != new[key])
        except (ValueError, TypeError, KeyError, AttributeError):
            changed = ["everything"]
        if changed:
            raise UsageError(
                f"{self.output.address}: holds another run (different: {', '.join(changed)}); "
                "name an empty folder, or repeat the command as it was"
            )


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    """A manifest with what the job says of itself beside the rest: so each is named that differs."""
    return {**entry, **entry["job"], "job": None}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


@dataclass(frozen=True)
class Done:
    """What became of a part."""

    number: int
    pictures: int = 0
    broken: int = 0  # pictures with an error instead of a result
    found: int = 0  # results, such as detections
    failed: str = ""  # why the part was not written


class PartWorker:
    """A process's worker: opened with the first part, so that what goes wrong is told as a part's failure."""

    def __init__(self, job: Job, plan: Plan) -> None:
        self.job, self.plan = job, plan
        self.worker: Worker | None = None

    def do_part(self, number: int) -> Done:
        """Work on one part and write its file."""
        job, plan = self.job, self.plan
        try:
            self.worker = self.worker or job.open()
            rows = list(self.worker.rows(plan.part(number)))
            plan.output.write(plan.name(number), encode(rows, job.columns(), plan.format))
        except Exception as error:  # whatever it is, it ends this part alone
            return Done(number, len(plan.part(number)), failed=_one_line(error))
        broken = sum(row["error"] is not None for row in rows)
        return Done(number, len(rows), broken, sum(len(row.get("scores") or ()) for row in rows))


def _one_line(error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    if isinstance(error, AmidstError | OSError) and said:
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def count_part(plan: Plan, number: int) -> Done | None:
    """What a part that is there holds; None where it cannot be read, and has to be done again."""
    data = plan.output.read(plan.name(number))
    try:
        if plan.format == "jsonl":
            rows = [json.loads(line) for line in (data or b"").splitlines()]
            pictures, broken = len(rows), sum(row["error"] is not None for row in rows)
            found = sum(len(row.get("scores") or ()) for row in rows)
        else:
            table = pq.read_table(io.BytesIO(data or b""))
            pictures, broken = len(table), len(table) - table["error"].null_count
            lengths = (len(scores) for scores in table["scores"]) if "scores" in table.column_names else ()
            found = sum(lengths)
    except (ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return Done(number, pictures, broken, found) if pictures == len(plan.part(number)) else None


def encode(rows: Sequence[Row], columns: Sequence[tuple[str, Any]], format: Format) -> bytes:
    """Rows as the content of a file."""
    if format == "jsonl":
        return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=pa.schema(list(columns))), stream)
    return stream.getvalue()


def read_rows(plan: Plan) -> Iterator[Row]:
    """The rows of all parts in order. Raises UsageError where a part is missing."""
    for number in range(len(plan)):
        data = plan.output.read(plan.name(number))
        if data is None:
            raise UsageError(f"{plan.output.address}: {plan.name(number)} is missing; run the command again")
        if plan.format == "jsonl":
            yield from (json.loads(line) for line in data.splitlines())
        else:
            yield from pq.read_table(io.BytesIO(data)).to_pylist()
