"""Integrity of gamma exposure: the grid, what it is joined from, its sums, and the levels read off it.

Exposures are recomputed here without the code that makes them: the last quotes of some seconds and the open interest
known by then, each option's own gamma, no smoothing. Smoothing is why the two need not be equal, and what the limits
allow for; a wrong unit, sign, multiplier or join is far outside of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from spymaster.checks.base import MAX_EXAMPLES, Check, Finding, Session, Severity, Suite, check
from spymaster.checks.frames import (
    OPTION_DEFINITION,
    OPTION_FORWARD,
    OPTION_QUOTE,
    OPTION_STATISTICS,
    SELECTION,
    SNAPSHOT,
    collect,
    finding,
    scan,
)
from spymaster.options.chain import DEFINITION_COLUMNS, Chain

GEX = "silver.gex_surface_1s"
LEVEL = "silver.gex_level_1m"

JOINED_SHARE = 0.90
OPEN_INTEREST = 9
SAMPLED_SECONDS = 5
SUM_LIMIT = 0.10
STRIKE_LIMIT = 0.25
"""Of the largest exposure of the second."""
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
    known = _chain(session).known_from
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
    chain = _chain(session)
    names = collect(scan(session, OPTION_DEFINITION, ["instrument_id", "contract"]).unique("instrument_id"))
    priced = collect(scan(session, OPTION_QUOTE, ["instrument_id", "iv"]).filter(pl.col("iv").is_not_null())).unique(
        "instrument_id"
    )
    priced = priced.filter(pl.col("instrument_id").is_in(chain.instrument_id.tolist()))
    if priced.is_empty():
        return Finding(0, "no option had a volatility", {"priced": 0})
    known = _interest(session, 2**63 - 1)
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


@check(GEX, OPTION_QUOTE, OPTION_FORWARD, OPTION_DEFINITION, OPTION_STATISTICS, SELECTION, suite=Suite.PHYSICS)
def equal_recomputation(session: Session) -> Finding:
    """Exposures of some seconds, recomputed from quotes and open interest without smoothing, are about the stored ones.

    The sum over strikes of calls, and of puts, within 10 %; each strike within a quarter of the largest.
    """
    chain = _chain(session)
    worst_sum = worst_strike = 0.0
    compared, off = 0, []
    for second in _sampled(session):
        rows = _recomputed(session, chain, second)
        for name in ("gex_call", "gex_put"):
            pairs = rows.select("strike_price_int", stored=pl.col(name), again=pl.col(f"{name}_again")).drop_nulls()
            if pairs.height < 3:
                continue
            stored, again = pairs["stored"].to_numpy(), pairs["again"].to_numpy()
            largest = float(np.abs(again).max())
            if not largest > 0:
                continue
            sums = abs(float(stored.sum() - again.sum())) / abs(float(again.sum()))
            strikes = float(np.abs(stored - again).max()) / largest
            worst_sum, worst_strike = max(worst_sum, sums), max(worst_strike, strikes)
            compared += pairs.height
            if sums > SUM_LIMIT or strikes > STRIKE_LIMIT:
                off.append(f"{_at(second):%H:%M:%S} {name}: sum off by {sums:.1%}, a strike by {strikes:.1%}")
    return Finding(
        len(off),
        f"{compared} exposures recomputed; sums within {worst_sum:.1%}, strikes within {worst_strike:.1%}",
        {"compared": compared, "worst_sum": worst_sum, "worst_strike": worst_strike},
        tuple(off),
    )


@check(LEVEL, GEX, suite=Suite.PHYSICS)
def levels_of_surface(session: Session) -> Finding:
    """Walls, totals and spot of every minute agree with the surface of its last second.

    No strike of the grid exceeds the wall's exposure, the grid's gross exposure is its share of the total, and the
    prices of zero gamma lie within 5 % of spot.
    """
    call, put = pl.col("gex_call"), -pl.col("gex_put")
    share, gross = pl.col("gex_share").cast(pl.Float64), pl.col("gex_abs")
    grids = (
        scan(session, GEX, [*_KEY, "spot_ref_price_int", "gex_call", "gex_put", "gex_abs", "gex_share"])
        .filter(pl.col("window_end").to_physical() % 60_000_000_000 == 0)
        .group_by("window_end")
        .agg(
            pl.col("spot_ref_price_int").first().alias("spot"),
            pl.col("strike_price_int").min().alias("lowest"),
            pl.col("strike_price_int").max().alias("highest"),
            pl.col("strike_price_int").sort_by(call, descending=True, nulls_last=True).first().alias("call_strike"),
            pl.col("strike_price_int").sort_by(put, descending=True, nulls_last=True).first().alias("put_strike"),
            call.max().alias("largest_call"),
            put.max().alias("largest_put"),
            (gross.sum() / share.sum()).alias("total"),
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
        & pl.col("spot").eq_missing(pl.col("spot_ref_price_int"))
        & near
    )
    shown = ["window_end", "call_wall_price_int", "call_strike", "put_wall_price_int", "put_strike", "gex_abs_total",
             "total", "spot_ref_price_int", "spot"]  # fmt: skip
    bad = rows.filter(~agrees).select(shown)
    return finding(bad.height, bad, "levels are those of the surface", minutes=rows.height)


def _chain(session: Session) -> Chain:
    selected = collect(scan(session, SELECTION).filter("is_selected").select("contract"))["contract"].to_list()
    definitions = collect(scan(session, OPTION_DEFINITION, DEFINITION_COLUMNS))
    return Chain.universe(definitions, session.dt, next(iter(selected), ""), session.lake.settings.options)


def _interest(session: Session, until_ns: int) -> pl.DataFrame:
    """Open interest by instrument as received up to a time: the last record of each, if it is a quantity."""
    midnight = datetime(session.dt.year, session.dt.month, session.dt.day, tzinfo=UTC) + timedelta(days=1)
    columns = ["instrument_id", "stat_type", "quantity", "ts_ref", "ts_recv", "update"]
    rows = scan(session, OPTION_STATISTICS, columns).filter(
        (pl.col("stat_type") == OPEN_INTEREST)
        & (pl.col("ts_ref") < midnight)
        & (pl.col("ts_recv").to_physical() <= until_ns)
    )
    last = collect(rows).sort("ts_recv", maintain_order=True).group_by("instrument_id").last()
    return last.filter((pl.col("update") == "new") & (pl.col("quantity") >= 0)).select("instrument_id", "quantity")


def _sampled(session: Session) -> list[int]:
    """Some seconds, ns, spread over those that have exposures."""
    priced = scan(session, GEX, ["window_end", "gex"]).filter(pl.col("gex").is_not_null())
    seconds = collect(priced.select(pl.col("window_end").to_physical()).unique())["window_end"].sort().to_list()
    if not seconds:
        return []
    places = np.linspace(0, len(seconds) - 1, min(SAMPLED_SECONDS, len(seconds))).round().astype(int)
    return [seconds[i] for i in sorted(set(places.tolist()))]


def _recomputed(session: Session, chain: Chain, second: int) -> pl.DataFrame:
    """The grid of a second beside exposures recomputed strike by strike; null where a quote is missing."""
    held = (chain.known_from < second) & (second <= chain.known_until) & (chain.expiration - second >= 60_000_000_000)
    series = pl.DataFrame(
        {
            "instrument_id": chain.instrument_id[held].astype(np.uint32),
            "expiration": pl.Series(chain.expiration[held]),
            "underlying": pl.Series(chain.underlying[held].tolist(), dtype=pl.String),
            "strike_price_int": chain.strike_price_int[held],
            "is_call": chain.is_call[held],
            "multiplier": chain.multiplier[held],
        }
    )
    at = pl.col("window_end").to_physical()
    forwards = collect(
        scan(session, OPTION_FORWARD, ["window_end", "expiration", "underlying", "years", "forward"])
        .filter(at == second)
        .select(pl.col("expiration").to_physical(), "underlying", "years", "forward")
    )
    quotes = collect(scan(session, OPTION_QUOTE, ["window_end", "instrument_id", "iv"]).filter(at <= second))
    last = quotes.group_by("instrument_id", maintain_order=True).last().select("instrument_id", "iv")
    options = (
        series.join(forwards, on=["expiration", "underlying"], how="left")
        .join(last, on="instrument_id", how="left")
        .join(_interest(session, second), on="instrument_id", how="left")
    )
    strike = pl.col("strike_price_int") / 1e9
    is_out = pl.col("is_call") == (strike >= pl.col("forward"))
    same = ["expiration", "underlying", "strike_price_int"]
    volatility = pl.coalesce(pl.col("iv").filter(is_out).first().over(same), pl.col("iv").first().over(same))
    options = options.with_columns(volatility=volatility.cast(pl.Float64))
    total = pl.col("volatility") * pl.col("years").sqrt()
    d1 = (pl.col("forward") / strike).log() / total + total / 2
    rate = session.lake.settings.options.rate
    gamma = (-rate * pl.col("years") - d1**2 / 2).exp() / (pl.col("forward") * total * (2 * np.pi) ** 0.5)
    money = gamma * pl.col("quantity") * pl.col("multiplier") * pl.col("forward") ** 2 * 0.01
    options = options.with_columns(money=money).filter(pl.col("quantity").is_not_null())
    by_strike = options.group_by("strike_price_int").agg(
        *(
            pl.when((chosen & pl.col("money").is_null()).any() | ~chosen.any())
            .then(None)
            .otherwise(sign * pl.col("money").filter(chosen).sum())
            .alias(f"{name}_again")
            for name, sign, chosen in (
                ("gex_call", 1, pl.col("is_call")),
                ("gex_put", -1, ~pl.col("is_call")),
            )
        )
    )
    grid = collect(scan(session, GEX, [*_KEY, "gex_call", "gex_put"]).filter(at == second))
    return grid.join(by_strike, on="strike_price_int", how="left")


def _at(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)
