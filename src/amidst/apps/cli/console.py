"""What all commands share on screen: results on stdout, everything else on stderr, tables, JSON.

`--json` output is JSON alone on stdout, so that a pipe can read it. Progress stands in `progress.py`.
"""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import typer
import typer.core
from rich.console import Console
from rich.table import Table
from rich.text import Text

PLAIN_WIDTH = 140  # columns of a table where the output is no terminal

STDERR = Console(stderr=True, highlight=False)


def new_app(help: str = "", cls: type[typer.core.TyperGroup] | None = None) -> typer.Typer:
    """The application of a command module: a single command, or with `help` a group of commands."""
    return typer.Typer(
        cls=cls,
        help=help or None,
        no_args_is_help=bool(help),
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        callback=_group if help else None,
    )


def _group() -> None:
    """Makes an application a group even while it has one command only."""


def say(message: str) -> None:
    """A line for the reader, on stderr; above a running progress bar where there is one."""
    STDERR.print(message, markup=False, soft_wrap=True)


def error_line(message: str) -> None:
    """The one line an error ends with, on stderr."""
    say(f"amidst: error: {' '.join(message.split())}")


def warning_line(message: str) -> None:
    """A line about something that went wrong without ending the command, on stderr."""
    say(f"amidst: warning: {' '.join(message.split())}")


class LogLines(logging.Handler):
    """Log records as lines on stderr, in the manner of the other messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        say(f"amidst: {record.levelname.lower()}: {self.format(record)}")


def print_json(value: Any) -> None:
    """One JSON document and a newline on stdout. What is not a finite number becomes null."""
    sys.stdout.write(json.dumps(_finite(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(child) for child in value]
    return value


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()
) -> None:
    """A table on stdout; the columns named in `right` are flush right."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as text: names may hold what Rich takes for markup
    if title:  # not as the table's own title, which would be wrapped to the width of the table
        console.print(title, style="bold", markup=False, soft_wrap=True)
    console.print(table)


def duration(seconds: float) -> str:
    """Seconds as people say them: "42 s", "3 min 5 s", "2 h 10 min"."""
    whole = round(max(seconds, 0.0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
