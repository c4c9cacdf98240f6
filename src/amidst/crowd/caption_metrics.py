"""How many captions nearly repeat an earlier one, whoever wrote it and of whatever image (spec 6.8).

A worker is refused his own last captions and those of the image; this finds what passes from one worker or
image to another. Two sets of words with a Jaccard index of at least t share one of the rarest
n - ceil(t n) + 1 words of each (n words), so that only such pairs are compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import ceil

from amidst.crowd.validation import similar


def near_duplicates(captions: Sequence[frozenset[str]], least: float) -> int:
    """How many of the captions, given by their words in the order of writing, have an earlier one with a
    Jaccard index of at least `least`, above 0.
    """
    frequency = Counter(word for words in captions for word in words)
    by_rare: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
    kept: set[frozenset[str]] = set()
    found = 0
    for words in captions:
        if words in kept:
            found += 1
            continue
        rarest = sorted(words, key=lambda word: (frequency[word], word))
        rarest = rarest[: len(words) - ceil(least * len(words) - 1e-9) + 1]
        if any(similar(words, other) >= least for word in rarest for other in by_rare[word]):
            found += 1
        kept.add(words)
        for word in rarest:
            by_rare[word].append(words)
    return found
