"""Out to each format and back: what both can hold is the same, and what is lost is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image, Rle
from amidst.curation.convert_cvat import read_cvat, write_cvat
from amidst.curation.convert_labelme import read_labelme, write_labelme
from amidst.curation.convert_voc import read_voc, write_voc
from amidst.curation.convert_yolo import read_yolo, write_yolo
from amidst.errors import DataError, UsageError

TRIANGLE = ((1.25, 1.0, 1.5, 15.125, 25.0, 15.0),)
TWO_PARTS = (TRIANGLE[0], (30.0, 2.0, 30.0, 8.0, 38.5, 8.0, 38.5, 2.0))


def ring() -> Rle:
    pixels = np.zeros((20, 40), np.uint8)
    pixels[2:18, 3:19] = 1
    pixels[6:10, 7:11] = 0
    return masks.encode(pixels[None])[0]


def box(number: int, image: int, category: int, **fields: object) -> Annotation:
    x, y, w, h = 3.0 + number, 2.0, 7.25, 5.5
    return Annotation(number, image, category, (x, y, w, h), w * h, **fields)  # type: ignore[arg-type]


def shaped(number: int, image: int, category: int, shape: object, **fields: object) -> Annotation:
    rle = masks.from_segmentation(shape, (20, 40))  # type: ignore[arg-type]
    x, y, w, h = masks.boxes([rle])[0].tolist()
    if not isinstance(shape, Rle):
        xs, ys = [v for p in shape for v in p[::2]], [v for p in shape for v in p[1::2]]  # type: ignore[attr-defined]
        x, y, w, h = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    area = float(masks.area([rle])[0])
    return Annotation(number, image, category, (x, y, w, h), area, segmentation=shape, **fields)  # type: ignore[arg-type]


CATEGORIES = (Category(3, "dog", "animal"), Category(17, 'röad "sign" & <co>'), Category(90, "unused"))
IMAGES = (
    Image(5, 40, 20, "a.jpg", 4, {"photographer": "ann"}),
    Image(2, 40, 20, "day/b.png"),
    Image(9, 40, 20, "empty.jpg"),
)


def dataset(*annotations: Annotation) -> CocoDataset:
    return CocoDataset(IMAGES, annotations, CATEGORIES, {"year": 2014}, ({"id": 4, "name": "cc-by"},))


def assert_same(found: CocoDataset, expected: CocoDataset) -> None:
    """Equal records up to order, numbers of annotations and the last digits of coordinates."""
    by_id = {image.id: image for image in expected.images}
    assert {image.id: image for image in found.images} == by_id
    names = {category.id: category for category in expected.categories}
    assert {category.id: category for category in found.categories} == names
    assert len(found.annotations) == len(expected.annotations)
    for ours, theirs in zip(
        found.annotations, sorted(expected.annotations, key=lambda a: order(expected, a)), strict=True
    ):
        assert (ours.image_id, ours.category_id) == (theirs.image_id, theirs.category_id)
        assert (ours.iscrowd, ours.ignore) == (theirs.iscrowd, theirs.ignore)
        assert ours.bbox_xywh == pytest.approx(theirs.bbox_xywh, abs=1e-6)
        assert ours.area == pytest.approx(theirs.area, abs=1e-4)
        if isinstance(theirs.segmentation, tuple):
            assert isinstance(ours.segmentation, tuple)
            assert [len(p) for p in ours.segmentation] == [len(p) for p in theirs.segmentation]
            for part, other in zip(ours.segmentation, theirs.segmentation, strict=True):
                assert part == pytest.approx(other, abs=1e-6)
        elif theirs.segmentation is None:
            assert ours.segmentation is None
        else:
            assert masks.compress(ours.segmentation) == masks.compress(theirs.segmentation)  # type: ignore[arg-type]


def order(data: CocoDataset, annotation: Annotation) -> tuple[str, int]:
    return data.image(annotation.image_id).file_name, annotation.id


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for image in IMAGES:
        (folder / image.file_name).parent.mkdir(parents=True, exist_ok=True)
        PillowImage.new("RGB", (image.width, image.height)).save(folder / image.file_name)
    return folder


# ---------------------------------------------------------------- YOLO


def test_yolo_boxes(tmp_path: Path, pictures: Path) -> None:
    data = dataset(box(1, 5, 3), box(2, 2, 17), box(3, 2, 3))
    assert not write_yolo(data, tmp_path / "out")
    assert_same(read_yolo(tmp_path / "out", pictures, like=data), data)


def test_yolo_outlines(tmp_path: Path, pictures: Path) -> None:
    data = dataset(shaped(1, 5, 3, TRIANGLE), box(2, 5, 17))
    assert not write_yolo(data, tmp_path / "out", outlines=True)
    assert_same(read_yolo(tmp_path / "out", pictures, like=data), data)


def test_yolo_counts_what_it_cannot_hold(tmp_path: Path, pictures: Path) -> None:
    data = dataset(
        shaped(1, 5, 3, TWO_PARTS),
        shaped(2, 5, 3, ring()),
        shaped(3, 5, 3, ring(), iscrowd=True),
        box(4, 5, 3, ignore=True),
    )
    losses = write_yolo(data, tmp_path / "out", outlines=True)
    assert losses == {"masks reduced to boxes": 2, "crowd regions left out": 1, "ignored objects left out": 1}
    assert len(read_yolo(tmp_path / "out", pictures).annotations) == 2


def test_yolo_without_a_dataset_to_take_ids_from(tmp_path: Path, pictures: Path) -> None:
    write_yolo(dataset(box(1, 5, 17)), tmp_path / "out")
    found = read_yolo(tmp_path / "out", pictures)
    assert [(image.id, image.file_name) for image in found.images] == [
        (1, "a.jpg"),
        (2, "day/b.png"),
        (3, "empty.jpg"),
    ]
    assert [(c.id, c.name) for c in found.categories] == [
        (1, "dog"),
        (2, 'röad "sign" & <co>'),
        (3, "unused"),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("9 .5 .5 .1 .1", "class 9 is none of the 3"),
        ("dog .5 .5 .1 .1", "expected a class index"),
        ("0 .5 .5 .1", "expected 4 numbers or at least 3 points, got 3"),
        ("0 5 .5 .1 .1", "coordinates must be fractions"),
        ("0 nan .5 .1 .1", "coordinates must be fractions"),
    ],
)
def test_bad_yolo_labels(line: str, problem: str, tmp_path: Path, pictures: Path) -> None:
    write_yolo(dataset(), tmp_path / "out")
    (tmp_path / "out" / "labels" / "a.txt").write_text("0 .5 .5 .1 .1\n\n" + line)
    with pytest.raises(DataError, match=rf"a\.txt: line 3: {problem}"):
        read_yolo(tmp_path / "out", pictures)


@pytest.mark.parametrize("text", ["names: 3", "names: [a, a]", "names: {0: a, 2: b}", "names: [", "- a"])
def test_bad_yolo_classes(text: str, tmp_path: Path, pictures: Path) -> None:
    write_yolo(dataset(), tmp_path / "out")
    (tmp_path / "out" / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=r"data\.yaml"):
        read_yolo(tmp_path / "out", pictures)


def test_yolo_labels_without_an_image(tmp_path: Path, pictures: Path) -> None:
    write_yolo(dataset(), tmp_path / "out")
    (pictures / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"a\.txt: there is no image"):
        read_yolo(tmp_path / "out", pictures)


# ---------------------------------------------------------------- PASCAL VOC


def test_voc(tmp_path: Path) -> None:
    data = dataset(
        Annotation(1, 5, 3, (0.0, 0.0, 40.0, 20.0), 800.0, extra={"pose": "Left", "truncated": 1}),
        box(2, 5, 17, ignore=True, extra={"pose": "Unspecified", "truncated": 0, "occluded": 1}),
        box(3, 2, 3, extra={"pose": "Unspecified", "truncated": 0}),
    )
    assert not write_voc(data, tmp_path / "out")
    found = read_voc(tmp_path / "out", like=data)
    assert_same(found, data)
    assert [dict(a.extra) for a in found.annotations] == [dict(a.extra) for a in data.annotations]
    text = (tmp_path / "out" / "Annotations" / "a.xml").read_text(encoding="utf-8")
    assert "<xmin>1</xmin>" in text
    assert "<xmax>40</xmax>" in text


def test_voc_counts_what_it_cannot_hold(tmp_path: Path) -> None:
    data = dataset(shaped(1, 5, 3, TRIANGLE), shaped(2, 5, 3, ring(), iscrowd=True))
    assert write_voc(data, tmp_path / "out") == {"masks reduced to boxes": 1, "crowd regions left out": 1}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<annotation>", "<!DOCTYPE a [<!ENTITY b 'c'>]><annotation>", r"document type.*\[xml\]"),
        ("</annotation>", "", r"not XML.*\[xml\]"),
        ("<name>dog</name>", "", "<name> is missing in <object>"),
        ("<xmax>11.25</xmax>", "<xmax>wide</xmax>", "is 'wide', not a number"),
        ("<xmax>11.25</xmax>", "<xmax>nan</xmax>", "is 'nan', not a number"),
        ("<xmax>11.25</xmax>", "<xmax>2</xmax>", r"inside out \[box\]"),
        ("<width>40</width>", "<width>41</width>", r"image a\.jpg: 41x20 pixels here, 40x20"),
    ],
)
def test_bad_voc(old: str, new: str, problem: str, tmp_path: Path) -> None:
    data = dataset(box(1, 5, 3))
    write_voc(data, tmp_path / "out")
    file = tmp_path / "out" / "Annotations" / "a.xml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=problem):
        read_voc(tmp_path / "out", like=data)


# ---------------------------------------------------------------- LabelMe


def test_labelme(tmp_path: Path) -> None:
    data = dataset(
        shaped(1, 5, 3, TRIANGLE),
        shaped(2, 5, 3, TWO_PARTS),
        shaped(3, 5, 17, ring()),
        shaped(4, 5, 3, ring(), iscrowd=True),
        box(5, 2, 3, ignore=True),
        shaped(6, 2, 3, TWO_PARTS),
    )
    assert not write_labelme(data, tmp_path / "out")
    assert_same(read_labelme(tmp_path / "out", like=data), data)


def test_labelme_counts_what_it_cannot_hold(tmp_path: Path) -> None:
    losses = write_labelme(dataset(box(1, 5, 3, extra={"mood": 1})), tmp_path / "out")
    assert losses == {"objects without their further fields": 1}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"shape_type": "circle"}, "type 'circle' with 3 points has no mask"),
        ({"points": [[1, 1], [2, 2]]}, "fewer than 3 points"),
        ({"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "%%%"}, "bad mask"),
        ({"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "aGVsbG8="}, "bad mask"),
        ({"label": 3}, "not a LabelMe file"),
    ],
)
def test_bad_labelme(change: dict[str, object], problem: str, tmp_path: Path) -> None:
    write_labelme(dataset(shaped(1, 5, 3, TRIANGLE)), tmp_path / "out")
    file = tmp_path / "out" / "a.json"
    document = json.loads(file.read_text())
    document["shapes"][0] |= change
    file.write_text(json.dumps(document))
    with pytest.raises(DataError, match=rf"a\.json.*{problem}"):
        read_labelme(tmp_path / "out")


# ---------------------------------------------------------------- CVAT


def test_cvat(tmp_path: Path) -> None:
    data = dataset(
        shaped(10, 5, 3, TRIANGLE, extra={"attributes": {"occluded": True}}),
        shaped(7, 5, 3, TWO_PARTS),
        shaped(8, 2, 17, ring()),
        shaped(9, 2, 3, ring(), iscrowd=True),
        box(11, 2, 3, ignore=True),
    )
    assert not write_cvat(data, tmp_path / "out.json")
    flags = {a["id"]: a["iscrowd"] for a in json.loads((tmp_path / "out.json").read_text())["annotations"]}
    assert flags == {10: 0, 7: 0, 8: 1, 9: 1, 11: 0}
    found = read_cvat(tmp_path / "out.json")
    crowd = replace(data.annotation(9), segmentation=Rle((20, 40), masks.counts(ring())))
    assert found == replace(data, annotations=tuple(crowd if a.id == 9 else a for a in data.annotations))


def test_cvat_numbers_from_one(tmp_path: Path) -> None:
    data = CocoDataset(
        (Image(0, 40, 20, "a.jpg"),), (box(1, 0, 0),), (Category(0, "dog"), Category(4, "cat"))
    )
    assert write_cvat(data, tmp_path / "out.json") == {
        "images numbered anew": 1,
        "categories numbered anew": 2,
    }
    out = json.loads((tmp_path / "out.json").read_text())
    assert [c["id"] for c in out["categories"]] == [1, 2]
    assert read_cvat(tmp_path / "out.json", like=data) == data


def test_cvat_can_be_taken_at_its_word(tmp_path: Path) -> None:
    dataset(shaped(1, 5, 3, ring(), iscrowd=True)).save(tmp_path / "coco.json")
    assert not read_cvat(tmp_path / "coco.json").annotations[0].iscrowd
    assert read_cvat(tmp_path / "coco.json", trust_iscrowd=True).annotations[0].iscrowd


# ---------------------------------------------------------------- all


def test_empty_datasets(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    for number, write in enumerate((write_yolo, write_voc, write_labelme)):
        assert not write(CocoDataset(), tmp_path / str(number))
    assert read_yolo(tmp_path / "0", tmp_path / "none") == CocoDataset()
    assert read_voc(tmp_path / "1") == CocoDataset()
    assert read_labelme(tmp_path / "2") == CocoDataset()
    assert not write_cvat(CocoDataset(), tmp_path / "3.json")
    assert read_cvat(tmp_path / "3.json") == CocoDataset()


@pytest.mark.parametrize("write", [write_yolo, write_voc, write_labelme])
def test_names_that_leave_the_folder_or_collide(write: object, tmp_path: Path) -> None:
    for names, rule in (
        (("../../a.jpg",), "file-name"),
        (("/a.jpg",), "file-name"),
        (("a.jpg", "a.png"), "label-collision"),
    ):
        data = CocoDataset(tuple(Image(i, 4, 4, name) for i, name in enumerate(names)))
        with pytest.raises(DataError, match=rf"\[{rule}\]"):
            write(data, tmp_path / "out")  # type: ignore[operator]
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="exists already"):
        write(CocoDataset(), tmp_path)  # type: ignore[operator]


def test_absent_inputs(tmp_path: Path) -> None:
    for read in (read_voc, read_labelme, read_cvat):
        with pytest.raises(UsageError, match="absent"):
            read(tmp_path / "absent")
    with pytest.raises(UsageError, match=r"data\.yaml"):
        read_yolo(tmp_path / "absent", tmp_path)
