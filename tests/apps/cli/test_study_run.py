"""What a study says about its data."""

from __future__ import annotations

from amidst.apps.cli.study_run import data_notes
from amidst.coco import Annotation, Category, CocoDataset, Image

CAT, YAK = Category(1, "cat"), Category(2, "yak")


def dataset(*annotations: Annotation) -> CocoDataset:
    return CocoDataset((Image(1, 500, 500, "a"),), annotations, (CAT, YAK))


def of(key: int, category: Category, area: float, *, crowd: bool = False) -> Annotation:
    return Annotation(key, 1, category.id, (0, 0, 50, 50), area, iscrowd=crowd)


def test_no_objects_at_all() -> None:
    notes = " ".join(data_notes(None, CocoDataset()))
    assert all(f"no {what}" in notes for what in ("objects at all", "small", "medium", "large"))


def test_sizes_and_categories_without_objects() -> None:
    val = dataset(of(1, CAT, 100), of(2, CAT, 2000), of(3, YAK, 1e5, crowd=True))
    notes = data_notes(dataset(of(1, YAK, 100)), val)
    assert len(notes) == 3
    assert "no large objects" in notes[0]  # the crowd does not count
    assert "validation data has no object of yak" in notes[1]
    assert "training data has no object of cat" in notes[2]


def test_data_that_can_tell_everything_needs_no_notes() -> None:
    full = dataset(of(1, CAT, 100), of(2, CAT, 2000), of(3, YAK, 1e5))
    assert data_notes(full, full) == ()
