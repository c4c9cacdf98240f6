"""The figures of worker quality are drawn for any crowd, reproducibly."""

from __future__ import annotations

from pathlib import Path

import pytest

from amidst.crowd.quality import Agreement, ExpertPoint, RejectionLine, UnionCurve, UnionPoint

pytest.importorskip("matplotlib", reason="figures need the extra: report")

from amidst.apps.report.crowd_figures import worker_figure
from amidst.apps.report.figure_style import save_figure

CURVE = UnionCurve(
    points=(
        UnionPoint(1, 3, 0.6, (0.5, 0.7), 0.95, (0.9, 1.0)),
        UnionPoint(2, 3, 0.8, (0.7, 0.9), 0.93, (0.9, 0.95)),
    ),
    experts=(ExpertPoint(1, 0.75, 0.97), ExpertPoint(2, 0.75, 0.98)),
    truths=40,
)
WORKERS = (
    Agreement(1, 30, 20, 0.95, 0.6),
    Agreement(2, 10, 20, 0.97, 0.65),
    Agreement(3, 5, 50, 0.05, 0.95),
    Agreement(4, 5, 0, None, 0.0),
)


def test_no_worker_and_no_expert(tmp_path: Path) -> None:
    save_figure(worker_figure(UnionCurve((), (), 0), (), RejectionLine()), tmp_path / "empty.svg")
    assert (tmp_path / "empty.svg").read_bytes().startswith(b"<?xml")


def test_curves_and_experts_are_where_the_numbers_say() -> None:
    left = worker_figure(CURVE, WORKERS, RejectionLine()).axes[0]
    recall, precision, *experts = (line for line in left.lines if line.get_marker() in "oD")
    assert recall.get_xydata().tolist() == [[1, 0.6], [2, 0.8]]
    assert precision.get_xydata().tolist() == [[1, 0.95], [2, 0.93]]
    assert [list(dots.get_ydata()) for dots in experts] == [[0.75, 0.75], [0.97, 0.98]]
    assert min(experts[0].get_xdata()) > 2  # beside the curves, not on them
    assert left.get_ylim()[0] == pytest.approx(0.5)


def test_discs_grow_with_workers_and_say_how_many_are_rejected() -> None:
    _, right, _ = worker_figure(CURVE, WORKERS, RejectionLine()).axes
    discs = next(c for c in right.collections if len(c.get_offsets()) == 2)
    by_place = dict(zip(map(tuple, discs.get_offsets().round(2).tolist()), discs.get_sizes(), strict=True))
    assert by_place[0.95, 0.65] == pytest.approx(2 * by_place[0.05, 0.95])
    assert sorted(discs.get_array().tolist()) == [5.0, 20.0]  # mean jobs
    assert right.get_title(loc="right") == "2 of 4 workers rejected"


def test_equal_figures_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save_figure(worker_figure(CURVE, WORKERS, RejectionLine()), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
