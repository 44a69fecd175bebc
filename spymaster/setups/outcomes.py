"""`gold.setup_outcome` of a date: what came of its episodes."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.calendar import session_bounds
from spymaster.market.instruments import Instrument
from spymaster.settings import SetupSettings
from spymaster.setups.bars import CANDLE_COLUMNS, LABEL_BARS, Bars
from spymaster.setups.contracts import tick_size
from spymaster.setups.mids import BBO_COLUMNS, SECOND_NS, SNAPSHOT_COLUMNS, Mids, Seconds
from spymaster.setups.outcome_kernels import NO_HIT, passages
from spymaster.setups.ruin import first_passage
from spymaster.tables.setup_outcome import CANDLE_HORIZON_S, TOUCH_HORIZONS_S, SetupOutcome
from spymaster.tables.types import TIMESTAMP

EPISODE_COLUMNS: Final = (
    "episode_id", "kind", "direction", "session_date", "ts_decision", "trigger_bar", "level_price_int", "p0_mid2_int",
    "sigma_15", "valid", "provenance",
)  # fmt: skip
"""Columns that outcomes read of `gold.setup_episode`."""
STEP_SPAN_NS: Final = 1800 * SECOND_NS
"""Time before a decision whose steps of the mid tell how large steps are."""
FOREVER: Final = 1 << 62


def session_outcomes(
    episodes: Partition,
    quotes: Partition,
    candles: Partition,
    snapshots: Partition,
    definitions: Partition,
    *,
    instrument: Instrument,
    settings: SetupSettings,
) -> pl.DataFrame:
    """`gold.setup_outcome` from stored partitions of one date.

    Raises `SetupInputError` if the contract has no definition.
    """
    tick = tick_size(snapshots, definitions)
    seconds = Seconds.of(snapshots.read(SNAPSHOT_COLUMNS), tick)
    mids = Mids.of(quotes.read(BBO_COLUMNS), seconds, instrument)
    rows = episodes.read(EPISODE_COLUMNS)
    return outcome_frame(rows, mids, Bars.of(candles.read(CANDLE_COLUMNS)), tick, instrument, settings)


def outcome_frame(
    episodes: pl.DataFrame, mids: Mids, bars: Bars, tick: int, instrument: Instrument, settings: SetupSettings
) -> pl.DataFrame:
    """The table's rows. episodes: rows with `EPISODE_COLUMNS`; tick in 1e-9."""
    wanted = pl.DataFrame(
        [*(("touch", h) for h in TOUCH_HORIZONS_S), ("candle", CANDLE_HORIZON_S)],
        schema={"kind": pl.String, "horizon_s": pl.Int64},
        orient="row",
    )
    rows = episodes.with_columns(pl.col("kind").cast(pl.String)).join(wanted, on="kind", maintain_order="left_right")
    horizon, begin = rows["horizon_s"].to_numpy(), rows["ts_decision"].to_physical().to_numpy().copy()
    end = begin + horizon * SECOND_NS
    sigma = rows["sigma_15"].fill_null(np.nan).to_numpy() * np.sqrt(horizon / 15.0)
    moves = np.maximum(settings.min_barrier_ticks, np.rint(settings.k_barrier * np.nan_to_num(sigma)))
    barrier = np.where(np.isnan(sigma), np.nan, moves)
    after = _rows_after(rows, begin, mids)
    reason, censored = _ended(rows, begin, end, after, mids, instrument)
    known = rows["p0_mid2_int"].is_not_null().to_numpy() & ~np.isnan(barrier)
    valid = rows["valid"].to_numpy() & known & ~censored
    passed = _passages(rows, begin, end, after, moves, mids, tick, valid)
    start, level = (rows[name].fill_null(0).to_numpy() for name in ("p0_mid2_int", "level_price_int"))
    offset = rows["direction"].to_numpy() * (start - 2 * level) / (2.0 * tick)
    past = _overshoot(mids, begin, after, tick)
    around = {
        "b1": first_passage(barrier, barrier, np.where(known, sigma, np.nan), past),
        "lv_b1": first_passage(barrier - offset, barrier + offset, np.where(known, sigma, np.nan), past),
    }
    return (
        rows.with_columns(
            k_barrier=pl.lit(settings.k_barrier),
            barrier_ticks=pl.Series(barrier).fill_nan(None),
            sigma_h_ticks=pl.Series(sigma).fill_nan(None),
            ts_label_start=pl.Series(begin).cast(TIMESTAMP),
            ts_label_end=pl.Series(end).cast(TIMESTAMP),
            horizon_end_reason=pl.Series(reason),
            censored=pl.Series(censored),
            valid=pl.Series(valid),
            **passed,
            **_bars(rows, bars),
            **{
                f"{prefix}_{name}": pl.Series(share).fill_nan(None)
                for prefix, shares in around.items()
                for name, share in zip(("break", "reject", "chop"), shares, strict=True)
            },
        )
        .select(pl.col(name).cast(dtype) for name, dtype in SetupOutcome.schema().items())
        .sort(SetupOutcome.key)
    )


