"""Connected components: which things belong together when pairs of them do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt


def components(count: int, pairs: Iterable[Sequence[int]]) -> npt.NDArray[np.int64]:
    """(count,): for each of 0..count-1 the smallest member of its component. Raises IndexError outside."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in pairs:
        if min(a, b) < 0:
            raise IndexError(f"pair ({a}, {b}) names a negative index")
        first, second = root(int(a)), root(int(b))
        parent[max(first, second)] = min(first, second)
    return np.array([root(item) for item in range(count)], dtype=np.int64)
