"""torchrun on two machines (both this one, by gloo) against one process, on the same global batches."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from amidst.config import override, to_builtins
from amidst.training import distributed
from amidst.training.config import Experiment
from amidst.training.distributed import Processes
from amidst.training.log import read_lines
from amidst.training.loop import train

SCRIPT = """
import sys
from pathlib import Path

import msgspec
import torch

from amidst.coco.dataset import CocoDataset
from amidst.config import from_builtins
from amidst.training import distributed
from amidst.training.config import Experiment
from amidst.training.loop import train


def validate(model, step):
    rank, world = distributed.place_in_run()
    everyone = distributed.gather((rank, world))
    assert everyone == [(0, 2), (1, 2)], everyone
    return {"ap": 0.5 if rank == 0 else 0.1}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    experiment = from_builtins(msgspec.json.decode((folder / "experiment.json").read_bytes()), Experiment)
    dataset = CocoDataset.load(folder / "scene.json")
    train(experiment, dataset, folder / "images", folder / sys.argv[2], validate=validate, device="cpu")
"""


def train_on_two_machines(folder: Path, name: str, port: int) -> list[subprocess.CompletedProcess[str]]:
    """torchrun once a machine, with one process each; both machines are this one."""
    (folder / "script.py").write_text(SCRIPT)
    meeting = ["--nnodes", "2", "--master-addr", "127.0.0.1", "--master-port", str(port)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *meeting, "--node-rank", str(rank),
             "--nproc-per-node", "1", str(folder / "script.py"), str(folder), name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    done = []
    for process in started:
        output, _ = process.communicate(timeout=200)
        done.append(subprocess.CompletedProcess(process.args, process.returncode, output))
    return done


def test_one_process_needs_no_others() -> None:
    with distributed.processes("cpu") as place:
        assert place == Processes(0, 1, torch.device("cpu"))
        assert place.is_first
        assert distributed.place_in_run() == (0, 1)
        assert distributed.gather("x") == ["x"]
        assert distributed.mean_over_processes(torch.tensor([2.0])).tolist() == [2.0]
        distributed.wait_for_all()
        module = torch.nn.Linear(1, 1)
        assert distributed.wrap(module, place) is module


def test_two_machines_learn_what_one_process_learns(
    tiny_experiment: Experiment, make_scene: Any, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Half of the images are empty, so that often one process has objects and the other none."""
    settings = ["schedule.iterations=6", "optim.accumulate=2", "optim.lr_batch=8"]
    experiment = override(tiny_experiment, settings)
    scene = make_scene(6)
    kept = tuple(annotation for annotation in scene.annotations if annotation.image_id < 3)
    dataset = dataclasses.replace(scene, annotations=kept)
    dataset.save(tmp_path / "scene.json")
    (tmp_path / "experiment.json").write_bytes(msgspec.json.encode(to_builtins(experiment)))

    train(experiment, dataset, tmp_path / "images", tmp_path / "one", device="cpu")
    for process in train_on_two_machines(tmp_path, "two", free_port()):
        assert process.returncode == 0, process.stdout

    one, two = (read_lines(tmp_path / name / "log.jsonl") for name in ("one", "two"))
    steps = [line for line in two if "loss" in line]
    assert [line["step"] for line in steps] == [line["step"] for line in one]
    for a, b in zip(one, steps, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
        assert b["grad_norm"] == pytest.approx(a["grad_norm"], rel=1e-3)
        assert b["lr"] == a["lr"]
    assert two[-1] == {"step": 6, "validation": {"ap": 0.5}}
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("one", "two")]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-3, atol=1e-4)
