"""Error types: by hand, and on random sets against the text of the specification, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.errors import DataError
from amidst.evaluation.diagnosis import AREAS, CURVES, RECALLS, diagnose, to_builtins

MakeSet = Callable[..., tuple[CocoDataset, Results]]
Iou = Callable[..., float]

CAT, DOG, CAR = Category(1, "cat", "animal"), Category(2, "dog", "animal"), Category(3, "car", "vehicle")


def results(*records: tuple[int, int, tuple[float, ...], float]) -> Results:
    image_ids, category_ids, boxes, scores = zip(*records, strict=True) if records else ((), (), (), ())
    return Results(
        np.array(image_ids, np.int64),
        np.array(category_ids, np.int64),
        np.array(scores, float),
        np.array(boxes, float).reshape(-1, 4),
    )


def one_image(*annotations: Annotation) -> CocoDataset:
    return CocoDataset((Image(1, 500, 500, "a"),), annotations, (CAT, DOG, CAR))


def test_nothing_at_all() -> None:
    found = diagnose(CocoDataset(), Results.empty())
    assert found.ap() == dict.fromkeys(CURVES)
    assert found.curve().shape == (len(CURVES), 0)
    assert json.loads(json.dumps(to_builtins(found)))["areas"]["all"]["overall"]["BG"] is None


def test_objects_without_detections_are_all_missed() -> None:
    found = diagnose(one_image(Annotation(1, 1, 1, (0, 0, 50, 50), 2500)), Results.empty())
    assert found.ap() == {"C75": 0, "C50": 0, "Loc": 0, "Sim": 0, "Oth": 0, "BG": 0, "FN": 1}
    assert found.ap("small") == dict.fromkeys(CURVES)


def test_each_kind_of_error_by_hand() -> None:
    """One object of each category, one correct detection, before it one error of each kind."""
    dataset = one_image(
        Annotation(1, 1, 1, (0, 0, 50, 50), 2500),
        Annotation(2, 1, 2, (100, 0, 50, 50), 2500),
        Annotation(3, 1, 3, (200, 0, 50, 50), 2500),
        Annotation(4, 1, 1, (0, 300, 50, 50), 2500),
    )
    found = diagnose(
        dataset,
        results(
            (1, 1, (100, 0, 50, 50), 0.9),  # a cat where a dog is: similar
            (1, 1, (200, 0, 50, 50), 0.8),  # a cat where a car is: other
            (1, 1, (400, 400, 50, 50), 0.7),  # background
            (1, 1, (25, 0, 50, 50), 0.6),  # IoU 1/3 with the first cat: localisation
        ),
    )
    ap = found.ap("all", {1})
    half = 51 / 101  # recalls 0 to .5 of two cats
    assert ap["C75"] == ap["C50"] == 0
    assert ap["Loc"] == pytest.approx(half * 1 / 4)
    assert ap["Sim"] == pytest.approx(half * 1 / 3)
    assert ap["Oth"] == pytest.approx(half * 1 / 2)
    assert ap["BG"] == pytest.approx(half)
    assert ap["FN"] == 1


def test_a_double_detection_stays_an_error_until_background_is_forgiven() -> None:
    dataset = one_image(
        Annotation(1, 1, 1, (0, 0, 50, 50), 2500), Annotation(2, 1, 1, (100, 0, 50, 50), 2500)
    )
    found = diagnose(
        dataset,
        results((1, 1, (0, 0, 50, 50), 0.9), (1, 1, (0, 0, 50, 49), 0.8), (1, 1, (100, 0, 50, 50), 0.7)),
    )
    ap = found.ap("all", {1})
    assert ap["Loc"] == ap["Oth"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert ap["BG"] == 1


def test_detections_of_unknown_images_are_refused() -> None:
    with pytest.raises(DataError, match="image 7"):
        diagnose(one_image(), results((7, 1, (0, 0, 1, 1), 0.5)))


def plain_curve(
    plain_iou: Iou, dataset: CocoDataset, found: Results, category: Category, curve: str, area: str
) -> list[float]:
    """The specification, literally: one category, one IoU, one area range."""
    threshold = {"C75": 0.75, "C50": 0.5}.get(curve, 0.1)
    low, high = AREAS[area]
    outcomes, objects = [], 0
    for image in sorted(dataset.images, key=lambda image: image.id):
        truths = []
        for a in dataset.annotations_of(image.id):
            other = next(c for c in dataset.categories if c.id == a.category_id)
            own = a.category_id == category.id
            kin = own or (other.supercategory == category.supercategory != "")
            if own or (curve == "Sim" and kin) or curve in ("Oth", "BG"):
                ignored = not own or a.iscrowd or a.ignore or a.area < low or a.area > high
                truths.append((ignored, a))
        truths.sort(key=lambda pair: pair[0])
        objects += sum(not ignored for ignored, _ in truths)
        rows = [
            n
            for n in range(len(found))
            if found.image_ids[n] == image.id and found.category_ids[n] == category.id
        ]
        rows.sort(key=lambda n: -found.scores[n])
        used: set[int] = set()
        for n in rows[:100]:
            at = tuple(found.boxes_xywh[n].tolist())  # type: ignore[index]
            best, match = threshold, None
            for g, (ignored, a) in enumerate(truths):
                if g in used and not a.iscrowd:
                    continue
                if match is not None and not truths[match][0] and ignored:
                    break
                iou = plain_iou(at, a.bbox_xywh, a.iscrowd)
                if iou >= best:
                    best, match = iou, g
            if match is not None:
                used.add(match)
                if not truths[match][0]:
                    outcomes.append((found.scores[n], True))
            elif low <= at[2] * at[3] <= high:
                outcomes.append((found.scores[n], False))
    if not objects:
        return [-1.0] * len(RECALLS)
    outcomes.sort(key=lambda pair: -pair[0])
    points, hits = [], 0
    for count, (_, hit) in enumerate(outcomes, start=1):
        hits += hit
        points.append((hits / objects, hits / count))
    curve_ = [max((p for r, p in points if r >= recall), default=0.0) for recall in RECALLS.tolist()]
    return [float(p > 0) for p in curve_] if curve == "BG" else curve_


@pytest.mark.parametrize("seed", range(100))
def test_random_sets_against_the_specification(seed: int, random_set: MakeSet, plain_iou: Iou) -> None:
    dataset, found = random_set(seed)
    ours = diagnose(dataset, found)
    for k, category in enumerate(ours.categories):
        for a, area in enumerate(ours.areas):
            for v, curve in enumerate(CURVES[:-1]):
                expected = plain_curve(plain_iou, dataset, found, category, curve, area)
                np.testing.assert_allclose(ours.precision[v, :, k, a], expected, atol=1e-12)


def test_curves_only_rise(shared_data: Path) -> None:
    dataset = CocoDataset.load(shared_data / "coco_mini/annotations/instances_val2017_mini.json")
    folder = shared_data / "detections"
    found = Results.load(folder / "yolox_nano_coco_mini_val2017_bbox_results.json")
    expected = json.loads(
        (folder / "yolox_nano_coco_mini_val2017_bbox_results_expected_pycocotools.json").read_text()
    )
    ours = diagnose(dataset, found, areas={"all": AREAS["all"]})
    ap = ours.ap()
    values = [ap[name] for name in CURVES]
    assert values == sorted(values, key=lambda value: value or 0.0)
    numbers = expected["stats"] if "stats" in expected else list(expected.values())
    assert ap["C50"] == pytest.approx(float(np.ravel(numbers)[1]), abs=1e-6)
    assert ap["C75"] == pytest.approx(float(np.ravel(numbers)[2]), abs=1e-6)
