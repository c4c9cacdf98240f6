"""The table of a study, and the order of the thesis."""

from __future__ import annotations

import json

from amidst.apps.report.study_table import Row, StudyTable, order_pairs, to_builtins, to_markdown
from amidst.recipes.studies import Published


def row(name: str, ap: float | None, **published: float) -> Row:
    scores = None if ap is None else {"ap": ap, "ap50": 2 * ap if ap >= 0 else -1.0}
    state = "not run" if ap is None else "done"
    there = tuple(Published(setting, {"ap": value}) for setting, value in published.items())
    return Row(name, (f"x={name}",), scores, 12.345 if scores else None, state, there)


def table(*rows: Row, notes: tuple[str, ...] = ()) -> StudyTable:
    return StudyTable("losses", "Losses", "Table 5.1", "detection", {"seed": "0"}, rows, notes)


def test_nothing_was_run() -> None:
    empty = table(row("a", None, r50=0.3), row("b", None, r50=0.2))
    text = to_markdown(empty)
    assert "| a |  |  |  |  |  |  |  | 0.300 |" in text
    assert "- b: not run" in text
    assert "No two cells with results can be compared with the thesis yet." in text
    assert to_builtins(empty)["order"] == {"by": "ap", "pairs": 0, "same": 0, "list": []}


def test_order_by_hand() -> None:
    """Thesis a > b > c in r50; here b > a = c. The other setting joins a and d alone; e has no result."""
    rows = [
        row("a", 0.10, r50=0.3, r101=0.4),
        row("b", 0.20, r50=0.2),
        row("c", 0.10, r50=0.1),
        row("d", 0.05, r101=0.5),
        row("e", None, r50=0.9),
        row("f", 0.90),
        row("g", -1.0, r50=0.8),
    ]
    found = [(p.better, p.worse, p.setting, p.order) for p in order_pairs(rows, "ap")]
    assert found == [
        ("a", "b", "r50", "other"),
        ("a", "c", "r50", "none"),
        ("d", "a", "r101", "other"),
        ("b", "c", "r50", "same"),
    ]


def test_cells_that_the_thesis_puts_level_are_no_pair() -> None:
    assert order_pairs([row("a", 0.1, r50=0.3), row("b", 0.2, r50=0.3)], "ap") == []


def test_markdown_has_a_line_for_each_cell_and_says_the_order_plainly() -> None:
    text = to_markdown(table(row("a", 0.1234, r50=0.3), row("b", -1.0, r50=0.2), row("c", 0.05, r50=0.25)))
    lines = text.splitlines()
    assert lines[0] == "# Losses (Table 5.1)"
    assert "- seed: 0" in lines
    assert "| cell | AP | AP50 | AP75 | AP S | AP M | AP L | ms / image | thesis AP (r50) |" in lines
    assert "| a | 0.123 | 0.247 | -1 | -1 | -1 | -1 | 12.3 | 0.300 |" in lines
    assert "| b | -1 | -1 | -1 | -1 | -1 | -1 | 12.3 | 0.200 |" in lines
    assert "Order of the thesis by AP: 1 of 1 pairs are in the same order here." in text
    assert "- a above c in the thesis (0.300 against 0.250; r50); here 0.123 against 0.050" in lines


def test_json_holds_everything() -> None:
    tree = json.loads(
        json.dumps(to_builtins(table(row("a", 0.1, r50=0.3), row("b", 0.2, r50=0.2), notes=("n",))))
    )
    assert tree["columns"][:3] == ["ap", "ap50", "ap75"]
    assert tree["rows"][0]["scores"]["ap"] == 0.1
    assert tree["rows"][0]["published"] == [{"setting": "r50", "scores": {"ap": 0.3}}]
    assert tree["order"]["pairs"] == 1
    assert tree["order"]["list"][0]["order"] == "other"
    assert tree["notes"] == ["n"]
