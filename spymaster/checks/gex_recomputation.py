"""Gamma exposure recomputed from quotes, forwards and open interest, without the code that makes it.

For some seconds: the last quotes and the open interest known by then, what was traded so far, each option's own gamma,
no smoothing. Smoothing is why exposures need not be equal, and what the limits allow for; a wrong unit, sign,
multiplier or join is far outside of them. Open interest needs no gamma and has to be equal. What an option is comes
from its definition; only which options belong to the session is taken from the code that made the surface.

What is null is compared too. An exposure has to be there where an option's own quote gives one and a fresh quote out of
the money says that its expiration has a smile; it must not be there without an option of known open interest, or where
no expiration has a forward and a single volatility. Between the two it is left to the smile.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
import polars as pl

from spymaster.checks.base import MAX_EXAMPLES, Finding, Session, Suite, check
from spymaster.checks.frames import (
    MUTED_NS,
    OPTION_DEFINITION,
    OPTION_FORWARD,
    OPTION_QUOTE,
    OPTION_STATISTICS,
    SECOND_NS,
    SELECTION,
    SNAPSHOT,
    collect,
    scan,
)
from spymaster.checks.gex import GEX, interest_of
from spymaster.checks.listed import chain_of
from spymaster.options.chain import Chain

SAMPLED_SECONDS = 7
SUM_LIMIT = 0.10
STRIKE_LIMIT = 0.25
"""Of the largest exposure of the second."""
FRESH_NS = 5_000_000_000
"""A quote of this age is never stale."""
_EXPOSURES: Final = ("gex_call", "gex_put", "flow_gex")
_INTEREST: Final = ("oi_call", "oi_put")
_STRIKE: Final = ["expiration", "underlying", "strike_price_int"]


@check(
    GEX, OPTION_QUOTE, OPTION_FORWARD, OPTION_DEFINITION, OPTION_STATISTICS, SNAPSHOT, SELECTION, suite=Suite.PHYSICS
)  # fmt: skip
def equal_recomputation(session: Session) -> Finding:
    """Exposures and open interest of some seconds are those recomputed from quotes and statistics by other code.

    Of calls and of puts: the sum over strikes within 10 %, each strike within a quarter of the largest. Of the
    session's flow: what all strikes are off by within 10 % of its gross, each strike within a quarter of the largest.
    Open interest is equal; nothing is null that can be told, and nothing that cannot is there.
    """
    chain = chain_of(session)
    worst_sum = worst_strike = 0.0
    compared = equal = 0
    off: list[str] = []
    for second in _sampled(session, chain):
        rows = _recomputed(session, chain, second)
        for name in _EXPOSURES:
            again, stored = pl.col(f"{name}_again"), pl.col(name)
            pairs = rows.filter(again.is_not_null() & stored.is_not_null())
            missing = rows.filter(stored.is_null() & pl.col(f"{name}_told"))
            made_up = rows.filter(stored.is_not_null() & ~pl.col(f"{name}_possible"))
            off += _named(second, missing, f"{name} is null and can be told")
            off += _named(second, made_up, f"{name} is there and cannot be told")
            compared += pairs.height
            sums, strikes = _misses(pairs, name)
            worst_sum, worst_strike = max(worst_sum, sums), max(worst_strike, strikes)
            if sums > SUM_LIMIT or strikes > STRIKE_LIMIT:
                off.append(f"{_at(second)} {name}: sum off by {sums:.1%}, a strike by {strikes:.1%}")
        for name in _INTEREST:
            off += _named(second, rows.filter(pl.col(name).ne_missing(pl.col(f"{name}_again"))), f"{name} differs")
            equal += rows.height
    return Finding(
        len(off),
        f"{compared} exposures recomputed; sums within {worst_sum:.1%}, strikes within {worst_strike:.1%}"
        + (f"; first of {len(off)}: {off[0]}" if off else ""),
        {"compared": compared, "interest": equal, "worst_sum": worst_sum, "worst_strike": worst_strike},
        tuple(off[:MAX_EXAMPLES]),
    )


def _misses(pairs: pl.DataFrame, name: str) -> tuple[float, float]:
    """By which shares the sum and the worst strike are off; (0, 0) where too few strikes are there to say."""
    if pairs.height < 3:
        return 0.0, 0.0
    off = pairs[name].to_numpy() - pairs[f"{name}_again"].to_numpy()
    again = pairs[f"{name}_again"].to_numpy()
    largest = float(np.abs(again).max())
    if not largest > 0:
        return (float("inf"), float("inf")) if np.abs(off).max() > 0 else (0.0, 0.0)
    if name == "flow_gex":  # its sum may be about 0, which is no measure
        return float(np.abs(off).sum() / pairs["flow_gross"].sum()), float(np.abs(off).max()) / largest
    return abs(float(off.sum())) / abs(float(again.sum())), float(np.abs(off).max()) / largest


def _named(second: int, rows: pl.DataFrame, what: str) -> list[str]:
    """A violation of each row, in words."""
    return [f"{_at(second)} {strike / 1e9:g}: {what}" for strike in rows["strike_price_int"].to_list()]


def _sampled(session: Session, chain: Chain) -> list[int]:
    """Some seconds, ns, spread over those that have to have a grid."""
    if not len(chain):
        return []
    at = pl.col("window_end").to_physical()
    known = pl.col("spot_ref_price_int").is_not_null() & (at > int(chain.known_from.min()))
    rows = scan(session, SNAPSHOT, ["window_end", "spot_ref_price_int"]).filter(known)
    seconds = collect(rows.select(at))["window_end"].sort().to_list()
    places = np.linspace(0, len(seconds) - 1, min(SAMPLED_SECONDS, len(seconds))).round().astype(int)
    return [seconds[i] for i in sorted(set(places.tolist()))]


def _options(chain: Chain, second: int) -> pl.DataFrame:
    """The options that count in a second, each with `since`, from when on what is said of its number is said of it.

    A new version keeps open interest and flow unless it is another option; after a withdrawal it never does.
    """
    n = len(chain)
    same_number = np.zeros(n, bool)
    same_number[1:] = chain.instrument_id[1:] == chain.instrument_id[:-1]
    goes_on = same_number.copy()
    goes_on[1:] &= chain.known_from[1:] == chain.known_until[:-1]
    for column in (chain.expiry, chain.strike_price_int, chain.is_call):
        goes_on[1:] &= column[1:] == column[:-1]
    first = np.maximum.accumulate(np.where(goes_on, 0, np.arange(n)))
    before = np.where(same_number[first], chain.known_until[np.maximum(first - 1, 0)] // SECOND_NS * SECOND_NS, -1)
    held = (chain.known_from < second) & (second <= chain.known_until) & (chain.expiration - second >= MUTED_NS)
    return pl.DataFrame(
        {
            "instrument_id": chain.instrument_id[held].astype(np.uint32),
            "listed": chain.known_from[first][held],
            "since": before[held],
        }
    )


def _as_defined(session: Session, options: pl.DataFrame, second: int) -> pl.DataFrame:
    """Options with strike, right, expiration and multiplier as the last definition before the second has them."""
    received = pl.col("ts_recv").to_physical()
    columns = ["instrument_id", "ts_recv", "expiration", "underlying", "strike_price_int", "right", "multiplier"]
    last = (
        collect(scan(session, OPTION_DEFINITION, columns).filter(received < second))
        .sort("ts_recv", maintain_order=True)
        .group_by("instrument_id")
        .last()
        .select(
            "instrument_id",
            pl.col("expiration").to_physical(),
            "underlying",
            "strike_price_int",
            is_call=pl.col("right").cast(pl.String) == "C",
            multiplier="multiplier",
        )
    )
    return options.join(last, on="instrument_id", how="left")


def _recomputed(session: Session, chain: Chain, second: int) -> pl.DataFrame:
    """The grid of a second beside what is recomputed strike by strike.

    `NAME_again` is null where a quote is missing; `NAME_told` says that some part of it is known, `NAME_possible` that
    some part of it may be.
    """
    options = _as_defined(session, _options(chain, second), second)
    at = pl.col("window_end").to_physical()
    forwards = collect(
        scan(session, OPTION_FORWARD, ["window_end", "expiration", "underlying", "years", "forward"])
        .filter(at == second)
        .select(pl.col("expiration").to_physical(), "underlying", "years", "forward")
    )
    last = ("window_end", "bid_price_int", "ask_price_int", "iv", "gamma")
    quotes = collect(
        scan(session, OPTION_QUOTE, ["instrument_id", "buy_volume", "sell_volume", *last])
        .filter(at <= second)
        .join(options.lazy().select("instrument_id", "listed"), on="instrument_id", how="inner")
        .filter(at > pl.col("listed"))
        .group_by("instrument_id")
        .agg(pl.col(last).sort_by("window_end").last(), taken=(pl.col("sell_volume") - pl.col("buy_volume")).sum())
    )
    interest = interest_of(session, second)
    options = (
        options.join(forwards, on=["expiration", "underlying"], how="left")
        .join(quotes, on="instrument_id", how="left")
        .join(interest, on="instrument_id", how="left")
        .with_columns(
            quantity=pl.when(pl.col("received") > pl.col("since")).then("quantity"),
            taken=pl.col("taken").fill_null(0),
        )
    )
    by_strike = _by_strike(_with_money(options, second, session.lake.settings.options.rate))
    columns = ["window_end", "strike_price_int", *_EXPOSURES, *_INTEREST]
    grid = collect(scan(session, GEX, columns).filter(at == second))
    nothing = pl.col("^.*_(told|possible)$").fill_null(False)
    return grid.join(by_strike, on="strike_price_int", how="left").with_columns(nothing)


def _with_money(options: pl.DataFrame, second: int, rate: float) -> pl.DataFrame:
    """Options with `money`, the exposure of one contract bought by dealers, and what their expiration has.

    `has_smile`: a fresh quote out of the money is in it; `may_have_smile`: any volatility and a forward are.
    """
    strike = pl.col("strike_price_int") / 1e9
    is_out = pl.col("is_call") == (strike >= pl.col("forward"))
    expiry = ["expiration", "underlying"]
    age = second - pl.col("window_end").to_physical()
    precise = (pl.col("ask_price_int") > pl.col("bid_price_int")) & (pl.col("gamma") > 0)
    fresh = is_out & pl.col("iv").is_not_null() & precise & (age <= FRESH_NS)
    volatility = pl.coalesce(pl.col("iv").filter(is_out).first().over(_STRIKE), pl.col("iv").first().over(_STRIKE))
    total = pl.col("volatility") * pl.col("years").sqrt()
    d1 = (pl.col("forward") / strike).log() / total + total / 2
    gamma = (-rate * pl.col("years") - d1**2 / 2).exp() / (pl.col("forward") * total * (2 * np.pi) ** 0.5)
    return options.with_columns(
        volatility=volatility.cast(pl.Float64),
        has_smile=fresh.fill_null(False).any().over(expiry),
        may_have_smile=(pl.col("iv").is_not_null() & pl.col("forward").is_not_null()).any().over(expiry),
    ).with_columns(money=gamma * pl.col("multiplier") * pl.col("forward") ** 2 * 0.01)


def _by_strike(options: pl.DataFrame) -> pl.DataFrame:
    """Sums of the options of each strike over their expirations, and whether these can be told."""
    money, lots, taken = pl.col("money"), pl.col("quantity"), pl.col("taken")
    known = lots.is_not_null()
    aggregated: dict[str, pl.Expr] = {}
    for name, interest, sign, right in (
        ("gex_call", "oi_call", 1, pl.col("is_call")),
        ("gex_put", "oi_put", -1, ~pl.col("is_call")),
    ):
        counts = right & known
        aggregated |= _exposure(name, counts, counts, sign * (money * lots))
        aggregated[f"{interest}_again"] = pl.when(counts.any()).then(lots.filter(counts).sum())
    aggregated |= _exposure("flow_gex", pl.lit(True), taken != 0, money * taken)
    rows = options.group_by("strike_price_int").agg(**aggregated)
    moved = pl.col("money") * pl.col("taken")
    gross = options.group_by(_STRIKE).agg(moved.sum().abs().alias("flow_gross"))
    return rows.join(
        gross.group_by("strike_price_int").agg(pl.col("flow_gross").sum()), on="strike_price_int", how="left"
    )


def _exposure(name: str, counts: pl.Expr, weighs: pl.Expr, value: pl.Expr) -> dict[str, pl.Expr]:
    """An exposure from the options that `counts`, of which those that `weighs` have to be priced."""
    told = counts & pl.col("money").is_not_null() & pl.col("has_smile")
    return {
        f"{name}_again": pl.when((weighs & value.is_null()).any() | ~told.any()).then(None).otherwise(
            value.filter(weighs).sum()
        ),
        f"{name}_told": told.any(),
        f"{name}_possible": (counts & pl.col("may_have_smile")).any(),
    }  # fmt: skip


def _at(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, UTC):%H:%M:%S}"
