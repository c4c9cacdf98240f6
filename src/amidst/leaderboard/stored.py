"""Settings read back from a database, also those that a newer version of amidst would refuse.

A bound that came later must not make a benchmark unreadable: what does not fit is brought to the nearest
value that does, and a note says so; the note goes when the settings are saved anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from amidst.config import Config

C = TypeVar("C", bound=Config)


def read_settings(text: str, kind: type[C], closed: Mapping[str, Any] | None = None) -> tuple[C, list[str]]:
    """Settings and notes on what did not fit.

    closed: of fields whose default would open something, the value that holds in place of a senseless one.
    """
    try:
        return msgspec.json.decode(text, type=kind), []
    except msgspec.ValidationError:
        notes: list[str] = []
        return _mended(msgspec.json.decode(text, type=dict[str, Any]), kind, closed or {}, notes), notes


def _mended(
    tree: dict[str, Any], kind: type[C], closed: Mapping[str, Any], notes: list[str], path: str = ""
) -> C:
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    kept: dict[str, Any] = {}
    for name, value in tree.items():
        key, field = path + name, fields.get(name)
        if field is None:
            notes.append(f"{key} is no setting of this version")
            continue
        try:
            kept[name] = msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            if isinstance(value, dict) and isinstance(field.type, type) and issubclass(field.type, Config):
                kept[name] = _mended(value, field.type, {}, notes, f"{key}.")
                continue
            kept[name] = closed[name] if name in closed else _nearest(value, field)
            told = str(kept[name])[:60]
            notes.append(f"{key} is {str(value)[:60]!r}: {error}; {told!r} holds instead")
    return kind(**kept)


def _nearest(value: Any, field: msgspec.structs.FieldInfo) -> Any:
    """The nearest value within the bounds of a number or the length of a text; else the default."""
    about = msgspec.inspect.type_info(field.type)
    kinds = about.types if isinstance(about, msgspec.inspect.UnionType) else (about,)
    near: Any = field.default
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.IntType | msgspec.inspect.FloatType) and _is_number(value):
            near = value if kind.ge is None else max(value, kind.ge)
            near = near if kind.le is None else min(near, kind.le)
        elif isinstance(kind, msgspec.inspect.StrType) and isinstance(value, str):
            near = value[: kind.max_length].replace("\x00", "")
    try:
        return msgspec.convert(near, field.type)
    except msgspec.ValidationError:
        return field.default


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
