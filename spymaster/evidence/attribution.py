"""How much of each message is owed to habits that earlier days showed: a weight from 0 to 1, by family of tests.

Weights come from a frozen list, the findings of the latest earlier date: the share of what lies in a bin of a peak that
the null does not explain. A message that belongs to several findings takes the largest; of answers (E3), those of a
narrow group weigh what it says and not what a wider one does (see `frozen`). Reprices of steered orders
(from the tenth on) and what a refilled order does after its refill are facts and weigh 1.

Nothing is attributed by what comes later. An order's age is known when it is cancelled, so its cancel is attributed and
never its entry; of orders withdrawn together, those are whose second had not ended when that was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.evidence import chains, coplacement, layers, lifetimes, periods, phase, reactions, spectra
from spymaster.evidence.arrays import SECOND_NS, DayArrays, kind
from spymaster.evidence.frozen import FrozenList, Listed, beyond, narrower
from spymaster.evidence.members import (
    lag_weights,
    returning_entries,
    twins,
    withdrawn_layers,
)
from spymaster.evidence.nulls import first_of_bursts
from spymaster.evidence.strata import POOLED
from spymaster.tables.types import LIFE_ENDS, SIDES

FAMILIES = ("chain", "fleeting", "reaction", "periodic", "iceberg", "coplace", "layering")

Weights = NDArray[np.float32]
Found = Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]
"""Rows of the messages, and the weight of each."""


class _Lives:
    """The cancel message of each life, and which lives end in one."""

    def __init__(self, day: DayArrays) -> None:
        messages, lives = day.messages, day.lives
        cancels = np.flatnonzero(messages.kind == kind("cancel"))
        ended = np.flatnonzero(lives.reason == LIFE_ENDS.index("cancel"))
        both = pl.DataFrame(
            {"order": lives.order[ended], "event": lives.event_end[ended], "life": ended}
        ).join(
            pl.DataFrame({"order": messages.order[cancels], "event": messages.event[cancels], "row": cancels}),
            on=("order", "event"),
        )  # fmt: skip
        self.cancel = np.full(len(lives.order), -1, np.int64)
        self.cancel[both["life"].to_numpy()] = both["row"].to_numpy()


def attribute(day: DayArrays, frozen: FrozenList) -> dict[str, Weights]:
    """Weight of every message by family, float32[messages]; the largest of all under `all`.

    Thresholds are those of the list: the day's own would be of the whole day.
    """
    if frozen.law is not None:
        day = replace(day, law=frozen.law)
    n = len(day.messages.ts)
    lives = _Lives(day)
    total = np.zeros(n, np.float32)
    result: dict[str, Weights] = {}
    for family in FAMILIES:
        weights = np.zeros(n, np.float32)
        for rows, values in _of_family(family, day, lives, frozen):
            np.maximum.at(weights, rows, values.astype(np.float32))
        weights[~day.messages.usable] = 0
        np.maximum(total, weights, out=total)
        result[family] = weights
    return result | {"all": total}


def _of_family(family: str, day: DayArrays, lives: _Lives, frozen: FrozenList) -> Found:
    def each(test: str, function: Callable[[DayArrays, Listed], Found]) -> Found:
        for row in frozen.rows:
            if row.test_id == test:
                yield from function(day, row)

    match family:
        case "chain":
            yield _chains(day)
        case "fleeting":
            yield from each("E1", lambda day, row: _fleeting(day, lives, row))
        case "reaction":
            yield from each("E3", lambda day, row: _reactions(day, row, frozen))
        case "periodic":
            yield from each("E4", _phases)
            yield from each("E5", _lines)
        case "iceberg":
            yield _refilled(day)
            yield from each("E6", _returning)
        case "coplace":
            yield from each("E10", lambda day, row: _twins(day, lives, row))
        case _:
            yield from each("E7", lambda day, row: _layers(day, lives, row) if frozen.law is not None else iter(()))


def _looked_up(values: NDArray[np.int64], row: Listed) -> NDArray[np.float64]:
    """Weight of the bin that each value lies in, 0 outside the listed ones."""
    first, last, weight = row.edges
    if not len(first):
        return np.zeros(len(values))
    place = np.maximum(np.searchsorted(first, values, side="right") - 1, 0)
    return np.where((values >= first[place]) & (values < last[place]), weight[place], 0.0)


def _chains(day: DayArrays) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reprices from the tenth of their order on; the nine before it did not yet make a chain."""
    rows = np.flatnonzero(day.messages.usable & (day.messages.kind == kind("reprice")))
    count = pl.DataFrame({"order": day.messages.order[rows]}).select(pl.int_range(1, pl.len() + 1).over("order"))
    rows = rows[count.to_series().to_numpy() >= chains.LEAST_REPRICES]
    return rows, np.ones(len(rows))


def _fleeting(day: DayArrays, lives: _Lives, row: Listed) -> Found:
    chosen = lifetimes.cancelled(day, row.stratum)
    chosen = chosen[lives.cancel[chosen] >= 0]
    yield lives.cancel[chosen], _looked_up(day.lives.ts_end[chosen] - day.lives.ts_add[chosen], row)


