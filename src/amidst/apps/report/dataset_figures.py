"""The five figures of Fig. 2.5 (thesis §2.5) for any number of datasets side by side, on one sheet.

Published numbers of COCO, ImageNet, PASCAL VOC and SUN stand in grey beside the datasets' own: as upright
lines at their means, diamonds in (d) and, in (b), their share of single-category images where one is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from amidst.apps.report.figure_style import INK, QUIET, add_axes, new_figure, series_colour
from amidst.curation.references import COCO_LARGE_CATEGORY, REFERENCES
from amidst.curation.statistics import SIZE_EDGES, Statistics
from amidst.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMED_BARS = 100  # more categories than this are drawn without their names
TAIL = 0.995  # histograms end where this share of the images is reached


def dataset_figure(figures: Sequence[Statistics]) -> Figure:
    """All five figures on a sheet of 12 x 10 inches. Raises UsageError for no dataset at all."""
    if not figures:
        raise UsageError("there is no dataset to draw")
    names = [s.name for s in figures]
    kinds = [(s.categories_per_image, s.mean_categories_per_image) for s in figures]
    objects = [(s.instances_per_image, s.mean_instances_per_image) for s in figures]
    with new_figure(12, 10.5) as sheet:
        _categories(add_axes(sheet, 3, 2, (1, 2), "(a) Instances per category"), figures)
        axes = add_axes(sheet, 3, 2, 3, "(b) Categories per image")
        _histograms(axes, names, kinds, [(r.name, r.categories_per_image) for r in REFERENCES])
        _single_category_shares(axes)
        axes = add_axes(sheet, 3, 2, 4, "(c) Instances per image")
        _histograms(axes, names, objects, [(r.name, r.instances_per_image) for r in REFERENCES])
        _sizes_of_datasets(add_axes(sheet, 3, 2, 5, "(d) Categories and instances per category"), figures)
        _instance_sizes(add_axes(sheet, 3, 2, 6, "(e) Instance size"), figures)
    return sheet


def _categories(axes: Axes, figures: Sequence[Statistics]) -> None:
    """Sorted bars of the first dataset; the same categories (by name) of the others as dots."""
    first = figures[0]
    names = [category.name for category in first.categories]
    place = {name: k for k, name in enumerate(names)}
    heights = [max(category.instances, 0.5) for category in first.categories]
    axes.bar(range(len(names)), heights, width=0.8, color=series_colour(0), label=first.name)
    for n, other in enumerate(figures[1:], start=1):
        shared = [c for c in other.categories if c.name in place and c.instances > 0]
        axes.plot(
            [place[c.name] for c in shared],
            [c.instances for c in shared],
            "o",
            markersize=4,
            color=series_colour(n),
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=other.name,
        )
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.8)
    if max(heights, default=0) > COCO_LARGE_CATEGORY / 5:
        axes.axhline(COCO_LARGE_CATEGORY, color=QUIET, linestyle="--", linewidth=1)
        axes.annotate(
            "5,000: 82 of COCO's 91 categories have more",
            (0.995, COCO_LARGE_CATEGORY),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            color=QUIET,
            fontsize=8,
        )
    axes.set_xlim(-0.8, max(len(names), 1) - 0.2)
    if len(names) <= NAMED_BARS:
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7 if len(names) > 40 else 8)
    else:
        axes.set_xlabel("rank of the category")
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("instances")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0)


def _histograms(
    axes: Axes,
    names: Sequence[str],
    histograms: Sequence[tuple[Sequence[int], float | None]],
    references: Sequence[tuple[str, float]],
) -> None:
    """Per cent of the images over the number in one image, with means."""
    right = 2.0
    for n, (name, (counts, mean)) in enumerate(zip(names, histograms, strict=True)):
        if mean is None:
            continue
        share = 100 * np.array(counts) / sum(counts)
        right = max(right, float(np.searchsorted(np.cumsum(share), 100 * TAIL)))
        axes.plot(
            range(len(counts)),
            share,
            color=series_colour(n),
            marker="o",
            markersize=3,
            label=f"{name}, mean {mean:.1f}",
        )
    right = max(right, 1.1 * max(value for _, value in references))
    for k, (name, value) in enumerate(sorted(references, key=lambda pair: pair[1])):
        axes.axvline(value, color=QUIET, linestyle=(0, (2, 2)), linewidth=1, zorder=1)
        axes.annotate(
            f"{name} {value:g}",
            (value, 0.99 - 0.075 * (k % 3)),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
            va="top",
            color=QUIET,
            fontsize=7.5,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8},
        )
    axes.set_xlim(0, right)
    axes.set_ylim(0, 1.25 * axes.get_ylim()[1])
    axes.set_xlabel("in one image")
    axes.set_ylabel("% of images")
    if names and any(mean is not None for _, mean in histograms):
        axes.legend(loc="center right")


def _single_category_shares(axes: Axes) -> None:
    """Diamonds at 1: the share of images with a single category, where it is published."""
    shown = [r for r in REFERENCES if r.single_category_share is not None]
    by_share: dict[tuple[float, bool], list[str]] = {}
    for r in shown:
        by_share.setdefault((100 * (r.single_category_share or 0), r.single_category_at_least), []).append(
            r.name
        )
    for (share, at_least), names in by_share.items():
        axes.plot(1, share, "D", color="white", markeredgecolor=INK, markersize=5, zorder=4)
        axes.annotate(
            f"{', '.join(names)} {'> ' if at_least else ''}{share:.0f} %",
            (1, share),
            xytext=(7, -2),
            textcoords="offset points",
            fontsize=7.5,
            color=QUIET,
            zorder=4,
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8},
        )
    axes.set_ylim(top=max(axes.get_ylim()[1], 88))


def _sizes_of_datasets(axes: Axes, figures: Sequence[Statistics]) -> None:
    for r in REFERENCES:
        axes.plot(
            r.categories, r.instances_per_category, "D", color="white", markeredgecolor=INK, markersize=6
        )
        _label(axes, r.name, r.categories, r.instances_per_category, QUIET)
    for n, s in enumerate(figures):
        if s.instances_per_category:
            axes.plot(len(s.categories), s.instances_per_category, "o", color=series_colour(n), markersize=8)
            _label(axes, s.name, len(s.categories), s.instances_per_category, INK)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.margins(0.2)
    axes.set_xlabel("categories")
    axes.set_ylabel("instances per category")


def _label(axes: Axes, text: str, x: float, y: float, colour: str) -> None:
    axes.annotate(text, (x, y), xytext=(7, 3), textcoords="offset points", fontsize=8, color=colour)


def _instance_sizes(axes: Axes, figures: Sequence[Statistics]) -> None:
    """Per cent of the instances in each bin, drawn at the bin's upper edge."""
    places = range(len(SIZE_EDGES))
    for n, s in enumerate(figures):
        if sum(s.sizes):
            share = 100 * np.array(s.sizes) / sum(s.sizes)
            axes.plot(places, share, marker="o", markersize=4, color=series_colour(n), label=s.name)
    axes.set_xticks(places, [f"{100 * edge:.3g}" for edge in SIZE_EDGES])
    axes.set_ylim(bottom=0)
    of = "side, sqrt(area / image area)" if figures[0].config.size == "side" else "area"
    axes.set_xlabel(f"upper end of the bin, % of the image's {of}")
    axes.set_ylabel("% of instances")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best")
