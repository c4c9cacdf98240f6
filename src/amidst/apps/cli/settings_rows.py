"""Settings as the lines of a table, for the commands that show and change them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from amidst.config import Config, keys, to_builtins

HEAD = ("key for --set", "value", "default", "")


def setting_rows(config: Config, default: Config, notes: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Key, value, default where it differs, note of each setting."""
    rows: list[tuple[str, ...]] = []
    for key in keys(config):
        value, usual = setting(config, key), setting(default, key)
        rows.append((key, told(value), "" if value == usual else told(usual), notes.get(key, "")))
    return rows


def setting(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = to_builtins(config)
    for part in key.split("."):
        value = value[part]
    return value


def told(value: Any) -> str:
    """A value in words."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)
