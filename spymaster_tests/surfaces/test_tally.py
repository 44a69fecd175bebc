"""Tallies: quantiles of pools, exact while a metric has few distinct values and close where it has many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spymaster.surfaces import tally as module
from spymaster.surfaces.tally import MOST_DISTINCT, SIGNIFICANT_BITS, TallyBuilder, merged, tally

FLOATS = st.floats(-1e6, 1e6, width=32)
ARRAYS = hnp.arrays(np.float32, st.integers(1, 60), elements=FLOATS)
SHARES = (0.0, 0.05, 0.5, 0.95, 1.0)


@given(st.lists(ARRAYS, min_size=1, max_size=4))
def test_quantiles_of_merged_tallies_are_those_of_all_values(parts: list[np.ndarray]):
    every = np.concatenate(parts).astype(np.float64)
    pool = merged(tally(part) for part in parts)
    assert pool.n == len(every)
    assert np.allclose(pool.quantiles(*SHARES), np.quantile(every, SHARES), rtol=1e-9, atol=1e-9)
    assert np.allclose(pool.absolute().quantiles(*SHARES), np.quantile(np.abs(every), SHARES), rtol=1e-9, atol=1e-9)
    assert pool.mean == pytest.approx(every.mean(), rel=1e-6, abs=1e-3)


@given(ARRAYS, st.randoms())
def test_the_order_of_values_leaves_no_trace(values: np.ndarray, random):
    shuffled = values.tolist()
    random.shuffle(shuffled)
    a, b = tally(values), tally(np.array(shuffled, dtype=np.float32))
    assert (a.values.tobytes(), a.counts.tobytes(), a.total) == (b.values.tobytes(), b.counts.tobytes(), b.total)


def test_batches_leave_no_trace(monkeypatch: pytest.MonkeyPatch):
    values = np.random.default_rng(2).integers(-50, 50, 5_000).astype(np.float32) / 7
    whole = tally(values)
    monkeypatch.setattr(module, "FOLD_VALUES", 300)
    builder = TallyBuilder()
    for some in np.array_split(values, 61):
        builder.add(some)
    cut = builder.tally()
    assert (cut.values.tobytes(), cut.counts.tobytes(), cut.total) == (
        whole.values.tobytes(),
        whole.counts.tobytes(),
        whole.total,
    )


def test_minus_zero_is_zero():
    pool = tally(np.array([-0.0, 0.0, -0.0], dtype=np.float32))
    assert pool.values.tobytes() == np.zeros(1, np.float32).tobytes()
    assert pool.counts.tolist() == [3]


def test_very_many_distinct_values_are_rounded_by_little_and_keep_their_mean():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(size=80_000), np.full(5_000, 17.0), np.zeros(5_000)]).astype(np.float32)
    pool = tally(values)
    assert len(pool.values) < MOST_DISTINCT
    assert pool.n == len(values)
    assert np.all(np.diff(pool.values) > 0)
    exact = np.quantile(values.astype(np.float64), SHARES)
    assert np.allclose(pool.quantiles(*SHARES), exact, rtol=2.0**-SIGNIFICANT_BITS, atol=0)
    assert pool.mean == pytest.approx(values.astype(np.float64).mean(), rel=1e-12)
    assert {0.0, 17.0} <= set(pool.values.tolist())


def test_an_empty_tally_has_zero_quantiles():
    for pool in (tally(np.empty(0, np.float32)), merged([])):
        assert (pool.n, pool.mean, pool.quantiles(0.5), pool.absolute().n) == (0, 0.0, [0.0], 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(bad: float):
    with pytest.raises(ValueError, match="not finite"):
        tally(np.array([1.0, bad, 2.0], dtype=np.float32))
