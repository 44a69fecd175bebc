"""Pressure of made-up sessions, and the same slowly, in plain Python."""

from __future__ import annotations

import io
import math
from collections import defaultdict
from datetime import date

import numpy as np
import polars as pl

from spymaster.settings import PressureSettings
from spymaster.surfaces.calibration import calibration_frame, session_pool
from spymaster.surfaces.option_flow import NO_OPTIONS, OptionFlow, option_flow
from spymaster.surfaces.pressure import Buckets, PressurePass
from spymaster.surfaces.pressure_pool import PressurePool
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.pressure_surface_1s import COMPONENTS, PressureSurface1s
from spymaster_tests.surfaces.frames import TICK, in_blocks
from spymaster_tests.surfaces.options import definitions_of, quotes_of

ES = Buckets(TICK, 4)
POINT = 4 * TICK
EARLIER = date(2024, 1, 2)
DEFINITIONS = definitions_of(4800 + 5 * np.arange(-4, 5))
INVALID = (40, 41, 42)


def calibrated(
    wall: pl.DataFrame, options: OptionFlow = NO_OPTIONS, buckets: Buckets = ES, eps_qty: float = 1.0
) -> pl.DataFrame:
    pool = session_pool([wall], eps_qty=eps_qty, pressure=PressurePool(buckets, decay_s=15.0, options=options))
    frame = calibration_frame({EARLIER: pool}, date(2024, 1, 3), eps_qty=eps_qty)
    return PhysicsNormCalibration.validate(frame)


def pressed(
    wall: pl.DataFrame | list[pl.DataFrame],
    snapshot: pl.DataFrame,
    calibration: pl.DataFrame,
    options: OptionFlow = NO_OPTIONS,
    buckets: Buckets = ES,
    weights: PressureSettings | None = None,
) -> pl.DataFrame:
    batches = wall if isinstance(wall, list) else [wall]
    frames = PressurePass(batches, snapshot, calibration, buckets=buckets, options=options, settings=weights)
    return PressureSurface1s.validate(pl.concat(frames))


def flow_of(quotes: pl.DataFrame, definitions: pl.DataFrame = DEFINITIONS, rows: int = 1 << 20) -> OptionFlow:
    return option_flow(in_blocks(quotes, rows), definitions, bucket_price_int=POINT)


def options_of(snapshot: pl.DataFrame, seed: int) -> OptionFlow:
    return flow_of(quotes_of(DEFINITIONS, snapshot, seed=seed))


def sparse(wall: pl.DataFrame) -> pl.DataFrame:
    """The form that is stored outside RTH: rows with flow or whose state is not their last one's, those near spot, and
    all once a minute."""
    flow = pl.sum_horizontal("add_qty", "pull_qty_total", "fill_qty") > 0
    cell = ["price_int", "side"]
    changed = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(name).shift(1).over(cell)) for name in ("depth_qty_end", "depth_qty_rest")
    )
    whole = (pl.col("window_end").dt.second() == 1) | (pl.col("window_end") == pl.col("window_end").first())
    return wall.filter(flow | changed | (pl.col("rel_ticks").abs() <= 20) | whole)


def as_stored(frame: pl.DataFrame) -> bytes:
    """The rows as a file of them: what lies in memory below a null is not part of it."""
    file = io.BytesIO()
    frame.write_parquet(file, compression="uncompressed")
    return file.getvalue()


def by_hand(
    wall: pl.DataFrame, snapshot: pl.DataFrame, quotes: pl.DataFrame
) -> dict[tuple[int, int], dict[str, float]]:
    """{(second, bucket): components} in plain Python, second by second."""
    rows, traded = defaultdict(list), defaultdict(list)
    for row in wall.iter_rows(named=True):
        rows[row["window_end"]].append(row)
    for row in quotes.iter_rows(named=True):
        traded[row["window_end"]].append(row)
    strike = {r["instrument_id"]: (r["right"], r["strike_price_int"]) for r in DEFINITIONS.iter_rows(named=True)}
    flow: dict[str, dict[int, float]] = {name: defaultdict(float) for name in COMPONENTS[:6]}
    delta: dict[int, float] = {}
    result = {}
    for second, shot in enumerate(snapshot.iter_rows(named=True)):
        end, spot, valid = shot["window_end"], shot["spot_ref_price_int"], shot["window_valid"]
        for kept in flow.values():
            for bucket in kept:
                kept[bucket] *= math.exp(-1 / 15)
        rest = {"rest_long": defaultdict(int), "rest_short": defaultdict(int)}
        for row in rows[end]:
            bucket, ask = row["price_int"] // POINT, row["side"] == "A"
            rest["rest_short" if ask else "rest_long"][bucket] += row["depth_qty_rest"]
            if valid:
                flow["book_short" if ask else "book_long"][bucket] += row["add_qty"]
                flow["book_long" if ask else "book_short"][bucket] += row["pull_qty_total"]
                flow["trade_long" if ask else "trade_short"][bucket] += row["fill_qty"]
        for row in traded[end]:
            known = row["delta"] if row["delta"] is not None else delta.get(row["instrument_id"])
            if row["delta"] is not None:
                delta[row["instrument_id"]] = row["delta"]
            right, price = strike[row["instrument_id"]]
            if valid and known is not None:
                rising, falling = ("long", "short") if right == "C" else ("short", "long")
                flow[f"option_{rising}"][price // POINT] += abs(known) * row["buy_volume"]
                flow[f"option_{falling}"][price // POINT] += abs(known) * row["sell_volume"]
        if spot is not None:
            for rel in range(-40, 41):
                bucket = spot // POINT + rel
                result[second, bucket] = {name: kept[bucket] for name, kept in (flow | rest).items()}
    return result
