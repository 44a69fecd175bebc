"""Usual values of pressure: what is pooled, what a component is divided by, and that only earlier sessions matter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake.lake import Lake
from spymaster.lake.partition import Partition
from spymaster.market.instruments import instrument
from spymaster.surfaces import calibration as module
from spymaster.surfaces.calibration import calibrate, calibration_frame, select_sessions, session_pool
from spymaster.surfaces.errors import CalibrationError
from spymaster.surfaces.pressure import Buckets, PressurePass
from spymaster.surfaces.pressure_pool import PressurePool, usual
from spymaster.tables import table
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.pressure_surface_1s import COMPONENTS
from spymaster.tables.types import DISTANCE_BAND_EDGES
from spymaster_tests.surfaces.frames import TICK, in_blocks, make_session
from spymaster_tests.surfaces.options import definitions_of, quotes_of
from spymaster_tests.surfaces.pressing import DEFINITIONS, ES, calibrated, flow_of

FIRST = date(2024, 1, 2)
WALL, QUOTES, DEFINED = "silver.wall_surface_1s", "silver.option_quote_1s", "bronze.option_definition"


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    module._remembered.clear()
    return Lake.open(tmp_path / "lake", create=True)


def store(lake: Lake, dt: date, seed: int, *, options: bool = True, seconds: int = 40) -> None:
    """A session's wall and options, all of them by `seed`."""
    wall, snapshot = make_session(seconds, seed=seed, dt=dt)
    definitions = definitions_of(4800 + 5 * np.arange(-4, 5))
    empty = table(QUOTES).empty()
    quotes = quotes_of(definitions, snapshot, seed=seed) if options else empty
    for name, frame in ((WALL, wall), (QUOTES, quotes), (DEFINED, definitions if options else table(DEFINED).empty())):
        with lake.writer(name, "ES", dt) as writer:
            writer.write(frame)
            writer.commit(provenance="simulated", empty_reason=None if frame.height else "no options")


def pooled(lake: Lake, dt: date, *, options: Sequence[str] = (QUOTES, DEFINED)) -> pl.DataFrame:
    """The calibration of a date as its asset makes it."""
    walls = select_sessions([p for p in lake.partitions(WALL, "ES") if p.dt <= dt], dt, lake.settings)
    read = [
        [lake.partition(name, "ES", wall.dt) for wall in walls] if name in options else [] for name in (QUOTES, DEFINED)
    ]
    frame = calibrate(
        walls, dt, instrument=instrument("ES"), settings=lake.settings, quotes=read[0], definitions=read[1]
    )
    return PhysicsNormCalibration.validate(frame)


