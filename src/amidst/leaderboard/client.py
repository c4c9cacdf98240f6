"""A participant's side: sends a submission in pieces, resumes it, waits for its score.

    client = Client("https://board.example", token)
    sent = client.submit(Path("results.json"), "dev", say=lambda done, total: ...)
    found = client.wait(sent["id"], say=lambda submission: ...)

The standard library is enough. What breaks is tried again for a while; the server says where to go on.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from amidst.errors import FindingError, UsageError
from amidst.leaderboard.states import OPEN

PIECE_BYTES = 4 * 2**20
TIMEOUT_S = 120.0
PATIENCE_S = 120.0
"""How long a server may be away in the middle of something."""
FIRST_S = 5.0
"""How long a server that has not answered yet is tried: an address may be wrong."""

Tree = dict[str, Any]


class Answer(FindingError):  # noqa: N818 - reads as what it is
    """A refusal of the server: its status and code."""

    def __init__(self, status: int, code: str, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after = status, code, retry_after


class Client:
    """Talks to one server. token: of the session, "" for nobody's."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        patience_s: float = PATIENCE_S,
        waiting: Callable[[str], None] | None = None,
    ) -> None:
        """waiting: told once, in a line, when the server does not answer and is tried again."""
        self._base = origin(url)
        self._token, self._patience_s, self._waiting = token, patience_s, waiting
        self._answered = False

    def ask(self, method: str, path: str, body: Any = None, *, keys: tuple[str, ...] = ()) -> Any:
        """A request with a JSON body; the reply, which has these keys. Raises Answer, or UsageError if there
        is no such server."""
        data = None if body is None else json.dumps(body).encode()
        found = self._patiently(method, path, data, "application/json")
        return self._with(found, *keys) if keys else found

    def text(self, path: str) -> str:
        """A reply that is no JSON."""
        return self._once("GET", path, None, "").decode("utf-8")

    def enter(self, link: str, display: str) -> str:
        """Uses an invitation up: the token of the new account."""
        word = urllib.parse.urlsplit(link).fragment or link
        body = {"token": word, "display": display, "bearer": True}
        data = json.dumps(body).encode()
        try:
            reply = self._once("POST", "/api/auth/enter", data, "application/json")
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from None
        return str(self._tree(reply, "token")["token"])

    def submit(
        self,
        file: Path,
        phase: str,
        *,
        method: str = "",
        description: str = "",
        link: str = "",
        say: Callable[[int, int], None],
    ) -> Tree:
        """Announces a file and sends what the server does not have of it; the submission as it then is.

        `new` in it: False if the team had sent the same content before. say: told how many bytes of how many
        have gone. Raises Answer when it is refused, UsageError if the file cannot be read.
        """
        try:
            size, sha256 = file.stat().st_size, _sha256(file)
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
        if not size:
            raise UsageError(f"{file} is empty: expected a JSON list of results, or a zip with it")
        words = {"method": method, "description": description, "link": link}
        about = {"phase": phase, "file_name": file.name, "bytes": size, "sha256": sha256, **words}
        found = self._submission(self.ask("POST", "/api/submissions", about))
        new = found.get("new", True)
        with file.open("rb") as stream:
            while found["state"] in ("received", "checking"):
                say(found["offset"], size)
                stream.seek(found["offset"])
                path = f"/api/submissions/{found['id']}/content?offset={found['offset']}"
                try:
                    piece = stream.read(PIECE_BYTES)
                    found = self._submission(self._patiently("PUT", path, piece, "application/octet-stream"))
                except Answer as answer:
                    if answer.code != "offset":  # a reply was lost: the server has more than we know
                        raise
                    found = self.status(found["id"])
        say(size, size)
        return {**found, "new": new}

    def status(self, submission: int) -> Tree:
        """A submission of the team."""
        return self._submission(self.ask("GET", f"/api/submissions/{submission}"))

    def wait(self, submission: int, *, say: Callable[[Tree], None], every_s: float = 1.0) -> Tree:
        """Looks until the submission is finished. say: told of it at each look."""
        while True:
            found = self.status(submission)
            say(found)
            if found["state"] not in OPEN:
                return found
            time.sleep(every_s)

    def _patiently(self, method: str, path: str, data: bytes | None, kind: str) -> Any:
        """A request that may be repeated without harm, until the server answers or patience ends."""
        start, pause, told = time.monotonic(), 0.2, False
        while True:
            try:
                return self._parsed(self._once(method, path, data, kind) or b"null")
            except Answer as answer:
                if answer.status not in (429, 503) or time.monotonic() > start + self._patience_s:
                    raise
                time.sleep(max(answer.retry_after, pause))
            except (OSError, http.client.HTTPException) as error:
                patience = self._patience_s if self._answered else min(FIRST_S, self._patience_s)
                if time.monotonic() > start + patience:
                    raise self._silent(error) from None
                if self._waiting is not None and not told:
                    self._waiting(f"waiting for {self._base}, which does not answer")
                    told = True
                time.sleep(pause)
            pause = min(2 * pause, 5.0)

    def _silent(self, error: Exception) -> UsageError:
        reason = getattr(error, "reason", error)
        return UsageError(f"{self._base} does not answer: {getattr(reason, 'strerror', None) or reason}")

    def _parsed(self, reply: bytes) -> Any:
        try:
            return json.loads(reply)
        except ValueError:
            raise self._stranger() from None

    def _tree(self, reply: bytes, *keys: str) -> Tree:
        return self._with(self._parsed(reply), *keys)

    def _submission(self, found: Any) -> Tree:
        return self._with(found, "id", "state", "offset", "numbers", "reason")

    def _with(self, found: Any, *keys: str) -> Tree:
        """A reply that has what is read of it. Raises UsageError: another kind of server answers here."""
        if not isinstance(found, dict) or not found.keys() >= set(keys):
            raise self._stranger()
        return found

    def _stranger(self) -> UsageError:
        return UsageError(
            f"{self._base} answers, but not as an evaluation server of amidst: check the address"
        )

    def _once(self, method: str, path: str, data: bytes | None, kind: str) -> bytes:
        request = urllib.request.Request(self._base + path, data=data, method=method)
        if data is not None:
            request.add_header("Content-Type", kind)
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.build_opener(_Stay).open(request, timeout=TIMEOUT_S) as response:
                body: bytes = response.read()
                self._answered = True
                return body
        except urllib.error.HTTPError as error:
            self._answered = True
            if 300 <= error.code < 400:
                place = error.headers.get("Location", "another address")
                raise UsageError(
                    f"{self._base} sends on to {place}: give the address of the server itself"
                ) from None
            raise _answer(error) from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would take the token to another server."""

    def redirect_request(self, *_: Any) -> None:
        """Leaves the answer as it is."""


def origin(url: str) -> str:
    """Scheme, host and port of an address, to which a token belongs. Raises UsageError."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        parts = urllib.parse.urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"{url}: expected the address of a server, such as https://board.example")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _answer(error: urllib.error.HTTPError) -> Answer:
    try:
        told = json.loads(error.read())["error"]
        code, message = str(told["code"]), str(told["message"])
    except (ValueError, KeyError, TypeError, OSError):
        code, message = "error", f"the server answered {error.code}"
    wait = error.headers.get("Retry-After", "0")
    return Answer(error.code, code, message, float(wait) if wait.isdecimal() else 0.0)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
