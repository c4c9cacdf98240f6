from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from amidst.config import override, to_builtins
from amidst.errors import ConfigError, TrainingError
from amidst.training import checkpoint
from amidst.training.checkpoint import State
from amidst.training.config import Experiment, OptimConfig
from amidst.training.ema import WeightAverage
from amidst.training.optim import make_optimiser
from amidst.training.update import Learner


def learner(seed: int, kind: str = "adamw", updates: int = 3) -> Learner:
    """A small convolution after some updates, in the layout that training uses."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)).to(memory_format=torch.channels_last)
    optimiser = make_optimiser(model, OptimConfig(kind=kind, lr=0.1))
    made = Learner(
        model=model,
        module=model,
        optimiser=optimiser,
        average=WeightAverage(model, 0.9),
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        dtype=torch.float32,
        clip_norm=None,
        accumulate=1,
    )
    for _ in range(updates):
        one_update(made)
    return made


def one_update(made: Learner) -> None:
    made.optimiser.zero_grad()
    made.model(torch.rand(1, 3, 8, 8)).square().mean().backward()
    made.optimiser.step()
    made.average.update()


def state(step: int) -> State:
    return State(step=step, experiment=to_builtins(Experiment(name="x")), best=0.25)


def same(a: Learner, b: Learner) -> bool:
    pairs = zip(a.model.state_dict().values(), b.model.state_dict().values(), strict=True)
    averages = zip(a.average.values.values(), b.average.values.values(), strict=True)
    return all(torch.equal(x, y) for x, y in [*pairs, *averages]) and a.average.updates == b.average.updates


def test_a_run_without_checkpoints(tmp_path: Path) -> None:
    assert checkpoint.folders(tmp_path) == []
    assert checkpoint.load_latest(tmp_path, learner(0)) is None
    assert checkpoint.experiment_of(tmp_path) is None


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("updates", [0, 3])
def test_everything_comes_back(tmp_path: Path, kind: str, updates: int) -> None:
    before = learner(0, kind, updates)
    folder = checkpoint.save(tmp_path, state(3), before, keep=2)
    assert folder == tmp_path / "checkpoints" / "step-00000003"
    expected = torch.rand(1), one_update(before)
    after = learner(1, kind)
    found = checkpoint.load_latest(tmp_path, after)
    assert found is not None
    assert (found.step, found.best) == (3, 0.25)
    assert checkpoint.experiment_of(tmp_path) == Experiment(name="x")
    assert torch.equal(torch.rand(1), expected[0])
    one_update(after)
    assert same(before, after)


def test_only_the_last_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        checkpoint.save(tmp_path, state(step), learner(0, updates=0), keep=2)
    assert [folder.name for folder in checkpoint.folders(tmp_path)] == ["step-00000002", "step-00000010"]


@pytest.mark.parametrize("name", ["model", "optimiser", "average", "random"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = learner(0)
    checkpoint.save(tmp_path, state(1), good, keep=2)
    damaged = checkpoint.save(tmp_path, state(2), learner(1), keep=2) / f"{name}.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:40])
    restored = learner(2)
    with caplog.at_level(logging.WARNING):
        found = checkpoint.load_latest(tmp_path, restored)
    assert found is not None
    assert found.step == 1
    assert same(good, restored)
    assert "step-00000002: checkpoint is damaged" in caplog.text


def test_a_half_written_checkpoint_does_not_count(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(1), learner(0), keep=2)
    (tmp_path / "checkpoints" / ".step-00000002.partial").mkdir()
    (tmp_path / "checkpoints" / "step-00000003").mkdir()
    found = checkpoint.load_latest(tmp_path, learner(1))
    assert found is not None
    assert found.step == 1


def test_only_damaged_checkpoints(tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path, state(1), learner(0), keep=2)
    (folder / "state.json").write_text("{")
    with pytest.raises(TrainingError, match="none of its 1 checkpoints can be read"):
        checkpoint.load_latest(tmp_path, learner(0))


def test_a_full_disk_leaves_the_old_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.save(tmp_path, state(1), learner(0), keep=1)

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", refuse)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoint.save(tmp_path, state(2), learner(0), keep=1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]


def test_settings_that_change_the_result_may_not_change() -> None:
    old = Experiment(name="x")
    checkpoint.check_same_experiment(old, override(old, ["data.workers=7", "train.log_every=3"]))
    with pytest.raises(ConfigError, match=r"optim\.lr was 0\.01, now 0\.02"):
        checkpoint.check_same_experiment(old, override(old, ["optim.lr=0.02"]))
