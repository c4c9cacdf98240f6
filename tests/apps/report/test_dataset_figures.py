"""The sheet of the five figures is drawn for any dataset, reproducibly."""

from __future__ import annotations

from pathlib import Path

import pytest

from amidst.coco import Annotation, Category, CocoDataset, Image
from amidst.curation.statistics import statistics
from amidst.errors import UsageError

pytest.importorskip("matplotlib", reason="figures need the extra: report")

from amidst.apps.report.dataset_figures import dataset_figure
from amidst.apps.report.figure_style import new_figure, save_figure

ONE = CocoDataset(
    images=(Image(1, 100, 100, "a.jpg"),),
    categories=(Category(1, "dog"), Category(2, "cat")),
    annotations=(Annotation(1, 1, 1, (0, 0, 10, 10), 100.0),),
)


def test_no_dataset_is_refused() -> None:
    with pytest.raises(UsageError):
        dataset_figure([])


def test_an_empty_dataset_is_drawn(tmp_path: Path) -> None:
    save_figure(dataset_figure([statistics(CocoDataset(), "empty")]), tmp_path / "empty.svg")
    assert (tmp_path / "empty.svg").read_bytes().startswith(b"<?xml")


def test_all_five_figures_with_the_references() -> None:
    sheet = dataset_figure([statistics(ONE, "first"), statistics(ONE, "second")])
    titles = [axes.get_title(loc="left") for axes in sheet.axes]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)", "(d)", "(e)"]
    words = " ".join(text.get_text() for axes in sheet.axes for text in axes.texts)
    for name in ("COCO", "ImageNet", "PASCAL VOC", "SUN"):
        assert name in words


def test_equal_figures_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save_figure(dataset_figure([statistics(ONE, "first")]), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with new_figure(1, 1) as figure, pytest.raises(UsageError, match=r"\.svg"):
        save_figure(figure, tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())
