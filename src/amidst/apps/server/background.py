"""A server in a thread of this process, on a free port of this machine: for simulations, demos and tests."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

import uvicorn
from fastapi import FastAPI

from amidst.apps.server.serving import bind, make_server

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
PATIENCE_S = 60.0

Opening = Callable[[], AbstractAsyncContextManager[FastAPI]]
"""Opens what an application needs, on the server's own event loop, and closes it at the end."""


class Background:
    """A running server. address: host and port."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._socket: socket.socket = bind(LOOPBACK, 0)
        self.address: tuple[str, int] = (LOOPBACK, self._socket.getsockname()[1])
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: uvicorn.Server | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def start(self) -> None:
        """Returns when requests are answered. Raises what the opening raised."""
        self._thread.start()
        self._ready.wait(PATIENCE_S)
        if self._failure is not None:
            self._socket.close()
            raise self._failure

    def stop(self) -> None:
        """Returns when everything is closed. Raises what went wrong meanwhile."""
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        self._socket.close()
        if self._failure is not None:
            raise self._failure

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the server's event loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._opening() as application:
            server = self._server = make_server(application)
            serving = asyncio.create_task(server.serve(sockets=[self._socket]))
            while not (server.started or serving.done()):
                await asyncio.sleep(0.005)
            self._ready.set()
            await serving


@contextmanager
def background(opening: Opening) -> Iterator[Background]:
    """A server for the time of a `with` block."""
    server = Background(opening)
    server.start()
    try:
        yield server
    finally:
        server.stop()
