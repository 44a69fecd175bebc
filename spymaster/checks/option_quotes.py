"""Integrity of `option_quote_1s` and `option_forward_1s`: forwards of the future, prices that mean what they say.

Volatilities are not inverted again but put back into Black-76, in NumPy and apart from `spymaster.options`: a price
must come out between bid and ask, delta and gamma must be those stored.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from spymaster.checks.base import Finding, Session, Severity, Suite, check
from spymaster.checks.frames import (
    MUTED_NS,
    OPTION_DEFINITION,
    OPTION_FORWARD,
    OPTION_QUOTE,
    SELECTION,
    SNAPSHOT,
    collect,
    finding,
    scan,
    violations,
)
from spymaster.checks.listed import chain_of, listed_seconds

GAP_TICKS, GAP_SECONDS = 2.0, 60
SAMPLE_WINDOWS = 120
TOLERANCE = 1e-4
"""Relative, of greeks recomputed from a float32 volatility; gamma in the wings goes with its square."""
SLACK = 2e-6
"""Share of the forward's size by which a price from a float32 volatility may miss its quote."""
LEAST_PRICED = 0.2
_EXPIRY = ("expiration", "underlying")


@check(OPTION_FORWARD, SNAPSHOT, suite=Suite.PHYSICS, blocking=True)
def forward_of_future(session: Session) -> Finding:
    """A forward that is said to be the future's is the mid of that second's snapshot, whose book is known."""
    rows = scan(session, OPTION_FORWARD, ["window_end", "expiration", "forward", "forward_source"])
    mids = scan(session, SNAPSHOT, ["window_end", "book_valid", "mid_price"])
    both = rows.filter(pl.col("forward_source") == "future").join(mids, on="window_end", how="left")
    bad = both.filter((~pl.col("book_valid") | (pl.col("forward") != pl.col("mid_price"))).fill_null(True))
    return violations(bad.sort("window_end", "expiration"), "forward = mid of the future")


@check(OPTION_FORWARD, SNAPSHOT, suite=Suite.PHYSICS, severity=Severity.WARN)
def parity_gap(session: Session) -> Finding:
    """While the market trades, parity and the mid of the future are never over 2 ticks apart for over a minute.

    Options that disagree with their future are stale, of another future, or priced at another rate. Each violation is
    one stretch of seconds.
    """
    rows = scan(session, OPTION_FORWARD, ["window_end", *_EXPIRY, "parity_gap_ticks"])
    trading = scan(session, SNAPSHOT, ["window_end", "phase"]).filter(pl.col("phase") == "continuous")
    rows = rows.join(trading.select("window_end"), on="window_end", how="semi").sort(*_EXPIRY, "window_end")
    far = (pl.col("parity_gap_ticks").abs() > GAP_TICKS).fill_null(False)
    known = pl.col("parity_gap_ticks").is_not_null()
    begins = (far != far.shift(1)) | (pl.col("window_end").diff() != pl.duration(seconds=1))
    stretch = begins.fill_null(True).cum_sum().over(_EXPIRY)
    marked = collect(rows.with_columns(stretch=stretch, far=far, known=known))
    apart = marked["parity_gap_ticks"].abs().cast(pl.Float64).to_numpy()
    runs = marked.filter("far").group_by(*_EXPIRY, "stretch", maintain_order=True)
    long = runs.agg(
        pl.col("window_end").first(), seconds=pl.len(), worst_ticks=pl.col("parity_gap_ticks").abs().max()
    ).filter(pl.col("seconds") > GAP_SECONDS)
    compared = int(marked["known"].sum())
    return finding(
        long.height,
        long.select("window_end", "expiration", "seconds", "worst_ticks"),
        f"parity is within {GAP_TICKS:g} ticks of the future, but for {GAP_SECONDS} s at most",
        compared=compared,
        share_apart=int(marked["far"].sum()) / max(compared, 1),
        median_ticks=float(np.nanmedian(apart)) if compared else None,
    )


