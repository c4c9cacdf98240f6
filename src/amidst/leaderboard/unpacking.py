"""A zip archive unpacked while it arrives: one JSON file in it, in any folder.

The standard library reads an archive from its end; here the local headers are followed from the beginning, so
that what is wrong is found in the first kilobytes of an upload and not after the last. Nothing is written and
no name in the archive is ever used as a path. Refused: more than one file (what macOS adds is skipped),
encryption, methods other than stored and deflate, a size or a ratio above the limits, text whose check sum
is another. At the end the archive's own list of files has to agree with what was read.

Source: APPNOTE.TXT of PKWARE, 4.3 (local header, data descriptor, central directory), ZIP64.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NoReturn

from amidst.errors import DataError
from amidst.leaderboard.config import UploadLimits

SIGNATURE = b"PK\x03\x04"

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_DESCRIPTOR, _DIRECTORY = b"PK\x07\x08", b"PK\x01\x02"
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _DESCRIBED = 0x1, 0x8
_IN_ZIP64 = 0xFFFFFFFF
_MOST_SKIPPED = 100
_RATIO_FROM = 1 << 20
"""Text below this size is never a bomb; short text may be packed very tightly."""
_STEP = 1 << 20
_MARGIN = 1 << 22
"""Bytes of the archive's own lists, at most."""


@dataclass
class _Member:
    """A file in the archive, as far as it was read. packed: None if only its data say where it ends."""

    name: str
    method: int
    packed: int | None
    crc: int | None
    wanted: bool
    read: int = 0
    size: int = 0
    sum: int = 0


