"""`amidst crowd serve --mturk`: where, and with whose keys."""

from __future__ import annotations

import pytest

from amidst.apps.cli.crowd_platform import KEYS, mturk
from amidst.errors import UsageError


def test_without_it_there_is_no_platform() -> None:
    assert mturk("") is None


@pytest.mark.parametrize("where", ["elsewhere", "http://mturk.example", "ftp://127.0.0.1:1"])
def test_only_safe_addresses(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "x")
    with pytest.raises(UsageError, match="expected sandbox"):
        mturk(where)


@pytest.mark.parametrize("where", ["sandbox", "production", "http://127.0.0.1:9"])
def test_keys_come_from_the_environment(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError, match=KEYS[0]):
        mturk(where)
    for name in KEYS:
        monkeypatch.setenv(name, "x")
    assert mturk(where) is not None
