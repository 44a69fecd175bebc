"""Levels of gamma exposure: walls, totals, sensitivities, and every price at which the total changes sign."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import polars as pl
import pytest
from numpy.typing import ArrayLike

from spymaster.options.gex_levels import SHIFT, zero_gammas
from spymaster_tests.options.definitions import pairs
from spymaster_tests.options.exposures import (
    SECOND,
    START,
    Session,
    all_interest,
    black_delta,
    black_gamma,
    expected,
    ns_of,
    smooth_surface,
    two_expiries,
    walk,
)

SPOT = 6_800.0


def brute_total(options: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Total exposure at each shift, in the plainest of ways."""
    forward = options[0][:, None] + shift[None]
    total = options[2][:, None]
    d1 = (np.log(forward) - options[1][:, None]) / total + total / 2
    gamma = np.exp(-d1 * d1 / 2) / (math.sqrt(2 * math.pi) * forward * total)
    return (options[3][:, None] * gamma * forward**2 * 0.01).sum(axis=0)


def brute_roots(options: np.ndarray, places: int = 60_001) -> np.ndarray:
    """Changes of sign on a lattice of a twentieth of a tick, interpolated."""
    shift = np.linspace(-SHIFT * SPOT, SHIFT * SPOT, places)
    value = np.concatenate([brute_total(options, part) for part in np.array_split(shift, 15)])
    kept = value != 0
    at, sign, value = shift[kept], np.sign(value[kept]), value[kept]
    i = np.flatnonzero(sign[1:] != sign[:-1])
    return SPOT + at[i] - value[i] * (at[i + 1] - at[i]) / (value[i + 1] - value[i])


def position(strikes: np.ndarray, weight: ArrayLike, total: float = 0.01, forward: float = SPOT) -> np.ndarray:
    """Options as `gather` leaves them."""
    n = len(strikes)
    return np.stack([np.full(n, forward), np.log(strikes), np.full(n, total), np.asarray(weight, float)])


def found_roots(options: np.ndarray) -> np.ndarray:
    roots = np.empty(256)
    return roots[: zero_gammas(options.copy(), SPOT, roots)]


@pytest.mark.parametrize("total", [0.0007, 0.003, 0.01, 0.04])
@pytest.mark.parametrize("seed", range(6))
def test_all_roots_of_a_random_book_are_found(seed: int, total: float) -> None:
    rng = np.random.default_rng(seed)
    strikes = SPOT + 5.0 * np.arange(-60, 61)
    options = position(strikes, rng.normal(0, 1, len(strikes)), total)
    wanted = brute_roots(options)
    np.testing.assert_allclose(found_roots(options), wanted, rtol=1e-6)
    assert total > 0.001 or len(wanted) > 20


def test_two_expiries_with_different_futures() -> None:
    rng = np.random.default_rng(9)
    strikes = SPOT + 5.0 * np.arange(-60, 61)
    options = np.concatenate(
        [position(strikes, rng.normal(0, 1, 121), 0.004), position(strikes, rng.normal(0, 1, 121), 0.02, SPOT + 40)],
        axis=1,
    )
    np.testing.assert_allclose(found_roots(options), brute_roots(options), rtol=1e-6)


def test_calls_only_have_no_zero_gamma_and_a_balanced_book_has_one() -> None:
    strikes = SPOT + 5.0 * np.arange(-20, 21)
    assert len(found_roots(position(strikes, np.ones(41)))) == 0
    # calls above, puts below: even at the middle, in logarithms
    roots = found_roots(position(np.array([SPOT * math.exp(-0.01), SPOT * math.exp(0.01)]), [-1, 1], 0.02))
    np.testing.assert_allclose(
        roots,
        brute_roots(position(np.array([SPOT * math.exp(-0.01), SPOT * math.exp(0.01)]), [-1, 1], 0.02)),
        rtol=1e-9,
    )
    assert len(roots) == 1


