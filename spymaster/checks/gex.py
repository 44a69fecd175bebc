"""Integrity of gamma exposure: the grid, what it is joined from, its sums, and the levels read off it.

That exposures are what their inputs say is recomputed in `gex_recomputation`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from spymaster.checks.base import MAX_EXAMPLES, Check, Finding, Session, Severity, Suite, check
from spymaster.checks.frames import (
    OPTION_DEFINITION,
    OPTION_QUOTE,
    OPTION_STATISTICS,
    SELECTION,
    SNAPSHOT,
    collect,
    finding,
    scan,
)
from spymaster.checks.listed import chain_of

GEX = "silver.gex_surface_1s"
LEVEL = "silver.gex_level_1m"

JOINED_SHARE = 0.90
OPEN_INTEREST = 9
MINUTE_NS = 60_000_000_000
_KEY = ("window_end", "strike_price_int")


@check(GEX, SNAPSHOT, OPTION_DEFINITION, SELECTION, suite=Suite.DATA, blocking=True)
def grid_complete(session: Session) -> Finding:
    """Every second with a spot, from the time at which the chain is known, has every strike of an even grid."""
    width = 2 * session.lake.settings.options.grid_strikes + 1
    gap = pl.col("strike_price_int").diff()
    grids = (
        scan(session, GEX, list(_KEY))
        .group_by("window_end")
        .agg(
            pl.len().alias("strikes"),
            pl.col("strike_price_int").n_unique().alias("different"),
            gap.min().alias("step"),
            gap.max().alias("widest_step"),
        )
    )
    known = chain_of(session).known_from
    since = int(known.min()) if len(known) else 2**63 - 1
    expected = (
        scan(session, SNAPSHOT, ["window_end", "spot_ref_price_int"])
        .filter(pl.col("spot_ref_price_int").is_not_null() & (pl.col("window_end").to_physical() > since))
        .select("window_end", expected=pl.lit(True))
    )
    both = collect(expected.join(grids, on="window_end", how="full", coalesce=True)).sort("window_end")
    whole = (
        pl.col("expected").fill_null(False)
        & (pl.col("strikes") == width)
        & (pl.col("different") == width)
        & (pl.col("step") == pl.col("widest_step"))
        & (pl.col("step") > 0)
    )
    bad = both.filter(~whole.fill_null(False))
    return finding(bad.height, bad, f"{width} strikes of one step in every second with a spot", seconds=both.height)


@check(GEX, SNAPSHOT, suite=Suite.DATA, blocking=True)
def spot_of_snapshot(session: Session) -> Finding:
    """Spot and validity of every row are the snapshot's."""
    snapshot = scan(session, SNAPSHOT, ["window_end", "spot_ref_price_int", "window_valid"]).rename(
        {"spot_ref_price_int": "snapshot_spot", "window_valid": "snapshot_valid"}
    )
    rows = scan(session, GEX, [*_KEY, "spot_ref_price_int", "window_valid"]).join(snapshot, on="window_end", how="left")
    agrees = pl.col("spot_ref_price_int").eq_missing(pl.col("snapshot_spot")) & pl.col("window_valid").eq_missing(
        pl.col("snapshot_valid")
    )
    bad = collect(rows.filter(~agrees)).sort(_KEY)
    return finding(bad.height, bad, "spot and validity are those of the snapshot")


def _underlying_check(table: str) -> Check:
    def underlying_of_selection(session: Session) -> Finding:
        """The table is about the selected contract and no other."""
        selected = collect(scan(session, SELECTION).filter("is_selected").select("contract"))["contract"].to_list()
        rows = collect(scan(session, table, ["underlying"]).group_by("underlying").len("rows").sort("underlying"))
        bad = rows.filter(~pl.col("underlying").is_in(selected))
        return finding(bad.height, bad, "underlying is the selected contract", selected=next(iter(selected), None))

    return check(table, SELECTION, suite=Suite.DATA, blocking=True)(underlying_of_selection)


