"""What a run tells about itself: `log.jsonl` in the run folder, and events for whoever shows progress.

A line of the log is either a step {step, epoch, lr, loss, losses, grad_norm, images_per_s, data_wait_s,
memory_mb, eta_s} or a validation {step, validation}. `step` counts finished updates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Means since the last logged step."""

    step: int
    epoch: float
    lr: float
    loss: float
    losses: dict[str, float]
    grad_norm: float  # before clipping, of the last update
    images_per_s: float
    data_wait_s: float  # per update
    memory_mb: float
    eta_s: float


class ValidationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of one validation, as the callable gave them."""

    step: int
    validation: dict[str, float]


@dataclass(frozen=True, slots=True)
class Started:
    """The loop is about to run updates `first_step` to `total_steps`."""

    first_step: int
    total_steps: int
    images: int
    objects: int
    parameters: int  # trained


@dataclass(frozen=True, slots=True)
class Stepped:
    """One update is done; comes once per update. `loss` is that of the last logged step."""

    step: int
    total_steps: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class Validating:
    """Validation begins after `step` updates."""

    step: int


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint, or the final model, has been written."""

    step: int
    path: Path


Event = Started | Stepped | StepRecord | Validating | ValidationRecord | Saved
Report = Callable[[Event], None]


class RunLog:
    """Appends to `log.jsonl`; lines of steps after `first_step`, which will be done again, are dropped."""

    def __init__(self, path: Path, first_step: int) -> None:
        self.path = path
        kept = [line for line in read_lines(path) if int(line["step"]) <= first_step] if path.exists() else []
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in kept))
        temporary.replace(path)

    def append(self, record: StepRecord | ValidationRecord) -> None:
        """Write one line and hand it to the operating system at once."""
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(record) + b"\n")

    def validation(self, step: int) -> dict[str, float] | None:
        """The scores of `step` that stand in the log."""
        found = [
            line["validation"]
            for line in read_lines(self.path)
            if line["step"] == step and "validation" in line
        ]
        return found[-1] if found else None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; an incomplete last line, left by a killed process, is passed over."""
    lines: list[dict[str, Any]] = []
    for text in path.read_bytes().split(b"\n"):
        try:
            lines.append(msgspec.json.decode(text, type=dict[str, Any]))
        except msgspec.DecodeError:
            continue
    return lines


def scores(values: Mapping[str, float]) -> dict[str, float]:
    """Plain floats of whatever number type a validation returns."""
    return {name: float(value) for name, value in values.items()}
