"""Ports for servers that are killed and started again."""

from __future__ import annotations

import secrets
import socket


def lasting_port() -> int:
    """A free port of those that the system gives to nobody who asks for any: it stays free while its server
    is away.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as free:
            try:
                free.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
