"""The bundled sample keeps what its attribution promises, and its annotations fit its photographs."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amidst.data import sample_dir

SPLITS = ("train", "val")
REDISTRIBUTABLE = {4, 5, 7, 8}


@cache
def coco(split: str) -> dict[str, Any]:
    return json.loads((sample_dir() / "annotations" / f"{split}.json").read_text())


def with_people(split: str) -> set[int]:
    return {a["image_id"] for a in coco(split)["annotations"] if a["category_id"] == 1}


def test_size_and_count() -> None:
    files = [path for path in sample_dir().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 6_000_000
    assert 60 <= sum(len(coco(split)["images"]) for split in SPLITS) <= 100


def test_splits_share_nothing_and_cover_the_folder() -> None:
    names = [{i["file_name"] for i in coco(split)["images"]} for split in SPLITS]
    assert not names[0] & names[1]
    assert names[0] | names[1] == {path.name for path in (sample_dir() / "images").iterdir()}
    ids = [{a["id"] for a in coco(split)["annotations"]} for split in SPLITS]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize("split", SPLITS)
def test_both_splits_show_people_and_more_than_people(split: str) -> None:
    images = {i["id"] for i in coco(split)["images"]}
    assert len(with_people(split)) >= len(images) / 2
    assert len(images - with_people(split)) >= len(images) / 4
    assert images - {a["image_id"] for a in coco(split)["annotations"]}, "an image without objects"
    assert len(coco(split)["categories"]) == 80


@pytest.mark.parametrize("split", SPLITS)
def test_licences_allow_passing_on(split: str) -> None:
    assert {i["license"] for i in coco(split)["images"]} <= REDISTRIBUTABLE
    names = {licence["id"]: licence["name"] for licence in coco(split)["licenses"]}
    assert not any("NonCommercial" in names[i["license"]] for i in coco(split)["images"])


def test_every_photograph_is_attributed_once() -> None:
    text = (sample_dir() / "ATTRIBUTION.md").read_text()
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| 0")}
    for split in SPLITS:
        licences = {licence["id"]: licence["name"] for licence in coco(split)["licenses"]}
        for image in coco(split)["images"]:
            row = rows.pop(image["file_name"])
            assert image["flickr_url"].removeprefix("http://") in row
            assert licences[image["license"]] in row
            assert f"| {split} |" in row
            assert re.search(r"photo\.gne\?id=\d+", row)
    assert not rows


@pytest.mark.parametrize("split", SPLITS)
def test_photographs_are_as_recorded(split: str) -> None:
    for image in coco(split)["images"]:
        with Image.open(sample_dir() / "images" / image["file_name"]) as photograph:
            assert photograph.size == (image["width"], image["height"])
            assert max(photograph.size) <= 480
            assert not photograph.getexif()


def mask_of(counts: list[int], size: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(counts)) % 2, counts).reshape(size, order="F").astype(bool)


@pytest.mark.parametrize("split", SPLITS)
def test_annotations_lie_inside_and_agree(split: str) -> None:
    images = {i["id"]: i for i in coco(split)["images"]}
    crowds = 0
    for annotation in coco(split)["annotations"]:
        width, height = images[annotation["image_id"]]["width"], images[annotation["image_id"]]["height"]
        x, y, w, h = annotation["bbox"]
        assert min(x, y) >= 0
        assert min(w, h) > 0
        assert x + w <= width + 1e-6
        assert y + h <= height + 1e-6
        assert 0 < annotation["area"] <= (w + 0.02) * (h + 0.02)
        if annotation["iscrowd"]:
            crowds += 1
            mask = mask_of(annotation["segmentation"]["counts"], annotation["segmentation"]["size"])
            assert mask.shape == (height, width)
            assert mask.sum() == annotation["area"]
            ys, xs = np.nonzero(mask)
            assert [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1] == annotation["bbox"]
        else:
            points = np.concatenate([np.reshape(ring, (-1, 2)) for ring in annotation["segmentation"]])
            outer = [*points.min(0), *points.max(0)]
            np.testing.assert_allclose([x, y, x + w, y + h], outer, atol=0.02)
    assert crowds >= 2
