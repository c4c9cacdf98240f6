"""Scores of detections against ground truth."""

from amidst.evaluation.detection import evaluate
from amidst.evaluation.matches import Matches, Outcome, match_dataset, match_image
from amidst.evaluation.params import Params
from amidst.evaluation.proposals import ProposalSummary, score_proposals
from amidst.evaluation.summary import CategoryScore, Summary

__all__ = [
    "CategoryScore",
    "Matches",
    "Outcome",
    "Params",
    "ProposalSummary",
    "Summary",
    "evaluate",
    "match_dataset",
    "match_image",
    "score_proposals",
]
