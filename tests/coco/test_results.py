"""Detections: reading, checking, joining, writing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.coco import CocoDataset, Image, Results, Rle
from amidst.coco.records import Category
from amidst.errors import DataError, UsageError

BOX = {"image_id": 1, "category_id": 3, "score": 0.5, "bbox": [1, 2, 3, 4]}
RLE = {"size": [3, 4], "counts": "0<"}
MASK = {"image_id": 1, "category_id": 3, "score": 0.5, "segmentation": RLE}


def as_file(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


class TestLoad:
    @pytest.mark.parametrize("results", [Results.load([]), Results.empty(), Results.concatenate([])])
    def test_empty(self, results: Results, tmp_path: Path) -> None:
        assert len(results) == 0
        assert results.boxes_xywh is not None
        assert results.boxes_xywh.shape == (0, 4)
        assert results.rles == ()
        results.check_against(CocoDataset())
        results.save(tmp_path / "r.json")
        assert json.loads((tmp_path / "r.json").read_text()) == []
        assert len(Results.load(tmp_path / "r.json")) == 0

    def test_boxes(self, tmp_path: Path) -> None:
        records = [BOX, BOX | {"image_id": 0, "score": 1, "bbox": [0.125, 0, 1e3, 2]}]
        for source in (records, as_file(tmp_path / "r.json", records)):
            results = Results.load(source)
            assert results.image_ids.tolist() == [1, 0]
            assert results.category_ids.tolist() == [3, 3]
            assert results.scores.tolist() == [0.5, 1]
            assert results.boxes_xywh is not None
            assert results.boxes_xywh.tolist() == [[1, 2, 3, 4], [0.125, 0, 1000, 2]]
            assert (results.rles, results.kind) == (None, "bbox")

    def test_masks(self) -> None:
        results = Results.load([MASK])
        assert results.rles == (Rle((3, 4), "0<"),)
        assert (results.boxes_xywh, results.kind) == (None, "segm")

    def test_both(self) -> None:
        results = Results.load([BOX | MASK])
        assert results.boxes_xywh is not None
        assert results.rles is not None
        assert results.kind == "bbox"

    def test_numpy_values(self) -> None:
        record = {
            "image_id": np.int64(1),
            "category_id": np.uint8(3),
            "score": np.float32(0.5),
            "bbox": np.array([1, 2, 3, 4], np.float32),
            "segmentation": {"size": (3, 4), "counts": b"0<"},
        }
        results = Results.load([record, BOX | {"bbox": [np.float32(1), 2, 3, 4], "segmentation": RLE}])
        assert results.boxes_xywh is not None
        assert results.boxes_xywh.tolist() == [[1, 2, 3, 4]] * 2
        assert results.rles == (Rle((3, 4), "0<"),) * 2

    def test_unknown_fields_are_left_out(self) -> None:
        assert len(Results.load([BOX | {"id": 1, "area": 2.0}])) == 1

    @pytest.mark.parametrize(
        ("second", "rule"),
        [
            ({"score": ...}, "missing-field"),
            ({"image_id": ...}, "missing-field"),
            ({"bbox": ...}, "missing-field"),
            ({"bbox": None}, "missing-field"),
            ({"bbox": [1, 2, 3]}, "wrong-type"),
            ({"bbox": [1, 2, 3, "4"]}, "wrong-type"),
            ({"score": "high"}, "wrong-type"),
            ({"score": True}, "wrong-type"),
            ({"image_id": 1.5}, "wrong-type"),
            ({"image_id": "1"}, "wrong-type"),
            ({"score": float("nan")}, "non-finite"),
            ({"bbox": [1, 2, float("inf"), 4]}, "non-finite"),
        ],
    )
    def test_malformed(self, second: dict[str, Any], rule: str, tmp_path: Path) -> None:
        bad = {name: value for name, value in (BOX | second).items() if value is not ...}
        path = as_file(tmp_path / "r.json", [BOX, bad])
        for source in ([BOX, bad], path):
            with pytest.raises(DataError) as caught:
                Results.load(source)
            assert caught.value.rule == rule
            assert "1" in str(caught.value.record)
        assert caught.value.file == path

    def test_first_decides(self) -> None:
        assert len(Results.load([BOX, BOX | MASK])) == 2
        with pytest.raises(DataError, match="segmentation is missing"):
            Results.load([BOX | MASK, BOX])

    @pytest.mark.parametrize(
        "content", ["", "[", "{}", '{"annotations": []}', "[3]", "[{}]", '[{"image_id": 1}]']
    )
    def test_not_results(self, content: str, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"r\.json"):
            Results.load(as_file(tmp_path / "r.json", content))

    def test_neither_boxes_nor_masks(self) -> None:
        with pytest.raises(DataError, match="boxes or masks"):
            Results.load([{"image_id": 1, "category_id": 3, "score": 0.5}])

    def test_missing_file(self) -> None:
        with pytest.raises(UsageError, match="nowhere"):
            Results.load("nowhere.json")


class TestColumns:
    def test_lists_become_read_only_arrays(self) -> None:
        results = Results([1], [2], [0.5], [[1, 2, 3, 4]])  # type: ignore[arg-type]
        assert results.image_ids.dtype == np.int64
        with pytest.raises(ValueError, match="read-only"):
            results.scores[0] = 1

    def test_callers_array_stays_writable(self) -> None:
        scores = np.array([0.5])
        Results(np.array([1]), np.array([2]), scores, np.ones((1, 4)))
        scores[0] = 1

    def test_lengths_differ(self) -> None:
        with pytest.raises(DataError, match="lengths"):
            Results(np.array([1, 2]), np.array([1]), np.array([0.5]), np.ones((1, 4)))

    def test_take(self) -> None:
        results = Results.load([BOX | {"score": s} | {"segmentation": RLE} for s in (0.1, 0.9, 0.5)])
        assert results.take([2, 0]).scores.tolist() == [0.5, 0.1]
        above = results.take(results.scores > 0.4)
        assert above.scores.tolist() == [0.9, 0.5]
        assert above.rles is not None
        assert len(above.rles) == 2
        assert len(results.take([])) == 0


class TestConcatenate:
    def test_order(self) -> None:
        first, second = Results.load([BOX]), Results.load([BOX | {"score": 0.7}])
        joined = Results.concatenate([first, Results.empty(), second])
        assert joined.scores.tolist() == [0.5, 0.7]
        assert joined.boxes_xywh is not None
        assert joined.rles is None

    def test_masks(self) -> None:
        joined = Results.concatenate([Results.load([MASK])] * 2)
        assert joined.rles is not None
        assert len(joined.rles) == 2
        assert joined.boxes_xywh is None

    def test_mixed(self) -> None:
        with pytest.raises(DataError, match="only some"):
            Results.concatenate([Results.load([BOX]), Results.load([MASK])])


class TestCheckAgainst:
    dataset = CocoDataset((Image(1, 4, 3, "a.jpg"),), categories=(Category(3, "cat"),))

    def test_fits(self) -> None:
        Results.load([BOX | MASK]).check_against(self.dataset)

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"image_id": 2}, "unknown-image"),
            ({"category_id": 4}, "unknown-category"),
            ({"segmentation": {"size": [4, 3], "counts": "0<"}}, "mask-size"),
        ],
    )
    def test_does_not_fit(self, change: dict[str, Any], rule: str) -> None:
        good = BOX | MASK
        with pytest.raises(DataError, match="index 1") as caught:
            Results.load([good, good | change]).check_against(self.dataset)
        assert caught.value.rule == rule

    def test_categories_may_be_left_out(self) -> None:
        Results.load([BOX | {"category_id": 4}]).check_against(self.dataset, categories=False)


class TestSave:
    def test_round_trip(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        n = 50
        results = Results(
            rng.integers(0, 2**40, n), rng.integers(0, 90, n), rng.random(n), rng.random((n, 4)) * 500
        )
        results.save(tmp_path / "r.json")
        again = Results.load(tmp_path / "r.json")
        assert again.image_ids.tolist() == results.image_ids.tolist()
        assert again.scores.tolist() == results.scores.tolist()
        assert again.boxes_xywh is not None
        np.testing.assert_allclose(again.boxes_xywh, results.boxes_xywh, atol=5.1e-4)
        again.save(tmp_path / "s.json")
        assert (tmp_path / "r.json").read_bytes() == (tmp_path / "s.json").read_bytes()

    def test_single_precision_scores_are_short_and_keep_their_order(self, tmp_path: Path) -> None:
        scores = np.sort(np.random.default_rng(1).random(2000).astype(np.float32) ** 8)
        results = Results(*np.ones((2, 2000), int), scores, np.ones((2000, 4)))
        results.save(tmp_path / "r.json")
        again = Results.load(tmp_path / "r.json").scores
        assert (np.sign(np.diff(again)) == np.sign(np.diff(scores))).all()
        assert max(len(str(s["score"])) for s in results.to_builtins()) <= 15

    def test_masks(self, tmp_path: Path) -> None:
        results = Results.load([MASK | BOX])
        results.save(tmp_path / "r.json")
        assert json.loads((tmp_path / "r.json").read_text())[0]["segmentation"] == RLE
        assert Results.load(tmp_path / "r.json").rles == results.rles


def test_real_detections(shared_data: Path, tmp_path: Path) -> None:
    results = Results.load(shared_data / "detections/yolox_nano_coco_mini_val2017_bbox_results.json")
    results.check_against(CocoDataset.load(shared_data / "coco_mini/annotations/instances_val2017_mini.json"))
    assert len(results) == 11_285
