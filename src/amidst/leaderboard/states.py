"""The states of a submission, and which may follow which. Nothing else changes a state.

    received -> checking -> queued -> running -> scored
        |          |          |          |-> queued    (its scorer died; twice at most)
        |          |          |          |-> failed, timed_out
        |-> failed, timed_out, withdrawn (from each; a scored one may be withdrawn too)

received: announced, no byte has come. checking: bytes come and are checked as they come. queued: complete and
right. running: a scorer has it.
"""

from __future__ import annotations

from typing import Literal, get_args

State = Literal["received", "checking", "queued", "running", "scored", "failed", "timed_out", "withdrawn"]
STATES: tuple[State, ...] = get_args(State)

OPEN: tuple[State, ...] = ("received", "checking", "queued", "running")
"""A submission in one of these is not finished; the watchdog sees that it will be."""

_ENDS: frozenset[State] = frozenset({"failed", "timed_out", "withdrawn"})

FOLLOWS: dict[State, frozenset[State]] = {
    "received": _ENDS | {"checking"},
    "checking": _ENDS | {"queued"},
    "queued": _ENDS | {"running"},
    "running": _ENDS | {"scored", "queued"},
    "scored": frozenset({"withdrawn"}),
    "failed": frozenset(),
    "timed_out": frozenset(),
    "withdrawn": frozenset(),
}
"""State -> states that may follow."""


def may_follow(before: State, after: State) -> bool:
    """Whether a submission may go from one state to the other."""
    return after in FOLLOWS[before]
