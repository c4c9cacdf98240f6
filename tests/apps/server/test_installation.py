"""Secrets: random for each installation, readable by their owner alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from amidst.apps.server.installation import (
    FILE_NAME,
    Secrets,
    keep_address,
    last_address,
    load_secrets,
    new_secrets,
)
from amidst.errors import UsageError


def test_made_once_with_mode_600_and_read_again(tmp_path: Path) -> None:
    made = load_secrets(tmp_path)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert load_secrets(tmp_path) == made


def test_every_installation_and_every_purpose_has_its_own() -> None:
    keys = [key for secrets in (new_secrets(), new_secrets()) for key in _keys(secrets)]
    assert len(set(keys)) == 6
    assert min(map(len, keys)) == 32


def _keys(secrets: Secrets) -> tuple[bytes, ...]:
    return secrets.session, secrets.links, secrets.adapters


def test_never_shown() -> None:
    assert repr(new_secrets()) == "Secrets(...)"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_secrets(tmp_path)
    (tmp_path / FILE_NAME).chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        load_secrets(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"session":"YQ==","links":"YQ==","adapters":"YQ=="}'])
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    load_secrets(tmp_path)
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(UsageError, match="make new secrets"):
        load_secrets(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_where_it_was_last_served(tmp_path: Path) -> None:
    assert last_address(tmp_path) == ""
    keep_address(tmp_path / "none", "http://x")  # cannot be written
    for address in ("http://127.0.0.1:8010", "https://board.example"):
        keep_address(tmp_path, address)
        assert last_address(tmp_path) == address
