"""Data integrity of `order_event` and `order_life`: they tell what trades, wall and each other tell."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import (
    ORDER_EVENT,
    ORDER_LIFE,
    TRADE,
    WALL,
    collect,
    finding,
    scan,
)

SAMPLED_WINDOWS = 300
"""Seconds in which the flow of every price is compared."""
SAMPLED_IDS = 16
"""One order id of so many is followed message by message."""

_FILLS = ("fill_partial", "fill_full", "refill")
_FLOWS = {"add_qty": "add", "pull_qty_total": "pull", "fill_qty": "fill"}
_COUNTS = {"n_reprice": "reprice", "n_size_up": "size_up", "n_size_down": "size_down", "n_refill": "refill"}


@check(ORDER_EVENT, TRADE, suite=Suite.DATA, blocking=True)
def prints_of_trades(session: Session) -> Finding:
    """The prints of an event add up to its trade: both passes number events alike and see the same quantities."""
    prints = (
        scan(session, ORDER_EVENT, ["event_id", "kind", "qty"])
        .filter(pl.col("kind").is_in(("trade", "trade_implied")))
        .group_by("event_id")
        .agg(printed=pl.col("qty").cast(pl.Int64).sum())
    )
    trades = scan(session, TRADE, ["event_id", "qty"])
    both = collect(trades.join(prints, on="event_id", how="full", coalesce=True))
    bad = both.filter(pl.col("qty").ne_missing(pl.col("printed"))).sort("event_id")
    return finding(bad.height, bad, "quantity of a trade = sum of its event's prints", trades=both.height)


@check(ORDER_EVENT, WALL, suite=Suite.DATA, blocking=True)
def flow_of_wall(session: Session) -> Finding:
    """What messages add, pull and fill at a price in a second is the wall's flow there.

    Compared in up to 300 valid seconds of the session, evenly spread.
    """
    valid = collect(scan(session, WALL, ["window_end", "window_valid"]).filter("window_valid").unique())
    ends = valid["window_end"].sort()
    chosen = ends.gather_every(max(-(-len(ends) // SAMPLED_WINDOWS), 1))
    wall = collect(
        scan(session, WALL, ["window_end", "price_int", "side", *_FLOWS]).filter(
            pl.col("window_end").is_in(chosen.implode())
        )
    ).with_columns(pl.col("side").cast(pl.String))
    window = pl.col("ts_event").dt.truncate("1s").dt.offset_by("1s")
    columns = ["ts_event", "kind", "side", "price_int", "prev_price_int", "qty", "size_before", "size_after"]
    messages = collect(
        scan(session, ORDER_EVENT, columns)
        .with_columns(window_end=window)
        .filter(pl.col("window_end").is_in(chosen.implode()))
    )
    joined = wall.join(_flows(messages), on=["window_end", "price_int", "side"], how="left").fill_null(0)
    differs = pl.any_horizontal(pl.col(name) != pl.col(flow) for name, flow in _FLOWS.items())
    bad = joined.filter(differs)
    return finding(
        bad.height, bad, "flow of the messages = flow of the wall", windows=len(chosen), compared=joined.height
    )


def _flows(messages: pl.DataFrame) -> pl.DataFrame:
    """Lots added, pulled and filled by second, price and side."""
    kind, qty = pl.col("kind").cast(pl.String), pl.col("qty").cast(pl.Int64)
    before, after = pl.col("size_before").cast(pl.Int64), pl.col("size_after").cast(pl.Int64)
    named = messages.with_columns(pl.col("side").cast(pl.String))
    here = named.select(
        "window_end",
        "price_int",
        "side",
        add=pl.when(kind.is_in(("add", "size_up", "reprice")))
        .then(qty)
        .when(kind == "refill")
        .then(after - before + qty)
        .otherwise(0),
        pull=pl.when(kind.is_in(("cancel", "size_down"))).then(qty).otherwise(0),
        fill=pl.when(kind.is_in(_FILLS)).then(qty).otherwise(0),
    )
    left = named.filter(kind == "reprice").select(
        "window_end",
        "side",
        price_int="prev_price_int",
        add=pl.lit(0, pl.Int64),
        pull=before,
        fill=pl.lit(0, pl.Int64),
    )
    return pl.concat([here, left], how="diagonal").group_by("window_end", "price_int", "side").sum()


@check(ORDER_LIFE, ORDER_EVENT, suite=Suite.DATA, blocking=True)
def messages_of_lives(session: Session) -> Finding:
    """Lives count what their messages say: entries, reprices, changes of size, refills and executed lots.

    All together over the session, and order by order for one id of 16.
    """
    kind = pl.col("kind")
    told = [kind.eq(name).sum().cast(pl.Int64).alias(count) for count, name in _COUNTS.items()]
    told.append(pl.col("qty").cast(pl.Int64).filter(kind.is_in(_FILLS)).sum().alias("filled_qty"))
    lived = [pl.col(name).cast(pl.Int64).sum() for name in (*_COUNTS, "filled_qty")]
    events = scan(session, ORDER_EVENT, ["order_id", "kind", "qty"]).filter(~kind.is_in(("trade", "trade_implied")))
    lives = scan(session, ORDER_LIFE, ["order_id", "known_add", *_COUNTS, "filled_qty"])
    unseen = session.partition(ORDER_EVENT).manifest.counters.get("modify_as_add", 0)
    totals = pl.concat(
        [
            collect(events.select(entries=kind.eq("add").sum().cast(pl.Int64) - unseen, **_named(told))),
            collect(lives.select(entries=pl.col("known_add").sum().cast(pl.Int64), **_named(lived))),
        ]
    )
    wrong = [name for name in totals.columns if totals[name].n_unique() > 1]
    sampled = pl.col("order_id") % SAMPLED_IDS == 0
    both = collect(
        lives.filter(sampled)
        .group_by("order_id")
        .agg(lived)
        .join(
            events.filter(sampled).group_by("order_id").agg(told),
            on="order_id",
            how="full",
            coalesce=True,
            suffix="_told",
        )
        .fill_null(0)
    )
    names = (*_COUNTS, "filled_qty")
    bad = both.filter(pl.any_horizontal(pl.col(name) != pl.col(f"{name}_told") for name in names)).sort("order_id")
    return finding(
        len(wrong) + bad.height,
        bad if bad.height else totals.select(wrong),
        "counts of the lives = counts of the messages",
        entries=int(totals["entries"][0]),
        followed=both.height,
    )


def _named(expressions: list[pl.Expr]) -> dict[str, pl.Expr]:
    return {one.meta.output_name(): one for one in expressions}
