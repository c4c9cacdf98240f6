"""amidst.leaderboard.unpacking: real archives, cut into bytes of any length, and bad ones."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from amidst.errors import DataError
from amidst.leaderboard.config import UploadLimits
from amidst.leaderboard.unpacking import Unpacker

TEXT = b'[{"image_id": 1}]'


class OneWay(io.RawIOBase):
    """A stream that cannot go back, so that sizes stand behind the data."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self.data += bytes(data)  # type: ignore[call-overload]
        return len(bytes(data))  # type: ignore[call-overload]


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, one_way: bool = False) -> bytes:
    stream = OneWay() if one_way else io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:  # type: ignore[arg-type]
        for name, text in files.items():
            made.writestr(name, text)
    return bytes(stream.data) if isinstance(stream, OneWay) else stream.getvalue()  # type: ignore[union-attr]


def unpack(data: bytes, step: int = 1 << 20, limits: UploadLimits | None = None) -> bytes:
    unpacker = Unpacker(limits or UploadLimits())
    parts = [unpacker.feed(data[at : at + step]) for at in range(0, len(data), step)]
    unpacker.end()
    return b"".join(parts)


def test_an_archive_without_files() -> None:
    with pytest.raises(DataError, match="holds no JSON file"):
        unpack(archive({}))
    with pytest.raises(DataError, match="cut off"):
        Unpacker(UploadLimits()).end()


@pytest.mark.parametrize("one_way", [False, True])
@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_the_text_comes_out_whatever_the_pieces(step: int, one_way: bool) -> None:
    text = bytes(random.Random(1).choices(b'[{"image_id": 0123456789}, ]', k=20_000))
    assert unpack(archive({"a/b/results.json": text}, one_way=one_way), step) == text
    if not one_way:
        assert unpack(archive({"results.json": text}, zipfile.ZIP_STORED), step) == text


def test_folders_and_what_macos_adds_are_skipped() -> None:
    files = {"a/": b"", "a/results.json": TEXT, "__MACOSX/a/._results.json": b"junk", "a/.DS_Store": b"junk"}
    assert unpack(archive(files)) == TEXT


def test_archives_of_the_usual_program(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "results.json").write_bytes(TEXT * 1000)
    made = subprocess.run(["python3", "-m", "zipfile", "-c", "a.zip", "folder"], cwd=tmp_path, check=True)
    assert made.returncode == 0
    assert unpack((tmp_path / "a.zip").read_bytes(), 5) == TEXT * 1000


def test_zip64() -> None:
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made,
        made.open("r.json", "w", force_zip64=True) as file,
    ):
        file.write(TEXT)
    assert unpack(stream.getvalue(), 3) == TEXT


def test_two_files_and_other_files() -> None:
    with pytest.raises(DataError, match=r"holds 'a.json' and 'b/c.json'.*two-files"):
        unpack(archive({"a.json": TEXT, "b/c.json": TEXT}))
    with pytest.raises(DataError, match=r"'run.sh' in it is no \.json file"):
        unpack(archive({"run.sh": b"rm"}))
    with pytest.raises(DataError, match="more than 100 folders"):
        unpack(archive({f"{i}/": b"" for i in range(101)}))


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    bomb = archive({"r.json": b" " * (64 << 20)})
    unpacker = Unpacker(UploadLimits())
    with pytest.raises(DataError, match="more than 200 times"):
        unpacker.feed(bomb)
    with pytest.raises(DataError, match="larger than 1,000 bytes"):
        unpack(archive({"r.json": TEXT * 100}), limits=UploadLimits(max_unpacked=1000))
    nested = archive({"r.zip": bomb})
    with pytest.raises(DataError, match=r"no \.json file"):
        unpack(nested)


def test_every_cut_is_noticed() -> None:
    data = archive({"r.json": TEXT * 20})
    for length in range(4, len(data) - 22):  # the last record of the archive names no file
        with pytest.raises(DataError, match="bad-zip"):
            unpack(data[:length])


def test_every_damaged_byte_is_noticed_or_harmless() -> None:
    text, draw = TEXT * 50, random.Random(2)
    data = archive({"r.json": text})
    for _ in range(400):
        place = draw.randrange(4, len(data))
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << draw.randrange(8)
        with suppress(DataError):
            assert unpack(bytes(spoilt)) == text


def test_encrypted_and_odd_methods() -> None:
    data = bytearray(archive({"r.json": TEXT}))
    data[6] |= 1
    with pytest.raises(DataError, match="encrypted"):
        unpack(bytes(data))
    with pytest.raises(DataError, match="method 14"):
        unpack(archive({"r.json": TEXT}, zipfile.ZIP_LZMA))
    described = bytearray(archive({"r.json": TEXT}, zipfile.ZIP_STORED))
    described[6] |= 8
    with pytest.raises(DataError, match=r"size of 'r\.json' in it is unknown"):
        unpack(bytes(described))


def test_a_second_list_of_files_that_lies() -> None:
    """The header says one name, the list another: other programs would unpack something else."""
    data = archive({"r.json": TEXT})
    with pytest.raises(DataError, match="list of files is not what it holds"):
        unpack(data.replace(b"PK\x01\x02", b"PK\x01\x02", 1).replace(b"r.json", b"x.json", 1))
    crc = struct.pack("<I", zipfile.ZipFile(io.BytesIO(data)).infolist()[0].CRC)
    with pytest.raises(DataError, match="check sum"):
        unpack(data.replace(crc, b"\0\0\0\0", 1))
