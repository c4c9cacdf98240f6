"""Scores of class-agnostic proposals: average recall (AR) at N proposals an image, and its area (AUC).

The recall of an area range at an IoU threshold is the share of its objects that are found by the N best
proposals of their images, matched as COCO matches (spec B.1, categories not compared); AR@N is its mean over
the ten thresholds .5, .55, ..., .95. AUC is AR averaged over N, where every factor of N weighs the same
("log-uniform over 1..1000"): AR at N = 10^(k/10), rounded, k = 0..30, by trapezoids over log10 N, divided by
the 3 decades.

T thresholds of IoU, A area ranges, C numbers of proposals (the last one: all). A number without any object to
find is -1.

Source: thesis §3.5, Fig. 3.6, Tables 3.1-3.3; spec B.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from amidst.coco.dataset import CocoDataset
from amidst.coco.proposals import read_proposals
from amidst.coco.results import Results
from amidst.errors import DataError, UsageError
from amidst.evaluation.params import AREA_RANGES, IOU_THRESHOLDS, AreaRange, Params
from amidst.evaluation.proposal_matching import NEVER, Pairs, best_overlaps, find_pairs, ranks_of_finders

Floats = npt.NDArray[np.float64]
Kind = Literal["bbox", "segm"]

AT = (1, 10, 100, 1000)
AUC_COUNTS: tuple[int, ...] = tuple(sorted({round(10 ** (k / 10)) for k in range(31)}))
"""Numbers of proposals that AUC averages over: 1, 2, 3, 4, 5, 6, 8, 10, 13, ... 1000."""

CURVE_THRESHOLDS = (*IOU_THRESHOLDS, 1.0)
"""IoU thresholds of the recall curves; AR is the mean over all but the last."""

MISSED_IOU = 0.5
"""An object is missed if no proposal overlaps it by more (thesis, Fig. 3.4)."""

WORTH_KEEPING_IOU = min(MISSED_IOU, *CURVE_THRESHOLDS)


@dataclass(frozen=True, eq=False)
class ProposalSummary:
    """Recall of proposals, each number in 0..1 or -1.

    kind: what was compared, boxes or masks. at: the numbers of proposals that were asked for.
    areas: names of the A area ranges. objects, missed: of each range, how many count, and how many of them
    no proposal overlaps by more than .5. images, proposals: how many were scored.
    counts: the numbers of proposals evaluated, ascending: `at` and those of AUC. recall: (T, A, C + 1) at
    `CURVE_THRESHOLDS`, by range and count, the last with all proposals. Read-only.
    """

    kind: Kind
    at: tuple[int, ...]
    areas: tuple[str, ...]
    images: int
    proposals: int
    objects: tuple[int, ...]
    missed: tuple[int, ...]
    counts: tuple[int, ...]
    recall: Floats

    def recalls(self, n: int | None = None, area: str = "all") -> Floats:
        """Recall with the n best proposals (or all) at each of `CURVE_THRESHOLDS`, (T,).

        Raises UsageError for a number or area that was not evaluated.
        """
        if area not in self.areas or (n is not None and n not in self.counts):
            raise UsageError(f"recall at {n} proposals of area {area!r} was not evaluated")
        count = len(self.counts) if n is None else self.counts.index(n)
        found: Floats = self.recall[:, self.areas.index(area), count]
        return found

    def ar(self, n: int | None = None, area: str = "all") -> float:
        """Average recall with the n best proposals of each image, or with all of them (the upper bound)."""
        return float(self.recalls(n, area)[: len(IOU_THRESHOLDS)].mean())

    def auc(self, area: str = "all") -> float:
        """AR averaged over 1..1000 proposals, on a logarithmic axis."""
        values = np.array([self.ar(n, area) for n in AUC_COUNTS])
        decades = np.log10(AUC_COUNTS)
        return float(np.trapezoid(values, decades) / (decades[-1] - decades[0])) if values[0] >= 0 else -1.0

    def numbers(self) -> dict[str, float]:
        """The numbers by name: "ar@100", "ar_small@100", "auc", "auc_small", "upper_bound",
        "upper_bound_small", ...
        """
        named: dict[str, float] = {}
        for area in self.areas:
            of = "" if area == "all" else f"_{area}"
            named |= {f"ar{of}@{n}": self.ar(n, area) for n in self.at}
            named |= {f"auc{of}": self.auc(area), f"upper_bound{of}": self.ar(None, area)}
        return named

    def to_builtins(self, *, curves: bool = True) -> dict[str, Any]:
        """Plain values, ready for JSON: the numbers, how many objects were missed, and the curves."""
        tree: dict[str, Any] = {
            "kind": self.kind,
            "images": self.images,
            "proposals": self.proposals,
            **self.numbers(),
            "objects": dict(zip(self.areas, self.objects, strict=True)),
            "missed": dict(zip(self.areas, self.missed, strict=True)),
        }
        if curves:
            tree["ar_by_count"] = {
                "counts": list(self.counts),
                **{area: [self.ar(n, area) for n in self.counts] for area in self.areas},
            }
            tree["recall_by_iou"] = {
                "iou": list(CURVE_THRESHOLDS),
                **{area: {str(n): self.recalls(n, area).tolist() for n in self.at} for area in self.areas},
            }
        return tree


def score_proposals(
    dataset: CocoDataset | str | Path,
    results: Results | str | Path | Sequence[Mapping[str, Any]],
    *,
    kind: Kind | None = None,
    at: Sequence[int] = AT,
    area_ranges: Sequence[AreaRange] = AREA_RANGES,
) -> ProposalSummary:
    """Scores proposals against a dataset; categories of either side do not matter.

    results: in memory, or a file, which is read in parts and checked as `coco.proposals` says. kind: "bbox"
    compares boxes (of masks alone, their tight boxes), "segm" masks; by default masks where there are any.
    at: any numbers of proposals an image. Raises UsageError for settings that make no sense or a file that
    cannot be opened, and DataError for malformed records, proposals of unknown images, and missing masks.
    """
    if kind not in (None, "bbox", "segm"):
        raise UsageError(f"kind must be 'bbox' or 'segm', not {kind!r}")
    if not at or min(at) < 1:
        raise UsageError(f"`at` lists numbers of proposals from 1 on, not {list(at)}")
    params = Params(area_ranges=tuple(area_ranges), max_dets=tuple(sorted(set(at))), class_agnostic=True)
    truth = dataset if isinstance(dataset, CocoDataset) else CocoDataset.load(dataset)
    file = results if isinstance(results, (str, Path)) else None
    if isinstance(results, (str, Path)):
        found = read_proposals(results, truth, keep_masks=kind != "bbox")
    else:
        found = results if isinstance(results, Results) else Results.load(results)
    if kind is None:
        kind = "bbox" if found.rles is None or not len(found) else "segm"
    if kind == "segm" and found.rles is None:
        raise DataError("not every proposal has a mask; score boxes", file=file, rule="missing-field")
    pairs = find_pairs(truth, found, kind, WORTH_KEEPING_IOU)
    return summarize_pairs(pairs, kind, params, len(truth.images), len(found))


def summarize_pairs(pairs: Pairs, kind: Kind, params: Params, images: int, proposals: int) -> ProposalSummary:
    """The summary of all pairs of at least `WORTH_KEEPING_IOU`. images, proposals: how many were scored."""
    counts = tuple(sorted({*params.max_dets, *AUC_COUNTS}))
    ranges = [(pairs.area >= low) & (pairs.area <= high) for _, low, high in params.area_ranges]
    recall = np.full((len(CURVE_THRESHOLDS), len(ranges), len(counts) + 1), -1.0)
    for a, inside in enumerate(ranges):
        if not inside.any():
            continue
        for t, threshold in enumerate(CURVE_THRESHOLDS):
            ranks = np.sort(ranks_of_finders(pairs, inside, threshold)[inside])
            recall[t, a] = np.searchsorted(ranks, (*counts, NEVER)) / len(ranks)
    recall.flags.writeable = False
    unseen = best_overlaps(pairs) <= MISSED_IOU
    return ProposalSummary(
        kind,
        params.max_dets,
        params.area_names,
        images,
        proposals,
        tuple(int(inside.sum()) for inside in ranges),
        tuple(int((inside & unseen).sum()) for inside in ranges),
        counts,
        recall,
    )
