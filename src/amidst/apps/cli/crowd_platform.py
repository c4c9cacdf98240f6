"""The interface of Mechanical Turk for `amidst crowd serve --mturk`."""

from __future__ import annotations

import os

from amidst.apps.cli.crowd_campaigns import now
from amidst.crowd.mturk_client import PRODUCTION, SANDBOX, MTurkClient
from amidst.errors import UsageError

ENDPOINTS = {"sandbox": SANDBOX, "production": PRODUCTION}
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def mturk(where: str) -> MTurkClient | None:
    """The client, None for "". where: sandbox, production, or an address. The keys come from the environment,
    so that no list of processes shows them. Raises UsageError.
    """
    if not where:
        return None
    endpoint = ENDPOINTS.get(where, where)
    if not endpoint.startswith(("https://", "http://127.0.0.1:")):
        raise UsageError(f"--mturk {where}: expected sandbox, production or https://host")
    for name in KEYS:
        if not os.environ.get(name):
            raise UsageError(f"--mturk needs the environment variable {name}")
    return MTurkClient(endpoint, os.environ[KEYS[0]], os.environ[KEYS[1]], now)
