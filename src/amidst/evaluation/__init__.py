"""Scores of detections against ground truth."""

from amidst.evaluation.detection import evaluate
from amidst.evaluation.matches import Matches, Outcome, match_dataset, match_image
from amidst.evaluation.params import Params
from amidst.evaluation.summary import CategoryScore, Summary

__all__ = [
    "CategoryScore",
    "Matches",
    "Outcome",
    "Params",
    "Summary",
    "evaluate",
    "match_dataset",
    "match_image",
]
