"""Implied volatilities and prices of `black76` against two independent implementations, and what must always hold."""

from __future__ import annotations

import mpmath
import numpy as np
import py_lets_be_rational as reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.options.black76 import implied_volatility
from spymaster.options.greeks import gamma, greeks, price
from spymaster.options.mills import mills

FORWARD = 6801.25
MINUTE = 60 / (365 * 86_400)


def exact(forward: float, strike: float, is_call: bool, years: float, volatility: float) -> float:
    """The price in 40 digits, rounded once."""
    with mpmath.workdps(40):
        f, k, t, s = (mpmath.mpf(value) for value in (forward, strike, years, volatility))
        total = s * mpmath.sqrt(t)
        d1 = mpmath.log(f / k) / total + total / 2
        d2 = d1 - total
        if is_call:
            return float(f * mpmath.ncdf(d1) - k * mpmath.ncdf(d2))
        return float(k * mpmath.ncdf(-d2) - f * mpmath.ncdf(-d1))


@pytest.fixture(scope="module")
def options() -> dict[str, np.ndarray]:
    """Out-of-the-money options on strikes of 5 points, from a minute to a quarter, up to 9 deviations away."""
    rng = np.random.default_rng(2)
    n = 2_000
    years = np.exp(rng.uniform(np.log(MINUTE), np.log(0.25), n))
    volatility = rng.uniform(0.08, 0.6, n)
    away = rng.uniform(-9, 9, n)
    strike = np.round(FORWARD * np.exp(-away * volatility * np.sqrt(years)) / 5) * 5
    is_call = strike >= FORWARD
    prices = [exact(FORWARD, *one) for one in zip(strike, is_call, years, volatility, strict=True)]
    return {
        "price": np.array(prices), "strike": strike, "is_call": is_call, "years": years, "volatility": volatility,
        "away": np.abs(np.log(FORWARD / strike)) / (volatility * np.sqrt(years)),
    }  # fmt: skip


def test_the_mills_ratio_has_every_digit():
    with mpmath.workdps(40):
        for y in [0.0, 1e-9, *np.geomspace(1e-3, 1e4, 500)]:
            true = mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(mpmath.mpf(y) ** 2 / 2) * mpmath.erfc(y / mpmath.sqrt(2))
            assert abs(mills(y) / true - 1) < 6e-16


def test_volatilities_are_those_that_made_the_prices(options):
    """Within 1e-14: the prices are rounded to a double, and far from the money that is all the error there is."""
    found = implied_volatility(
        options["price"], FORWARD, options["strike"], options["is_call"], options["years"]
    )  # fmt: skip
    error = np.abs(found / options["volatility"] - 1)
    assert error[options["away"] < 3].max() < 1e-14
    assert error[options["away"] >= 3].max() < 1e-14


def test_prices_have_full_relative_precision(options):
    made = price(FORWARD, options["strike"], options["is_call"], options["years"], options["volatility"])
    assert np.abs(made / options["price"] - 1).max() < 1e-12


def test_volatilities_agree_with_lets_be_rational(options):
    for cost, strike, is_call, years in zip(
        *(options[name][:500] for name in ("price", "strike", "is_call", "years")), strict=True
    ):
        theirs = reference.implied_volatility_from_a_transformed_rational_guess(
            cost, FORWARD, strike, years, 1.0 if is_call else -1.0
        )
        assert implied_volatility(cost, FORWARD, strike, is_call, years) == pytest.approx(theirs, rel=1e-10, abs=1e-8)


def test_a_guess_changes_the_way_not_the_answer(options):
    arguments = (options["price"], FORWARD, options["strike"], options["is_call"], options["years"])
    plain = implied_volatility(*arguments)
    for factor in (0.2, 0.97, 1.004, 4.0, np.nan, -1.0):
        guessed = implied_volatility(*arguments, guess=options["volatility"] * factor)
        np.testing.assert_allclose(guessed, plain, rtol=2e-14)


@settings(max_examples=400, deadline=None)
@given(
    total=st.floats(1e-4, 8),
    away=st.floats(0, 30),
    discount=st.floats(0.5, 1),
    is_call=st.booleans(),
    years=st.floats(MINUTE, 30),
)
def test_any_price_that_exists_is_inverted(total, away, discount, is_call, years):
    """From 1e-4 to 8 in total volatility and up to 30 deviations away, where prices are below 1e-190."""
    log_ratio = min(away * total, 40.0)
    strike = 100.0 * np.exp(log_ratio if is_call else -log_ratio)
    volatility = total / np.sqrt(years)
    cost = price(100.0, strike, is_call, years, volatility, discount)
    if not cost > 1e-290:
        return
    ceiling = discount * (100.0 if is_call else strike)
    found = implied_volatility(cost, 100.0, strike, is_call, years, discount)
    if cost >= ceiling * (1 - 1e-9):  # what is missing to the ceiling is all that tells, and is rounded away
        return
    again = price(100.0, strike, is_call, years, found, discount)
    assert again == pytest.approx(cost, rel=1e-11)


