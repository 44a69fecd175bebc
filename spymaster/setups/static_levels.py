"""Levels that stay where they are from the moment they are known until their session ends.

Highs and lows are of candles, which the off-market prints are not part of. Opening ranges of 5 and 15 minutes end
inside a candle and are of trades.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time
from typing import Final

import numpy as np
import polars as pl

from spymaster.setups.level_sources import MINUTE_NS, Candles, Hours, Level, Prints
from spymaster.tables.candle_2m import BAR_NS

OPENING_MINUTES: Final = (5, 15, 30)
ROUND_TYPES: Final = (("ROUND100", 4), ("ROUND50", 2), ("ROUND25", 1))
PIVOT_BARS: Final = 3
SMOOTH_TICKS: Final = 4
SETTLEMENT: Final = 3
"""`stat_type` of a settlement price."""


def ranges(candles: Candles, hours: Hours, pre_market: str) -> Iterator[Level]:
    """High and low before 09:30: of the pre-market (from a New York time, or `18:00`, the open) and overnight."""
    start = hours.open if pre_market == "18:00" else hours.at(time.fromisoformat(pre_market))
    yield from _extremes(candles, hours, ("PMH", "PML"), start, hours.morning, hours.morning)
    yield from _extremes(candles, hours, ("ONH", "ONL"), hours.open, hours.morning, hours.morning)


def prior_day(candles: Candles, hours: Hours, before: Hours, *, is_last: bool) -> Iterator[Level]:
    """High, low and last close of earlier regular hours; `is_last`: those of the session right before."""
    if before.rth is None:
        return
    first, last = before.rth
    for level in _extremes(candles, hours, ("PDH", "PDL"), first, last, hours.open):
        yield level._replace(is_partial=level.is_partial or not is_last)
    traded = np.flatnonzero(candles.within(first, last) & candles.traded)
    if len(traded):
        k = traded[-1]
        partial = not (is_last and candles.covers(first, last))
        yield _fixed(
            hours, "PDC", 0, int(candles.close[k]), hours.open, int(candles.start[k]), int(candles.end[k]), partial
        )


def opening_range(prints: Prints, candles: Candles, hours: Hours) -> Iterator[Level]:
    """High and low of the first 5, 15 and 30 minutes of regular hours."""
    if hours.rth is None:
        return
    first = hours.rth[0]
    for minutes in OPENING_MINUTES:
        last = first + minutes * MINUTE_NS
        inside = prints.between(first, last)
        if not len(inside.ts) or last >= hours.rth[1]:
            continue
        whole = candles.covers(first, last - last % BAR_NS)
        source = int(inside.ts[0]), int(inside.ts[-1])
        yield _fixed(hours, f"ORH{minutes}", 0, int(inside.price.max()), last, *source, not whole)
        yield _fixed(hours, f"ORL{minutes}", 0, int(inside.price.min()), last, *source, not whole)


def round_prices(candles: Candles, hours: Hours, step: int, reach: int) -> Iterator[Level]:
    """Multiples of `step` (1e-9) within `reach` of the last close before the session, each by its roundest name.

    Without an earlier close, the session's first one is taken, and the levels hold from the end of its candle.
    """
    earlier = np.flatnonzero((candles.end <= hours.open) & candles.priced)
    own = np.flatnonzero((candles.start >= hours.open) & candles.priced)
    if len(earlier):
        k, valid_from = earlier[-1], hours.open
    elif len(own):
        k, valid_from = own[0], int(candles.end[own[0]])
    else:
        return
    close = int(candles.close[k])
    for multiple in range(-(-(close - reach) // step), (close + reach) // step + 1):
        name = next(name for name, times in ROUND_TYPES if multiple % times == 0)
        yield _fixed(
            hours, name, multiple, multiple * step, valid_from, int(candles.start[k]), int(candles.end[k]), False
        )


def swings(candles: Candles, hours: Hours) -> Iterator[Level]:
    """Pivots: a candle higher (lower) than the three before and the three after it, known when the last one ends."""
    label = np.datetime64(hours.label)
    usable = (candles.session == label) & candles.priced & candles.complete & ~candles.halted
    width = 2 * PIVOT_BARS + 1
    if len(candles.start) < width:
        return
    follows = candles.start[width - 1 :] - candles.start[: 1 - width] == (width - 1) * BAR_NS
    whole = np.lib.stride_tricks.sliding_window_view(usable, width).all(axis=1) & follows
    others = [k for k in range(width) if k != PIVOT_BARS]
    for name, values, sign in (("SWH", candles.high, 1), ("SWL", candles.low, -1)):
        around = np.lib.stride_tricks.sliding_window_view(sign * values, width)
        pivot = whole & (around[:, PIVOT_BARS] > around[:, others].max(axis=1))
        for number, first in enumerate(np.flatnonzero(pivot)):
            last = first + width - 1
            source = int(candles.start[first]), int(candles.end[last])
            yield _fixed(hours, name, number, int(values[first + PIVOT_BARS]), source[1], *source, False)


def volume_nodes(prints: Prints, hours: Hours, tick: int, *, is_partial: bool) -> Iterator[Level]:
    """Local maxima of the volume by price of the prior session, smoothed over 4 ticks either side.

    prints: trades of that session, at the prices of today's contract. A maximum is the largest of the nine smoothed
    values around it; of equal ones the lowest price.
    """
    if not len(prints.ts):
        return
    at = prints.price // tick
    low = int(at.min())
    volume = np.bincount(at - low, weights=prints.qty)
    width = 2 * SMOOTH_TICKS + 1
    smooth = np.convolve(np.pad(volume, SMOOTH_TICKS), np.ones(width), mode="valid")
    around = np.lib.stride_tricks.sliding_window_view(np.pad(smooth, SMOOTH_TICKS, constant_values=-1.0), width)
    peak = (smooth > 0) & (smooth == around.max(axis=1)) & (smooth > around[:, :SMOOTH_TICKS].max(axis=1))
    source = int(prints.ts[0]), int(prints.ts[-1])
    for number, k in enumerate(np.flatnonzero(peak)):
        yield _fixed(hours, "HVN", number, (low + int(k)) * tick, hours.open, *source, is_partial)


def settlement(statistics: pl.DataFrame, hours: Hours) -> Iterator[Level]:
    """The settlement of the latest session before that has one, since it is received; a row per price it is given.

    statistics: rows of the contract of `bronze.future_statistics`, in order of `ts_recv`, at the prices of today's
    contract. A record sets or deletes the price of the session it names and no other. One that names none is of the New
    York date on which it is received, and counts if that was before this session opened.
    """
    rows = statistics.filter(pl.col("stat_type") == SETTLEMENT).select(
        pl.col("ts_recv").to_physical(),
        "price_int",
        about=pl.col("ts_ref").dt.date(),
        received_on=pl.col("ts_recv").dt.convert_time_zone("America/New_York").dt.date(),
        update=pl.col("update").cast(pl.String),
    )
    known: dict[date, tuple[int, int]] = {}  # price and time of receipt, by the session that it settles
    current: Level | None = None
    number = 0
    for received, price, about, received_on, update in rows.iter_rows():
        past = about < hours.label if about is not None else received <= hours.open
        if not past or received >= hours.close:
            continue
        settled = about if about is not None else received_on
        if update == "new" and price is not None:
            known[settled] = (price, received)
        else:
            known.pop(settled, None)
        latest = known[max(known)] if known else None
        if current is not None and latest is not None and latest[0] == current.price:
            continue
        since = max(received, hours.open)
        if current is not None and since > current.valid_from:
            yield current._replace(valid_to=since)
            number += 1
        current = None
        if latest is not None:  # an older one that is the latest again is so by this record
            source = latest[1], received
            current = Level(hours.label, "SETTLE", number, latest[0], since, hours.close, *source, False, False)
    if current is not None:
        yield current


def _extremes(
    candles: Candles, hours: Hours, names: tuple[str, str], first: int, last: int, valid_from: int
) -> Iterator[Level]:
    """High and low of the traded candles in [first, last); nothing without one."""
    inside = np.flatnonzero(candles.within(first, last) & candles.traded)
    if not len(inside) or valid_from >= hours.close:
        return
    source = int(candles.start[inside[0]]), int(candles.end[inside[-1]])
    partial = not candles.covers(first, last)
    for name, price in zip(names, (candles.high[inside].max(), candles.low[inside].min()), strict=True):
        yield _fixed(hours, name, 0, int(price), valid_from, *source, partial)


def _fixed(
    hours: Hours, name: str, number: int, price: int, valid_from: int, first: int, last: int, partial: bool
) -> Level:
    """A level that holds until its session closes."""
    return Level(hours.label, name, number, price, valid_from, hours.close, first, last, False, partial)
