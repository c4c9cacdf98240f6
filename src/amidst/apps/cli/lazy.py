"""Groups of commands that import a command's module when it is called, and not before.

So help and the numpy side start without torch, and work where it is not installed.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import typer
import typer.core

from amidst.errors import MissingExtra

EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "matplotlib": "report",
    "jinja2": "report",
    "onnx": "export",
    "onnxruntime": "export",
    "onnxscript": "export",
    "fsspec": "cluster",
    "pyarrow": "cluster",
    "ray": "cluster",
    "s3fs": "s3",
} | dict.fromkeys(("alembic", "argon2", "asyncpg", "fastapi", "ijson", "sqlalchemy", "uvicorn"), "server")


def lazy_group(modules: Mapping[str, str]) -> type[typer.core.TyperGroup]:
    """A kind of group in which the commands named in `modules` are placeholders.

    The one that is called is replaced by the `app` of its module.
    """

    class LazyGroup(typer.core.TyperGroup):
        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            """As in the base class, which also suggests the nearest name for an unknown one."""
            name, command, rest = super().resolve_command(ctx, args)
            if name is not None and name in modules:
                command = load(name, modules[name])
            return name, command, rest

    return LazyGroup


def placeholder() -> None:
    """Stands for a command until it is called."""


def load(name: str, module_name: str) -> Any:
    """The command of a module. Raises MissingExtra when it needs a package that is not installed."""
    command = typer.main.get_command(load_module(module_name).app)
    command.name = name
    return command


def load_module(module_name: str) -> Any:
    """A module that is wanted now. Raises MissingExtra when it needs a package that is not installed."""
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in EXTRAS:
            raise MissingExtra(package, EXTRAS[package]) from error
        raise