def _rows_after(rows: pl.DataFrame, begin: np.ndarray, mids: Mids) -> np.ndarray:
    """int64: the first row of the mid after each decision.

    A touch is an event: what came at its time before it is not after it, what follows at its time is. A candle ends
    before the events at its end.
    """
    row = np.searchsorted(mids.ts, begin, side="left")
    touch = (rows["kind"] == "touch").to_numpy()
    p0 = rows["p0_mid2_int"].fill_null(-1).to_numpy()
    late = np.searchsorted(mids.ts, begin, side="right")
    looking = np.flatnonzero(touch & (row < late))
    while len(looking):
        at = row[looking]
        other = ~mids.usable[at] | (mids.mid2[at] != p0[looking])
        row[looking] += 1  # past the touch, or past what came before it
        looking = looking[other & (row[looking] < late[looking])]
    return row


def _ended(
    rows: pl.DataFrame, begin: np.ndarray, end: np.ndarray, after: np.ndarray, mids: Mids, instrument: Instrument
) -> tuple[np.ndarray, np.ndarray]:
    """What ended each horizon, and whether that was something else than the horizon: the earliest of what there is.

    A second that is not usable has failed from its start on, which is the end of the one before it. after:
    `_rows_after`.
    """
    bounds = {label: session_bounds(label, instrument) for label in rows["session_date"].unique()}
    closes = np.array([(bounds[label] or (0, FOREVER))[1] for label in rows["session_date"]], dtype=np.int64)
    seconds = mids.seconds
    before = np.searchsorted(seconds.end, seconds.bad, side="left") - 1
    failed = np.where(before >= 0, seconds.end[np.maximum(before, 0)], seconds.bad - SECOND_NS)
    broken = np.append(failed, FOREVER)[np.searchsorted(seconds.bad, begin, side="right")]
    off = np.flatnonzero(~mids.usable)
    broken = np.minimum(broken, np.append(mids.ts[off], FOREVER)[np.searchsorted(off, after, side="left")])
    last = np.full(len(begin), seconds.end[-1] if len(seconds.end) else 0)
    times = np.stack([end, np.where(closes < end, closes, FOREVER), np.where(last < end, last, FOREVER), broken])
    which = times.argmin(axis=0)
    return np.array(["horizon", "session_end", "end_of_data", "invalid_book"])[which], which > 0


