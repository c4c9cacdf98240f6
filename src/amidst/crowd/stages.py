"""The functions of each stage, by name."""

from __future__ import annotations

from amidst.crowd import (
    ballot,
    captions,
    crowd_regions,
    image_filter,
    labelling,
    segmentation,
    spotting,
    training,
    verification,
)
from amidst.crowd.config import Stage
from amidst.crowd.plans import StageWork

WORK: dict[Stage, StageWork] = {
    "category_votes": ballot.WORK,
    "image_filter": image_filter.WORK,
    "labelling": labelling.WORK,
    "spotting": spotting.WORK,
    "segmentation": segmentation.WORK,
    "training": training.WORK,
    "verification": verification.WORK,
    "crowd_regions": crowd_regions.WORK,
    "captions": captions.WORK,
}
