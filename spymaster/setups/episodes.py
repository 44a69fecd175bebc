"""`gold.setup_episode` of a date: touches and candle episodes of its levels and placebos, with what was known then."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.calendar import RTH_OPEN, wall_time_ns
from spymaster.market.instruments import Instrument
from spymaster.setups.bars import CANDLE_COLUMNS, LOOK_BACK_BARS, Bars, decided, trigger_rows
from spymaster.setups.contracts import contract_of, tick_size
from spymaster.setups.matching import match_sets, overlaps
from spymaster.setups.mids import BBO_COLUMNS, SECOND_NS, SNAPSHOT_COLUMNS, Mids, Seconds
from spymaster.setups.touches import LEVEL_COLUMNS, touch_rows
from spymaster.setups.trigger_kernels import REST_BARS
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.types import TIMESTAMP

LOOK_BACK_S: Final = 27
"""Seconds before a decision in which the book has to be usable: windows of features, and three for derivatives."""
WITH_HINDSIGHT: Final = ("match_set_id", "overlap_n", "weight_unique")
"""Columns that are known when the date is over, not at ts_decision."""


def session_episodes(
    levels: Partition,
    quotes: Partition,
    candles: Partition,
    snapshots: Partition,
    definitions: Partition,
    *,
    instrument: Instrument,
) -> pl.DataFrame:
    """`gold.setup_episode` from stored partitions of one date.

    Raises `SetupInputError` if the contract has no definition.
    """
    contract = contract_of(snapshots)
    if contract is None:
        return SetupEpisode.empty()
    tick = tick_size(snapshots, definitions)
    seconds = Seconds.of(snapshots.read(SNAPSHOT_COLUMNS), tick)
    mids = Mids.of(quotes.read(BBO_COLUMNS), seconds, instrument)
    bars = Bars.of(candles.read(CANDLE_COLUMNS))
    return episode_frame(
        levels.read(LEVEL_COLUMNS), mids, bars, tick, contract=contract, provenance=snapshots.manifest.provenance
    )


def episode_frame(
    levels: pl.DataFrame, mids: Mids, bars: Bars, tick: int, *, contract: str, provenance: str
) -> pl.DataFrame:
    """The table's rows. levels: rows with `LEVEL_COLUMNS` in order of level_id and valid_from; tick in 1e-9."""
    both = pl.concat([_touches(levels, mids, tick), _candles(levels, mids, bars, tick)])
    rows = rested(_named(_with_level(both, levels)).sort("ts", "episode_id"))
    rows = _with_context(rows, mids, bars, tick)
    rows = rows.with_columns(
        touch_index=pl.int_range(pl.len(), dtype=pl.Int32).over("kind", "level_id") + 1,
        contract=pl.lit(contract),
        provenance=pl.lit(provenance),
    )
    numbered = [
        part.with_columns(pl.Series("overlap_n", number), pl.Series("weight_unique", weight))
        for _, part in rows.group_by("kind", "is_placebo", maintain_order=True)
        for number, weight in [overlaps(part["ts"].to_numpy())]
    ]
    rows = pl.concat(numbered) if numbered else rows.with_columns(overlap_n=pl.lit(0), weight_unique=pl.lit(1.0))
    rows = rows.with_columns(ts_decision=pl.col("ts").cast(TIMESTAMP))
    rows = rows.with_columns(match_sets(rows))
    return rows.select(pl.col(name).cast(dtype) for name, dtype in SetupEpisode.schema().items()).sort("episode_id")


def _touches(levels: pl.DataFrame, mids: Mids, tick: int) -> pl.DataFrame:
    found = touch_rows(levels, mids, tick)
    row, approach = found["row"].to_numpy(), found["approach_row"].to_numpy()
    return found.select(
        "level",
        "direction",
        "row",
        pl.lit("touch").alias("kind"),
        ts=pl.Series(mids.ts[row]),
        held_at=pl.Series(mids.ts[row]),
        ts_approach=pl.Series(mids.ts[approach]),
        gap_through="gap_through",
        ts_trigger_bar=pl.lit(None, pl.Int64),
        trigger_bar=pl.lit(None, pl.Int64),
        confirm_bar=pl.lit(None, pl.Int64),
        candle_id_trigger=pl.lit(None, pl.Int32),
        trigger_kind=pl.lit(None, pl.String),
        confirm_kind=pl.lit(None, pl.String),
    )


def _candles(levels: pl.DataFrame, mids: Mids, bars: Bars, tick: int) -> pl.DataFrame:
    found = trigger_rows(levels, bars, tick)
    index, confirm = found["index"].to_numpy(), found["confirm"].to_numpy()
    decision = decided(bars, confirm)
    return found.select(
        "level",
        "direction",
        pl.Series("row", mids.standing(decision)),
        pl.lit("candle").alias("kind"),
        ts=pl.Series(decision),
        held_at=pl.Series(bars.start[index]),
        ts_approach=pl.lit(None, pl.Int64),
        gap_through=pl.lit(None, pl.Boolean),
        ts_trigger_bar=pl.Series(bars.start[index]),
        trigger_bar=pl.Series(bars.bar[index]),
        confirm_bar=pl.Series(bars.bar[confirm]),
        candle_id_trigger=pl.Series(bars.number[index], dtype=pl.Int32),
        trigger_kind="trigger_kind",
        confirm_kind="confirm_kind",
    )


