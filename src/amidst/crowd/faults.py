"""What the doctor finds."""

from __future__ import annotations

from amidst.crowd.bodies import Wire


class Fault(Wire, frozen=True):
    """A broken invariant. rule: its short name; subject: such as "cell/7"."""

    rule: str
    subject: str
    problem: str
