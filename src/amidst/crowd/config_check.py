"""Whether the numbers of a campaign can work together. Types are checked before; this is about sense."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from amidst.config import to_builtins
from amidst.crowd.config import CampaignConfig
from amidst.errors import ConfigError

SHARES = {  # 0 to 1
    "image_filter.max_marked",
    "labelling.cluster_px",
    "segmentation.training_iou",
    "segmentation.training_iou_small",
    "segmentation.gold_most",
    "segmentation.gold_least",
    "segmentation.neighbour_px",
    "verification.max_marked",
    "verification.bad_iou",
    "captions.similarity",
    "rejection.first_precision",
    "rejection.first_recall",
    "rejection.second_precision",
    "rejection.second_recall",
}
MAY_BE_ZERO = {  # of the whole numbers; all others count something that there must be
    "category_votes.more_instances_than",
    "category_votes.least",
    "category_votes.most",
    "image_filter.known_iconic",
    "image_filter.known_good",
    "image_filter.must_find",
    "verification.known_bad",
    "verification.known_good",
    "verification.must_find",
    "verification.more_votes",
    "captions.compare_with",
}
MOST = 1_000_000  # of any count
AT_MOST = (  # the first is not above the second
    ("image_filter.must_find", "image_filter.known_iconic"),
    ("image_filter.remove_votes", "image_filter.workers"),
    ("segmentation.training_passes", "segmentation.training_tries"),
    ("segmentation.gold_least", "segmentation.gold_most"),
    ("segmentation.min_vertices", "segmentation.max_vertices"),
    ("segmentation.max_vertices", "segmentation.max_total_vertices"),
    ("verification.must_find", "verification.known_bad"),
    ("crowd_regions.individuals", "crowd_regions.most_individuals"),
    ("crowd_regions.good_votes", "crowd_regions.votes"),
    ("captions.min_words", "captions.max_words"),
    ("lease.heartbeat_s", "lease.grid_s"),
    ("lease.grid_s", "lease.limit_s"),
    ("lease.drawing_s", "lease.limit_s"),
)
GRID = 1024  # places of a grid; positions of answers end there


def check_config(config: CampaignConfig) -> None:
    """Raises ConfigError naming the setting, what was found and what is possible."""
    found = dict(_flat(to_builtins(config)))
    if not config.name.strip():
        raise ConfigError("name: the campaign needs one")
    for key, value in found.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            _check_number(key, value)
    for low, high in AT_MOST:
        if found[low] > found[high]:
            raise ConfigError(f"{low} is {found[low]}: it cannot be above {high}, which is {found[high]}")
    for stage, bad, good in (
        ("image_filter", "known_iconic", "known_good"),
        ("verification", "known_bad", "known_good"),
    ):
        grid, known = found[f"{stage}.grid"], found[f"{stage}.{bad}"] + found[f"{stage}.{good}"]
        if not known < grid <= GRID:
            raise ConfigError(
                f"{stage}.grid is {grid}: it needs more places than known items ({known}), at most {GRID}"
            )
    votes = config.verification.votes + config.verification.more_votes
    if config.verification.good_votes > votes:
        raise ConfigError(
            f"verification.good_votes is {config.verification.good_votes}: there are {votes} votes in all"
        )
    ballot = config.category_votes
    if 0 < ballot.most < ballot.least:
        raise ConfigError(
            f"category_votes.least is {ballot.least}: it cannot be above most, which is {ballot.most}"
        )
    config.rejection.side(0.0, 0.0)
    if len(set(config.stages)) < len(config.stages):
        raise ConfigError("stages: one is named twice")


def _check_number(key: str, value: float) -> None:
    if not math.isfinite(value) or value < 0:
        raise ConfigError(f"{key} is {value}: expected 0 or more")
    if key in SHARES and value > 1:
        raise ConfigError(f"{key} is {value}: expected a share, 0 to 1")
    if isinstance(value, int) and value == 0 and key not in MAY_BE_ZERO:
        raise ConfigError(f"{key} is 0: expected 1 or more")
    if value > MOST and not key.endswith("_s"):
        raise ConfigError(f"{key} is {value}: expected at most {MOST:,}")


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
