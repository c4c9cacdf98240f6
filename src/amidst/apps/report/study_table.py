"""The outcome of a study as one table, as JSON and as Markdown, and how far it repeats the thesis.

Scores are fractions; -1 stands where the data has nothing to measure them on, None where a cell has no result
(yet). Two configurations are compared with the thesis only through numbers of one published setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Literal

from amidst.recipes.studies import Published

LABELS = {
    "ap": "AP",
    "ap50": "AP50",
    "ap75": "AP75",
    "ap_small": "AP S",
    "ap_medium": "AP M",
    "ap_large": "AP L",
    "ar@100": "AR@100",
    "ar@1000": "AR@1000",
    "ar_small@1000": "AR@1000 S",
    "ar_medium@1000": "AR@1000 M",
    "ar_large@1000": "AR@1000 L",
}
COLUMNS = {
    "detection": ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    "proposals": ("ar@100", "ar@1000", "ar_small@1000", "ar_medium@1000", "ar_large@1000"),
}
RANKED_BY = {"detection": "ap", "proposals": "ar@1000"}


@dataclass(frozen=True, slots=True)
class Row:
    """One cell: what was measured, and what the thesis has."""

    name: str
    settings: tuple[str, ...]
    scores: dict[str, float] | None  # by the names of LABELS; None: no result
    ms: float | None  # median time of one image, network and decoding
    state: str  # "done", "not run", "diverged: ..."
    published: tuple[Published, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """Two cells that the thesis puts in an order, and whether they stand in it here."""

    better: str  # in the thesis
    worse: str
    published: tuple[float, float]
    measured: tuple[float, float]
    setting: str

    @property
    def order(self) -> Literal["same", "other", "none"]:
        """The order here against that of the thesis; "none" where the scores are equal here."""
        better, worse = self.measured
        return "same" if better > worse else "other" if better < worse else "none"


@dataclass(frozen=True, slots=True)
class StudyTable:
    """Everything a reader needs."""

    study: str
    title: str
    source: str
    kind: str  # key of COLUMNS
    about: dict[str, str]  # recipe, seed, data, settings, device ... in order of appearance
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the measured scores."""
        return COLUMNS[self.kind]

    @property
    def ranked_by(self) -> str:
        """The score that decides the order."""
        return RANKED_BY[self.kind]

    def pairs(self) -> list[Pair]:
        """All pairs that have results here and different published scores in the same setting."""
        return order_pairs(self.rows, self.ranked_by)


def order_pairs(rows: Sequence[Row], by: str) -> list[Pair]:
    """Pairs of `rows`, compared by one score, in the order of the rows."""
    pairs = []
    for first, second in combinations(rows, 2):
        ours = _score(first, by), _score(second, by)
        for setting, mine in _by_setting(first, by).items():
            theirs = _by_setting(second, by).get(setting, mine)
            if mine == theirs or ours[0] is None or ours[1] is None:
                continue
            better, worse = (first, second) if mine > theirs else (second, first)
            measured = (ours[0], ours[1]) if mine > theirs else (ours[1], ours[0])
            published = (max(mine, theirs), min(mine, theirs))
            pairs.append(Pair(better.name, worse.name, published, measured, setting))
    return pairs


def to_builtins(table: StudyTable) -> dict[str, Any]:
    """Plain values, ready for JSON."""
    pairs = table.pairs()
    return {
        "study": table.study,
        "title": table.title,
        "source": table.source,
        "about": table.about,
        "columns": list(table.columns),
        "rows": [asdict(row) for row in table.rows],
        "order": {
            "by": table.ranked_by,
            "pairs": len(pairs),
            "same": sum(pair.order == "same" for pair in pairs),
            "list": [asdict(pair) | {"order": pair.order} for pair in pairs],
        },
        "notes": list(table.notes),
    }


def to_markdown(table: StudyTable) -> str:
    """The whole as a Markdown section."""
    lines = [f"# {table.title} ({table.source})", ""]
    lines += [f"- {name}: {value}" for name, value in table.about.items()]
    published = published_columns(table)
    heads = [
        "cell",
        *(LABELS[name] for name in table.columns),
        "ms / image",
        *(f"thesis {_label(name)} ({setting})" for setting, name in published),
    ]
    lines += ["", "| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cells) + " |" for cells in table_cells(table, published)]
    unfinished = [f"- {row.name}: {row.state}" for row in table.rows if row.state != "done"]
    if unfinished:
        lines += ["", "Cells without a result:", "", *unfinished]
    lines += ["", *order_lines(table)]
    if table.notes:
        lines += ["", *(f"- {note}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def table_cells(table: StudyTable, published: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The texts of every row: name, measured scores, time, those `published_columns` that are asked for."""
    return [
        [
            row.name,
            *(_shown(_score(row, name, missing=True)) for name in table.columns),
            "" if row.ms is None else f"{row.ms:.3g}" if row.ms < 100 else f"{row.ms:.0f}",
            *(_shown_published(row, setting, name) for setting, name in published),
        ]
        for row in table.rows
    ]


def published_columns(table: StudyTable) -> list[tuple[str, str]]:
    """(setting, score) of every number that the thesis gives for some row; settings as they appear."""
    settings = dict.fromkeys(p.setting for row in table.rows for p in row.published)
    names = (*table.columns, "ms")
    return [
        (setting, name)
        for setting in settings
        for name in names
        if any(p.setting == setting and name in p.scores for row in table.rows for p in row.published)
    ]


def order_lines(table: StudyTable) -> list[str]:
    """How far the order of the thesis is repeated, in plain sentences."""
    pairs, label = table.pairs(), LABELS[table.ranked_by]
    if not pairs:
        return ["No two cells with results can be compared with the thesis yet."]
    same = sum(pair.order == "same" for pair in pairs)
    lines = [
        f"Order of the thesis by {label}: {same} of {len(pairs)} pairs are in the same order here. "
        "One run a cell: small differences may be chance."
    ]
    for order, title in (("same", "Same order"), ("other", "Other order"), ("none", "Equal here")):
        found = [pair for pair in pairs if pair.order == order]
        if found:
            lines += ["", f"{title}:", "", *map(_sentence, found)]
    return lines


def _sentence(pair: Pair) -> str:
    here, there = (" against ".join(f"{v:.3f}" for v in values) for values in (pair.measured, pair.published))
    return f"- {pair.better} above {pair.worse} in the thesis ({there}; {pair.setting}); here {here}"


def _score(row: Row, name: str, *, missing: bool = False) -> float | None:
    """A measured score; -1 only where `missing` asks for it."""
    value = None if row.scores is None else row.scores.get(name, -1.0)
    return value if missing or value is None or value >= 0 else None


def _by_setting(row: Row, name: str) -> dict[str, float]:
    return {p.setting: p.scores[name] for p in row.published if name in p.scores}


def _shown(value: float | None) -> str:
    return "" if value is None else "-1" if value < 0 else f"{value:.3f}"


def _shown_published(row: Row, setting: str, name: str) -> str:
    value = _by_setting(row, name).get(setting)
    return "" if value is None else f"{value:.0f}" if name == "ms" else f"{value:.3f}"


def _label(name: str) -> str:
    return "ms" if name == "ms" else LABELS[name]
