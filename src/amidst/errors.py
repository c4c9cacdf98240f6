"""Every error that a user of amidst can cause.

    AmidstError              base; the command line prints its message as one line and exits with `exit_code`
    ├── UsageError           (exit 2) a wrong call: missing file, unknown name, contradictory options
    │   ├── ConfigError      a configuration key or value that does not exist or does not fit
    │   ├── UnknownRecord    an id of the campaign that does not exist, or is another worker's
    │   └── MissingExtra     an optional dependency is not installed
    └── FindingError         (exit 1) the call was right, what it found is not
        ├── DataError        a record in a dataset or results file breaks a rule
        ├── ImageError       an image cannot be read, or is not what its record says
        ├── AnswerError      a worker's answer breaks a rule of its task
        ├── StoreUnavailable the database cannot be written now; nothing is lost, try again
        ├── WeightsError     a weight file does not fit the network
        └── TrainingError    training cannot go on
            ├── NonFiniteLoss
            ├── OutOfMemory
            └── Interrupted      (exit 130) asked to stop; a checkpoint was written

A message says what was expected, what was found, where (file, record id), and what to do.
"""

from __future__ import annotations

from pathlib import Path


class AmidstError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 2


class UsageError(AmidstError):
    """The call itself is wrong."""


class ConfigError(UsageError):
    """A configuration key is unknown or its value does not fit."""


class UnknownRecord(UsageError):  # noqa: N818 - reads as what it is
    """No such ticket, worker, image...; also said of what exists but is not the caller's."""


class MissingExtra(UsageError):  # noqa: N818 - reads as what it is
    """A part of amidst needs an optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; install it with: pip install 'amidst[{extra}]'")


class FindingError(AmidstError):
    """The call is right; the data it was given is not."""

    exit_code = 1


class DataError(FindingError):
    """A record breaks a rule of its format.

    `file`, `record` (such as "annotation 17") and `rule` (a short kebab-case name) are kept apart so
    that callers can group findings; the message joins them.
    """

    def __init__(
        self, problem: str, *, file: str | Path | None = None, record: str | None = None, rule: str = "format"
    ) -> None:
        where = ": ".join(str(part) for part in (file, record) if part is not None)
        super().__init__(f"{where}: {problem} [{rule}]" if where else f"{problem} [{rule}]")
        self.problem, self.file, self.record, self.rule = problem, file, record, rule


class ImageError(DataError):
    """An image cannot be read, exceeds a limit, or contradicts its record."""


class AnswerError(DataError):
    """A worker's answer breaks a rule of its task; `rule` names it and the worker can mend it."""


class StoreUnavailable(FindingError):  # noqa: N818
    """The database cannot be written or reached now: disk full, read-only, gone. Nothing half-written."""


class WeightsError(FindingError):
    """A weight file is damaged or does not fit the network."""


class TrainingError(FindingError):
    """Training cannot go on."""


class NonFiniteLoss(TrainingError):  # noqa: N818
    """The loss became NaN or infinite; nothing was written over the last good checkpoint."""


class OutOfMemory(TrainingError):  # noqa: N818
    """The device has too little memory; the message names the setting to lower."""


class Interrupted(TrainingError):  # noqa: N818
    """Training was asked to stop and wrote a checkpoint; the message says how to resume."""

    exit_code = 130