def _reactions(day: DayArrays, row: Listed, frozen: FrozenList) -> Found:
    grid = next((grid for grid in reactions.GRIDS if grid.name == row.sub_id), None)
    if grid is None or not row.bins or (row.stratum.reference.startswith("large") and frozen.law is None):
        return
    ref = reactions.apart(reactions.references(day, row.stratum.reference), grid.cell)
    target = reactions.targets(day, row.stratum)
    weight = np.zeros(len(target.ts))
    inner = narrower(row, frozen.rows)
    row = beyond(row, inner) if inner else row
    lag_weights(ref.ts, ref.event, target.ts, target.event, *row.edges, weight)
    for one in inner:  # these weigh what their own finding says
        weight[np.isin(target.index, reactions.targets(day, one.stratum).index)] = 0
    yield target.index, weight


def _phases(day: DayArrays, row: Listed) -> Found:
    period = phase.PERIODS.get(row.sub_id)
    if period is None:
        return
    rows = np.flatnonzero(row.stratum.among(day.messages, day.messages.qty))
    ts = day.messages.ts[rows]
    kept = np.zeros(len(rows), np.bool_)
    first_of_bursts(ts, phase.DEAD_NS, kept)
    yield rows[kept], _looked_up(ts[kept] % period, row)


def _lines(day: DayArrays, row: Listed) -> Found:
    """Events of two minutes weigh what was locked to the line in the two before: their own phase is not known yet."""
    band = next((band for band in spectra.PASSES if band.name == row.sub_id), None)
    line = float(np.mean([(low + high) / 2 for low, high, _ in row.bins])) if row.bins else 0.0
    if band is None or not band.low_hz <= line <= band.high_hz:
        return
    rows = np.flatnonzero(row.stratum.among(day.messages, day.messages.qty))
    ts = day.messages.ts[rows]
    kept = np.zeros(len(rows), np.bool_)
    first_of_bursts(ts, band.dead_ns, kept)
    length = spectra.WINDOW_S * SECOND_NS
    ends = (round(line * (1 + sign * periods.SAME_LINE) / spectra.STEP_HZ) for sign in (-1, 1))
    first, last = (round(edge / spectra.STEP_HZ) for edge in (band.low_hz, band.high_hz))
    low, high = (min(max(end, first), last) for end in ends)
    near = np.arange(low, high + 1)
    share = 0.0
    for start in range(day.start, day.end, length):
        part = slice(*np.searchsorted(ts, [start, start + length]))
        events = ts[part][kept[part]]
        if share > 0 and len(events):
            yield rows[part][kept[part]], np.full(len(events), share)
        share = 0.0
        if len(events) >= periods.LEAST_EVENTS and start + length <= day.end:
            values = spectra.spectrum(events, start, band)[near - first]
            if spectra.screen_p(float(values.max()), len(values)) <= periods.SCREEN:
                seen = spectra.line_of(events, start, float(near[values.argmax()]) * spectra.STEP_HZ)
                share = max(0.0, spectra.resultant(events, seen) - float(np.sqrt(np.pi / (4 * len(events)))))


def _refilled(day: DayArrays) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Refills, and what else their orders are sent later."""
    messages = day.messages
    refill = messages.kind == kind("refill")
    rows = np.flatnonzero(np.isin(messages.order, np.unique(messages.order[refill])) & messages.usable)
    frame = pl.DataFrame({"order": messages.order[rows], "refill": refill[rows]})
    seen = frame.select(pl.col("refill").cum_sum().over("order") > 0).to_series().to_numpy()
    rows = rows[seen]
    return rows, np.ones(len(rows))


def _returning(day: DayArrays, row: Listed) -> Found:
    if row.sub_id == "synthetic":
        adds, delays = returning_entries(day, row.stratum)
        yield adds, _looked_up(delays, row)


def _twins(day: DayArrays, lives: _Lives, row: Listed) -> Found:
    within = coplacement.WITHIN.get(row.sub_id)
    if within is None:
        return
    first, second, cells = twins(day, row.stratum, within)
    weights = {int(cell): weight for cell, _, weight in row.bins}
    weight = np.array([weights.get(cell, 0.0) for cell in cells.tolist()])
    ends = day.lives.ts_end
    later = np.where(ends[first] >= ends[second], first, second)
    earlier = np.where(later == first, second, first)
    together = ends[earlier] // SECOND_NS == ends[later] // SECOND_NS
    for chosen, weights in ((later, weight), (earlier[together], weight[together])):
        rows = lives.cancel[chosen]
        yield rows[rows >= 0], weights[rows >= 0]


def _layers(day: DayArrays, lives: _Lives, row: Listed) -> Found:
    """Orders that went together, a listed delay after a trade of the other side."""
    if row.sub_id != "episodes" or not row.bins:
        return
    one, trades = day.lives, day.trades
    for side, name in enumerate(SIDES):
        if row.stratum.side not in (POOLED, name):
            continue
        rows = layers.withdrawn(day, side)
        gone = one.ts_end[rows]
        trade = trades.ts[trades.usable & (trades.aggressor == side)]
        delayed, weight = np.zeros(len(rows)), np.zeros(len(rows))
        no_event = np.full(len(trade), -1, np.int64)
        lag_weights(trade, no_event, gone, np.zeros(len(rows), np.int64), *row.edges, delayed)
        withdrawn_layers(
            one.ts_add[rows], gone, one.price[rows], delayed, layers.TOGETHER_NS, layers.GONE_TOGETHER_NS,
            layers.LEAST_LAYERS, SECOND_NS, weight,
        )  # fmt: skip
        cancel = lives.cancel[rows]
        yield cancel[cancel >= 0], weight[cancel >= 0]
