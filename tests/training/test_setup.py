from __future__ import annotations

from pathlib import Path

import pytest
import torch

from amidst.config import override
from amidst.errors import WeightsError
from amidst.models.build import build_model
from amidst.models.weights import ModelInfo, save_model
from amidst.training.config import Experiment
from amidst.training.setup import initial_model


def saved(experiment: Experiment, folder: Path) -> dict[str, torch.Tensor]:
    """A detector of this experiment with random weights, as folder/model.safetensors."""
    torch.manual_seed(0)
    model = build_model(experiment.model)
    categories = tuple({"id": i, "name": str(i)} for i in range(experiment.model.num_classes))
    save_model(folder / "model.safetensors", model.state_dict(), ModelInfo(experiment.model, categories))
    return model.state_dict()


def test_random_weights_follow_the_seed(tiny_experiment: Experiment) -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(initial_model(tiny_experiment).state_dict())
    equal = [all(torch.equal(states[0][name], state[name]) for name in state) for state in states]
    assert equal == [True, True, False]


@pytest.mark.parametrize("name", ["", "model.safetensors"])
def test_fine_tuning_takes_every_weight(tiny_experiment: Experiment, tmp_path: Path, name: str) -> None:
    before = saved(tiny_experiment, tmp_path)
    torch.manual_seed(1)
    after = initial_model(override(tiny_experiment, [f"init.model={tmp_path / name}"])).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_fine_tuning_to_other_classes_starts_their_layer_anew(
    tiny_experiment: Experiment, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = saved(tiny_experiment, tmp_path)
    torch.manual_seed(1)
    other = override(tiny_experiment, [f"init.model={tmp_path}", "model.num_classes=3"])
    after = initial_model(other).state_dict()
    anew = {"class_subnet.predict.weight", "class_subnet.predict.bias"}
    assert {name for name in before if before[name].shape != after[name].shape} == anew
    assert all(torch.equal(before[name], after[name]) for name in before.keys() - anew)
    assert "knows 80 classes, the data has 3" in caplog.text


def test_fine_tuning_another_network_is_refused(tiny_experiment: Experiment, tmp_path: Path) -> None:
    saved(tiny_experiment, tmp_path)
    other = override(tiny_experiment, [f"init.model={tmp_path}", "model.fpn.channels=64"])
    with pytest.raises(WeightsError, match="its network differs"):
        initial_model(other)
