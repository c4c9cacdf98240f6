"""The secrets of one installation: made at random at its first start, in a file that only its owner reads.

There is no default for any of them, so two installations never accept each other's links or sessions.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

import msgspec

from amidst.errors import UsageError

FILE_NAME = "secrets.json"
ADDRESS = "address.txt"
KEY_BYTES = 32


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Keys of the CSRF tokens (session), of media links (links), of crowd platforms' links (adapters)."""

    session: bytes
    links: bytes
    adapters: bytes

    def __repr__(self) -> str:
        return "Secrets(...)"


def new_secrets() -> Secrets:
    """Three fresh keys."""
    return Secrets(*(secrets.token_bytes(KEY_BYTES) for _ in range(3)))


def load_secrets(folder: Path) -> Secrets:
    """The secrets of the installation in `folder`; made (mode 600) where there are none yet.

    Raises UsageError when the file is damaged or others may read it.
    """
    path = folder / FILE_NAME
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(handle, "wb") as stream:
        made = new_secrets()
        stream.write(msgspec.json.encode(made))
        stream.flush()
        os.fsync(stream.fileno())
    return made


def keep_address(folder: Path, address: str) -> None:
    """Writes down where the installation is served, for the links that are made beside the server.

    A folder that cannot be written costs no more than that.
    """
    with suppress(OSError):
        (folder / ADDRESS).write_text(f"{address}\n", encoding="utf-8")


def last_address(folder: Path) -> str:
    """Where the installation in `folder` was last served; "" if it never was."""
    path = folder / ADDRESS
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _read(path: Path) -> Secrets:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(f"{path}: others may read the secrets of this installation; run: chmod 600 {path}")
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Secrets)
    except msgspec.DecodeError:
        raise UsageError(
            f"{path}: damaged; remove it to make new secrets (all sessions and links end)"
        ) from None
    if min(map(len, (found.session, found.links, found.adapters))) < KEY_BYTES:
        raise UsageError(f"{path}: a key is shorter than {KEY_BYTES} bytes; remove it to make new secrets")
    return found
