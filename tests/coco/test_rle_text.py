"""amidst.coco.rle_text: says of many masks what `masks.check` says of one."""

from __future__ import annotations

import random

import numpy as np

from amidst.coco import masks
from amidst.coco.records import Rle
from amidst.coco.rle_text import first_wrong
from amidst.errors import DataError


def is_right(rle: Rle) -> bool:
    try:
        masks.check(rle)
    except DataError:
        return False
    return True


def test_no_mask_and_an_empty_one() -> None:
    assert first_wrong([], []) is None
    assert first_wrong([""], [0]) is None
    assert first_wrong(["", "4"], [0, 4]) is None
    assert first_wrong(["4", ""], [4, 4]) == 1


def test_a_number_that_does_not_end_is_found_at_its_own_mask() -> None:
    assert first_wrong(["4", "P", "4"], [4, 4, 4]) == 1
    assert first_wrong(["4", "~" * 3, "4"], [4, 4, 4]) == 1
    assert first_wrong(["4", "P" * 40 + "0"], [4, 4]) == 1
    assert first_wrong(["4", "é"], [4, 4]) == 1


def test_it_says_of_many_what_check_says_of_each() -> None:
    draw, rng = random.Random(3), np.random.default_rng(3)
    found = 0
    for _ in range(150):
        rles = []
        for _ in range(draw.randint(1, 12)):
            height, width = draw.randint(1, 60), draw.randint(1, 60)
            pixels = rng.random((1, height, width)) < rng.choice([0, 0.02, 0.5, 1])
            text = str(masks.encode(pixels)[0].counts)
            if draw.random() < 0.06 and text:
                place = draw.randrange(len(text))
                text = (
                    text[:place]
                    + draw.choice(["", "0", "P", "O", "o", "}", chr(draw.randint(33, 126))])
                    + text[place + 1 :]
                )
            rles.append(Rle((height, width), text))
        wrong = [index for index, rle in enumerate(rles) if not is_right(rle)]
        found += bool(wrong)
        expected = wrong[0] if wrong else None
        assert first_wrong([str(r.counts) for r in rles], [r.size[0] * r.size[1] for r in rles]) == expected
    assert found > 20
