"""Scores of detections against ground truth."""

from amidst.evaluation.detection import evaluate
from amidst.evaluation.params import Params
from amidst.evaluation.summary import CategoryScore, Summary

__all__ = ["CategoryScore", "Params", "Summary", "evaluate"]