UNDERLYING_CHECKS = [_underlying_check(table) for table in (GEX, LEVEL)]


@check(GEX, OPTION_QUOTE, OPTION_DEFINITION, OPTION_STATISTICS, SELECTION, suite=Suite.DATA, severity=Severity.WARN)
def interest_joined(session: Session) -> Finding:
    """Open interest is known, by the end of the session, of at least 90 % of the options that had a volatility."""
    chain = chain_of(session)
    names = collect(scan(session, OPTION_DEFINITION, ["instrument_id", "contract"]).unique("instrument_id"))
    priced = collect(scan(session, OPTION_QUOTE, ["instrument_id", "iv"]).filter(pl.col("iv").is_not_null())).unique(
        "instrument_id"
    )
    priced = priced.filter(pl.col("instrument_id").is_in(chain.instrument_id.tolist()))
    if priced.is_empty():
        return Finding(0, "no option had a volatility", {"priced": 0})
    known = interest_of(session, 2**63 - 1)
    missing = priced.join(known, on="instrument_id", how="anti").join(names, on="instrument_id", how="left")
    share = 1 - missing.height / priced.height
    few = share < JOINED_SHARE
    shown = missing.sort("contract").head(MAX_EXAMPLES)["contract"].to_list()
    return Finding(
        missing.height if few else 0,
        f"open interest is known of {share:.1%} of {priced.height:,} priced options (at least {JOINED_SHARE:.0%})",
        {"priced": priced.height, "without_open_interest": missing.height, "share": share},
        tuple(str(name) for name in shown) if few else (),
    )


@check(GEX, suite=Suite.PHYSICS, blocking=True)
def sums_of_sides(session: Session) -> Finding:
    """Net and gross exposure are the sum and the absolute sum of the two sides, and null only without either."""
    call, put = pl.col("gex_call"), pl.col("gex_put")
    neither = call.is_null() & put.is_null()
    net, gross = call.fill_null(0.0) + put.fill_null(0.0), call.fill_null(0.0) - put.fill_null(0.0)
    slack = 1e-9 * gross + 1e-9
    ratio = pl.col("gex_imbalance_ratio").cast(pl.Float64)
    holds = (
        (pl.col("gex").is_null() == neither)
        & (pl.col("gex_abs").is_null() == neither)
        & ((pl.col("gex") - net).abs() <= slack).fill_null(True)
        & ((pl.col("gex_abs") - gross).abs() <= slack).fill_null(True)
        & (ratio.is_null() == (neither | (gross == 0)))
        & ((ratio - net / gross).abs() <= 1e-5).fill_null(True)
    )
    names = [*_KEY, "gex_call", "gex_put", "gex", "gex_abs", "gex_imbalance_ratio"]
    bad = collect(scan(session, GEX, names).filter(~holds)).sort(_KEY)
    return finding(bad.height, bad, "gex = gex_call + gex_put, gex_abs = gex_call - gex_put, ratio = gex/gex_abs")


@check(LEVEL, SNAPSHOT, OPTION_DEFINITION, SELECTION, suite=Suite.DATA, blocking=True)
def minutes_complete(session: Session) -> Finding:
    """Where the session has a chain there is a row for every second of the future that ends a minute, and no other."""
    whole = pl.col("window_end").to_physical() % MINUTE_NS == 0
    wanted = scan(session, SNAPSHOT, ["window_end"]).filter(whole & pl.lit(len(chain_of(session)) > 0))
    rows = scan(session, LEVEL, ["window_end"]).group_by("window_end").len("rows")
    both = collect(wanted.with_columns(expected=pl.lit(True)).join(rows, on="window_end", how="full", coalesce=True))
    bad = both.filter(~(pl.col("expected") & (pl.col("rows") == 1)).fill_null(False)).sort("window_end")
    return finding(bad.height, bad, "one row for every whole minute", minutes=both.height)


