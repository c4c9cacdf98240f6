"""Scores as people and programs read them."""

from __future__ import annotations

from typing import Any

from amidst.apps.cli.console import print_table
from amidst.evaluation import Summary

LABELS = {
    "ap": ("AP", "IoU .50 to .95"),
    "ap50": ("AP50", "IoU .50"),
    "ap75": ("AP75", "IoU .75"),
    "ap_small": ("AP small", "objects below 32 x 32 pixels"),
    "ap_medium": ("AP medium", "objects up to 96 x 96 pixels"),
    "ap_large": ("AP large", "objects above"),
    "ar_1": ("AR 1", "1 detection an image"),
    "ar_10": ("AR 10", "10 detections an image"),
    "ar_100": ("AR 100", "100 detections an image"),
    "ar_small": ("AR small", "objects below 32 x 32 pixels"),
    "ar_medium": ("AR medium", "objects up to 96 x 96 pixels"),
    "ar_large": ("AR large", "objects above"),
}


def shown(value: float) -> str:
    """A score to three decimals; a dash where there was nothing to find."""
    return f"{value:.3f}" if value >= 0 else "-"


def summary_json(summary: Summary) -> dict[str, Any]:
    """The twelve numbers as the list `stats` and by name, and a record for each category."""
    tree = summary.to_builtins()
    return {"kind": tree.pop("kind"), "stats": list(summary.stats), **tree}


def scores_by_name(summary: Summary) -> dict[str, float]:
    """The twelve numbers by name."""
    return dict(zip(LABELS, summary.stats, strict=True))


def print_summary(summary: Summary) -> None:
    """The twelve numbers and the categories as two tables."""
    by_name = scores_by_name(summary)
    what = {"bbox": "Boxes", "segm": "Masks"}[summary.kind]
    rows = [(label, shown(by_name[name]), note) for name, (label, note) in LABELS.items()]
    print_table(f"{what}: COCO score", ("", "score", "over"), rows, right=("score",))
    columns = ("category", "objects", "AP", "AP50", "AP75", "AR")
    if len(summary.categories) > 1:
        lines = [
            (c.name, str(c.instances), shown(c.ap), shown(c.ap50), shown(c.ap75), shown(c.ar))
            for c in summary.categories
        ]
        print_table("\nBy category", columns, lines, right=columns[1:])


def comparison_rows(before: Summary, after: Summary) -> list[tuple[str, str, str]]:
    """The twelve numbers of two evaluations side by side."""
    old, new = scores_by_name(before), scores_by_name(after)
    return [(label, shown(old[name]), shown(new[name])) for name, (label, _) in LABELS.items()]
