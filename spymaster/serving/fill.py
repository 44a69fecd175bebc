"""From rows of stored tables to dense arrays of wire surfaces: pure, frame in, arrays out.

A `Span` is a run of seconds that is filled at a time. Rows are scattered by second and by distance from the spot of
their second; what no row tells stays missing, but for the wall, where it is zero if the window is valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.serving import surfaces
from spymaster.serving.batches import NO_QTY, Arrays, missing_columns
from spymaster.serving.lod import NO_TICK
from spymaster.serving.surfaces import BY_NAME, FLAGS, Geometry

SECOND_NS = 1_000_000_000
STALE_SPOT_S = 60.0
_INT32_MAX = 2**31 - 1
_FOREVER_NS = 2**62


@dataclass(frozen=True)
class Timeline:
    """Every second of a market session: `t0_ns` is the start of the first window, which is second 0."""

    t0_ns: int
    seconds: int

    def end_ns(self, sec: int) -> int:
        """End of the window of a second."""
        return self.t0_ns + (sec + 1) * SECOND_NS


@dataclass
class Span:
    """Seconds first .. first + rows - 1 of a timeline. `orphans` counts rows that lie outside the timeline, by surface.

    counted_from: second from which orphans are counted, so that spans that overlap do not count one twice.
    spot: spot tick of each second or `NO_TICK`; valid: whether its window is valid. Both are set by `fill_snap`.
    """

    timeline: Timeline
    first: int
    rows: int
    tick: int
    """Price step, 1e-9."""
    counted_from: int = 0
    spot: NDArray[np.int32] = field(init=False)
    valid: NDArray[np.bool_] = field(init=False)
    orphans: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spot = np.full(self.rows, NO_TICK, np.int32)
        self.valid = np.zeros(self.rows, np.bool_)

    @property
    def bounds(self) -> tuple[int, int]:
        """First and last end of a window to look at, ns UTC: beyond the timeline at its ends, so that orphans show."""
        begin, end = self.timeline.end_ns(self.first), self.timeline.end_ns(self.first + self.rows - 1)
        return (
            begin if self.first else 0,
            end if self.first + self.rows < self.timeline.seconds else _FOREVER_NS,
        )

    def count(self, frame: pl.DataFrame, surface: str) -> None:
        """Count the orphans among the rows of `frame`."""
        self._count_orphans(surface, *self._seconds(frame))

    def _count_orphans(self, surface: str, secs: NDArray[np.int64], on_grid: NDArray[np.bool_]) -> None:
        if not on_grid.all():
            # An early one belongs to the span that begins the timeline.
            mine = (secs >= max(self.first, self.counted_from)) | ((secs < 0) & (self.first == 0))
            rows = int((~on_grid & mine).sum())
            if rows:
                self.orphans[surface] = self.orphans.get(surface, 0) + rows

    def _seconds(self, frame: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The second of each row, and whether it is one of the timeline."""
        offset = frame["window_end"].to_physical().to_numpy() - self.timeline.t0_ns
        secs = offset // SECOND_NS - 1
        return secs, (offset % SECOND_NS == 0) & (secs >= 0) & (secs < self.timeline.seconds)

    def part(self, first: int, rows: int) -> Span:
        """A part of this span that shares its spot."""
        part = Span(self.timeline, first, rows, self.tick, self.counted_from, self.orphans)
        begin = first - self.first
        part.spot, part.valid = self.spot[begin : begin + rows], self.valid[begin : begin + rows]
        return part

    @property
    def secs(self) -> NDArray[np.int32]:
        """The seconds."""
        return np.arange(self.first, self.first + self.rows, dtype=np.int32)

    def locate(self, frame: pl.DataFrame, surface: str | None) -> tuple[pl.DataFrame, NDArray[np.int64]]:
        """Rows of `frame` inside the span and their positions in it; orphans are counted for `surface`, if named."""
        secs, on_grid = self._seconds(frame)
        if surface is not None:
            self._count_orphans(surface, secs, on_grid)
        keep = on_grid & (secs >= self.first) & (secs < self.first + self.rows)
        return (frame if keep.all() else frame.filter(pl.Series(keep))), secs[keep] - self.first