@check(OPTION_FORWARD, OPTION_QUOTE, OPTION_DEFINITION, SNAPSHOT, SELECTION, suite=Suite.DATA)
def windows_contiguous(session: Session) -> Finding:
    """Each expiration has one row in every second of the session in which an option of it is listed, and no other.

    None once it is over. The session goes from the first to the last second of the future's snapshot, of quotes or of
    forwards, whichever is farther out.
    """
    ends = [
        collect(scan(session, table, ["window_end"]).select(pl.col("window_end").to_physical()))["window_end"]
        for table in (OPTION_FORWARD, OPTION_QUOTE, SNAPSHOT)
    ]
    if not len(ends[0]) and not len(ends[1]):
        return Finding(0, "no options", {"rows": 0})
    told = [column for column in ends if len(column)]
    first, last = (int(function(function(column) for column in told)) for function in (min, max))
    wanted = listed_seconds(chain_of(session), first, last).lazy().with_columns(expected=pl.lit(True))
    rows = scan(session, OPTION_FORWARD, ["window_end", *_EXPIRY]).group_by("window_end", *_EXPIRY).len("rows")
    both = collect(wanted.join(rows, on=["window_end", *_EXPIRY], how="full", coalesce=True))
    bad = both.filter(~(pl.col("expected") & (pl.col("rows") == 1)).fill_null(False)).sort("window_end", *_EXPIRY)
    return finding(bad.height, bad, "a row every second while an option of the expiration is listed", rows=both.height)


@check(OPTION_QUOTE, suite=Suite.DATA)
def rejects_counted(session: Session) -> Finding:
    """Rows by reject reason are as many as the pass counted; their shares are in the metadata."""
    counted = session.partition(OPTION_QUOTE).manifest.counters
    rows = collect(scan(session, OPTION_QUOTE, ["reject_reason"]).group_by("reject_reason").len())
    found = {f"rejected_{reason}" if reason else "priced": count for reason, count in rows.iter_rows()}
    total = sum(found.values())
    names = sorted(found.keys() | {name for name in counted if name.startswith("rejected_") or name == "priced"})
    wrong = [
        (name, found.get(name, 0), counted.get(name, 0)) for name in names if found.get(name, 0) != counted.get(name, 0)
    ]
    first = pl.DataFrame(wrong, schema=["name", "rows", "counted"], orient="row")
    shares = {f"share_{name}": count / total for name, count in sorted(found.items())}
    return finding(len(wrong), first, "rows by reason are those counted", quotes=total, **shares)


@check(OPTION_QUOTE, suite=Suite.DATA, severity=Severity.WARN)
def priced_share(session: Session) -> Finding:
    """At least a fifth of the rows with a bid and an ask have a volatility."""
    two_sided = pl.col("mid").is_not_null()
    rows = scan(session, OPTION_QUOTE, ["mid", "iv"])
    has_iv = two_sided & pl.col("iv").is_not_null()
    total, priced = collect(rows.select(total=two_sided.sum(), priced=has_iv.sum())).row(0)
    share = priced / total if total else 1.0
    message = f"{share:.0%} of {total:,} two-sided quotes have a volatility (limit {LEAST_PRICED:.0%})"
    return Finding(int(share < LEAST_PRICED), message, {"two_sided": total, "share": share})


@check(OPTION_QUOTE, OPTION_DEFINITION, suite=Suite.DATA, blocking=True)
def options_defined(session: Session) -> Finding:
    """Every row is of a call or put whose definition had been received by then and was in force."""
    rows = scan(session, OPTION_QUOTE, ["window_end", "instrument_id"])
    bad = collect(_with_versions(session, rows).filter(pl.col("right").is_null() | pl.col("is_deleted")))
    return finding(bad.height, bad.select("window_end", "instrument_id"), "rows of defined calls and puts")


@check(OPTION_QUOTE, OPTION_FORWARD, OPTION_DEFINITION, suite=Suite.PHYSICS, blocking=True)
def equal_recomputation(session: Session) -> Finding:
    """On a sample of seconds, volatilities give prices between bid and ask, greeks follow, and rejects are right.

    Reasons are worked out again for options out of the money, whose own quote decides. The price of one in the money is
    held against its own quote or its sibling's, where that has a row in the same second.
    """
    told = _sample(session)
    if told.is_empty():
        return Finding(0, "no quote to recompute", {"rows": 0})
    priced = told.filter(pl.col("iv").is_not_null())
    value, delta, gamma = _black76(priced)
    slack = SLACK * priced["forward"].to_numpy()
    out = priced["is_out"].to_numpy()
    carry = np.abs(priced["forward"].to_numpy() - priced["strike"].to_numpy()) * priced["discount"].to_numpy()
    own = [priced[name].cast(pl.Float64).to_numpy() * 1e-9 for name in ("bid_price_int", "ask_price_int")]
    of_sibling = [priced[f"sibling_{name}"].cast(pl.Float64).to_numpy() * 1e-9 + carry for name in ("bid", "ask")]
    within = (value >= own[0] - slack) & (value <= own[1] + slack)
    unseen = np.isnan(of_sibling[0]) & np.isnan(of_sibling[1])
    beside = (value >= of_sibling[0] - slack) & (value <= of_sibling[1] + slack)
    wrong = ~np.where(out, within, within | beside | unseen)
    for name, exact in (("delta", delta), ("gamma", gamma)):
        wrong |= np.abs(priced[name].to_numpy() - exact) > TOLERANCE * np.maximum(np.abs(exact), 1e-7)
    outside = told.filter("is_out")
    misjudged = outside.filter(pl.col("reject_reason").cast(pl.String).ne_missing(_reason()))
    columns = ["window_end", "instrument_id", "bid_price_int", "ask_price_int", "iv", "delta", "gamma", "reject_reason"]
    bad = pl.concat([priced.filter(pl.Series(wrong)), misjudged]).select(columns).unique(maintain_order=True)
    return finding(
        bad.height,
        bad,
        "price(iv) lies in the quote, greeks and rejects follow",
        rows=told.height,
        priced=priced.height,
        judged=outside.height,
    )