def _passages(
    rows: pl.DataFrame, begin: np.ndarray, end: np.ndarray, after: np.ndarray, moves: np.ndarray, mids: Mids, tick: int,
    valid: np.ndarray,
) -> dict[str, pl.Series]:  # fmt: skip
    """Columns of hits and extremes; null where not valid. after: `_rows_after`."""
    changed = mids.usable.copy()
    changed[1:] &= (mids.mid2[1:] != mids.mid2[:-1]) | mids.fresh[1:]
    ts, mid2 = mids.ts[changed], mids.mid2[changed]
    direction = rows["direction"].to_numpy().astype(np.int64)
    first = np.searchsorted(np.flatnonzero(changed), after, side="left")
    hits, extremes = np.zeros((len(begin), 4), dtype=np.int64), np.zeros((len(begin), 3), dtype=np.int64)
    passages(
        ts, mid2, first, begin, end, rows["p0_mid2_int"].fill_null(0).to_numpy().copy(), direction,
        rows["level_price_int"].to_numpy() * 2, (moves * 2 * tick).astype(np.int64), hits, extremes,
    )  # fmt: skip
    along, against, side, at = hits.T
    late = np.int64(FOREVER)
    times = np.where(along == NO_HIT, late, along), np.where(against == NO_HIT, late, against)
    hit = np.minimum(*times)
    outcome = np.select([hit == late, times[0] < times[1]], ["chop", "break"], "reject")
    none = {"ts_hit": hit == late, "lv_hit_ts": at == NO_HIT}
    made = {
        "outcome": pl.Series(outcome),
        "ts_hit": pl.Series(np.where(none["ts_hit"], 0, hit)).cast(TIMESTAMP),
        "t_hit_s": pl.Series(np.where(none["ts_hit"], 0, hit - begin) / SECOND_NS),
        "whipsaw": pl.Series((along != NO_HIT) & (against != NO_HIT)),
        "mfe_ticks": pl.Series(extremes[:, 0] / (2.0 * tick)),
        "mae_ticks": pl.Series(extremes[:, 1] / (2.0 * tick)),
        "end_ticks": pl.Series(extremes[:, 2] / (2.0 * tick)),
        "lv_outcome": pl.Series(np.select([side == 1, side == -1], ["break", "reject"], "chop")),
        "lv_hit_ts": pl.Series(np.where(none["lv_hit_ts"], 0, at)).cast(TIMESTAMP),
    }
    missing = {"ts_hit": ~none["ts_hit"], "t_hit_s": ~none["ts_hit"], "lv_hit_ts": ~none["lv_hit_ts"]}
    return {
        name: series.set(pl.Series(~(valid & missing.get(name, True))), None)
        if series.dtype != TIMESTAMP
        else pl.select(pl.when(pl.Series(valid & missing[name])).then(series)).to_series()
        for name, series in made.items()
    }


def _bars(rows: pl.DataFrame, bars: Bars) -> dict[str, pl.Series]:
    """On which side of the level the candles after the confirmation closed, of candle episodes."""
    trigger = rows["trigger_bar"].fill_null(-10).to_numpy()
    level, way = rows["level_price_int"].to_numpy(), rows["direction"].to_numpy()
    made: dict[str, pl.Series] = {}
    returned = np.zeros(len(trigger), dtype=np.int64)
    for k in range(1, LABEL_BARS + 1):
        index = bars.at(trigger + 1 + k)
        inside = np.maximum(index, 0)
        seen = (index >= 0) & bars.complete[inside] & bars.priced[inside] if len(bars.bar) else index >= 0
        side = np.sign(bars.close[inside] - level) if len(bars.bar) else np.zeros(len(index))
        made[f"bar_close_side_{k}"] = pl.select(pl.when(pl.Series(seen)).then(pl.Series(side))).to_series()
        returned = np.where((returned == 0) & seen & (way * side < 0), k, returned)
    made["bars_to_return"] = pl.Series(returned).replace(0, None)
    return made


def _overshoot(mids: Mids, at: np.ndarray, after: np.ndarray, tick: int) -> np.ndarray:
    """How far the mid goes past a price that it reaches, by its steps in the half hour before, ticks; NaN without one.

    The mid moves between whole and half ticks. after: `_rows_after` of the decisions `at`.
    """
    moved = np.zeros(len(mids.ts), dtype=bool)
    moved[1:] = mids.usable[1:] & ~mids.fresh[1:] & (mids.mid2[1:] != mids.mid2[:-1])
    index = np.flatnonzero(moved)
    size = np.abs(mids.mid2[index] - mids.mid2[index - 1]) / (2.0 * tick)
    upto = np.searchsorted(index, after, side="left")
    since = np.searchsorted(mids.ts[index], at - STEP_SPAN_NS, side="right")
    sums = [np.concatenate([[0.0], np.cumsum(one)]) for one in (size, size * size)]
    length, square = (np.where(upto > since, one[upto] - one[since], np.nan) for one in sums)
    return np.maximum(square / (2.0 * length) - 0.25, 0.0)
