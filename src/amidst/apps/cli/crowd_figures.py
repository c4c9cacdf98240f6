"""The figures of a campaign as tables: whatever the engine counts, a column each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

Rows = Sequence[tuple[str, ...]]


def progress_tables(progress: Any) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    """Title, columns and rows of each part of a progress: stages and workers, then the counts by state."""
    counts = []
    for title, part in msgspec.to_builtins(progress).items():
        if isinstance(part, Mapping):
            counts.append((title, _cell(part)))
        elif isinstance(part, list | tuple) and part:
            columns = tuple(part[0])
            yield title, columns, [tuple(_cell(row[column]) for column in columns) for row in part]
    yield "by state", ("", "number"), [(title, text or "-") for title, text in counts]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