def _with_level(found: pl.DataFrame, levels: pl.DataFrame) -> pl.DataFrame:
    """Rows with their level, of those only that had been known for longer than the others of their group that held.

    Adds level_types: the kinds in the group that held at `held_at`, when the touch was or the trigger candle began.
    """
    known = levels.with_row_index("level").with_columns(
        pl.col("level").cast(pl.Int64), pl.col("valid_from", "valid_to").to_physical()
    )
    kinds = known.select(
        "group_id",
        "valid_from",
        "valid_to",
        other="level",
        other_type="level_type",
        rank=pl.col("level_type").to_physical(),
    ).sort("valid_from", "rank", "other")
    rows = found.join(known.drop("valid_from", "valid_to"), on="level", how="left", maintain_order="left")
    rows = rows.with_row_index("episode")
    holding = (
        rows.select("episode", "group_id", "held_at")
        .join(kinds, on="group_id", how="inner", maintain_order="left_right")
        .filter((pl.col("valid_from") <= pl.col("held_at")) & (pl.col("held_at") < pl.col("valid_to")))
        .group_by("episode", maintain_order=True)
        .agg(first=pl.col("other").first(), level_types=pl.col("other_type").unique().sort().cast(pl.String))
    )
    return (
        rows.join(holding, on="episode", how="left", maintain_order="left")
        .filter(pl.col("first") == pl.col("level"))
        .rename({"price_int": "level_price_int"})
        .drop("episode", "first", "level", "held_at", "level_type")
    )


def rested(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in order of time without candles that meet a group, or level, whose last trigger is not yet judged.

    Only triggers that are kept put to rest. A level that moves changes its group, so that it rests by itself, too.
    Columns read: group_id, level_id, trigger_bar (null for touches, which are all kept).
    """
    kept = rows["trigger_bar"].is_null().to_list()
    awake: dict[str, int] = {}
    at = pl.int_range(pl.len()).alias("at")
    candles = rows.select(at, "trigger_bar", "group_id", "level_id").filter(pl.col("trigger_bar").is_not_null())
    for k, bar, group, level in candles.iter_rows():
        if bar >= awake.get(group, bar) and bar >= awake.get(level, bar):
            awake[group] = awake[level] = bar + REST_BARS
            kept[k] = True
    return rows.filter(pl.Series(kept, dtype=pl.Boolean))


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    name = pl.concat_str(pl.col("kind"), pl.lit(":"), pl.col("level_id"), pl.lit(":"), pl.col("ts"))
    return rows.with_columns(episode_id=name)


def _with_context(rows: pl.DataFrame, mids: Mids, bars: Bars, tick: int) -> pl.DataFrame:
    """Add what was known at the decision, and whether the episode may enter studies."""
    ts, row = rows["ts"].to_numpy(), rows["row"].to_numpy()
    seconds = mids.seconds
    sigma, spot, rate = seconds.sigma_at(ts), seconds.spot_at(ts), seconds.rate_at(ts)
    moved, known = mids.moved(row, ts)
    with np.errstate(divide="ignore", invalid="ignore"):
        speed = np.where(known & (sigma > 0), rows["direction"].to_numpy() * moved / (2.0 * tick) / sigma, np.nan)
    mid2 = mids.mid2[np.maximum(row, 0)] if len(mids.ts) else np.zeros(len(row), dtype=np.int64)
    opens = {label: wall_time_ns(label, RTH_OPEN) for label in rows["session_date"].unique()}
    opened = np.array([opens[label] for label in rows["session_date"]], dtype=np.int64)
    candle = (rows["kind"] == "candle").to_numpy()
    reasons = [
        ("bars", candle & ~bars.whole(rows["confirm_bar"].fill_null(0).to_numpy(), LOOK_BACK_BARS)),
        ("book", (row < 0) | ~np.where(candle, True, seconds.whole(ts, LOOK_BACK_S))),
        ("no_sigma", np.isnan(sigma)),
    ]
    reason = np.select([wrong for _, wrong in reasons], [name for name, _ in reasons], "")
    return rows.with_columns(
        spot_ref_price_int=pl.Series(spot).replace(0, None),
        p0_mid2_int=pl.when(pl.Series(row >= 0)).then(pl.Series(mid2)),
        approach_speed=pl.Series(speed).fill_nan(None),
        sigma_15=pl.Series(sigma).fill_nan(None),
        msg_rate_rel=pl.Series(rate).fill_nan(None),
        tod_sec=pl.Series((ts - opened) // SECOND_NS),
        invalid_reason=pl.Series(reason, dtype=pl.String).replace("", None),
    ).with_columns(
        sigma_60=2.0 * pl.col("sigma_15"),
        sigma_120=8.0**0.5 * pl.col("sigma_15"),
        rel_ticks=(pl.col("level_price_int") - pl.col("spot_ref_price_int")) / tick,
        valid=pl.col("invalid_reason").is_null(),
    )
