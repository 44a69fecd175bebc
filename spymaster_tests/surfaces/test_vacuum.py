"""Vacuum metrics of wall rows and their score."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from spymaster.surfaces.calibration import calibration_frame, session_pool
from spymaster.surfaces.errors import CalibrationError, SurfaceInputError
from spymaster.surfaces.vacuum import ROW_COLUMNS, SIGNED_METRICS, vacuum_frames
from spymaster.tables.vacuum_surface_1s import VacuumSurface1s
from spymaster_tests.surfaces import oracles
from spymaster_tests.surfaces.frames import in_blocks, make_session, outside_rth

KEYS = ["window_end", "price_int", "side"]


@pytest.fixture(scope="module")
def calibration() -> pl.DataFrame:
    """Scales from another random session."""
    wall, _ = make_session(200, seed=11, dt=date(2024, 1, 2))
    return calibration_frame({date(2024, 1, 2): session_pool([wall], eps_qty=1.0)}, date(2024, 1, 3))


def vacuum(wall: pl.DataFrame, calibration: pl.DataFrame, eps_qty: float = 1.0, rows: int = 1 << 20) -> pl.DataFrame:
    return VacuumSurface1s.validate(pl.concat(vacuum_frames(in_blocks(wall, rows), calibration, eps_qty=eps_qty)))


@pytest.mark.parametrize("eps_qty", [1.0, 0.5])
def test_metrics_and_scores_equal_a_plain_recomputation(calibration: pl.DataFrame, eps_qty: float):
    wall, _ = make_session(60, seed=2, invalid=(20,))
    frame = vacuum(wall, calibration, eps_qty)
    expected = oracles.vacuum(wall, eps_qty)
    scales = dict(calibration.filter(pl.col("band").is_null()).select("metric_name", "scale").iter_rows())
    assert frame.height == len(expected)
    for row, plain in zip(frame.iter_rows(named=True), expected, strict=True):
        assert [row[name] for name in KEYS] == [plain[name] for name in KEYS]
        assert {name: row[name] for name in ROW_COLUMNS} == {
            name: pytest.approx(plain[name], rel=1e-6, abs=1e-6) for name in ROW_COLUMNS
        }
        scores = [oracles.score("signed", plain[name], 0.0, scales[name]) for name in SIGNED_METRICS]
        if row["window_valid"]:
            assert row["vacuum_score"] == pytest.approx(sum(scores) / 4, abs=1e-6)
        else:
            assert row["vacuum_score"] is None


def test_an_idle_level_scores_exactly_one_half(calibration: pl.DataFrame):
    wall, _ = make_session(60, busy=0.02)
    frame = vacuum(wall, calibration)
    idle = frame.filter((pl.col("d1_pull_add_log") == 0) & (pl.col("d2_pull_add_log") == 0)).join(
        wall.filter(pl.sum_horizontal("add_qty", "pull_qty_total", "fill_qty") == 0), on=KEYS, how="semi"
    )
    assert idle.height > 1000
    assert idle["vacuum_score"].unique().to_list() == [0.5]
    assert idle.select(pl.col("pull_intensity_rest", "fill_share").max()).row(0) == (0.0, 0.0)


def test_scores_are_in_range_and_point_where_the_liquidity_goes(calibration: pl.DataFrame):
    wall, _ = make_session(200, seed=4)
    joined = vacuum(wall, calibration).join(wall, on=KEYS)
    assert joined["vacuum_score"].is_between(0, 1).all()
    leaving = joined.filter((pl.col("pull_qty_rest") > 3) & (pl.col("add_qty") == 0))["vacuum_score"]
    building = joined.filter((pl.col("pull_qty_rest") == 0) & (pl.col("add_qty") > 3))["vacuum_score"]
    assert leaving.median() > 0.6 > 0.4 > building.median()  # pyright: ignore[reportOperatorIssue]


@pytest.mark.parametrize("rows", [1, 37, 1000])
def test_batch_boundaries_do_not_show(calibration: pl.DataFrame, rows: int):
    wall, _ = make_session(25 if rows == 1 else 120, seed=6)
    assert vacuum(wall, calibration, rows=rows).equals(vacuum(wall, calibration))


def test_the_sparse_form_gives_the_same_values_where_it_has_rows(calibration: pl.DataFrame):
    wall, _ = make_session(130, busy=0.05)
    sparse = outside_rth(wall)
    whole = vacuum(wall, calibration).join(sparse.select(KEYS), on=KEYS, how="semi")
    assert sparse.height < wall.height
    assert vacuum(sparse, calibration).equals(whole)


def test_differences_reach_over_absent_seconds_as_no_flow(calibration: pl.DataFrame):
    wall, _ = make_session(30, seed=8)
    price = wall.filter((pl.col("side") == "A") & (pl.col("add_qty") > 0))["price_int"].mode()[0]
    one = wall.filter((pl.col("price_int") == price) & (pl.col("side") == "A"))
    some = one.filter((pl.int_range(pl.len()) % 5 < 3) & (pl.int_range(pl.len()) < 20))
    frame = vacuum(some, calibration)
    expected = oracles.vacuum(some, 1.0)
    assert some["window_end"].diff().max() == timedelta(seconds=3)
    assert frame["d3_pull_add_log"].to_list() == [
        pytest.approx(row["d3_pull_add_log"], rel=1e-6, abs=1e-6) for row in expected
    ]


def test_negative_prices_keep_their_order(calibration: pl.DataFrame):
    wall, _ = make_session(40, spot_price_int=-10_000_000_000)
    frame = vacuum(wall, calibration)
    assert frame["price_int"].to_list()[0] < 0
    expected = [row["d3_pull_add_log"] for row in oracles.vacuum(wall, 1.0)]
    assert frame["d3_pull_add_log"].to_list() == [pytest.approx(x, rel=1e-6, abs=1e-6) for x in expected]


def test_quantities_of_any_size_are_finite(calibration: pl.DataFrame):
    wall, _ = make_session(3)
    huge = wall.with_columns(add_qty=pl.lit(2**31 - 1, dtype=pl.Int32), pull_qty_rest=pl.lit(2**31 - 1, dtype=pl.Int32))
    frame = vacuum(huge, calibration)
    assert frame.select(pl.col(pl.Float32).is_finite().all()).row(0) == (True,) * 10


def test_rows_out_of_order_are_an_error(calibration: pl.DataFrame):
    wall, _ = make_session(4)
    with pytest.raises(SurfaceInputError, match="out of order"):
        vacuum(wall.reverse(), calibration)
    with pytest.raises(SurfaceInputError, match="out of order"):
        vacuum(pl.concat([wall[:50], wall[40:50], wall[50:]]), calibration)


def test_a_calibration_without_a_metric_is_an_error(calibration: pl.DataFrame):
    wall, _ = make_session(2)
    with pytest.raises(CalibrationError, match="wall_erosion"):
        vacuum(wall, calibration.filter(pl.col("metric_name") != "wall_erosion"))
    with pytest.raises(CalibrationError, match="must be positive"):
        vacuum(wall, calibration.with_columns(scale=0.0))
