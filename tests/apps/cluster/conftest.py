"""A way to type a command."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from amidst.apps.cli.root import run


@dataclass(frozen=True)
class Typed:
    """What a command line gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def amidst(capsys: pytest.CaptureFixture[str]) -> Callable[..., Typed]:
    def type_(*words: object) -> Typed:
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Typed(code, said.out, said.err)

    return type_
