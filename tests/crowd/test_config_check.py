"""amidst.crowd.config_check: the defaults fit; every refusal names the setting."""

from __future__ import annotations

import pytest

from amidst.config import keys, override
from amidst.crowd.config import CampaignConfig
from amidst.crowd.config_check import AT_MOST, MAY_BE_ZERO, SHARES, check_config
from amidst.errors import ConfigError


def test_the_defaults_fit() -> None:
    check_config(CampaignConfig())


def test_the_lists_name_settings_that_there_are() -> None:
    known = set(keys(CampaignConfig()))
    assert {*SHARES, *MAY_BE_ZERO, *(key for pair in AT_MOST for key in pair)} <= known


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("labelling.workers=0", "labelling.workers is 0: expected 1 or more"),
        ("labelling.workers=-3", "labelling.workers is -3: expected 0 or more"),
        ("labelling.workers=1000001", "at most 1,000,000"),
        ("hour_cost=-1", "hour_cost is -1"),
        ("verification.bad_iou=1.5", "expected a share"),
        ("verification.must_find=5", "cannot be above verification.known_bad"),
        ("verification.good_votes=6", "there are 5 votes in all"),
        ("verification.grid=8", "needs more places than known items (8)"),
        ("image_filter.grid=1025", "at most 1024"),
        ("segmentation.training_passes=6", "cannot be above segmentation.training_tries"),
        ("crowd_regions.most_individuals=9", "crowd_regions.individuals is 10"),
        ("captions.min_words=61", "cannot be above captions.max_words"),
        ("lease.grid_s=20000", "cannot be above lease.limit_s"),
        ('category_votes={"least":3,"most":2,"voters":5}', "cannot be above most, which is 2"),
        ('name="  "', "the campaign needs one"),
        ('stages=["labelling","labelling"]', "one is named twice"),
        ("rejection.first_recall=1.5", "rejection.first_recall is 1.5: expected a share"),
        ("rejection.first_recall=1", "rejection line: its points must differ"),
        ("rejection.second_precision=1", "must not run through (1, 1)"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(").replace(")", r"\)")):
        check_config(override(CampaignConfig(), [setting]))


@pytest.mark.parametrize("setting", [f"{key}=0" for key in sorted(MAY_BE_ZERO)])
def test_some_counts_may_be_nothing(setting: str) -> None:
    lower = {
        "verification.known_bad": ["verification.must_find=0"],
        "verification.more_votes": ["verification.good_votes=3"],
        "image_filter.known_iconic": ["image_filter.must_find=0"],
    }
    check_config(override(CampaignConfig(), [*lower.get(setting.partition("=")[0], []), setting]))
