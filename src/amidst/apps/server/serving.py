"""Running an application: a socket, Uvicorn, and an end that loses nothing."""

from __future__ import annotations

import ipaddress
import socket

import uvicorn
from fastapi import FastAPI

from amidst.errors import UsageError

BACKLOG = 2048
KEEP_ALIVE_S = 75  # a worker thinks longer than Uvicorn's five seconds between two requests
GRACE_S = 10  # for requests that are being answered when the server is asked to stop


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sends small replies at once (TCP_NODELAY); else each may wait 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        bound.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot listen on {host} port {port}: {reason}") from None
    return bound


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def make_server(app: FastAPI, *, behind_proxy: bool = False) -> uvicorn.Server:
    """A server that is not yet running; `await server.serve(sockets=[bind(...)])` runs it.

    behind_proxy: trust what a proxy on this machine says of addresses; else nobody can claim another one.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="httptools",
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="on",
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            proxy_headers=behind_proxy,
            forwarded_allow_ips="127.0.0.1" if behind_proxy else None,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