def fill_snap(span: Span, frame: pl.DataFrame) -> Arrays:
    """`snap` from rows of `book_snapshot_1s`; sets the span's spot and validity."""
    frame, at = span.locate(frame, "snap")
    arrays = missing_columns(BY_NAME["snap"], Geometry(), span.rows)
    for name, source in surfaces.SNAP_COLUMNS.items():
        if source not in frame.columns:
            continue
        values = frame[source].cast(pl.Int64)
        if name.endswith("_tick"):
            arrays[name][at] = (values // span.tick).fill_null(NO_TICK).to_numpy()
        else:
            arrays[name][at] = values.clip(None, _INT32_MAX).fill_null(NO_QTY).to_numpy()
    book_valid, window_valid = _bools(frame, "book_valid"), _bools(frame, "window_valid")
    loading = (frame["book_state"].cast(pl.String) == "snapshot").to_numpy()
    arrays["state"][at] = np.where(book_valid, 3, np.where(loading, 2, 1))
    age = frame["spot_age_s"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    bits = {
        "GAP": _bools(frame, "sequence_gap"),
        "MAYBE_BAD_BOOK": _bools(frame, "maybe_bad_book"),
        "CROSSED": _bools(frame, "crossed"),
        "STALE_SPOT": age > STALE_SPOT_S,
        "HALT_OR_PREOPEN": (frame["phase"].cast(pl.String) != "continuous").to_numpy(),
        "PARTIAL": _bools(frame, "is_partial"),
        "WINDOW_INVALID": book_valid & ~window_valid,
    }
    flags = np.zeros(len(at), np.uint8)
    for name, holds in bits.items():
        flags |= np.where(holds, FLAGS[name], 0).astype(np.uint8)
    arrays["flags"][at] = flags
    span.spot[:] = arrays["spot_tick"]
    span.valid[at] = window_valid
    return arrays


def vacuum_scores(span: Span, frame: pl.DataFrame, half: int) -> NDArray[np.float64]:
    """Scores [rows, width] from rows of `vacuum_surface_1s`; of two sides on one tick, the one further from idle."""
    frame, at = span.locate(frame, "vacuum")
    rel, score = frame["rel_ticks"].to_numpy().astype(np.int64), _floats(frame, "vacuum_score")
    drawn = (np.abs(rel) <= half) & ~np.isnan(score)
    ask = (frame["side"] == "A").to_numpy()
    bids, asks = (np.full((span.rows, 2 * half + 1), np.nan) for _ in range(2))
    for values, side in ((bids, ~ask), (asks, ask)):
        mine = drawn & side
        values[at[mine], rel[mine] + half] = score[mine]
    of_bid = np.isnan(asks) | (np.abs(bids - 0.5) > np.abs(asks - 0.5))
    return np.where(of_bid, bids, asks)


@dataclass
class PressureRows:
    """Rows of `pressure_surface_1s` of a span: position, tick of the bucket's lowest price, and values (NaN: null)."""

    at: NDArray[np.int64]
    bucket_tick: NDArray[np.int64]
    net: NDArray[np.float64]
    ratio_bid: NDArray[np.float64]
    ratio_ask: NDArray[np.float64]


def pressure_rows(span: Span, frame: pl.DataFrame) -> PressureRows:
    """The rows of a frame that lie in the span."""
    frame, at = span.locate(frame, "pressure")
    return PressureRows(
        at,
        (frame["bucket_price_int"] // span.tick).to_numpy(),
        *(_floats(frame, name) for name in ("net_pressure", "rest_ratio_bid", "rest_ratio_ask")),
    )


def spread_buckets(span: Span, rows: PressureRows, half: int, bucket_ticks: int) -> NDArray[np.float64]:
    """Net pressure [rows, width]: a bucket's value at each of its ticks."""
    values = np.full((span.rows, 2 * half + 1), np.nan)
    spot = span.spot[rows.at].astype(np.int64)
    for step in range(bucket_ticks):
        column = rows.bucket_tick + step - spot + half
        inside = (column >= 0) & (column <= 2 * half) & (spot != NO_TICK)
        values[rows.at[inside], column[inside]] = rows.net[inside]
    return values


def fill_lists(span: Span, frame: pl.DataFrame, surface: str, sources: dict[str, Sequence[str]]) -> Arrays:
    """Float lists of one row per second: wire column -> the table's columns in order; null becomes NaN."""
    frame, at = span.locate(frame, surface)
    arrays: Arrays = {}
    for name, columns in sources.items():
        values = np.full((span.rows, len(columns)), np.nan, np.float32)
        values[at] = frame.select(pl.col(columns).cast(pl.Float32).fill_null(np.nan)).to_numpy()
        arrays[name] = values
    return arrays


def fill_moves(span: Span, frame: pl.DataFrame) -> Arrays:
    """`moves` from rows of `move_conditions_1s`."""
    arrays = fill_lists(
        span,
        frame,
        "moves",
        {"z": surfaces.MOVE_Z, "d1": surfaces.MOVE_D1, "soft_and": ("soft_and_w5",), "drive_dn": ("drive_dn_w5",)},
    )
    for name in ("soft_and", "drive_dn"):
        arrays[name] = arrays[name][:, 0]
    rows, at = span.locate(frame, None)
    for name in ("state_dn", "state_up"):
        arrays[name] = np.zeros(span.rows, np.uint8)
        arrays[name][at] = rows[f"{name}_w5"].fill_null(0).to_numpy()
    # Without a scale there is no state: zero conditions of four would be a claim.
    known = _bools(rows, "valid") & rows["state_dn_w5"].is_not_null().to_numpy()
    arrays["valid"] = np.zeros(span.rows, np.uint8)
    arrays["valid"][at] = np.where(known, np.where(_bools(rows, "scale_provisional"), 2, 1), 0)
    return arrays


def fill_gex(span: Span, frame: pl.DataFrame, geometry: Geometry) -> Arrays:
    """`gex` from rows of `gex_surface_1s`: strikes in ascending order, those beyond the list left out."""
    frame, at = span.locate(frame, "gex")
    rows = frame.with_columns(at=pl.Series(at)).sort("at", "strike_price_int")
    rows = rows.with_columns(place=pl.int_range(pl.len()).over("at")).filter(pl.col("place") < geometry.gex_strikes)
    arrays = missing_columns(BY_NAME["gex"], geometry, span.rows)
    where = rows["at"].to_numpy(), rows["place"].to_numpy()
    arrays["strike_tick"][where] = (rows["strike_price_int"] // span.tick).to_numpy()
    for name, source in surfaces.GEX_COLUMNS.items():
        arrays[name][where] = _floats(rows, source)
    return arrays


def _bools(frame: pl.DataFrame, name: str) -> NDArray[np.bool_]:
    return frame[name].fill_null(False).to_numpy()


def _floats(frame: pl.DataFrame, name: str) -> NDArray[np.float64]:
    return frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
