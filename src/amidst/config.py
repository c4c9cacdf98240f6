"""Configuration objects: frozen, typed, and changed only by replacement.

A configuration is a tree of `msgspec.Struct` classes (frozen, unknown fields forbidden, types checked on
conversion). Each default stands once, in the class beside the code it configures; the command line changes
it by `--set key.path=value` through `override`, and a checkpoint carries it as JSON.
"""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from amidst.errors import ConfigError


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every configuration class."""


C = TypeVar("C", bound=Config)


def to_builtins(config: Config) -> dict[str, Any]:
    """The configuration as nested dicts, lists and plain values, ready for JSON."""
    tree: dict[str, Any] = msgspec.to_builtins(config)
    return tree


def from_builtins(tree: object, kind: Any) -> Any:
    """Inverse of `to_builtins`: the configuration of class `kind`, or of one of a union of classes.

    Raises ConfigError naming the path, the expected type and the type found.
    """
    try:
        return msgspec.convert(tree, kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"configuration: {error}") from None


def override(config: C, assignments: Sequence[str]) -> C:
    """A copy of `config` changed by assignments such as "optim.lr=0.01" or "data.short_sides=[320,384]".

    Values are JSON; what is not JSON is taken as a string. Raises ConfigError for an unknown key (with the
    nearest known one) or a value of the wrong type.
    """
    tree = to_builtins(config)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected key=value")
        branch, name = _descend(tree, key)
        branch[name] = _value(text)
    changed: C = from_builtins(tree, type(config))
    return changed


def keys(config: Config) -> list[str]:
    """All dotted keys of the configuration, in order of definition."""

    def walk(tree: dict[str, Any], prefix: str) -> list[str]:
        found: list[str] = []
        for name, value in tree.items():
            found += walk(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
        return found

    return walk(to_builtins(config), "")


def notes(kind: type[Config]) -> dict[str, str]:
    """The comment behind each field of a configuration class, for forms; none where the source is missing."""
    try:
        lines = inspect.getsource(kind).splitlines()
    except OSError:
        return {}
    found = (re.match(r"    (\w+): [^#]*?  # (.+)$", line) for line in lines)
    return {match[1]: match[2] for match in found if match is not None}


def _descend(tree: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    *parents, name = key.strip().split(".")
    branch = tree
    for depth, part in enumerate([*parents, name]):
        if part not in branch or (depth < len(parents) and not isinstance(branch[part], dict)):
            near = difflib.get_close_matches(part, branch, n=1)
            hint = f"; did you mean {'.'.join([*parents[:depth], near[0]])}?" if near else ""
            raise ConfigError(f"unknown configuration key {key!r}{hint} (known here: {', '.join(branch)})")
        if depth < len(parents):
            branch = branch[part]
    return branch, name


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return {"True": True, "False": False, "None": None}.get(text, text)
