"""Run-length masks: pixels, polygons, areas, boxes, overlaps.

A mask of H rows and W columns is read down each column, then the next column; its `counts` are the lengths
of the runs, zeros first. The compressed form packs each count, from the fourth on as the difference to the
last but one, into groups of five bits. Functions take and return `records.Rle`; those on many masks take a
sequence, which may be empty. N masks, D detections, G ground truths; boxes are x, y, width, height in
pixels.

Polygons are filled by the even-odd rule on a grid five times finer than the pixels, each part by itself,
and the object is the union of its parts: a hole cannot be written as a part, it has to be drawn as one
outline that runs into the hole and back, or kept as an RLE. Vertices outside the image are cut off.

Source: maskApi.c and mask.py of the COCO API.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from amidst.coco import engine
from amidst.coco.records import Polygons, Rle, Segmentation
from amidst.errors import DataError

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.uint8]


def encode(masks: npt.NDArray[np.bool_] | Mask) -> list[Rle]:
    """(N, H, W) of zero and non-zero to N compressed RLEs. Raises DataError for another shape."""
    stack = np.asarray(masks)
    if stack.ndim != 3:
        raise DataError(f"expected masks (N, H, W), got shape {stack.shape}", rule="mask-shape")
    if not stack.size:
        return [Rle((stack.shape[1], stack.shape[2]), "0")] * len(stack)
    binary = (stack != 0).astype(np.uint8)
    return [_from_dict(rle) for rle in engine.encode(binary.transpose(1, 2, 0))]


def decode(rles: Sequence[Rle], size_hw: tuple[int, int] | None = None) -> Mask:
    """N masks of one size to (N, H, W) of 0 and 1, C-contiguous.

    size_hw: their size, needed to decode an empty sequence. Raises DataError if the sizes differ or the
    counts of a mask do not fill it.
    """
    sizes = {rle.size for rle in rles} | ({size_hw} if size_hw is not None else set())
    if len(sizes) != 1:
        raise DataError(f"expected masks of one size, got {sorted(sizes)}", rule="mask-size")
    ((height, width),) = sizes
    if not rles or not height * width:
        return np.zeros((len(rles), height, width), dtype=np.uint8)
    for rle in rles:
        check(rle)
    return np.ascontiguousarray(engine.decode([_to_dict(rle) for rle in rles]).transpose(2, 0, 1))


def from_segmentation(segmentation: Segmentation, size_hw: tuple[int, int]) -> Rle:
    """The compressed RLE of an annotation's mask in an image of this size.

    Raises DataError for an RLE of another size or whose counts do not fill it, and for polygons as
    `from_polygons`.
    """
    if not isinstance(segmentation, Rle):
        return from_polygons(segmentation, size_hw)
    if segmentation.size != tuple(size_hw):
        raise DataError(
            f"the RLE is {segmentation.size[0]}x{segmentation.size[1]} (height x width), "
            f"its image {size_hw[0]}x{size_hw[1]}",
            rule="mask-size",
        )
    check(segmentation)
    return compress(segmentation)


def from_polygons(polygons: Polygons | Sequence[Sequence[float]], size_hw: tuple[int, int]) -> Rle:
    """The union of the parts, rasterised.

    Raises DataError if a part has fewer than three vertices, an odd number of coordinates, or a number that
    is not finite or too large.
    """
    parts = [list(part) for part in polygons]
    for part in parts:
        if len(part) < 6 or len(part) % 2:
            raise DataError(
                f"a polygon needs at least 3 x, y pairs, got {len(part)} numbers", rule="bad-polygon"
            )
        if not np.abs(np.asarray(part, dtype=np.float64)).max() < 1e8:  # also refuses NaN
            raise DataError("a polygon has a coordinate that is not finite or too large", rule="bad-polygon")
    if not parts:
        return empty(size_hw)
    rles = engine.from_polygons(parts, *size_hw)
    return _from_dict(rles[0] if len(rles) == 1 else engine.merge(rles, False))


def from_box(box_xywh: Sequence[float], size_hw: tuple[int, int]) -> Rle:
    """A box, rasterised as the polygon of its corners."""
    x, y, width, height = (float(value) for value in box_xywh)
    return from_polygons([[x, y, x, y + height, x + width, y + height, x + width, y]], size_hw)


def empty(size_hw: tuple[int, int]) -> Rle:
    """A mask without any pixel set."""
    return _from_dict(engine.from_counts([size_hw[0] * size_hw[1]], *size_hw))


def compress(rle: Rle) -> Rle:
    """The same mask with its counts as text."""
    return rle if isinstance(rle.counts, str) else _from_dict(engine.from_counts(rle.counts, *rle.size))


def counts(rle: Rle) -> tuple[int, ...]:
    """Run lengths, zeros first. Raises DataError for text that is not made of COCO's characters."""
    if not isinstance(rle.counts, str):
        return rle.counts
    runs: list[int] = []
    value = shift = 0
    for code in rle.counts.encode("utf-8"):
        group = code - 48
        if not 0 <= group < 64:
            raise DataError(f"character {chr(code)!r} does not belong in an RLE", rule="bad-rle")
        value |= (group & 31) << shift
        shift += 5
        if group & 32:
            continue
        if group & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise DataError("the RLE ends in the middle of a count", rule="bad-rle")
    return tuple(runs)


