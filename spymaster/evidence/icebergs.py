"""E6: hidden quantity, by the venue's own icebergs and by orders that come back after a fill.

*Native*: an order id that was refilled, or that executed more than it ever displayed although nobody raised its size
or moved it. A fact, without a p, told of each side.

*Synthetic*: after an order of five lots or more was filled completely, the first new order of the same size (give or
take a tenth) at the same price and side within 300 ms. Two nulls, and both must be rejected: sizes permuted among the
entries of a minute at the price, and entries drawn anew in their own cells of 5 ms (icebergs of this kind: Zotikov &
Antonov 2021). The larger p counts. Size 1 is everywhere, hence the least size; and as chance has most of the small
ones, each class of sizes is tested by itself. Where neither the data nor a surrogate has five there is no p (`few`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays, kind
from spymaster.evidence.bins import MS, US, bin_of, logarithmic
from spymaster.evidence.bootstrap import block_of, block_sums, ratio_interval
from spymaster.evidence.effects import PeakSums, effect_of
from spymaster.evidence.few import Fullest, if_enough
from spymaster.evidence.maxstat import Together, staged
from spymaster.evidence.peaks import Null, peak_of, result_of_bins
from spymaster.evidence.refills import RedrawnRefills, Refills, ResizedRefills
from spymaster.evidence.result import First, TestResult, choose_links, exemplars
from spymaster.evidence.strata import POOLED, Stratum
from spymaster.evidence.streams import BOOTSTRAP, EXEMPLARS, Streams
from spymaster.jit import kernel
from spymaster.tables.types import LIFE_ENDS, SIDES

TEST = "E6"
LEAST_SIZE = 5
TOLERANCE = 10
"""Sizes may differ by one lot in so many."""
EDGES = logarithmic(100 * US, 300 * MS, 24)
"""A tenth wide: a delay that keeps to a fifteenth of itself fills several, and z tells where it ends. Of bins twice as
wide, one edge within it leaves a fifth of it out of the peak, and of what is attributed.
"""
CELL = 5 * MS
PLACES_APART = 2**47
"""Entries of different prices are put so far apart in time (ns) that one sorted series holds them all."""


@kernel()
def find_refills(fill, fill_size, add, add_size, edges, tolerance, counts, fills, adds):
    """Count by bin the delay to the first entry of like size after each fill, and note the pairs. Returns how many."""
    n = add.shape[0]
    least, most = edges[0], edges[edges.shape[0] - 1]
    nothing = np.zeros(0, np.int32)
    found = 0
    for i in range(fill.shape[0]):
        low, high = 0, n
        while low < high:
            middle = (low + high) // 2
            if add[middle] < fill[i] + least:
                low = middle + 1
            else:
                high = middle
        k = low
        while k < n and add[k] - fill[i] < most:
            if abs(add_size[k] - fill_size[i]) * tolerance <= fill_size[i]:
                counts[bin_of(edges, nothing, 0, add[k] - fill[i])] += 1
                fills[found] = i
                adds[found] = k
                found += 1
                break
            k += 1
    return found


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """Of all sizes `native`, of a class of sizes `synthetic`, whose p is the larger of both nulls'."""
    if first and not any(one.is_small for one in first):
        return list(first)
    if stratum.size == POOLED:
        return [native(day, stratum, streams.sub("native"))]
    return [synthetic(day, stratum, streams, surrogates, more)]


def native(day: DayArrays, stratum: Stratum, streams: Streams) -> TestResult:
    """Orders that showed hidden quantity; the effect is hidden volume as a share of traded volume.

    Lots beyond the largest display count where it was the only one: of an order that was raised or moved (which may
    raise it, too) they may have been displayed one after the other.
    """
    lives = day.lives
    changed = (lives.ups > 0) | (lives.reprices > 0)
    hidden = np.where(changed, 0, np.maximum(lives.filled - lives.largest, 0))
    chosen = (lives.refills > 0) | (hidden > 0)
    if stratum.side != POOLED:
        chosen &= lives.side == "BA".index(stratum.side)
    rows = np.flatnonzero(chosen)
    trades = day.trades
    wholes = block_sums(trades.ts, day.start, day.minutes, trades.qty)
    parts = block_sums(np.clip(lives.ts_end[rows], day.start, day.end - 1), day.start, day.minutes, hidden[rows])
    volume = max(int(trades.qty.sum()), 1)
    low, high = ratio_interval(parts, wholes, streams.random(BOOTSTRAP))
    picked, typical = choose_links(-hidden[rows].astype(np.float64), streams.random(EXEMPLARS))
    index = rows[picked]
    ratio = lives.filled[rows] / np.maximum(lives.largest[rows], 1)
    return TestResult(
        test_id=TEST,
        sub_id="native",
        stratum_json=stratum.json(),
        n_ref=volume,
        n_tgt=len(rows),
        statistic=float(len(rows)),
        stat_name="orders",
        p_raw=None,
        p_floor=None,
        p_method="fact",
        n_surrogate=0,
        null_method="none",
        null_param={},
        effect=float(hidden[rows].sum()) / volume,
        effect_unit="share",
        effect_lo=low,
        effect_hi=high,
        peak_value=float(np.median(ratio)) if len(rows) else 0.0,
        peak_unit="filled / displayed",
        peak_width=float(np.subtract(*np.quantile(ratio, [0.75, 0.25]))) if len(rows) else 0.0,
        exemplars=exemplars(
            "lives", index, "tranche", lives.ts_end[index] - lives.ts_add[index], np.ones(len(index)), typical
        ),
        facts={
            "refills": float(lives.refills[rows].sum()),
            "hidden_lots": float(hidden[rows].sum()),
            "refilled_and_changed": float(changed[rows].sum()),
        },
    )


