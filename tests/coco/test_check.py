"""The check names every defect and raises on none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from amidst.coco import CocoDataset
from amidst.coco.check import AnchorReach, best_shape_iou, check
from amidst.errors import UsageError


def write(folder: Path, content: Any) -> Path:
    path = folder / "dataset.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def rules(content: Any, folder: Path) -> dict[str, int]:
    """Findings by rule, besides those of the small dataset itself."""
    counts = check(write(folder, content)).counts
    return {
        rule: n for rule, n in counts.items() if rule not in ("category-gaps", "no-objects", "no-instances")
    }


class TestRecords:
    def test_empty(self, tmp_path: Path) -> None:
        report = check(write(tmp_path, {"images": [], "annotations": [], "categories": []}))
        assert report.ok
        assert report.findings == ()
        assert report.checked == {"images": 0, "annotations": 0, "categories": 0}

    def test_sound(self, dataset_content: dict[str, Any], tmp_path: Path) -> None:
        report = check(write(tmp_path, dataset_content))
        assert report.ok
        assert report.counts == {"category-gaps": 1, "no-objects": 1, "no-instances": 2}
        assert [f.severity for f in report.findings] == ["warning", "warning", "note", "note"]
        assert report.checked == {"images": 3, "annotations": 3, "categories": 3}

    def test_in_memory(self, dataset_content: dict[str, Any], tmp_path: Path) -> None:
        path = write(tmp_path, dataset_content)
        in_memory, by_file = check(CocoDataset.load(path)), check(path)
        assert in_memory.counts == by_file.counts
        assert in_memory.findings[0].file is None
        assert by_file.findings[0].file == str(path)

    @pytest.mark.parametrize(
        ("section", "index", "fields", "rule"),
        [
            ("images", 0, {"id": "7"}, "wrong-type"),
            ("images", 0, {"id": True}, "wrong-type"),
            ("images", 0, {"width": None}, "missing-field"),
            ("images", 0, {"height": 0}, "image-size"),
            ("images", 1, {"id": 7}, "duplicate-id"),
            ("images", 1, {"file_name": "a.jpg"}, "duplicate-file"),
            ("categories", 1, {"name": 5}, "wrong-type"),
            ("categories", 1, {"id": 3}, "duplicate-id"),
            ("categories", 1, {"name": "cat"}, "duplicate-name"),
            ("annotations", 0, {"image_id": 8}, "unknown-image"),
            ("annotations", 0, {"category_id": 8}, "unknown-category"),
            ("annotations", 0, {"id": 5}, "duplicate-id"),
            ("annotations", 0, {"iscrowd": 2}, "wrong-type"),
            ("annotations", 0, {"bbox": [1, 2, 3]}, "wrong-type"),
            ("annotations", 0, {"bbox": [1, 2, 3, "4"]}, "wrong-type"),
            ("annotations", 0, {"bbox": "box"}, "wrong-type"),
            ("annotations", 0, {"bbox": [1, 2, float("nan"), 4]}, "non-finite"),
            ("annotations", 0, {"bbox": [1, 2, float("-inf"), 4]}, "non-finite"),
            ("annotations", 0, {"bbox": [1, 2, 0, 4.5]}, "degenerate-box"),
            ("annotations", 0, {"bbox": [1, 2, -3, 4.5]}, "degenerate-box"),
            ("annotations", 0, {"bbox": [41, 2, 3, 4.5]}, "outside-box"),
            ("annotations", 2, {"bbox": [17, 5, 5, 5]}, "outside-box"),
            ("annotations", 0, {"bbox": [1, 6, 3, 4.5]}, "box-mask"),
            ("annotations", 0, {"area": -1}, "bad-area"),
            ("annotations", 0, {"area": float("inf")}, "non-finite"),
            ("annotations", 0, {"area": None}, "missing-field"),
            ("annotations", 0, {"area": 40}, "area-mask"),
            ("annotations", 2, {"area": 60}, "area-box"),
            ("annotations", 0, {"segmentation": [[1, 2, 3, 4]]}, "bad-polygon"),
            ("annotations", 0, {"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, "bad-polygon"),
            ("annotations", 0, {"segmentation": [[1, 2, 3, 4, 5, "6"]]}, "bad-polygon"),
            ("annotations", 0, {"segmentation": [1, 2, 3, 4, 5, 6]}, "bad-polygon"),
            ("annotations", 0, {"segmentation": "mask"}, "bad-rle"),
            ("annotations", 1, {"segmentation": {"size": [30, 40]}}, "bad-rle"),
            ("annotations", 1, {"segmentation": {"size": [30, 40], "counts": [5, 3]}}, "bad-rle"),
            ("annotations", 1, {"segmentation": {"size": [30, 40], "counts": "!!"}}, "bad-rle"),
            ("annotations", 1, {"segmentation": {"size": [40, 30], "counts": [0, 1200]}}, "mask-size"),
            ("annotations", 1, {"segmentation": {"size": [30, 40], "counts": [1200]}}, "empty-mask"),
        ],
    )
    def test_one_defect(
        self,
        section: str,
        index: int,
        fields: dict[str, Any],
        rule: str,
        dataset_content: dict[str, Any],
        tmp_path: Path,
    ) -> None:
        record = dataset_content[section][index]
        record.update(fields)
        report = check(write(tmp_path, dataset_content))
        (found,) = [
            f for f in report.findings if f.rule == rule and f.record and f.record.startswith(section[:5])
        ]
        assert found.message
        assert rule in str(found)

    def test_all_defects_at_once(self, dataset_content: dict[str, Any], tmp_path: Path) -> None:
        dataset_content["annotations"] += [3, None, {}, [], {"id": 8}, {"id": 8, "bbox": 1}]
        dataset_content["images"].append("x")
        found = rules(dataset_content, tmp_path)
        assert found["wrong-type"] == 5
        assert found["missing-field"] == 5 + 4 + 3

    @pytest.mark.parametrize("change", ["area", "box"])
    def test_tolerances_of_real_data(
        self, change: str, dataset_content: dict[str, Any], tmp_path: Path
    ) -> None:
        """Rounded boxes, and areas counted in pixels, are no defects."""
        if change == "area":
            dataset_content["annotations"][0]["area"] = 12
        else:
            dataset_content["annotations"][0]["bbox"] = [1, 2, 4, 5]
        assert rules(dataset_content, tmp_path) == {}

    def test_area_of_overlapping_parts(self, dataset_content: dict[str, Any], tmp_path: Path) -> None:
        """The same part twice has twice the area by its vertices, but not in pixels."""
        part = [0, 0, 30, 0, 30, 20, 0, 20]
        fields = {"segmentation": [part, part], "bbox": [0, 0, 30, 20], "area": 600}
        dataset_content["annotations"][0].update(fields)
        assert rules(dataset_content, tmp_path) == {}

    def test_number_too_large(self, dataset_content: dict[str, Any], tmp_path: Path) -> None:
        text = json.dumps(dataset_content).replace("13.5", "1e999")
        assert rules(text, tmp_path) == {"non-finite": 1}

    @pytest.mark.parametrize(
        ("text", "rule"),
        [
            ("", "json"),
            ("[]", "json"),
            ("[NaN]", "json"),
            ('{"images": ', "json"),
            ("{}", "missing-field"),
            ('{"images": 3}', "wrong-type"),
            ('{"images": [], "annotations": {"a": 1}}', "wrong-type"),
            ('{"images": {"a": NaN}}', "wrong-type"),
        ],
    )
    def test_not_a_dataset(self, text: str, rule: str, tmp_path: Path) -> None:
        report = check(write(tmp_path, text))
        assert not report.ok
        assert rule in report.counts

    def test_report(self, dataset_content: dict[str, Any], tmp_path: Path) -> None:
        dataset_content["annotations"][0]["bbox"] = [1, 2, 0, 4]
        dataset_content["annotations"][2]["bbox"] = [1, 2, -1, 4]
        report = check(write(tmp_path, dataset_content))
        assert not report.ok
        assert [f.record for f in report.errors] == ["annotation 6"]
        assert "annotation 0" in [f.record for f in report.warnings]
        assert len(report.errors) + len(report.warnings) + len(report.notes) == len(report.findings)
        tree = json.loads(json.dumps(report.to_builtins()))
        assert tree["ok"] is False
        assert tree["findings"][0]["rule"] == "degenerate-box"
        assert tree["counts"]["degenerate-box"] == 2


class TestReach:
    def test_best_shape(self) -> None:
        boxes = np.array([[10, 10], [20, 5], [1, 1]], float)
        best = best_shape_iou(boxes, np.array([[10, 10], [20, 10]], float))
        np.testing.assert_allclose(best, [1, 0.5, 0.01])
        assert best_shape_iou(boxes, np.zeros((0, 2))).tolist() == [0, 0, 0]
        assert best_shape_iou(np.zeros((0, 2)), boxes).tolist() == []

    @pytest.mark.parametrize(
        ("short", "long", "missed"),
        [
            (40, 1000, ["annotation 0"]),  # image 7 (40x30) grows by 4/3, image 0 (20x20) by 2
            (40, 40, ["annotation 0"]),  # image 7 keeps its size, for its long side is 40 already
            (80, 1000, ["annotation 6"]),
        ],
    )
    def test_unreachable(
        self, short: float, long: float, missed: list[str], dataset_content: dict[str, Any], tmp_path: Path
    ) -> None:
        """Objects of 3x4.5 and 5x5 pixels against one anchor of 10x10; the crowd does not count."""
        reach = AnchorReach([(10, 10)], short, long, 0.5)
        report = check(write(tmp_path, dataset_content), anchor_reach=reach)
        assert [f.record for f in report.warnings if f.rule == "unreachable"] == missed

    def test_no_objects(self, tmp_path: Path) -> None:
        assert check(write(tmp_path, {"images": []}), anchor_reach=AnchorReach([(1, 1)], 8, 8, 0.5)).ok


class TestFiles:
    @pytest.fixture
    def folder(self, dataset_content: dict[str, Any], tmp_path: Path) -> Path:
        rng = np.random.default_rng(0)
        for image in dataset_content["images"]:
            pixels = rng.integers(0, 256, (image["height"], image["width"], 3), dtype=np.uint8)
            Picture.fromarray(pixels).save(tmp_path / image["file_name"])
        write(tmp_path, dataset_content)
        return tmp_path

    def look(self, folder: Path, **options: Any) -> list[tuple[str, str | None]]:
        report = check(folder / "dataset.json", folder, **options)
        assert report.checked["files"] == 3
        kinds = ("category-gaps", "no-objects", "no-instances")
        return [(f.rule, f.record) for f in report.findings if f.rule not in kinds]

    @pytest.mark.parametrize("decode", [False, True])
    def test_sound(self, decode: bool, folder: Path) -> None:
        calls: list[tuple[int, int]] = []
        assert self.look(folder, decode=decode, progress=lambda *step: calls.append(step)) == []
        assert calls == [(1, 3), (2, 3), (3, 3)]

    def test_missing(self, folder: Path) -> None:
        (folder / "b.jpg").unlink()
        assert self.look(folder) == [("missing-image", "image 0")]

    @pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
    @pytest.mark.parametrize("decode", [False, True])
    def test_cut_off(self, suffix: str, decode: bool, folder: Path, tmp_path: Path) -> None:
        path = folder / "a.jpg"
        with Picture.open(path) as picture:
            picture.save(folder / f"c.{suffix}")
        whole = (folder / f"c.{suffix}").read_bytes()
        path.write_bytes(whole[: len(whole) * 2 // 3])
        assert self.look(folder, decode=decode) == [("unreadable-image", "image 7")]

    def test_damage_inside_needs_decoding(self, folder: Path) -> None:
        path = folder / "a.jpg"
        with Picture.open(path) as picture:
            picture.save(folder / "c.png")
        data = bytearray((folder / "c.png").read_bytes())
        data[len(data) // 2] ^= 255
        path.write_bytes(data)
        assert self.look(folder) == []
        assert self.look(folder, decode=True) == [("unreadable-image", "image 7")]

    def test_not_an_image_and_empty(self, folder: Path) -> None:
        (folder / "a.jpg").write_text("hello")
        (folder / "b.jpg").write_bytes(b"")
        assert self.look(folder) == [("unreadable-image", "image 7"), ("unreadable-image", "image 0")]

    def test_size(self, folder: Path) -> None:
        Picture.new("RGB", (30, 41)).save(folder / "a.jpg")
        assert self.look(folder) == [("image-size", "image 7")]

    def test_turned_by_exif(self, folder: Path) -> None:
        exif = Picture.Exif()
        exif[0x0112] = 6
        Picture.new("RGB", (40, 30)).save(folder / "a.jpg", exif=exif)
        assert self.look(folder) == [("image-orientation", "image 7")]

    def test_no_folder(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="nowhere"):
            check(folder / "dataset.json", folder / "nowhere")
        with pytest.raises(UsageError, match=r"nowhere\.json"):
            check(folder / "nowhere.json")


@pytest.mark.parametrize(
    ("file", "images"),
    [
        ("coco_mini/annotations/instances_val2017_mini.json", "coco_mini/images/val2017"),
        ("coco_mini/annotations/instances_train2017_mini.json", None),
        ("coco_person/annotations/person_val.json", "coco_person/images"),
    ],
)
def test_real_data_is_quiet(file: str, images: str | None, shared_data: Path) -> None:
    report = check(shared_data / file, None if images is None else shared_data / images)
    assert report.ok
    assert {f.rule for f in report.findings} <= {"category-gaps", "no-objects"}
