"""Integrity of candle episodes: each is what the candles say, and none is missing."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import CANDLE, EPISODE, LEVEL, collect, finding, scan

REST_BARS = 5
"""Candles from one trigger of a group or level to the next, at least."""
PLACEBOS = 60
"""Placebos at which triggers that are missing are looked for."""


@check(EPISODE, CANDLE, LEVEL, suite=Suite.PHYSICS, blocking=True)
def triggered_by_candles(session: Session) -> Finding:
    """Side, trigger and confirmation are what the candles say, and a valid episode's six candles are whole.

    Price came from the side of the last of the two closes before the trigger that was not at the level. A group, and a
    level, is met again five candles after a trigger, at the earliest; and what is met by then is an episode. That none
    is missing is looked up at all levels, and at a sample of placebos.
    """
    columns = ["episode_id", "kind", "direction", "level_price_int", "trigger_bar", "candle_id_trigger", "trigger_kind",
               "confirm_kind", "ts_trigger_bar", "ts_decision", "group_id", "level_id", "valid"]  # fmt: skip
    episodes = collect(scan(session, EPISODE, columns).filter(pl.col("kind").cast(pl.String) == "candle"))
    names = ["bar_index", "candle_id", "bar_start", "high_price_int", "low_price_int", "close_price_int"]
    bars = collect(scan(session, CANDLE, [*names, "is_complete", "is_halt", "is_carry"]))
    whole = (
        bars.filter(pl.col("is_complete") & ~pl.col("is_halt"))
        .select("bar_index", whole=pl.col("bar_index") - pl.col("bar_index").shift(5) == 5)
    )  # fmt: skip
    tick, way = session.tick_size_int, pl.col("direction").cast(pl.Int64)
    level = pl.col("level_price_int")
    trigger = _trigger(way, level, tick)

    def beyond(name: str) -> pl.Expr:
        return way * (pl.col(name) - level)

    confirm = (
        pl.when(beyond("next_close") >= tick).then(pl.lit("hold"))
        .when(beyond("next_close") <= -tick).then(pl.lit("fail"))
        .otherwise(pl.lit("inside"))
    )  # fmt: skip
    one = pl.col("bar_index")
    both = episodes.join(bars, left_on="trigger_bar", right_on="bar_index", how="left")
    for other in (
        bars.select(bar_index=one - 1, next_close="close_price_int", next_start="bar_start"),
        bars.select(bar_index=one + 1, last_close="close_price_int"),
        bars.select(bar_index=one + 2, close_before="close_price_int"),
        whole.with_columns(bar_index=one - 1),
    ):
        both = both.join(other, left_on="trigger_bar", right_on="bar_index", how="left")
    since = pl.min_horizontal(
        pl.col("trigger_bar") - pl.col("trigger_bar").shift(1).over(name, order_by="trigger_bar")
        for name in ("group_id", "level_id")
    )
    same = (
        pl.col("trigger_kind").cast(pl.String).eq_missing(trigger)
        & (pl.col("confirm_kind").cast(pl.String) == confirm)
        & (way == _side(level))
        & (since.is_null() | (since >= REST_BARS))
        & pl.col("candle_id_trigger").eq_missing(pl.col("candle_id"))
        & pl.col("ts_trigger_bar").eq_missing(pl.col("bar_start"))
        & (pl.col("ts_decision") == pl.col("next_start").dt.offset_by("2m"))
        & ~pl.col("is_carry")
        & ~pl.col("is_halt")
        & (pl.col("whole").fill_null(False) | ~pl.col("valid"))
    )
    wrong = both.filter(~same.fill_null(False)).select("episode_id", "trigger_kind", "confirm_kind").sort("episode_id")
    met = _meetings(session, bars)
    missing = _missing(met, episodes).select("level_id", "bar_start", fault=pl.lit("no episode of this trigger"))
    bad = pl.concat([wrong, missing], how="diagonal")
    return finding(
        bad.height, bad, "candle episodes are what the candles say", episodes=episodes.height, meetings=met.height
    )


def _trigger(way: pl.Expr, level: pl.Expr, tick: int) -> pl.Expr:
    """How a candle met the level that price came to by `way` (1 from below); null if it did not."""
    furthest = pl.when(way > 0).then("high_price_int").otherwise("low_price_int")
    reach = way * (furthest - level)
    return (
        pl.when(way * (pl.col("close_price_int") - level) >= tick).then(pl.lit("cross"))
        .when(reach >= tick).then(pl.lit("pierce"))
        .when(reach >= -tick).then(pl.lit("touch"))
    )  # fmt: skip


def _side(level: pl.Expr) -> pl.Expr:
    """1 where price came from below, -1 from above, by the closes of the two candles before; 0 or null if unknown."""
    came_from = pl.when(pl.col("last_close") == level).then("close_before").otherwise("last_close")
    return (level - came_from).sign()


def _meetings(session: Session, bars: pl.DataFrame) -> pl.DataFrame:
    """Candles that met a level for which no other of its group stood, and were followed by another: one row each."""
    names = ["level_id", "group_id", "level_type", "is_placebo", "price_int", "valid_from", "valid_to"]
    levels = collect(scan(session, LEVEL, names))
    placebos = levels.filter("is_placebo")["level_id"].unique().sort()
    some = placebos.gather_every(max(1, len(placebos) // PLACEBOS))
    looked_at = levels.filter(~pl.col("is_placebo") | pl.col("level_id").is_in(some.implode()))
    tick, one, level = session.tick_size_int, pl.col("bar_index"), pl.col("price_int")
    near = bars.filter(~pl.col("is_carry") & ~pl.col("is_halt")).with_columns(
        lowest=pl.col("low_price_int") - tick, highest=pl.col("high_price_int") + tick
    )
    for other in (
        bars.select(bar_index=one - 1),
        bars.select(bar_index=one + 1, last_close="close_price_int"),
        bars.select(bar_index=one + 2, close_before="close_price_int"),
    ):
        near = near.join(other, on="bar_index", how="left" if other.width > 1 else "semi")
    met = (
        looked_at.join_where(
            near,
            pl.col("valid_from") <= pl.col("bar_start"),
            pl.col("valid_to") > pl.col("bar_start"),
            pl.col("price_int") >= pl.col("lowest"),
            pl.col("price_int") <= pl.col("highest"),
        )
        .with_columns(way=_side(level).fill_null(0).cast(pl.Int64))
        .filter((pl.col("way") != 0) & _trigger(pl.col("way"), level, tick).is_not_null())
    )
    order = ["valid_from", pl.col("level_type").to_physical(), "level_id"]
    standing = (
        met.select("group_id", "bar_start")
        .unique()
        .join(levels, on="group_id")
        .filter((pl.col("valid_from") <= pl.col("bar_start")) & (pl.col("bar_start") < pl.col("valid_to")))
        .sort(order)
        .unique(["group_id", "bar_start"], keep="first", maintain_order=True)
    )
    return met.join(standing, on=["group_id", "bar_start", "level_id"], how="semi").sort("bar_start", "level_id")


def _missing(met: pl.DataFrame, episodes: pl.DataFrame) -> pl.DataFrame:
    """Meetings that are no episode, though no trigger of their group or level was in the candles before."""
    kept = episodes.select("level_id", "group_id", "trigger_bar").sort("trigger_bar")
    left = met.join(kept, left_on=["level_id", "bar_index"], right_on=["level_id", "trigger_bar"], how="anti")
    for name in ("group_id", "level_id"):
        last = kept.select(name, "trigger_bar", last="trigger_bar")
        left = left.sort("bar_index").join_asof(
            last, left_on="bar_index", right_on="trigger_bar", by=name, check_sortedness=False
        )
        left = left.filter((pl.col("bar_index") >= pl.col("last") + REST_BARS).fill_null(True)).drop(
            "last", "trigger_bar", strict=False
        )
    return left.sort("bar_start", "level_id")
