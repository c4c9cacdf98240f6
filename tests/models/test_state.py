"""What is said about tensors that do not fit."""

from __future__ import annotations

import pytest
import torch

from amidst.errors import WeightsError
from amidst.models.state import check_state


def test_equal_names_and_shapes_pass() -> None:
    check_state({"a": torch.zeros(2)}, {"a": torch.ones(2)}, "file")


def test_every_kind_of_difference_is_counted_and_the_first_named() -> None:
    expected = {"a": torch.zeros(2, 3), "s": torch.tensor(0), **{f"m{i}": torch.zeros(1) for i in range(5)}}
    found = {"a": torch.zeros(2, 4), "s": torch.zeros(1), "x": torch.zeros(1)}
    with pytest.raises(WeightsError) as caught:
        check_state(expected, found, "file.pth")
    assert str(caught.value) == (
        "file.pth: does not fit the network (7 tensors): 5 missing: m0, m1, m2, and 2 more; 1 unexpected: x; "
        "2 of another shape: a expected 2x3, found 2x4, s expected a scalar, found 1"
    )
