"""How much of what is sent is owed to known habits, second by second (`gold.algo_intensity_1s`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.evidence.arrays import SECOND_NS, DayArrays, kind
from spymaster.evidence.attribution import FAMILIES, attribute
from spymaster.evidence.frozen import FrozenList
from spymaster.tables.algo_intensity_1s import COUNTED_KINDS, INTENSITY_BANDS, INTENSITY_SIDES, share_column
from spymaster.tables.model import PolarsType
from spymaster.tables.types import BAND_EDGES, TIMESTAMP

LEAST_SESSIONS, LEAST_SESSIONS_DEMO = 20, 2
"""Earlier sessions that a z needs; those of the demo show that it works, no more."""
LARGEST_Z = 8.0
MAD_TO_SD = 1.4826
BUCKET_MINUTES = 30

_SIDES, _BANDS = len(INTENSITY_SIDES), len(INTENSITY_BANDS)
_BEYOND = _BANDS - 1
_LAST = np.array([last for _, last in BAND_EDGES.values()])

Counts = NDArray[np.float64]
"""By second, side (B, A, all) and band (AT to FAR, all)."""


@dataclass(frozen=True)
class Intensity:
    """Counts of a day from `start` (ns); attributed ones are None without a list. `shown` are seconds of the day."""

    start: int
    shown: NDArray[np.bool_]
    n_msgs: Counts
    qty_msgs: Counts
    n_attr: Counts | None
    qty_attr: Counts | None
    by_family: Mapping[str, Counts]


def count(
    day: DayArrays, rel_ticks: NDArray[np.float64], frozen: FrozenList | None, shown: NDArray[np.bool_]
) -> Intensity:
    """Messages and attributed messages of a day.

    rel_ticks: distance from spot of every message, NaN where unknown: those count in no band but `all`.
    """
    messages = day.messages
    counted = np.isin(messages.kind, [kind(name) for name in COUNTED_KINDS]) & messages.usable
    rows = np.flatnonzero(counted)
    second = (messages.ts[rows] - day.start) // SECOND_NS
    away = np.abs(rel_ticks[rows])
    band = np.where(np.isnan(away), _BEYOND, np.searchsorted(_LAST, away, side="left"))
    place = (second * 2 + messages.side[rows]) * _BANDS + band
    seconds = len(shown)
    qty = messages.qty[rows].astype(np.float64)

    def summed(weights: NDArray | None) -> Counts:
        flat = np.bincount(place, weights, seconds * 2 * _BANDS).reshape(seconds, 2, _BANDS)
        found = np.empty((seconds, _SIDES, _BANDS))
        found[:, :2, :_BEYOND] = flat[:, :, :_BEYOND]
        found[:, :2, _BEYOND] = flat.sum(axis=2)
        found[:, 2] = found[:, 0] + found[:, 1]
        return found

    n_msgs, qty_msgs = summed(None), summed(qty)
    if frozen is None:
        return Intensity(day.start, shown, n_msgs, qty_msgs, None, None, {})
    weights = attribute(day, frozen)
    total = weights.pop("all")[rows]
    by_family = {family: summed(one[rows]) for family, one in weights.items()}
    return Intensity(day.start, shown, n_msgs, qty_msgs, summed(total), summed(total * qty), by_family)


def rows_of(counts: Intensity) -> pl.DataFrame:
    """One row per second, side and band with messages, and one of all sides and bands for every second.

    Columns window_end, side, band, the counts and shares; in order of the key.
    """
    held = counts.n_msgs > 0
    held[:, -1, -1] |= counts.shown
    held &= counts.shown[:, None, None]
    second, side, band = np.nonzero(held)

    def picked(values: Counts | None) -> NDArray[np.float64] | None:
        return None if values is None else values[second, side, band]

    def column(values: NDArray[np.float64] | None, dtype: PolarsType = pl.Float32) -> pl.Series:
        if values is None:
            return pl.Series([None], dtype=dtype).new_from_index(0, len(second))
        return pl.Series(values, nan_to_null=True).cast(dtype)

    def share(part: Counts | None, whole: Counts) -> pl.Series:
        parts, wholes = picked(part), whole[second, side, band]
        if parts is None:
            return column(None)
        return column(np.where(wholes > 0, np.minimum(parts / np.maximum(wholes, 1), 1), np.nan))

    return pl.DataFrame(
        {
            "window_end": pl.Series(counts.start + (second + 1) * SECOND_NS).cast(TIMESTAMP),
            "side": pl.Series(INTENSITY_SIDES, dtype=pl.Enum(INTENSITY_SIDES)).gather(side),
            "band": pl.Series(INTENSITY_BANDS, dtype=pl.Enum(INTENSITY_BANDS)).gather(band),
            "n_msgs": column(picked(counts.n_msgs), pl.Int32),
            "qty_msgs": column(picked(counts.qty_msgs), pl.Int64),
            "n_attr": column(picked(counts.n_attr)),
            "qty_attr": column(picked(counts.qty_attr)),
            "share_msgs": share(counts.n_attr, counts.n_msgs),
            "share_qty": share(counts.qty_attr, counts.qty_msgs),
            **{share_column(name): share(counts.by_family.get(name), counts.n_msgs) for name in FAMILIES},
        }
    )


@dataclass(frozen=True)
class Baseline:
    """What is usual by half hour, side and band over earlier sessions: median and deviation of share_msgs."""

    frame: pl.DataFrame
    sessions: int


def baseline(earlier: Sequence[pl.DataFrame]) -> Baseline:
    """From rows of earlier sessions with window_end, side, band, share_msgs; sessions without a share do not count."""
    known = [frame.filter(pl.col("share_msgs").is_not_null()) for frame in earlier]
    known = [frame for frame in known if frame.height]
    keys = ["bucket", "side", "band"]
    if not known:
        return Baseline(pl.DataFrame(schema={"bucket": pl.Int32, "median": pl.Float64, "deviation": pl.Float64}), 0)
    rows = pl.concat(known).with_columns(bucket=_bucket()).with_columns(median=pl.col("share_msgs").median().over(keys))
    usual = rows.group_by(keys).agg(
        median=pl.col("median").first().cast(pl.Float64),
        deviation=((pl.col("share_msgs") - pl.col("median")).abs().median() * MAD_TO_SD).cast(pl.Float64),
    )
    return Baseline(usual, len(known))


def with_baseline(rows: pl.DataFrame, usual: Baseline, least_sessions: int) -> pl.DataFrame:
    """`rows` with expected_share, and intensity_z where there are enough earlier sessions and they differ at all."""
    if not usual.sessions:
        nothing = pl.lit(None, pl.Float32)
        return rows.with_columns(expected_share=nothing, intensity_z=nothing)
    z = (pl.col("share_msgs") - pl.col("median")) / pl.col("deviation")
    enough = (pl.col("deviation") > 0) & pl.lit(usual.sessions >= least_sessions)
    joined = rows.with_columns(bucket=_bucket()).join(
        usual.frame, on=["bucket", "side", "band"], how="left", maintain_order="left"
    )
    return joined.with_columns(
        expected_share=pl.col("median").cast(pl.Float32),
        intensity_z=pl.when(enough).then(z.clip(-LARGEST_Z, LARGEST_Z)).cast(pl.Float32),
    ).drop("bucket", "median", "deviation")


def _bucket() -> pl.Expr:
    """Half hour of the New York clock that a second lies in."""
    start = (pl.col("window_end") - pl.duration(seconds=1)).dt.convert_time_zone("America/New_York")
    return (start.dt.hour().cast(pl.Int32) * 60 + start.dt.minute().cast(pl.Int32)) // BUCKET_MINUTES
