"""Proposals: scored boxes of no category."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from amidst.coco.results import Results

Ids = npt.NDArray[np.int64]


def image_order(results: Results, image_ids: Sequence[int]) -> tuple[Ids, Ids]:
    """Rows by image and descending score, and where each image begins.

    Of equal scores the smaller category id comes first, then the earlier record, as in COCO's evaluation.
    image_ids: ascending, all that the results name. Returns (N,), and offsets (I + 1,): the rows of the
    image at index i are `order[offsets[i]:offsets[i + 1]]`.
    """
    keys: tuple[npt.NDArray[np.int64 | np.float64], ...] = (-results.scores, results.image_ids)
    if len(results) and (results.category_ids != results.category_ids[0]).any():
        keys = (results.category_ids, *keys)
    order = np.lexsort(keys)
    ends = np.searchsorted(results.image_ids[order], np.asarray(image_ids, np.int64), side="right")
    return order, np.append(0, ends)
