"""Figures on paper: matplotlib with one quiet style for all of them, written reproducibly as SVG or PNG.

Figures are made without pyplot, so nothing is shared between calls or threads. The only module that imports
matplotlib; without it, `new_figure` raises MissingExtra.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amidst.apps.report.colours import category_colour, css
from amidst.coco.files import write_atomically
from amidst.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, GRID = "#1b1f24", "#667080", "#e3e7ec"
FORMATS = ("svg", "png")
DPI = 150

_STYLE: dict[str, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "legend.frameon": True,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "legend.fontsize": 8,
    "lines.linewidth": 1.8,
    "figure.facecolor": "white",
    "svg.hashsalt": "amidst",
    "svg.fonttype": "none",  # text stays text: a quarter of the size, and it can be selected
}


def _matplotlib() -> tuple[type[Figure], Any]:
    """The class of figures and `rc_context`; imported on use, for it takes as long as a small command."""
    try:
        from matplotlib import figure, rc_context
    except ModuleNotFoundError:
        raise MissingExtra("matplotlib", "report") from None
    return figure.Figure, rc_context


@contextmanager
def new_figure(width_in: float, height_in: float) -> Iterator[Figure]:
    """An empty figure; what is drawn inside the `with` block has the style.

    Raises MissingExtra without matplotlib.
    """
    figure_class, rc_context = _matplotlib()
    with rc_context(_STYLE):
        yield figure_class(figsize=(width_in, height_in), layout="constrained")


def add_axes(figure: Figure, rows: int, columns: int, place: int | tuple[int, int], title: str) -> Axes:
    """One panel of a grid; `place` counts from 1, a pair spans from the first to the second."""
    axes = figure.add_subplot(rows, columns, place)
    axes.set_title(title)
    return axes


def series_colour(index: int) -> str:
    """The colour of the index-th thing compared, from 0."""
    return css(category_colour(index + 1))


def save_figure(figure: Figure, path: str | Path) -> None:
    """Writes .svg or .png by atomic rename; equal figures give equal bytes.

    Raises UsageError for another ending.
    """
    target = Path(path)
    ending = target.suffix.lower().lstrip(".")
    if ending not in FORMATS:
        raise UsageError(f"{target}: expected a name that ends in .svg or .png")
    metadata: dict[str, Any] = {"Date": None} if ending == "svg" else {"Software": None}
    stream = BytesIO()
    _, rc_context = _matplotlib()
    with rc_context(_STYLE):
        figure.savefig(stream, format=ending, dpi=DPI, metadata=metadata)
    write_atomically(target, stream.getvalue())