def filled_whole(day: DayArrays, stratum: Stratum) -> NDArray[np.bool_]:
    """Lives of a stratum that ended in a fill of all their lots, of five or more, where they had entered."""
    lives = day.lives
    whole = (lives.reason == LIFE_ENDS.index("fill")) & (lives.size >= LEAST_SIZE) & (lives.reprices == 0)
    return whole & stratum.among(lives, lives.size)


def synthetic(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None
) -> TestResult:
    """Entries that come back after a fill. The effect is the excess as a share of full fills."""
    lives, messages = day.lives, day.messages
    entered = messages.usable & (messages.kind == kind("add"))
    if stratum.side != POOLED:
        entered &= messages.side == SIDES.index(stratum.side)
    fills, adds = np.flatnonzero(filled_whole(day, stratum)), np.flatnonzero(entered)
    places = np.unique(
        np.concatenate([lives.price[fills] * 2 + lives.side[fills], messages.price[adds] * 2 + messages.side[adds]])
    )

    def in_place(price: NDArray[np.int64], sides: NDArray[np.uint8], ts: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.searchsorted(places, price * 2 + sides) * PLACES_APART + ts - day.start

    fill = in_place(lives.price[fills], lives.side[fills], lives.ts_end[fills])
    add = in_place(messages.price[adds], messages.side[adds], messages.ts[adds])
    order = np.argsort(add, kind="stable")
    adds, add = adds[order], add[order]
    size, wanted = messages.qty[adds].astype(np.int64), lives.size[fills].astype(np.int64)
    jittered, permuted = streams.sub("jitter"), streams.sub("sizes")
    origin = jittered.offset(CELL)
    refills = Refills(fill, wanted, add, size, EDGES, TOLERANCE)
    redrawn = RedrawnRefills(refills, jittered, CELL)
    resized = ResizedRefills(refills, permuted, add // (60 * SECOND_NS))
    which, back = np.empty(len(fill), np.int64), np.empty(len(fill), np.int64)
    observed = np.zeros(len(EDGES) - 1, np.int64)
    found = find_refills(fill, wanted, add, size, EDGES, TOLERANCE, observed, which, back)
    which_seen, back_seen = which[:found], back[:found]
    fullest = Fullest(found)
    result = staged(Together(observed, fullest.of(redrawn.sets)), surrogates, more, rng=streams.random(EXEMPLARS))
    other = staged(fullest.of(resized.counts), surrogates, more, rng=permuted.random(EXEMPLARS))
    peak = peak_of(result, EDGES)

    delay = add[back_seen] - fill[which_seen]
    inside = np.flatnonzero((delay >= peak.low) & (delay < peak.high))
    kept = _kept(fill[which_seen[inside]], add[back_seen[inside]], peak.low, peak.high, origin)
    block = block_of(lives.ts_end[fills], day.start, day.minutes)
    expected = redrawn.by_block(peak.low, peak.high, block, day.minutes)
    sums = PeakSums(np.bincount(block[which_seen[inside]], minlength=day.minutes), expected)
    effect = effect_of(day, result, peak.places, sums, lives.ts_end[fills], kept, streams)
    chosen, typical = choose_links(np.abs(delay[inside] - peak.value), streams.random(EXEMPLARS))
    picked = inside[chosen]
    weight = effect.weights[np.searchsorted(EDGES[peak.places], delay[picked], side="right") - 1]
    both = replace(
        result,
        statistic=min(result.statistic, other.statistic),
        p=max(result.p, other.p),
        p_floor=max(result.p_floor, other.p_floor),
        p_method=result.p_method if result.p >= other.p else other.p_method,
        surrogates=min(result.surrogates, other.surrogates),
    )
    returned = result_of_bins(
        (TEST, "synthetic", stratum.json()),
        both,
        EDGES,
        peak,
        effect,
        counts=(len(fills), len(adds)),
        stat_name="smaller of the largest z of a delay",
        null=Null(
            "jitter and markperm",
            {"cell_ns": CELL, "redrawn": "entry", "permuted": "sizes of a minute at the price"},
        ),
        exemplars=exemplars("messages", adds[back_seen[picked]], "tranche", delay[picked], weight, typical),
        facts={
            "p_jitter": result.p,
            "p_sizes_permuted": other.p,
            "variation": float(np.std(delay[inside]) / np.mean(delay[inside])) if len(inside) else None,
            "share_within_1_ms": float(np.mean(np.abs(delay[inside] - peak.value) <= MS)) if len(inside) else None,
        },
    )
    return if_enough(returned, fullest.counted)


def _kept(fill: NDArray[np.int64], add: NDArray[np.int64], low: int, high: int, origin: int) -> float:
    """Mean share of the pairs' redrawn entries that still have a delay in `[low, high)`.

    By the cell that each entry lies in: in a peak wider than a cell those in its middle stay, those at its ends do not.
    """
    if not len(fill):
        return 0.0
    first = origin + (add - origin) // CELL * CELL
    overlap = np.minimum(first + CELL, fill + high) - np.maximum(first, fill + low)
    return float(np.mean(np.clip(overlap, 0, None) / CELL))
