"""`evaluate`: the golden example, ordinary empty cases, and inputs that are refused."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amidst.coco import CocoDataset, Results, masks
from amidst.errors import DataError, UsageError
from amidst.evaluation import evaluate

# (image, category, crowd, box): the example of the specification, checked with the reference.
OBJECTS = [
    (1, 1, 0, (10, 10, 20, 20)),
    (1, 1, 0, (50, 50, 60, 60)),
    (1, 1, 1, (200, 50, 150, 150)),
    (1, 2, 0, (10, 100, 100, 100)),
    (2, 1, 0, (30, 30, 40, 40)),
    (2, 2, 0, (100, 100, 30, 30)),
    (2, 2, 0, (105, 105, 30, 30)),
]
FOUND = [
    (1, 1, (10, 10, 20, 18), 0.9),
    (1, 1, (52, 50, 60, 60), 0.8),
    (1, 1, (50, 50, 60, 58), 0.8),
    (1, 1, (220, 60, 50, 50), 0.7),
    (1, 1, (300, 300, 20, 20), 0.6),
    (1, 2, (10, 100, 100, 90), 0.95),
    (2, 1, (30, 30, 40, 30), 0.85),
    (2, 1, (30, 30, 25, 40), 0.5),
    (2, 2, (102, 102, 30, 30), 0.9),
    (2, 2, (104, 104, 30, 30), 0.9),
    (2, 2, (0, 0, 200, 200), 0.4),
]
GOLDEN = (0.7596534653, 1, 1, 0.7752475248, 0.6925742574, 0.9, 0.5, 0.8, 0.8, 0.8, 0.8, 0.9)


def truth(first_id: int = 1) -> dict[str, Any]:
    return {
        "images": [{"id": i, "width": 640, "height": 480, "file_name": f"{i}.jpg"} for i in (1, 2)],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": category,
                "iscrowd": crowd,
                "bbox": list(box),
                "area": box[2] * box[3],
            }
            for number, (image, category, crowd, box) in enumerate(OBJECTS, first_id)
        ],
        "categories": [{"id": i, "name": f"c{i}"} for i in (1, 2)],
    }


def found() -> list[dict[str, Any]]:
    return [
        {"image_id": image, "category_id": category, "bbox": list(box), "score": score}
        for image, category, box, score in FOUND
    ]


def read(content: Any) -> CocoDataset:
    return CocoDataset.from_json(json.dumps(content).encode())


def as_file(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


class TestGolden:
    @pytest.mark.parametrize("first_id", [0, 1, -3, 2**62])
    def test_twelve_numbers_whatever_the_ids(self, first_id: int, tmp_path: Path) -> None:
        gt, dt = as_file(tmp_path / "gt.json", truth(first_id)), as_file(tmp_path / "dt.json", found())
        for dataset in (gt, str(gt), CocoDataset.load(gt)):
            for results in (dt, str(dt), Results.load(dt), found()):
                summary = evaluate(dataset, results)
                assert summary.stats == pytest.approx(GOLDEN, abs=1e-9)
                assert summary.ap50 == 1
                assert summary.ar_10 == 0.8
                assert [c.instances for c in summary.categories] == [3, 3]

    def test_large_image_and_category_ids(self) -> None:
        big = 2**60 + 1
        gt, dt = truth(), found()
        for record in [*gt["annotations"], *dt]:
            record["image_id"] += big
            record["category_id"] += big
        for record in [*gt["images"], *gt["categories"]]:
            record["id"] += big
        assert evaluate(read(gt), dt).stats == pytest.approx(GOLDEN, abs=1e-9)

    def test_reference_engine(self) -> None:
        pytest.importorskip("pycocotools")
        summary = evaluate(read(truth(0)), found(), engine="pycocotools")
        assert summary.stats == pytest.approx(GOLDEN, abs=1e-9)

    def test_class_agnostic(self) -> None:
        summary = evaluate(read(truth()), found(), class_agnostic=True, max_dets=(1, 2, 5, 100))
        recall = {
            area: [summary.average_recall(area=area, max_dets=m) for m in (1, 2, 5, 100)]
            for area in ("all", "small", "medium", "large")
        }
        assert recall["all"] == pytest.approx([0.25, 0.5333333333, 0.8, 0.8], abs=1e-9)
        assert recall["small"] == pytest.approx([0.2, 0.7666666667, 0.7666666667, 0.7666666667], abs=1e-9)
        assert recall["medium"] == pytest.approx([0, 0, 0.8, 0.8], abs=1e-9)
        assert recall["large"] == pytest.approx([0.9] * 4, abs=1e-9)
        by_iou = [1, 1, 1, 1, 1, 1, 2 / 3, 2 / 3, 0.5, 1 / 6]
        assert summary.recall[:, 0, 0, -1].tolist() == pytest.approx(by_iou, abs=1e-9)
        (row,) = summary.categories
        assert (row.category_id, row.name, row.instances) == (-1, "any", 6)

    def test_masks_of_boxes_score_as_boxes_nearly(self) -> None:
        gt, dt = truth(), found()
        for record in [*gt["annotations"], *dt]:
            x, y, w, h = record["bbox"]
            corners = [x, y, x + w, y, x + w, y + h, x, y + h]
            record["segmentation"] = [corners]
        for record in dt:
            rle = masks.from_polygons(record["segmentation"], (480, 640))
            record["segmentation"] = {"size": list(rle.size), "counts": rle.counts}
        for results in (dt, [{k: v for k, v in d.items() if k != "bbox"} for d in dt]):
            assert evaluate(read(gt), results, "segm").stats == pytest.approx(GOLDEN, abs=1e-9)


class TestEmpty:
    def test_no_detections(self, tmp_path: Path) -> None:
        for kind in ("bbox", "segm"):
            gt = truth()
            for record in gt["annotations"]:
                record["segmentation"] = [[0, 0, 5, 0, 5, 5]]
            for dataset in (read(gt), as_file(tmp_path / "gt.json", gt)):
                for results in ([], as_file(tmp_path / "dt.json", []), Results.empty()):
                    assert evaluate(dataset, results, kind).stats == (0.0,) * 12

    @pytest.mark.parametrize("engine", ["fast", "pycocotools"])
    def test_no_objects(self, engine: Any) -> None:
        if engine == "pycocotools":
            pytest.importorskip("pycocotools")
        gt = truth() | {"annotations": []}
        assert evaluate(read(gt), found(), engine=engine).stats == (-1.0,) * 12
        assert evaluate(read(gt | {"categories": []}), found(), engine=engine).stats == (-1.0,) * 12
        assert evaluate(CocoDataset(), [], engine=engine).stats == (-1.0,) * 12
        assert evaluate(CocoDataset(), [], class_agnostic=True, engine=engine).stats == (-1.0,) * 12

    def test_crowds_only(self) -> None:
        gt = truth()
        for record in gt["annotations"]:
            record["iscrowd"] = 1
        summary = evaluate(read(gt), found())
        assert summary.stats == (-1.0,) * 12
        assert [c.instances for c in summary.categories] == [0, 0]


class TestIgnore:
    """An ignored object is neither a hit nor a miss, but takes at most one detection, unlike a crowd."""

    @pytest.mark.parametrize("engine", ["fast", "pycocotools"])
    def test_neither_hit_nor_miss(self, engine: Any, tmp_path: Path) -> None:
        if engine == "pycocotools":
            pytest.importorskip("pycocotools")
        gt = truth()
        gt["annotations"] = gt["annotations"][:2]
        gt["annotations"][1]["ignore"] = 1
        boxes = [(10, 10, 20, 20), (50, 50, 60, 60)]
        dt = [{"image_id": 1, "category_id": 1, "bbox": b, "score": 0.5} for b in boxes]
        once = evaluate(as_file(tmp_path / "gt.json", gt), as_file(tmp_path / "dt.json", dt), engine=engine)
        assert (once.ap, once.ar_100) == (pytest.approx(1), 1)
        assert once.categories[0].instances == 1
        twice = evaluate(read(gt), [dt[0] | {"score": 0.1}, dt[1], dt[1]], engine=engine)
        assert twice.ap == pytest.approx(0.5), (
            "the second of the ignored object is a false alarm before the hit"
        )
        gt["annotations"][1]["iscrowd"] = 1
        crowd = evaluate(read(gt), [dt[0] | {"score": 0.1}, dt[1], dt[1]], engine=engine)
        assert crowd.ap == pytest.approx(1)


class TestInputs:
    def test_nothing_is_changed_or_printed(self, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        gt, dt = read(truth()), found()
        before = copy.deepcopy(dt)
        results = Results.load(dt)
        for given in (dt, results):
            evaluate(gt, given)
        assert dt == before
        assert gt == read(truth())
        evaluate(as_file(tmp_path / "gt.json", truth()), as_file(tmp_path / "dt.json", found()))
        assert capfd.readouterr() == ("", "")

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"image_id": 3}, "unknown-image"),
            ({"score": float("nan")}, "non-finite"),
            ({"score": None}, "wrong-type"),
            ({"score": ...}, "missing-field"),
            ({"bbox": [1, 2, 3]}, "wrong-type"),
            ({"bbox": ...}, "missing-field"),
            ({"bbox": [1, 2, float("inf"), 3]}, "non-finite"),
        ],
    )
    def test_bad_detection(self, change: dict[str, Any], rule: str, tmp_path: Path) -> None:
        dt = found()
        dt[4] = {name: value for name, value in (dt[4] | change).items() if value is not ...}
        gt = as_file(tmp_path / "gt.json", truth())
        for results in (dt, as_file(tmp_path / "dt.json", dt)):
            with pytest.raises(DataError) as caught:
                evaluate(gt, results)
            assert caught.value.rule == rule
            assert "4" in str(caught.value.record)

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"area": ...}, "missing-field"),
            ({"id": 1}, "duplicate-id"),
            ({"image_id": 8}, "unknown-image"),
            ({"category_id": 8}, "unknown-category"),
            ({"bbox": [0, 0, float("nan"), 1]}, "non-finite"),
        ],
    )
    def test_bad_truth(self, change: dict[str, Any], rule: str, tmp_path: Path) -> None:
        gt = truth()
        record = gt["annotations"][4] | change
        gt["annotations"][4] = {name: value for name, value in record.items() if value is not ...}
        path = as_file(tmp_path / "gt.json", gt)
        with pytest.raises(DataError) as caught:
            evaluate(path, as_file(tmp_path / "dt.json", found()))
        assert (caught.value.rule, caught.value.file) == (rule, path)

    def test_unknown_categories_are_left_out(self) -> None:
        other = {"image_id": 1, "category_id": 99, "bbox": [0, 0, 9, 9], "score": 1.0}
        assert evaluate(read(truth()), [other, *found()]).stats == pytest.approx(GOLDEN, abs=1e-9)

    def test_masks_are_missing(self, tmp_path: Path) -> None:
        rle = {"size": [480, 640], "counts": "PPP9"}
        found_masks = [{"image_id": 1, "category_id": 1, "score": 0.5, "segmentation": rle}]
        with pytest.raises(DataError, match="annotation 1: has no segmentation"):
            evaluate(read(truth()), found_masks, "segm")
        gt = truth()
        for record in gt["annotations"]:
            record["segmentation"] = [[0, 0, 5, 0, 5, 5]]
        with pytest.raises(DataError, match="boxes only"):
            evaluate(read(gt), found(), "segm")
        gt["annotations"][2]["segmentation"] = [[0, 0, 5, 0]]
        with pytest.raises(DataError, match="annotation 3"):
            evaluate(as_file(tmp_path / "gt.json", gt), as_file(tmp_path / "dt.json", found_masks), "segm")

    def test_bad_settings(self, tmp_path: Path) -> None:
        gt = read(truth())
        with pytest.raises(UsageError, match="keypoints"):
            evaluate(gt, found(), "keypoints")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="quick"):
            evaluate(gt, found(), engine="quick")  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            evaluate(gt, found(), max_dets=())
        with pytest.raises(UsageError, match="nowhere"):
            evaluate(tmp_path / "nowhere.json", found())
        with pytest.raises(UsageError, match="nowhere"):
            evaluate(as_file(tmp_path / "gt.json", truth()), tmp_path / "nowhere.json")


def test_recall_grows_with_detections() -> None:
    summary = evaluate(read(truth()), found(), max_dets=(1, 2, 3, 5, 10, 100, 1000))
    recall = [summary.average_recall(max_dets=m) for m in summary.params.max_dets]
    assert recall == sorted(recall)


def test_real_detections(shared_data: Path) -> None:
    folder = shared_data / "detections"
    results = folder / "yolox_nano_coco_mini_val2017_bbox_results.json"
    expected = json.loads(
        (folder / "yolox_nano_coco_mini_val2017_bbox_results_expected_pycocotools.json").read_text()
    )
    dataset = shared_data / "coco_mini/annotations/instances_val2017_mini.json"
    by_file = evaluate(dataset, results)
    in_memory = evaluate(CocoDataset.load(dataset), Results.load(results))
    assert by_file.stats == pytest.approx(expected["stats"], abs=1e-9)
    np.testing.assert_array_equal(by_file.precision, in_memory.precision)
    assert sum(c.instances for c in by_file.categories) == 1786 - 21
