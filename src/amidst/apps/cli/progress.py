"""Progress of long steps on stderr: bars on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from amidst.apps.cli.console import STDERR, duration, say

LINE_EVERY_S = 10.0  # where there is no terminal


class Step:
    """One long step: `update` moves it, `finish` takes its bar away. Made by `Screen.step`."""

    def __init__(
        self, title: str, total: int | None, begun_at: int, bars: Progress | None, show: bool
    ) -> None:
        self._title, self._total, self._begun_at, self._bars, self._show = title, total, begun_at, bars, show
        self._task = TaskID(0)
        if bars is not None:
            self._task = bars.add_task(title, total=total, completed=begun_at, note="")
        self._begun = self._told = time.monotonic()

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """`done` of `total` units are finished; `note` stands behind the bar."""
        self._total = total if total is not None else self._total
        if self._bars is not None:
            self._bars.update(self._task, completed=done, total=self._total, note=note)
        elif self._show and time.monotonic() - self._told >= LINE_EVERY_S:
            self._told = time.monotonic()
            say(", ".join(part for part in (self._amount(done), note, self._left(done)) if part))

    def finish(self) -> None:
        """The step is over."""
        if self._bars is not None:
            self._bars.remove_task(self._task)

    def _amount(self, done: int) -> str:
        return f"{self._title}: {done}/{self._total}" if self._total else f"{self._title}: {done}"

    def _left(self, done: int) -> str:
        gone = done - self._begun_at
        if not self._total or gone <= 0:
            return ""
        seconds = (time.monotonic() - self._begun) / gone * (self._total - done)
        return f"{duration(seconds)} left"


class Screen:
    """Several steps at a time. Made by `screen`."""

    def __init__(self, bars: Progress | None, show: bool) -> None:
        self._bars, self._show = bars, show

    def step(self, title: str, total: int | None = None, begun_at: int = 0) -> Step:
        """A further step with its own bar; a resumed one has `begun_at` units behind it."""
        return Step(title, total, begun_at, self._bars, self._show)


@contextmanager
def screen(*, show: bool = True) -> Iterator[Screen]:
    """Room for bars; with `show` false, nothing is ever shown."""
    if not show or not STDERR.is_terminal:
        yield Screen(None, show)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=STDERR, transient=True) as bars:
        yield Screen(bars, show)


@contextmanager
def step(title: str, total: int | None = None) -> Iterator[Step]:
    """Progress of a single step."""
    with screen() as room:
        yield room.step(title, total)
