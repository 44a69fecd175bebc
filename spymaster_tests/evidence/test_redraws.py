"""Counts of many surrogates together are, to the last one, those of redrawing everything and counting all of it."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.evidence import coplacement, icebergs, layers, lifetimes, reactions, spectra
from spymaster.evidence.bins import US, divider, logarithmic, steps_of
from spymaster.evidence.bootstrap import block_of
from spymaster.evidence.lags import AT_HAND, Redrawn
from spymaster.evidence.nulls import decluster, jitter_marked, markperm, permute_groups, seriesshift
from spymaster.evidence.refills import RedrawnRefills, Refills, ResizedRefills
from spymaster.evidence.streams import SomeWords, Streams, fill_blocks, fill_words_from
from spymaster.evidence.twins import Orders, RedrawnTwins, ResizedTwins
from spymaster.evidence.window_spectra import LANES, RedrawnWindow, largest_over_usual, largest_values
from spymaster_tests.evidence.markets import MS

STREAMS = Streams(5, "redraws")
SPAN = 20_000 * MS


def times(n: int, seed: int) -> np.ndarray:
    """Bursts: sorted times, most of them close to others."""
    rng = np.random.default_rng(seed)
    return np.sort(
        rng.integers(0, SPAN, n // 8 + 1)[rng.integers(0, n // 8 + 1, n)] + rng.exponential(8 * MS, n).astype(int)
    )


def jittered(at: np.ndarray, streams: Streams, number: int, cell: int) -> tuple[np.ndarray, np.ndarray]:
    drawn, source = np.empty_like(at), np.empty(len(at), np.int32)
    jitter_marked(at, streams.words(number, len(at)), streams.offset(cell), cell, drawn, source)
    return drawn, source


def test_words_are_the_same_from_any_place_on() -> None:
    whole, part = STREAMS.words(9, 1000), np.empty(57, np.uint32)
    fill_words_from(*STREAMS.key, 9, 25, part)
    assert part.tolist() == whole[100:157].tolist()
    places = np.array([3, 998, 4, 3, 511])
    some = SomeWords.of(places)
    words = np.empty(4 * len(some.blocks), np.uint32)
    fill_blocks(*STREAMS.key, 9, some.blocks, words)
    assert words[some.at].tolist() == whole[places].tolist()
    assert len(some.blocks) == 4


@pytest.mark.parametrize("grid", reactions.GRIDS, ids=lambda grid: grid.name)
@pytest.mark.parametrize("turn", [1, -1])
def test_lags(grid: reactions.Grid, turn: int) -> None:
    ref, target = times(3000, 1), times(9000, 2)
    target[::7] = np.sort(ref[np.arange(len(target[::7])) % len(ref)])  # of the same event
    target.sort()
    of_ref, of_target = ref // 1000, target // 1000
    redrawn = Redrawn((ref, of_ref), (target, of_target), grid.edges, grid.cell, STREAMS, turn)
    made = redrawn.sets(4, 3)
    block, blocks = 60_000_000_000 // 12, 4
    low, high = int(grid.edges[2]), int(grid.edges[9])
    for number in (4, 5, 6):
        drawn, source = jittered(ref, STREAMS, number, grid.cell)
        one, other = (drawn, of_ref[source]), (target, of_target)
        counts = np.zeros(len(grid.edges) - 1, np.int64)
        first, second = (one, other) if turn > 0 else (other, one)
        reactions.count_lags(*first, *second, grid.edges, *steps_of(grid.edges), counts)
        assert made[number - 4].tolist() == counts.tolist()
        assert counts.sum() > 100
        if turn > 0:
            room = np.empty((2, 100_000), np.int64)
            found = reactions.pairs_within(*one, *other, low, high, *room)
            sums = np.bincount(np.clip((drawn[room[0, :found]] - MS) // block, 0, blocks - 1), minlength=blocks)
            assert redrawn.by_block(low, high, MS, block, blocks)(number, 1)[0].tolist() == sums.tolist()


def test_lags_of_a_reference_with_more_targets_than_are_at_hand() -> None:
    target = np.arange(AT_HAND + 1000) * 2000 + 20 * MS
    ref, nothing = np.array([7 * MS, 90 * MS]), np.zeros(0, np.int64)
    edges = reactions.GRIDS[0].edges
    made = Redrawn((ref, -ref), (target, target), edges, 5 * MS, STREAMS).sets(1, 2)
    for number in (1, 2):
        drawn, source = jittered(ref, STREAMS, number, 5 * MS)
        counts = np.zeros(len(edges) - 1, np.int64)
        reactions.count_lags(drawn, -ref[source], target, target, edges, *steps_of(edges), counts)
        assert made[number - 1].tolist() == counts.tolist()
    assert Redrawn((ref, -ref), (nothing, nothing), edges, 5 * MS, STREAMS).sets(1, 1).sum() == 0


@pytest.mark.parametrize("grid", lifetimes.GRIDS, ids=lambda grid: grid.name)
def test_ages(grid: lifetimes.Grid) -> None:
    rng = np.random.default_rng(3)
    youngest = rng.integers(0, int(grid.edges[-1] * 1.1), 9001)
    width = rng.integers(1, grid.cell, len(youngest))
    made = np.zeros((2, len(grid.edges) - 1), np.int64)
    edges = grid.edges
    lifetimes.count_ages(youngest, width, *STREAMS.key, 8, edges, *steps_of(edges), *divider(edges), made)
    for number in (8, 9):
        ages = youngest + (STREAMS.words(number, len(width)).astype(object) * width // 2**32).astype(np.int64)
        assert made[number - 8].tolist() == np.histogram(ages[ages < edges[-1]], edges)[0].tolist()


def test_a_divider_divides_exactly() -> None:
    for grid in reactions.GRIDS:
        factor, shift = divider(grid.edges)
        width = int(grid.edges[1] - grid.edges[0])
        near = np.arange(0, grid.edges[-1], width)
        values = np.concatenate([near, near + 1, near[1:] - 1])
        assert np.array_equal(values * factor >> shift, values // width)
    assert divider(logarithmic(50 * US, 500 * US, 20)) == (0, 0)


def orders(n: int, seed: int) -> Orders:
    rng = np.random.default_rng(seed)
    add = np.sort(rng.integers(0, n // 30, n) * MS + rng.integers(0, MS // 10, n))
    life = rng.integers(1, 4, n) * 50 * MS + rng.integers(0, 60_000, n)
    event = np.arange(n) // 2
    side, dist = (rng.integers(0, last, n).astype(np.uint8) for last in (2, 8))
    return Orders(add, life, event, side, rng.integers(1, 4, n).astype(np.int32), dist)


def all_twins(at: np.ndarray, one: Orders, size: np.ndarray, source: np.ndarray, within: int) -> tuple[np.ndarray, ...]:
    counts, room = np.zeros(coplacement.CELLS, np.int64), np.empty((2, 100_000), np.int64)
    columns = (one.life, one.event, one.side, size, one.dist, source, within, coplacement.CANCELS_WITHIN)
    found = coplacement.find_twins(at, *columns, coplacement.LARGEST_SIZE, 8, counts, *room)
    return counts, room[:, :found]


@pytest.mark.parametrize("within", coplacement.WITHIN.values())
def test_twins(within: int) -> None:
    held = orders(4000, 4)
    limits = (within, coplacement.CANCELS_WITHIN, coplacement.LARGEST_SIZE, 8)
    redrawn = RedrawnTwins(held, STREAMS, coplacement.CELL, *limits)
    made = redrawn.sets(3, 3)
    total = 0
    for number in (3, 4, 5):
        drawn, source = jittered(held.add, STREAMS, number, coplacement.CELL)
        counts, pairs = all_twins(drawn, held, held.size, source, within)
        assert made[number - 3].tolist() == counts.tolist()
        places = np.flatnonzero(counts)[::2]
        kept = pairs[:, np.isin(held.place(source[pairs[0]], source[pairs[1]], coplacement.LARGEST_SIZE, 8), places)]
        sums = np.bincount(np.clip(drawn[kept[0]] // (20 * MS), 0, 5), minlength=6)
        assert redrawn.by_block(places, 0, 20 * MS, 6)(number, 1)[0].tolist() == sums.tolist()
        total += counts.sum()
    assert total > 5
    cells = (held.add // (40 * MS) * 2 + held.side) * 8 + held.dist
    resized = ResizedTwins(held, cells, STREAMS, *limits)
    by_cell = np.argsort(cells, kind="stable")
    order, size = np.empty(len(cells), np.int64), np.empty_like(held.size)
    for number in (1, 2):
        markperm(cells[by_cell], STREAMS.words(number, len(cells)), order)
        size[by_cell] = held.size[by_cell][order]
        counts, _ = all_twins(held.add, held, size, np.arange(len(cells), dtype=np.int32), within)
        assert resized.counts(number).tolist() == counts.tolist()


def test_refills() -> None:
    rng = np.random.default_rng(6)
    add, fill = times(6000, 7), rng.permutation(times(800, 8))
    size, wanted = rng.integers(4, 14, len(add)), rng.integers(5, 30, len(fill))
    edges, tolerance, cell = icebergs.EDGES, icebergs.TOLERANCE, icebergs.CELL
    refills = Refills(fill, wanted, add, size, edges, tolerance)
    redrawn = RedrawnRefills(refills, STREAMS, cell)
    minutes = add // (3000 * MS)
    resized = ResizedRefills(refills, STREAMS, minutes)
    made = redrawn.sets(1, 2)
    which, back = np.empty(len(fill), np.int64), np.empty(len(fill), np.int64)

    def counted(at: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, int]:
        counts = np.zeros(len(edges) - 1, np.int64)
        return counts, icebergs.find_refills(fill, wanted, at, sizes, edges, tolerance, counts, which, back)

    assert resized.counts(0).tolist() == counted(add, size)[0].tolist()
    order = np.empty(len(add), np.int64)
    block = block_of(fill, -(10**9), 2)
    for number in (1, 2):
        drawn, source = jittered(add, STREAMS, number, cell)
        counts, found = counted(drawn, size[source])
        assert made[number - 1].tolist() == counts.tolist()
        delay = drawn[back[:found]] - fill[which[:found]]
        inside = which[:found][(delay >= edges[10]) & (delay < edges[50])]
        sums = redrawn.by_block(int(edges[10]), int(edges[50]), block, 2)(number, 1)[0]
        assert sums.tolist() == np.bincount(block[inside], minlength=2).tolist()
        assert sums.sum() > 20
        markperm(minutes, STREAMS.words(number, len(add)), order)
        assert resized.counts(number).tolist() == counted(add, size[order])[0].tolist()


def test_permuting_some_cells_leaves_the_others() -> None:
    cells, whole = np.repeat(np.arange(5), 20), np.empty(100, np.int64)
    words = STREAMS.words(1, 100)
    markperm(cells, words, whole)
    some = np.arange(100)
    permute_groups(np.array([20, 80]), np.array([40, 100]), words, some)
    looked = np.isin(cells, [1, 4])
    assert some[looked].tolist() == whole[looked].tolist()
    assert some[~looked].tolist() == np.arange(100)[~looked].tolist()


@pytest.mark.parametrize("shift", [-700, -300, 1, 300, 900, 2000])
def test_a_shifted_series_is_in_order(shift: int) -> None:
    at = np.sort(np.random.default_rng(9).integers(100, 1100, 300))
    moved, order = seriesshift(at, 100, 1100, shift)
    wanted = 100 + (at - 100 + shift) % 1000
    assert order.tolist() == np.argsort(wanted, kind="stable").tolist()
    assert moved.tolist() == wanted[order].tolist()


def test_what_is_pulled_after_trades() -> None:
    ts, trade = times(4000, 10), times(500, 11)
    lots = np.cumsum(np.random.default_rng(12).integers(0, 9, (2, len(ts) + 1)), axis=1)
    found = np.empty((2, len(trade)), np.int64)
    layers.pulled_after(ts, *lots, trade, 30 * MS, found)
    first, last = np.searchsorted(ts, trade, side="right"), np.searchsorted(ts, trade + 30 * MS, side="right")
    assert found.tolist() == (lots[:, last] - lots[:, first]).tolist()


@pytest.mark.parametrize("band", spectra.PASSES, ids=lambda band: band.name)
def test_medians_and_powers_of_a_spectrum(band: spectra.Pass) -> None:
    rng = np.random.default_rng(13)
    first, last = round(band.low_hz / spectra.STEP_HZ), round(band.high_hz / spectra.STEP_HZ)
    n = last + spectra.MEDIAN_BINS // 2 + 1
    values = rng.chisquare(4, n) * (1 + 1e4 / (1 + np.arange(n)))
    values[first + 3 * (last - first) // 4 :] *= 7.0  # a step that no neighbour foretells
    at, half = spectra.stretches(first, last)
    out = np.empty(len(at))
    spectra.medians_around(values, at, half, out)
    assert out.tolist() == [np.median(values[a - h : a + h + 1]) for a, h in zip(at, half, strict=True)]
    events = times(5000, 14)
    power = spectra.powers(events, 0, band.bin_ns)
    counts = np.bincount(events // band.bin_ns, minlength=spectra.SPAN_NS // band.bin_ns).astype(float)
    counts[: 120 * 10**9 // band.bin_ns] -= len(events) * band.bin_ns / (120 * 10**9)
    wanted = np.abs(np.fft.rfft(counts)) ** 2 * 2 / len(events)
    assert np.allclose(power, wanted, rtol=1e-9, atol=1e-9)
    both = np.empty(last + 1)
    spectra.power_pairs(spectra.transform(events, 0, band.bin_ns), 2 / len(events), both)
    places = np.arange(last + 1)
    assert np.array_equal(both, power[places] + power[2 * places])


@pytest.mark.parametrize("band", spectra.PASSES, ids=lambda band: band.name)
def test_the_largest_of_a_spectrum_is_found_without_most_medians(band: spectra.Pass) -> None:
    rng = np.random.default_rng(15)
    first, last = spectra.ends(band)
    at, half = spectra.stretches(first, last)
    n = at[-1] + half[-1] + 1
    for shape in (1.0, 1 + 1e4 / (1 + np.arange(n)), 1 + 50 * (np.arange(n) % 3000 < 900), np.arange(n) > n / 2):
        for line in (0, first, (first + last) // 3, last):
            values = (rng.chisquare(4, n) * shape).astype(np.float32)
            values[line] *= 1 + 9 * rng.random()
            medians = [np.median(values[a - h : a + h + 1]) for a, h in zip(at, half, strict=True)]
            usual = np.interp(np.arange(first, last + 1), at, np.maximum(medians, spectra.LEAST_USUAL))
            wanted = (values[first : last + 1] / (usual / spectra.CHI2_4_MEDIAN)).max()
            found = largest_over_usual(values, at, half, spectra.CHI2_4_MEDIAN, spectra.LEAST_USUAL)
            assert found == pytest.approx(wanted, rel=1e-12)
    assert largest_over_usual(np.zeros(n, np.float32), at, half, spectra.CHI2_4_MEDIAN, spectra.LEAST_USUAL) == 0


@pytest.mark.parametrize("band", spectra.PASSES, ids=lambda band: band.name)
@pytest.mark.parametrize("cell", [20 * MS, 7_777 * MS])
def test_windows_drawn_anew(band: spectra.Pass, cell: int) -> None:
    """Together, from any surrogate on, as when each is drawn, sorted, declustered and whitened by itself."""
    length, start = spectra.WINDOW_NS, 3 * cell
    rng = np.random.default_rng(16)
    at = np.sort(
        rng.integers(0, start + length + 3 * cell, 700)[rng.integers(0, 700, 5000)] + rng.integers(0, MS, 5000)
    )
    window = RedrawnWindow(at, start, band, cell, STREAMS)
    numbers = range(3, 3 + LANES + 2)
    events = []
    for number in numbers:
        drawn, _ = jittered(at, STREAMS, number, cell)
        inside, kept = drawn[(drawn >= start) & (drawn < start + length)], np.empty_like(drawn)
        events.append(kept[: decluster(inside, band.dead_ns, kept)])
        assert window.events(number).tolist() == events[-1].tolist()
    found = window.largest(numbers[0], len(numbers))
    assert found == pytest.approx([spectra.spectrum(one, start, band).max() for one in events], rel=1e-5)
    assert window.largest(numbers[2], 1).tolist() == [found[2]]
    assert largest_values([(one, start) for one in events], band).tolist() == found.tolist()
    whole = [some.spectrum(place) for some in window.transformed(3, 6) for place in range(len(some.held))]
    assert np.allclose(whole[5], spectra.spectrum(events[5], start, band), rtol=1e-4)
