"""Levels that move: volume-weighted averages with their bands, averages of candles, and gamma levels.

Each is a staircase: a new row whenever the value has moved by a tick since the row before, so a price is never further
than that from the value known at the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from spymaster.setups.level_sources import Candles, Hours, Level, Prints
from spymaster.tables.candle_2m import BAR_NS

SECOND_NS: Final = 1_000_000_000
BANDS: Final = (("", 0), ("_P1", 1), ("_M1", -1), ("_P2", 2), ("_M2", -2))


def staircase(values: np.ndarray, tick: float) -> np.ndarray:
    """int64[k]: where rows begin: at the first finite value, after a gap, and when a tick away from the row's value.

    values: float64[n] in order of time, NaN where there is none. A NaN after a value begins a row, too: of nothing.
    """
    starts: list[int] = []
    finite = np.isfinite(values)
    position, chunk = 0, 256
    while position < len(values):
        starts.append(position)
        current = values[position]
        found = -1
        begin = position + 1
        while begin < len(values):
            part = values[begin : begin + chunk]
            changed = finite[begin : begin + chunk] if np.isnan(current) else ~(np.abs(part - current) < tick)
            if changed.any():
                found = begin + int(np.argmax(changed))
                break
            begin += chunk
        if found < 0:
            break
        position = found
    return np.array(starts, dtype=np.int64)


def rows_of(
    hours: Hours, name: str, number: int, values: np.ndarray, valid_from: np.ndarray, source_last: np.ndarray,
    source_first: int, until: int, tick: float, partial: bool,
) -> Iterator[Level]:  # fmt: skip
    """Levels of a series: `values` (1e-9, NaN for none) known from `valid_from` on; `until` ends the last row."""
    if not len(values):
        return
    starts = staircase(values, tick)
    ends = np.append(valid_from[starts[1:]], until)
    for k, end in zip(starts, ends, strict=True):
        if np.isfinite(values[k]) and valid_from[k] < end:
            times = int(valid_from[k]), int(end), source_first, int(source_last[k])
            yield Level(hours.label, name, number, round(float(values[k])), *times, True, partial)


def vwaps(
    prints: Prints, hours: Hours, first: int, name: str, tick: int, *, span: tuple[int, int], partial: bool
) -> Iterator[Level]:
    """Volume-weighted mean price since `first`, and one and two standard deviations around it.

    A second's value is of trades before it, and is used from one second later. sigma^2 = sum v (p - vwap)^2 / sum v.
    span: rows begin in [start, end) of the date, ns UTC.
    """
    taken = prints.between(first, hours.close)
    some = taken.qty > 0
    taken = Prints(taken.ts[some], taken.price[some], taken.vwap[some], taken.qty[some])
    until = min(hours.close, span[1])
    if not len(taken.ts):
        return
    seconds = np.arange(int(taken.ts[0]) // SECOND_NS + 1, until // SECOND_NS, dtype=np.int64) * SECOND_NS
    seconds = seconds[(seconds + SECOND_NS >= max(span[0], first)) & (seconds + SECOND_NS < until)]
    if not len(seconds):
        return
    base = int(taken.vwap[0])
    lots = taken.qty.astype(np.float64)
    away = (taken.vwap - base) / tick
    sums = [np.cumsum(lots), np.cumsum(lots * away), np.cumsum(lots * away * away)]
    last = np.searchsorted(taken.ts, seconds, side="left") - 1
    volume, total, square = (one[last] for one in sums)
    mean = total / volume
    sigma = np.sqrt(np.maximum(square / volume - mean * mean, 0.0))
    for suffix, times in BANDS:
        values = base + (mean + times * sigma) * tick
        yield from rows_of(
            hours, name + suffix, 0, values, seconds + SECOND_NS, taken.ts[last], int(taken.ts[0]), until, tick, partial
        )


def averages(
    frame: pl.DataFrame, candles: Candles, hours: Hours, tick: int, *, span: tuple[int, int]
) -> Iterator[Level]:
    """Averages over closes, from the end of each candle on.

    frame: `silver.candle_2m` rows of the date; candles: those of all dates that were read, for the time of the source.
    """
    own = frame.filter(pl.col("session_date") == hours.label)
    if own.is_empty():
        return
    ends = own["bar_start"].to_physical().to_numpy() + BAR_NS
    until = min(hours.close, span[1])
    priced = candles.start[candles.priced & ~candles.halted]
    for length in (200, 400):
        values = own[f"sma{length}"].fill_null(np.nan).to_numpy() * 1e9
        first = int(priced[0]) if len(priced) else int(ends[0]) - BAR_NS
        held = ends < until
        yield from rows_of(hours, f"SMA{length}", 0, values[held], ends[held], ends[held], first, until, tick, False)


def gamma_levels(gex: pl.DataFrame, hours: Hours, tick: int, *, span: tuple[int, int]) -> Iterator[Level]:
    """Call wall, put wall and the prices of zero gamma (in ascending order), from `silver.gex_level_1m` rows."""
    own = gex.filter(pl.col("window_end").to_physical().is_between(hours.open, hours.close - 1))
    if own.is_empty():
        return
    ends = own["window_end"].to_physical().to_numpy()
    until = min(hours.close, span[1])
    series = [("GEXCW", 0, own["call_wall_price_int"]), ("GEXPW", 0, own["put_wall_price_int"])]
    roots = own["zero_gamma_price_int"]
    most = max(roots.list.len().drop_nulls().to_list(), default=0)
    series += [("ZG", k, roots.list.get(k, null_on_oob=True)) for k in range(most)]
    held = ends < until
    for name, number, column in series:
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        yield from rows_of(hours, name, number, values[held], ends[held], ends[held], int(ends[0]), until, tick, False)
