"""Datasets: files, indexes, selecting, splitting, merging."""

from __future__ import annotations

import dataclasses
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image
from amidst.errors import AmidstError, DataError, UsageError


def read(content: Any) -> CocoDataset:
    return CocoDataset.from_json(json.dumps(content).encode())


@pytest.fixture
def dataset(dataset_content: dict[str, Any]) -> CocoDataset:
    return read(dataset_content)


class TestFiles:
    def test_empty(self, tmp_path: Path) -> None:
        CocoDataset().save(tmp_path / "new" / "empty.json")
        assert CocoDataset.load(tmp_path / "new" / "empty.json") == CocoDataset()

    def test_nothing_is_lost(self, dataset_content: dict[str, Any], tmp_path: Path) -> None:
        source, copy = tmp_path / "a.json", tmp_path / "b.json"
        source.write_text(json.dumps(dataset_content))
        dataset = CocoDataset.load(source)
        dataset.save(copy)
        assert json.loads(copy.read_text()) == dataset_content
        assert CocoDataset.load(copy) == dataset
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "b.json"], "no temporary file is left"

    def test_records(self, dataset: CocoDataset) -> None:
        cat, crowd, ignored = dataset.annotations
        assert cat.bbox_xywh == (1, 2, 3, 4.5)
        assert (cat.iscrowd, crowd.iscrowd, ignored.ignore, crowd.ignore) == (False, True, True, False)
        assert cat.extra == {"keypoints": [1, 2, 2]}
        assert cat.segmentation == ((1, 2, 4, 2, 4, 6.5, 1, 6.5),)
        assert ignored.segmentation is None
        assert dataset.images[0].extra == {"flickr_url": "f"}
        assert dataset.images[1].license is None
        assert dataset.extra == {"splits": {"note": "kept"}}

    def test_test_sets_have_no_annotations(self) -> None:
        dataset = read({"images": [{"id": 1, "width": 2, "height": 3, "file_name": "x"}]})
        assert dataset.annotations == dataset.categories == ()
        assert dataset.annotations_of(1) == ()

    def test_byte_order_mark(self, tmp_path: Path) -> None:
        path = tmp_path / "bom.json"
        path.write_bytes(b'\xef\xbb\xbf{"images": []}')
        assert CocoDataset.load(path) == CocoDataset()

    def test_segmentation_survives_replace_and_pickle(self, dataset: CocoDataset) -> None:
        cat = dataset.annotations[0]
        assert dataclasses.replace(cat, image_id=9).segmentation == cat.segmentation
        assert pickle.loads(pickle.dumps(dataset)) == dataset
        assert dataclasses.replace(cat, segmentation=None).segmentation is None

    def test_failed_save_keeps_the_old_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        CocoDataset().save(path)
        broken = CocoDataset(info={"x": object()})
        with pytest.raises(TypeError):
            broken.save(path)
        assert CocoDataset.load(path) == CocoDataset()


def change(content: dict[str, Any], section: str, index: int, **fields: Any) -> dict[str, Any]:
    record = content[section][index]
    record.update(fields)
    for name, value in fields.items():
        if value is ...:
            del record[name]
    return content


MALFORMED: list[tuple[str, int, dict[str, Any], str, str]] = [
    ("images", 0, {"id": "7"}, "image at index 0", "wrong-type"),
    ("images", 0, {"id": 7.5}, "image at index 0", "wrong-type"),
    ("images", 1, {"id": 7}, "image 7", "duplicate-id"),
    ("images", 0, {"height": ...}, "image 7", "missing-field"),
    ("images", 2, {"file_name": 3}, "image 9", "wrong-type"),
    ("annotations", 0, {"bbox": [1, 2, 3]}, "annotation 0", "wrong-type"),
    ("annotations", 0, {"bbox": ...}, "annotation 0", "missing-field"),
    ("annotations", 1, {"area": ...}, "annotation 5", "missing-field"),
    ("annotations", 1, {"area": "6"}, "annotation 5", "wrong-type"),
    ("annotations", 1, {"iscrowd": 2}, "annotation 5", "wrong-type"),
    ("annotations", 1, {"id": 2**63}, "annotation 9223372036854775808", "wrong-type"),
    ("annotations", 1, {"image_id": 8}, "annotation 5", "unknown-image"),
    ("annotations", 1, {"category_id": 8}, "annotation 5", "unknown-category"),
    ("annotations", 1, {"id": 0}, "annotation 0", "duplicate-id"),
    ("annotations", 0, {"segmentation": [["a"]]}, "annotation 0", "segmentation"),
    ("annotations", 0, {"segmentation": {"size": [1, 2]}}, "annotation 0", "segmentation"),
    ("annotations", 0, {"area": float("nan")}, "$.annotations[0].area", "non-finite"),
    ("annotations", 0, {"bbox": [0, 0, float("inf"), 1]}, "$.annotations[0].bbox[2]", "non-finite"),
    ("categories", 0, {"name": ...}, "category 3", "missing-field"),
    ("categories", 0, {"id": 0}, "category 0", "duplicate-id"),
]


