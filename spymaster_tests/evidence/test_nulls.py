"""Null models keep what is slow, draw the rest anew, and depend on nothing but their key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.evidence.nulls import (
    below,
    blockshift,
    decluster,
    draw_shift,
    jitter,
    jitter_marked,
    markperm,
    seriesshift,
    signflip,
)
from spymaster.evidence.streams import Streams

MS = 1_000_000
TIMES = st.lists(st.integers(0, 400 * MS), max_size=60).map(lambda rows: np.array(sorted(rows), np.int64))
STREAMS = Streams(7, "E0")


@given(TIMES, st.integers(1, 50 * MS), st.integers(0, 50 * MS))
@settings(max_examples=150, deadline=None)
def test_jitter_keeps_the_count_of_every_cell(times: np.ndarray, width: int, origin: int) -> None:
    out, source = np.empty_like(times), np.empty(len(times), np.int32)
    words = STREAMS.words(1, len(times))
    jitter_marked(times, words, origin, width, out, source)
    plain = np.empty_like(times)
    jitter(times, words, origin, width, plain)
    assert np.array_equal(out, plain)
    assert np.all(np.diff(out) >= 0)
    assert np.array_equal((out - origin) // width, (times - origin) // width)
    assert np.array_equal((times[source] - origin) // width, (times - origin) // width)
    assert sorted(source.tolist()) == list(range(len(times)))


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**40))
@settings(max_examples=200, deadline=None)
def test_a_drawn_integer_is_the_words_share_of_the_width(word: int, width: int) -> None:
    assert below(np.uint32(word), np.int64(width)) == word * width >> 32


@pytest.mark.parametrize("period", [250 * MS, 60_000 * MS, 300_000 * MS])
def test_blocks_are_shifted_by_any_part_of_their_period(period: int) -> None:
    times = np.arange(2_000, dtype=np.int64) * period
    out = np.empty_like(times)
    blockshift(times, STREAMS.words(1, len(times)), period, out)
    share = (out - times) / period
    assert np.histogram(share, bins=10, range=(0, 1))[0].min() > 150  # 200 expected, sd 13
    assert share.min() < 0.01 < 0.99 < share.max() < 1


@given(TIMES, st.integers(1, 50 * MS))
@settings(max_examples=150, deadline=None)
def test_blockshift_keeps_every_block_and_its_distances(times: np.ndarray, period: int) -> None:
    out = np.empty_like(times)
    blocks = blockshift(times, STREAMS.words(1, len(times)), period, out)
    assert blocks == len(np.unique(times // period))
    assert np.all(np.diff(out) >= 0)
    assert np.array_equal(out // period, times // period)
    for block in np.unique(times // period):
        before, after = (np.sort(part[part // period == block] % period) for part in (times, out))
        turned = {tuple(np.sort((before + shift) % period)) for shift in (after[:, None] - before[None, :]).ravel()}
        assert tuple(after) in turned


@given(TIMES, st.integers(1, 50 * MS))
@settings(max_examples=100, deadline=None)
def test_declustering_keeps_the_first_of_each_burst(times: np.ndarray, dead: int) -> None:
    out = np.empty_like(times)
    kept = out[: decluster(times, dead, out)]
    wanted: list[int] = []
    for time in times.tolist():
        if not wanted or time - wanted[-1] >= dead:
            wanted.append(time)
    assert kept.tolist() == wanted


@given(st.lists(st.integers(0, 4), max_size=40).map(sorted))
@settings(max_examples=100, deadline=None)
def test_marks_stay_in_their_cell(rows: list[int]) -> None:
    cells = np.array(rows, np.int64)
    order = np.empty(len(cells), np.int64)
    markperm(cells, STREAMS.words(1, len(cells)), order)
    assert np.array_equal(cells[order], cells)
    assert sorted(order.tolist()) == list(range(len(cells)))


def test_every_permutation_of_three_is_equally_likely() -> None:
    cells, order = np.zeros(3, np.int64), np.empty(3, np.int64)
    seen: dict[tuple[int, ...], int] = {}
    for number in range(6000):
        markperm(cells, STREAMS.words(number, 3), order)
        seen[tuple(order.tolist())] = seen.get(tuple(order.tolist()), 0) + 1
    assert len(seen) == 6
    assert max(abs(count - 1000) for count in seen.values()) < 140


def test_jitter_is_uniform_in_its_cell() -> None:
    times = np.arange(200_000, dtype=np.int64) * 5 * MS + 1
    out = np.empty_like(times)
    jitter(times, STREAMS.words(3, len(times)), 0, 5 * MS, out)
    counts = np.histogram(out % (5 * MS), 20, (0, 5 * MS))[0]
    assert np.sum((counts - 10_000) ** 2 / 10_000) < 45  # chi-squared, 19 degrees: p = 0.001 at 43.8


def test_a_series_is_shifted_as_a_whole() -> None:
    times = np.array([100, 150, 900], np.int64)
    moved, order = seriesshift(times, 100, 1100, 300)
    assert moved.tolist() == [200, 400, 450]
    assert order.tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match="not all in"):
        seriesshift(times, 120, 1100, 300)
    shifts = {draw_shift(STREAMS.random(number), 2, 30) for number in range(200)}
    assert min(map(abs, shifts)) >= 2
    assert min(shifts) < 0 < max(shifts)


def test_signs_are_shared_within_a_block() -> None:
    times = np.arange(1000, dtype=np.int64) * MS
    signs = signflip(times, STREAMS.words(1, 100), 10 * MS)
    assert set(np.unique(signs)) == {-1, 1}
    assert all(len(set(signs[at : at + 10].tolist())) == 1 for at in range(0, 1000, 10))


class TestStreams:
    def test_a_stream_depends_on_its_key_alone(self) -> None:
        again = Streams(7, "E0")
        assert np.array_equal(again.words(5, 100), STREAMS.words(5, 100))
        assert np.array_equal(STREAMS.words(5, 7), STREAMS.words(5, 100)[:7])

    @pytest.mark.parametrize(
        "other", [Streams(8, "E0"), Streams(7, "E1"), Streams(7, "E0", 1), STREAMS.sub("ms")], ids=repr
    )
    def test_other_keys_give_other_numbers(self, other: Streams) -> None:
        assert not np.array_equal(other.words(1, 50), STREAMS.words(1, 50))

    def test_surrogates_do_not_overlap(self) -> None:
        words = np.concatenate([STREAMS.words(number, 4000) for number in range(20)])
        assert len(np.unique(words)) > 0.999 * len(words)

    def test_the_grid_is_shared(self) -> None:
        assert STREAMS.offset(5 * MS) == Streams(7, "E0").offset(5 * MS)
        assert 0 <= STREAMS.offset(5 * MS) < 5 * MS
