"""Platforms that send people with their identity in the address, as Prolific does.

    https://here/prolific?PROLIFIC_PID=...&STUDY_ID=...&SESSION_ID=...&stage=...&expires=...&signature=...

Who has done his tickets takes a completion code back. It is signed for one session, which finishes once
(`assignments`); asked again, its worker gets the same code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from amidst.crowd.adapters import Entry, check_entry, is_number, sign_entry
from amidst.crowd.config import STAGES, Stage
from amidst.errors import UsageError

PROVIDER = "prolific"
MAX_ID = 200


def entry_url(base: str, secret: str, campaign: str, stage: Stage, study: str, expires: int) -> str:
    """The address to give to the platform, with its own places for the three identities."""
    query = urlencode(
        {
            "stage": stage,
            "expires": expires,
            "signature": sign_entry(secret, campaign, stage, study, expires),
            "STUDY_ID": study,
        }
    )
    return f"{base}?{query}&PROLIFIC_PID={{%PROLIFIC_PID%}}&SESSION_ID={{%SESSION_ID%}}"


def enter(secret: str, campaign: str, parameters: Mapping[str, str], now: int) -> Entry:
    """Who comes. Raises UsageError for an address that is not ours, is over, or lacks an identity."""
    stage, expires = parameters.get("stage", ""), parameters.get("expires", "")
    if stage not in STAGES or not is_number(expires):
        raise UsageError("the address of this task is not complete")
    names = ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID")
    person, study, session = (parameters.get(name, "") for name in names)
    for name, value in zip(names, (person, study, session), strict=True):
        if not 0 < len(value) <= MAX_ID or not value.isprintable():
            raise UsageError(f"the address of this task lacks {name}")
    check_entry(secret, campaign, stage, study, int(expires), parameters.get("signature", ""), now)
    return Entry(provider=PROVIDER, external_id=person, stage=stage, group=study, assignment=session)


def completion_code(secret: str, study: str, session: str) -> str:
    """Twelve letters and digits that only this session's worker is shown."""
    digest = hmac.new(secret.encode(), f"done|{study}|{session}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest)[:12].decode()


def return_url(base: str, code: str) -> str:
    """Where a worker goes with the code, such as https://app.prolific.com/submissions/complete."""
    return f"{base}?cc={quote(code, safe='')}"
