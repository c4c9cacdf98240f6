"""The hidden images divided among phases: seeded, each category in proportion.

Iterative stratification: of the categories that are left, the one in the fewest images goes first; each of
its images, in an order drawn by the seed, goes to the part that misses that category most, then to the one
that misses images most. Images without objects fill up what is missing.

Source: Sechidis et al., On the stratification of multi-label data, ECML 2011.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from amidst.coco.dataset import CocoDataset
from amidst.errors import UsageError


def divide(dataset: CocoDataset, shares: Sequence[float], seed: int) -> list[list[int]]:
    """Image ids of each part, ascending; every image in one part.

    shares: positive, with sum 1. Raises UsageError for other shares, or if a part would be empty.
    """
    if not shares or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise UsageError(f"the shares of the phases must be positive with sum 1, got {list(shares)}")
    ids = sorted(image.id for image in dataset.images)
    if len(ids) < len(shares):
        raise UsageError(f"{len(ids)} images cannot be divided among {len(shares)} phases")
    random.Random(seed).shuffle(ids)
    categories = {id: {a.category_id for a in dataset.annotations_of(id)} for id in ids}
    images: Mapping[int, list[int]] = defaultdict(list)
    for id in ids:
        for category in categories[id]:
            images[category].append(id)
    missing = [share * len(ids) for share in shares]
    wanted = [Counter({c: share * len(members) for c, members in images.items()}) for share in shares]
    part_of: dict[int, int] = {}

    def put(id: int, category: int | None) -> None:
        order = range(len(shares))
        part = max(order, key=lambda p: (wanted[p][category] if category is not None else 0, missing[p], -p))
        part_of[id] = part
        missing[part] -= 1
        for c in categories[id]:
            wanted[part][c] -= 1

    left = Counter({category: len(members) for category, members in images.items()})
    while left:
        category = min(left, key=lambda c: (left[c], c))
        for id in images[category]:
            if id not in part_of:
                put(id, category)
                left.subtract(categories[id] & left.keys())
        del left[category]
    for id in ids:
        if id not in part_of:
            put(id, None)
    parts = [sorted(id for id in ids if part_of[id] == part) for part in range(len(shares))]
    if not all(parts):
        raise UsageError("a phase would have no image; give it a larger share")
    return parts
