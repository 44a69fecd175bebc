"""Data integrity of the event tables: `trade` and `bbo_change` tell the snapshot's story, second by second."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import BBO, MBO, SNAPSHOT, TRADE, collect, finding, scan
from spymaster.market.dbn import F_LAST, F_SNAPSHOT

_VOLUMES = {"B": "buy_volume", "A": "sell_volume", "N": "none_volume"}
_QUOTES = {
    "best_bid_price_int": "bid_price_int",
    "best_bid_qty": "bid_qty",
    "best_bid_orders": "bid_orders",
    "best_ask_price_int": "ask_price_int",
    "best_ask_qty": "ask_qty",
    "best_ask_orders": "ask_orders",
}


@check(TRADE, SNAPSHOT, MBO, suite=Suite.DATA, blocking=True)
def volume_of_snapshot(session: Session) -> Finding:
    """Traded quantity per second and aggressor equals the snapshot's buy, sell and none volume, trade by trade.

    A trade bears the side of its event's first print, the snapshot counts every print for itself. They part where a
    sale reaches a resting stop to buy, or the other way round: both must then be what the records of that second say.
    """
    traded = (
        scan(session, TRADE, ["ts_event", "qty", "aggressor"])
        .group_by(pl.col("ts_event").dt.truncate("1s").alias("window_start"))
        .agg(
            pl.col("qty").filter(pl.col("aggressor") == side).sum().alias(f"trades_{name}")
            for side, name in _VOLUMES.items()
        )
    )
    told = scan(session, SNAPSHOT, ["window_start", *_VOLUMES.values()])
    both = collect(told.join(traded, on="window_start", how="full", coalesce=True)).fill_null(0)
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"trades_{name}") for name in _VOLUMES.values())
    bad = both.filter(differs).sort("window_start")
    if bad.height:
        prints = _prints(session, bad["window_start"])
        untrue = pl.any_horizontal(
            pl.col(name) != pl.col(f"{kind}_{side}").fill_null(0)
            for side, volume in _VOLUMES.items()
            for name, kind in ((volume, "own"), (f"trades_{volume}", "first"))
        )
        bad = bad.join(prints, on="window_start", how="left").filter(untrue).select(bad.columns)
    volume = sum(int(both[name].sum()) for name in _VOLUMES.values())
    return finding(
        bad.height,
        bad,
        "volume of the trades = volume of the snapshot",
        volume=volume,
        trade_volume=sum(int(both[f"trades_{name}"].sum()) for name in _VOLUMES.values()),
    )


def _prints(session: Session, windows: pl.Series) -> pl.DataFrame:
    """Quantity of the contract's prints in some seconds, by their own side and by that of their event's first print."""
    contract = session.partition(SNAPSHOT).scan(["contract"]).head(1)
    window = pl.col("ts_event").dt.truncate("1s")
    last = (pl.col("flags") & F_LAST) != 0
    return (
        scan(session, MBO, ["contract", "ts_event", "action", "side", "size", "flags"])
        .filter(window.is_in(windows.implode()), pl.col("flags") & F_SNAPSHOT == 0)
        .filter(pl.col("contract") == contract.collect().item())
        .collect()
        .with_columns(event=last.cum_sum() - last, window_start=window, size=pl.col("size").cast(pl.Int64))
        .filter(pl.col("action") == "T")
        .with_columns(first=pl.col("side").first().over("event"))
        .group_by("window_start")
        .agg(
            pl.col("size").filter(pl.col(column) == side).sum().alias(f"{kind}_{side}")
            for side in _VOLUMES
            for kind, column in (("own", "side"), ("first", "first"))
        )
    )


@check(BBO, SNAPSHOT, suite=Suite.DATA, blocking=True)
def last_state_of_snapshot(session: Session) -> Finding:
    """The last change before the end of a window is the snapshot's best bid and offer, prices, quantities and orders.

    Compared where the window is valid and a change has been seen since the last invalid one: a snapshot of the feed in
    between replaces the book without an event.
    """
    windows = scan(session, SNAPSHOT, ["window_end", "window_valid", *_QUOTES]).with_columns(
        invalid_until=pl.when(~pl.col("window_valid")).then("window_end").forward_fill()
    )
    changes = scan(session, BBO, ["ts_event", *_QUOTES.values()]).with_row_index("change")
    joined = (
        collect(windows)
        .sort("window_end")
        .join_asof(
            collect(changes),
            left_on="window_end",
            right_on="ts_event",
            allow_exact_matches=False,
            check_sortedness=False,
        )
        .filter(
            pl.col("window_valid")
            & pl.col("change").is_not_null()
            & (pl.col("invalid_until").is_null() | (pl.col("ts_event") >= pl.col("invalid_until")))
        )
    )
    differs = pl.any_horizontal(pl.col(ours).ne_missing(pl.col(theirs)) for ours, theirs in _QUOTES.items())
    bad = joined.filter(differs).drop("invalid_until", "window_valid", "change")
    return finding(
        bad.height, bad, "last bbo_change of a window = best bid and offer of the snapshot", compared=joined.height
    )
