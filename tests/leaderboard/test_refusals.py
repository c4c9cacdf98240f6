"""The table of refusals in docs/leaderboard.md names the rules of the code, all of them and no others."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = (
    "leaderboard/unpacking.py",
    "leaderboard/records.py",
    "leaderboard/checking.py",
    "leaderboard/submissions.py",
    "apps/server/leaderboard/sending.py",
    "coco/stream.py",
)
NAMED_LAST = {"_refuse": 1, "_refusal": 1, "_Wrong": 2, "_error": 1}
"""Functions whose argument at this place is a rule."""
RULE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def rules(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = [word.value for word in node.keywords if word.arg == "rule"]
            if name in NAMED_LAST and len(node.args) > NAMED_LAST[name]:
                given.append(node.args[NAMED_LAST[name]])
            if name == "Refusal" and len(node.args) == 3:
                given.append(node.args[2])
            found |= {str(one.value) for one in given if isinstance(one, ast.Constant)}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("rule", "rules"):
            parts = [one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
            found |= {str(one) for one in parts if RULE.fullmatch(str(one)) and "-" in str(one)}
    return found


def documented() -> list[str]:
    page = (ROOT / "docs" / "leaderboard.md").read_text()
    table = page.partition("| refused | rule |")[2].partition("\n\n")[0]
    return [rule for line in table.splitlines()[2:] for rule in re.findall(r"`([^`]+)`", line.split("|")[2])]


def test_the_table_names_each_rule_once() -> None:
    named = documented()
    assert len(named) == len(set(named))
    assert set(named) == set().union(*(rules(ROOT / "src" / "amidst" / place) for place in PLACES)) - {
        "offset"  # no refusal: it says where to go on
    }