def test_two_roots_closer_than_the_lattice_are_not_missed() -> None:
    """A broad short position with a narrow long one just large enough to lift the total above 0 for a moment."""
    broad, unit = position(np.array([SPOT]), [-1.0], 0.02), position(np.array([SPOT + 1.1]), [1.0], 0.004)
    near = np.linspace(-20, 20, 200_001)
    touching = (-brute_total(broad, near) / brute_total(unit, near)).min()
    for excess, count in ((-1e-4, 0), (1e-5, 2), (1e-3, 2)):
        narrow = unit * np.array([[1.0], [1.0], [1.0], [touching * (1 + excess)]])
        options = np.concatenate([broad, narrow], axis=1)
        roots, wanted = found_roots(options), brute_roots(options)
        assert len(wanted) == count
        np.testing.assert_allclose(roots, wanted, rtol=1e-6)
        if excess == 1e-5:
            assert wanted[1] - wanted[0] < 2 * SHIFT * SPOT / 400


def test_roots_are_within_five_percent_of_spot() -> None:
    far = SPOT * 1.07
    assert len(found_roots(position(np.array([SPOT, far]), [1.0, -50.0], 0.01))) == len(
        brute_roots(position(np.array([SPOT, far]), [1.0, -50.0], 0.01))
    )


@pytest.fixture(scope="module")
def session() -> Session:
    rows = two_expiries(range(6_500, 7_101, 10))
    return Session(rows, walk(185, step=2.0), all_interest(rows))


@pytest.fixture(scope="module")
def levels(session: Session) -> pl.DataFrame:
    return session.run()[1]


def minutes(session: Session) -> list[int]:
    return [i for i, t in enumerate(session.ns) if t % (60 * SECOND) == 0]


def test_there_is_a_row_for_every_whole_minute(session: Session, levels: pl.DataFrame) -> None:
    assert levels["window_end"].to_physical().to_list() == [session.ns[i] for i in minutes(session)]
    assert levels.height == 3
    assert levels["spot_ref_price_int"].to_list() == [round((session.spots[i] or 0) * 1e9) for i in minutes(session)]


def test_walls_and_totals_are_those_of_all_strikes(session: Session, levels: pl.DataFrame) -> None:
    truth = expected(session)
    for row, i in zip(levels.iter_rows(named=True), minutes(session), strict=True):
        of = {name: {k: v for (k, n), v in truth[i].items() if n == name and v is not None} for name in (
            "gex_call", "gex_put", "gex", "gex_abs", "flow_gex", "flow_gross")}  # fmt: skip
        assert row["call_wall_price_int"] == max(of["gex_call"], key=lambda k: of["gex_call"][k]) * 1e9
        assert row["put_wall_price_int"] == min(of["gex_put"], key=lambda k: of["gex_put"][k]) * 1e9
        gross = math.fsum(of["gex_abs"].values())
        assert row["gex_abs_total"] == pytest.approx(gross, rel=1e-4)
        assert row["gex_total"] == pytest.approx(math.fsum(of["gex"].values()), abs=1e-4 * gross)
        flow = math.fsum(of["flow_gross"].values())
        assert row["flow_gex_total"] == pytest.approx(math.fsum(of["flow_gex"].values()), abs=1e-4 * flow)
        assert row["priced_series"] == len(session.rows)
        assert row["oi_share"] == 1.0


def positions(session: Session, i: int) -> list[tuple[float, float, float, float, bool]]:
    """(dealers' contracts times multiplier, strike, years, volatility, call) of each option."""
    lots = {number: count for _, number, count in session.interest}
    return [
        (
            lots[o["instrument_id"]] * o["multiplier"] * (1 if o["right"] == "C" else -1),
            o["strike_price_int"] / 1e9,
            session.years(session.ns[i], ns_of(o["expiration"])),
            smooth_surface(o["strike_price_int"] / 1e9, session.years(session.ns[i], ns_of(o["expiration"]))),
            o["right"] == "C",
        )
        for o in session.rows
    ]  # fmt: skip


