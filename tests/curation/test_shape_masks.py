"""The shape-mask baseline: exact on rectangles, nearly on ellipses; clusters and orientation as specified."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image, Results
from amidst.curation.pasting import ellipse, full_box, place, truth_as_results
from amidst.curation.shape_files import load_shapes, save_shapes
from amidst.curation.shape_masks import ShapeConfig, ShapeMasks, align, cluster_bounds, fit
from amidst.curation.shape_study import ORACLE, compare_shapes
from amidst.errors import DataError, UsageError

SIZES = [(w, h) for w in (24, 60, 97, 140) for h in (30, 61, 90, 150)]


def outline(kind: str, x: float, y: float, w: float, h: float) -> tuple[float, ...]:
    if kind == "rectangle":
        return (x, y, x + w, y, x + w, y + h, x, y + h)
    if kind == "triangle":  # its right angle at the lower left
        return (x, y, x + w, y + h, x, y + h)
    if kind == "mirrored triangle":
        return (x + w, y, x + w, y + h, x, y + h)
    angles = [2 * math.pi * k / 72 for k in range(72)]
    points = [(x + w / 2 * (1 + math.cos(a)), y + h / 2 * (1 + math.sin(a))) for a in angles]
    return tuple(v for point in points for v in point)


def drawn(*kinds: str) -> CocoDataset:
    """Each kind in every size, one object an image."""
    images, annotations = [], []
    for n, (kind, (w, h)) in enumerate((kind, size) for kind in kinds for size in SIZES):
        images.append(Image(n, 200, 200, f"{n}.png"))
        part = outline(kind, 20, 30, w, h)
        annotations.append(Annotation(n, n, 4, (20, 30, w, h), w * h, segmentation=(part,)))
    return CocoDataset(tuple(images), tuple(annotations), (Category(4, "thing"), Category(5, "absent")))


def oracle_iou(dataset: CocoDataset, **shapes: object) -> dict[str, float]:
    rows = compare_shapes(dataset, truth_as_results(dataset), shapes)  # type: ignore[arg-type]
    return {row.shape: row.quality.mean_of_objects or 0.0 for row in rows if row.boxes == ORACLE}


def test_nothing_to_learn_from_fills_the_box() -> None:
    shapes = fit(CocoDataset())
    assert dict(shapes.components) == {}
    assert shapes(4, place((2, 3, 5, 6), (20, 20))).all()


def test_objects_without_masks_and_crowds_are_passed_over() -> None:
    dataset = CocoDataset(
        (Image(1, 50, 50, "a"),),
        (
            Annotation(1, 1, 4, (0, 0, 20, 20), 400),
            Annotation(2, 1, 4, (0, 0, 20, 20), 400, True, segmentation=((0, 0, 20, 0, 20, 20),)),
        ),
        (Category(4, "thing"),),
    )
    assert dict(fit(dataset).components) == {}


def test_rectangles_are_exact() -> None:
    dataset = drawn("rectangle")
    assert oracle_iou(dataset, learnt=fit(dataset), full=full_box) == {"learnt": 1.0, "full": 1.0}


def test_ellipses_are_nearly_exact_and_the_full_box_is_not() -> None:
    dataset = drawn("ellipse")
    found = oracle_iou(dataset, learnt=fit(dataset), prior=ellipse, full=full_box)
    assert found["learnt"] > 0.97
    assert found["prior"] > 0.97
    assert found["full"] == pytest.approx(math.pi / 4, abs=0.02)


def test_mirror_images_are_aligned() -> None:
    dataset = drawn("triangle", "triangle", "mirrored triangle")
    shapes = fit(dataset, ShapeConfig(clusters=1))
    (component,) = shapes.components[4]
    assert min(component.mirrored_share, 1 - component.mirrored_share) == pytest.approx(1 / 3)
    assert oracle_iou(drawn("triangle"), learnt=shapes)["learnt"] > 0.93  # the more frequent orientation
    (blurred,) = fit(dataset, ShapeConfig(clusters=1, orientation=False)).components[4]

    def undecided(map_: np.ndarray) -> float:
        return float(((map_ > 0.2) & (map_ < 0.8)).mean())

    assert undecided(component.probability) < 0.1
    assert undecided(blurred.probability) > 0.4


def test_align_by_hand() -> None:
    left = np.array([[1, 0, 0]], np.float32)
    stack = np.stack([left, left, left[:, ::-1]])
    assert align(stack).tolist() == [False, False, True]
    assert align(np.ones((3, 2, 2), np.float32)).tolist() == [False] * 3


def test_clusters_hold_equal_counts() -> None:
    aspects = np.arange(100, dtype=float)[::-1]
    assert cluster_bounds(aspects, 3, 20).tolist() == [0, 34, 67]
    assert cluster_bounds(aspects[:59], 3, 20).tolist() == [41, 71]  # two clusters of 59
    assert cluster_bounds(aspects[:5], 3, 20).tolist() == [95]


def test_the_component_is_the_one_of_the_aspect() -> None:
    dataset = drawn("rectangle")
    shapes = fit(dataset, ShapeConfig(least_per_cluster=4))
    lows = [component.low for component in shapes.components[4]]
    assert len(lows) == 3
    assert sum(component.count for component in shapes.components[4]) == len(SIZES)
    for aspect, expected in ((0.01, 0), (lows[1], 1), (lows[2] - 1e-9, 1), (99.0, 2), (math.inf, 2)):
        assert shapes.component(4, aspect) is shapes.components[4][expected]
    assert shapes.component(5, 1.0) is None


def test_a_tuned_threshold_is_at_least_as_good_on_the_training_masks() -> None:
    dataset = drawn("triangle", "ellipse", "rectangle")
    plain, tuned = fit(dataset), fit(dataset, ShapeConfig(tune_threshold=True))
    found = oracle_iou(dataset, plain=plain, tuned=tuned)
    assert found["tuned"] >= found["plain"] - 0.01


def test_small_objects_are_learnt_from_only_where_there_are_no_others() -> None:
    small = Annotation(90, 0, 4, (0, 0, 4, 4), 16, segmentation=((0, 0, 4, 0, 4, 4, 0, 4),))
    large = drawn("rectangle")
    alone = CocoDataset(large.images, (small,), large.categories)
    both = CocoDataset(large.images, (*large.annotations, small), large.categories)
    assert fit(alone).components[4][0].count == 1
    assert sum(c.count for c in fit(both).components[4]) == len(SIZES)
    assert sum(c.count for c in fit(large, ShapeConfig(most_per_category=5)).components[4]) == 5


def test_a_broken_mask_is_named() -> None:
    broken = Annotation(17, 1, 4, (0, 0, 20, 20), 400, segmentation=((0.0, 0.0, 5.0),))
    with pytest.raises(DataError, match="annotation 17"):
        fit(CocoDataset((Image(1, 50, 50, "a"),), (broken,), (Category(4, "thing"),)))


def test_files_give_back_what_was_saved(tmp_path: Path) -> None:
    shapes = fit(drawn("triangle"), ShapeConfig(least_per_cluster=4))
    save_shapes(shapes, tmp_path / "shapes.npz")
    again = load_shapes(tmp_path / "shapes.npz")
    assert again.names == {4: "thing"}
    for ours, theirs in zip(shapes.components[4], again.components[4], strict=True):
        assert (ours.low, ours.count, ours.mirrored_share, ours.threshold) == (
            theirs.low,
            theirs.count,
            theirs.mirrored_share,
            theirs.threshold,
        )
        assert np.array_equal(ours.probability, theirs.probability)
    save_shapes(ShapeMasks({}), tmp_path / "none.npz")
    assert dict(load_shapes(tmp_path / "none.npz").components) == {}


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        load_shapes(tmp_path / "missing.npz")
    (tmp_path / "text.npz").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"text\.npz"):
        load_shapes(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(DataError, match="shape masks"):
        load_shapes(tmp_path / "other.npz")


def test_the_study_compares_all_shapes_on_the_same_detections() -> None:
    dataset = drawn("ellipse")
    one = Results(np.array([0]), np.array([4]), np.ones(1), np.array([[20.0, 30, *SIZES[0]]]))
    rows = compare_shapes(dataset, one, {"full": full_box, "ellipse": ellipse})
    assert [(row.shape, row.boxes, row.quality.found) for row in rows] == [
        ("full", "detected", 1),
        ("ellipse", "detected", 1),
        ("full", "oracle", len(SIZES)),
        ("ellipse", "oracle", len(SIZES)),
    ]