@settings(max_examples=200, deadline=None)
@given(
    strike=st.floats(3_000, 15_000),
    years=st.floats(MINUTE, 2),
    low=st.floats(0.02, 2),
    more=st.floats(0.01, 1),
    discount=st.floats(0.8, 1),
)
def test_bounds_parity_and_monotony(strike, years, low, more, discount):
    call, put = (price(FORWARD, strike, right, years, low, discount) for right in (True, False))
    assert discount * max(FORWARD - strike, 0) <= call <= discount * FORWARD
    assert discount * max(strike - FORWARD, 0) <= put <= discount * strike
    assert call - put == pytest.approx(discount * (FORWARD - strike), rel=1e-12, abs=1e-9)
    assert price(FORWARD, strike, True, years, low + more, discount) >= call
    assert price(FORWARD, strike + 5, True, years, low, discount) <= call
    assert price(FORWARD, strike, True, years * 1.01, low, 1.0) >= price(FORWARD, strike, True, years, low, 1.0)


@pytest.mark.parametrize(
    ("cost", "strike", "is_call", "why"),
    [
        (0.0, 6900.0, True, "costs nothing"),
        (-1.0, 6900.0, True, "costs less than nothing"),
        (51.25, 6750.0, True, "its intrinsic value"),
        (40.0, 6750.0, True, "less than its intrinsic value"),
        (6801.25, 6900.0, True, "the future itself"),
        (6000.0, 6000.0, False, "its strike"),
        (np.nan, 6900.0, True, "unknown"),
    ],
)
def test_prices_that_no_volatility_gives(cost, strike, is_call, why):
    assert np.isnan(implied_volatility(cost, FORWARD, strike, is_call, 0.01)), why


def test_arguments_that_mean_nothing_give_nan():
    assert np.isnan(implied_volatility(10.0, FORWARD, 6800.0, True, 0.0))
    assert np.isnan(implied_volatility(10.0, FORWARD, -5.0, True, 0.1))
    assert np.isnan(implied_volatility(10.0, 0.0, 6800.0, True, 0.1))


def test_shapes_are_those_of_the_arguments():
    strikes = np.array([[6700.0, 6800.0, 6900.0]])
    years = np.array([[0.01], [0.02]])
    made = price(FORWARD, strikes, True, years, 0.2)
    assert made.shape == (2, 3)
    np.testing.assert_allclose(implied_volatility(made, FORWARD, strikes, True, years), 0.2, rtol=1e-9)


@pytest.mark.parametrize("is_call", [True, False])
def test_sensitivities_are_derivatives_of_the_price(is_call):
    """Central differences in 40 digits, of the discounted price; charm with the rate that the discount implies."""
    strike, years, sigma, discount = 6850.0, 0.03, 0.17, 0.997
    rate = -mpmath.log(discount) / years

    def value(f, s, t):
        total = s * mpmath.sqrt(t)
        d1 = mpmath.log(f / strike) / total + total / 2
        sign = 1 if is_call else -1
        undiscounted = sign * (f * mpmath.ncdf(sign * d1) - strike * mpmath.ncdf(sign * (d1 - total)))
        return mpmath.exp(-rate * t) * undiscounted

    with mpmath.workdps(40):
        f, s, t = mpmath.mpf(FORWARD), mpmath.mpf(sigma), mpmath.mpf(years)
        expected = [
            mpmath.diff(value, (f, s, t), (1, 0, 0)),
            mpmath.diff(value, (f, s, t), (2, 0, 0)),
            mpmath.diff(value, (f, s, t), (0, 1, 0)),
            mpmath.diff(value, (f, s, t), (1, 1, 0)),
            -mpmath.diff(value, (f, s, t), (1, 0, 1)),
        ]
    found = greeks(FORWARD, strike, is_call, years, sigma, discount)
    np.testing.assert_allclose([float(one) for one in found], [float(one) for one in expected], rtol=1e-9)
    assert gamma(FORWARD, strike, years, sigma, discount) == pytest.approx(float(expected[1]), rel=1e-12)


def test_gamma_on_the_wing_of_a_same_day_option():
    """Where three steps of Newton from 0.5 are wrong by orders of magnitude: 25 minutes to go, 6 deviations away."""
    years, volatility, strike = 25 * MINUTE, 0.11, 6801.25 + 31.0
    cost = exact(FORWARD, strike, True, years, volatility)
    found = gamma(FORWARD, strike, years, implied_volatility(cost, FORWARD, strike, True, years))
    assert found == pytest.approx(float(gamma(FORWARD, strike, years, volatility)), rel=1e-12)
