"""Requests to Mechanical Turk's requester interface: JSON over HTTPS with a version 4 signature.

    POST / HTTP/1.1
    X-Amz-Target: MTurkRequesterServiceV20170117.CreateHIT
    Authorization: AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...

The signature is an HMAC chain over date, region and service (AWS, "Signature Version 4"); with the standard
library it is shorter than the package that would bring it.
"""

from __future__ import annotations

import hashlib
import hmac
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from amidst.crowd.adapters import PlatformError

PRODUCTION = "https://mturk-requester.us-east-1.amazonaws.com"
SANDBOX = "https://mturk-requester-sandbox.us-east-1.amazonaws.com"
SERVICE, TARGET = "mturk-requester", "MTurkRequesterServiceV20170117"
MAX_REPLY = 10_000_000


class MTurkClient:
    """A `Platform`. clock: UTC microseconds, for the signature's date."""

    def __init__(
        self,
        endpoint: str,
        key_id: str,
        key_secret: str,
        clock: Callable[[], int],
        *,
        region: str = "us-east-1",
        timeout_s: float = 30,
    ) -> None:
        self._endpoint, self._key_id, self._key_secret = endpoint.rstrip("/"), key_id, key_secret
        self._clock, self._region, self._timeout_s = clock, region, timeout_s

    def call(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """One request; the reply. Raises PlatformError."""
        body = msgspec.json.encode(arguments)
        moment = datetime.fromtimestamp(self._clock() / 1e6, UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "host": urlsplit(self._endpoint).netloc,
            "x-amz-date": moment,
            "x-amz-target": f"{TARGET}.{operation}",
        }
        headers["authorization"] = authorization(
            "POST", "/", headers, body, self._key_id, self._key_secret, self._region, SERVICE
        )
        request = urllib.request.Request(f"{self._endpoint}/", data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                reply: dict[str, Any] = msgspec.json.decode(response.read(MAX_REPLY) or b"{}")
                return reply
        except urllib.error.HTTPError as error:
            with error:
                text = error.read(2000).decode("utf-8", "replace")
            raise PlatformError(f"{operation}: {error.code} {text}", again=error.code >= 500) from None
        except (OSError, msgspec.DecodeError) as error:
            raise PlatformError(f"{operation}: {error}", again=True) from None


def authorization(
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    key_id: str,
    key_secret: str,
    region: str,
    service: str,
) -> str:
    """The Authorization header. headers: lower-case names, x-amz-date among them; all are signed."""
    moment = headers["x-amz-date"]
    names = sorted(headers)
    signed = ";".join(names)
    canonical = "\n".join(
        [
            method,
            path,
            "",
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            signed,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{key_secret}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
