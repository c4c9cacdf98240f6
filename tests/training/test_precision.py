from __future__ import annotations

import pytest
import torch

from amidst.training.precision import repeatable, resolve

CPU = torch.device("cpu")


@pytest.mark.parametrize("amx", [False, True])
def test_auto_takes_bfloat16_only_where_it_is_fast(amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx})
    assert resolve("auto", CPU) == (torch.bfloat16 if amx else torch.float32)


def test_a_named_precision_is_taken() -> None:
    assert resolve("float32", CPU) == torch.float32
    assert resolve("float16", CPU) == torch.float16


def test_repeatable_seeds_and_restores() -> None:
    with repeatable(4, CPU):
        first = torch.rand(3)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    with repeatable(4, CPU):
        assert torch.equal(torch.rand(3), first)
