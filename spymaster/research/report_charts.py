"""Drawings of the report as SVG: small, without scripts, with numbers on their axes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, HEIGHT = 250, 220
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 26, 34


def reliability_chart(title: str, bins: Sequence[tuple[float, float, int]]) -> str:
    """What was stated against what happened: (stated, happened, setups) of each bin, and the diagonal of the perfect.

    The axes span what was stated and what happened, not all from 0 to 1, where every model looks alike.
    """
    every = [value for stated, happened, _ in bins for value in (stated, happened)]
    low, high = _span(every, 0.0, 1.0)
    most = max((n for *_, n in bins), default=1)
    parts = [f'<line class="guide" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>']
    for stated, happened, n in bins:
        size = 2.0 + 3.0 * (n / most) ** 0.5
        parts.append(
            f'<circle class="mark" cx="{_x((stated - low) / (high - low)):.1f}" '
            f'cy="{_y((happened - low) / (high - low)):.1f}" r="{size:.1f}">'
            f"<title>stated {stated:.3f}, happened {happened:.3f}, {n} setups</title></circle>"
        )
    ticks = [(low, f"{low:.2f}"), (high, f"{high:.2f}")]
    return _frame(title, parts, low, high, ticks, low, high, ticks, "stated", "happened")


def rank_chart(title: str, agreement: Sequence[float], random: tuple[float, float] | None, base: float | None) -> str:
    """Share of neighbours that ended alike by rank; the band is that of neighbours drawn at random."""
    every = [*agreement, *(random or ()), *([base] if base is not None else [])]
    low, high = _span(every, 0.0, 1.0)
    n = len(agreement)

    def at(value: float) -> float:
        return _y((value - low) / (high - low))

    parts = []
    if random is not None:
        parts.append(
            f'<rect class="band" x="{_x(0)}" width="{_x(1) - _x(0)}" y="{at(random[1]):.1f}" '
            f'height="{max(at(random[0]) - at(random[1]), 1.0):.1f}"/>'
        )
    if base is not None:
        parts.append(f'<line class="guide" x1="{_x(0)}" x2="{_x(1)}" y1="{at(base):.1f}" y2="{at(base):.1f}"/>')
    points = " ".join(f"{_x(k / max(n - 1, 1)):.1f},{at(value):.1f}" for k, value in enumerate(agreement))
    parts.append(f'<polyline class="line" points="{points}"/>')
    return _frame(
        title, parts, 1, n, [(1, "1"), (n, str(n))], low, high, [(low, f"{low:.2f}"), (high, f"{high:.2f}")],
        "rank", "ended alike",
    )  # fmt: skip


def interval_chart(title: str, rows: Sequence[tuple[str, float, float, float]], unit: str) -> str:
    """Estimates with their intervals, one below the other, and a line at 0: (name, value, low, high)."""
    if not rows:
        return ""
    every = [value for _, *numbers in rows for value in numbers] + [0.0]
    low, high = min(every), max(every)
    pad = 0.06 * (high - low or 1.0)
    low, high = low - pad, high + pad
    width, left, step = 560, 190, 18
    height = TOP + step * len(rows) + BOTTOM

    def at(value: float) -> float:
        return left + (value - low) / (high - low) * (width - left - 14)

    bottom = TOP + step * len(rows)
    parts = [f'<line class="guide" x1="{at(0.0):.1f}" x2="{at(0.0):.1f}" y1="{TOP}" y2="{bottom}"/>']
    for k, (name, value, least, most) in enumerate(rows):
        y = TOP + step * (k + 0.5)
        parts.append(
            f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
            f'<line class="mark" x1="{at(least):.1f}" x2="{at(most):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle class="mark" cx="{at(value):.1f}" cy="{y:.1f}" r="3.2">'
            f"<title>{value:+.4f} ({least:+.4f} to {most:+.4f})</title></circle>"
        )
    told = [0.0, *(one for one in (low + pad, high - pad) if abs(at(one) - at(0.0)) > 44)]
    parts += [f'<text x="{at(value):.1f}" y="{bottom + 16}" text-anchor="middle">{value:+.3f}</text>' for value in told]
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{escape(title)}">'
        f'<text x="10" y="16">{escape(title)}, {escape(unit)}</text>{"".join(parts)}</svg>'
    )


def _span(values: Sequence[float], least: float, most: float) -> tuple[float, float]:
    low, high = min(values, default=least), max(values, default=most)
    pad = max(0.1 * (high - low), 0.02)
    return max(low - pad, least), min(high + pad, most)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _frame(
    title: str, parts: Sequence[str], x_low: float, x_high: float, x_ticks: Sequence[tuple[float, str]], y_low: float,
    y_high: float, y_ticks: Sequence[tuple[float, str]], x_name: str, y_name: str,
) -> str:  # fmt: skip
    axes = (
        f'<line class="axis" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(0)}" y2="{_y(0)}"/>'
        f'<line class="axis" x1="{_x(0)}" x2="{_x(0)}" y1="{_y(0)}" y2="{_y(1)}"/>'
    )
    x_words = "".join(
        f'<text x="{_x((value - x_low) / ((x_high - x_low) or 1.0)):.1f}" y="{HEIGHT - BOTTOM + 14}" '
        f'text-anchor="{"end" if value == x_high else "middle"}">{word}</text>'
        for value, word in x_ticks
    )
    y_span = (y_high - y_low) or 1.0
    y_words = "".join(
        f'<text x="{LEFT - 5}" y="{_y((value - y_low) / y_span) + 4:.1f}" text-anchor="end">{word}</text>'
        for value, word in y_ticks
    )
    names = (
        f'<text x="{_x(0.5)}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x_name)}</text>'
        f'<text x="12" y="{_y(0.5)}" text-anchor="middle" transform="rotate(-90 12 {_y(0.5)})">{escape(y_name)}</text>'
    )
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<text x="{LEFT}" y="16">{escape(title)}</text>{axes}{"".join(parts)}{x_words}{y_words}{names}</svg>'
    )
