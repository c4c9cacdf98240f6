"""Jobs in parts on processes and on Ray: resumed, retried, nothing lost, the same as in one process."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from PIL import Image

from amidst.apps.cli import predict_many
from amidst.apps.cluster import local, on_ray
from amidst.apps.cluster.fingerprinting import Fingerprinting
from amidst.apps.cluster.parts import Done, Format, Plan, Row, count_part, encode, read_rows
from amidst.apps.cluster.places import Place
from amidst.errors import UsageError
from amidst.models.weights import resolve_model

PICTURES = 24

# Ray's own processes take long to start and to end: for changes of this room, and in continuous integration.
starts_ray = pytest.mark.skipif("AMIDST_CLUSTER" not in os.environ, reason="starts Ray; set AMIDST_CLUSTER=1")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """24 pictures, one of them broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(PICTURES - 1):
        noise = random.integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number:02d}.png")
    (folder / "99.png").write_bytes(b"no picture")
    return folder


def plan_of(photos: Path, output: Path, part_size: int = 3) -> Plan:
    items = tuple({"name": name} for name in Place(str(photos)).pictures())
    return Plan(items, part_size, Place(str(output)), "parquet")


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    yield
    on_ray.ray.shutdown()


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


@pytest.mark.parametrize("engine", [local, pytest.param(on_ray, marks=starts_ray)])
@pytest.mark.parametrize(("dies", "reason"), [(True, "died"), (False, "RuntimeError: no such kernel")])
@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.timeout(240)
def test_a_part_that_fails_is_told_and_the_others_are_done(
    tmp_path: Path, engine: Any, dies: bool, reason: str, ray_cluster: None
) -> None:
    plan = Plan(tuple({"name": str(number)} for number in range(4)), 1, Place(str(tmp_path)), "parquet")
    done = {part.number: part.failed for part in engine.run_parts(Deadly(dies), plan, plan.missing(), 2)}
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


def test_device_and_batch_reach_the_job(
    amidst: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[Any] = []

    def run(job: Any, _plan: Plan, _numbers: list[int], _workers: int) -> Iterator[Done]:
        jobs.append(job)
        return iter(())

    monkeypatch.setattr(predict_many, "engine_of", lambda _name: run)
    words = ("predict", photos, "-o", tmp_path / "out", "--batch", 3)
    amidst(*words, "--engine", "local", "--device", "cpu")
    amidst(*words, "--engine", "ray", "--device", "cuda")
    assert [(job.device, job.batch_size) for job in jobs] == [("cpu", 3), ("cuda", 3)]


@pytest.mark.parametrize(
    ("pictures", "expected"), [(0, 32), (8192, 32), (10_000, 39), (65_536, 256), (10**6, 256)]
)
def test_large_jobs_have_large_parts(pictures: int, expected: int) -> None:
    assert predict_many.part_size(pictures) == expected


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_an_unusable_model_is_one_line(amidst: Any, photos: Path, tmp_path: Path, engine: str) -> None:
    whole = resolve_model("person").read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "x.onnx").write_bytes(b"")
    for name, code, problem in (
        ("half.safetensors", 1, "half.safetensors"),
        ("x.onnx", 2, "no exported files"),
    ):
        typed = amidst("predict", tmp_path / name, photos, "--engine", engine, "-o", tmp_path / "out")
        assert typed.code == code
        assert problem in typed.err
        assert len(typed.err.splitlines()) == 1
        assert not (tmp_path / "out").exists()


def test_another_folder_and_changed_files_are_another_run(amidst: Any, photos: Path, tmp_path: Path) -> None:
    other, out, cache = tmp_path / "other", tmp_path / "out", tmp_path / "cache"
    shutil.copytree(photos, other)
    find = ("--engine", "local", "-o", out)
    count = ("dataset", "duplicates", photos, "--engine", "local", "--cache", cache, "--json")
    assert amidst("predict", photos, *find).code == 1
    assert len(amidst(*count).json["broken"]) == 1
    elsewhere = amidst("predict", other, *find)
    assert elsewhere.code == 2
    assert "another run (different: job)" in elsewhere.err
    shutil.copy(photos / "00.png", photos / "99.png")  # the broken one is replaced
    for words in (("predict", photos, *find), count):
        mended = amidst(*words)
        assert mended.code == 2
        assert "another run (different: files)" in mended.err


