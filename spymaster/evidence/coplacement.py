"""E10: are orders placed and removed together, in the same microseconds?

Twins are a bid and an offer of equal size, of different events, entered within 1, 10 or 50 us of each other and
cancelled within 50 us of each other. Against surrogates in which every entry is drawn anew in its own cell of 1 ms and
takes its cancel along, so that lifetimes stay, by size and distance of both. Sizes permuted within a minute say beside
it whether equal sizes alone would do. Ladders (three prices of a side within the time) are counted, not tested.
Where neither the data nor a surrogate has five pairs there is no p (`few`).
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import DISTANCES, DayArrays
from spymaster.evidence.bins import MS, US
from spymaster.evidence.bootstrap import BLOCK_NS, block_sums
from spymaster.evidence.effects import PeakSums, effect_of
from spymaster.evidence.few import Fullest, if_enough
from spymaster.evidence.maxstat import MaxResult, Together, one_stage, staged
from spymaster.evidence.peaks import curve_of
from spymaster.evidence.result import Curve, Exemplars, First, TestResult, Weights, carried_on, choose_links
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import EXEMPLARS, Streams
from spymaster.evidence.twins import Orders, RedrawnTwins, ResizedTwins
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
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result per time within which entries count as together. `more` surrogates follow where p <= 0.05."""
    rows = placed(day, stratum)
    return carried_on(
        {name: partial(_within, day, stratum, rows, name, streams.sub(name), surrogates, more) for name in WITHIN},
        first,
    )


def _within(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    name: str,
    streams: Streams,
    surrogates: int,
    more: int | None,
    *,
    is_small: bool,
) -> TestResult:
    within, lives = WITHIN[name], day.lives
    add, life = lives.ts_add[rows], lives.ts_end[rows] - lives.ts_add[rows]
    orders = Orders(add, life, lives.event_add[rows], lives.side[rows], lives.size[rows], lives.dist_code[rows])
    together = (within, CANCELS_WITHIN, LARGEST_SIZE, _DISTANCES)
    redrawn = RedrawnTwins(orders, streams, CELL, *together)
    observed, pairs = _seen(orders, within)
    cell = orders.place(pairs[0], pairs[1], LARGEST_SIZE, _DISTANCES)
    fullest = Fullest(int(observed.sum()))
    counts = Together(observed, fullest.of(redrawn.sets))
    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS), is_small=is_small)
    cells = np.flatnonzero(result.z > LEAST_Z)
    cells = cells if len(cells) else np.array([result.best])
    pairs = pairs[:, np.isin(cell, cells)]
    expected = redrawn.by_block(cells, day.start, BLOCK_NS, day.minutes)
    sums = PeakSums(block_sums(add[pairs[0]], day.start, day.minutes), expected)
    share = within / CELL
    effect = effect_of(day, result, cells, sums, add, 2 * share - share**2, streams)
    lasted = life[pairs[0]]
    permuted = min(PERMUTATIONS, surrogates)
    minute = (add // (60_000 * MS) * 2 + orders.side) * _DISTANCES + orders.dist
    resized = ResizedTwins(orders, minute, streams.sub("sizes"), *together)
    chance = one_stage(lambda number: resized.counts(number) if number else observed, permuted)[0].p
    found = TestResult(
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
            "ladders": float(count_ladders(add, orders.event, orders.side, lives.price[rows], within, LADDER)),
        },
        curve=_curve(result, cells),
    )
    return if_enough(found, fullest.counted, is_small=is_small)


def _curve(result: MaxResult, cells: NDArray[np.int64]) -> Curve:
    """Only the cells that occurred."""
    whole = curve_of(result, np.arange(CELLS), np.arange(1, CELLS + 1), "cell", cells)
    held = (result.observed > 0) | (result.high > 0) | whole.peak
    return replace(whole, **{one.name: getattr(whole, one.name)[held] for one in fields(whole) if one.name != "unit"})


def _seen(orders: Orders, within: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Twins of the data by place, and their pairs [2, twins]."""
    columns = (
        orders.life,
        orders.event,
        orders.side,
        orders.size,
        orders.dist,
        np.arange(len(orders.add), dtype=np.int32),
    )
    room, found = 0, 1024
    first, second, counts = (np.zeros(0, np.int64),) * 3
    while found > room:
        room = found
        first, second, counts = np.empty(room, np.int64), np.empty(room, np.int64), np.zeros(CELLS, np.int64)
        limits = (within, CANCELS_WITHIN, LARGEST_SIZE, _DISTANCES)
        found = find_twins(orders.add, *columns, *limits, counts, first, second)
    return counts, np.stack([first[:found], second[:found]])


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
