"""Forwards by put-call parity: the one that made the prices, whatever the smile, and stale quotes outvoted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.options.greeks import price
from spymaster_tests.options.plain import parity_forward

STRIKES = np.arange(6_700.0, 6_905.0, 5.0)


def quotes(forward: float, *, discount: float = 1.0, years: float = 0.02, half: float = 0.05) -> list[np.ndarray]:
    """Bid and ask of calls and puts around their values on a steep smile."""
    volatility = 0.15 - 0.8 * (STRIKES - forward) / forward
    call, put = (price(forward, STRIKES, right, years, volatility, discount) for right in (True, False))
    return [call - half, call + half, put - half, put + half]


@settings(max_examples=100, deadline=None)
@given(forward=st.floats(6_750, 6_850), discount=st.floats(0.9, 1.0), years=st.floats(0.001, 0.5))
def test_it_is_the_forward_that_made_the_prices(forward, discount, years):
    found = parity_forward(STRIKES, *quotes(forward, discount=discount, years=years), discount=discount)
    assert found is not None
    assert found.forward == pytest.approx(forward, abs=1e-6)
    assert found.uncertainty == pytest.approx(0.1 / discount)
    assert found.strikes == 8


def test_rounding_to_ticks_leaves_it_within_half_a_tick_of_the_future():
    rng = np.random.default_rng(1)
    for forward in rng.uniform(6_750, 6_850, 200):
        rounded = [np.round(one / 0.05) * 0.05 for one in quotes(forward, half=0.1)]
        found = parity_forward(STRIKES, *rounded)
        assert found is not None
        assert abs(found.forward - forward) < 0.125


def test_strikes_with_a_stale_quote_are_outvoted():
    cb, ca, pb, pa = quotes(6_801.25)
    for stale in (19, 20, 22):
        cb[stale] += 4.0
        ca[stale] += 4.0
    found = parity_forward(STRIKES, cb, ca, pb, pa)
    assert found is not None
    assert found.forward == pytest.approx(6_801.25, abs=1e-6)


def test_wide_quotes_weigh_less_than_narrow_ones():
    cb, ca, pb, pa = quotes(6_801.25)
    narrow = [19, 21]
    for k in set(range(len(STRIKES))) - set(narrow):
        cb[k] += 3.0 - 10
        ca[k] += 3.0 + 10
    found = parity_forward(STRIKES, cb, ca, pb, pa)
    assert found is not None
    assert found.forward == pytest.approx(6_801.25, abs=1e-6)
    assert found.uncertainty == pytest.approx(0.1)


def test_crossed_and_missing_quotes_have_no_say():
    cb, ca, pb, pa = quotes(6_801.25)
    cb[:30], pa[35:] = np.nan, np.nan
    cb[31], ca[31] = ca[31] + 1, cb[31]
    found = parity_forward(STRIKES, cb, ca, pb, pa)
    assert found is not None
    assert found.strikes == 4
    assert found.forward == pytest.approx(6_801.25, abs=1e-6)


@pytest.mark.parametrize("missing", [(0, 1), (2, 3), (0, 1, 2, 3)])
def test_one_right_alone_names_no_forward(missing):
    sides = quotes(6_801.25)
    for side in missing:
        sides[side] = np.full(len(STRIKES), np.nan)
    assert parity_forward(STRIKES, *sides) is None


def test_locked_quotes_are_no_perfect_ones():
    found = parity_forward(STRIKES, *quotes(6_801.25, half=0.0))
    assert found is not None
    assert found.forward == pytest.approx(6_801.25, abs=1e-6)
    assert found.uncertainty == 0.0
