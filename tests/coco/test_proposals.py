"""Proposals of files: what is refused, what is legal, and the boxes of each image in order."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.coco import CocoDataset, Image, Results, masks
from amidst.coco.proposals import MAX_PER_IMAGE, Proposals, has_masks, image_order, read_proposals
from amidst.errors import DataError, UsageError

DATASET = CocoDataset((Image(7, 40, 30, "a"), Image(0, 20, 20, "b"), Image(9, 10, 10, "c")))


def record(image_id: int = 7, score: Any = 0.5, bbox: Any = (1, 2, 3, 4), **more: Any) -> dict[str, Any]:
    made = {"image_id": image_id, "category_id": 1, "bbox": bbox, "score": score, **more}
    return {key: value for key, value in made.items() if value is not None}


def rle_of(rows: slice, columns: slice, size_hw: tuple[int, int] = (30, 40)) -> dict[str, Any]:
    mask = np.zeros((1, *size_hw), np.uint8)
    mask[0, rows, columns] = 1
    return {"size": size_hw, "counts": masks.encode(mask)[0].counts}


def written(folder: Path, records: list[dict[str, Any]]) -> Path:
    (folder / "p.json").write_text(json.dumps(records))
    return folder / "p.json"


def test_no_proposals_at_all_are_legal(tmp_path: Path) -> None:
    for proposals in (
        Proposals.load(written(tmp_path, []), DATASET),
        Proposals.from_results(Results.empty(), DATASET),
        Proposals.from_results(Results.empty(), DATASET, limit=5),
    ):
        assert len(proposals) == 0
        boxes, scores = proposals.of(7)
        assert (boxes.shape, scores.shape, boxes.dtype, scores.dtype) == (
            (0, 4),
            (0,),
            np.float32,
            np.float32,
        )
    assert len(Proposals.from_results(Results.empty(), CocoDataset())) == 0


def test_boxes_by_image_and_descending_score_clipped(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        [
            record(7, 0.2, (0, 0, 5, 5)),
            record(0, 0.9, (15, -5, 10, 10)),
            record(7, 0.8, (-10, -10, 100, 100)),
            record(7, 0.2, (1, 1, 5, 5)),
        ],
    )
    proposals = Proposals.load(path, DATASET)
    assert proposals.image_ids.tolist() == [0, 7, 9]
    assert proposals.offsets.tolist() == [0, 1, 4, 4]
    boxes, scores = proposals.of(7)
    assert boxes.tolist() == [[0, 0, 40, 30], [0, 0, 5, 5], [1, 1, 6, 6]]
    assert scores.tolist() == pytest.approx([0.8, 0.2, 0.2])
    assert proposals.of(0)[0].tolist() == [[15, 0, 20, 5]]
    assert proposals.of(9)[0].shape == (0, 4)
    assert [len(proposals.of(7, n)[0]) for n in (0, 2, 99)] == [0, 2, 3]
    limited = Proposals.load(path, DATASET, limit=2)
    assert limited.offsets.tolist() == [0, 1, 3, 3]
    assert limited.of(7)[0].tolist() == boxes[:2].tolist()
    assert limited.of(9)[0].shape == (0, 4)
    with pytest.raises(DataError, match="image 8 does not exist"):
        proposals.of(8)
    with pytest.raises(ValueError, match="read-only"):
        proposals.boxes_xywh[0] = 0


def test_masks_give_tight_boxes_where_there_is_no_box(tmp_path: Path) -> None:
    mask = rle_of(slice(4, 10), slice(2, 5))
    path = written(tmp_path, [record(bbox=None, segmentation=mask), record(segmentation=mask)])
    results = read_proposals(path, DATASET)
    assert results.boxes_xywh is not None
    assert results.boxes_xywh.tolist() == [[2, 4, 3, 6], [1, 2, 3, 4]]
    assert results.rles is not None
    assert len(results.rles) == 2
    assert read_proposals(path, DATASET, keep_masks=False).rles is None
    assert Proposals.load(path, DATASET).of(7, 1)[0].tolist() == [[2, 4, 5, 10]]
    only_masks = Results(results.image_ids, results.category_ids, results.scores, None, results.rles)
    assert Proposals.from_results(only_masks, DATASET).of(7, 1)[0].tolist() == [[2, 4, 5, 10]]
    some = read_proposals(written(tmp_path, [record(segmentation=mask), record()]), DATASET)
    assert some.rles is None  # not every record has one


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (record(5), r"image 5 does not exist in the dataset \[unknown-image\]"),
        (record(10), r"image 10 does not exist"),
        (record(score=None), r"missing required field `score` \[missing-field\]"),
        (record(score="high"), r"score: Expected `float`, got `str`"),
        (record(bbox=None), r"has neither bbox nor segmentation \[missing-field\]"),
        (
            record(bbox=(1, 2, 0, 4)),
            r"the box \[1.0, 2.0, 0.0, 4.0\] \(x, y, w, h\) has no area \[zero-size\]",
        ),
        (record(bbox=(5, 5, -2, 4)), r"has no area"),
        (record(bbox=(40, 2, 3, 4)), r"lies outside image 7 \[outside-image\]"),
        (record(bbox=(-5, 2, 5, 4)), r"lies outside image 7"),
        (record(bbox=(39.9999999, 2, 5, 4)), r"lies outside image 7"),  # nothing is left in float32
        (record(bbox=None, segmentation=rle_of(slice(0), slice(0))), r"has no area"),
        (
            record(segmentation=rle_of(slice(4), slice(4), (40, 30))),
            r"not of the size of image 7 \[mask-size\]",
        ),
        (record(segmentation={"size": [30, 40], "counts": [-5, 20]}), r"counts of the RLE .* \[bad-rle\]"),
    ],
)
def test_what_is_refused_names_file_and_record(bad: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path, [record(), record(), bad])
    with pytest.raises(DataError, match=r"p\.json: proposal at index 2: .*" + message):
        Proposals.load(path, DATASET)


def test_a_score_that_is_no_number(tmp_path: Path) -> None:
    path = written(tmp_path, [record(), record(score=float("nan"))])
    with pytest.raises(DataError, match=r"p\.json: \$\[1\]\.score: expected a finite number \[non-finite\]"):
        Proposals.load(path, DATASET)


def test_in_memory_the_same_is_refused() -> None:
    box = Results(np.array([7, 7]), np.ones(2), np.ones(2), np.array([[1, 1, 2, 2], [50, 1, 2, 2.0]]))
    with pytest.raises(DataError, match=r"proposal at index 1: .*outside image 7"):
        Proposals.from_results(box, DATASET)


def test_too_many_in_an_image_unless_limited(tmp_path: Path) -> None:
    records = [record(0, bbox=(1, 1, 2, 2))] + [record()] * (MAX_PER_IMAGE + 1)
    path = written(tmp_path, records)
    with pytest.raises(
        DataError, match=rf"index {MAX_PER_IMAGE + 1}: image 7 has more than 10,000 .*\[too-many\]"
    ):
        Proposals.load(path, DATASET)
    assert Proposals.load(path, DATASET, limit=3).offsets.tolist() == [0, 1, 4, 4]
    assert len(Proposals.load(written(tmp_path, records[:-1]), DATASET)) == MAX_PER_IMAGE + 1


def test_other_categories_are_accepted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="amidst"):
        read_proposals(written(tmp_path, [record(), record()]), DATASET)
        assert not caplog.messages
        path = written(tmp_path, [record(), record(category_id=18), record(category_id=3)])
        assert len(Proposals.load(path, DATASET)) == 3
    assert len(caplog.messages) == 1
    assert "proposals are of no category; 2 categories are not looked at" in caplog.messages[0]
    with caplog.at_level(logging.WARNING, logger="amidst"):
        read_proposals(written(tmp_path, [record(category_id=18)]), DATASET)
    assert "proposals are of no category; category 18 is not looked at" in caplog.messages[1]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        Proposals.load(tmp_path / "none.json", DATASET)


def test_order_by_image_score_category_and_record() -> None:
    results = Results(
        np.array([7, 0, 7, 7, 7]),
        np.array([3, 1, 2, 3, 2]),
        np.array([0.5, 0.1, 0.5, 0.9, 0.5]),
        np.ones((5, 4)),
    )
    order, offsets = image_order(results, np.array([0, 7, 9]))
    assert order.tolist() == [1, 3, 2, 4, 0]
    assert offsets.tolist() == [0, 1, 5, 5]


def test_whether_every_proposal_has_a_mask(tmp_path: Path) -> None:
    mask = rle_of(slice(4, 10), slice(2, 5))
    assert has_masks(written(tmp_path, [])) is None
    assert has_masks(written(tmp_path, [record(segmentation=mask), record(bbox=None, segmentation=mask)]))
    assert has_masks(written(tmp_path, [record(segmentation=mask), record()])) is False
    with pytest.raises(UsageError, match="cannot read"):
        has_masks(tmp_path / "none.json")
