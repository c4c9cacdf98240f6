"""Tokens and signed claims."""

from __future__ import annotations

import hashlib

import pytest

from amidst.apps.server.signing import hash_token, is_signed, new_token, sign

KEY, OTHER = b"k" * 32, b"o" * 32


def test_tokens_are_long_and_different() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {32}


def test_a_token_is_stored_as_its_sha256() -> None:
    assert hash_token("abc") == hashlib.sha256(b"abc").hexdigest()


def test_a_claim_holds_under_its_key_alone() -> None:
    signature = sign(KEY, "media", "17")
    assert is_signed(KEY, signature, "media", "17")
    assert not is_signed(OTHER, signature, "media", "17")
    assert not is_signed(KEY, "", "media", "17")


@pytest.mark.parametrize("words", [("media", "18"), ("media1", "7"), ("media17",), ("17", "media"), ()])
def test_no_other_claim_has_its_signature(words: tuple[str, ...]) -> None:
    assert not is_signed(KEY, sign(KEY, "media", "17"), *words)


@pytest.mark.parametrize("signature", ["ä", "\ud800", "x" * 10_000])
def test_any_text_may_be_given_as_signature(signature: str) -> None:
    assert not is_signed(KEY, signature, "a")
