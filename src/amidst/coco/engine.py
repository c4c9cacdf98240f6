"""The COCO engine: the one file that knows which library does COCO's arithmetic on masks and curves.

`ultrafast-pycocotools` does the work; `pycocotools`, the reference, can be chosen for evaluation in its
place (extra `reference`). docs/decisions.md, "COCO engine", gives the reason and the figures. Everything
here speaks the libraries' own types: RLE dicts {"size": [h, w], "counts": bytes}, boxes (N, 4) as x, y,
width, height, and dicts of the COCO files. Callers use `coco.masks` and `evaluation.detection` instead.

D detections, G ground truths; curves are T x R x K x A x M (thresholds, recalls, categories, areas, max.
detections).
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import ultrafast_pycocotools as fast  # type: ignore[import-untyped]
from ultrafast_pycocotools import _detection_metrics as fast_outcomes
from ultrafast_pycocotools import mask as fast_mask

from amidst.errors import MissingExtra

EngineName = Literal["fast", "pycocotools"]
RleDict = dict[str, Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curves:
    """What the engine returns; cells without ground truth hold -1.

    precision, scores: (T, R, K, A, M), at each recall threshold. recall: (T, K, A, M), the highest reached.
    """

    precision: Floats
    recall: Floats
    scores: Floats


class Unplain(Exception):  # noqa: N818
    """Files that the engine cannot take as they are: read record by record to know why, or to manage."""


def curves(
    ground_truth: dict[str, Any] | Path,
    detections: list[dict[str, Any]] | Floats | Path,
    *,
    kind: Literal["bbox", "segm"],
    iou_thresholds: Sequence[float],
    recall_thresholds: Sequence[float],
    area_ranges: Sequence[tuple[float, float]],
    max_dets: Sequence[int],
    use_categories: bool,
    engine: EngineName = "fast",
) -> Curves:
    """Matches detections to ground truth and accumulates the curves, over all images and categories.

    ground_truth: a dataset file or its content. detections: a results file, its records, or an array (N, 7)
    of image id, x, y, width, height, score, category id. Raises Unplain if files were given and are not a
    plain dataset with plain detections, each with a box; MissingExtra if the reference is wanted and not
    installed.
    """
    if engine == "fast":
        truth, found = _load_fast(ground_truth, detections)
        evaluator = fast.COCOeval(truth, found, kind, print_function=_say_nothing)
    else:
        handle, reference_evaluator = _reference()
        truth, found = _load_reference(handle, ground_truth, detections)
        evaluator = reference_evaluator(truth, found, kind)
    _set(evaluator.params, iou_thresholds, recall_thresholds, area_ranges, max_dets)
    evaluator.params.useCats = int(use_categories)
    try:
        with _quiet(engine != "fast"):
            evaluator.evaluate()
            evaluator.accumulate()
    except _LOADING_ERRORS as error:
        if isinstance(detections, Path):
            raise Unplain(str(error)) from error
        raise
    result = evaluator.eval
    return Curves(*(np.asarray(result[name], dtype=np.float64) for name in ("precision", "recall", "scores")))


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of each detection; D of them by category, then image, then descending score.

    class_index (D,): of the category, in order of id. image_ids (D,). scores (D,). hits, counted (A, D, T):
    it found an object; it is a hit or a false alarm, not ignored. objects (A, K): how many can be found.
    """

    class_index: npt.NDArray[np.int64]
    image_ids: npt.NDArray[np.int64]
    scores: Floats
    hits: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]
    objects: npt.NDArray[np.int64]


def outcomes(
    ground_truth: dict[str, Any],
    detections: list[dict[str, Any]] | Floats,
    *,
    kind: Literal["bbox", "segm"],
    iou_thresholds: Sequence[float],
    area_ranges: Sequence[tuple[float, float]],
    max_dets: int,
) -> Outcomes:
    """Matches detections to ground truth, as `curves` does, without accumulating.

    At most `max_dets` detections of one category in one image are kept.
    """
    truth, found = _load_fast(ground_truth, detections)
    evaluator = fast.COCOeval(truth, found, kind, print_function=_say_nothing)
    _set(evaluator.params, iou_thresholds, [0.0], area_ranges, [max_dets])
    evaluator.evaluate()
    by_area = [evaluator._engine.outcomes(index, max_dets) for index in range(len(area_ranges))]
    codes = np.stack([area["outcome"] for area in by_area])
    return Outcomes(
        by_area[0]["cat_slot"].astype(np.int64),
        by_area[0]["image_id"],
        by_area[0]["score"],
        codes == fast_outcomes.TRUE_POSITIVE,
        codes != fast_outcomes.IGNORED,
        np.stack([area["npig"].astype(np.int64) for area in by_area]),
    )


