"""The campaign's configuration as a form: every field with its type, default and comment.

Made from the classes of `amidst.crowd.config`, so that a new setting appears by itself.
"""

from __future__ import annotations

import inspect
from typing import Any, Literal, get_args, get_origin

import msgspec

from amidst.config import Config, notes
from amidst.crowd.config import CampaignConfig

Kind = Literal["text", "whole", "number", "flag", "choices"]


class Field(msgspec.Struct, frozen=True):
    """One input. key: dotted, as in --set. choices: of a list of names."""

    key: str
    kind: Kind
    default: Any
    note: str
    choices: tuple[str, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """The fields of one class. about: its documentation."""

    name: str
    about: str
    fields: tuple[Field, ...]


def form(kind: type[Config] = CampaignConfig, prefix: str = "") -> list[Group]:
    """The groups of a configuration class: its own fields first, then those of its parts."""
    own, parts = [], []
    comments = notes(kind)
    for field in msgspec.structs.fields(kind):
        key = f"{prefix}{field.name}"
        if isinstance(field.type, type) and issubclass(field.type, Config):
            parts += form(field.type, f"{key}.")
            continue
        kind_of, choices = _kind(field.type)
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        own.append(Field(key, kind_of, default, comments.get(field.name, ""), choices))
    about = inspect.cleandoc(kind.__doc__ or "")
    return [Group(prefix.rstrip(".") or "campaign", about, tuple(own)), *parts]


def _kind(of: Any) -> tuple[Kind, tuple[str, ...]]:
    """How a field is asked for. Raises TypeError for a type that no input of the page takes."""
    if get_origin(of) is tuple:
        return "choices", get_args(get_args(of)[0])
    kinds: dict[Any, Kind] = {str: "text", bool: "flag", int: "whole", float: "number"}
    if of in kinds:
        return kinds[of], ()
    raise TypeError(f"no input for {of}")
