"""amidst.crowd.caption_metrics: by hand, and against all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from amidst.crowd.caption_metrics import near_duplicates
from amidst.crowd.validation import caption_words, similar


def test_by_hand() -> None:
    assert near_duplicates([], 0.9) == 0
    ten = "one two three four five six seven eight nine ten"
    captions = [
        ten,
        ten.upper() + "!",  # the same words
        ten + " eleven",  # 10 of 11: 0.909
        ten.replace("ten", "eleven twelve"),  # 9 of 12 with the first, 10 of 12 with the third
        "a dog on a bed",
    ]
    words = [caption_words(text) for text in captions]
    assert near_duplicates(words, 0.9) == 2
    assert near_duplicates(words, 0.8) == 3
    assert near_duplicates(words, 1.0) == 1
    assert near_duplicates(words[::-1], 0.9) == 2  # of a pair the later one counts


@pytest.mark.parametrize("least", [0.5, 0.8, 0.9, 1.0])
def test_as_all_pairs(least: float) -> None:
    rng = np.random.default_rng(3)
    captions = [frozenset(map(str, rng.integers(0, 14, int(rng.integers(1, 12))))) for _ in range(400)]
    expected = sum(
        any(similar(captions[later], captions[earlier]) >= least for earlier in range(later))
        for later in range(len(captions))
    )
    assert 0 < expected < len(captions)
    assert near_duplicates(captions, least) == expected