def test_vanna_and_charm_are_what_deltas_change_by(session: Session, levels: pl.DataFrame) -> None:
    """Deltas of forty digits, a little volatility and a little time later."""
    for row, i in zip(levels.iter_rows(named=True), minutes(session), strict=True):
        forward = session.forward[i]
        vanna = charm = gross = 0.0
        with mpmath.workdps(40):
            for n, strike, years, iv, call in positions(session, i):

                def delta(
                    s: float, t: float, strike: float = strike, call: bool = call, forward: float = forward
                ) -> mpmath.mpf:
                    root = mpmath.mpf(s) * mpmath.sqrt(mpmath.mpf(t))
                    below = mpmath.ncdf(mpmath.log(mpmath.mpf(forward) / strike) / root + root / 2)
                    return below if call else below - 1

                small = mpmath.mpf("1e-12")
                by_volatility = (delta(iv + small, years) - delta(iv - small, years)) / (2 * small)
                by_time = (delta(iv, years - small) - delta(iv, years + small)) / (2 * small)
                vanna += float(by_volatility) * n * forward * 0.01
                charm += float(by_time) * n * forward / 365
                gross += abs(float(by_time) * n * forward / 365)
        assert row["vanna_exposure"] == pytest.approx(vanna, rel=2e-3)
        assert row["charm_exposure"] == pytest.approx(charm, abs=2e-3 * gross)


def test_vanna_and_charm_of_the_truth_have_the_signs_of_the_convention() -> None:
    """One call out of the money: more volatility brings its delta up, time takes it down."""
    rows = [row for row in pairs([6_850]) if row["right"] == "C"]
    session = Session(rows, [6_800.0] * 60, [(1, rows[0]["instrument_id"], 100)])
    row = session.run()[1].row(0, named=True)
    assert row["vanna_exposure"] > 0 > row["charm_exposure"]
    year = (ns_of(rows[0]["expiration"]) - session.ns[-1]) / SECOND / (365 * 86_400)
    iv, forward = smooth_surface(6_850, year), session.forward[-1]
    up, down = (black_delta(forward, 6_850, year, iv + change, call=True) for change in (0.005, -0.005))
    assert row["vanna_exposure"] == pytest.approx((up - down) * 100 * 50 * forward, rel=1e-2)
    assert row["gex_total"] == pytest.approx(black_gamma(forward, 6_850, year, iv) * 5_000 * forward**2 / 100, rel=1e-4)
    assert row["zero_gamma_price_int"] == []
    assert row["put_wall_price_int"] is None


def test_zero_gamma_of_a_session_is_that_of_a_brute_force_scan(session: Session, levels: pl.DataFrame) -> None:
    for row, i in zip(levels.iter_rows(named=True), minutes(session), strict=True):
        spot = session.spots[i]
        assert spot is not None
        book = positions(session, i)
        shift = np.linspace(-SHIFT * spot, SHIFT * spot, 20_001)
        value = np.zeros(len(shift))
        for n, strike, years, iv, _ in book:
            forward = session.forward[i] + shift
            root = iv * math.sqrt(years)
            d1 = np.log(forward / strike) / root + root / 2
            value += n * np.exp(-d1 * d1 / 2) / (math.sqrt(2 * math.pi) * forward * root) * forward**2 * 0.01
        at = np.flatnonzero(np.sign(value[1:]) != np.sign(value[:-1]))
        wanted = spot + shift[at] - value[at] * (shift[at + 1] - shift[at]) / (value[at + 1] - value[at])
        assert len(wanted) > 0
        # what the smile is off where quotes say little moves a root there by some hundredths of a percent of its way
        np.testing.assert_allclose(np.array(row["zero_gamma_price_int"]) / 1e9, wanted, rtol=5e-5)


def test_nothing_priced_or_no_spot_is_null_and_unknown_interest_says_so() -> None:
    rows = two_expiries(range(6_700, 6_901, 10))
    session = Session(rows, [None] * 59 + walk(61), all_interest(rows[:20]))
    session.quotes = session.quotes.filter(pl.col("window_end").to_physical() > START + 60 * SECOND)
    session.snapshot = session.snapshot.with_columns(
        spot_ref_price_int=pl.when(pl.int_range(pl.len()) >= 60).then("spot_ref_price_int")
    )
    first, second = session.run()[1].iter_rows(named=True)
    totals = ("gex_total", "gex_abs_total", "flow_gex_total", "vanna_exposure", "charm_exposure", "oi_share",
              "zero_gamma_price_int", "call_wall_price_int", "put_wall_price_int", "spot_ref_price_int")  # fmt: skip
    assert {first[name] for name in totals} == {None}
    assert first["priced_series"] == 0
    assert second["priced_series"] == len({row["instrument_id"] for row in rows})
    assert second["oi_share"] == pytest.approx(20 / len(rows))
    assert second["zero_gamma_price_int"] is not None
