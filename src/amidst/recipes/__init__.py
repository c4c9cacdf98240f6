"""Named experiments: functions that return a full configuration. Importing them does not import torch."""

from __future__ import annotations

from amidst.errors import UsageError
from amidst.recipes import fpn_masks, masks, rcnn, retinanet, smoke
from amidst.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    "retinanet_r50_fpn_1x": retinanet.R50_FPN_1X,
    "retinanet_r101_fpn_1.5x": retinanet.R101_FPN_1_5X,
    "retinanet_r50_fpn": retinanet.R50_FPN,
    "retinanet_lite_320": retinanet.LITE_320,
    "rpn_r50_fpn": rcnn.RPN_R50_FPN,
    "fast_rcnn_r50_fpn": rcnn.FAST_RCNN_R50_FPN,
    "faster_rcnn_r50_fpn_1x": rcnn.FASTER_RCNN_R50_FPN_1X,
    "faster_rcnn_r101_fpn_2x": rcnn.FASTER_RCNN_R101_FPN_2X,
    "rpn_lite": rcnn.RPN_LITE,
    "fast_rcnn_lite": rcnn.FAST_RCNN_LITE,
    "faster_rcnn_lite": rcnn.FASTER_RCNN_LITE,
    "deepmask_r50": masks.DEEPMASK_R50,
    "sharpmask_r50": masks.SHARPMASK_R50,
    "deepmask_lite": masks.DEEPMASK_LITE,
    "sharpmask_lite": masks.SHARPMASK_LITE,
    "fpn_masks_r50": fpn_masks.R50,
    "fpn_masks_lite": fpn_masks.LITE,
    "smoke": smoke.SMOKE,
}


def recipe(name: str) -> Recipe:
    """The recipe called `name`. Raises UsageError naming those there are."""
    if name not in RECIPES:
        raise UsageError(f"no recipe called {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
