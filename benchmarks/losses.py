"""Speed of the classification loss, forward and backward, at the size of a training step.

    python benchmarks/losses.py                2 images x 100,000 anchors x 80 classes, about a minute
    python benchmarks/losses.py --compile      one more peer: the softplus form compiled (needs a compiler)
    python benchmarks/losses.py --anchors 1000 --repeats 1     does it run

The peers get the one-hot truth and the mask of valid anchors ready made; ours gets one class index an anchor.
torchvision's `sigmoid_focal_loss` takes part where torchvision is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from timing import Row, add_arguments, interleaved, rows_of, show, write
from torch import Tensor
from torch.nn import functional as F

from amidst.ops.dense_losses import dense_loss_sum
from amidst.ops.matching import BACKGROUND, IGNORED

RESULTS = Path(__file__).parent / "results" / "losses.json"
ALPHA, GAMMA = 0.25, 2.0
PEER = "plain formula"


def plain(x: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Focal loss as it is printed."""
    p = torch.sigmoid(x)
    p_t = p * truth + (1 - p) * (1 - truth)
    alpha_t = ALPHA * truth + (1 - ALPHA) * (1 - truth)
    return (-alpha_t * (1 - p_t) ** GAMMA * torch.log(p_t.clamp(min=1e-12)) * valid).sum()


def softplus_form(x: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """The stable form, element by element."""
    ce = F.binary_cross_entropy_with_logits(x, truth, reduction="none")
    p = torch.sigmoid(x)
    p_t = p * truth + (1 - p) * (1 - truth)
    alpha_t = ALPHA * truth + (1 - ALPHA) * (1 - truth)
    return (alpha_t * (1 - p_t) ** GAMMA * ce * valid).sum()


def ours(x: Tensor, class_index: Tensor, kind: str = "focal") -> Tensor:
    return dense_loss_sum(x, class_index, kind=kind, gamma=GAMMA, alpha=ALPHA).sum()  # type: ignore[arg-type]


def case(images: int, anchors: int, classes: int) -> tuple[Tensor, Tensor]:
    """Logits around the prior, .2 % of anchors with an object, .5 % ignored."""
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(images, anchors, classes, generator=g) - 4.6
    class_index = torch.randint(0, classes, (images, anchors), generator=g)
    chance = torch.rand(images, anchors, generator=g)
    class_index[chance > 0.002] = BACKGROUND
    class_index[chance > 0.995] = IGNORED
    return logits.requires_grad_(), class_index


def works(logits: Tensor, class_index: Tensor, with_compile: bool) -> dict[str, Callable[[], Tensor]]:
    """Scalar losses of the logits."""
    truth = (class_index[..., None] == torch.arange(logits.shape[-1])).float()  # (B, N, K)
    valid = (class_index != IGNORED)[..., None].float()  # (B, N, 1)
    losses: dict[str, Callable[[], Tensor]] = {
        PEER: partial(plain, logits, truth, valid),
        "softplus form": partial(softplus_form, logits, truth, valid),
    }
    if importlib.util.find_spec("torchvision"):
        from torchvision.ops import sigmoid_focal_loss

        losses["torchvision"] = lambda: (sigmoid_focal_loss(logits, truth, ALPHA, GAMMA) * valid).sum()
    if with_compile:
        compiled = torch.compile(softplus_form)
        losses["softplus form, compiled"] = lambda: compiled(logits, truth, valid)
    for kind in ("focal", "balanced_cross_entropy", "focal_star", "hinge"):
        losses[f"amidst {kind}"] = partial(ours, logits, class_index, kind)
    return losses


def step(loss: Callable[[], Tensor], logits: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(loss(), logits)
    return gradient


def check(losses: dict[str, Callable[[], Tensor]], logits: Tensor) -> None:
    """All forms of the focal loss must agree, values and gradients."""
    expected, gradient = losses["softplus form"](), step(losses["softplus form"], logits)
    for name, loss in losses.items():
        if name.startswith("amidst") and name != "amidst focal":
            continue
        torch.testing.assert_close(loss(), expected, rtol=1e-5, atol=0)
        torch.testing.assert_close(step(loss, logits), gradient, rtol=1e-3, atol=1e-7)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--anchors", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    add_arguments(parser, RESULTS)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    logits, class_index = case(arguments.images, arguments.anchors, arguments.classes)
    losses = works(logits, class_index, arguments.compile)
    check(losses, logits)
    steps = {name: partial(step, loss, logits) for name, loss in losses.items()}
    other = torch.empty_like(logits)
    steps["copy of the logits"] = lambda: other.copy_(logits.detach())
    size = f"{arguments.images} x {arguments.anchors} x {arguments.classes}"
    rows: list[Row] = rows_of(
        interleaved(steps, arguments.repeats, arguments.clock), PEER, work="forward + backward", size=size
    )
    show(rows)
    write(arguments.output, "python benchmarks/losses.py", arguments.clock, rows)


if __name__ == "__main__":
    main()
