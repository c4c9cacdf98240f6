"""Records of a JSON list that is too long to be held as text and as records at once.

A file of five million proposals is half a gigabyte of text and two of records, and what is wanted of it are
a few columns. The list is read in pieces of whole records: a piece ends between a `}` and a `, {`. Inside a
record that has lists of objects, or text with such characters, this is no end of a record; the piece is then
no JSON, which is noticed, and the rest of the file is read at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from amidst.coco import parsing
from amidst.errors import DataError, UsageError

R = TypeVar("R", bound=msgspec.Struct)

PIECE_BYTES = 1 << 23

_BOM = b"\xef\xbb\xbf"
_LAST_CUT = re.compile(rb"(?s:.*)\}(\s*,\s*)(?=\{)")


def stream_records(
    path: Path, record_type: type[R], name: str, *, piece_bytes: int = PIECE_BYTES
) -> Iterator[tuple[int, list[R]]]:
    """The records of a file in parts, in order, each part with the index of its first record.

    name: what a record is called in messages. Raises UsageError if the file cannot be opened, DataError
    (file, record, rule) if it is no list or a record is malformed.
    """
    decoder = msgspec.json.Decoder(list[record_type])  # type: ignore[valid-type]
    begun = 0
    try:
        for piece in _pieces(path, piece_bytes):
            records = parsing.decode(decoder, piece)
            yield begun, records
            begun += len(records)
    except msgspec.ValidationError as error:
        raise defect(str(error), begun, name, path) from None
    except msgspec.DecodeError:
        yield begun, _at_once(path, decoder, name)[begun:]
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None


def _at_once(path: Path, decoder: msgspec.json.Decoder[list[R]], name: str) -> list[R]:
    """All records of a file that is not to be cut into pieces, or the error for one that is not JSON."""
    data = parsing.read_file(path)
    try:
        return parsing.decode(decoder, data)
    except msgspec.ValidationError as error:
        raise defect(str(error), 0, name, path) from None
    except msgspec.DecodeError as error:
        raise parsing.malformed(data, error, path) from None


class Cutter:
    """Cuts the text of a JSON list, as it comes, into lists of whole records."""

    def __init__(self, piece_bytes: int = PIECE_BYTES) -> None:
        self._piece_bytes, self._text, self._begun = piece_bytes, bytearray(), False
        self._look_at = piece_bytes

    def feed(self, text: bytes) -> bytes | None:
        """The next bytes of the file; a list of some records where there is one."""
        self._text += text
        if not self._begun and self._text.startswith(_BOM):
            del self._text[: len(_BOM)]
        if len(self._text) < self._look_at:
            return None
        cut = _last_cut(self._text)
        if cut is None:
            self._look_at = 2 * len(self._text)  # else the same text is searched for each piece again
            return None
        self._look_at = self._piece_bytes
        stop, start = cut
        piece = self._head() + bytes(self._text[:stop]) + b"]"
        del self._text[:start]
        return piece

    def end(self) -> bytes:
        """What is left when the file has ended."""
        return self._head() + bytes(self._text)

    @property
    def waiting(self) -> int:
        """Bytes that are not yet part of a piece."""
        return len(self._text)

    def _head(self) -> bytes:
        """What a piece begins with: the file's own beginning, or the bracket that a cut took away."""
        if self._begun:
            return b"["
        self._begun = True
        return b""


def _pieces(path: Path, piece_bytes: int) -> Iterator[bytes]:
    """JSON lists that make up the list in the file."""
    cutter = Cutter(piece_bytes)
    with path.open("rb") as file:
        while text := file.read(piece_bytes):
            piece = cutter.feed(text)
            if piece is not None:
                yield piece
        yield cutter.end()


def _last_cut(text: bytes | bytearray) -> tuple[int, int] | None:
    """Where the last record that is followed by another ends, and where that one begins."""
    found = _LAST_CUT.match(text)
    return None if found is None else found.span(1)


def defect(problem: str, begun: int, name: str, file: Path) -> DataError:
    """Turns msgspec's "Expected ... - at `$[17].bbox`" into the house's error."""
    text, _, place = problem.partition(" - at `$")
    found = re.match(r"\[(\d+)\]\.?(.*)`$", place)
    if found is None:
        return DataError(f"expected a list of {name} records: {text}", file=file, rule="wrong-type")
    field = f"{found[2]}: {text}" if found[2] else text
    rules = {"missing required": "missing-field", "out of range": "non-finite"}
    rule = next((rule for words, rule in rules.items() if words in text), "wrong-type")
    return DataError(field, file=file, record=f"{name} at index {begun + int(found[1])}", rule=rule)
