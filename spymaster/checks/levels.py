"""Data integrity of `session_level`: levels come from candles, hold one at a time, and placebos keep clear."""

from __future__ import annotations

from datetime import time

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import CANDLE, LEVEL, collect, finding, scan

_MORNING = time(9, 30)


@check(LEVEL, CANDLE, suite=Suite.DATA, blocking=True)
def pre_market_of_candles(session: Session) -> Finding:
    """Pre-market high and low are those of the candles before 09:30 New York; none without one that traded.

    The evening of a date belongs to the next session, whose pre-market lies on the next date.
    """
    start = session.lake.settings.setups.pre_market_start
    if start == "18:00":
        return Finding(0, "the pre-market begins on the date before: not recomputed", {"levels": 0})
    local = pl.col("bar_start").dt.convert_time_zone("America/New_York")
    before = (
        scan(session, CANDLE)
        .filter(~pl.col("is_carry") & (local.dt.date() == pl.col("session_date")))
        .filter((local.dt.time() >= time.fromisoformat(start)) & (local.dt.time() < _MORNING))
        .group_by("session_date")
        .agg(PMH=pl.col("high_price_int").max(), PML=pl.col("low_price_int").min())
    )
    expected = collect(before).unpivot(index="session_date", variable_name="level_type", value_name="expected")
    stored = collect(
        scan(session, LEVEL)
        .filter(~pl.col("is_placebo") & pl.col("level_type").cast(pl.String).is_in(["PMH", "PML"]))
        .select("session_date", pl.col("level_type").cast(pl.String), "price_int")
    )
    both = expected.join(stored, on=["session_date", "level_type"], how="full", coalesce=True)
    bad = both.filter(~pl.col("price_int").eq_missing(pl.col("expected"))).sort("session_date", "level_type")
    return finding(bad.height, bad, "pre-market high and low are those of the candles", levels=both.height)


@check(LEVEL, suite=Suite.DATA, blocking=True)
def one_price_at_a_time(session: Session) -> Finding:
    """The stretches of a level do not overlap."""
    rows = scan(session, LEVEL, ["level_id", "valid_from", "valid_to"]).sort("level_id", "valid_from")
    bad = collect(rows.filter(pl.col("valid_to") > pl.col("valid_from").shift(-1).over("level_id")))
    return finding(bad.height, bad, "a level has one price at a time")


@check(LEVEL, suite=Suite.DATA)
def placebos_keep_clear(session: Session) -> Finding:
    """No placebo lies near a level while both are valid, and every one is its level's price plus its shift."""
    columns = ["level_id", "price_int", "valid_from", "valid_to", "is_placebo", "placebo_of", "placebo_shift_ticks"]
    rows = collect(scan(session, LEVEL, columns))
    real, fake = rows.filter(~pl.col("is_placebo")), rows.filter("is_placebo")
    clear = session.lake.settings.setups.placebo_clear_ticks * session.tick_size_int
    cell = pl.col("price_int") // max(clear, 1)
    around = pl.concat([real.with_columns(cell=cell + step) for step in (-1, 0, 1)]).select(
        "cell", near="price_int", near_from="valid_from", near_to="valid_to"
    )
    both = (
        fake.with_columns(cell=cell)
        .join(around, on="cell")
        .filter(
            ((pl.col("price_int") - pl.col("near")).abs() <= clear)
            & (pl.col("valid_from") < pl.col("near_to"))
            & (pl.col("near_from") < pl.col("valid_to"))
        )
    )
    origin = real.select("valid_from", placebo_of="level_id", of_price="price_int")
    price = pl.col("of_price") + pl.col("placebo_shift_ticks").cast(pl.Int64) * session.tick_size_int
    strays = fake.join(origin, on=["placebo_of", "valid_from"], how="left").filter(
        ~pl.col("price_int").eq_missing(price)
    )
    shown = ["level_id", "price_int", "valid_from"]
    bad = pl.concat([both.select(shown), strays.select(shown)]).sort("level_id", "valid_from")
    return finding(bad.height, bad, "placebos are copies at a distance from every level", placebos=fake.height)