@check(LEVEL, GEX, suite=Suite.PHYSICS)
def levels_of_surface(session: Session) -> Finding:
    """Walls, totals and spot of every minute agree with the surface of its last second.

    A wall within the grid is the strike of the grid's largest exposure of that right, and there is none only where no
    strike of the grid has any; what exceeds the grid in a wall beyond it is not seen here. The grid's gross exposure is
    its share of the total, which is there where the grid has any; the prices of zero gamma lie within 5 % of spot.
    """
    call, put = pl.col("gex_call"), -pl.col("gex_put")
    share, gross = pl.col("gex_share").cast(pl.Float64), pl.col("gex_abs")
    grids = (
        scan(session, GEX, [*_KEY, "spot_ref_price_int", "gex_call", "gex_put", "gex_abs", "gex_share"])
        .filter(pl.col("window_end").to_physical() % MINUTE_NS == 0)
        .group_by("window_end")
        .agg(
            pl.col("spot_ref_price_int").first().alias("spot"),
            pl.col("strike_price_int").min().alias("lowest"),
            pl.col("strike_price_int").max().alias("highest"),
            pl.col("strike_price_int").sort_by(call, descending=True, nulls_last=True).first().alias("call_strike"),
            pl.col("strike_price_int").sort_by(put, descending=True, nulls_last=True).first().alias("put_strike"),
            call.max().alias("largest_call"),
            put.max().alias("largest_put"),
            gross.count().alias("exposures"),
            pl.when(share.sum() > 0).then(gross.sum() / share.sum()).alias("total"),
        )
    )
    rows = collect(scan(session, LEVEL).join(grids, on="window_end", how="inner")).sort("window_end")

    def wall_agrees(wall: str, strike: str, largest: str) -> pl.Expr:
        inside = pl.col(wall).is_between(pl.col("lowest"), pl.col("highest"))
        none = pl.col(wall).is_null() & ~(pl.col(largest) > 0).fill_null(False)
        return none | (~inside | (pl.col(wall) == pl.col(strike))).fill_null(False)

    reach = pl.col("spot_ref_price_int") * 0.05 + 1
    roots = pl.col("zero_gamma_price_int")
    near = (
        (roots.list.min() >= pl.col("spot_ref_price_int") - reach)
        & (roots.list.max() <= pl.col("spot_ref_price_int") + reach)
    ).fill_null(True)
    total = pl.col("gex_abs_total")
    agrees = (
        wall_agrees("call_wall_price_int", "call_strike", "largest_call")
        & wall_agrees("put_wall_price_int", "put_strike", "largest_put")
        & ((pl.col("total") - total).abs() <= 1e-4 * total).fill_null(True)
        & ((pl.col("exposures") == 0) | total.is_not_null())
        & pl.col("spot").eq_missing(pl.col("spot_ref_price_int"))
        & near
    )
    shown = ["window_end", "call_wall_price_int", "call_strike", "put_wall_price_int", "put_strike", "gex_abs_total",
             "total", "spot_ref_price_int", "spot"]  # fmt: skip
    bad = rows.filter(~agrees).select(shown)
    return finding(bad.height, bad, "levels are those of the surface", minutes=rows.height)


def interest_of(session: Session, until_ns: int) -> pl.DataFrame:
    """Open interest by instrument as received up to a time, and when: the last record of each, if it is a quantity."""
    midnight = datetime(session.dt.year, session.dt.month, session.dt.day, tzinfo=UTC) + timedelta(days=1)
    columns = ["instrument_id", "stat_type", "quantity", "ts_ref", "ts_recv", "update"]
    rows = scan(session, OPTION_STATISTICS, columns).filter(
        (pl.col("stat_type") == OPEN_INTEREST)
        & (pl.col("ts_ref") < midnight)
        & (pl.col("ts_recv").to_physical() <= until_ns)
    )
    last = collect(rows).sort("ts_recv", maintain_order=True).group_by("instrument_id").last()
    told = (pl.col("update") == "new") & (pl.col("quantity") >= 0)
    return last.filter(told).select("instrument_id", "quantity", received=pl.col("ts_recv").to_physical())
