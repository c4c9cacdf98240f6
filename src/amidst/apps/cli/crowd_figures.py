"""The figures of a campaign as tables: whatever the engine counts, a column each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from amidst.crowd.outlook import OF_THESIS, StageOutlook

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


def outlook_table(outlook: Any) -> tuple[str, tuple[str, ...], Rows]:
    """What is left of each stage: judgements that wait, those that will follow, and their hours."""
    rows = [
        (
            one.stage,
            f"{one.waiting:,}",
            f"{one.later:,}",
            f"{one.seconds:.3g}{_source(one)}",
            f"{one.hours:,.1f}",
        )
        for one in outlook.stages
        if one.waiting or one.later
    ]
    return "what is left", ("stage", "waiting", "later", "seconds each", "hours"), rows


def _source(one: StageOutlook) -> str:
    """Whose figure the seconds are, as long as they are not measured."""
    if one.measured:
        return ""
    return " (thesis)" if one.stage in OF_THESIS else " (ours)"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
