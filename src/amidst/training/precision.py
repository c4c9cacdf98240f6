"""Number formats and repeatability of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch.utils import deterministic

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def resolve(precision: Precision, device: torch.device) -> torch.dtype:
    """Type of the network's arithmetic; "auto" is bfloat16 on hardware that multiplies it fast.

    That is every recent GPU, and CPUs with AMX tiles, where convolutions run about ten times as fast; other
    CPUs emulate bfloat16 and are several times slower with it.
    """
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[precision]
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool(torch.cpu.get_capabilities().get("amx_bf16", False))
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def repeatable(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds torch and, on the CPU, allows only algorithms that always give the same bits.

    On a GPU such algorithms are slow or missing for parts of a detector, so there only the seed is set.
    """
    torch.manual_seed(seed)
    before = torch.get_deterministic_debug_mode()
    was_filling = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # The same as use_deterministic_algorithms, which first imports the compiler for two seconds.
    torch.set_deterministic_debug_mode("error" if device.type == "cpu" else before)
    # A debugging aid that writes all memory twice.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        deterministic.fill_uninitialized_memory = was_filling  # type: ignore[attr-defined]
