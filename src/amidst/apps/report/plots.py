"""Small charts as SVG text, to stand inside an HTML page.

Nothing but marks and class names: colours, line widths and fonts are the page's (`templates/report.css`), so
that a chart follows light and dark and its text can be selected and read aloud. Coordinates are in SVG user
units, which the page shows as CSS pixels at most. Points that are not finite are left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

Range = tuple[float, float]

MAX_POINTS = 300  # of a line; longer ones are averaged in bins
SIZE = (360, 240)
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 14, 34  # margins around the plotting area


@dataclass(frozen=True)
class Series:
    """One line: y over x. `tone` chooses one of the page's line colours, 0 to 4.

    faint: a thin line behind the others (raw values behind smoothed ones), without a name in the legend.
    dots: mark each point; pointing at it tells its values. steps: y holds until the next x.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    tone: int = 0
    faint: bool = False
    dots: bool = False
    steps: bool = False


@dataclass(frozen=True)
class _Scale:
    """From data to SVG units along one axis."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        at = np.log10(np.maximum(values, self.low)) if self.log else values
        clipped: NDArray[np.float64] = np.clip((at - low) / (high - low), 0, 1)
        return self.start + clipped * (self.end - self.start)

    def ticks(self) -> list[float]:
        if not self.log:
            return nice_ticks(self.low, self.high, 5)
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        steps = (1,) if len(decades) > 3 else (1, 2, 5)
        marks = [step * 10.0**power for power in decades for step in steps]
        return [mark for mark in marks if self.low * 0.999 <= mark <= self.high * 1.001]


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_range: Range | None = None,
    x_range: Range | None = None,
    log: bool = False,
    size: tuple[int, int] = SIZE,
) -> str:
    """An SVG element with the lines, axes and, for more than one line, a legend; "" if there is no point.

    title: what a screen reader says. log: a logarithmic y axis, when all values are positive.
    """
    lines = [(s, *_points(s)) for s in series]
    lines = [line for line in lines if line[1].size]
    if not lines:
        return ""
    width, height = size
    all_x = np.concatenate([x for _, x, _ in lines])
    all_y = np.concatenate([y for _, _, y in lines])
    log = log and bool((all_y > 0).all())
    named = [s for s, _, _ in lines if not s.faint]
    top = TOP + (20 if len(named) > 1 else 0)
    x_scale = _Scale(*(x_range or _span(all_x)), LEFT, width - RIGHT)
    y_scale = _Scale(*(y_range or _padded(all_y, log)), height - BOTTOM, top, log)
    parts = [_open(title, width, height), *_axes(x_scale, y_scale, x_label)]
    parts += [
        _line(s, x_scale(x), y_scale(y)) for s, x, y in sorted(lines, key=lambda line: not line[0].faint)
    ]
    for s, x, y in lines:
        if s.dots:
            parts += _dots(s, x, y, x_scale, y_scale)
    if len(named) > 1:
        parts += _legend(named)
    return "".join([*parts, "</svg>"])


def bar_chart(
    groups: Sequence[tuple[str, Sequence[float | None]]],
    *,
    title: str,
    series: Sequence[str],
    size: tuple[int, int] = SIZE,
) -> str:
    """Groups of upright bars for values in 0..1 with their values written on top; None stands for "no value".

    groups: (name, one value for each of `series`).
    """
    width, height = size
    top = TOP + (20 if len(series) > 1 else 0)
    known = [value for _, values in groups for value in values if value is not None and math.isfinite(value)]
    if not known:
        return ""
    highest = nice_ticks(0, max(0.05, *known) * 1.12, 4)[-1]
    y_scale = _Scale(0, max(highest, max(known) * 1.1), height - BOTTOM, top)
    parts = [_open(title, width, height), *_y_grid(y_scale, width)]
    slot = (width - LEFT - RIGHT) / len(groups)
    bar = min(46.0, 0.72 * slot / len(series))
    for g, (name, values) in enumerate(groups):
        middle = LEFT + (g + 0.5) * slot
        parts.append(_text("tick", middle, height - 14, name))
        for k, value in enumerate(values):
            left = middle + (k - len(series) / 2) * bar
            shown = value if value is not None and math.isfinite(value) else None
            y = float(y_scale(np.array([shown or 0.0]))[0])
            label = "–" if shown is None else f"{shown:.3f}"
            parts.append(
                f'<rect class="bar s{k}" x="{left + 1.5:.1f}" y="{y:.1f}" width="{bar - 3:.1f}" '
                f'height="{height - BOTTOM - y:.1f}">{_tip(f"{series[k]}, {name}: {label}")}</rect>'
            )
            parts.append(_text("value", left + bar / 2, y - 5, label))
    if len(series) > 1:
        parts += _legend([Series(name, (), (), tone) for tone, name in enumerate(series)])
    return "".join([*parts, "</svg>"])


def smoothed(values: ArrayLike, share: float = 0.06) -> NDArray[np.float64]:
    """Means over a centred window of this share of the length, shorter at the ends; NaN counts as absent."""
    y = np.asarray(values, dtype=np.float64)
    half = max(1, round(share * y.size / 2))
    finite = np.isfinite(y)
    total = np.concatenate(([0.0], np.cumsum(np.where(finite, y, 0.0))))
    count = np.concatenate(([0], np.cumsum(finite)))
    first = np.maximum(np.arange(y.size) - half, 0)
    last = np.minimum(np.arange(y.size) + half + 1, y.size)
    number = count[last] - count[first]
    mean: NDArray[np.float64] = np.where(
        number > 0, (total[last] - total[first]) / np.maximum(number, 1), np.nan
    )
    return mean


def nice_ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) inside low..high, `about` that many."""
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _points(series: Series) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(series.x, dtype=np.float64), np.asarray(series.y, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if x.size <= MAX_POINTS:
        return x, y
    bins = [part for part in np.array_split(np.arange(x.size), MAX_POINTS) if part.size]
    return np.array([x[b].mean() for b in bins]), np.array([y[b].mean() for b in bins])


def _span(values: NDArray[np.float64]) -> Range:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _padded(values: NDArray[np.float64], log: bool) -> Range:
    """From 0 (or near the lowest, on a log axis) to a little above the highest value."""
    low, high = float(values.min()), float(values.max())
    if log:
        return (low / 1.15, high * 1.15)
    low = min(0.0, 1.08 * low)
    return (low, low + 1.08 * (high - low)) if high > low else (low, low + 1.0)


def _open(title: str, width: int, height: int) -> str:
    name = escape(title, quote=True)
    return f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{name}">'


def _text(kind: str, x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _tip(text: str) -> str:
    return f"<title>{escape(text)}</title>"


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    if abs(value) >= 0.01:
        return f"{value:.4g}"
    digits, _, power = f"{value:.2e}".partition("e")
    return f"{float(digits):g}e{int(power)}"


def _y_grid(scale: _Scale, width: int) -> list[str]:
    parts = []
    for tick in scale.ticks():
        y = float(scale(np.array([tick]))[0])
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text("tick", LEFT - 7, y + 3.5, _number(tick), "end"))
    return parts


def _axes(x_scale: _Scale, y_scale: _Scale, x_label: str) -> list[str]:
    bottom, right = y_scale.start, x_scale.end
    parts = _y_grid(y_scale, round(right + RIGHT))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{right:.1f}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>')
    for tick in x_scale.ticks():
        x = float(x_scale(np.array([tick]))[0])
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{bottom + 4:.1f}"/>'
        )
        parts.append(_text("tick", x, bottom + 16, _number(tick)))
    parts.append(_text("label", (LEFT + right) / 2, bottom + 31, x_label))
    return parts


def _line(series: Series, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    if series.steps and x.size > 1:
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
    faint = " faint" if series.faint else ""
    return f'<path class="line s{series.tone}{faint}" d="{path}"/>'


def _dots(
    series: Series, x: NDArray[np.float64], y: NDArray[np.float64], x_scale: _Scale, y_scale: _Scale
) -> list[str]:
    return [
        f'<circle class="dot s{series.tone}" cx="{cx:.1f}" cy="{cy:.1f}" r="3.2">'
        f"{_tip(f'{series.name}: {value:.4g} at {_number(at)}')}</circle>"
        for at, value, cx, cy in zip(x, y, x_scale(x), y_scale(y), strict=True)
    ]


def _legend(named: Sequence[Series]) -> list[str]:
    parts, x = [], float(LEFT)
    for s in named:
        parts.append(f'<line class="key s{s.tone}" x1="{x:.0f}" x2="{x + 16:.0f}" y1="11" y2="11"/>')
        parts.append(_text("tick", x + 22, 14.5, s.name, "start"))
        x += 40 + 6.4 * len(s.name)
    return parts
