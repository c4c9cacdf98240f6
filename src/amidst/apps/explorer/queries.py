"""The query string of a request as checked values; what is wrong with one is said in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar, get_args

from amidst.apps.explorer.index import SIZES, Crowd, Filter, Order, Outcome, Source

T = TypeVar("T", bound=str)


class QueryError(Exception):
    """A request that cannot be answered, and the status to say so with."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


class Query:
    """Values by name; a repeated name gives several."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def text(self, name: str, otherwise: str = "") -> str:
        """The last value."""
        return self._values.get(name, [otherwise])[-1]

    def whole(self, name: str, otherwise: int, low: int = 0, high: int = 2**31 - 1) -> int:
        """An integer in low..high."""
        text = self.text(name, str(otherwise))
        if not text.isdecimal() or len(text) > 10 or not low <= int(text) <= high:
            raise QueryError(f"{name}: expected a whole number in {low}..{high}")
        return int(text)

    def number(self, name: str, otherwise: float) -> float:
        """A finite number."""
        text = self.text(name)
        try:
            value = float(text) if text else otherwise
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise QueryError(f"{name}: expected a number")
        return value

    def choice(self, name: str, choices: Sequence[T], otherwise: T) -> T:
        """One of a few words."""
        text = self.text(name) or otherwise
        for known in choices:
            if known == text:
                return known
        raise QueryError(f"{name}: expected one of {', '.join(choices)}")

    def filter(self) -> Filter:
        """The conditions on images; see `index.Filter`."""
        size = self.text("size") or None
        if size is not None and size not in SIZES:
            raise QueryError(f"size: expected one of {', '.join(SIZES)}")
        scores = None
        if self.text("min_score") or self.text("max_score"):
            scores = (self.number("min_score", -1e9), self.number("max_score", 1e9))
        sources: tuple[Source, ...] = get_args(Source)
        crowds: tuple[Crowd, ...] = get_args(Crowd)
        orders: tuple[Order, ...] = get_args(Order)
        outcomes: tuple[Outcome, ...] = get_args(Outcome)
        return Filter(
            source=self.choice("source", sources, "truth"),
            categories=tuple(self._values.get("category", ())),
            size=size,
            crowd=self.choice("crowd", crowds, "any"),
            split=self.text("split") or None,
            scores=scores,
            outcome=self.choice("outcome", outcomes, "any"),
            least=self.number("least", 0.0),
            empty=self.text("empty") == "1",
            text=self.text("text")[:200],
            order=self.choice("order", orders, "file"),
            seed=self.whole("seed", 0),
        )
