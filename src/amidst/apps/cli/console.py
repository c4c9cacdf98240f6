"""What all commands share on screen: results on stdout, everything else on stderr, progress, tables, JSON.

`--json` output is JSON alone on stdout, so that a pipe can read it.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

PLAIN_WIDTH = 120  # columns where the output is no terminal
LINE_EVERY_S = 10.0  # a progress line this often where there is no terminal


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def new_app(help: str = "") -> typer.Typer:
    """The application of a command module: a single command, or with `help` a group of commands."""
    return typer.Typer(
        help=help or None,
        no_args_is_help=bool(help),
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        callback=_group if help else None,
    )


def _group() -> None:
    """Makes an application a group even while it has one command only."""


def say(message: str) -> None:
    """A line for the reader, on stderr."""
    _console(stderr=True).print(message, markup=False, soft_wrap=True)


def error_line(message: str) -> None:
    """The one line an error ends with, on stderr."""
    flat = " ".join(message.split())
    _console(stderr=True).print(f"amidst: error: {flat}", markup=False, soft_wrap=True)


def warning_line(message: str) -> None:
    """A line about something that went wrong without ending the command, on stderr."""
    flat = " ".join(message.split())
    _console(stderr=True).print(f"amidst: warning: {flat}", markup=False, soft_wrap=True)


class LogLines(logging.Handler):
    """Log records as lines on stderr, in the manner of the other messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        line = f"amidst: {record.levelname.lower()}: {self.format(record)}"
        _console(stderr=True).print(line, markup=False, soft_wrap=True)


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
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console(stderr=False).print(table, markup=False)


class Steps:
    """Progress of one long step: `update` moves it. Made by `steps`."""

    def __init__(self, title: str, total: int | None, show: bool = True) -> None:
        self._title, self._total, self._show = title, total, show
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._begun = self._told = time.monotonic()

    def attach(self, bar: Progress) -> None:
        """Show the progress as a line of `bar`."""
        self._bar, self._task = bar, bar.add_task(self._title, total=self._total, note="")

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """`done` of `total` units are finished; `note` stands behind the bar."""
        self._total = total if total is not None else self._total
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=self._total, note=note)
        elif self._show and time.monotonic() - self._told >= LINE_EVERY_S:
            self._told = time.monotonic()
            self._line(done, note)

    def _line(self, done: int, note: str) -> None:
        known = self._total is not None and done > 0
        left = (
            (time.monotonic() - self._begun) / done * (self._total - done) if known and self._total else None
        )
        parts = [f"{self._title}: {done}" + (f"/{self._total}" if self._total else ""), note]
        parts.append(f"{duration(left)} left" if left is not None else "")
        say(", ".join(part for part in parts if part))


@contextmanager
def steps(title: str, total: int | None = None, *, show: bool = True) -> Iterator[Steps]:
    """A progress bar on a terminal, a line every ten seconds elsewhere; nothing where `show` is false."""
    progress, console = Steps(title, total, show), _console(stderr=True)
    if not show or not console.is_terminal:
        yield progress
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        progress.attach(bar)
        yield progress


def duration(seconds: float) -> str:
    """Seconds as people say them: "42 s", "3 min 5 s", "2 h 10 min"."""
    whole = round(max(seconds, 0.0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
