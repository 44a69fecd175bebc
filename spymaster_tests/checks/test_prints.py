"""Events whose prints have aggressors on both sides: a sale that reaches a stop to buy, all in one event."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from spymaster.checks import checks_for
from spymaster.lake import Lake
from spymaster_tests.checks.quiet import QuietMarket
from spymaster_tests.checks.sessions import DT, SYMBOL, build_lake, copy_lake, spoil

TRADE, SNAPSHOT = "silver.trade", "silver.book_snapshot_1s"
(CHECK,) = [one for one in checks_for(table=TRADE) if one.name == "volume_of_snapshot"]


@pytest.fixture(scope="module")
def both_sides(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A session in which every trade is followed by another one of a random side, in the same event."""
    once = QuietMarket.trade

    def twice(market: QuietMarket) -> None:
        once(market)
        once(market)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QuietMarket, "trade", twice)
        return build_lake(tmp_path_factory.mktemp("both") / "lake", records=600)


def windows_apart(lake: Lake) -> pl.DataFrame:
    """Seconds in which the trades' sides are not those of the snapshot."""
    bought = (
        lake.partition(TRADE, SYMBOL, DT)
        .scan(["ts_event", "qty", "aggressor"])
        .group_by(window_start=pl.col("ts_event").dt.truncate("1s"))
        .agg(pl.col("qty").filter(pl.col("aggressor") == "B").sum())
    )
    snapshot = lake.partition(SNAPSHOT, SYMBOL, DT).scan(["window_start", "buy_volume", "sell_volume"])
    apart = snapshot.join(bought, on="window_start").filter(pl.col("qty") != pl.col("buy_volume"))
    return apart.sort("window_start").collect()


def test_each_table_may_tell_its_side_of_it(both_sides: Lake):
    assert windows_apart(both_sides).height > 3
    assert CHECK.run(both_sides, SYMBOL, DT).passed


@pytest.mark.parametrize("table", [TRADE, SNAPSHOT])
def test_neither_may_tell_another(both_sides: Lake, tmp_path: Path, table: str):
    at = windows_apart(both_sides).filter(pl.col("buy_volume") != pl.col("sell_volume"))["window_start"][0]
    lake = copy_lake(both_sides, tmp_path / "lake")
    if table == TRADE:
        here = pl.col("ts_event").dt.truncate("1s") == at
        other = pl.when(pl.col("aggressor") == "B").then(pl.lit("A")).otherwise(pl.lit("B"))
        changes = [pl.when(here).then(other).otherwise(pl.col("aggressor").cast(pl.String)).alias("aggressor")]
    else:
        here = pl.col("window_start") == at
        swapped = {"buy_volume": "sell_volume", "sell_volume": "buy_volume"}
        changes = [pl.when(here).then(new).otherwise(old).alias(old) for old, new in swapped.items()]
    spoil(lake, table, lambda frame: frame.with_columns(changes).cast(frame.schema))
    result = CHECK.run(lake, SYMBOL, DT)
    assert not result.passed
    assert "1 violation" in result.message
