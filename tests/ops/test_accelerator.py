"""The same answers on an accelerator as on the CPU."""

from __future__ import annotations

import pytest
import torch

from amidst.ops import anchors, boxes, images, matching
from amidst.ops.dense_losses import dense_loss_sum
from amidst.ops.nms import nms, nms_by_class

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator"),
]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_suppression(generator: torch.Generator) -> None:
    for count in (0, 1, 3000, 9000):
        corner = torch.rand(count, 2, generator=generator) * 600
        candidates = torch.cat((corner, corner + 20 + torch.rand(count, 2, generator=generator) * 80), dim=1)
        scores = torch.randperm(count, generator=generator) / max(count, 1)
        classes = torch.randint(0, 9, (count,), generator=generator)
        on_device = [x.cuda() for x in (candidates, scores, classes)]
        assert torch.equal(nms(*on_device[:2], 0.5).cpu(), nms(candidates, scores, 0.5))
        expected = nms_by_class(candidates, scores, classes, 0.5)
        assert torch.equal(nms_by_class(*on_device, 0.5).cpu(), expected)


@pytest.mark.parametrize("kind", ["focal", "focal_star", "hinge"])
def test_dense_losses(kind: str, generator: torch.Generator) -> None:
    logits = torch.randn(2, 5000, 7, generator=generator) * 4
    class_index = torch.randint(-2, 7, (2, 5000), generator=generator)
    results = []
    for device in ("cpu", "cuda"):
        x = logits.to(device).requires_grad_()
        total = dense_loss_sum(x, class_index.to(device), kind=kind, gamma=2.0, alpha=0.25)  # type: ignore[arg-type]
        total.sum().backward()
        assert x.grad is not None
        results.append((total.detach().cpu(), x.grad.cpu()))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-6)


def test_anchors_overlaps_and_matches(generator: torch.Generator) -> None:
    corner = torch.rand(9, 2, generator=generator) * 200
    objects = torch.cat((corner, corner + 30 + torch.rand(9, 2, generator=generator) * 90), dim=1)
    results = []
    for device in ("cpu", "cuda"):
        grid = torch.cat(anchors.grid_anchors([(40, 40), (20, 20)], [8, 16], 4.0, 3, (0.5, 1.0, 2.0), device))
        overlaps = boxes.pairwise_iou(objects.to(device), grid)
        results.append((grid.cpu(), overlaps.cpu(), matching.match(overlaps, 0.5, 0.4, "all").cpu()))
    torch.testing.assert_close(results[0], results[1])


def test_images(generator: torch.Generator) -> None:
    image = torch.randint(0, 256, (3, 61, 83), dtype=torch.uint8, generator=generator)
    resized = [images.resize(image.to(device), (100, 40)).cpu() for device in ("cpu", "cuda")]
    assert int((resized[0].int() - resized[1].int()).abs().max()) <= 1
    batches = [
        images.make_batch(
            [image.to(device)], order="bgr", scale=1.0, mean=(1, 2, 3), std=(1, 2, 3), divisor=32
        ).pixels.cpu()
        for device in ("cpu", "cuda")
    ]
    torch.testing.assert_close(*batches)