def _reason() -> pl.Expr:
    """Reject reason of an out-of-the-money row by its own quote; no_arbitrage is left to the volatility."""
    bid, ask = pl.col("bid_price_int"), pl.col("ask_price_int")
    tick = pl.col("tick_size_int").fill_null(0)
    left = (pl.col("expiration") - pl.col("window_end")).dt.total_nanoseconds()
    rules = {
        "invalid_book": ~pl.col("valid"),
        "muted": left < MUTED_NS,
        "one_sided": bid.is_null() | ask.is_null(),
        "crossed": bid > ask,
        "minimum_tick": bid <= tick,
        "wide": 4 * (ask - bid) > bid + ask,
        "no_forward": pl.col("forward").is_null(),
        "no_arbitrage": (bid + ask) / 2 >= 1e9 * pl.min_horizontal("forward", "strike") * pl.col("discount"),
    }
    return pl.coalesce([pl.when(rule).then(pl.lit(name)) for name, rule in rules.items()])


def _black76(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Price, delta and gamma of rows by the formulas of Black (1976)."""
    forward, strike, years, discount, iv = (
        rows[name].cast(pl.Float64).to_numpy() for name in ("forward", "strike", "years", "discount", "iv")
    )
    total = iv * np.sqrt(years)
    d1 = np.log(forward / strike) / total + total / 2
    sign = np.where((rows["right"] == "C").to_numpy(), 1.0, -1.0)
    below = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), otypes=[float])
    value = discount * sign * (forward * below(sign * d1) - strike * below(sign * (d1 - total)))
    gamma = discount * np.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi) / (forward * total)
    return value, discount * sign * below(sign * d1), gamma


def _sample(session: Session) -> pl.DataFrame:
    """Rows of some seconds with their definition, forward and discount, and the sibling's quote of that second."""
    windows = collect(scan(session, OPTION_QUOTE, ["window_end"]).unique()).sort("window_end")
    chosen = windows.gather_every(max(windows.height // SAMPLE_WINDOWS, 1))["window_end"]
    rows = scan(session, OPTION_QUOTE).filter(pl.col("window_end").is_in(chosen.implode()))
    told = collect(_with_versions(session, rows))
    forwards = collect(scan(session, OPTION_FORWARD).filter(pl.col("window_end").is_in(chosen.implode())))
    keys = ["window_end", *_EXPIRY]
    told = told.join(forwards.select(*keys, "forward", "years"), on=keys, how="left")
    rate = session.lake.settings.options.rate
    is_call = pl.col("right") == "C"
    told = told.with_columns(
        strike=pl.col("strike_price_int") * 1e-9, discount=(-rate * pl.col("years")).exp()
    ).with_columns(is_out=(is_call == (pl.col("strike") >= pl.col("forward"))).fill_null(True))
    other = pl.when(is_call).then(pl.lit("P")).otherwise(pl.lit("C")).cast(told.schema["right"])
    sibling = told.select(
        *keys, "strike_price_int", right=other,
        sibling_bid="bid_price_int", sibling_ask="ask_price_int",
    ).unique([*keys, "strike_price_int", "right"])  # fmt: skip
    return told.join(sibling, on=[*keys, "strike_price_int", "right"], how="left").sort("window_end", "instrument_id")


def _with_versions(session: Session, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows with the last definition of their instrument that had been received before the window ended."""
    columns = ["instrument_id", "ts_recv", "right", "strike_price_int", "expiration", "underlying", "tick_size_int",
               "is_deleted"]  # fmt: skip
    known = scan(session, OPTION_DEFINITION, columns).sort("ts_recv")
    return rows.sort("window_end").join_asof(
        known,
        left_on="window_end",
        right_on="ts_recv",
        by="instrument_id",
        allow_exact_matches=False,
        check_sortedness=False,
    )