def test_changed_records_of_a_dataset_are_another_run(amidst: Any, photos: Path, tmp_path: Path) -> None:
    dataset = tmp_path / "d.json"
    words = (
        "predict",
        "person",
        "--ann",
        dataset,
        "--images",
        photos,
        "--engine",
        "local",
        "-o",
        tmp_path / "o",
    )
    person = {"id": 1, "name": "person"}
    for number, code in ((7, 0), (8, 2)):
        image = {"id": number, "file_name": "00.png", "height": 40, "width": 60}
        dataset.write_text(json.dumps({"images": [image], "annotations": [], "categories": [person]}))
        typed = amidst(*words)
        assert typed.code == code
    assert "different: files" in typed.err


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


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=starts_ray)])
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_predict_and_duplicates_with_an_engine_say_what_they_say_without(
    amidst: Any, photos: Path, tmp_path: Path, engine: str, ray_cluster: None
) -> None:
    plain = amidst("predict", photos, "--json", "--threshold", 0)
    found = tmp_path / "found"
    words = ("predict", photos, "--engine", engine, "-o", found, "--parts", "jsonl", "--json")
    typed = amidst(*words)
    assert typed.code == 1  # one is broken
    assert typed.json | {"found": 0} == {
        "pictures": PICTURES,
        "resumed": 0,
        "found": 0,
        "broken": 1,
        "failed": 0,
        "parts": 1,
    }
    rows = [json.loads(line) for line in (found / "part-00000.jsonl").read_text().splitlines()]
    assert [row["file_name"] for row in rows] == sorted(path.name for path in photos.iterdir())
    for row, line in zip(rows, plain.lines, strict=True):
        assert Path(line["file_name"]).name == row["file_name"]
        assert ("error" in line) == (row["error"] is not None)
        scores = [detection["score"] for detection in line.get("detections", ())]
        assert sorted(row["scores"]) == pytest.approx(sorted(scores), abs=1e-4)
    again = amidst(*words)
    assert again.code == 1  # it is broken still
    assert again.json == typed.json | {"resumed": PICTURES}
    one = amidst("dataset", "duplicates", photos, "--json")
    many = amidst("dataset", "duplicates", photos, "--engine", engine, "--processes", 2, "--json")
    assert many.json["groups"] == one.json["groups"]
    assert many.json["images"] == one.json["images"]
    assert len(many.json["broken"]) == 1


@starts_ray
@pytest.mark.timeout(240)
def test_ray_says_nothing_in_python(photos: Path, tmp_path: Path) -> None:
    words = ("predict", photos, "--engine", "ray", "--workers", 1, "-o", tmp_path / "found", "--json")
    command = [sys.executable, "-m", "amidst", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["pictures"] == PICTURES
    own = ("predicting", "[")  # a line of its core, "[time pid] core_worker.cc", cannot be turned off
    assert [line for line in done.stderr.splitlines() if line and not line.startswith(own)] == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--engine", "spark", "-o", "out"), "expected local or ray"),
        (("--engine", "local"), "name a folder with -o"),
        (("--engine", "local", "-o", "found.json"), "name a folder with -o"),
        (("--engine", "local", "-o", "out", "--threshold", "0.5"), "does not go with --threshold"),
        (
            ("--engine", "local", "-o", "out", "--every", "2", "--tile", "800"),
            "does not go with --tile, --every",
        ),
        (("--engine", "local", "-o", "out", "--runtime", "openvino"), "does not go with --runtime"),
        (("--engine", "local", "-o", "out", "--device", "nonsense"), "--device nonsense"),
        (("--engine", "ray", "-o", "out", "--device", "cuda:1"), "say --device cuda"),
    ],
)
def test_wrong_calls(amidst: Any, photos: Path, words: tuple[str, ...], problem: str) -> None:
    typed = amidst("predict", photos, *words)
    assert typed.code == 2
    assert problem in typed.err
