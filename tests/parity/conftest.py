"""Random datasets with everything that makes evaluators disagree, and the reference to compare with."""

from __future__ import annotations

import copy
import io
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pycocotools", reason="the reference evaluator is an optional extra")

from pycocotools import mask as reference_masks
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

H, W = 60, 80


class Case:
    """A dataset and detections, as the content of their files.

    Boxes lie on a grid (equal overlaps), scores have one decimal (ties); there are crowds, images without
    objects or detections, categories without either, id 0 everywhere, and detections of a category that
    does not exist.
    """

    def __init__(self, seed: int, kind: str) -> None:
        self.rng, self.kind = np.random.default_rng(seed), kind
        self.grid = float(self.rng.choice([1, 0.25, 10]))
        image_ids = self.rng.choice(40, self.rng.integers(0, 6), replace=False)
        self.category_ids = [int(i) for i in self.rng.choice(12, self.rng.integers(1, 5), replace=False)]
        self.images = [{"id": int(i), "width": W, "height": H, "file_name": f"{i}.jpg"} for i in image_ids]
        self.annotations: list[dict[str, Any]] = []
        self.detections: list[dict[str, Any]] = []
        for image in self.images:
            for _ in range(self.rng.choice([0, 1, 3, 8, 15])):
                self.annotations.append(self.annotation(image["id"]))
            for _ in range(self.rng.choice([0, 1, 5, 20, 60])):
                self.detections.append(self.detection(image["id"]))

    @property
    def dataset(self) -> dict[str, Any]:
        categories = [{"id": i, "name": f"c{i}", "supercategory": ""} for i in self.category_ids]
        return {"images": self.images, "annotations": self.annotations, "categories": categories}

    def box(self) -> list[float]:
        low, high = np.array([0, 0, 1, 1]), np.array([50, 40, 40, 30])
        box = np.round(self.rng.uniform(low, high) / self.grid) * self.grid
        box[2:] = np.maximum(box[2:], self.grid)
        return [float(v) for v in box]

    def polygon(self, box: list[float]) -> list[list[float]]:
        x, y, w, h = box
        return [[x, y, x + w, y, x + w, y + h, x, y + h * float(self.rng.choice([0.3, 0.7, 1]))]]

    def annotation(self, image_id: int) -> dict[str, Any]:
        box = self.box()
        return {
            "id": len(self.annotations),
            "image_id": image_id,
            "category_id": int(self.rng.choice(self.category_ids)),
            "bbox": box,
            "area": box[2] * box[3] * float(self.rng.choice([1, 0.6, 2, 20])),
            "iscrowd": int(self.rng.random() < 0.2),
            "segmentation": self.polygon(box),
        }

    def detection(self, image_id: int) -> dict[str, Any]:
        box, category = self.box(), int(self.rng.choice([*self.category_ids, 77]))
        near = [a for a in self.annotations if a["image_id"] == image_id]
        if near and self.rng.random() < 0.7:
            source = near[self.rng.integers(len(near))]
            shift = self.rng.choice([0, 0, self.grid, -self.grid], 4)
            box = [float(max(v + d, self.grid)) for v, d in zip(source["bbox"], shift, strict=True)]
            category = source["category_id"]
        found: dict[str, Any] = {
            "image_id": image_id,
            "category_id": category,
            "score": float(np.round(self.rng.random(), 1)),
        }
        if self.kind == "bbox":
            return found | {"bbox": box}
        rle = reference_masks.merge(reference_masks.frPyObjects(self.polygon(box), H, W))
        return found | {"segmentation": {"size": rle["size"], "counts": rle["counts"].decode()}}


def reference_curves(case: Case, **settings: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and scores of pycocotools. Its objects get ids from 1 on: it takes a match with the
    object of id 0 for none, which is a mistake and not to be matched.
    """
    dataset = copy.deepcopy(case.dataset)
    for number, annotation in enumerate(dataset["annotations"], 1):
        annotation["id"] = number
    with redirect_stdout(io.StringIO()):
        truth, found = COCO(), COCO()
        truth.dataset = dataset
        truth.createIndex()
        if case.detections:
            found = truth.loadRes(copy.deepcopy(case.detections))
        else:
            found.dataset = dataset | {"annotations": []}
            found.createIndex()
        evaluator = COCOeval(truth, found, case.kind)
        for name, value in settings.items():
            setattr(evaluator.params, name, value)
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator.eval["precision"], evaluator.eval["recall"], evaluator.eval["scores"]


@pytest.fixture(scope="session")
def make_case() -> type[Case]:
    return Case


@pytest.fixture(scope="session")
def reference() -> Any:
    return reference_curves
