"""Finding images in a dataset of any size: annotations and detections as columns, filters as boolean arrays.

N images (rows 0..N-1 over all splits), M marks: annotations first, then detections. A filter keeps the images
that hold at least one mark which meets all of its conditions at once; a dataset of COCO's size takes some
milliseconds. Categories are compared by name, so that splits of different numbering can be browsed together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from amidst.apps.explorer.outcomes import match_all
from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.errors import DataError

Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

SMALL, MEDIUM = 32.0**2, 96.0**2
SIZES: Mapping[str, tuple[float, float]] = {
    "small": (0.0, SMALL),
    "medium": (SMALL, MEDIUM),
    "large": (MEDIUM, float("inf")),
}
Crowd = Literal["any", "only", "none"]
Source = Literal["truth", "found"]
Order = Literal["file", "objects", "random"]
Outcome = Literal["any", "right", "wrong"]


@dataclass(frozen=True)
class Split:
    """One dataset file of those browsed together; `results` are the detections of its images."""

    name: str
    dataset: CocoDataset
    results: Results | None = None


@dataclass(frozen=True)
class Filter:
    """Conditions on one mark; None is no condition. scores: least and highest, of detections.

    outcome: "right" is an object that was found or a detection that is a hit, "wrong" one that was missed or
    is a false alarm. least: detections below this score count as absent when objects are asked for.
    source: whether annotations or detections have to meet them. text: part of the file name, or the
    image's id.
    """

    source: Source = "truth"
    categories: tuple[str, ...] = ()
    size: str | None = None
    crowd: Crowd = "any"
    split: str | None = None
    scores: tuple[float, float] | None = None
    outcome: Outcome = "any"
    least: float = 0.0
    empty: bool = False
    text: str = ""
    order: Order = "file"
    seed: int = 0

    @property
    def asks_for_marks(self) -> bool:
        """Whether any condition is on marks."""
        conditions = (
            self.size is not None,
            self.crowd != "any",
            self.scores is not None,
            self.outcome != "any",
        )
        return bool(self.categories) or any(conditions)


@dataclass(frozen=True, eq=False)
class Marks:
    """Columns (M,): row of the image, index of the category name, area, crowd flag, score (NaN for truth).

    order: where the mark stands in its split's annotations or results.
    """

    row: Ints
    category: Ints
    area: npt.NDArray[np.float64]
    crowd: Flags
    score: npt.NDArray[np.float64]
    order: Ints


class Index:
    """Columns of all splits. `names` are the categories' names, in order of id and split."""

    def __init__(self, splits: Sequence[Split]) -> None:
        """Raises DataError if two splits bear one name."""
        if len({split.name for split in splits}) != len(splits):
            raise DataError("two splits bear the same name", rule="duplicate-name")
        self.splits = tuple(splits)
        self.images = tuple(image for split in splits for image in split.dataset.images)
        sizes = [len(split.dataset.images) for split in splits]
        self.starts = np.cumsum([0, *sizes])
        self.split_of = np.repeat(np.arange(len(splits)), sizes)
        self.names = tuple(
            dict.fromkeys(c.name for split in splits for c in split.dataset.class_map().categories)
        )
        self._rows = [
            {image.id: int(self.starts[n]) + k for k, image in enumerate(split.dataset.images)}
            for n, split in enumerate(splits)
        ]
        self._name_index = {name: k for k, name in enumerate(self.names)}
        self._category_index = [
            {c.id: self._name_index[c.name] for c in split.dataset.categories} for split in splits
        ]
        self._boxes = [_boxes(split.results) for split in splits]
        self.truth = _joined([self._truth(n) for n in range(len(splits))])
        self.found = _joined([self._found(n) for n in range(len(splits))])
        self._by_row = {"truth": self._grouped(self.truth), "found": self._grouped(self.found)}
        self._lower = [image.file_name.lower() for image in self.images]

    def split(self, row: int) -> Split:
        """The split of an image."""
        return self.splits[int(self.split_of[row])]

    def category_index(self, row: int) -> Mapping[int, int]:
        """Places in `names` by category id, in the numbering of an image's split."""
        return self._category_index[int(self.split_of[row])]

    def boxes(self, row: int) -> npt.NDArray[np.float64]:
        """Boxes of all detections of an image's split, xywh; tight boxes of their masks where it has none."""
        return self._boxes[int(self.split_of[row])]

    def detections_of(self, row: int) -> list[int]:
        """The detections of an image, as places in its split's results, by descending score."""
        marks = self.marks_of("found", row)
        ranked = marks[np.argsort(-self.found.score[marks], kind="stable")]
        return [int(n) for n in self.found.order[ranked]]

    def marks_of(self, source: Source, row: int) -> Ints:
        """The marks of an image, in the order of their file."""
        order, starts = self._by_row[source]
        return order[starts[row] : starts[row + 1]]

    def _grouped(self, marks: Marks) -> tuple[Ints, Ints]:
        """Marks by row, and where each row begins."""
        order = np.argsort(marks.row, kind="stable")
        return order, np.searchsorted(marks.row[order], np.arange(len(self.images) + 1))

    def marks(self, source: Source) -> Marks:
        """The annotations' columns, or the detections'."""
        return self.truth if source == "truth" else self.found

    def counts(self, source: Source) -> Ints:
        """Marks per category name, (K,)."""
        return np.bincount(self.marks(source).category, minlength=len(self.names))

    def matching(self, wanted: Filter) -> Flags:
        """Marks that meet the conditions on marks, (M,)."""
        marks = self.marks(wanted.source)
        keep = np.ones(len(marks.row), bool)
        if wanted.categories:
            chosen = [self._name_index[name] for name in wanted.categories if name in self._name_index]
            keep &= np.isin(marks.category, chosen)
        if wanted.size is not None:
            low, high = SIZES[wanted.size]
            keep &= (marks.area >= low) & (marks.area < high)
        if wanted.crowd != "any":
            keep &= marks.crowd == (wanted.crowd == "only")
        if wanted.scores is not None and wanted.source == "found":
            keep &= (marks.score >= wanted.scores[0]) & (marks.score <= wanted.scores[1])
        if wanted.outcome != "any":
            keep &= self._outcome(wanted)
        return keep

    def matches_per_image(self, wanted: Filter) -> Ints:
        """How many marks of each image meet the conditions on marks, (N,)."""
        return np.bincount(self.marks(wanted.source).row[self.matching(wanted)], minlength=len(self.images))

    def find(self, wanted: Filter) -> Ints:
        """Rows of the images that a filter keeps, in its order."""
        marks, per_image = self.marks(wanted.source), self.matches_per_image(wanted)
        keep = per_image > 0 if wanted.asks_for_marks else np.ones(len(self.images), bool)
        if wanted.empty:
            keep = np.bincount(marks.row, minlength=len(self.images)) == 0
        if wanted.split is not None:
            keep &= self.split_of == next(
                (n for n, s in enumerate(self.splits) if s.name == wanted.split), -1
            )
        if wanted.text:
            keep &= self._naming(wanted.text.lower())
        rows = np.flatnonzero(keep)
        if wanted.order == "objects":
            return rows[np.argsort(-per_image[rows], kind="stable")]
        if wanted.order == "random":
            return np.random.default_rng(wanted.seed).permutation(rows)
        return rows

    def sample(self, wanted: Filter, count: int) -> Ints:
        """Marks for a sample sheet, at most one of each image, drawn by the filter's seed (Fig. B.1).

        Every image that qualifies is equally likely, and so is every one of its marks.
        """
        marks = self.marks(wanted.source)
        rows = self.find(wanted)
        candidates = np.flatnonzero(self.matching(wanted) & np.isin(marks.row, rows))
        draw = np.random.default_rng(wanted.seed)
        shuffled = draw.permutation(candidates)
        _, first = np.unique(marks.row[shuffled], return_index=True)
        return draw.permutation(shuffled[first])[:count]

    @cached_property
    def _outcomes(self) -> tuple[npt.NDArray[np.float64], Ints]:
        """Of all annotations and of all detections; made when first asked for."""
        parts = [match_all(split.dataset, split.results) for split in self.splits]
        found_at = np.concatenate([np.zeros(0), *(part.found_at for part in parts)])
        right = np.concatenate([np.zeros(0, np.int64), *(part.right for part in parts)])
        return found_at, right

    def _outcome(self, wanted: Filter) -> Flags:
        found_at, right = self._outcomes
        if wanted.source == "found":
            hits: Flags = right == (1 if wanted.outcome == "right" else 0)
            return hits
        # of NaN, where nothing is said, both are false
        objects: Flags = found_at >= wanted.least if wanted.outcome == "right" else found_at < wanted.least
        return objects

    def _naming(self, text: str) -> Flags:
        hits = (text in name or text == str(i.id) for name, i in zip(self._lower, self.images, strict=True))
        return np.fromiter(hits, bool, len(self.images))

    def _truth(self, split: int) -> Marks:
        dataset, rows = self.splits[split].dataset, self._rows[split]
        index = self._category_index[split]
        objects = dataset.annotations
        count = len(objects)
        return Marks(
            np.fromiter((rows[a.image_id] for a in objects), np.int64, count),
            np.fromiter((index[a.category_id] for a in objects), np.int64, count),
            np.fromiter((a.area for a in objects), np.float64, count),
            np.fromiter((a.iscrowd for a in objects), np.bool_, count),
            np.full(count, np.nan),
            np.arange(count),
        )

    def _found(self, split: int) -> Marks:
        results, rows = self.splits[split].results or Results.empty(), self._rows[split]
        index, count = self._category_index[split], len(results)
        return Marks(
            np.fromiter((rows[i] for i in results.image_ids.tolist()), np.int64, count),
            np.fromiter((index[c] for c in results.category_ids.tolist()), np.int64, count),
            self._boxes[split][:, 2] * self._boxes[split][:, 3],
            np.zeros(count, bool),
            results.scores,
            np.arange(count),
        )


def _boxes(results: Results | None) -> npt.NDArray[np.float64]:
    if results is None:
        return np.zeros((0, 4))
    return masks.boxes(results.rles or ()) if results.boxes_xywh is None else results.boxes_xywh


def _joined(parts: Sequence[Marks]) -> Marks:
    return Marks(
        np.concatenate([np.zeros(0, np.int64), *(p.row for p in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(p.category for p in parts)]),
        np.concatenate([np.zeros(0), *(p.area for p in parts)]),
        np.concatenate([np.zeros(0, bool), *(p.crowd for p in parts)]),
        np.concatenate([np.zeros(0), *(p.score for p in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(p.order for p in parts)]),
    )
