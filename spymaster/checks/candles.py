"""Data integrity of `candle_2m`: everything that traded is in a candle, and the averages are those of the closes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import CANDLE, MBO, SNAPSHOT, TRADE, collect, finding, scan
from spymaster.lake.partition import Partition
from spymaster.market.dbn import F_SNAPSHOT

TOLERANCE = 1e-9
"""Relative difference of an average, or of a sigma, from its recomputation."""


def _bar(name: str) -> pl.Expr:
    return pl.col(name).dt.truncate("2m").alias("bar_start")


@check(CANDLE, TRADE, suite=Suite.DATA, blocking=True)
def trades_counted_once(session: Session) -> Finding:
    """Trade events of a candle's two minutes are in it: at the market or as off the market, and no others.

    With all of them at the market, prices and quantities are those of the events, and without one the last close; with
    some off the market, they lie within what was traded.
    """
    qty, price, side = pl.col("qty"), pl.col("price_int"), pl.col("aggressor").cast(pl.String)
    sums = {"volume": qty.sum()} | {
        f"{name}_volume": qty.filter(side == code).sum() for name, code in (("buy", "B"), ("sell", "A"), ("none", "N"))
    }
    prices = {"open": price.first(), "high": price.max(), "low": price.min(), "close": price.last()}
    base = pl.col("vwap_price_int").first()
    off_base = ((pl.col("vwap_price_int") - base) * qty).sum() / qty.sum()
    trades = (
        scan(session, TRADE, ["ts_event", "qty", "price_int", "vwap_price_int", "aggressor"])
        .group_by(_bar("ts_event"), maintain_order=True)
        .agg(
            events=pl.len(),
            expected_vwap=pl.when(qty.sum() > 0).then(base + off_base.round().cast(pl.Int64)),
            **{f"expected_{name}": value for name, value in (sums | prices).items()},
        )
    )
    counts = ["events", *(f"expected_{name}" for name in sums)]
    bars = (
        scan(session, CANDLE)
        .join(trades, on="bar_start", how="left")
        .with_columns(pl.col(counts).fill_null(0))
        .sort("bar_start")
        .with_columns(last_close=pl.col("close_price_int").shift(1))
    )
    whole, carried = pl.col("n_off_market") == 0, pl.col("n_trades") == 0
    low, high = pl.col("expected_low"), pl.col("expected_high")
    wrong = [pl.col("n_trades") + pl.col("n_off_market") != pl.col("events")]
    for name in sums:
        stored, expected = pl.col(name), pl.col(f"expected_{name}")
        wrong.append(pl.when(whole).then(stored.ne_missing(expected)).otherwise((stored > expected).fill_null(True)))
    for name in prices:
        stored, expected = pl.col(f"{name}_price_int"), pl.col(f"expected_{name}")
        wrong.append(
            pl.when(carried)
            .then(stored.ne_missing(pl.col("last_close")))
            .when(whole)
            .then(stored.ne_missing(expected))
            .otherwise(~stored.is_between(low, high).fill_null(False))
        )
    wrong.append(whole & pl.col("vwap_price_int").ne_missing(pl.col("expected_vwap")))
    bad = bars.filter(pl.any_horizontal(wrong)).select(
        "bar_start",
        "n_trades",
        "n_off_market",
        "events",
        "volume",
        "expected_volume",
        "high_price_int",
        "expected_high",
    )
    found = collect(bad)
    off = int(collect(scan(session, CANDLE, ["n_off_market"]).select(pl.col("n_off_market").sum())).item() or 0)
    return finding(found.height, found, "every trade event in its candle", off_market=off)


@check(CANDLE, SNAPSHOT, suite=Suite.DATA, blocking=True)
def candles_of_trading_hours(session: Session) -> Finding:
    """A candle for every two minutes with a second of trading hours, with its messages, flags and sigma; no others.

    Its number counts from 09:30 New York of its session.
    """
    trading = pl.col("phase").cast(pl.String) == "continuous"
    usable = pl.col("book_valid") & ~pl.col("crossed")
    marks = (
        scan(session, SNAPSHOT, ["window_end", "mid_price_int", "book_valid", "crossed"])
        .filter(pl.col("window_end").dt.truncate("15s") == pl.col("window_end"))
        .sort("window_end")
        .with_columns(mid=pl.when(usable).then(pl.col("mid_price_int")) / session.tick_size_int)
        .with_columns(
            change=pl.when(pl.col("window_end").diff() == timedelta(seconds=15)).then(pl.col("mid").diff()),
            bar_start=pl.col("window_end").dt.offset_by("-1s").dt.truncate("2m"),
        )
        .group_by("bar_start")
        .agg(n=pl.col("change").count(), square=pl.col("change").pow(2).mean())
        .select("bar_start", sigma=pl.when(pl.col("n") >= 4).then((pl.col("square") * 8).sqrt()))
    )
    expected = (
        scan(session, SNAPSHOT, ["window_start", "message_count", "phase", "book_valid", "is_partial"])
        .group_by(_bar("window_start"))
        .agg(
            messages=pl.col("message_count").cast(pl.Int64).sum(),
            trades_at_all=trading.any(),
            halted=(~(trading & pl.col("book_valid"))).any(),
            whole=(pl.len() == 120) & ~pl.col("is_partial").any(),
        )
        .filter("trades_at_all")
        .join(marks, on="bar_start", how="left")
    )
    opens = (
        pl.col("session_date").cast(pl.Datetime("ns")).dt.offset_by("9h30m").dt.replace_time_zone("America/New_York")
    )
    names = ["bar_start", "session_date", "candle_id", "n_msgs", "is_halt", "is_complete", "sigma_bar_ticks"]
    stored = scan(session, CANDLE, names).with_columns(
        number=(pl.col("bar_start") - opens.dt.convert_time_zone("UTC")).dt.total_seconds() // 120
    )
    both = collect(stored.join(expected, on="bar_start", how="full", coalesce=True))
    sigma = pl.col("sigma_bar_ticks")
    same = (
        pl.col("n_msgs").eq_missing(pl.col("messages"))
        & pl.col("is_halt").eq_missing(pl.col("halted"))
        & pl.col("is_complete").eq_missing(pl.col("whole"))
        & pl.col("candle_id").eq_missing(pl.col("number"))
        & (sigma.is_null() == pl.col("sigma").is_null())
        & ((sigma - pl.col("sigma")).abs() <= TOLERANCE * pl.col("sigma")).fill_null(True)
    )
    bad = both.filter(~same).sort("bar_start").drop("session_date")
    return finding(
        bad.height, bad, "one candle per two minutes of trading hours, as the seconds say", candles=both.height
    )


@check(CANDLE, suite=Suite.DATA, blocking=True)
def averages_recomputed(session: Session) -> Finding:
    """Averages are the means of the last 200 and 400 closes of this date and up to five earlier ones.

    Not judged where averages are of regular hours only, or an earlier date has no candles although its trades are read.
    """
    if session.lake.settings.setups.sma_calendar != "globex":
        return Finding(0, "averages of regular hours only: not recomputed", {"candles": 0})
    own = collect(scan(session, CANDLE))
    if own.is_empty():
        return Finding(0, "no candle", {"candles": 0})
    closes, complete = _closes(session, own)
    enters = ~own["is_halt"] & own["close_price_int"].is_not_null()
    position = (enters.cast(pl.Int64).cum_sum() + (len(closes) - int(enters.sum()))).to_list()
    wrong = own.select("bar_start", "sma200", "sma400").with_columns(
        _mean(closes, position, length).alias(f"expected{length}") for length in (200, 400)
    )
    differs = pl.lit(False)
    for length in (200, 400):
        stored, expected = pl.col(f"sma{length}"), pl.col(f"expected{length}")
        if not complete:  # closes of a date that was not made again are missing here
            stored = pl.when(expected.is_null()).then(None).otherwise(stored)
        off = ((stored - expected).abs() > TOLERANCE * expected.abs()).fill_null(False)
        differs = differs | off | (stored.is_null() != expected.is_null())
    bad = wrong.filter(differs)
    return finding(bad.height, bad, "averages are means of the closes", candles=own.height, earlier=len(closes))


@check(CANDLE, MBO, suite=Suite.DATA, blocking=True)
def roll_of_contracts(session: Session) -> Finding:
    """The roll is what the contracts' mids say where the contract is not that of the last candles before, else 0.

    Not judged where a date between, whose trades are read, has no candles made.
    """
    own = collect(scan(session, CANDLE, ["bar_start", "contract", "roll_adj_int"]))
    expected: int | None = 0
    for day in _earlier(session):
        if day is None:
            return Finding(0, "an earlier date has no candles made: roll not recomputed", {"candles": own.height})
        old = day.read(["contract"])["contract"]
        if old.is_empty():
            continue
        if own.height and old[0] != own["contract"][0]:
            mids = [_opening_mid2(session, contract) for contract in (own["contract"][0], old[0])]
            expected = None if mids[0] is None or mids[1] is None else (mids[0] - mids[1]) // 2
        break
    wanted = own.with_columns(expected=pl.lit(expected, pl.Int64))
    bad = wanted.filter(pl.col("roll_adj_int").ne_missing(pl.col("expected")))
    return finding(bad.height, bad, "the roll is that of the contracts of the candles", candles=own.height)


def _opening_mid2(session: Session, contract: str) -> int | None:
    """Best bid plus best ask of the orders that a contract's records open with, before the first live one."""
    columns = ["contract", "action", "side", "price_int", "flags"]
    records = scan(session, MBO, columns).filter(contract=contract).with_row_index()
    live = ((pl.col("flags") & F_SNAPSHOT) == 0) & (pl.col("action").cast(pl.String) != "R")
    first = collect(records.filter(live).head(1))["index"]
    head = records if first.is_empty() else records.filter(pl.col("index") < first[0])
    orders = collect(head.filter(pl.col("action").cast(pl.String) == "A").drop_nulls("price_int"))
    side = pl.col("side").cast(pl.String)
    bid, ask = orders.filter(side == "B")["price_int"], orders.filter(side == "A")["price_int"]
    return None if bid.is_empty() or ask.is_empty() else int(bid.max()) + int(ask.min())  # pyright: ignore[reportArgumentType]


