"""What a check found: one record per defect, and the report of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect. record: such as "annotation 17". rule: a short kebab-case name; `check` lists them."""

    rule: str
    severity: Severity
    message: str
    record: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.record) if part is not None)
        return f"{self.severity}: {where}{': ' if where else ''}{self.message} [{self.rule}]"


@dataclass(frozen=True)
class Report:
    """All findings, errors first, and what was looked at ("images", "annotations", "categories", "files")."""

    findings: tuple[Finding, ...]
    checked: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What makes the dataset unusable, or its numbers wrong."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is probably a mistake."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What is legal but good to know."""
        return tuple(finding for finding in self.findings if finding.severity == "note")

    @property
    def counts(self) -> dict[str, int]:
        """Findings by rule."""
        return dict(Counter(finding.rule for finding in self.findings))

    def to_builtins(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "ok": self.ok,
            "checked": dict(self.checked),
            "counts": self.counts,
            "findings": [asdict(finding) for finding in self.findings],
        }


class Findings:
    """A growing list of findings about one file."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self.all: list[Finding] = []

    def add(
        self,
        rule: str,
        severity: Severity,
        record: str | None,
        message: str,
        file: str | None = None,
    ) -> None:
        self.all.append(Finding(rule, severity, message, record, file if file is not None else self.file))
