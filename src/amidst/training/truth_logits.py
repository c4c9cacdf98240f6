"""What a trained dense detector says of the truth: the logits of all (anchor, class) pairs of many images.

Anchors are matched as in training. A pair is a positive where the anchor has an object of that class, a
negative for all other classes of that anchor and all classes of a background anchor; ignored anchors are left
out. Images are resized as for validation, nothing else is changed.

Shapes: n_l anchors of a level, K classes, M bins of `ops.loss_distribution`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from amidst.coco.dataset import CocoDataset
from amidst.models.build import size_divisor
from amidst.models.retinanet import RetinaNet
from amidst.models.retinanet_loss import assign
from amidst.models.structures import DenseOutputs, Target
from amidst.ops.loss_distribution import BINS, count_logits
from amidst.ops.matching import IGNORED
from amidst.training.config import ResizeConfig
from amidst.training.samples import Samples
from amidst.training.transforms import Draw, make_inputs

Progress = Callable[[int, int], None]  # images done, images in all


@dataclass(frozen=True, eq=False)
class TruthLogits:
    """Histograms of x_t, the logit of the truth."""

    positive: Tensor  # int64 (M,)
    negative: Tensor  # int64 (M,)
    images: int


@torch.no_grad()
def truth_logits(
    model: RetinaNet,
    dataset: CocoDataset,
    images_dir: str | Path,
    class_index: dict[int, int],
    resize: ResizeConfig,
    *,
    progress: Progress | None = None,
) -> TruthLogits:
    """Histograms over every image of `dataset`; memory does not grow with their number.

    class_index: the model's class index of category ids; objects of other categories are left out, and their
    anchors count as background. Raises UsageError for a dataset without images, ImageError for one that
    cannot be read.
    """
    known = dataset.select(category_ids=[c.id for c in dataset.categories if c.id in class_index])
    classes = known.class_map()
    to_model = torch.tensor([class_index[i] for i in classes.category_ids], dtype=torch.int64)
    samples = Samples(known, images_dir, classes)
    device = next(model.parameters()).device
    counts = torch.zeros(2, BINS, dtype=torch.int64)
    for number in range(len(samples)):
        sample = samples.sample(number, samples.pictures.read(number).to(device))
        images, targets = make_inputs(
            [sample], [Draw()], resize, model.config.pixels, size_divisor(model.config)
        )
        target = Target(targets[0].boxes_xyxy, to_model.to(device)[targets[0].class_index])
        counts += count_truth(model.predict(images.pixels), target, model).cpu()
        if progress is not None:
            progress(number + 1, len(samples))
    return TruthLogits(counts[0], counts[1], len(samples))


def count_truth(outputs: DenseOutputs, target: Target, model: RetinaNet) -> Tensor:
    """Histograms of one image's positives and negatives: (2, M)."""
    wanted = assign(torch.cat(outputs.anchors_xyxy), [target], model.config.match).class_index[0]
    counts = torch.zeros(2, BINS, dtype=torch.int64, device=wanted.device)
    levels = [level[0] for level in outputs.class_logits]  # each (n_l, K)
    for logits, index in zip(levels, torch.split(wanted, [len(x) for x in levels]), strict=True):
        objects = (index >= 0).nonzero().squeeze(1)
        own = logits[objects, index[objects]]  # (P,)
        counts[0] += count_logits(own)
        # All pairs as negatives, then the few positives among them taken out again.
        counts[1] += count_logits(-logits[index != IGNORED]) - count_logits(-own)
    return counts
