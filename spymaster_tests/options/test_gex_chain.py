"""Gamma exposure: options that are listed, changed, withdrawn, and that expire within the session."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl

from spymaster_tests.options.definitions import CLOSE, MIDNIGHT, definition, pairs
from spymaster_tests.options.exposures import (
    GAMMA_TOLERANCE,
    LEVELS,
    SECOND,
    Session,
    all_interest,
    black_gamma,
    compare,
    ns_of,
    quote_frame,
    smooth_surface,
    two_expiries,
    walk,
)


def test_an_expiry_counts_until_a_minute_before_it_expires() -> None:
    soon = [*pairs(range(6_700, 6_901, 5), expiration=MIDNIGHT + timedelta(hours=15, seconds=90))]
    rows = [*soon, *pairs(range(6_700, 6_901, 5), first_id=9_000)]
    # flat: strikes are three deviations apart, too few to tell a curve by
    session = Session(rows, walk(60), all_interest(rows), surface=lambda strike, years: 0.16)
    frame, _ = session.run()
    assert compare(session, frame, LEVELS, GAMMA_TOLERANCE, 1e-6)
    gamma = frame.filter(pl.col("strike_price_int") == 6_800 * 10**9)["gamma_call"].to_list()
    assert gamma[29] > 3 * gamma[30], "the second expiry takes over once 60 s are left"
    assert session.gex().counters["muted_expiry_seconds"] == 0
    gex = session.gex()
    assert sum(frames["gex_surface_1s"].height for frames in gex) == frame.height
    assert gex.counters["muted_expiry_seconds"] == 30


def test_one_strike_has_a_grid_and_no_chain_has_none() -> None:
    rows = pairs([6_790])
    frame, _ = Session(rows, walk(3), all_interest(rows)).run()
    assert frame.head(25)["strike_points"].to_list() == [6_790.0 + 5 * i for i in range(-12, 13)]
    spread = definition(1, right=None, strike_price_int=None)
    session = Session([definition(2, underlying="ESM6"), spread], walk(3))
    session.quotes = session.quotes.clear()
    frame, levels = session.run()
    assert frame.height == levels.height == 0


def test_definitions_that_change_within_the_session() -> None:
    """A finer tick keeps quotes and inventory; another strike under the same number does not; a withdrawal ends it."""
    rows = pairs(range(6_700, 6_901, 5))
    new_tick = rows[40] | {"ts_recv": MIDNIGHT + timedelta(hours=15, seconds=5), "tick_size_int": 250_000_000}
    listed_late = definition(
        20_000, ts_recv=MIDNIGHT + timedelta(hours=15, seconds=10), strike_price_int=6_807_500_000_000
    )
    withdrawn = rows[44] | {"ts_recv": MIDNIGHT + timedelta(hours=15, seconds=7), "is_deleted": True}
    reused = rows[36] | {
        "ts_recv": MIDNIGHT + timedelta(hours=15, seconds=12), "strike_price_int": rows[50]["strike_price_int"]
    }  # fmt: skip
    session = Session(rows, walk(20), all_interest(rows))
    base, _ = session.run()
    session.rows = [*rows, new_tick, listed_late, withdrawn, reused]
    frame, _ = session.run()
    assert frame.filter(pl.col("strike_points") == 6_807.5).height == 0, "no strike of the grid"
    strike = rows[44]["strike_price_int"]
    ours, theirs = (one.filter(pl.col("strike_price_int") == strike) for one in (frame, base))
    assert rows[44]["right"] == "C"
    assert ours["gex_call"].to_list()[:7] == theirs["gex_call"].to_list()[:7]
    assert ours["gex_call"].to_list()[7:] == [None] * 13
    np.testing.assert_allclose(ours["gex_put"].to_numpy(), theirs["gex_put"].to_numpy(), rtol=2e-4)
    old, new = (frame.filter(pl.col("strike_price_int") == rows[i]["strike_price_int"]) for i in (36, 50))
    assert [value is None for value in old["oi_call"]] == [False] * 12 + [True] * 8
    assert [value is None for value in old["gex_call"]] == [False] * 12 + [True] * 8
    same = base.filter(pl.col("strike_price_int") == rows[50]["strike_price_int"])
    assert new["oi_call"].to_list() == same["oi_call"].to_list()
    kept = frame.filter(pl.col("strike_price_int") == rows[40]["strike_price_int"])
    before = base.filter(pl.col("strike_price_int") == rows[40]["strike_price_int"])
    np.testing.assert_allclose(kept["flow_gex"].to_numpy(), before["flow_gex"].to_numpy(), rtol=2e-4)


def test_the_nearest_expiry_is_the_first_of_those_listed() -> None:
    """Today's options are defined in the sixth second and withdrawn before the eleventh; tomorrow's stay."""
    today, tomorrow = (pairs(range(6_700, 6_901, 5), first_id=n, expiration=CLOSE + timedelta(days=d))
                       for n, d in ((1_000, 0), (5_000, 1)))  # fmt: skip
    at = {second: MIDNIGHT + timedelta(hours=15, seconds=second) for second in (5, 10)}
    late = [row | {"ts_recv": at[5]} for row in today]
    gone = [row | {"ts_recv": at[10], "is_deleted": True} for row in today]
    session = Session([*tomorrow, *late], walk(15, step=0.25), all_interest([*tomorrow, *late]))
    session.rows = [*session.rows, *gone]
    # no quote and no forward of theirs before
    is_today = pl.col("instrument_id") < 5_000
    first = session.quotes.filter(is_today & (pl.col("window_end").to_physical() == session.ns[0]))
    session.quotes = pl.concat(
        [
            session.quotes.filter(~is_today | (pl.col("window_end").to_physical() > session.ns[5])),
            first.with_columns(window_end=pl.lit(session.ns[5]).cast(pl.Datetime("ns", "UTC"))),
        ]
    ).sort("window_end", "instrument_id")
    known = pl.col("window_end").to_physical() > session.ns[4]
    session.forwards = session.forwards.filter((pl.col("expiration") != CLOSE) | known)
    frame, _ = session.run()
    gamma = frame.filter(pl.col("strike_points") == 6_800)["gamma_call"].to_list()
    ends = [ns_of(CLOSE) + day * 86_400 * SECOND for day in (0, 1)]
    of_expiry = [
        [
            black_gamma(f, 6_800.0, session.years(t, end), smooth_surface(6_800.0, session.years(t, end)))
            for t, f in zip(session.ns, session.forward, strict=True)
        ]
        for end in ends
    ]
    np.testing.assert_allclose(gamma, [*of_expiry[1][:5], *of_expiry[0][5:10], *of_expiry[1][10:]], rtol=1e-3)


def test_quotes_of_others_are_left_out_and_counted() -> None:
    rows = two_expiries()
    session = Session(rows, walk(5), all_interest(rows))
    stranger = quote_frame([session.quotes.row(0, named=True) | {"instrument_id": 77, "window_end": session.ns[0]}])
    plain = session.run()[0]
    session.quotes = pl.concat([stranger, session.quotes])
    gex = session.gex()
    assert pl.concat([frames["gex_surface_1s"] for frames in gex]).equals(plain)
    assert gex.counters["quotes_outside_universe"] == 1