def check(rle: Rle) -> None:
    """Raises DataError unless the counts are non-negative and fill the mask exactly."""
    height, width = rle.size
    runs = counts(rle)
    if height < 0 or width < 0 or sum(runs) != height * width or min(runs, default=0) < 0:
        raise DataError(
            f"the counts of the RLE sum to {sum(runs)}, its size is {height}x{width} = {height * width}",
            rule="bad-rle",
        )


def area(rles: Sequence[Rle]) -> npt.NDArray[np.int64]:
    """Pixels set, (N,)."""
    return engine.area([_to_dict(rle) for rle in rles])


def boxes(rles: Sequence[Rle]) -> Floats:
    """Tight boxes (N, 4); zeros for an empty mask."""
    return engine.tight_boxes([_to_dict(rle) for rle in rles])


def merge(rles: Sequence[Rle], *, intersect: bool = False) -> Rle:
    """Union, or intersection, of masks of one size. Raises DataError if there is none or the sizes differ."""
    sizes = {rle.size for rle in rles}
    if len(sizes) != 1:
        raise DataError(f"expected masks of one size, got {sorted(sizes)}", rule="mask-size")
    return _from_dict(engine.merge([_to_dict(rle) for rle in rles], intersect))


def iou(detections: Sequence[Rle], truths: Sequence[Rle], crowd: npt.ArrayLike | None = None) -> Floats:
    """Overlap of every detection with every ground truth, (D, G).

    Intersection over union; where `crowd` (G,) is set, over the area of the detection alone. Raises
    DataError if the sizes differ.
    """
    if len({rle.size for rle in (*detections, *truths)}) > 1:
        raise DataError("masks of different sizes have no overlap", rule="mask-size")
    return engine.mask_iou(
        [_to_dict(rle) for rle in detections], [_to_dict(rle) for rle in truths], _crowd(crowd, len(truths))
    )


def box_iou(detections: npt.ArrayLike, truths: npt.ArrayLike, crowd: npt.ArrayLike | None = None) -> Floats:
    """The same of boxes (D, 4) and (G, 4)."""
    found, given = _boxes(detections), _boxes(truths)
    return engine.box_iou(found, given, _crowd(crowd, len(given)))


def nms(rles: Sequence[Rle], threshold: float) -> npt.NDArray[np.int64]:
    """Greedy suppression in the given order: indices of the masks that overlap no kept one by more."""
    overlap = iou(rles, rles)
    alive = np.ones(len(rles), dtype=bool)
    for index in range(len(rles)):
        if alive[index]:
            alive[index + 1 :] &= overlap[index, index + 1 :] <= threshold
    return np.flatnonzero(alive)


def _to_dict(rle: Rle) -> engine.RleDict:
    text = compress(rle).counts
    return {"size": list(rle.size), "counts": text}


def _from_dict(rle: engine.RleDict) -> Rle:
    height, width = rle["size"]
    return Rle((int(height), int(width)), rle["counts"].decode("ascii"))


def _crowd(flags: npt.ArrayLike | None, number: int) -> npt.NDArray[np.uint8]:
    if flags is None:
        return np.zeros(number, dtype=np.uint8)
    return np.asarray(flags, dtype=bool).astype(np.uint8).reshape(number)


def _boxes(values: npt.ArrayLike) -> Floats:
    return np.ascontiguousarray(np.asarray(values, dtype=np.float64).reshape(-1, 4))
