"""The records of a submission, from its bytes as they come: plain JSON or a zip archive.

    reader = Reader("results.json", limits)
    for first, records in reader.feed(data): ...       # first: index of the first record
    for first, records in reader.end(): ...

A record is {"image_id", "category_id", "score"} with "bbox" or "segmentation" (run lengths), as in COCO's
results format; further fields are ignored. Errors name file, record and rule, and repeat nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from amidst.coco import parsing
from amidst.coco.records import Box, Rle
from amidst.coco.stream import Cutter, defect
from amidst.errors import DataError
from amidst.leaderboard.config import UploadLimits
from amidst.leaderboard.unpacking import SIGNATURE, Unpacker

PIECE_BYTES = 1 << 20
LONGEST_RECORD = 1 << 25
"""Bytes of text without the end of a record in it."""
MOST_HELD = 1 << 22
"""Bytes that are kept as not yet JSON, for the case that a record has lists of objects and was cut inside."""
STEP_BYTES = 1 << 18
"""Bytes that are unpacked at a time, so that an archive of the highest ratio stays small in memory."""


class Record(msgspec.Struct, gc=False):
    """A detection or proposal. category_id: 1 where a proposal names none."""

    image_id: parsing.Id
    score: float
    category_id: parsing.Id | None = None
    bbox: Box | None = None
    segmentation: Rle | None = None


Part = tuple[int, list[Record]]
T = TypeVar("T")


class Reader:
    """See the module. Raises DataError, with which the reader is used up."""

    def __init__(self, name: str, limits: UploadLimits) -> None:
        self._name, self._limits = name, limits
        self._unpacker: Unpacker | None = None
        self._head = b""
        self._begun = self._is_list = False
        self._cutter = Cutter(PIECE_BYTES)
        self._held = b""
        self._records = 0
        self._decoder = msgspec.json.Decoder(list[Record])

    def feed(self, data: bytes) -> Iterator[Part]:
        """Records that are complete now, of the next bytes of the file."""
        for begin in range(0, len(data), STEP_BYTES):
            yield from self._take(self._unpacked(data[begin : begin + STEP_BYTES]))

    def end(self) -> Iterator[Part]:
        """The last records. Raises DataError if the file is not complete."""
        if self._unpacker is not None:
            self._named(self._unpacker.end)
        elif not self._begun:
            yield from self._take(self._head)
        part = self._decoded(self._cutter.end(), last=True)
        if part is not None:
            yield part

    def _unpacked(self, data: bytes) -> bytes:
        """The JSON text in the bytes of the file, whose first four tell what it is."""
        if self._begun:
            return self._named(self._unpacker.feed, data) if self._unpacker is not None else data
        self._head += data
        if len(self._head) < len(SIGNATURE):
            return b""
        self._begun = True
        if self._head.startswith(b"PK"):
            self._unpacker = Unpacker(self._limits)
            return self._named(self._unpacker.feed, self._head)
        return self._head

    def _named(self, work: Callable[..., T], *arguments: bytes) -> T:
        """`work`, its errors with the file's name."""
        try:
            return work(*arguments)
        except DataError as error:
            raise DataError(error.problem, file=self._name, rule=error.rule) from None

    def _take(self, text: bytes) -> Iterator[Part]:
        if not self._is_list:
            self._is_list = self._begins(text)
        for begin in range(0, len(text), PIECE_BYTES):
            piece = self._cutter.feed(text[begin : begin + PIECE_BYTES])
            if piece is not None:
                part = self._decoded(piece)
                if part is not None:
                    yield part
            elif self._cutter.waiting > LONGEST_RECORD:
                raise self._error(f"no record ends within {LONGEST_RECORD:,} bytes", "json", self._records)

    def _begins(self, text: bytes) -> bool:
        """Whether the list has begun; nothing but space may stand before it."""
        start = text.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if start not in (b"", b"["):
            raise self._error("a results file is a list of detections: [{...}, ...]", "json")
        return start == b"["

    def _decoded(self, piece: bytes, *, last: bool = False) -> Part | None:
        """The records of a piece; None if it has to wait for the next one. Raises DataError."""
        if self._held:
            piece, self._held = self._held[:-1] + b"," + piece[1:], b""
        first = self._records
        try:
            records = self._decoder.decode(piece)
        except RecursionError:
            raise self._error(parsing.TOO_DEEP, "json", first, "in the part that begins with ") from None
        except msgspec.ValidationError as error:
            found = defect(str(error), first, "detection", Path(self._name))
            raise DataError(found.problem, file=self._name, record=found.record, rule=found.rule) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._held = self._waits(piece, str(error), last)
            return None
        self._records += len(records)
        return first, records

    def _waits(self, piece: bytes, problem: str, last: bool) -> bytes:
        """What is not JSON may be a cut inside a record. Raises DataError if it cannot be."""
        found = parsing.malformed(piece, msgspec.DecodeError(problem), None)
        place = re.match(r"\$\[(\d+)\]\.?(.*)", found.record or "")
        if found.rule == "non-finite" and place is not None:
            raise self._error(f"{place[2]}: {found.problem}", found.rule, self._records + int(place[1]))
        if last or len(piece) > MOST_HELD:
            if not piece.strip():
                raise self._error("the file is empty; a results file is a list of detections", "json")
            raise self._error(
                f"not valid JSON: {problem}", "json", self._records, "in the part that begins with "
            )
        return piece

    def _error(self, problem: str, rule: str, index: int | None = None, where: str = "") -> DataError:
        record = None if index is None else f"{where}detection at index {index}"
        return DataError(problem, file=self._name, record=record, rule=rule)
