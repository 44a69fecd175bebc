"""What a report is made from: the rows of a date, read once, and the intensity gathered by minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from spymaster.evidence.report.sentences import Row
from spymaster.evidence.verdicts import Least
from spymaster.lake import Partition
from spymaster.settings import Settings
from spymaster.tables.types import TIMESTAMP

TOP_SECONDS = 10
SECOND_NS, MINUTE_NS = 1_000_000_000, 60_000_000_000
INTENSITY_COLUMNS = (
    "window_end", "side", "band", "n_msgs", "n_attr", "share_msgs", "expected_share", "intensity_z",
)  # fmt: skip
CANDLE_COLUMNS = ("bar_start", "window_end", "open_price_int", "high_price_int", "low_price_int", "close_price_int")
LEVEL_COLUMNS = ("level_type", "price_int", "valid_from", "valid_to", "is_placebo", "is_moving")


@dataclass(frozen=True)
class ReportData:
    """Everything that is shown, of one symbol and date.

    run: the row of `algo_run`. tests, controls: rows of `algo_test`, those of the date itself and of its negative
    controls. minutes: intensity by minute, side and band; seconds: the highest ones. contrast: the latest rows at or
    before the date, contrast_dt their date. candles, levels: empty where the tables are not there. least: the smallest
    effect that is evidence.
    """

    symbol: str
    dt: date
    run: Row
    tests: pl.DataFrame
    controls: pl.DataFrame
    curves: pl.DataFrame
    exemplars: pl.DataFrame
    replication: pl.DataFrame
    minutes: pl.DataFrame
    seconds: pl.DataFrame
    contrast: pl.DataFrame
    contrast_dt: date | None
    candles: pl.DataFrame
    levels: pl.DataFrame
    attribution_hash: str | None
    version: str
    least: Least

    @property
    def provenance(self) -> str:
        """Of the date: real or simulated."""
        return str(self.run["provenance"])

    def of_test(self, test: str) -> pl.DataFrame:
        """Rows of one test."""
        return self.tests.filter(pl.col("test_id") == test)


def by_minute(rows: pl.DataFrame) -> pl.DataFrame:
    """Columns minute (its start), side, band, n_msgs, share (null without messages or a list)."""
    # Arithmetic with Polars durations would lose the nanoseconds of the type.
    start = ((pl.col("window_end").to_physical() - SECOND_NS) // MINUTE_NS * MINUTE_NS).cast(TIMESTAMP)
    summed = rows.group_by(minute=start, side="side", band="band").agg(
        pl.col("n_msgs").cast(pl.Int64).sum(),
        n_attr=pl.when(pl.col("n_attr").is_not_null().any()).then(pl.col("n_attr").cast(pl.Float64).sum()),
    )
    share = pl.when(pl.col("n_msgs") > 0).then(pl.col("n_attr") / pl.col("n_msgs"))
    return summed.with_columns(share=share).sort("minute", "side", "band")


def highest(rows: pl.DataFrame) -> pl.DataFrame:
    """The seconds of all sides and bands with the highest z, or without z the highest share; at least ten messages."""
    whole = rows.filter(
        (pl.col("side").cast(pl.String) == "all")
        & (pl.col("band").cast(pl.String) == "all")
        & (pl.col("n_msgs") >= TOP_SECONDS)
        & pl.col("share_msgs").is_not_null()
    )
    by = "intensity_z" if whole["intensity_z"].null_count() < whole.height else "share_msgs"
    ordered = whole.sort(by, "n_msgs", "window_end", descending=[True, True, False], nulls_last=True)
    return ordered.head(TOP_SECONDS).drop("side", "band")


def gather(
    run: Partition,
    tests: Partition,
    curves: Partition,
    exemplars: Partition,
    replication: Partition,
    intensity: Partition,
    contrasts: Sequence[Partition],
    candles: Partition | None,
    levels: Partition | None,
    *,
    settings: Settings,
    version: str,
) -> ReportData | None:
    """The data of a report; None for a date without a run (no seconds, or no messages)."""
    runs = run.read()
    if runs.is_empty():
        return None
    every = tests.read()
    rows = intensity.read((*INTENSITY_COLUMNS, "attribution_hash"))
    latest = contrasts[-1] if contrasts else None
    return ReportData(
        symbol=run.symbol,
        dt=run.dt,
        run=runs.row(0, named=True),
        tests=every.filter(~pl.col("is_negative_control")),
        controls=every.filter("is_negative_control"),
        curves=curves.read(),
        exemplars=exemplars.read(),
        replication=replication.read(),
        minutes=by_minute(rows),
        seconds=highest(rows),
        contrast=pl.DataFrame() if latest is None else latest.read(),
        contrast_dt=None if latest is None else latest.dt,
        candles=pl.DataFrame() if candles is None else candles.read(CANDLE_COLUMNS),
        levels=pl.DataFrame() if levels is None else levels.read(LEVEL_COLUMNS),
        attribution_hash=rows["attribution_hash"][0] if rows.height else None,
        version=version,
        least=Least.of(settings.evidence),
    )
