"""Scores as people and programs read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amidst.apps.cli.console import print_table
from amidst.coco.dataset import CocoDataset
from amidst.coco.results import Results
from amidst.evaluation import Summary, evaluate
from amidst.evaluation.proposals import ProposalSummary, score_proposals
from amidst.models.config import MaskConfig, ModelConfig, ProposalConfig

Score = Summary | ProposalSummary  # of detections, or of proposals

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


def score(model: ModelConfig, dataset: CocoDataset, results: Results) -> Score:
    """The score that fits the family: COCO's for detections, average recall for proposals."""
    if isinstance(model, ProposalConfig):
        return score_proposals(dataset, results, kind="segm" if isinstance(model, MaskConfig) else "bbox")
    return evaluate(dataset, results)


def score_json(found: Score) -> dict[str, Any]:
    """A score as a record for a file."""
    return summary_json(found) if isinstance(found, Summary) else found.to_builtins()


def score_by_name(found: Score) -> dict[str, float]:
    """The numbers of a score by name."""
    return scores_by_name(found) if isinstance(found, Summary) else found.numbers()


def headline(values: Mapping[str, float]) -> str:
    """The numbers of a validation that say most, in a line."""
    labels = {"ap": "AP", "ap50": "AP50", "ar@100": "AR@100", "ar@1000": "AR@1000", "auc": "AUC"}
    return ", ".join(f"{label} {shown(values[name])}" for name, label in labels.items() if name in values)


def print_score(found: Score) -> None:
    """A score as tables."""
    if isinstance(found, Summary):
        print_summary(found)
    else:
        print_proposals(found)


def print_proposals(found: ProposalSummary) -> None:
    """Average recall at each number of proposals, and its area, by size of the objects."""
    rows = [
        *((f"AR@{n}", *(shown(found.ar(n, area)) for area in found.areas)) for n in found.at),
        ("AUC", *(shown(found.auc(area)) for area in found.areas)),
        ("upper bound", *(shown(found.ar(None, area)) for area in found.areas)),
    ]
    what = {"bbox": "boxes", "segm": "masks"}[found.kind]
    print_table(f"Proposals ({what})", ("", *found.areas), rows, right=found.areas)


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
