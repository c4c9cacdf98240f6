"""Where a detector loses precision: seven curves, each forgiving one more kind of error (spec B.1).

    C75  precision at IoU 0.75
    C50  at IoU 0.5
    Loc  at IoU 0.1: errors of localisation are forgiven, double detections are not
    Sim  and detections of an object of another category of the same super-category are left out
    Oth  and detections of an object of any other category are left out
    BG   and false alarms on the background are left out: 1 up to the highest recall, then 0
    FN   and missed objects are left out: 1 everywhere

Each curve is COCO's: 101 recalls, precision made monotone, up to 100 detections of a category in an image;
the area under it is AP at that IoU. The area between two curves is what one kind of error costs. For Sim
and Oth the other categories' objects join the category in question as ignored ones, each of which excuses
one detection (a crowd any number). The method is Hoiem's analysis as COCO's Matlab evaluator carries it
out (`analyze`).

V = 7 curves, R = 101 recalls, K categories, A area ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Category
from amidst.coco.results import Results
from amidst.evaluation.matching import Floats, Match, Scene, greedy, overlapping, scenes

CURVES = ("C75", "C50", "Loc", "Sim", "Oth", "BG", "FN")
MEANINGS = {
    "C75": "correct at IoU .75",
    "C50": "correct at IoU .5",
    "Loc": "localisation forgiven (IoU .1)",
    "Sim": "similar categories forgiven",
    "Oth": "all other categories forgiven",
    "BG": "background forgiven",
    "FN": "missed objects forgiven",
}
AREAS: Mapping[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
RECALLS = np.linspace(0, 1, 101)

Forgiven = Literal["none", "similar", "other"]
_MATCHED: tuple[tuple[float, Forgiven], ...] = (
    (0.75, "none"),
    (0.5, "none"),
    (0.1, "none"),
    (0.1, "similar"),
    (0.1, "other"),
)
_EPSILON = float(np.spacing(1.0))  # as in the reference: precision of nothing is 0


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """precision (V, R, K, A) at each recall; -1 for a category without objects in the area range."""

    categories: tuple[Category, ...]
    areas: tuple[str, ...]
    precision: Floats

    def ap(self, area: str = "all", category_ids: set[int] | None = None) -> dict[str, float | None]:
        """Area under each curve, averaged over the categories that have objects; None where none has."""
        precision = self._part(area, category_ids)
        present = precision[0, 0] >= 0
        if not present.any():
            return dict.fromkeys(CURVES)
        means = precision[:, :, present].mean(axis=(1, 2))
        return dict(zip(CURVES, means.tolist(), strict=True))

    def curve(self, area: str = "all", category_ids: set[int] | None = None) -> Floats:
        """The curves (V, R), averaged over the categories that have objects; empty (V, 0) where none has."""
        precision = self._part(area, category_ids)
        present = precision[0, 0] >= 0
        if not present.any():
            return np.zeros((len(CURVES), 0))
        curves: Floats = precision[:, :, present].mean(axis=2)
        return curves

    def _part(self, area: str, category_ids: set[int] | None) -> Floats:
        chosen = [k for k, c in enumerate(self.categories) if category_ids is None or c.id in category_ids]
        return self.precision[:, :, chosen, self.areas.index(area)]


def diagnose(
    dataset: CocoDataset, results: Results, *, areas: Mapping[str, tuple[float, float]] = AREAS
) -> Diagnosis:
    """The seven curves of box detections, per category and area range (by the objects' areas).

    Raises DataError for detections that do not fit the dataset.
    """
    categories = dataset.class_map().categories
    families = _families(categories)
    tally = _Tally(len(categories), len(areas))
    for scene in scenes(dataset, results):
        _tally_scene(scene, families, list(areas.values()), tally)
    shape = (len(CURVES), len(RECALLS), len(categories), len(areas))
    precision = np.full(shape, -1.0)
    for k in range(len(categories)):
        for a in range(len(areas)):
            if tally.objects[k, a]:
                for v in range(len(_MATCHED)):
                    precision[v, :, k, a] = _curve(tally.outcomes[v, k, a], int(tally.objects[k, a]))
                precision[5, :, k, a] = precision[4, :, k, a] > 0
                precision[6, :, k, a] = 1.0
    return Diagnosis(categories, tuple(areas), precision)


def to_builtins(diagnosis: Diagnosis) -> dict[str, Any]:
    """AP of each curve as JSON: over all categories, by super-category and by category, for each area
    range.
    """
    families: dict[str, set[int]] = {}
    for category in diagnosis.categories:
        families.setdefault(category.supercategory or category.name, set()).add(category.id)
    return {
        "curves": MEANINGS,
        "areas": {
            area: {
                "overall": diagnosis.ap(area),
                "supercategories": {name: diagnosis.ap(area, ids) for name, ids in sorted(families.items())},
                "categories": {c.name: diagnosis.ap(area, {c.id}) for c in diagnosis.categories},
            }
            for area in diagnosis.areas
        },
    }


class _Tally:
    """Objects that count (K, A), and (score, hit) of the detections that count, in order of images."""

    def __init__(self, categories: int, areas: int) -> None:
        self.objects = np.zeros((categories, areas), np.int64)
        self.outcomes: dict[tuple[int, int, int], list[tuple[float, bool]]] = {
            (v, k, a): [] for v in range(len(_MATCHED)) for k in range(categories) for a in range(areas)
        }


def _families(categories: tuple[Category, ...]) -> npt.NDArray[np.int64]:
    """A number per super-category (K,); a category without one is its own."""
    names = [c.supercategory or f"\0{c.id}" for c in categories]
    return np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1].reshape(-1).astype(np.int64)


def _tally_scene(
    scene: Scene, families: npt.NDArray[np.int64], areas: list[tuple[float, float]], tally: _Tally
) -> None:
    same = scene.class_index[:, None] == scene.truth_class_index[None, :]
    kin = families[scene.class_index][:, None] == families[scene.truth_class_index][None, :]
    iou = masks.box_iou(scene.boxes_xywh, scene.truth_xywh, scene.crowd)
    area_of_detections = scene.boxes_xywh[:, 2] * scene.boxes_xywh[:, 3]
    group, crowd = scene.class_index.tolist(), scene.crowd.tolist()
    for a, (low, high) in enumerate(areas):
        ignore = scene.ignore | (scene.truth_area < low) | (scene.truth_area > high)
        tally.objects[:, a] += np.bincount(scene.truth_class_index[~ignore], minlength=len(families))
        outside = ((area_of_detections < low) | (area_of_detections > high)).tolist()
        for v, (threshold, forgiven) in enumerate(_MATCHED):
            allowed = {"none": same, "similar": kin, "other": np.ones_like(same)}[forgiven]
            pairs = overlapping(iou, allowed, threshold)
            ignored = [bool(ignore[g]) or not same[d, g] for d, g, _ in pairs]
            _tally_matches(scene, greedy(pairs, ignored, crowd, group), outside, (v, a), tally)


def _tally_matches(
    scene: Scene, matches: dict[int, Match], outside: list[bool], place: tuple[int, int], tally: _Tally
) -> None:
    v, a = place
    for d, (k, score) in enumerate(zip(scene.class_index.tolist(), scene.scores.tolist(), strict=True)):
        match = matches.get(d)
        if match.ignored if match is not None else outside[d]:
            continue
        tally.outcomes[v, k, a].append((score, match is not None))


def _curve(outcomes: list[tuple[float, bool]], objects: int) -> Floats:
    """Precision at the 101 recalls, 0 where the recall is not reached."""
    scores = np.array([score for score, _ in outcomes])
    hit = np.array([hit for _, hit in outcomes], bool)[np.argsort(-scores, kind="stable")]
    found, wrong = np.cumsum(hit), np.cumsum(~hit)
    precision = found / (found + wrong + _EPSILON)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(found / objects, RECALLS, side="left")
    curve: Floats = np.append(precision, 0.0)[at]
    return curve
