"""Tokens and signatures: random tokens kept only as hashes, and short-lived signed claims.

A claim is a tuple of words; its signature is HMAC-SHA256 over the words with their lengths, so that no two
claims share a text. Comparison takes the same time wherever the difference lies.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

TOKEN_BYTES = 24


def new_token() -> str:
    """A random word of 32 URL-safe characters (192 bits)."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> str:
    """What is stored of a token: SHA-256, hex. A token is random, so no salt and no slow hash is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def sign(key: bytes, *words: str) -> str:
    """Signature of a claim, 32 URL-safe characters (192 bits of HMAC-SHA256)."""
    return base64.urlsafe_b64encode(_digest(key, "signature", *words)[:TOKEN_BYTES]).decode("ascii")


def is_signed(key: bytes, signature: str, *words: str) -> bool:
    """Whether `signature` is the one of this claim."""
    given = signature.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(given, sign(key, *words).encode("ascii"))


def pad(key: bytes, length: int, *words: str) -> bytes:
    """At most 32 bytes that belong to these words; without the key they look random."""
    return _digest(key, "pad", *words)[:length]


def _digest(key: bytes, *words: str) -> bytes:
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for word in words:
        data = word.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.digest()
