"""Assistance by the project's own mask proposals: a click selects one (thesis chapter 3).

An image is looked at once, when its ticket is handed out, and its proposals are kept: the click itself costs
look-ups. One image is looked at at a time, for the network takes all cores that there are.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from amidst.apps.server.crowd.assistance import Assistance, Points
from amidst.coco.images import read_image
from amidst.coco.records import Rle
from amidst.crowd.bodies import CategoryRef
from amidst.crowd.outlines import covered
from amidst.errors import UsageError
from amidst.inference.assist import Scene, Suggestion, open_scene
from amidst.models.config import MaskConfig
from amidst.models.norms import prepare_for_inference
from amidst.models.weights import ModelInfo, load_model, resolve_model

REMEMBERED = 32  # images
SUGGESTIONS = 3  # of a reply
CANDIDATES = 50  # among which further clicks choose
TOLERANCE_PX = 2.0


@dataclass
class Scenes:
    """Images that have been looked at, the latest ones."""

    model: nn.Module
    info: ModelInfo
    _known: OrderedDict[Path, Scene] = field(default_factory=OrderedDict)
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def of(self, picture: Path) -> Scene:
        """The proposals of an image; who comes while another image is looked at waits."""
        found = self._known.get(picture)
        if found is not None:
            return found
        with self._looking:
            found = self._known.get(picture)
            if found is None:
                found = open_scene(self.model, self.info, read_image(picture))
                self._known[picture] = found
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            return found

    def suggest(self, picture: Path, _: CategoryRef, points: Points, polygon: Points) -> list[Rle]:
        """The best masks that hold all points, or else that fit the box of the polygon; best first."""
        scene = self.of(picture)
        if points:
            height, width = scene.size_hw
            x, y = points[0]
            found = scene.at_point(min(x, width - 1), min(y, height - 1), CANDIDATES)
            return [one.rle for one in found if _holds(one, points[1:])][:SUGGESTIONS]
        if not polygon:
            return []
        xs, ys = zip(*polygon, strict=True)
        box = (min(xs), min(ys), max(xs), max(ys))
        if box[0] >= box[2] or box[1] >= box[3]:
            return []
        return [one.rle for one in scene.at_box(box, SUGGESTIONS)]

    def look(self, picture: Path) -> None:
        """Look at an image ahead of the first click."""
        self.of(picture)


def open_assistance(model: str) -> Assistance:
    """Assistance by a model file or run folder. Raises UsageError for a model that proposes no masks."""
    network, info = load_model(resolve_model(model))
    if not isinstance(info.config, MaskConfig):
        raise UsageError(
            f"--assist {model}: this model proposes no masks; train deepmask, sharpmask or fpn_masks"
        )
    scenes = Scenes(prepare_for_inference(network), info)
    return Assistance(scenes.suggest, scenes.look)


def _holds(suggestion: Suggestion, points: Points) -> bool:
    return not points or bool(covered(suggestion.rle, list(points), TOLERANCE_PX).all())
