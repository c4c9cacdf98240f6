"""Fetching published weights, with the network replaced."""

from __future__ import annotations

import hashlib
import io
import urllib.error
from email.message import Message
from pathlib import Path

import pytest

from amidst.errors import UsageError, WeightsError
from amidst.models import download
from amidst.models.download import cached_weights, default_cache, download_weights

CONTENT = b"weights" * 400_000
SUM = hashlib.sha256(CONTENT).hexdigest()[:8]


class Answer(io.BytesIO):
    def __init__(self, content: bytes, url: str) -> None:
        super().__init__(content)
        self.url = url
        self.headers = Message()
        self.headers["Content-Length"] = str(len(content))

    def geturl(self) -> str:
        return self.url


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Answer:
        asked.append(url)
        return Answer(CONTENT, url)

    monkeypatch.setattr(download.urllib.request, "urlopen", urlopen)
    monkeypatch.setattr(download, "WEIGHTS", {"good": f"good-{SUM}.pth", "bad": "bad-00000000.pth"})
    return asked


def test_fetches_once_and_reports_progress(tmp_path: Path, server: list[str]) -> None:
    seen: list[tuple[int, int | None]] = []
    path = download_weights("good", tmp_path / "new", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 1
    assert download_weights("good", tmp_path / "new") == cached_weights("good", tmp_path / "new") == path
    assert server == [f"https://download.pytorch.org/models/good-{SUM}.pth"]


def test_wrong_content_is_not_kept(tmp_path: Path, server: list[str]) -> None:
    with pytest.raises(WeightsError, match="expected SHA-256 00000000"):
        download_weights("bad", tmp_path)
    assert not list(tmp_path.iterdir())


def test_only_https(tmp_path: Path, server: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="https"):
        download_weights("good", tmp_path, address="http://example.org/")
    assert not server
    monkeypatch.setattr(
        download.urllib.request, "urlopen", lambda url, timeout: Answer(CONTENT, "http://elsewhere")
    )
    with pytest.raises(WeightsError, match="expected https"):
        download_weights("good", tmp_path)


def test_offline_says_so(tmp_path: Path, server: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def urlopen(url: str, timeout: float) -> Answer:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(download.urllib.request, "urlopen", urlopen)
    with pytest.raises(
        WeightsError, match=r"cannot be downloaded \(no route to host\); is this machine online"
    ):
        download_weights("good", tmp_path)
    assert not list(tmp_path.iterdir())


def test_names_and_places(tmp_path: Path, server: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="known are good, bad"):
        cached_weights("other", tmp_path)
    with pytest.raises(UsageError, match="fetch them once"):
        cached_weights("good", tmp_path)
    monkeypatch.delenv("AMIDST_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "amidst"
    monkeypatch.setenv("AMIDST_CACHE", str(tmp_path / "mine"))
    assert default_cache() == tmp_path / "mine"
