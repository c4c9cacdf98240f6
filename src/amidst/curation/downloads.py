"""Fetching over HTTP, within limits: size, time, hosts.

Addresses come from search services, so they are not trusted: only http and https, only hosts that the
settings name, and redirects only to those hosts. What is fetched is counted while it comes, whatever its
header promises.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlsplit

from amidst.config import Config
from amidst.errors import DataError, FindingError

_BLOCK = 1 << 16


class Web(Config, frozen=True):
    """Limits of a source. hosts: names, with their port where it is not the usual one, that may be asked."""

    hosts: tuple[str, ...] = ()
    max_bytes: int = 50_000_000
    timeout_s: float = 30.0
    total_s: float = 120.0
    tries: int = 3
    wait_s: float = 1.0  # before the second try; doubles
    user_agent: str = "amidst"


class _BusyError(Exception):
    """The server asks to come again later, or could not be reached."""


def get(address: str, web: Web) -> bytes:
    """The body of a GET request. Servers that are busy (429, 5xx) or not reached are asked again.

    Raises DataError (rules address, too-large) or FindingError naming the address.
    """
    _check(address, web)
    for attempt in range(web.tries):
        try:
            return _get_once(address, web)
        except _BusyError as problem:
            if attempt + 1 == web.tries:
                raise FindingError(f"{address}: {problem}, after {web.tries} tries") from None
            time.sleep(web.wait_s * 2**attempt)
    raise FindingError(f"{address}: not asked, for tries is {web.tries}")


def _check(address: str, web: Web) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https"):
        raise DataError("only http and https addresses are fetched", record=address, rule="address")
    if parts.netloc not in web.hosts:
        raise DataError(f"{parts.netloc!r} is not among the hosts allowed", record=address, rule="address")


class _SameHosts(urllib.request.HTTPRedirectHandler):
    def __init__(self, web: Web) -> None:
        self._web = web

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """As in the base class, for allowed hosts only."""
        _check(newurl, self._web)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _get_once(address: str, web: Web) -> bytes:
    # No proxy of the environment: the host that was checked is the host that is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SameHosts(web))
    request = urllib.request.Request(address, headers={"User-Agent": web.user_agent})
    begun = time.monotonic()
    try:
        with opener.open(request, timeout=web.timeout_s) as answer:
            body = bytearray()
            while block := answer.read(_BLOCK):
                body += block
                if len(body) > web.max_bytes:
                    raise DataError(
                        f"larger than {web.max_bytes:,} bytes, not fetched", record=address, rule="too-large"
                    )
                if time.monotonic() - begun > web.total_s:
                    raise FindingError(f"{address}: not complete after {web.total_s:g} s")
            return bytes(body)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 429 or error.code >= 500:
                raise _BusyError(f"the server answers {error.code}") from None
            raise FindingError(f"{address}: the server answers {error.code} {error.reason}") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
        raise _BusyError(f"no answer ({getattr(error, 'reason', error)})") from None
