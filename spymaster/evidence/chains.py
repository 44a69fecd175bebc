"""E2: which orders are steered, and with what delay do they follow the quote?

A chain is an order id with ten price changes or more: a fact, which needs no p. What is tested is the delay: for each
change of the best price of the chain's side, the time to the chain's next reprice in the same direction within 15 ms,
against surrogates in which the changes of the quote are drawn anew in their own cells of 0.5 ms. (Hasbrouck & Saar 2013
had to infer the links that order ids give here.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays, kind
from spymaster.evidence.bins import MS, US, bin_of, linear, steps_of
from spymaster.evidence.bootstrap import block_sums, ratio_interval
from spymaster.evidence.effects import Effect
from spymaster.evidence.maxstat import staged
from spymaster.evidence.nulls import jitter_marked
from spymaster.evidence.peaks import Null, peak_of, result_of_bins
from spymaster.evidence.result import Exemplars, First, TestResult, choose_links, excess_share
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import BOOTSTRAP, EXEMPLARS, Streams
from spymaster.jit import kernel

TEST = "E2"
LEAST_REPRICES = 10
REPORTED = (3, 10, 30, 100)
"""Numbers of price changes for which orders are counted."""
CELL, PEG_CELL = 500 * US, 5 * MS
"""Cells of the test, and of the share of moves that a chain would follow by chance."""
LEAST_LAG = 50 * US
PEG_WITHIN = 50 * MS
PEG_SHARE, PEG_BEYOND, OSCILLATING_SHARE = 0.6, 0.2, 0.6
PEG_SURROGATES = 19
RUN_WINDOW_S = 600
EDGES = np.concatenate([[LEAST_LAG], linear(100 * US, 15 * MS, 100 * US)])
CLASSES = ("pegged", "oscillating", "other")


@dataclass(frozen=True)
class Chains:
    """Reprices of steered orders, chain by chain and each in order of time.

    ts, event, sign, row: of every reprice (row in the messages). first: place of each chain's first reprice, with the
    number of reprices at the end. order: its id.
    """

    ts: NDArray[np.int64]
    event: NDArray[np.int64]
    sign: NDArray[np.int64]
    row: NDArray[np.int64]
    first: NDArray[np.int64]
    order: NDArray[np.uint64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Reprices of each chain."""
        return np.diff(self.first)


@kernel()
def count_peg_lags(quote, quote_event, quote_sign, ts, event, sign, first, edges, bins, step, counts):
    """Counts by bin of the time from each change of the quote to a chain's next reprice of its sign, chain by chain.

    Only changes while the chain was being moved count: from 15 ms before its first reprice on.
    """
    n = quote.shape[0]
    least, most = edges[0], edges[edges.shape[0] - 1]
    for chain in range(first.shape[0] - 1):
        begin, end = first[chain], first[chain + 1]
        low, high = 0, n
        while low < high:  # the first change that the chain can answer
            middle = (low + high) // 2
            if quote[middle] < ts[begin] - most:
                low = middle + 1
            else:
                high = middle
        k = begin
        for i in range(low, n):
            if quote[i] > ts[end - 1]:
                break
            while k < end and ts[k] - quote[i] < least:
                k += 1
            j = k
            while j < end and ts[j] - quote[i] < most and (sign[j] != quote_sign[i] or event[j] == quote_event[i]):
                j += 1
            if j < end and ts[j] - quote[i] < most:
                counts[bin_of(edges, bins, step, ts[j] - quote[i])] += 1


@kernel()
def answered(quote, quote_event, quote_sign, ts, event, sign, within, least, out):
    """For each reprice whether a change of the quote of its sign lies `least` to `within` ns before it."""
    n = quote.shape[0]
    for r in range(ts.shape[0]):
        low, high = 0, n
        while low < high:
            middle = (low + high) // 2
            if quote[middle] < ts[r] - within:
                low = middle + 1
            else:
                high = middle
        i = low
        out[r] = False
        while i < n and quote[i] <= ts[r] - least:
            if quote_sign[i] == sign[r] and quote_event[i] != event[r]:
                out[r] = True
                break
            i += 1