def _earlier(session: Session) -> Iterator[Partition | None]:
    """Candles of the earlier dates whose trades were read, the latest first; None where they are not made."""
    read = {one.name.rsplit(" ", 1)[1] for one in session.partition(CANDLE).manifest.inputs if TRADE in one.name}
    start, end = session.dt - timedelta(days=7), session.dt - timedelta(days=1)
    made = {str(partition.dt): partition for partition in session.lake.partitions(CANDLE, session.symbol, start, end)}
    for day in sorted(read - {str(session.dt)}, reverse=True):
        yield made.get(day)


def _closes(session: Session, own: pl.DataFrame) -> tuple[list[int], bool]:
    """Closes that enter averages, of earlier dates first, at the prices of this date's contract."""
    shift = own["roll_adj_int"][0]
    closes, complete = _entering(own), True
    for partition in _earlier(session):
        if partition is None:  # not made again yet: what lies before it would join on in its place
            complete = False
            break
        if shift is None:
            break
        day = partition.read(["close_price_int", "is_halt", "roll_adj_int"])
        closes = [close + shift for close in _entering(day)] + closes
        roll = day["roll_adj_int"][0] if day.height else 0
        shift = None if roll is None else shift + roll
    return closes, complete


def _entering(bars: pl.DataFrame) -> list[int]:
    return bars.filter(~pl.col("is_halt"))["close_price_int"].drop_nulls().to_list()


def _mean(closes: list[int], position: list[int], length: int) -> pl.Series:
    means = [sum(closes[upto - length : upto]) / length / 1e9 if upto >= length else None for upto in position]
    return pl.Series(means, dtype=pl.Float64)
