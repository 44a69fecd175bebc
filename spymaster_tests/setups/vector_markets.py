"""A session with everything that setup vectors are made of, and the same market turned upside down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import polars as pl

from spymaster.market.instruments import instrument
from spymaster.setups.condition_scale import columns, empty_pool, fit_rows, scale_of
from spymaster.setups.fits import COLUMNS as FIT_COLUMNS
from spymaster.setups.fits import Fits
from spymaster.setups.measures import measure_frames
from spymaster.setups.vectors import Builder
from spymaster.tables.move_condition_scale import MoveConditionScale
from spymaster.tables.move_measure_1s import HORIZONS, MoveMeasure1s
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.setups.markets import SPOT
from spymaster_tests.surfaces.frames import SIDE, TICK, in_blocks, make_session, start_of

ES = instrument("ES")
DT = date(2024, 1, 3)
BEFORE = date(2024, 1, 2)
SECOND = 1_000_000_000
START_S = start_of(DT) // SECOND
"""10:00 New York."""


@dataclass(frozen=True)
class Market:
    """Frames of one session, with the columns that vectors read."""

    wall: pl.DataFrame
    snapshot: pl.DataFrame
    measures: pl.DataFrame
    trades: pl.DataFrame
    candles: pl.DataFrame

    def builder(self, scale: pl.DataFrame) -> Builder:
        return Builder(self.measures, self.trades, self.snapshot, self.candles, scale, tick=TICK, eps=ES.eps_qty)

    def walls(self, rows: int = 5000):
        return in_blocks(self.wall, rows)

    def mirrored(self) -> Market:
        """Prices p become 2 SPOT - p, bids become asks, buyers sellers."""

        def turned(frame: pl.DataFrame, swap: list[tuple[str, str]], prices: list[str]) -> pl.DataFrame:
            names = dict([*swap, *((b, a) for a, b in swap)])
            return (
                frame.rename(names)
                .select(frame.columns)
                .with_columns((2 * SPOT - pl.col(name)).alias(name) for name in prices)
            )

        other = pl.when(pl.col("side") == "A").then(pl.lit("B", dtype=SIDE)).otherwise(pl.lit("A", dtype=SIDE))
        wall = turned(self.wall, [], ["price_int", "spot_ref_price_int"]).with_columns(
            rel_ticks=-pl.col("rel_ticks"), side=other
        )
        wall = wall.sort("window_end", "price_int", pl.col("side").to_physical())
        swap = [("best_bid_price_int", "best_ask_price_int"), ("best_bid_qty", "best_ask_qty"),
                ("buy_volume", "sell_volume")]  # fmt: skip
        prices = ["spot_ref_price_int", "mid_price_int", "best_bid_price_int", "best_ask_price_int"]
        shots = turned(self.snapshot, swap, prices)
        trades = self.trades.with_columns(
            aggressor=pl.col("aggressor").cast(pl.String).replace({"A": "B", "B": "A"}).cast(pl.Enum(["B", "A", "N"]))
        )
        candles = turned(
            self.candles,
            [("high_price_int", "low_price_int"), ("buy_volume", "sell_volume")],
            [name for name in self.candles.columns if name.endswith("_price_int")],
        )
        return Market(wall, shots, measured(wall, shots), trades, candles)


def measured(wall: pl.DataFrame, snapshot: pl.DataFrame) -> pl.DataFrame:
    return MoveMeasure1s.validate(
        pl.concat(measure_frames(in_blocks(wall, 5000), snapshot, instrument=ES, tick_size_int=TICK))
    )


def market(seconds: int, seed: int, invalid: tuple[int, ...] = ()) -> Market:
    """A random book that starts at 10:00 New York, with trades and candles that go with nothing in particular."""
    wall, snapshot = make_session(seconds, seed=seed, dt=DT, invalid=invalid)
    rng = np.random.default_rng(seed)
    resting = wall.filter(pl.col("depth_qty_end") > 0)
    for code, extreme, name, qty in (
        ("B", "max", "best_bid_price_int", "best_bid_qty"),
        ("A", "min", "best_ask_price_int", "best_ask_qty"),
    ):
        at_best = getattr(pl.col("price_int"), extreme)()
        best = (
            resting.filter(pl.col("side") == code)
            .group_by("window_end")
            .agg(at_best.alias(name), pl.col("depth_qty_end").filter(pl.col("price_int") == at_best).first().alias(qty))
        )
        snapshot = snapshot.join(best, on="window_end", how="left")
    n = snapshot.height
    volume = {name: rng.integers(0, 20, n) for name in ("buy_volume", "sell_volume", "none_volume")}
    snapshot = snapshot.sort("window_end").with_columns(
        **{name: pl.Series(values, dtype=pl.Int64) for name, values in volume.items()},
        message_count=pl.Series(rng.integers(0, 90, n), dtype=pl.Int32),
        crossed=pl.lit(False),
        phase=pl.lit("continuous"),
    )
    when = np.sort(rng.integers(0, n * SECOND, 2 * n)) + START_S * SECOND
    trades = pl.DataFrame(
        {
            "ts_event": pl.Series(when).cast(TIMESTAMP),
            "qty": pl.Series(rng.integers(1, 30, 2 * n), dtype=pl.Int64),
            "aggressor": pl.Series(
                rng.choice(["B", "A", "N"], 2 * n, p=[0.5, 0.4, 0.1]), dtype=pl.Enum(["B", "A", "N"])
            ),
            "levels_consumed": pl.Series(rng.integers(1, 4, 2 * n), dtype=pl.Int32),
        }
    )
    return Market(wall, snapshot, measured(wall, snapshot), trades, _candles(n // 120, rng))


def _candles(bars: int, rng: np.random.Generator) -> pl.DataFrame:
    close = np.cumsum(rng.integers(-6, 7, bars))
    begin = np.append(0, close[:-1])
    high, low = (np.maximum(begin, close), np.minimum(begin, close))
    ticks = {
        "open": begin,
        "high": high + rng.integers(0, 5, bars),
        "low": low - rng.integers(0, 5, bars),
        "close": close,
    }
    bought, sold = rng.integers(0, 500, bars), rng.integers(0, 500, bars)
    return pl.DataFrame(
        {
            "window_end": pl.Series((START_S + 120 * np.arange(1, bars + 1)) * SECOND).cast(TIMESTAMP),
            **{f"{name}_price_int": SPOT + values * TICK for name, values in ticks.items()},
            "volume": bought + sold,
            "buy_volume": bought,
            "sell_volume": sold,
            "n_msgs": rng.integers(100, 5000, bars),
            "is_complete": [True] * bars,
            "is_halt": [False] * bars,
        }
    )


def scale_from(*sessions: Market) -> pl.DataFrame:
    """`gold.move_condition_scale` of these sessions."""
    parts = []
    for horizon in HORIZONS:
        pool = [
            one.measures.select(columns(horizon)).filter("valid").with_columns(dt=pl.lit(BEFORE)) for one in sessions
        ]
        parts.append(scale_of(pl.concat([empty_pool(horizon), *pool]), horizon))
    fitted = Fits(ES.eps_qty)
    for one in sessions:
        fitted.add(one.measures.select(FIT_COLUMNS), TICK)
    rows = pl.concat([*parts, fit_rows(fitted, [BEFORE] * len(sessions))])
    return MoveConditionScale.validate(rows.sort(MoveConditionScale.key))


@cache
def day() -> tuple[Market, pl.DataFrame]:
    """A session of half an hour, and the scale of another; both are only read."""
    return market(1900, seed=11), scale_from(market(1000, seed=12))
