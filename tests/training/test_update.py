from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from amidst.errors import NonFiniteLoss
from amidst.models.structures import Target
from amidst.ops.images import ImageBatch
from amidst.training.config import OptimConfig
from amidst.training.optim import make_optimiser
from amidst.training.samples import Sample
from amidst.training.update import Learner, Prepared, update


class Sum(nn.Module):
    """Its two losses are the weight times the sum of the pixels, and the weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, images: ImageBatch, targets: list[Target]) -> dict[str, Tensor]:
        return {"class_loss": self.weight * images.pixels.sum(), "box_loss": self.weight * 1.0}


def learner(accumulate: int = 1, clip_norm: float | None = None) -> Learner:
    model = Sum()
    return Learner(
        model=model,
        module=model,
        optimiser=make_optimiser(model, OptimConfig(lr=0.5, momentum=0.0)),
        average=None,
        scaler=torch.amp.GradScaler("cpu", enabled=False),
        dtype=torch.float32,
        clip_norm=clip_norm,
        accumulate=accumulate,
    )


def batches_of(*values: float) -> Iterator[list[Sample]]:
    """Batches of one image with one pixel of this value; its id counts from 0."""
    for image_id, value in enumerate(values):
        image = torch.full((1, 1, 1), value)
        yield [Sample(image_id, image, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))]


def prepare(samples: list[Sample]) -> Prepared:
    images = ImageBatch(samples[0].image[None], ((1, 1),))
    return Prepared(images, [], tuple(sample.image_id for sample in samples))


def test_one_step_down_the_gradient() -> None:
    made = learner()
    updated = update(made, batches_of(3.0), prepare, stop=False)
    assert updated.losses == {"class_loss": 6.0, "box_loss": 2.0}
    assert (updated.grad_norm, updated.stop) == (4.0, False)
    assert made.model.weight.item() == 2.0 - 0.5 * 4.0


def test_accumulated_micro_batches_count_as_one_batch() -> None:
    made = learner(accumulate=2)
    updated = update(made, batches_of(3.0, 5.0), prepare, stop=True)
    assert updated.losses == {"class_loss": 8.0, "box_loss": 2.0}
    assert (updated.grad_norm, updated.stop) == (5.0, True)
    assert made.model.weight.item() == 2.0 - 0.5 * 5.0


def test_the_norm_is_that_before_clipping() -> None:
    made = learner(clip_norm=1.0)
    assert update(made, batches_of(3.0), prepare, stop=False).grad_norm == 4.0
    assert made.model.weight.item() == pytest.approx(2.0 - 0.5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_are_left_alone_if_a_loss_is_not_finite(value: float) -> None:
    made = learner(accumulate=2)
    with pytest.raises(NonFiniteLoss, match=r"class_loss = .*ids 0, 1; lower optim\.lr"):
        update(made, batches_of(1.0, value), prepare, stop=False)
    assert made.model.weight.item() == 2.0


def test_a_gradient_that_is_not_finite_is_refused_too() -> None:
    made = learner()
    made.model.weight.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(NonFiniteLoss, match="grad_norm = nan"):
        update(made, batches_of(1.0), prepare, stop=False)
    assert made.model.weight.item() == 2.0


def test_the_scaler_skips_a_gradient_that_overflows() -> None:
    made = learner()
    made.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    made.model.weight.register_hook(lambda gradient: gradient * float("inf"))
    update(made, batches_of(1.0), prepare, stop=False)
    assert made.model.weight.item() == 2.0
    assert made.scaler.get_scale() == 512.0
