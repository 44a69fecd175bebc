"""Who outpaces whom at each price, second by second (`silver.pressure_surface_1s`).

A bucket is `bucket_ticks` ticks, anchored on absolute prices. What happens in it is remembered for a while: every
window the flow so far is multiplied by exp(-dt / tau), then that of the window is added.

    component  long                          short
    book       bids added + asks pulled      asks added + bids pulled       flow
    trade      asks filled (buyers lift)     bids filled (sellers hit)      flow
    option     |delta| x (calls bought + puts sold)  |delta| x (puts bought + calls sold), at the strike     flow
    rest       bids that rest                asks that rest                 at window_end

`*_pressure` is the weighted mean of the components over their usual values (`pressure_pool`), `net_pressure` their
balance. Rules:

- Flow of a window that is not valid is no flow: what a snapshot or a clear puts in or takes out is nobody's decision.
  The memory of what was seen before goes on fading meanwhile. What rests is what the wall says, valid or not.
- The wall stores rows only where they tell something outside regular hours; an absent row means no flow, and resting
  as in the price's last row.
- Flow is seen as far from spot as the wall reaches (`engine.grid_ticks`). Rows are for the buckets that lie within it
  as a whole, at most 40 to either side: with buckets of 20 ticks and a grid of 600 that is 29.
- Asks do not rest below spot, nor bids above: there is no usual value of theirs there. Their rest counts as usual, 1,
  plus what rests there all the same. Were it 0, every price above spot would be in the hands of the shorts and every
  one below in those of the longs, by geometry alone; so `net_pressure` is about 0 where everything is as usual.
- A session has options from the first second in which one of them is quoted, if the calibration knows what is usual
  for options. Before, and without, their components are null and their weight is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from spymaster.lake.dense import tick_size
from spymaster.lake.partition import Partition
from spymaster.market.instruments import Instrument
from spymaster.settings import PressureSettings, Settings
from spymaster.surfaces import option_flow, pressure_kernels
from spymaster.surfaces.blocks import WallBlock, nanoseconds, order_error, with_snapshot
from spymaster.surfaces.errors import CalibrationError, SurfaceInputError
from spymaster.surfaces.option_flow import NO_OPTIONS, OptionFlow
from spymaster.surfaces.pressure_kernels import NO_SPOT, NO_TIME
from spymaster.surfaces.zones import WINDOW_NS, ZONE_QUANTITIES
from spymaster.tables.pressure_surface_1s import COMPONENTS, KINDS, SCORES, PressureSurface1s
from spymaster.tables.types import DISTANCE_BAND_EDGES, MAX_GRID_TICKS, PRESSURE_BUCKETS

OPTION_COMPONENTS: Final = ("option_long", "option_short")
REST_COMPONENTS: Final = ("rest_long", "rest_short")
WALL_COLUMNS: Final = ("window_end", "price_int", "side", "rel_ticks", *ZONE_QUANTITIES)
SNAPSHOT_COLUMNS: Final = ("window_end", "contract", "spot_ref_price_int", "window_valid")

_ROWS_FOR_TICK: Final = 65_536

MOST_TICKS: Final = 1 << 20
"""Widest range of prices of a session, ticks: 262,144 points of ES."""


@dataclass(frozen=True)
class Buckets:
    """How an instrument's prices are cut: ticks of `tick_size_int` (1e-9), buckets of `bucket_ticks`."""

    tick_size_int: int
    bucket_ticks: int
    grid_ticks: int = MAX_GRID_TICKS

    def __post_init__(self) -> None:
        if self.reach < 0:
            raise SurfaceInputError(
                f"a bucket of {self.bucket_ticks} ticks does not fit into the wall's grid of {self.grid_ticks} ticks",
                hint="lower bucket_ticks of the instrument, or raise the setting engine.grid_ticks",
            )

    @property
    def reach(self) -> int:
        """Buckets on either side of spot's whose ticks all lie within the grid, wherever in its bucket spot is."""
        return min(PRESSURE_BUCKETS, (self.grid_ticks - self.bucket_ticks + 1) // self.bucket_ticks)

    @property
    def price_int(self) -> int:
        """Size of a bucket, 1e-9."""
        return self.tick_size_int * self.bucket_ticks

    def band_of(self) -> np.ndarray:
        """int64[reach + 1]: number of the distance band of each distance from spot's bucket."""
        last = [edges[1] for edges in DISTANCE_BAND_EDGES.values()]
        return np.searchsorted(last, np.arange(self.reach + 1)).astype(np.int64)


class Windows(NamedTuple):
    """Windows of a block as the kernels take them."""

    t: np.ndarray
    """int64[m], window_end in ns."""
    spot: np.ndarray
    """int64[m], spot in 1e-9, NO_SPOT where there is none."""
    valid: np.ndarray
    """bool[m]."""

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Windows:
        """Of frame rows with `window_end`, `spot_ref_price_int` and `window_valid`, one per window."""
        return cls(
            nanoseconds(rows["window_end"]).copy(),
            rows["spot_ref_price_int"].fill_null(NO_SPOT).to_numpy().copy(),
            rows["window_valid"].to_numpy().copy(),
        )


class Components(NamedTuple):
    """Components of the `p` windows of a block that have a spot."""

    t: np.ndarray
    valid: np.ndarray
    center: np.ndarray
    """int64[p], number of the bucket of spot."""
    has_options: np.ndarray
    values: np.ndarray
    """float32[8, p, 2 reach + 1] in the order of the table's `COMPONENTS`; option rows NaN where there are none."""


class BucketFlows:
    """Decayed flows and rest by bucket, block by block; carries them so that block edges do not show."""

    def __init__(self, buckets: Buckets, *, decay_s: float, options: OptionFlow = NO_OPTIONS) -> None:
        self._buckets = buckets
        self._tau_ns = decay_s * 1e9
        self._options = options
        self._last_t = np.full(1, NO_TIME, dtype=np.int64)
        self._origin = 0
        self._flow = np.zeros((6, 0))
        self._fresh = np.zeros((6, 0))
        self._rest = np.zeros((2, 0), dtype=np.int64)
        self._cells = np.zeros((2, 0), dtype=np.int32)
        self._bucket_of = np.zeros(0, dtype=np.int32)

    def update(self, windows: Windows, wall: WallBlock) -> Components:
        """Components after each window. Raises SurfaceInputError for a wall row whose window is not among them."""
        size = self._buckets.bucket_ticks
        has_spot = windows.spot != NO_SPOT
        tick = np.where(has_spot, windows.spot // self._buckets.tick_size_int, NO_SPOT)
        bucket = tick // size
        known = tick[has_spot]
        if len(known):
            self._make_room(windows, int(known.min()), int(known.max()), wall)
        since = self._options.since
        has_options = np.zeros(len(windows.t), dtype=bool) if since is None else windows.t >= since
        upto = int(windows.t[-1]) if len(windows.t) else NO_TIME
        values = np.empty((len(COMPONENTS), len(known), 2 * self._buckets.reach + 1), dtype=np.float32)
        bad = pressure_kernels.advance(
            windows.t, tick, bucket, windows.valid, has_options,
            wall.t, wall.side, wall.rel, wall.q, *self._options.between(int(self._last_t[0]), upto),
            self._origin, self._bucket_of, self._buckets.grid_ticks // size, self._tau_ns,
            self._last_t, self._flow, self._fresh, self._rest, self._cells, values,
        )  # fmt: skip
        if bad >= 0:
            raise order_error(wall, bad, "wall row of a window that the snapshot table does not have")
        return Components(windows.t[has_spot], windows.valid[has_spot], bucket[has_spot], has_options[has_spot], values)

    def _make_room(self, windows: Windows, lowest: int, highest: int, wall: WallBlock) -> None:
        """Let the arrays hold everything within the grid around the lowest and the highest spot (ticks)."""
        size, grid = self._buckets.bucket_ticks, self._buckets.grid_ticks
        grid = max(grid, int(np.abs(wall.rel).max()) if wall.rows else 0)
        first, last = (lowest - grid) // size - 1, (highest + grid) // size + 1
        held = self._flow.shape[1]
        if held:
            first, last = min(first, self._origin), max(last, self._origin + held - 1)
        if (last - first + 1) * size > MOST_TICKS:
            raise SurfaceInputError(
                f"spot of the windows up to {np.datetime64(int(windows.t[-1]), 'ns')} lies between ticks {lowest} and "
                f"{highest}: a session's prices may span {MOST_TICKS:,} ticks with those before",
                hint="look for a wrong print in silver.trade",
            )
        before = self._origin - first if held else 0
        after = last - first + 1 - held - before
        if before or after:
            self._origin = first
            self._flow, self._fresh, self._rest = (
                np.pad(array, ((0, 0), (before, after))) for array in (self._flow, self._fresh, self._rest)
            )
            self._cells = np.pad(self._cells, ((0, 0), (before * size, after * size)))
            self._bucket_of = np.repeat(np.arange(last - first + 1, dtype=np.int32), size)


class Usual:
    """What each component is divided by, from the rows of a `gold.physics_norm_calibration` partition.

    Raises CalibrationError where a row is missing or its divisor is not above 0.
    """

    def __init__(self, calibration: pl.DataFrame, buckets: Buckets) -> None:
        rows = calibration.filter(pl.col("kind") == "ratio").select("metric_name", "band", "scale", "n_rows")
        known = {(metric, band): (scale, n) for metric, band, scale, n in rows.iter_rows()}
        bands = tuple(DISTANCE_BAND_EDGES)
        by_distance = [bands[number] for number in buckets.band_of()]
        for metric in COMPONENTS:
            for band in sorted(set(by_distance)):
                scale = known.get((metric, band), (None, 0))[0]
                if scale is None or not scale > 0.0:
                    raise CalibrationError(
                        f"calibration of {metric} (band {band}) has divisor {scale}, must be positive",
                        hint="rebuild gold.physics_norm_calibration of this date",
                    )
        self.divisors = np.array([[known[metric, band][0] for band in by_distance] for metric in COMPONENTS])
        """float64[8, reach + 1]."""
        self.has_options = any(known[metric, band][1] > 0 for metric in OPTION_COMPONENTS for band in by_distance)
        """Whether some session of the pool had options."""


class PressurePass:
    """The pressure surface of a session, iterated as frames of whole windows; afterwards `counters` tells what was odd.

    wall_batches: frames with `WALL_COLUMNS`, sorted, of any size. snapshot: the session's rows with `SNAPSHOT_COLUMNS`.
    calibration: `gold.physics_norm_calibration` of the date. Raises SurfaceInputError for a wall row without its
    snapshot row, CalibrationError for a calibration without the components.
    """

    def __init__(
        self,
        wall_batches: Iterable[pl.DataFrame],
        snapshot: pl.DataFrame,
        calibration: pl.DataFrame,
        *,
        buckets: Buckets,
        options: OptionFlow = NO_OPTIONS,
        settings: PressureSettings | None = None,
        window_ns: int = WINDOW_NS,
    ) -> None:
        self._settings = settings or PressureSettings()
        self._wall, self._snapshot, self._buckets, self._step = wall_batches, snapshot, buckets, window_ns
        self._usual = Usual(calibration, buckets)
        without_usual = options.since is not None and not self._usual.has_options
        self._options = NO_OPTIONS if without_usual else options
        self.counters = {**options.counters, "options_without_usual": int(without_usual)}

    def __iter__(self) -> Iterator[pl.DataFrame]:
        state = BucketFlows(self._buckets, decay_s=self._settings.decay_s, options=self._options)
        width = 2 * self._buckets.reach + 1
        weights = np.array([getattr(self._settings, f"weight_{kind}") for kind in KINDS], dtype=np.float64)
        past_t, past_center = np.full(2, NO_TIME, dtype=np.int64), np.zeros(2, dtype=np.int64)
        past_net = np.full((3, width), np.nan)
        for wall, shots in with_snapshot(self._wall, self._snapshot):
            found = state.update(Windows.of(shots), WallBlock.of(wall))
            scores = np.empty((len(SCORES), len(found.t), width), dtype=np.float32)
            pressure_kernels.score(
                found.t, found.center, found.valid, found.has_options, found.values,
                self._usual.divisors, weights, self._step, past_t, past_center, past_net, scores,
            )  # fmt: skip
            yield self._frame(shots.filter(pl.col("spot_ref_price_int").is_not_null()), found, scores)

    def _frame(self, shots: pl.DataFrame, found: Components, scores: np.ndarray) -> pl.DataFrame:
        rel = np.arange(-self._buckets.reach, self._buckets.reach + 1, dtype=np.int32)
        window = np.repeat(np.arange(shots.height, dtype=np.uint32), len(rel))
        rows = shots[window].with_columns(
            pl.Series("bucket_price_int", ((found.center[:, None] + rel) * self._buckets.price_int).ravel()),
            pl.Series("rel_buckets", np.tile(rel, shots.height)),
            pl.Series("has_options", np.repeat(found.has_options, len(rel))),
            *(
                pl.Series(name, values.ravel(), nan_to_null=True)
                for name, values in zip((*COMPONENTS, *SCORES), (*found.values, *scores), strict=True)
            ),
        )
        return rows.select(PressureSurface1s.schema().names())


def pressure_session(
    wall: Partition,
    snapshot: Partition,
    calibration: Partition,
    quotes: Partition | None,
    definitions: Partition | None,
    *,
    instrument: Instrument,
    settings: Settings,
) -> PressurePass:
    """The pressure surface of a date and root from its partitions of the tables named.

    Without quotes or definitions of options the session has none.
    """
    buckets = session_buckets(wall, instrument, settings)
    return PressurePass(
        wall.batches(WALL_COLUMNS),
        snapshot.read(SNAPSHOT_COLUMNS),
        calibration.read(),
        buckets=buckets,
        options=session_options(quotes, definitions, buckets),
        settings=settings.pressure,
        window_ns=settings.engine.window_ns,
    )


def session_buckets(wall: Partition, instrument: Instrument, settings: Settings) -> Buckets:
    """How the prices of a session are cut: by the tick that its wall tells, else the instrument's."""
    told = tick_size(wall.scan(["window_end", "price_int", "rel_ticks"]).head(_ROWS_FOR_TICK).collect())
    return Buckets(told or instrument.tick_size_int, instrument.bucket_ticks, settings.engine.grid_ticks)


def session_options(quotes: Partition | None, definitions: Partition | None, buckets: Buckets) -> OptionFlow:
    """Option flow of a session from its partitions; both are needed to know what was traded."""
    if quotes is None or definitions is None:
        return NO_OPTIONS
    return option_flow.option_flow(
        quotes.batches(option_flow.QUOTE_COLUMNS),
        definitions.read(option_flow.DEFINITION_COLUMNS),
        bucket_price_int=buckets.price_int,
    )
