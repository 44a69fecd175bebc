"""E3: do cancels, adds and reprices answer market events after a sharp delay?

Lags from each reference event to the messages of a stratum that follow within 200 ms, against surrogates in which the
references are drawn anew in their own cells of time. Messages of the reference's own event are mechanical (a fill and
its cancel, triggered stops, packets) and are left out; lags below 150 us are not looked at.

Of references that come in a burst, closer than two cells, only the first counts. Drawn anew one by one, the others
would be spread over their cell: of two bursts that happen to lie a delay apart the data would then have more at that
delay than any surrogate.

The side of a reference is the one it acts for: buyers' trades, rising quotes and large bids are B, their mirrors A.
`same` and `other` are relative to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import DayArrays, kind
from spymaster.evidence.bins import MS, US, Edges, bin_of, linear, steps_of
from spymaster.evidence.bootstrap import BLOCK_NS, block_sums
from spymaster.evidence.effects import PeakSums, effect_of
from spymaster.evidence.lags import Redrawn
from spymaster.evidence.maxstat import Together, one_stage, staged
from spymaster.evidence.nulls import first_of_bursts
from spymaster.evidence.peaks import Null, Peak, peak_of, result_of_bins
from spymaster.evidence.result import Exemplars, First, TestResult, carried_on, choose_links, exemplars
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import EXEMPLARS, Streams
from spymaster.jit import kernel

TEST = "E3"
MOST_LAG = 200 * MS
APART = 2
"""Cells between references of one group, at least."""
MIRROR_SURROGATES = 99


@dataclass(frozen=True)
class Grid:
    """Bins of lag, and the width of the cells that references are redrawn in; both ns."""

    name: str
    edges: Edges
    cell: int


GRIDS = (
    Grid("ms", linear(15 * MS, MOST_LAG, MS), 5 * MS),
    Grid("few_ms", linear(500 * US, 15 * MS, 100 * US), 500 * US),
    Grid("sub_ms", linear(150 * US, 500 * US, 10 * US), 50 * US),
)
"""Excitement that rises at once and fades needs nobody automatic. Its rise is sharper than any cell, so no grid reaches
down to it: a grid begins at three cells, but for `few_ms`, which begins at one and so never looks across the rise."""


@dataclass(frozen=True)
class Series:
    """Times and event numbers of references or targets, sorted, and where they are in the day's arrays."""

    ts: NDArray[np.int64]
    event: NDArray[np.int64]
    index: NDArray[np.int64]


@kernel()
def count_lags(ref, ref_event, target, target_event, edges, bins, step, counts):
    """Counts by bin of every lag from a reference to a later target of another event."""
    start = 0
    n = target.shape[0]
    least, most = edges[0], edges[edges.shape[0] - 1]
    for i in range(ref.shape[0]):
        while start < n and target[start] - ref[i] < least:
            start += 1
        k = start
        while k < n and target[k] - ref[i] < most:
            if target_event[k] != ref_event[i]:
                counts[bin_of(edges, bins, step, target[k] - ref[i])] += 1
            k += 1


@kernel()
def pairs_within(ref, ref_event, target, target_event, low, high, refs, targets):
    """Pairs with a lag in `[low, high)`, as places; as many as fit. Returns how many there are."""
    start = 0
    found = 0
    n = target.shape[0]
    for i in range(ref.shape[0]):
        while start < n and target[start] - ref[i] < low:
            start += 1
        k = start
        while k < n and target[k] - ref[i] < high:
            if target_event[k] != ref_event[i]:
                if found < refs.shape[0]:
                    refs[found] = i
                    targets[found] = k
                found += 1
            k += 1
    return found


def reference_side(reference: str) -> str:
    """The side that a reference acts for."""
    return "B" if reference in ("trade_buy", "bbo_up", "large_add_bid") else "A"


def references(day: DayArrays, name: str) -> Series:
    """Usable reference events; trades and quotes count once per event."""
    if name.startswith("trade"):
        chosen = day.trades.usable & (day.trades.aggressor == (0 if name == "trade_buy" else 1))
        index = np.flatnonzero(chosen)
        return Series(day.trades.ts[index], day.trades.event[index], index)
    if name.startswith("bbo"):
        moved = day.quotes.bid_move.astype(np.int64) + day.quotes.ask_move
        index = np.flatnonzero(day.quotes.usable & (moved > 0 if name == "bbo_up" else moved < 0))
        return Series(day.quotes.ts[index], day.quotes.event[index], index)
    messages = day.messages
    side = 0 if name == "large_add_bid" else 1
    chosen = messages.usable & (messages.kind == kind("add")) & (messages.side == side)
    index = np.flatnonzero(chosen & (messages.qty >= day.law.large_add))
    return Series(messages.ts[index], messages.event[index], index)


