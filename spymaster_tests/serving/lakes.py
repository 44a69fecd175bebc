"""A small lake for the sidecar's tests: two sessions by the real code, with rows of pressure and gamma beside them.

The second session is longer than a chunk, so that every seam is crossed. Pressure and gamma exposure are patterns that
keep the tables' contracts: what is tested here is serving, not how they are computed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET
from spymaster.serving.catalog import SessionKey
from spymaster.tables import table
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, build_lake

KEY = SessionKey(SYMBOL, DT)
RECORDS = 16_500
TICK = 250_000_000
BUCKET = 4 * TICK
STRIKE = 5_000_000_000
STRIKES = 12
"""On either side, as the settings have it."""


def served_lake(root: Path) -> Lake:
    """The lake, with every surface on its later session."""
    lake = build_lake(root, records=RECORDS)
    snapshot = lake.partition("silver.book_snapshot_1s", SYMBOL, DT)
    calibration = lake.partition("gold.physics_norm_calibration", SYMBOL, DT)
    windows = snapshot.read(["window_end", "contract", "spot_ref_price_int", "window_valid"]).drop_nulls()
    add(lake, "silver.pressure_surface_1s", pressure(windows), snapshot, calibration)
    add(lake, "silver.gex_surface_1s", gex(windows), snapshot)
    return lake


def add(lake: Lake, name: str, frame: pl.DataFrame, *inputs) -> None:
    """Store a partition of the later session."""
    with lake.writer(name, SYMBOL, DT) as writer:
        writer.write(frame)
        writer.commit(inputs=list(inputs), dataset=SIM_DATASET)


def pressure(windows: pl.DataFrame) -> pl.DataFrame:
    """Eleven buckets a second; net pressure falls with distance, and one ask bucket is nine times the usual."""
    rel = np.tile(np.arange(-5, 6, dtype=np.int32), windows.height)
    rows = windows[np.repeat(np.arange(windows.height), 11)]
    valid = rows["window_valid"].to_numpy()
    net = np.where(valid, np.clip((2.5 - np.abs(rel)) / 5 * np.where(rel >= 0, 1, -1), -1, 1), np.nan)
    score = lambda values: pl.Series(np.where(valid, values, np.nan), dtype=pl.Float32).fill_nan(None)  # noqa: E731
    frame = rows.with_columns(
        bucket_price_int=rows["spot_ref_price_int"] // BUCKET * BUCKET + pl.Series(rel.astype(np.int64)) * BUCKET,
        rel_buckets=pl.Series(rel),
        has_options=pl.lit(False),
        **{name: pl.lit(1.0 if "option" not in name else None, dtype=pl.Float32) for name in (
            "book_long", "book_short", "trade_long", "trade_short", "option_long", "option_short", "rest_long",
            "rest_short")},
        rest_ratio_ask=score(np.where(rel == 3, 9.3, 1.0)),
        rest_ratio_bid=score(1.0),
        long_pressure=score(1.0 + net),
        short_pressure=score(1.0 - net),
        net_pressure=score(net),
        d1_net_pressure=pl.lit(None, dtype=pl.Float32),
        d2_net_pressure=pl.lit(None, dtype=pl.Float32),
    )  # fmt: skip
    schema = table("silver.pressure_surface_1s").schema()
    return frame.select(schema.names()).cast(schema)  # type: ignore[arg-type]


def gex(windows: pl.DataFrame) -> pl.DataFrame:
    """Twenty-five strikes a second; the outermost were not priced."""
    count = 2 * STRIKES + 1
    step = np.tile(np.arange(-STRIKES, STRIKES + 1), windows.height)
    rows = windows[np.repeat(np.arange(windows.height), count)]
    priced = np.abs(step) < STRIKES
    call = np.where(priced, 1e6 * (STRIKES + step), np.nan)
    put = np.where(priced, -1e6 * (STRIKES - step), np.nan)
    strike = (rows["spot_ref_price_int"] // STRIKE).to_numpy() * STRIKE + step * STRIKE
    schema = table("silver.gex_surface_1s").schema()
    known = {
        "underlying": rows["contract"],
        "strike_price_int": strike,
        "strike_points": strike / 1e9,
        "rel_ticks": (strike - rows["spot_ref_price_int"].to_numpy()) // TICK,
        "gex_call": call,
        "gex_put": put,
        "gex": call + put,
        "gex_abs": call - put,
        "gex_share": np.where(priced, 1 / count, np.nan),
        "flow_gex": np.full(len(step), np.nan),
    }
    frame = rows.with_columns(
        **{name: pl.Series(values).fill_nan(None) if isinstance(values, np.ndarray) and values.dtype.kind == "f"
           else pl.Series(values) for name, values in known.items()},
    )  # fmt: skip
    missing = [name for name in schema.names() if name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=schema[name]).alias(name) for name in missing)
    return frame.select(schema.names()).cast(schema)  # type: ignore[arg-type]


__all__ = ["DT", "EARLIER", "KEY", "SYMBOL", "served_lake"]