def ratios(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(kind="ratio")


def as_bytes(frame: pl.DataFrame) -> bytes:
    return frame.write_ipc(None).getvalue()


def test_every_row_equals_an_aggregation_of_the_sessions_surfaces():
    """The pool of two sessions is that of the rows of their surfaces, whatever these were divided by."""
    sessions = [make_session(120, seed=1, dt=FIRST, invalid=(50, 51)), make_session(90, seed=2, dt=day(1))]
    options = [flow_of(quotes_of(DEFINITIONS, snapshot, seed=seed)) for seed, (_, snapshot) in enumerate(sessions)]
    pools, surfaces = {}, []
    for dt, (wall, snapshot), flow in zip((FIRST, day(1)), sessions, options, strict=True):
        pools[dt] = session_pool([wall], eps_qty=1.0, pressure=PressurePool(ES, decay_s=15.0, options=flow))
        surfaces += PressurePass([wall], snapshot, calibrated(wall, flow), buckets=ES, options=flow)
    frame = ratios(PhysicsNormCalibration.validate(calibration_frame(pools, day(2), eps_qty=1.0)))
    rows = pl.concat(surfaces).filter("window_valid")
    assert frame.height == len(COMPONENTS) * len(DISTANCE_BAND_EDGES)
    for row in frame.iter_rows(named=True):
        low, high = DISTANCE_BAND_EDGES[row["band"]]
        rel, metric = pl.col("rel_buckets"), row["metric_name"]
        own_side = {"rest_long": rel <= 0, "rest_short": rel >= 0}.get(metric, pl.lit(True))
        values = (
            rows.filter(rel.abs().is_between(low, high) & own_side)[metric].drop_nulls().cast(pl.Float64).to_numpy()
        )
        assert row["n_rows"] == len(values) > 0
        assert row["mean"] == pytest.approx(values.mean(), rel=1e-6, abs=1e-9)
        quantiles = np.quantile(values, [0.05, 0.5, 0.95])
        bits = 2e-4 if metric.startswith("rest") else 2.0**-8
        assert [row["q05"], row["q50"], row["q95"]] == [pytest.approx(q, rel=bits, abs=2e-3) for q in quantiles]
        assert row["scale"] == pytest.approx(
            max(1.0, quantiles[1] if metric.startswith("rest") else values.mean()), rel=bits
        )


@pytest.mark.parametrize("rows", [1, 83, 1000])
def test_batches_leave_the_same_bytes(rows: int):
    wall, _ = make_session(15 if rows == 1 else 130, seed=5)
    frames = []
    for batches in ([wall], in_blocks(wall, rows)):
        pool = session_pool(batches, eps_qty=1.0, pressure=PressurePool(ES, decay_s=15.0))
        frames.append(calibration_frame({FIRST: pool}, day(1)))
    assert as_bytes(frames[0]) == as_bytes(frames[1])


def test_idle_buckets_count_in_the_mean():
    wall, _ = make_session(60, seed=3)
    only_spot = wall.filter(pl.col("rel_ticks").abs() <= 1)
    rows = ratios(calibrated(only_spot)).filter(metric_name="book_long")
    by_band = dict(zip(rows["band"].to_list(), rows["n_rows"].to_list(), strict=True))
    assert by_band == {"D0": 60, "D1": 120, "D2_3": 240, "D4_5": 240, "D6_10": 600, "D11_20": 1200, "D21_40": 2400}
    assert rows.filter(band="D21_40")["mean"].item() == 0


def test_what_nobody_ever_did_is_divided_by_the_least_quantity():
    wall, _ = make_session(60, seed=3)
    quiet = wall.with_columns(fill_qty=pl.lit(0, pl.Int32))
    for eps_qty in (1.0, 2.5):
        trades = ratios(calibrated(quiet, eps_qty=eps_qty)).filter(pl.col("metric_name").str.starts_with("trade"))
        assert trades["scale"].unique().to_list() == [eps_qty]
    assert usual("rest_long", mean=50.0, median=0.0, eps_qty=1.0) == 1.0
    assert usual("rest_long", mean=50.0, median=7.0, eps_qty=1.0) == 7.0
    assert usual("book_long", mean=50.0, median=7.0, eps_qty=1.0) == 50.0


def test_bands_beyond_the_grid_have_no_rows_in_the_pool():
    wall, _ = make_session(20, seed=3)
    rows = ratios(calibrated(wall, buckets=Buckets(TICK, 4, grid_ticks=30)))
    assert set(rows.filter(pl.col("n_rows") == 0, pl.col("metric_name") == "book_long")["band"]) == {"D11_20", "D21_40"}


def test_nothing_of_the_session_or_later_ones_changes_its_usual_values(lake: Lake):
    for number in range(4):
        store(lake, day(number), number + 1)
    before = pooled(lake, day(2))
    assert ratios(before).filter(metric_name="option_long", band="D0")["mean"].item() > 0
    store(lake, day(2), 77, seconds=20)
    store(lake, day(3), 78, options=False)
    module._remembered.clear()
    assert as_bytes(pooled(lake, day(2))) == as_bytes(before)
    store(lake, day(1), 79)
    assert as_bytes(pooled(lake, day(2))) != as_bytes(before)


def test_sessions_without_options_add_no_option_rows(lake: Lake):
    store(lake, day(0), 1)
    store(lake, day(1), 2, options=False)
    store(lake, day(2), 3, options=False)

    def option_rows(dt: date, **read: Sequence[str]) -> int:
        return ratios(pooled(lake, dt, **read)).filter(metric_name="option_short", band="D0")["n_rows"].item()

    one = option_rows(day(1))
    assert one == pytest.approx(40, abs=2)
    assert option_rows(day(2)) == one
    assert ratios(pooled(lake, day(2))).filter(metric_name="book_short", band="D0")["n_rows"].item() == 80
    assert option_rows(day(2), options=(QUOTES,)) == 0  # nobody says what the ids mean


def test_a_session_is_scaled_by_itself_only_where_there_is_no_earlier_one(lake: Lake):
    store(lake, day(0), 1)
    first = pooled(lake, day(0))
    assert ratios(first)["basis"].unique().to_list() == ["same_session"]
    assert ratios(first).filter(metric_name="option_long", band="D0")["n_rows"].item() > 0


def test_options_of_a_session_outside_the_pool_are_refused(lake: Lake):
    for number in range(2):
        store(lake, day(number), number)
    walls: list[Partition] = [lake.partition(WALL, "ES", day(0))]
    with pytest.raises(CalibrationError, match="not in its pool"):
        calibrate(
            walls, day(1), instrument=instrument("ES"), settings=lake.settings,
            quotes=[lake.partition(QUOTES, "ES", day(1))], definitions=[lake.partition(DEFINED, "ES", day(1))],
        )  # fmt: skip
