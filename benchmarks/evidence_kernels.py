"""Kernels that the search for automation spends its time in, on generated times of a whole day's size."""

from __future__ import annotations

import statistics
from argparse import Namespace
from collections.abc import Callable

import numpy as np

from benchmarks.harness import Case, Report
from benchmarks.harness import measure as time_cases
from spymaster.evidence import phase, reactions, shifts, spectra
from spymaster.evidence.bins import MS, steps_of
from spymaster.evidence.lags import Redrawn
from spymaster.evidence.nulls import decluster, jitter
from spymaster.evidence.streams import Streams
from spymaster.evidence.window_spectra import RedrawnWindow

EVENTS, REFERENCES, TARGETS = 4_000_000, 330_000, 3_900_000
PAIRS = 12_600_000
"""Within 200 ms of a reference: what the hours are made so long for."""
WINDOW_EVENTS = 6_000
SURROGATES = 20
"""Of kernels that draw several at once; seconds are of one."""
BOUNDS = {"redraw": 0.15, "redrawn lags": 0.05, "spectrum": 0.0015}
"""Seconds of one core: all events drawn anew, all pairs of one surrogate, one window of two minutes whitened."""


def measure(report: Report, share: float, options: Namespace) -> None:
    """Add rows and targets. share: of the sizes above that is worked on; bounds are for as much."""
    rng = np.random.default_rng(options.seed)
    span = int(REFERENCES * TARGETS * reactions.MOST_LAG / PAIRS)
    drawn = (max(int(n * share), 1000) for n in (EVENTS, REFERENCES, TARGETS))
    events, refs, targets = (np.sort(rng.integers(0, int(span * share), n)) for n in drawn)
    streams, out = Streams(1, "bench"), np.empty_like(events)
    window = np.sort(rng.integers(0, spectra.WINDOW_S * 10**9, WINDOW_EVENTS))
    cases = (
        Case("redraw", 1, _redraw(events, streams, out), f"{len(events):,} events, words and jitter of 5 ms"),
        Case("lags", 1, _lags(refs, targets), f"{len(refs):,} references, {len(targets):,} targets, lags below 200 ms"),
        Case("redrawn lags", SURROGATES, _redrawn_lags(refs, targets, streams), "the same, references drawn anew"),
        Case("decluster", 1, lambda: decluster(events, phase.DEAD_NS, out), f"{len(events):,} events"),
        Case("phases", SURROGATES, _phases(events, streams), "groups of seconds shifted"),
        Case("spectrum", 1, lambda: spectra.spectrum(window, 0, spectra.PASSES[1]), "40 to 200 Hz, 6,000 events"),
        Case("redrawn spectra", SURROGATES, _spectra(window, streams), "the same, drawn anew; the largest value"),
    )
    for timing in time_cases(cases, options.repeats):
        seconds = statistics.median(timing.cpu_seconds) / timing.work
        bound = BOUNDS.get(timing.name)
        size = 1.0 if timing.name == "spectrum" else share
        row = {"stage": f"kernel {timing.name}", "cpu s": round(seconds, 5), "note": timing.note}
        report.rows.append(row)
        if bound is not None:
            report.add_target(f"kernel {timing.name}, CPU s", seconds, bound * size, at_least=False)


def _redraw(events: np.ndarray, streams: Streams, out: np.ndarray) -> Callable[[], None]:
    return lambda: jitter(events, streams.words(1, len(events)), 0, 5 * MS, out)


def _lags(refs: np.ndarray, targets: np.ndarray) -> Callable[[], None]:
    edges = reactions.GRIDS[0].edges
    of_ref, of_target = np.arange(len(refs)), np.arange(len(targets)) + len(refs)
    counts = np.zeros(len(edges) - 1, np.int64)
    return lambda: reactions.count_lags(refs, of_ref, targets, of_target, edges, *steps_of(edges), counts)


def _redrawn_lags(refs: np.ndarray, targets: np.ndarray, streams: Streams) -> Callable[[], object]:
    grid = reactions.GRIDS[0]
    of_ref, of_target = np.arange(len(refs)), np.arange(len(targets)) + len(refs)
    redrawn = Redrawn((refs, of_ref), (targets, of_target), grid.edges, grid.cell, streams)
    return lambda: redrawn.sets(1, SURROGATES)


def _spectra(times: np.ndarray, streams: Streams) -> Callable[[], object]:
    window = RedrawnWindow(times, 0, spectra.PASSES[1], 20 * MS, streams)
    return lambda: window.largest(1, SURROGATES)


def _phases(events: np.ndarray, streams: Streams) -> Callable[[], object]:
    minutes = int(events[-1] // shifts.MINUTE) + 1
    groups = shifts.Groups.of(events, phase.PERIODS["1s"], minutes, streams)
    return lambda: groups.sets(1, SURROGATES)
