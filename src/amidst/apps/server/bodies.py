"""Request bodies: JSON alone, of a bounded size, of the exact type that the route names.

Compressed bodies are refused, so there is nothing to bomb; the type of the content must be named, so that no
HTML form of another site can send one. Numbers that JSON does not have (NaN, Infinity), numbers out of range,
unknown fields and deep nesting end as 422 with the place and the reason.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from fastapi import Request

from amidst.apps.server.errors import Refusal

SMALL, MASKS = 256 * 1024, 2 * 1024 * 1024
"""Bytes of a body; the second where masks are sent."""
UNSAFE_TEXT = {chr(code) for code in range(32)} - {"\n", "\t"} | {chr(127)}

T = TypeVar("T")


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of request bodies."""


async def read_body(request: Request, kind: type[T], limit: int = SMALL) -> T:
    """The body as a value of `kind`.

    Raises Refusal: 413 above `limit` bytes, 415 for anything but plain JSON, 422 for what does not fit.
    """
    headers = request.headers
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "send the body as application/json")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(415, "compressed bodies are not taken")
    data = await _read(request, limit)
    try:
        return msgspec.json.decode(data, type=kind, strict=True)
    except msgspec.DecodeError as error:
        raise Refusal(422, f"body: {error}") from None
    except UnicodeDecodeError:
        raise Refusal(422, "body: text that is not UTF-8") from None
    except RecursionError:
        raise Refusal(422, "body: nested too deeply") from None


async def _read(request: Request, limit: int) -> bytes:
    too_large = Refusal(413, f"the body is larger than {limit:,} bytes", headers={"Connection": "close"})
    told = request.headers.get("content-length", "0")
    if told.isdecimal() and int(told[:20]) > limit:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
    return b"".join(parts)


def plain_text(text: str, name: str, longest: int) -> str:
    """`text` stripped. Raises Refusal (422) if it is empty, too long, or has control characters."""
    stripped = text.strip()
    if not stripped or len(stripped) > longest:
        raise Refusal(422, f"{name}: expected 1 to {longest} characters, found {len(stripped)}")
    if UNSAFE_TEXT & set(stripped):
        raise Refusal(422, f"{name}: control characters are not taken")
    return stripped


def described(kind: Any, description: str = "") -> dict[str, Any]:
    """The OpenAPI entry of a route's body, for `openapi_extra`."""
    (schema,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    document = _inlined(schema, components)
    content = {"application/json": {"schema": document}}
    return {"requestBody": {"required": True, "description": description, "content": content}}


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    """The schema with its references replaced by what they name (bodies do not contain themselves)."""
    if isinstance(schema, dict):
        name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
        if name in components:
            return _inlined(components[name], components)
        return {key: _inlined(value, components) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, components) for value in schema]
    return schema
