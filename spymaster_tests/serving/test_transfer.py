"""Codes of cells: what they keep, what they lose, and that missing is never zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spymaster.serving.transfer import CENTRE, MISSING, SignedLog, SignedUnit, Transfer, Unit

LOG = SignedLog(10.0, 20_000.0)
ALL = (Unit(), SignedUnit(), LOG, SignedLog(1.0, 3.0))


@pytest.mark.parametrize("fn", ALL, ids=repr)
def test_missing_is_code_zero_and_nothing_else_is(fn: Transfer) -> None:
    assert fn.encode([np.nan]).tolist() == [MISSING]
    assert np.isnan(fn.decode(np.array([MISSING], np.uint8))).all()
    values = np.concatenate([np.linspace(-2, 2, 401), [-1e9, 1e9, np.inf, -np.inf, 0.0]])
    assert (fn.encode(values) != MISSING).all()


@pytest.mark.parametrize("fn", ALL, ids=repr)
def test_every_code_round_trips_and_values_rise_with_codes(fn: Transfer) -> None:
    codes = np.arange(1, 256, dtype=np.uint8)
    values = fn.decode(codes)
    assert (np.diff(values) > 0).all()
    assert fn.encode(values).tolist() == codes.tolist()


@pytest.mark.parametrize("fn", ALL, ids=repr)
@given(a=st.floats(-30_000, 30_000), b=st.floats(-30_000, 30_000))
def test_order_is_kept(fn: Transfer, a: float, b: float) -> None:
    low, high = fn.encode(sorted((a, b))).astype(int)
    assert low <= high


@given(x=st.floats(-1, 1))
def test_unit_functions_are_exact_to_half_a_step(x: float) -> None:
    assert abs(SignedUnit().decode(SignedUnit().encode([x]))[0] - x) <= 0.5 / 127 + 1e-12
    assert abs(Unit().decode(Unit().encode([abs(x)]))[0] - abs(x)) <= 0.5 / 254 + 1e-12


@given(x=st.floats(0, 20_000), sign=st.sampled_from((-1, 1)))
def test_depth_is_within_five_percent_or_one_contract(x: float, sign: int) -> None:
    back = LOG.decode(LOG.encode([sign * x]))[0]
    assert abs(back - sign * x) <= (0.05 * x if x >= 2 * LOG.c else 1.0)


@given(x=st.floats(1e-9, 1e9), sign=st.sampled_from((-1, 1)))
def test_only_zero_is_the_centre(x: float, sign: int) -> None:
    assert LOG.encode([sign * x])[0] != CENTRE
    assert np.sign(LOG.decode(LOG.encode([sign * x]))[0]) == sign


def test_zero_and_idle_have_their_codes() -> None:
    assert LOG.encode([0.0, -0.0]).tolist() == [CENTRE, CENTRE]
    assert SignedUnit().encode([0.0]).tolist() == [CENTRE]
    assert Unit().encode([0.5, 0.0, 1.0]).tolist() == [CENTRE, 1, 255]


def test_clamping_is_told() -> None:
    assert LOG.clipped([20_000, 20_001, -20_001]).tolist() == [False, True, True]
    assert LOG.encode([1e12, -1e12]).tolist() == [255, 1]
    assert SignedUnit().clipped([1.0, 1.5]).tolist() == [False, True]
    assert Unit().clipped([-0.1, 0.0, 1.0]).tolist() == [True, False, False]


@pytest.mark.parametrize(("c", "top"), [(0.0, 1.0), (1.0, 0.0), (-1.0, 5.0), (float("nan"), 1.0)])
def test_a_scale_without_size_is_refused(c: float, top: float) -> None:
    with pytest.raises(ValueError, match="signed_log needs"):
        SignedLog(c, top)


@pytest.mark.parametrize("scale", [SignedLog(10.0, 20_000.0), SignedLog(1.0, 50.5), SignedLog(2.0, 3e6)])
def test_whole_numbers_have_the_same_codes_by_table(scale: SignedLog) -> None:
    values = np.array([[0, 1, -1, 7, -49, 50, 51, -52, 19_999, 20_001, 10**9, -(10**9)]], np.int32)
    known = np.ones(values.shape, np.bool_)
    np.testing.assert_array_equal(scale.encode_whole(values, known), scale.encode(values))
    assert (scale.encode_whole(values, ~known) == MISSING).all()
