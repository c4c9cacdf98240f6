"""Jobs in parts on processes and on Ray: resumed, retried, nothing lost, the same as in one process."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from amidst.apps.cluster import local
from amidst.apps.cluster.fingerprinting import Fingerprinting
from amidst.apps.cluster.parts import Done, Format, Plan, Row, count_part, encode, read_rows
from amidst.apps.cluster.places import Place
from amidst.errors import UsageError

# The processes of a job read this file, which therefore imports neither Ray nor torch.

# Ray's own processes take long to start and to end: for changes of this room, and in continuous integration.
starts_ray = pytest.mark.skipif("AMIDST_CLUSTER" not in os.environ, reason="starts Ray; set AMIDST_CLUSTER=1")


def plan_of(photos: Path, output: Path, part_size: int = 3) -> Plan:
    items = tuple({"name": name} for name in Place(str(photos)).pictures())
    return Plan(items, part_size, Place(str(output)), "parquet")


def descendants(name: bytes) -> list[int]:
    """Processes below this one whose command line begins so."""
    parents, found = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if folder.joinpath("cmdline").read_bytes().startswith(name):
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue

    def ours(process: int) -> bool:
        while process in parents and process != os.getpid():
            process = parents[process]
        return process == os.getpid()

    return [process for process in found if ours(process)]


def test_no_parts_are_no_work(tmp_path: Path) -> None:
    plan = Plan((), 3, Place(str(tmp_path)), "parquet")
    assert len(plan) == 0
    assert list(local.run_parts(Fingerprinting(Place(str(tmp_path))), plan, [], 2)) == []
    assert list(read_rows(plan)) == []


def check(photos: Path, plan: Plan, done: list[Done]) -> None:
    """Every part once, and rows as one process makes them."""
    assert sorted(part.number for part in done) == list(range(8))
    assert [part.failed for part in done] == [""] * 8
    assert sum(part.broken for part in done) == 1
    assert plan.missing() == []
    job = Fingerprinting(Place(str(photos)))
    assert list(read_rows(plan)) == list(job.rows(plan.items))


def test_processes_do_all_parts_though_one_is_killed(photos: Path, tmp_path: Path) -> None:
    plan = plan_of(photos, tmp_path / "out")
    done: list[Done] = []
    for part in local.run_parts(Fingerprinting(Place(str(photos))), plan, plan.missing(), 2):
        if not done:
            multiprocessing.active_children()[0].kill()
        done.append(part)
    check(photos, plan, done)


@starts_ray
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_does_all_parts_though_a_worker_is_killed(
    photos: Path, tmp_path: Path, ray_cluster: None
) -> None:
    from amidst.apps.cluster import on_ray

    plan = plan_of(photos, tmp_path / "out")
    done: list[Done] = []
    for part in on_ray.run_parts(Fingerprinting(Place(str(photos))), plan, plan.missing(), 2):
        if not done:
            workers = descendants(b"ray::MapWorker")
            assert workers
            os.kill(workers[0], signal.SIGKILL)
        done.append(part)
    check(photos, plan, done)


@dataclass(frozen=True)
class Deadly:
    """A job whose picture "1" ends its process, or raises."""

    dies: bool
    device: str = "cpu"

    def about(self) -> dict[str, Any]:
        return {}

    def columns(self) -> Sequence[tuple[str, Any]]:
        return (("file_name", pa.string()), ("error", pa.string()))

    def open(self) -> Deadly:
        return self

    def rows(self, items: Sequence[Row]) -> Iterator[Row]:
        for item in items:
            if item["name"] == "1":
                if self.dies:
                    os._exit(1)
                raise RuntimeError("no\nsuch kernel")
            yield {"file_name": item["name"], "error": None}


@pytest.mark.parametrize("engine", ["local", pytest.param("on_ray", marks=starts_ray)])
@pytest.mark.parametrize(("dies", "reason"), [(True, "died"), (False, "RuntimeError: no such kernel")])
@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.timeout(240)
def test_a_part_that_fails_is_told_and_the_others_are_done(
    tmp_path: Path, engine: str, dies: bool, reason: str, ray_cluster: None
) -> None:
    plan = Plan(tuple({"name": str(number)} for number in range(4)), 1, Place(str(tmp_path)), "parquet")
    run_parts = importlib.import_module(f"amidst.apps.cluster.{engine}").run_parts
    done = {part.number: part.failed for part in run_parts(Deadly(dies), plan, plan.missing(), 2)}
    assert reason in done.pop(1)
    assert done == {0: "", 2: "", 3: ""}
    assert plan.missing() == [1]


def test_a_run_goes_on_where_it_stopped_and_refuses_another(photos: Path, tmp_path: Path) -> None:
    plan, job = plan_of(photos, tmp_path / "out"), Fingerprinting(Place(str(photos)))
    plan.begin(job)
    assert [part.number for part in local.run_parts(job, plan, [1, 4], 1)] == [1, 4]
    plan.begin(job)
    assert plan.missing() == [0, 2, 3, 5, 6, 7]
    with pytest.raises(UsageError, match=r"part-00000\.parquet is missing"):
        list(read_rows(plan))
    for other in (plan_of(photos, tmp_path / "out", 4), Plan(plan.items[1:], 3, plan.output, "parquet")):
        with pytest.raises(UsageError, match="holds another run"):
            other.begin(job)
    (tmp_path / "out" / "run.json").write_text("junk")
    with pytest.raises(UsageError, match="different: everything"):
        plan.begin(job)


@pytest.mark.parametrize("format", ["parquet", "jsonl"])
def test_parts_that_are_there_are_counted_and_damaged_ones_done_again(
    photos: Path, tmp_path: Path, format: Format
) -> None:
    plan = replace(plan_of(photos, tmp_path / "out"), format=format)
    job = Fingerprinting(Place(str(photos)))
    column = ("scores", pa.list_(pa.float64()))
    rows = [{"file_name": "a", "error": None, "record": None, "scores": [0.5, 0.25]}] * 2
    rows += [{"file_name": "b", "error": "broken", "record": None, "scores": []}]
    plan.output.write(plan.name(0), encode(rows, [*job.columns(), column], format))
    assert count_part(plan, 0) == Done(0, 3, 1, 4)
    for damage in (b"", b"junk", encode(rows[1:], [*job.columns(), column], format)):
        plan.output.write(plan.name(1), damage)
        assert count_part(plan, 1) is None


def test_a_part_that_cannot_be_written_has_failed_and_is_left_for_the_next_run(
    photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("a file where a folder should be")
    plan = plan_of(photos, tmp_path / "out")
    (done,) = local.run_parts(Fingerprinting(Place(str(photos))), plan, [2], 1)
    assert done.failed
