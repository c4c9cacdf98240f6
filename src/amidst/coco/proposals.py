"""Proposals: scored boxes or masks of whatever is an object, from any generator.

A proposal file is a COCO results file; the category of its records (1, where a generator follows the custom)
means nothing. It serves two ends: to be scored (`read_proposals`, which keeps everything as it stands), and
to tell a detector where to look (`Proposals`, boxes by image, clipped to the image). P proposals of an image,
N of all I images.

What is refused, naming file and record: an unknown image; no score, or one that is no number; no box and no
mask; a box without area or wholly outside its image; a mask of another size than its image; more than 10,000
proposals in one image. What is not: images without proposals, and files without any.

Source: thesis §3.5; spec B.3, F.4; the COCO results format.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from amidst.coco import masks, parsing
from amidst.coco.bulk import collection_paused
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Box, Rle
from amidst.coco.results import Results
from amidst.coco.stream import stream_records
from amidst.errors import DataError

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

AGNOSTIC_ID = 1
"""The category id of a proposal."""

MAX_PER_IMAGE = 10_000

logger = logging.getLogger(__name__)


class _Proposal(msgspec.Struct, gc=False):
    image_id: parsing.Id
    score: float
    category_id: parsing.Id = AGNOSTIC_ID
    bbox: Box | None = None
    segmentation: Rle | None = None


class _Masked(msgspec.Struct, gc=False):
    segmentation: Rle | None = None


@dataclass(frozen=True, eq=False)
class Proposals:
    """Boxes by image, in each by descending score: read-only columns.

    image_ids: (I,) int64, ascending, every image of the dataset. offsets: (I + 1,), the proposals of the
    image at index i are rows offsets[i] to offsets[i + 1]. boxes_xywh: (N, 4) float64 in image pixels,
    inside the image. scores: (N,) float32.
    """

    image_ids: Ids
    boxes_xywh: Floats
    scores: Singles
    offsets: Ids

    def __post_init__(self) -> None:
        for column in (self.image_ids, self.boxes_xywh, self.scores, self.offsets):
            column.flags.writeable = False

    def __len__(self) -> int:
        return len(self.scores)

    def of(self, image_id: int, n: int | None = None) -> tuple[Singles, Singles]:
        """The n best proposals of an image (or all): boxes_xyxy (P, 4) and scores (P,), both float32.

        Equal scores stand as in `image_order`. Raises DataError for an image that the dataset lacks.
        """
        index = int(np.searchsorted(self.image_ids, image_id))
        if index == len(self.image_ids) or self.image_ids[index] != image_id:
            raise DataError(f"image {image_id} does not exist", rule="unknown-image")
        start, stop = self.offsets[index : index + 2].tolist()
        rows = slice(start, stop if n is None else min(stop, start + max(n, 0)))
        boxes = self.boxes_xywh[rows]
        corners = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
        return corners.astype(np.float32), self.scores[rows].copy()

    @classmethod
    def load(cls, path: str | Path, dataset: CocoDataset, *, limit: int | None = None) -> Proposals:
        """From a results file; of records with masks alone the tight boxes. Boxes are clipped to the images.

        limit: keep so many of each image, the best; an image may then bring more than 10,000. Raises
        UsageError if the file cannot be opened, DataError (file, record, rule) for what is refused.
        """
        most = MAX_PER_IMAGE if limit is None else None
        results = read_proposals(path, dataset, keep_masks=False, max_per_image=most)
        return cls._of_checked(results, _Frames.of(dataset), limit)

    @classmethod
    def from_results(cls, results: Results, dataset: CocoDataset, *, limit: int | None = None) -> Proposals:
        """The same from memory."""
        frames, most = _Frames.of(dataset), MAX_PER_IMAGE if limit is None else None
        if results.boxes_xywh is None:
            results = replace(results, boxes_xywh=masks.boxes(results.rles or ()))
        frames.check(results, results.rles or (), begun=0)
        _count(results.image_ids, frames, np.zeros_like(frames.ids), most, begun=0)
        return cls._of_checked(results, frames, limit)

    @classmethod
    def _of_checked(cls, results: Results, frames: _Frames, limit: int | None) -> Proposals:
        order, offsets = image_order(results, frames.ids)
        if limit is not None:
            number = np.diff(offsets)
            rank = np.arange(len(order)) - np.repeat(offsets[:-1], number)
            order, offsets = order[rank < limit], np.append(0, np.cumsum(np.minimum(number, limit)))
        assert results.boxes_xywh is not None  # both callers see to it
        low, high = frames.clipped(results.image_ids[order], results.boxes_xywh[order])
        inside = np.concatenate((low, high - low), axis=1)
        return cls(frames.ids.copy(), inside, results.scores[order].astype(np.float32), offsets)


def read_proposals(
    path: str | Path,
    dataset: CocoDataset,
    *,
    keep_masks: bool = True,
    max_per_image: int | None = MAX_PER_IMAGE,
) -> Results:
    """The proposals of a results file, checked, boxes as they stand there.

    Records without "bbox" get the tight boxes of their masks. Masks are kept if every record has one and
    keep_masks is set. The file is read in parts, so that little more than the columns is in memory. Raises
    UsageError if the file cannot be opened, DataError (file, record, rule) for what is refused.
    """
    file, frames = Path(path), _Frames.of(dataset)
    seen = np.zeros_like(frames.ids)
    parts: list[Results] = []
    try:
        with collection_paused():
            for begun, records in stream_records(file, _Proposal, "proposal"):
                part = _part(records, begun)
                frames.check(part, [record.segmentation for record in records], begun)
                _count(part.image_ids, frames, seen, max_per_image, begun)
                parts.append(part if keep_masks else replace(part, rles=None))
    except DataError as error:
        raise DataError(error.problem, file=file, record=error.record, rule=error.rule) from None
    if any(part.rles is None for part in parts):
        parts = [replace(part, rles=None) for part in parts]
    results = Results.concatenate(parts)
    others = np.setdiff1d(results.category_ids, [AGNOSTIC_ID])
    if len(others):
        which = f"category {others[0]} is" if len(others) == 1 else f"{len(others)} categories are"
        logger.warning("%s: proposals are of no category; %s not looked at", file, which)
    return results


def has_masks(path: str | Path) -> bool | None:
    """Whether every proposal of a file has a mask; None for a file without proposals.

    Raises as `read_proposals`, for a file that is no list of records.
    """
    found: bool | None = None
    for _, records in stream_records(Path(path), _Masked, "proposal"):
        if any(record.segmentation is None for record in records):
            return False
        found = found or bool(records) or None
    return found


def image_order(results: Results, image_ids: Ids) -> tuple[Ids, Ids]:
    """Rows by image and descending score, and where each image begins.

    Of equal scores the smaller category id comes first, then the earlier record, as in COCO's evaluation.
    image_ids: (I,) ascending, all that the results name. Returns (N,), and offsets (I + 1,): the rows of the
    image at index i are `order[offsets[i]:offsets[i + 1]]`.
    """
    keys: tuple[npt.NDArray[np.int64 | np.float64], ...] = (-results.scores, results.image_ids)
    if len(results) and (results.category_ids != results.category_ids[0]).any():
        keys = (results.category_ids, *keys)
    order = np.lexsort(keys)
    ends = np.searchsorted(results.image_ids[order], image_ids, side="right")
    return order, np.append(0, ends)


def _part(records: Sequence[_Proposal], begun: int) -> Results:
    """Records as columns; with masks if every record has one. begun: the index of the first record."""
    boxes = [record.bbox for record in records]
    rles = [record.segmentation for record in records]
    found = tuple(rle for rle in rles if rle is not None) if rles.count(None) < len(rles) else ()
    if any(not isinstance(rle.counts, str) for rle in found):
        _check_numbers(rles, begun)
    if None in boxes:
        bare = [row for row, box in enumerate(boxes) if box is None]
        missing = next((row for row in bare if rles[row] is None), None)
        if missing is not None:
            raise _at(begun + missing, "has neither bbox nor segmentation", "missing-field")
        tight = masks.boxes([rle for row in bare if (rle := rles[row]) is not None])
        for row, box in zip(bare, tight.tolist(), strict=True):
            boxes[row] = box
    return Results(
        np.array([record.image_id for record in records], np.int64),
        np.array([record.category_id for record in records], np.int64),
        np.array([record.score for record in records], np.float64),
        np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4),  # type: ignore[arg-type]
        found if records and len(found) == len(records) else None,
    )


def _check_numbers(rles: Sequence[Rle | None], begun: int) -> None:
    """Raises DataError for counts, given as numbers, that do not fill their mask, unseen by the engine."""
    for row, rle in enumerate(rles):
        if rle is not None and not isinstance(rle.counts, str):
            try:
                masks.check(rle)
            except DataError as error:
                raise _at(begun + row, error.problem, error.rule) from None


def _at(index: int, problem: str, rule: str) -> DataError:
    return DataError(problem, record=f"proposal at index {index}", rule=rule)


@dataclass(frozen=True, eq=False)
class _Frames:
    """The images that proposals have to lie in, by ascending id."""

    ids: Ids
    sizes_wh: Floats

    @classmethod
    def of(cls, dataset: CocoDataset) -> _Frames:
        images = sorted(dataset.images, key=lambda image: image.id)
        sizes = np.array([(image.width, image.height) for image in images], np.float64)
        ids = np.array([image.id for image in images], np.int64)
        return cls(ids, sizes.reshape(-1, 2))

    def clipped(self, image_ids: Ids, boxes_xywh: Floats) -> tuple[Floats, Floats]:
        """Corners x1, y1 and x2, y2 of boxes in these images, cut off at the border: (N, 2) each."""
        sizes = self.sizes_wh[np.searchsorted(self.ids, image_ids)]
        low, high = boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]
        return np.clip(low, 0, sizes), np.clip(high, 0, sizes)

    def check(self, found: Results, rles: Sequence[Rle | None], begun: int) -> None:
        """Raises DataError for the first proposal that is refused.

        rles: the mask of each that has one, which `found` may lack. begun: the index of the first.
        """
        image_ids, boxes_xywh = found.image_ids, found.boxes_xywh
        if boxes_xywh is None:
            boxes_xywh = masks.boxes(found.rles or ())

        def refuse(which: npt.ArrayLike, rule: str, problem: str) -> None:
            if np.any(which):
                row = int(np.argmax(which))
                box = [round(v, 3) for v in boxes_xywh[row].tolist()]
                text = problem.format(image=image_ids[row], box=box)
                raise _at(begun + row, text, rule)

        unknown = ~np.isin(image_ids, self.ids)
        refuse(unknown, "unknown-image", "image {image} does not exist in the dataset")
        refuse((boxes_xywh[:, 2:] <= 0).any(axis=1), "zero-size", "the box {box} (x, y, w, h) has no area")
        low, high = self.clipped(image_ids, boxes_xywh)
        outside = (high.astype(np.float32) <= low.astype(np.float32)).any(axis=1)
        refuse(outside, "outside-image", "the box {box} (x, y, w, h) lies outside image {image}")
        sizes = {row: rle.size for row, rle in enumerate(rles) if rle is not None}
        if sizes:
            wrong, rows = np.zeros(len(found), bool), list(sizes)
            sizes_wh = np.array(list(sizes.values()))[:, ::-1]
            expected_wh = self.sizes_wh[np.searchsorted(self.ids, image_ids[rows])]
            wrong[rows] = (sizes_wh != expected_wh).any(axis=1)
            refuse(wrong, "mask-size", "the mask is not of the size of image {image}")


def _count(image_ids: Ids, frames: _Frames, seen: Ids, most: int | None, begun: int) -> None:
    """Adds proposals to those seen of each image (I,); raises DataError at the first beyond the most."""
    place = np.searchsorted(frames.ids, image_ids)
    before = seen.copy()
    seen += np.bincount(place, minlength=len(seen))
    if most is None or not (seen > most).any():
        return
    index = int(np.argmax(seen > most))
    row = int(np.flatnonzero(place == index)[most - before[index]])
    problem = f"image {frames.ids[index]} has more than {most:,} proposals; keep the best ones"
    raise _at(begun + row, problem, "too-many")