class Unpacker:
    """Takes the bytes of an archive, gives the text of its one JSON file. Raises DataError."""

    def __init__(self, limits: UploadLimits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._member: _Member | None = None
        self._inflater = zlib.decompressobj(-15)
        self._text: _Member | None = None
        self._skipped = 0
        self._directory = bytearray()
        self._in_directory = False

    def feed(self, data: bytes) -> bytes:
        """The text that the next bytes hold."""
        self._buffer += data
        parts: list[bytes] = []
        while True:
            if self._in_directory:
                self._directory += self._buffer
                self._buffer.clear()
                if len(self._directory) > _MARGIN:
                    _refuse("the list of its files is too long", "bad-zip")
                return b"".join(parts)
            if self._member is None:
                if not self._next():
                    return b"".join(parts)
            elif self._inflate(parts):
                return b"".join(parts)

    def end(self) -> None:
        """The archive has ended: it has to be whole, and to list the one file that was read."""
        if not self._in_directory:
            _refuse("it is cut off", "bad-zip")
        text = self._text
        if text is None:
            _refuse("it holds no JSON file", "no-json")
        if (text.name, text.sum, text.size) not in self._listed():
            _refuse("its list of files is not what it holds", "bad-zip")

    def _listed(self) -> list[tuple[str, int, int]]:
        """Name, check sum and size (of ZIP64 unknown: the size read) as the archive lists its files."""
        found: list[tuple[str, int, int]] = []
        place = 0
        while self._directory[place : place + 4] == _DIRECTORY:
            if len(self._directory) < place + _CENTRAL.size:
                _refuse("it is cut off", "bad-zip")
            fields = _CENTRAL.unpack_from(self._directory, place)
            crc, size, name, extra, comment = fields[7], fields[9], fields[10], fields[11], fields[12]
            begin = place + _CENTRAL.size
            if size == _IN_ZIP64 and self._text is not None:
                size = self._text.size
            found.append((_name(bytes(self._directory[begin : begin + name])), crc, size))
            place = begin + name + extra + comment
        if not self._directory[place:].startswith((b"PK\x05\x06", b"PK\x06\x06")):
            _refuse("it is cut off", "bad-zip")
        return found

    def _next(self) -> bool:
        """Reads the header of the next file; False while it is not whole."""
        head = bytes(self._buffer[:4])
        if len(head) < 4:
            return False
        if head in (_DIRECTORY, b"PK\x05\x06"):
            self._in_directory = True
            return True
        if head != SIGNATURE:
            _refuse("it is damaged", "bad-zip")
        if len(self._buffer) < _LOCAL.size:
            return False
        _, _, flags, method, _, _, crc, packed, _, name_length, extra_length = _LOCAL.unpack_from(
            self._buffer
        )
        begin = _LOCAL.size + name_length + extra_length
        if len(self._buffer) < begin:
            return False
        name = _name(bytes(self._buffer[_LOCAL.size : _LOCAL.size + name_length]))
        extra = bytes(self._buffer[_LOCAL.size + name_length : begin])
        del self._buffer[:begin]
        if flags & _ENCRYPTED:
            _refuse(f"{name!r} in it is encrypted", "encrypted")
        if method not in (_STORED, _DEFLATED):
            _refuse(f"{name!r} in it is packed by method {method}; use deflate", "bad-zip")
        described = bool(flags & _DESCRIBED)
        if described and method == _STORED:
            _refuse(f"the size of {name!r} in it is unknown; pack it with deflate", "bad-zip")
        if packed == _IN_ZIP64 and not described:
            packed = _zip64_packed(extra)
        wanted = self._wants(name)
        self._member = _Member(
            name, method, None if described else packed, None if described else crc, wanted
        )
        self._inflater = zlib.decompressobj(-15)
        if wanted:
            self._text = self._member
        return True

    def _wants(self, name: str) -> bool:
        """Whether this is the JSON file; folders and what macOS adds are skipped."""
        path = PurePosixPath(name.replace("\\", "/"))
        if name.endswith("/") or "__MACOSX" in path.parts or path.name in (".DS_Store", "Thumbs.db"):
            self._skipped += 1
            if self._skipped > _MOST_SKIPPED:
                _refuse(f"it holds more than {_MOST_SKIPPED} folders", "bad-zip")
            return False
        if path.suffix.lower() != ".json":
            _refuse(f"{name!r} in it is no .json file; put the results file alone into it", "not-json")
        if self._text is not None:
            _refuse(f"it holds {self._text.name!r} and {name!r}; put one results file into it", "two-files")
        return True

    def _inflate(self, parts: list[bytes]) -> bool:
        """Takes the data of the current file; True while more is needed."""
        member = self._member
        assert member is not None
        if member.method == _STORED:
            left = (member.packed or 0) - member.read
            data = bytes(self._buffer[:left])
            del self._buffer[: len(data)]
            member.read += len(data)
            self._take(member, data, parts)
            return not self._finish(member) if member.read == member.packed else True
        try:
            while not self._inflater.eof and (self._buffer or self._inflater.unconsumed_tail):
                data = self._inflater.unconsumed_tail or bytes(self._buffer)
                if not self._inflater.unconsumed_tail:
                    member.read += len(data)
                    self._buffer.clear()
                self._take(member, self._inflater.decompress(data, _STEP), parts)
        except zlib.error:
            _refuse(f"the data of {member.name!r} in it are damaged", "bad-zip")
        if not self._inflater.eof:
            return True
        if self._inflater.unused_data:
            member.read -= len(self._inflater.unused_data)
            self._buffer[:0] = self._inflater.unused_data
            self._inflater = _ended()
        return not self._finish(member)

    def _take(self, member: _Member, text: bytes, parts: list[bytes]) -> None:
        """Counts and sums the text of a file; keeps it if it is the JSON."""
        member.size += len(text)
        member.sum = zlib.crc32(text, member.sum)
        most = self._limits.max_unpacked
        if member.size > most:
            _refuse(f"{member.name!r} in it is larger than {most:,} bytes", "too-large")
        ratio = self._limits.max_ratio
        if member.size > _RATIO_FROM and member.size > ratio * max(member.read, 1):
            _refuse(f"{member.name!r} in it is packed more than {ratio} times", "zip-bomb")
        if member.wanted:
            parts.append(text)

    def _finish(self, member: _Member) -> bool:
        """The data of a file have ended: its check sum; False while it is not there."""
        if member.crc is None:
            length = _descriptor_length(self._buffer)
            if length is None:
                return False
            at = 4 if self._buffer.startswith(_DESCRIPTOR) else 0
            member.crc = int.from_bytes(self._buffer[at : at + 4], "little")
            del self._buffer[:length]
        elif member.packed is not None and member.read != member.packed:
            _refuse(f"the size of {member.name!r} in it is another than it says", "bad-zip")
        if member.crc != member.sum:
            _refuse(f"the check sum of {member.name!r} in it is wrong", "bad-zip")
        self._member = None
        return True


def _ended() -> zlib._Decompress:
    """A decompressor that has nothing left."""
    done = zlib.decompressobj(-15)
    done.decompress(b"\x03\x00")
    return done


def _descriptor_length(buffer: bytearray) -> int | None:
    """Bytes of a data descriptor (with or without signature, sizes of 4 or 8 bytes), by what stands after it.

    None while that has not come.
    """
    if len(buffer) < 28:
        return None
    start = 4 if buffer.startswith(_DESCRIPTOR) else 0
    for length in (start + 12, start + 20):
        if bytes(buffer[length : length + 4]) in (SIGNATURE, _DIRECTORY):
            return length
    raise _refusal("it is damaged", "bad-zip")


def _zip64_packed(extra: bytes) -> int:
    """The packed size in the ZIP64 field of a local header (both sizes stand there)."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == 1 and length >= 16:
            return int(struct.unpack_from("<QQ", extra, place + 4)[1])
        place += 4 + length
    raise _refusal("it is damaged", "bad-zip")


def _name(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _refuse(problem: str, rule: str) -> NoReturn:
    raise _refusal(problem, rule)


def _refusal(problem: str, rule: str) -> DataError:
    return DataError(f"zip archive: {problem}", rule=rule)