def _set(
    params: Any,
    iou_thresholds: Sequence[float],
    recall_thresholds: Sequence[float],
    area_ranges: Sequence[tuple[float, float]],
    max_dets: Sequence[int],
) -> None:
    params.iouThrs = np.asarray(iou_thresholds, dtype=np.float64)
    params.recThrs = np.asarray(recall_thresholds, dtype=np.float64)
    params.areaRng = [list(bounds) for bounds in area_ranges]
    params.areaRngLbl = [str(index) for index in range(len(area_ranges))]
    params.maxDets = sorted(max_dets)


_LOADING_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    AssertionError,
    ArithmeticError,
    AttributeError,
    OSError,
)


def _load_fast(truth: dict[str, Any] | Path, found: list[dict[str, Any]] | Floats | Path) -> tuple[Any, Any]:
    """Handles of both sides."""
    if not isinstance(found, Path):
        dataset = fast.COCO(truth, verbose=False)
        with _quiet(isinstance(found, np.ndarray)):
            return dataset, dataset.loadRes(found)
    try:
        dataset = fast.COCO(str(truth), verbose=False)
        results = dataset.loadRes(str(found))
        # Both loaders keep a compact form only if every record has a whole box of finite numbers, and the
        # dataset no id twice; what they take in other ways they do not check, nor that there are scores.
        if dataset._compact is None or results._compact is None:
            raise Unplain("not plain boxes")
        text = found.read_bytes()
        if text.count(b'"score"') != results._compact.annotation_count or b"null" in text:
            raise Unplain("a detection without a score")
    except _LOADING_ERRORS as error:
        raise Unplain(str(error)) from error
    return dataset, results


def _reference() -> tuple[Any, Any]:
    """The classes COCO and COCOeval of the reference, which is an optional dependency."""
    try:
        from pycocotools import coco, cocoeval  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("pycocotools", "reference") from None
    return coco.COCO, cocoeval.COCOeval


def _load_reference(
    handle: Any, truth: dict[str, Any] | Path, found: list[dict[str, Any]] | Floats | Path
) -> tuple[Any, Any]:
    """Handles of both sides, in the reference's class."""
    if isinstance(truth, Path) or isinstance(found, Path):
        raise Unplain("the reference is given records")
    with _quiet(True):
        dataset = handle()
        dataset.dataset = truth
        dataset.createIndex()
        if len(found):
            return dataset, dataset.loadRes(found)
        results = handle()  # its loadRes fails on an empty list
        results.dataset = truth | {"annotations": []}
        results.createIndex()
        return dataset, results


_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    """Drops what a library prints. Standard output belongs to the whole process, hence the lock."""
    if not wanted:
        yield
        return
    with _ONE_AT_A_TIME, redirect_stdout(io.StringIO()):
        yield


def _say_nothing(_: str) -> None:
    """For a library that asks where to print."""


# ---------------------------------------------------------------- masks


def encode(stack: npt.NDArray[np.uint8]) -> list[RleDict]:
    """(H, W, N) of 0 and 1 to N compressed RLEs."""
    rles: list[RleDict] = fast_mask.encode(np.asfortranarray(stack))
    return rles


def decode(rles: list[RleDict]) -> npt.NDArray[np.uint8]:
    """N RLEs of one size to (H, W, N) of 0 and 1, in Fortran order."""
    stack: npt.NDArray[np.uint8] = fast_mask.decode(rles)
    return stack


def area(rles: list[RleDict]) -> npt.NDArray[np.int64]:
    """Pixels set, (N,)."""
    return np.asarray(fast_mask.area(rles), dtype=np.int64)


def tight_boxes(rles: list[RleDict]) -> Floats:
    """Smallest boxes around the pixels, (N, 4) xywh; zeros for an empty mask."""
    return np.asarray(fast_mask.toBbox(rles), dtype=np.float64).reshape(-1, 4)


def merge(rles: list[RleDict], intersect: bool) -> RleDict:
    """Union or intersection of at least one RLE."""
    merged: RleDict = fast_mask.merge(rles, intersect)
    return merged


def from_polygons(parts: list[list[float]], height: int, width: int) -> list[RleDict]:
    """Each polygon part rasterised on its own."""
    rles: list[RleDict] = fast_mask.frPyObjects(parts, height, width)
    return rles


def from_counts(counts: Sequence[int], height: int, width: int) -> RleDict:
    """Uncompressed run lengths, compressed."""
    rle: RleDict = fast_mask.frPyObjects({"size": [height, width], "counts": list(counts)}, height, width)
    return rle


def mask_iou(detections: list[RleDict], truths: list[RleDict], crowd: npt.NDArray[np.uint8]) -> Floats:
    """(D, G), with the crowd rule."""
    return _matrix(fast_mask.iou(detections, truths, crowd), len(detections), len(truths))


def box_iou(detections: Floats, truths: Floats, crowd: npt.NDArray[np.uint8]) -> Floats:
    """(D, G) of boxes xywh, with the crowd rule."""
    return _matrix(fast_mask.iou(detections, truths, crowd), len(detections), len(truths))


def _matrix(values: object, rows: int, columns: int) -> Floats:
    """The library gives [] where a side is empty."""
    return np.asarray(values, dtype=np.float64).reshape(rows, columns)
