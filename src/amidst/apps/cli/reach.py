"""The anchors of a recipe as plain shapes, for `dataset check --recipe`. Does not import torch.

The anchors of level l have sides base * 2^l * 2^(i / octave_scales) for i = 0 ... octave_scales - 1, and at
each aspect a = height / width the same area (I.2).
"""

from __future__ import annotations

import math

from amidst.coco.check import AnchorReach
from amidst.errors import UsageError
from amidst.models.config import RetinaNetConfig
from amidst.training.config import Experiment


def anchor_shapes_wh(config: RetinaNetConfig) -> list[tuple[float, float]]:
    """Width and height, in network pixels, of every anchor at one place."""
    anchors, levels = config.anchors, range(config.fpn.min_level, config.fpn.max_level + 1)
    sides = [
        anchors.base * 2**level * 2 ** (octave / anchors.octave_scales)
        for level in levels
        for octave in range(anchors.octave_scales)
    ]
    return [(side / math.sqrt(a), side * math.sqrt(a)) for side in sides for a in anchors.aspects]


def anchor_reach(experiment: Experiment) -> AnchorReach:
    """What the anchors of an experiment can be matched to at its validation size.

    Without low-quality matches an object needs an anchor of the positive IoU. With them it always gets its
    best anchor; it then counts as out of reach where even that one is nearer to background.
    Raises UsageError for a family without such anchors.
    """
    model, resize = experiment.model, experiment.data.resize
    if not isinstance(model, RetinaNetConfig):
        raise UsageError(f"{experiment.name}: the reach of anchors is known for RetinaNet recipes only")
    match = model.match
    least = match.positive_iou if match.low_quality == "none" else match.negative_iou
    return AnchorReach(anchor_shapes_wh(model), resize.short, resize.long, least)
