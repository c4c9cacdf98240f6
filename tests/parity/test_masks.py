"""Masks against pycocotools, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as reference

from amidst.coco import Rle, masks

RNG = np.random.default_rng(7)


def as_dicts(rles: list[Rle]) -> list[dict[str, object]]:
    return [{"size": list(rle.size), "counts": str(rle.counts).encode()} for rle in rles]


@pytest.mark.filterwarnings("ignore:__array__")  # the reference's decode, on numpy 2
def test_encoding_area_box_overlap() -> None:
    for _ in range(20):
        height, width = RNG.integers(1, 60, 2)
        stack = RNG.random((8, height, width)) < RNG.random()
        rles = masks.encode(stack)
        theirs = reference.encode(np.asfortranarray(stack.transpose(1, 2, 0).astype(np.uint8)))
        assert [rle.counts for rle in rles] == [rle["counts"].decode() for rle in theirs]
        assert masks.area(rles).tolist() == reference.area(theirs).tolist()
        assert masks.boxes(rles).tolist() == reference.toBbox(theirs).tolist()
        assert (masks.decode(rles) == reference.decode(theirs).transpose(2, 0, 1)).all()
        crowd = RNG.random(8) < 0.3
        assert (masks.iou(rles, rles, crowd) == reference.iou(theirs, theirs, crowd.tolist())).all()
        for intersect in (False, True):
            merged = masks.merge(rles, intersect=intersect)
            assert merged.counts == reference.merge(theirs, intersect)["counts"].decode()


def test_polygons() -> None:
    for _ in range(500):
        height, width = (int(v) for v in RNG.integers(1, 50, 2))
        parts = [
            RNG.uniform(-10, 60, 2 * RNG.integers(3, 12)).round(RNG.integers(0, 3)).tolist()
            for _ in range(RNG.integers(1, 4))
        ]
        theirs = reference.merge(reference.frPyObjects(parts, height, width))
        assert masks.from_polygons(parts, (height, width)).counts == theirs["counts"].decode()


def test_boxes() -> None:
    found, given = RNG.uniform(0, 50, (60, 4)), RNG.uniform(0, 50, (40, 4)).round()
    crowd = RNG.random(40) < 0.3
    assert (masks.box_iou(found, given, crowd) == reference.iou(found, given, crowd.tolist())).all()
    for box in found[:20].tolist():
        (theirs,) = reference.frPyObjects(np.array([box]), 70, 90)
        assert masks.from_box(box, (70, 90)).counts == theirs["counts"].decode()


def test_long_runs() -> None:
    """Counts of many characters, and negative differences between them."""
    for _ in range(50):
        cuts = np.sort(RNG.choice(np.arange(1, 3_000_000), 20, replace=False))
        runs = np.diff([0, *cuts.tolist(), 3_000_000]).tolist()
        theirs = reference.frPyObjects({"size": [3000, 1000], "counts": runs}, 3000, 1000)
        ours = masks.compress(Rle((3000, 1000), tuple(runs)))
        assert ours.counts == theirs["counts"].decode()
        assert masks.counts(ours) == tuple(runs)