def chains_of(day: DayArrays, stratum: Stratum, least: int = LEAST_REPRICES) -> Chains:
    """Orders of the stratum with `least` usable reprices or more."""
    messages = day.messages
    chosen = stratum.among(messages, messages.qty) & (messages.kind == kind("reprice"))
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(messages.order[rows], kind="stable")]
    ids, counts = np.unique(messages.order[rows], return_counts=True)
    long = counts >= least
    rows = rows[np.repeat(long, counts)]
    return Chains(
        messages.ts[rows],
        messages.event[rows],
        np.sign(messages.price[rows] - messages.previous[rows]),
        rows,
        np.concatenate([[0], np.cumsum(counts[long])]),
        ids[long],
    )


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result per stratum, which names the side. `more` fresh surrogates follow where p <= 0.05."""
    if first and not first[0].is_small:
        return list(first)
    chains = chains_of(day, stratum)
    quotes = day.quotes
    moves = (quotes.bid_move if stratum.side == "B" else quotes.ask_move).astype(np.int64)
    at = np.flatnonzero(quotes.usable & (moves != 0))
    quote, quote_event, quote_sign = quotes.ts[at], quotes.event[at], moves[at]
    drawn, source = np.empty_like(quote), np.empty(len(quote), np.int32)
    bins, step = steps_of(EDGES)
    steered = (chains.ts, chains.event, chains.sign)

    def redrawn(number: int, cell: int = CELL) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        if number == 0:
            return quote, quote_event, quote_sign
        jitter_marked(quote, streams.words(number, len(quote)), streams.offset(cell), cell, drawn, source)
        return drawn, quote_event[source], quote_sign[source]

    def counts(number: int) -> NDArray[np.int64]:
        found = np.zeros(len(EDGES) - 1, np.int64)
        count_peg_lags(*redrawn(number), *steered, chains.first, EDGES, bins, step, found)
        return found

    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS), is_small=bool(first))
    peak = peak_of(result, EDGES)
    weights = excess_share(result.observed[peak.places], result.mean[peak.places])
    hit = np.empty(len(chains.ts), np.bool_)
    answered(quote, quote_event, quote_sign, *steered, PEG_WITHIN, LEAST_LAG, hit)
    own = _by_chain(hit, chains)
    expected = np.zeros(len(own))
    for number in range(1, PEG_SURROGATES + 1):
        answered(*redrawn(number, PEG_CELL), *steered, PEG_WITHIN, LEAST_LAG, hit)
        expected += _by_chain(hit, chains) / PEG_SURROGATES
    classes = classify(own, expected, _alternating(chains))
    every = day.messages.ts[stratum.among(day.messages, day.messages.qty) & (day.messages.kind == kind("reprice"))]
    parts, wholes = (block_sums(ts, day.start, day.minutes) for ts in (chains.ts, every))
    low, high = (
        ratio_interval(parts[wholes > 0], wholes[wholes > 0], streams.random(BOOTSTRAP)) if len(every) else (0.0, 0.0)
    )
    share = len(chains.ts) / max(len(every), 1)
    return [
        result_of_bins(
            (TEST, "peg_lag", stratum.json()),
            result,
            EDGES,
            peak,
            Effect(float(len(chains.ts)), share, low, high, weights),
            counts=(len(every), len(chains.ts)),
            stat_name="largest z of a lag",
            null=Null("jitter", {"cell_ns": CELL, "redrawn": "quote"}),
            exemplars=_exemplars(chains, classes, streams),
            facts=_facts(day, stratum, chains, classes, every),
        )
    ]


def classify(
    share: NDArray[np.float64], expected: NDArray[np.float64], alternating: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Class of each chain, a place in `CLASSES`.

    share: of reprices that follow a change of the quote; expected: the same with redrawn changes; alternating: of
    reprices that go back in the other direction.
    """
    pegged = (share >= PEG_SHARE) & (share - expected >= PEG_BEYOND)
    return np.where(pegged, 0, np.where(alternating >= OSCILLATING_SHARE, 1, 2)).astype(np.uint8)


def _by_chain(hit: NDArray[np.bool_], chains: Chains) -> NDArray[np.float64]:
    """Share of each chain's reprices that are marked."""
    if not len(chains.order):
        return np.zeros(0)
    return np.add.reduceat(hit.astype(np.float64), chains.first[:-1]) / chains.lengths


def _alternating(chains: Chains) -> NDArray[np.float64]:
    """Share of each chain's reprices, after its first, that turn around."""
    turns = np.concatenate([[False], chains.sign[1:] != chains.sign[:-1]]) if len(chains.sign) else np.zeros(0, bool)
    turns[chains.first[:-1]] = False
    return _by_chain(turns, chains) * chains.lengths / np.maximum(chains.lengths - 1, 1)


def _facts(
    day: DayArrays, stratum: Stratum, chains: Chains, classes: NDArray[np.uint8], every: NDArray[np.int64]
) -> dict[str, float | None]:
    counts = chains_of(day, stratum, 1).lengths
    start, stop = (
        (chains.ts[chains.first[:-1]], chains.ts[chains.first[1:] - 1]) if len(chains.order) else (every[:0],) * 2
    )
    windows = np.arange(day.start, day.end, RUN_WINDOW_S * SECOND_NS)
    inside = [
        np.clip(np.minimum(stop, window + RUN_WINDOW_S * SECOND_NS) - np.maximum(start, window), 0, None).sum()
        for window in windows
    ]
    return {
        **{f"orders_with_{least}": float(np.sum(counts >= least)) for least in REPORTED},
        **{f"chains_{name}": float(np.sum(classes == code)) for code, name in enumerate(CLASSES)},
        "runs_in_process": float(np.mean(inside)) / (RUN_WINDOW_S * SECOND_NS),
    }


def _exemplars(chains: Chains, classes: NDArray[np.uint8], streams: Streams) -> Exemplars:
    """The last reprice of each chosen chain: the longest ones first, then others; the lag is the chain's time."""
    chosen, typical = choose_links(-chains.lengths.astype(np.float64), streams.random(EXEMPLARS))
    last = chains.first[1:][chosen] - 1
    lasted = chains.ts[last] - chains.ts[chains.first[:-1][chosen]]
    role = tuple(f"chain_{CLASSES[code]}" for code in classes[chosen])
    number = np.arange(len(chosen))
    return Exemplars("messages", chains.row[last], number, role, lasted, np.ones(len(chosen)), typical)
