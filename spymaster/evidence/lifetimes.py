"""E1: do cancelled orders die at preferred ages?

Ages of cancelled orders that were never repriced, against surrogates in which each cancel is drawn anew in its own cell
of time, but after its entry. Three grids: milliseconds up to half a second with cells of 5 ms, tenths of a millisecond
with cells of 0.5 ms, and the neighbourhood of one and two seconds with cells of 50 ms. "Fleeting" orders die within 2 s
(Hasbrouck & Saar 2009). Several users behind one gateway blend into broad bumps, which this test does not see.

Cancels come in bursts, and so do entries: of two bursts a second apart dozens of orders have one age, which is one
coincidence. Around seconds, where cells are wider than bursts, only the first cancel of each counts.

A grid begins at three times its cell. In every market most ages are short, so that the law of ages is steep against the
cell below that, which no preferred age is needed for. Ages below 1.5 ms are described, not tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spymaster.evidence.arrays import DayArrays
from spymaster.evidence.bins import MS, SECOND, US, Edges, bin_of, divider, linear, steps_of
from spymaster.evidence.effects import effect_of, sums_of
from spymaster.evidence.maxstat import Together, staged
from spymaster.evidence.nulls import below, first_of_bursts
from spymaster.evidence.peaks import Null, Peak, peak_of, result_of_bins
from spymaster.evidence.result import Exemplars, First, TestResult, carried_on, choose_links, exemplars
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import EXEMPLARS, Streams, fill_words_from
from spymaster.jit import kernel
from spymaster.tables.types import LIFE_ENDS

TEST = "E1"
FLEETING = (1 * MS, 10 * MS, 50 * MS, 100 * MS, 2 * SECOND)


@dataclass(frozen=True)
class Grid:
    """Bins of age, and the width of the cells that cancels are redrawn in; both ns."""

    name: str
    edges: Edges
    cell: int
    gap: int | None = None
    """A bin that is not one: what lies between two stretches."""
    dead: int = 0
    """Cancels so soon after another that counts are of its burst; ns, 0 for a grid that has no bursts."""


def _around_seconds() -> Edges:
    first = linear(900 * MS, 1100 * MS, 10 * MS)
    return np.concatenate([first, linear(1900 * MS, 2100 * MS, 10 * MS)])


GRIDS = (
    Grid("ms", linear(15 * MS, 500 * MS, MS), 5 * MS),
    Grid("sub_ms", linear(1500 * US, 15 * MS, 100 * US), 500 * US),
    Grid("s", _around_seconds(), 50 * MS, gap=20, dead=10 * MS),
)


AT_HAND = 2**12
"""Orders that are redrawn for all surrogates of a stage before the next ones are looked at; a multiple of four."""


@kernel()
def count_ages(youngest, width, key_low, key_high, first, edges, bins, step, factor, shift, sets):
    """Counts in `sets` [surrogates, bins] of ages drawn uniformly in `[youngest, youngest + width)`.

    first: number of the first surrogate; bins, step, factor, shift: of `steps_of` and `divider`.
    """
    n = youngest.shape[0]
    words = np.empty(AT_HAND, np.uint32)
    low = edges[0]
    span = edges[edges.shape[0] - 1] - low
    for begin in range(0, n, AT_HAND):
        held = min(n - begin, AT_HAND)
        for one in range(sets.shape[0]):
            fill_words_from(key_low, key_high, first + one, begin // 4, words[:held])
            counts = sets[one]
            for k in range(held):
                age = youngest[begin + k] + below(words[k], width[begin + k]) - low
                if 0 <= age < span:
                    if shift > 0:
                        counts[(age * factor) >> shift] += 1
                    else:
                        counts[bin_of(edges, bins, step, age + low)] += 1


@kernel()
def peak_ages(add, first, width, words, low, high, out):
    """Times drawn as above whose age is in `[low, high)`. Returns how many."""
    found = 0
    for i in range(add.shape[0]):
        drawn = first[i] + below(words[i], width[i])
        if low <= drawn - add[i] < high:
            out[found] = drawn
            found += 1
    return found


def cancelled(day: DayArrays, stratum: Stratum) -> NDArray[np.int64]:
    """Lives of the stratum that ended in a cancel without a reprice, but for rests of aggressive orders."""
    lives = day.lives
    chosen = stratum.among(lives, lives.size)
    chosen &= (lives.reason == LIFE_ENDS.index("cancel")) & (lives.reprices == 0) & ~lives.aggressive
    return np.flatnonzero(chosen)


def run(
    day: DayArrays, stratum: Stratum, streams: Streams, surrogates: int, more: int | None = None, first: First = ()
) -> list[TestResult]:
    """One result per grid. `more` fresh surrogates follow where p <= 0.05."""
    rows = cancelled(day, stratum)
    return carried_on(
        {
            grid.name: partial(_on_grid, day, stratum, rows, grid, streams.sub(grid.name), surrogates, more)
            for grid in GRIDS
        },
        first,
    )


def _on_grid(
    day: DayArrays,
    stratum: Stratum,
    rows: NDArray[np.int64],
    grid: Grid,
    streams: Streams,
    surrogates: int,
    more: int | None,
    *,
    is_small: bool,
) -> TestResult:
    lives, edges = day.lives, grid.edges
    origin = streams.offset(grid.cell)
    add, end = lives.ts_add[rows], lives.ts_end[rows]
    cell = origin + (end - origin) // grid.cell * grid.cell
    first = np.maximum(cell, add)
    width = cell + grid.cell - first
    near = (first + width - add > edges[0]) & (first - add < edges[-1])  # the others cannot reach a bin
    if grid.dead:
        near &= _first_of_bursts(end, near, grid.dead)
    add, end, first, width = add[near], end[near], first[near], width[near]
    ages = end - add

    youngest = first - add

    def sets(number: int, count: int) -> NDArray[np.int64]:
        found = np.zeros((count, len(edges) - 1), np.int64)
        count_ages(youngest, width, *streams.key, number, edges, *steps_of(edges), *divider(edges), found)
        return _without_gap(found, grid)

    seen = ages[(ages >= edges[0]) & (ages < edges[-1])]
    observed = np.bincount(np.searchsorted(edges, seen, side="right") - 1, minlength=len(edges) - 1)
    counts = Together(_without_gap(observed, grid), sets)
    result = staged(counts, surrogates, more, rng=streams.random(EXEMPLARS), is_small=is_small)
    peak = peak_of(result, edges)
    inside = (ages >= peak.low) & (ages < peak.high)

    def times(number: int) -> NDArray[np.int64]:
        if number == 0:
            return end[inside]
        out = np.empty(len(add), np.int64)
        words = streams.words(number, len(add))
        return out[: peak_ages(add, first, width, words, peak.low, peak.high, out)]

    overlap = np.minimum(first + width - add, peak.high) - np.maximum(first - add, peak.low)
    kept = float(np.mean(np.clip(overlap[inside], 0, None) / width[inside])) if inside.any() else 0.0
    effect = effect_of(day, result, peak.places, sums_of(day, times), lives.ts_end[rows], kept, streams)
    every = lives.ts_end[rows] - lives.ts_add[rows]
    return result_of_bins(
        (TEST, grid.name, stratum.json()),
        result,
        edges,
        peak,
        effect,
        counts=(len(rows), len(add)),
        stat_name="largest z of an age",
        null=Null("jitter", {"cell_ns": grid.cell, "redrawn": "cancel", "dead_ns": grid.dead}),
        exemplars=_exemplars(rows[near], ages, edges, peak, effect.weights, streams),
        facts={f"share_below_{age // MS}_ms": float(np.mean(every < age)) if len(every) else None for age in FLEETING},
    )


def _first_of_bursts(end: NDArray[np.int64], near: NDArray[np.bool_], dead: int) -> NDArray[np.bool_]:
    """Which of the cancels that are `near` are the first of their burst."""
    places = np.flatnonzero(near)
    places = places[np.argsort(end[places], kind="stable")]
    kept, first = np.empty(len(places), np.bool_), np.zeros(len(near), np.bool_)
    first_of_bursts(end[places], dead, kept)
    first[places[kept]] = True
    return first


def _without_gap(counts: NDArray[np.int64], grid: Grid) -> NDArray[np.int64]:
    if grid.gap is not None:
        counts[..., grid.gap] = 0
    return counts


def _exemplars(
    rows: NDArray[np.int64],
    ages: NDArray[np.int64],
    edges: Edges,
    peak: Peak,
    weights: NDArray[np.float64],
    streams: Streams,
) -> Exemplars:
    """Orders in the peak."""
    inside = np.flatnonzero((ages >= peak.low) & (ages < peak.high))
    chosen, typical = choose_links(np.abs(ages[inside] - peak.value), streams.random(EXEMPLARS))
    picked = inside[chosen]
    weight = weights[np.searchsorted(edges[peak.places], ages[picked], side="right") - 1]
    return exemplars("lives", rows[picked], "member", ages[picked], weight, typical)