def apart(ref: Series, cell: int) -> Series:
    """The first of each burst of references, for cells of a width (ns). What comes later has no say in it."""
    kept = np.zeros(len(ref.ts), np.bool_)
    first_of_bursts(ref.ts, APART * cell, kept)
    return Series(ref.ts[kept], ref.event[kept], ref.index[kept])


def targets(day: DayArrays, stratum: Stratum) -> Series:
    """Messages of the stratum on its side relative to the reference."""
    own = reference_side(stratum.reference)
    side = None if stratum.relation == "*" else own if stratum.relation == "same" else "BA"[own == "B"]
    index = np.flatnonzero(stratum.among(day.messages, day.messages.qty, side))
    return Series(day.messages.ts[index], day.messages.event[index], index)


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result per grid of lags. `more` fresh surrogates follow where p <= 0.05."""
    ref, target = references(day, stratum.reference), targets(day, stratum)
    return carried_on(
        {
            grid.name: partial(
                _on_grid, day, stratum, apart(ref, grid.cell), target, grid, streams.sub(grid.name), surrogates, more
            )
            for grid in GRIDS
        },
        first,
    )


def _on_grid(
    day: DayArrays,
    stratum: Stratum,
    ref: Series,
    target: Series,
    grid: Grid,
    streams: Streams,
    surrogates: int,
    more: int | None,
    *,
    is_small: bool,
) -> TestResult:
    edges = grid.edges
    redrawn = Redrawn((ref.ts, ref.event), (target.ts, target.event), edges, grid.cell, streams)
    observed = np.zeros(len(edges) - 1, np.int64)
    count_lags(ref.ts, ref.event, target.ts, target.event, edges, *steps_of(edges), observed)
    counts = Together(observed, redrawn.sets)
    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS), is_small=is_small)
    peak = peak_of(result, edges)
    room = int(observed[peak.places].sum())
    places, others = np.empty(room, np.int64), np.empty(room, np.int64)
    pairs_within(ref.ts, ref.event, target.ts, target.event, peak.low, peak.high, places, others)
    expected = redrawn.by_block(peak.low, peak.high, day.start, BLOCK_NS, day.minutes)
    sums = PeakSums(block_sums(ref.ts[places], day.start, day.minutes), expected)
    kept = _kept(ref.ts[places], target.ts[others], peak.low, peak.high, grid.cell, streams.offset(grid.cell))
    effect = effect_of(day, result, peak.places, sums, ref.ts, kept, streams)
    leads = result.p <= 0.05 and _leads(ref, target, grid, streams.sub("mirror"))
    return result_of_bins(
        (TEST, grid.name, stratum.json()),
        result,
        edges,
        peak,
        effect,
        counts=(len(ref.ts), len(target.ts)),
        stat_name="largest z of a lag",
        null=Null("jitter", {"cell_ns": grid.cell, "redrawn": "reference", "dead_ns": APART * grid.cell}),
        notes=("leads_reference",) if leads else (),
        exemplars=_exemplars(ref, target, places, others, edges, peak, effect.weights, streams),
        facts={"share_of_targets": effect.excess / max(len(target.ts), 1)},
    )


def _leads(ref: Series, target: Series, grid: Grid, streams: Streams) -> bool:
    """Whether targets come at a sharp delay *before* the references: the link then says nothing about answers."""
    redrawn = Redrawn((ref.ts, ref.event), (target.ts, target.event), grid.edges, grid.cell, streams, turn=-1)
    observed = np.zeros(len(grid.edges) - 1, np.int64)
    count_lags(target.ts, target.event, ref.ts, ref.event, grid.edges, *steps_of(grid.edges), observed)
    return one_stage(Together(observed, redrawn.sets), MIRROR_SURROGATES)[0].p <= 1 / (MIRROR_SURROGATES + 1)


def _kept(ref: NDArray[np.int64], target: NDArray[np.int64], low: int, high: int, cell: int, origin: int) -> float:
    """Mean share of the pairs' redrawn references that still have a lag in `[low, high)`."""
    if not len(ref):
        return 0.0
    first = origin + (ref - origin) // cell * cell
    overlap = np.minimum(first + cell, target - low + 1) - np.maximum(first, target - high + 1)
    return float(np.mean(np.clip(overlap, 0, None) / cell))


def _exemplars(
    ref: Series,
    target: Series,
    places: NDArray[np.int64],
    others: NDArray[np.int64],
    edges: Edges,
    peak: Peak,
    weights: NDArray[np.float64],
    streams: Streams,
) -> Exemplars:
    """The answering messages of pairs in the peak; the lag names the moment of what they answered."""
    lags = target.ts[others] - ref.ts[places]
    chosen, typical = choose_links(np.abs(lags - peak.value), streams.random(EXEMPLARS))
    weight = weights[np.searchsorted(edges[peak.places], lags[chosen], side="right") - 1]
    return exemplars("messages", target.index[others[chosen]], "response", lags[chosen], weight, typical)
