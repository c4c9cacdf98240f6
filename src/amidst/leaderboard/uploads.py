"""Uploads: bytes appended to a file and checked as they come.

The file itself says how far an upload has come, so after any interruption, of the client, the connection or
this process, it goes on where it stood: a checker that is behind the file first reads what it has missed.
Blocking calls; the server makes them in threads, one at a time for each upload.
"""

from __future__ import annotations

import dataclasses
import os
from collections import OrderedDict
from pathlib import Path

from amidst.errors import DataError
from amidst.leaderboard.checking import Checker, Rules
from amidst.leaderboard.config import UploadLimits

READ_BYTES = 1 << 20
MOST_CHECKERS = 64
"""Uploads whose checkers are remembered; another one is checked anew from its file when it goes on."""


class Uploads:
    """The unfinished uploads of a benchmark, by submission."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._checkers: OrderedDict[int, Checker] = OrderedDict()

    def set_limits(self, limits: UploadLimits) -> None:
        """Other limits, for uploads that begin from now on."""
        self._rules = dataclasses.replace(self._rules, limits=limits)

    def append(self, submission: int, name: str, path: Path, data: bytes) -> None:
        """Writes the next bytes, then checks them. Raises DataError, after which the upload is over."""
        with path.open("ab") as file:
            file.write(data)
        try:
            self._checker(submission, name, path)
        except DataError:
            self.forget(submission)
            raise

    def finish(self, submission: int, name: str, path: Path) -> tuple[str, int]:
        """The file is complete: its SHA-256 and how many records it has. Raises DataError."""
        try:
            checker = self._checker(submission, name, path)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            return checker.end(), checker.records
        finally:
            self.forget(submission)

    def forget(self, submission: int) -> None:
        """The upload is over."""
        self._checkers.pop(submission, None)

    def _checker(self, submission: int, name: str, path: Path) -> Checker:
        """The checker of an upload, which has seen the whole file."""
        checker = self._checkers.setdefault(submission, Checker(name, self._rules))
        self._checkers.move_to_end(submission)
        while len(self._checkers) > MOST_CHECKERS:
            self._checkers.popitem(last=False)
        with path.open("rb") as file:
            file.seek(checker.received)
            while data := file.read(READ_BYTES):
                checker.feed(data)
        return checker


def size_of(path: Path) -> int:
    """Bytes that have come."""
    return path.stat().st_size if path.exists() else 0
