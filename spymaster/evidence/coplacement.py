"""E10: are orders placed and removed together, in the same microseconds?

Twins are a bid and an offer of equal size, of different events, entered within 1, 10 or 50 us of each other and
cancelled within 50 us of each other. Against surrogates in which every entry is drawn anew in its own cell of 1 ms and
takes its cancel along, so that lifetimes stay, by size and distance of both. Sizes permuted within a minute say beside
it whether equal sizes alone would do. Ladders (three prices of a side within the time) are counted, not tested.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import DISTANCES, DayArrays
from spymaster.evidence.bins import MS, US
from spymaster.evidence.effects import effect_of, sums_of
from spymaster.evidence.maxstat import MaxResult, one_stage, staged
from spymaster.evidence.nulls import jitter_marked, markperm
from spymaster.evidence.peaks import curve_of
from spymaster.evidence.result import Curve, Exemplars, TestResult, Weights, choose_links
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import EXEMPLARS, Streams
from spymaster.jit import kernel
from spymaster.tables.types import LIFE_ENDS

TEST = "E10"
WITHIN = {"1us": US, "10us": 10 * US, "50us": 50 * US}
CANCELS_WITHIN = 50 * US
CELL = MS
LARGEST_SIZE = 100
"""Sizes from here on are one class."""
LADDER = 3
LEAST_Z = 3.0
PERMUTATIONS = 99

_DISTANCES = len(DISTANCES)
CELLS = (LARGEST_SIZE + 1) * _DISTANCES * _DISTANCES


@kernel()
def find_twins(add, life, event, side, size, dist, source, within, cancels, largest, distances, counts, first, second):
    """Count twins by (size, distance of the bid, of the offer), and note as many pairs as fit. Returns how many.

    `add` is sorted; the other columns are looked up through `source`.
    """
    n = add.shape[0]
    found = 0
    for i in range(n):
        a = source[i]
        for j in range(i + 1, n):
            if add[j] - add[i] > within:
                break
            b = source[j]
            if side[a] == side[b] or size[a] != size[b] or event[a] == event[b]:
                continue
            if abs(add[j] + life[b] - add[i] - life[a]) > cancels:
                continue
            bid, ask = (a, b) if side[a] == 0 else (b, a)
            cell = (np.int64(min(size[a], largest)) * distances + dist[bid]) * distances + dist[ask]
            counts[cell] += 1
            if found < first.shape[0]:
                first[found] = i
                second[found] = j
            found += 1
    return found


@kernel()
def count_ladders(add, event, side, price, within, least):
    """Groups of `least` prices or more of one side, each entry within `within` ns of the one before."""
    groups = 0
    n = add.shape[0]
    for wanted in range(2):
        run = 0
        last = np.int64(-(2**62))
        before = np.int64(-1)
        for i in range(n):
            if side[i] != wanted:
                continue
            run = run + 1 if add[i] - last <= within and price[i] != before else 1
            groups += np.int64(run == least)
            last = add[i]
            before = price[i]
    return groups


def placed(day: DayArrays, stratum: Stratum) -> NDArray[np.int64]:
    """Lives of the stratum that ended in a cancel, by time of entry; rests of aggressive orders are left out."""
    lives = day.lives
    chosen = stratum.among(lives, lives.size) & (lives.reason == LIFE_ENDS.index("cancel")) & ~lives.aggressive
    rows = np.flatnonzero(chosen)
    return rows[np.argsort(lives.ts_add[rows], kind="stable")]


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None
) -> list[TestResult]:
    """One result per time within which entries count as together. `more` surrogates follow where p <= 0.05."""
    rows = placed(day, stratum)
    return [_within(day, stratum, rows, name, streams.sub(name), surrogates, more) for name in WITHIN]


def _within(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    name: str,
    streams: Streams,
    surrogates: int,
    more: int | None,
) -> TestResult:
    within, lives = WITHIN[name], day.lives
    add, life = lives.ts_add[rows], lives.ts_end[rows] - lives.ts_add[rows]
    columns = (life, lives.event_add[rows], lives.side[rows])
    size, dist = lives.size[rows], lives.dist_code[rows]
    drawn, source = np.empty_like(add), np.empty(len(add), np.int32)
    same = np.arange(len(add), dtype=np.int32)
    origin = streams.offset(CELL)
    room = len(add) + 1
    first, second = np.empty(room, np.int64), np.empty(room, np.int64)

    def twins(number: int, sizes: NDArray[np.int32] = size) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        counts = np.zeros(CELLS, np.int64)
        if number:
            jitter_marked(add, streams.words(number, len(add)), origin, CELL, drawn, source)
        times, order = (drawn, source) if number else (add, same)
        found = find_twins(
            times, *columns, sizes, dist, order, within, CANCELS_WITHIN, LARGEST_SIZE, _DISTANCES, counts, first, second
        )
        return counts, times, min(found, room)

    result = staged(lambda number: twins(number)[0], surrogates, more, rng=streams.random(EXEMPLARS))
    cells = np.flatnonzero(result.z > LEAST_Z)
    cells = cells if len(cells) else np.array([result.best])

    def in_peak(number: int) -> NDArray[np.int64]:
        _, times, found = twins(number)
        order = source if number else same
        return times[first[:found]][np.isin(_cells(order[first[:found]], order[second[:found]]), cells)]

    def _cells(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.int64]:
        bid = np.where(lives.side[rows[one]] == 0, one, other)
        ask = np.where(lives.side[rows[one]] == 0, other, one)
        classes = np.minimum(size[one], LARGEST_SIZE).astype(np.int64)
        return (classes * _DISTANCES + dist[bid]) * _DISTANCES + dist[ask]

    share = within / CELL
    effect = effect_of(day, result, cells, sums_of(day, in_peak), add, 2 * share - share**2, streams)
    _, _, found = twins(0)
    pairs = np.stack([first[:found], second[:found]])
    pairs = pairs[:, np.isin(_cells(pairs[0], pairs[1]), cells)]
    lasted = life[pairs[0]]
    permuted = min(PERMUTATIONS, surrogates)
    chance = _by_chance(streams.sub("sizes"), lives.dist_code[rows], lives.side[rows], add, size, twins, permuted)
    return TestResult(
        test_id=TEST,
        sub_id=name,
        stratum_json=stratum.json(),
        n_ref=len(add),
        n_tgt=2 * int(result.observed.sum()),
        statistic=result.statistic,
        stat_name="largest z of (size, distances)",
        p_raw=result.p,
        p_floor=result.p_floor,
        p_method=result.p_method,
        n_surrogate=result.surrogates,
        null_method="jitter",
        null_param={"cell_ns": CELL, "redrawn": "entry, with its cancel", "within_ns": within},
        effect=2 * effect.share,
        effect_unit="share",
        effect_lo=2 * effect.low,
        effect_hi=2 * effect.high,
        peak_value=float(np.median(lasted)) / MS if len(lasted) else 0.0,
        peak_unit="ms",
        peak_width=float(np.subtract(*np.quantile(lasted, [0.75, 0.25]))) / MS if len(lasted) else 0.0,
        weights=Weights(
            "cell", tuple((float(cell), cell + 1.0, float(w)) for cell, w in zip(cells, effect.weights, strict=True))
        ),
        notes=("equal_sizes_by_chance",) if chance > 0.05 else (),
        exemplars=_exemplars(rows, pairs, lasted, streams),
        facts={
            "p_sizes_permuted": chance,
            "ladders": float(count_ladders(add, columns[1], columns[2], lives.price[rows], within, LADDER)),
        },
        curve=_curve(result, cells),
    )


def _curve(result: MaxResult, cells: NDArray[np.int64]) -> Curve:
    """Only the cells that occurred."""
    whole = curve_of(result, np.arange(CELLS), np.arange(1, CELLS + 1), "cell", cells)
    held = (result.observed > 0) | (result.high > 0) | whole.peak
    return replace(whole, **{one.name: getattr(whole, one.name)[held] for one in fields(whole) if one.name != "unit"})


def _by_chance(
    streams: Streams, dist, side, add: NDArray[np.int64], size: NDArray[np.int32], twins, permutations: int
) -> float:
    """p of the twins against sizes permuted among orders of the same minute, side and distance."""
    cells = (add // (60_000 * MS) * 2 + side) * _DISTANCES + dist
    by_cell = np.argsort(cells, kind="stable")
    order, permuted = np.empty(len(add), np.int64), np.empty_like(size)

    def counts(number: int) -> NDArray[np.int64]:
        if number == 0:
            return twins(0)[0]
        markperm(cells[by_cell], streams.words(number, len(add)), order)
        permuted[by_cell] = size[by_cell][order]
        return twins(0, permuted)[0]

    return one_stage(counts, permutations)[0].p


def _exemplars(
    rows: NDArray[np.int64], pairs: NDArray[np.int64], lasted: NDArray[np.int64], streams: Streams
) -> Exemplars:
    """Both orders of chosen pairs; the lag is their life."""
    middle = np.median(lasted) if len(lasted) else 0.0
    chosen, typical = choose_links(np.abs(lasted - middle), streams.random(EXEMPLARS))
    index = rows[pairs[:, chosen].T.ravel()]
    n = len(index)
    lag, link = np.repeat(lasted[chosen], 2), np.repeat(np.arange(len(chosen)), 2)
    return Exemplars("lives", index, link, ("twin",) * n, lag, np.ones(n), np.repeat(typical, 2))
