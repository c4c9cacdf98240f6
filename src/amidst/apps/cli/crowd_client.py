"""A client of a campaign's server: one connection, one request at a time."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Any

import msgspec

from amidst.apps.server.limits import MICRO

TIMEOUT_S = 120


@dataclass(frozen=True)
class Reply:
    """What came back. wait: microseconds after which a refused request (429) may be tried again."""

    status: int
    content: bytes
    wait: int = 0

    def json(self) -> Any:
        """The body as plain values."""
        return msgspec.json.decode(self.content)


class Client:
    """Requests to one server; the bearer token says who asks."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)

    def call(self, method: str, path: str, token: str = "", body: Any = None) -> Reply:
        """One request. Raises OSError or http.client.HTTPException when the server cannot be reached."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = None
        if body is not None:
            data = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, data, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request begins with a new one
            raise
        wait = int(response.headers.get("Retry-After", "0") or 0) if response.status == 429 else 0
        return Reply(response.status, content, wait * MICRO)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
