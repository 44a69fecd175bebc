"""Gamma exposure: which quotes the smile of an expiry is made of, and what happens without them."""

from __future__ import annotations

import numpy as np
import polars as pl

from spymaster_tests.options.definitions import pairs
from spymaster_tests.options.exposures import (
    GAMMA_TOLERANCE,
    LEVELS,
    Session,
    all_interest,
    compare,
    smooth_surface,
    two_expiries,
    walk,
)


def test_a_stale_quote_leaves_the_smile_and_is_counted() -> None:
    """One option is quoted once, wrongly; the forward then moves away from what its quote was worth."""
    rows = pairs(range(6_700, 6_901, 5))
    spots = [6_801.0] * 3 + [6_811.0] * 30
    session = Session(rows, spots, all_interest(rows), per_second=len(rows))
    number = next(r["instrument_id"] for r in rows if r["right"] == "C" and r["strike_price_int"] == 6_820 * 10**9)
    wrong = (pl.col("instrument_id") == number) & (pl.col("window_end").to_physical() == session.ns[0])
    quotes = session.quotes.filter((pl.col("instrument_id") != number) | wrong)
    session.quotes = quotes.with_columns(iv=pl.when(wrong).then(pl.col("iv") * 1.3).otherwise("iv"))
    gex = session.gex()
    frame = pl.concat([frames["gex_surface_1s"] for frames in gex])
    spiked = frame.filter(pl.col("strike_points") == 6_820)["iv"].to_numpy()
    true = smooth_surface(6_820.0, 6 / (365 * 24))
    assert spiked[:6].min() > true * 1.1, "not older than five seconds"
    np.testing.assert_allclose(spiked[6:], true, rtol=1e-4)
    assert gex.counters["stale_quote_seconds"] == 33 - 6


def test_a_wide_quote_that_is_wrong_makes_no_spike() -> None:
    """Its volatility is off by a quarter; at its width that says little, and its neighbours are precise."""
    rows = pairs(range(6_700, 6_901, 5))
    session = Session(rows, walk(20), all_interest(rows))
    bad = pl.col("instrument_id").is_in([rows[50]["instrument_id"], rows[51]["instrument_id"]])
    session.quotes = session.quotes.with_columns(
        iv=pl.when(bad).then(pl.col("iv") * 1.25).otherwise("iv"),
        ask_price_int=pl.when(bad).then(pl.col("ask_price_int") + 20 * 10**9).otherwise("ask_price_int"),
    )
    frame, _ = session.run()
    strike = rows[50]["strike_price_int"] / 1e9
    found = frame.filter(pl.col("strike_points") == strike)["iv"].to_numpy()
    np.testing.assert_allclose(found, smooth_surface(strike, 6 / (365 * 24)), rtol=1e-3)


def test_two_options_of_one_strike_and_right_both_count() -> None:
    """Of product roots that share an expiration: interest and flow add up, the smile reads the first."""
    rows = pairs(range(6_700, 6_901, 5))
    twin = pairs(range(6_700, 6_901, 5), first_id=8_000)
    session = Session([*rows, *twin], walk(20), [*all_interest(rows), *all_interest(twin, seed=11)])
    second = pl.col("instrument_id") >= 8_000
    session.quotes = session.quotes.with_columns(iv=pl.when(second).then(pl.col("iv") * 2).otherwise("iv"))
    frame, _ = session.run()
    assert compare(session, frame, LEVELS, GAMMA_TOLERANCE) == len(LEVELS) * 20 * 25


def test_a_rejected_quote_leaves_the_smile_at_once() -> None:
    """A strike is quoted once, a quarter too high, and rejected in the eleventh second; spot stands: never stale."""
    rows = pairs(range(6_700, 6_901, 5))
    session = Session(rows, [6_801.0] * 30, all_interest(rows))
    strike = rows[40]["strike_price_int"]
    at = pl.col("window_end").to_physical()
    bad = pl.col("instrument_id").is_in([row["instrument_id"] for row in rows if row["strike_price_int"] == strike])
    first = session.quotes.filter(bad & (at == session.ns[0]))
    rejected = first.with_columns(
        pl.lit(session.ns[10]).cast(first.schema["window_end"]).alias("window_end"),
        *(pl.lit(None, pl.Float32).alias(name) for name in ("iv", "delta", "gamma")),
    )
    wrong = first.with_columns(pl.col("iv") * 1.25)
    session.quotes = pl.concat([session.quotes.filter(~bad), wrong, rejected]).sort("window_end", "instrument_id")
    frame, _ = session.run()
    found = frame.filter(pl.col("strike_price_int") == strike)["iv"].to_numpy()
    true = smooth_surface(strike / 1e9, 6 / (365 * 24))
    assert found[:10].min() > 1.05 * true
    # the gap in the quotes is bridged by the smile
    np.testing.assert_allclose(found[10:], true, rtol=1e-4)
    later = frame.filter(at >= session.ns[10])
    assert compare(session, later, ("gex_call", "gex_put", "iv"), GAMMA_TOLERANCE) == 3 * 20 * 25


def test_without_a_forward_an_expiry_leaves_the_sums() -> None:
    rows = two_expiries()
    session = Session(rows, walk(12), all_interest(rows))
    gone = pl.col("window_end").to_physical().is_in(session.ns[4:7])
    session.forwards = session.forwards.with_columns(forward=pl.when(~gone).then("forward"))
    frame, _ = session.run()
    nulls = frame.group_by("window_end", maintain_order=True).agg(pl.col("gex").null_count())["gex"].to_list()
    assert nulls == [0] * 4 + [25] * 3 + [0] * 5
    third = frame.group_by("window_end", maintain_order=True).agg(pl.col("d3_gex").null_count())["d3_gex"].to_list()
    assert third == [25] * 3 + [0] + [25] * 6 + [0] * 2
