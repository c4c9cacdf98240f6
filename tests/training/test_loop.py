from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Category
from amidst.config import override
from amidst.errors import ConfigError, Interrupted, NonFiniteLoss, OutOfMemory, UsageError
from amidst.models.weights import load_model
from amidst.training import setup
from amidst.training.config import Experiment
from amidst.training.log import Event, Saved, Started, Stepped, StepRecord, ValidationRecord, read_lines
from amidst.training.loop import Outcome, train

Train = Callable[..., Outcome]


@pytest.fixture
def run(make_scene: Any, tmp_path: Path) -> Train:
    """`run(experiment, folder)` trains on six generated images, on the CPU."""
    scene = make_scene(6)

    def start(experiment: Experiment, folder: str, dataset: CocoDataset = scene, **options: Any) -> Outcome:
        return train(experiment, dataset, tmp_path / "images", tmp_path / folder, device="cpu", **options)

    return start


def checkpoint_tensors(folder: Path, step: int) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint."""
    files = (folder / "checkpoints" / f"step-{step:08d}").glob("*.safetensors")
    return {f"{file.stem}: {name}": value for file in files for name, value in load_file(file).items()}


def assert_equal_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def size_of(model: nn.Module) -> float:
    """A number that tells apart two sets of weights."""
    return sum(float(value.detach().double().abs().sum()) for value in model.parameters())


def curve(folder: Path) -> list[tuple[Any, ...]]:
    return [(line["step"], line["losses"], line["grad_norm"]) for line in read_lines(folder / "log.jsonl")]


class KilledError(Exception):
    """Stands for a process that is killed."""


def kill_after_checkpoint(event: Event) -> None:
    if isinstance(event, Saved):
        raise KilledError


def test_no_images(tiny_experiment: Experiment, tmp_path: Path) -> None:
    dataset = CocoDataset(categories=(Category(1, "thing"),))
    with pytest.raises(UsageError, match="no images"):
        train(tiny_experiment, dataset, tmp_path, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_images_without_any_object(tiny_experiment: Experiment, make_scene: Any, run: Train) -> None:
    dataset = make_scene(3, objects=0)
    outcome = run(override(tiny_experiment, ["schedule.iterations=2"]), "run", dataset=dataset)
    for line in read_lines(outcome.model.with_name("log.jsonl")):
        assert line["losses"]["box_loss"] == 0.0
        assert line["losses"]["class_loss"] > 0.0


def test_a_run_leaves_what_the_architecture_says(tiny_experiment: Experiment, run: Train) -> None:
    events: list[Event] = []
    outcome = run(tiny_experiment, "run", report=events.append)
    folder = outcome.model.parent
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"config.json", "log.jsonl", "model.safetensors"} <= names
    assert "checkpoints/step-00000010/state.json" in names
    stored = msgspec.json.decode((folder / "config.json").read_bytes())
    assert stored["model"]["num_classes"] == 2  # from the data, not from the recipe

    model, info = load_model(outcome.model)
    assert [category["name"] for category in info.categories] == ["red", "blue"]
    assert info.notes["resize"] == {"short": 64, "long": 96}
    averages = load_file(folder / "checkpoints" / "step-00000010" / "average.safetensors")
    state = model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in averages.items())

    lines = read_lines(folder / "log.jsonl")
    assert [line["step"] for line in lines] == list(range(1, 11))
    assert lines[-1]["loss"] == pytest.approx(sum(lines[-1]["losses"].values()))
    assert lines[-1].keys() == set(StepRecord.__struct_fields__)
    assert isinstance(events[0], Started)
    assert sum(isinstance(event, Stepped) for event in events) == 10
    assert isinstance(events[-1], Saved)


@pytest.mark.parametrize(
    "settings",
    [[], ["optim.kind=sgd", "optim.accumulate=2", "optim.lr_batch=8", "train.ema_decay=null"]],
    ids=["adamw with average", "sgd with accumulation"],
)
def test_resuming_continues_bit_for_bit(
    tiny_experiment: Experiment, run: Train, tmp_path: Path, settings: list[str]
) -> None:
    experiment = override(tiny_experiment, settings)
    run(experiment, "whole")
    with pytest.raises(KilledError):
        run(experiment, "parts", report=kill_after_checkpoint)
    assert not (tmp_path / "parts" / "model.safetensors").exists()
    run(override(experiment, ["data.workers=1"]), "parts", resume=True)
    assert_equal_bits(checkpoint_tensors(tmp_path / "whole", 10), checkpoint_tensors(tmp_path / "parts", 10))
    assert curve(tmp_path / "whole") == curve(tmp_path / "parts")


def test_a_signal_writes_a_checkpoint_that_resumes(
    tiny_experiment: Experiment, run: Train, tmp_path: Path
) -> None:
    def terminate(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    experiment = override(tiny_experiment, ["schedule.iterations=5", "train.checkpoint_every=100"])
    with pytest.raises(Interrupted, match=r"after update 3 of 5.*--resume"):
        run(experiment, "parts", report=terminate)
    run(experiment, "parts", resume=True)
    run(experiment, "whole")
    assert_equal_bits(checkpoint_tensors(tmp_path / "whole", 5), checkpoint_tensors(tmp_path / "parts", 5))


def test_validation_sees_the_average_and_the_best_is_kept(
    tiny_experiment: Experiment, run: Train, tmp_path: Path
) -> None:
    experiment = override(tiny_experiment, ["schedule.iterations=6", "train.validate_every=2"])
    seen: dict[int, float] = {}

    def validate(model: nn.Module, step: int) -> dict[str, float]:
        assert not model.training
        seen[step] = size_of(model)
        return {"ap": {2: 0.1, 4: 0.3, 6: 0.2}[step], "ap50": 0.5}

    events: list[Event] = []
    outcome = run(experiment, "run", validate=validate, report=events.append)
    assert list(seen) == [2, 4, 6]
    assert (outcome.best, outcome.validation) == (0.3, {"ap": 0.2, "ap50": 0.5})
    assert outcome.best_model == tmp_path / "run" / "best.safetensors"
    for path, step in ((outcome.best_model, 4), (outcome.model, 6)):
        model, info = load_model(path)
        assert size_of(model) == pytest.approx(seen[step], rel=1e-12)
        assert info.notes["steps"] == step
    validations = [event for event in events if isinstance(event, ValidationRecord)]
    assert [event.step for event in validations] == [2, 4, 6]
    logged = [line["step"] for line in read_lines(tmp_path / "run" / "log.jsonl") if "validation" in line]
    assert logged == [2, 4, 6]


def test_a_finished_run_resumes_to_the_same_end(
    tiny_experiment: Experiment, run: Train, tmp_path: Path
) -> None:
    experiment = override(tiny_experiment, ["schedule.iterations=2"])
    calls: list[int] = []

    def validate(model: nn.Module, step: int) -> dict[str, float]:
        calls.append(step)
        return {"ap": 0.5}

    first = run(experiment, "run", validate=validate)
    log = (tmp_path / "run" / "log.jsonl").read_bytes()
    again = run(experiment, "run", validate=validate, resume=True)
    assert (again, calls) == (first, [2])
    assert load_model(again.model)[1].notes["validation"] == {"ap": 0.5}
    assert (tmp_path / "run" / "log.jsonl").read_bytes() == log


def test_a_run_folder_holds_one_run(tiny_experiment: Experiment, run: Train) -> None:
    experiment = override(tiny_experiment, ["schedule.iterations=1"])
    run(experiment, "run")
    with pytest.raises(UsageError, match="holds a run already"):
        run(experiment, "run")
    with pytest.raises(ConfigError, match=r"optim\.lr was"):
        run(override(experiment, ["optim.lr=0.5"]), "run", resume=True)


def test_resuming_nothing_starts_at_the_beginning(
    tiny_experiment: Experiment, run: Train, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = run(override(tiny_experiment, ["schedule.iterations=1"]), "run", resume=True)
    assert outcome.steps == 1
    assert "no checkpoint to resume from" in caplog.text


def test_a_loss_that_is_not_finite(tiny_experiment: Experiment, run: Train, tmp_path: Path) -> None:
    experiment = override(tiny_experiment, ["optim.lr=1e30", "optim.clip_norm=null"])
    with pytest.raises(NonFiniteLoss, match=r"update \d+: .*images with ids \d") as caught:
        run(experiment, "run")
    assert "No checkpoint was written yet" in str(caught.value)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_loss_that_is_not_finite_leaves_the_last_checkpoint(
    tiny_experiment: Experiment, run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_batch = setup.prepare_batch

    def poisoned(state: setup.Run, samples: Any) -> Any:
        prepared = prepare_batch(state, samples)
        if state.step == 7:
            prepared.images.pixels.fill_(float("nan"))
        return prepared

    monkeypatch.setattr("amidst.training.loop.prepare_batch", poisoned)
    with pytest.raises(NonFiniteLoss, match=r"update 8: .*last good checkpoint is .*step-00000005"):
        run(tiny_experiment, "run")
    tensors = checkpoint_tensors(tmp_path / "run", 5)
    assert all(bool(value.isfinite().all()) for value in tensors.values() if value.is_floating_point())


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory_names_the_settings(
    tiny_experiment: Experiment, run: Train, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("amidst.training.loop.prepare_batch", refuse)
    with pytest.raises(OutOfMemory, match=r"lower data\.batch_size \(now 4\) and raise optim\.accumulate"):
        run(tiny_experiment, "run")


def test_other_errors_pass_through(
    tiny_experiment: Experiment, run: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr("amidst.training.loop.prepare_batch", refuse)
    with pytest.raises(RuntimeError, match="something else"):
        run(tiny_experiment, "run")


def test_one_seed_drives_everything(tiny_experiment: Experiment, run: Train, tmp_path: Path) -> None:
    experiment = override(tiny_experiment, ["schedule.iterations=2"])
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.rand(3)  # what was drawn before must not matter
        run(override(experiment, [f"train.seed={seed}"]), folder)
    a, b, c = (checkpoint_tensors(tmp_path / folder, 2) for folder in "abc")
    assert_equal_bits(a, b)
    assert any(not torch.equal(a[name], c[name]) for name in a)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_follows_float32(
    tiny_experiment: Experiment, run: Train, tmp_path: Path, precision: str
) -> None:
    experiment = override(tiny_experiment, ["schedule.iterations=3", "optim.lr=1e-4"])
    run(experiment, "whole")
    run(override(experiment, [f"train.precision={precision}"]), "half")
    whole, half = (read_lines(tmp_path / folder / "log.jsonl") for folder in ("whole", "half"))
    for a, b in zip(whole, half, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=0.02)
    assert next(iter(checkpoint_tensors(tmp_path / "half", 3).values())).dtype != torch.bfloat16


def test_the_network_learns(tiny_experiment: Experiment, run: Train, tmp_path: Path) -> None:
    settings = [
        "schedule.iterations=60",
        "optim.lr=3e-3",
        "data.crop_scale=null",
        "data.colour_jitter=0",
        "data.train_short_sides=[]",
    ]
    run(override(tiny_experiment, settings), "run")
    losses = [line["loss"] for line in read_lines(tmp_path / "run" / "log.jsonl")]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