@pytest.mark.parametrize(("section", "index", "fields", "record", "rule"), MALFORMED)
def test_malformed_record(
    section: str, index: int, fields: dict[str, Any], record: str, rule: str,
    dataset_content: dict[str, Any], tmp_path: Path,
) -> None:  # fmt: skip
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(change(dataset_content, section, index, **fields)))
    with pytest.raises(DataError) as caught:
        CocoDataset.load(path)
    error = caught.value
    assert (error.file, error.record, error.rule) == (path, record, rule)
    assert str(path) in str(error)
    assert record in str(error)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "json"),
        ("[]", "json"),
        ('{"images": [', "json"),
        ("{}", "missing-field"),
        ('{"images": {}}', "json"),
        ('{"images": [3]}', "wrong-type"),
        ('{"images": [], "info": 3}', "wrong-type"),
    ],
)
def test_malformed_file(text: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        CocoDataset.load(path)
    assert (caught.value.file, caught.value.rule) == (path, rule)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        CocoDataset.load(tmp_path / "nowhere.json")


class TestIndexes:
    def test_lookup(self, dataset: CocoDataset) -> None:
        assert dataset.image(0).file_name == "b.jpg"
        assert dataset.annotation(0).category_id == 3
        assert [a.id for a in dataset.annotations_of(7)] == [0, 5]
        assert dataset.annotations_of(9) == ()

    @pytest.mark.parametrize("ask", ["image", "annotation", "annotations_of"])
    def test_unknown(self, ask: str, dataset: CocoDataset) -> None:
        with pytest.raises(DataError, match="77"):
            getattr(dataset, ask)(77)

    def test_class_map_is_sorted(self, dataset: CocoDataset) -> None:
        assert dataset.class_map().names == ("ant", "cat", "unused")


class TestSelect:
    def test_nothing_asked_is_equal(self, dataset: CocoDataset) -> None:
        assert dataset.select() == dataset

    def test_by_images(self, dataset: CocoDataset) -> None:
        part = dataset.select(image_ids=[0])
        assert [i.id for i in part.images] == [0]
        assert [a.id for a in part.annotations] == [6]
        assert part.categories == dataset.categories

    def test_by_categories_keeps_empty_images(self, dataset: CocoDataset) -> None:
        part = dataset.select(category_ids=[0])
        assert [i.id for i in part.images] == [7, 0, 9]
        assert [a.id for a in part.annotations] == [5]
        assert [c.id for c in part.categories] == [0]
        assert [i.id for i in dataset.select(category_ids=[0], drop_empty=True).images] == [7]

    @pytest.mark.parametrize(
        ("conditions", "ids"),
        [
            ({"area": (6, 25)}, [0]),  # open interval
            ({"area": (5, 26)}, [0, 5, 6]),
            ({"iscrowd": True}, [5]),
            ({"iscrowd": False}, [0, 6]),
            ({"containing": [3, 0]}, [0, 5]),
            ({"containing": [90]}, []),
            ({"image_ids": []}, []),
        ],
    )
    def test_objects(self, conditions: dict[str, Any], ids: list[int], dataset: CocoDataset) -> None:
        assert [a.id for a in dataset.select(**conditions).annotations] == ids

    @pytest.mark.parametrize("conditions", [{"image_ids": [8]}, {"category_ids": [8]}, {"containing": [8]}])
    def test_unknown_id(self, conditions: dict[str, Any], dataset: CocoDataset) -> None:
        with pytest.raises(DataError, match="8"):
            dataset.select(**conditions)


def numbered(count: int) -> CocoDataset:
    return CocoDataset(tuple(Image(i, 4, 4, f"{i}.jpg") for i in range(count)))


class TestSplit:
    def test_by_ids(self, dataset: CocoDataset) -> None:
        parts = dataset.split({"train": [7], "val": [9, 0]})
        assert [a.id for a in parts["train"].annotations] == [0, 5]
        assert [i.id for i in parts["val"].images] == [0, 9]

    def test_by_ratios_is_a_partition_and_stable(self) -> None:
        dataset = numbered(1000)
        parts = dataset.split({"train": 0.8, "val": 0.1, "test": 0.1}, seed=3)
        assert [len(p.images) for p in parts.values()] == [800, 100, 100]
        ids = [i.id for p in parts.values() for i in p.images]
        assert sorted(ids) == list(range(1000))
        again = dataset.split({"train": 0.8, "val": 0.1, "test": 0.1}, seed=3)
        assert again == parts
        assert dataset.split({"train": 0.8, "val": 0.2}, seed=4)["train"] != parts["train"]

    def test_does_not_depend_on_the_machine(self) -> None:
        first = numbered(10).split({"a": 0.3, "b": 0.7}, seed=0)["a"]
        assert [i.id for i in first.images] == [4, 7, 9]

    def test_growing_moves_few(self) -> None:
        before = {i.id for i in numbered(1000).split({"val": 0.2}, seed=1)["val"].images}
        after = {i.id for i in numbered(1010).split({"val": 0.2}, seed=1)["val"].images}
        assert len(before - after) < 15

    def test_empty(self) -> None:
        assert CocoDataset().split({"a": 0.5, "b": 0.5}, seed=1) == {"a": CocoDataset(), "b": CocoDataset()}

    @pytest.mark.parametrize(
        ("parts", "seed"),
        [({"a": 0.8, "b": 0.3}, 1), ({"a": -0.1}, 1), ({"a": 0.5}, None), ({"a": [7], "b": [7]}, None)],
    )
    def test_refused(self, parts: Any, seed: int | None, dataset: CocoDataset) -> None:
        with pytest.raises(AmidstError):
            dataset.split(parts, seed=seed)


class TestMerge:
    def test_nothing(self) -> None:
        assert CocoDataset.merge([]) == CocoDataset()

    def test_one_is_itself(self, dataset: CocoDataset) -> None:
        assert CocoDataset.merge([dataset]) == dataset

    def test_parts_make_the_whole(self, dataset: CocoDataset) -> None:
        parts = dataset.split({"a": [7], "b": [0, 9]})
        assert CocoDataset.merge(list(parts.values())) == dataset

    def test_conflict_is_refused(self, dataset: CocoDataset) -> None:
        with pytest.raises(DataError, match="image 0") as caught:
            CocoDataset.merge([dataset, dataset])
        assert caught.value.rule == "id-conflict"

    def test_renumbered(self, dataset: CocoDataset) -> None:
        both = CocoDataset.merge([dataset, dataset], renumber=True)
        assert [i.id for i in both.images] == [7, 0, 9, 10, 11, 12]
        assert [a.id for a in both.annotations] == [0, 5, 6, 7, 8, 9]
        assert [a.image_id for a in both.annotations] == [7, 7, 0, 10, 10, 11]
        assert both.categories == dataset.categories
        assert both.annotations[3].segmentation == dataset.annotations[0].segmentation

    def test_categories_join_by_name_when_renumbered(self) -> None:
        def one(image_id: int, category: Category) -> CocoDataset:
            annotation = Annotation(image_id, image_id, category.id, (0, 0, 1, 1), 1.0)
            return CocoDataset((Image(image_id, 4, 4, "x"),), (annotation,), (category,))

        parts = [one(1, Category(1, "cat")), one(2, Category(2, "cat")), one(3, Category(1, "dog"))]
        with pytest.raises(DataError, match="category 1"):
            CocoDataset.merge(parts)
        merged = CocoDataset.merge(parts, renumber=True)
        assert [(c.id, c.name) for c in merged.categories] == [(1, "cat"), (2, "dog")]
        assert [a.category_id for a in merged.annotations] == [1, 1, 2]


def test_real_file_is_unchanged(shared_data: Path, tmp_path: Path) -> None:
    for source in sorted(shared_data.glob("coco_*/annotations/*.json")):
        CocoDataset.load(source).save(tmp_path / "copy.json")
        assert json.loads((tmp_path / "copy.json").read_bytes()) == json.loads(source.read_bytes()), source
