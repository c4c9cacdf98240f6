"""Releases: the same bytes, the promised rules, and nothing half-written."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amidst.coco import masks
from amidst.coco.dataset import CocoDataset
from amidst.coco.records import Annotation, Category, Image, Rle
from amidst.curation.release import Caption, ReleaseSettings, pack, release, verify
from amidst.errors import DataError, UsageError

SQUARE = ((1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0, 1.0),)


def ring() -> Rle:
    """A 6 x 6 square with a hole, as uncompressed RLE in a 10 x 12 image."""
    pixels = np.zeros((10, 12), np.uint8)
    pixels[2:8, 3:9] = 1
    pixels[4:6, 5:7] = 0
    packed = masks.encode(pixels[None])[0]
    return Rle(packed.size, masks.counts(packed))


def dataset() -> CocoDataset:
    images = (
        Image(7, 12, 10, "b/x.jpg", 4, {"photographer": "ann", "date_captured": "2014-05-01"}),
        Image(0, 12, 10, "a.jpg"),
        Image(10**9, 12, 10, "empty.jpg"),
        Image(3, 12, 10, "test.jpg"),
    )
    annotations = (
        Annotation(9, 7, 90, (0, 0, 1, 1), 1.0, segmentation=SQUARE, extra={"z": 1, "a": 2}),
        Annotation(2, 7, 1, (0, 0, 1, 1), 1.0, segmentation=ring()),
        Annotation(4, 0, 1, (0, 0, 1, 1), 1.0, iscrowd=True, segmentation=ring()),
        Annotation(5, 0, 1, (2.5, 2.5, 3.0, 2.0), 6.0),
        Annotation(6, 3, 1, (2.5, 2.5, 3.0, 2.0), 6.0),
    )
    categories = (Category(90, "tooth brush", "indoor"), Category(1, "Ünit " + "x" * 200))
    return CocoDataset(images, annotations, categories, {"year": 2014}, ({"id": 4, "name": "cc-by"},))


SPLITS = {7: "train", 0: "train", 10**9: "train", 3: "test"}
SETTINGS = ReleaseSettings(name="tiny", version="1.0", hidden=("test",))
CAPTIONS = (Caption(2, 7, "A thing."), Caption(1, 0, "Zwei Dinge – schön"), Caption(3, 3, "hidden"))


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_nothing_to_release(tmp_path: Path) -> None:
    release(CocoDataset(), {}, tmp_path / "out")
    assert set(files(tmp_path / "out")) == {"manifest.json", "SHA256SUMS"}


def test_what_is_written(tmp_path: Path) -> None:
    release(dataset(), SPLITS, tmp_path / "out", SETTINGS, captions=CAPTIONS)
    written = files(tmp_path / "out")
    assert set(written) == {
        "annotations/instances_train.json",
        "annotations/captions_train.json",
        "annotations/image_info_test.json",
        "manifest.json",
        "SHA256SUMS",
    }
    train = CocoDataset.load(tmp_path / "out" / "annotations" / "instances_train.json")
    assert [image.id for image in train.images] == [0, 7, 10**9]
    assert [category.id for category in train.categories] == [1, 90]
    assert train.image(7).extra == {"date_captured": "2014-05-01", "photographer": "ann"}
    single, crowd, box, polygon = (train.annotation(i) for i in (2, 4, 5, 9))
    assert (single.iscrowd, crowd.iscrowd) == (False, True)
    assert isinstance(single.segmentation, Rle)
    assert isinstance(single.segmentation.counts, str)
    assert isinstance(crowd.segmentation, Rle)
    assert isinstance(crowd.segmentation.counts, tuple)
    assert (single.area, single.bbox_xywh) == (32.0, (3, 2, 6, 6))  # the hole is not filled
    assert np.array_equal(
        masks.decode([masks.from_segmentation(single.segmentation, (10, 12))]),
        masks.decode([masks.compress(ring())]),
    )
    assert polygon.segmentation == SQUARE
    assert (polygon.area, polygon.bbox_xywh) == (16.0, (1, 1, 4, 4))
    assert (box.segmentation, box.bbox_xywh) == (None, (2.5, 2.5, 3.0, 2.0))
    hidden = json.loads(written["annotations/image_info_test.json"])
    assert hidden["annotations"] == []
    assert [image["id"] for image in hidden["images"]] == [3]
    assert hidden["info"] == {"year": 2014, "description": "tiny", "version": "1.0", "split": "test"}
    captions = json.loads(written["annotations/captions_train.json"])
    assert [c["id"] for c in captions["annotations"]] == [1, 2]
    assert "categories" not in captions
    assert b"hidden" not in b"".join(written.values())


def test_the_same_bytes_from_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release(dataset(), SPLITS, tmp_path / "one" / "r", SETTINGS, captions=CAPTIONS)
    data = dataset()
    shuffled = CocoDataset(
        tuple(replace(i, extra=dict(reversed(i.extra.items()))) for i in data.images[::-1]),
        tuple(replace(a, extra=dict(reversed(a.extra.items()))) for a in data.annotations[::-1]),
        data.categories[::-1],
        data.info,
        data.licenses,
    )
    shuffled.save(tmp_path / "shuffled.json")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    again = CocoDataset.load(tmp_path / "shuffled.json")
    release(again, dict(reversed(SPLITS.items())), tmp_path / "two" / "r", SETTINGS, captions=CAPTIONS[::-1])
    assert files(tmp_path / "one" / "r") == files(tmp_path / "two" / "r")


def test_releasing_a_release_changes_nothing(tmp_path: Path) -> None:
    release(dataset(), {7: "train", 0: "train"}, tmp_path / "a")
    again = CocoDataset.load(tmp_path / "a" / "annotations" / "instances_train.json")
    release(again, {7: "train", 0: "train"}, tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_checksums_and_their_verification(tmp_path: Path) -> None:
    sums = release(dataset(), SPLITS, tmp_path / "out", SETTINGS)
    for name, digest in sums.items():
        assert hashlib.sha256((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    assert verify(tmp_path / "out") == ()
    file = tmp_path / "out" / "annotations" / "image_info_test.json"
    file.write_bytes(file.read_bytes() + b" ")
    (tmp_path / "out" / "manifest.json").unlink()
    assert verify(tmp_path / "out") == ("annotations/image_info_test.json", "manifest.json")
    with pytest.raises(UsageError, match="is no release"):
        verify(tmp_path)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_archives_are_reproducible(suffix: str, tmp_path: Path) -> None:
    release(dataset(), SPLITS, tmp_path / "r", SETTINGS)
    first = pack(tmp_path / "r", tmp_path / f"a{suffix}")
    for file in (tmp_path / "r").rglob("*"):
        os.utime(file, (1e9, 1e9))
        file.chmod(0o700)
    assert pack(tmp_path / "r", tmp_path / f"b{suffix}") == first
    if suffix == ".zip":
        with zipfile.ZipFile(tmp_path / "a.zip") as archive:
            names = archive.namelist()
    else:
        with tarfile.open(tmp_path / f"a{suffix}") as archive:
            names = archive.getnames()
    assert "r/manifest.json" in names
    assert len(names) == 4


def test_archives_of_another_kind(tmp_path: Path) -> None:
    release(dataset(), SPLITS, tmp_path / "r", SETTINGS)
    with pytest.raises(UsageError, match=r"is \.zip, \.tar"):
        pack(tmp_path / "r", tmp_path / "a.rar")
    with pytest.raises(UsageError, match="is no release"):
        pack(tmp_path, tmp_path / "a.zip")


def test_settings_keep_boxes_or_drop_polygons(tmp_path: Path) -> None:
    release(dataset(), SPLITS, tmp_path / "a", ReleaseSettings(measure=False))
    kept = CocoDataset.load(tmp_path / "a" / "annotations" / "instances_train.json").annotation(9)
    assert (kept.bbox_xywh, kept.area) == ((0, 0, 1, 1), 1.0)
    release(dataset(), SPLITS, tmp_path / "b", ReleaseSettings(polygons=False))
    packed = CocoDataset.load(tmp_path / "b" / "annotations" / "instances_train.json").annotation(9)
    assert packed.segmentation == masks.from_polygons(SQUARE, (10, 12))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"images": (Image(7, 12, 10, "/root/x.jpg"),), "annotations": ()}, "file-name"),
        ({"images": (Image(7, 12, 10, "../x.jpg"),), "annotations": ()}, "file-name"),
        (
            {"annotations": (Annotation(1, 7, 1, (0, 0, 1, 1), 1.0, segmentation=Rle((3, 3), (9,))),)},
            "mask-size",
        ),
        (
            {"annotations": (Annotation(1, 7, 1, (0, 0, 1, 1), 1.0, segmentation=Rle((10, 12), (120,))),)},
            "empty-mask",
        ),
        ({"annotations": (Annotation(1, 7, 1, (0, 0, -5, 1), 1.0),)}, "box"),
    ],
)
def test_bad_records_refuse_the_release(change: dict[str, object], rule: str, tmp_path: Path) -> None:
    data = replace(dataset(), **{"annotations": ()} | change)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"(image 7|annotation 1)") as caught:
        release(data, {7: "train"}, tmp_path / "out")
    assert rule in caught.value.rule
    assert list(tmp_path.iterdir()) == []


def test_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        release(dataset(), SPLITS, tmp_path)
    with pytest.raises(UsageError, match="cannot be called 'a/b'"):
        release(dataset(), {7: "a/b"}, tmp_path / "out")
    with pytest.raises(UsageError, match="hidden split 'test' has no images"):
        release(dataset(), {7: "train"}, tmp_path / "out", SETTINGS)
    for captions, rule in (
        ((Caption(1, 7, "a"), Caption(1, 0, "b")), "duplicate-id"),
        ((Caption(1, 7, " "),), "empty-caption"),
        ((Caption(1, 99, "a"),), "unknown-image"),
    ):
        with pytest.raises(DataError, match=rf"caption 1: .*\[{rule}\]"):
            release(dataset(), SPLITS, tmp_path / "out", captions=captions)


def test_a_crash_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("amidst.curation.release.write_atomically", fail)
    with pytest.raises(OSError, match="No space"):
        release(dataset(), SPLITS, tmp_path / "out", SETTINGS)
    assert list(tmp_path.iterdir()) == []
