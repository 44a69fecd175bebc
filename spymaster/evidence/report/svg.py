"""Charts as SVG text: axes, bars, bands, lines, spans and dots. Small, without a library, the same bytes every time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

INK, FAINT, GRID = "#1d2733", "#667484", "#e3e8ee"
SEEN, PEAK, CHANCE, BID, ASK = "#7d93ab", "#e0701b", "#c9d1db", "#2166ac", "#c2571a"
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 8, 30

Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Axis:
    """From data to a place between 0 and 1; `log` axes need positive ends. Ticks are made where none are given."""

    low: float
    high: float
    label: str = ""
    log: bool = False
    ticks: Ticks | None = None

    def place(self, values: ArrayLike) -> NDArray[np.float64]:
        """Places of values, clipped to the axis."""
        one = np.clip(np.asarray(values, np.float64), self.low, self.high)
        if self.log:
            return (np.log(one) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (one - self.low) / max(self.high - self.low, 1e-12)

    def marks(self) -> Ticks:
        """Ticks that are given, powers of ten and their halves (log), or round numbers."""
        if self.ticks is not None:
            return self.ticks
        if self.log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            both = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
            return [(value, f"{value:g}") for value in both if self.low <= value <= self.high]
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [(k * step, f"{k * step:g}") for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(max(rough, 1e-12)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


@dataclass
class Chart:
    """One plot. Marks are drawn in the order they are added, on top of the grid."""

    x: Axis
    y: Axis
    title: str = ""
    width: int = 860
    height: int = 200
    left: int = LEFT
    parts: list[str] = field(default_factory=list)

    def _x(self, values: ArrayLike) -> NDArray[np.float64]:
        return self.left + self.x.place(values) * (self.width - self.left - RIGHT)

    def _y(self, values: ArrayLike) -> NDArray[np.float64]:
        return TOP + (1 - self.y.place(values)) * (self.height - TOP - BOTTOM)

    def bars(self, low: ArrayLike, high: ArrayLike, values: ArrayLike, color: str = SEEN, base: float = 0.0) -> Chart:
        """Bars from `base`, one path for all."""
        left, right, top = self._x(low), self._x(high), self._y(values)
        foot = float(self._y(max(base, self.y.low)))
        shapes = "".join(
            f"M{a:.1f} {foot:.1f}V{t:.1f}H{max(b, a + 0.8):.1f}V{foot:.1f}"
            for a, b, t in zip(left.tolist(), right.tolist(), top.tolist(), strict=True)
        )
        self.parts.append(f'<path d="{shapes}" fill="{color}"/>')
        return self

    def band(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, color: str = CHANCE) -> Chart:
        """Area between two lines."""
        across = self._x(x)
        there = list(zip(across.tolist(), self._y(high).tolist(), strict=True))
        back = list(zip(across.tolist(), self._y(low).tolist(), strict=True))[::-1]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in (*there, *back))
        self.parts.append(f'<polygon points="{points}" fill="{color}" opacity="0.65"/>')
        return self

    def line(self, x: ArrayLike, y: ArrayLike, color: str = INK, width: float = 1.2, dash: str = "") -> Chart:
        """A line; NaN breaks it."""
        values = np.asarray(y, np.float64)
        path, pen = [], False
        for a, b, known in zip(
            self._x(x).tolist(), self._y(values).tolist(), (~np.isnan(values)).tolist(), strict=True
        ):
            if known:
                path.append(f"{'L' if pen else 'M'}{a:.1f} {b:.1f}")
            pen = known
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<path d="{"".join(path)}" fill="none" stroke="{color}" stroke-width="{width}"{dashed}/>')
        return self

    def spans(self, start: ArrayLike, end: ArrayLike, y: ArrayLike, color: str, width: float = 3) -> Chart:
        """Horizontal strokes, at least a point long."""
        for a, b, c in zip(self._x(start).tolist(), self._x(end).tolist(), self._y(y).tolist(), strict=True):
            stop = max(b, a + 1.5)
            self.parts.append(f'<path d="M{a:.1f} {c:.1f}H{stop:.1f}" stroke="{color}" stroke-width="{width}"/>')
        return self

    def uprights(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, color: str = INK, width: float = 1.2) -> Chart:
        """Vertical strokes."""
        for a, b, c in zip(self._x(x).tolist(), self._y(low).tolist(), self._y(high).tolist(), strict=True):
            self.parts.append(f'<path d="M{a:.1f} {b:.1f}V{c:.1f}" stroke="{color}" stroke-width="{width}"/>')
        return self

    def dots(self, x: ArrayLike, y: ArrayLike, color: str = PEAK, radius: float = 3.0) -> Chart:
        """Points."""
        for a, b in zip(self._x(x).tolist(), self._y(y).tolist(), strict=True):
            self.parts.append(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}" fill="{color}"/>')
        return self

    def text(self, x: float, y: float, words: str, color: str = INK, size: int = 11) -> Chart:
        """Words beside a place of the data, on the side where there is room."""
        right = float(self.x.place(x)) > 0.75
        across = float(self._x(x)) + (-5 if right else 5)
        at, anchor = f'x="{across:.1f}" y="{float(self._y(y)):.1f}"', "end" if right else "start"
        self.parts.append(f'<text {at} text-anchor="{anchor}" fill="{color}" font-size="{size}">{escape(words)}</text>')
        return self

    def render(self) -> str:
        """The whole as an SVG element, with its title for those who cannot see it."""
        return _svg(self.width, self.height, self.title, [*self._grid(), *self.parts, *self._labels()])

    def _grid(self) -> Iterable[str]:
        right, foot = self.width - RIGHT, self.height - BOTTOM
        for value, words in self.y.marks():
            y = float(self._y(value))
            yield f'<path d="M{self.left} {y:.1f}H{right}" stroke="{GRID}"/>'
            yield f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{escape(words)}</text>'
        last = -100.0
        for value, words in self.x.marks():
            x = float(self._x(value))
            yield f'<path d="M{x:.1f} {foot}v4" stroke="{FAINT}"/>'
            if x - last >= 34:  # labels that would touch are left out
                yield f'<text x="{x:.1f}" y="{foot + 15}" text-anchor="middle" fill="{FAINT}">{escape(words)}</text>'
                last = x

    def _labels(self) -> Iterable[str]:
        right, foot = self.width - RIGHT, self.height - BOTTOM
        yield f'<path d="M{self.left} {foot}H{right}" stroke="{FAINT}"/>'
        yield f'<text x="{right}" y="{foot + 27}" text-anchor="end" fill="{FAINT}">{escape(self.x.label)}</text>'
        middle = TOP + (foot - TOP) / 2
        turned = f'transform="rotate(-90 12 {middle})"'
        yield f'<text x="12" y="{middle}" text-anchor="middle" fill="{FAINT}" {turned}>{escape(self.y.label)}</text>'


def _svg(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-size="11"'
    return f'{head} font-family="system-ui,sans-serif"><title>{escape(title)}</title>{"".join(parts)}</svg>'


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Sequence[Sequence[tuple[float, str]]],
    title: str,
    across: str,
    down: str,
) -> str:
    """Cells of a strength from 0 to 1 with words in them."""
    wide, high, left, top = 84, 30, 110, 44
    parts = [
        f'<text x="{left + wide * len(columns) / 2}" y="14" text-anchor="middle" '
        f'fill="{FAINT}">{escape(across)}</text>',
        f'<text x="12" y="{top + high * len(rows) / 2}" text-anchor="middle" fill="{FAINT}" '
        f'transform="rotate(-90 12 {top + high * len(rows) / 2})">{escape(down)}</text>',
    ]
    for k, name in enumerate(columns):
        parts.append(
            f'<text x="{left + wide * (k + 0.5)}" y="{top - 8}" text-anchor="middle" fill="{INK}">{escape(name)}</text>'
        )
    for r, name in enumerate(rows):
        middle = top + high * (r + 0.5) + 4
        parts.append(f'<text x="{left - 8}" y="{middle}" text-anchor="end" fill="{INK}">{escape(name)}</text>')
        for c, (strength, words) in enumerate(cells[r]):
            x, y = left + wide * c, top + high * r
            parts.append(
                f'<rect x="{x}" y="{y}" width="{wide - 1}" height="{high - 1}" fill="{PEAK}" '
                f'opacity="{0.04 + 0.7 * strength:.2f}"/>'
                f'<text x="{x + wide / 2}" y="{middle}" text-anchor="middle" fill="{INK}">{escape(words)}</text>'
            )
    return _svg(left + wide * len(columns) + 8, top + high * len(rows) + 8, title, parts)
