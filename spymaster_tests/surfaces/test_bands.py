"""Bands: sums first, then ratios, by the band's own scales."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from spymaster.settings import BandSettings
from spymaster.surfaces.bands import physics_bands
from spymaster.surfaces.calibration import calibration_frame, session_pool
from spymaster.surfaces.errors import SurfaceInputError
from spymaster.surfaces.vacuum import SIGNED_METRICS
from spymaster.tables.physics_bands_1s import BAND_COLUMNS, DERIVATIVE_COLUMNS, SCORES, PhysicsBands1s
from spymaster.tables.types import BANDS
from spymaster_tests.surfaces import oracles
from spymaster_tests.surfaces.frames import in_blocks, make_session, mirrored, outside_rth


@pytest.fixture(scope="module")
def calibration() -> pl.DataFrame:
    """Scales from another random session."""
    wall, _ = make_session(200, seed=11, dt=date(2024, 1, 2))
    return calibration_frame({date(2024, 1, 2): session_pool([wall], eps_qty=1.0)}, date(2024, 1, 3))


def bands(
    wall: pl.DataFrame,
    snapshot: pl.DataFrame,
    calibration: pl.DataFrame,
    rows: int = 1 << 20,
    weights: BandSettings | None = None,
) -> pl.DataFrame:
    frames = physics_bands(in_blocks(wall, rows), snapshot, calibration, eps_qty=1.0, weights=weights)
    return PhysicsBands1s.validate(pl.concat(frames))


def expected_bands(wall: pl.DataFrame, calibration: pl.DataFrame) -> dict:
    """{(window_end, direction, band): norms} by the plain oracle."""
    rows = calibration.select("metric_name", "band", "kind", "q05", "scale").iter_rows()
    norms = {(metric, band): (kind, q05, scale) for metric, band, kind, q05, scale in rows}

    def score(row: oracles.Row, metric: str) -> float:
        kind, q05, scale = norms[metric, row["band"]]
        return oracles.score(kind, row[metric], q05, scale)

    result = {}
    for row in oracles.bands(wall, 1.0):
        strength = 0.0 if row["empty"] else score(row, "wall_strength_log")
        erosion = score(row, "wall_erosion")
        vacuum = sum(score(row, metric) for metric in SIGNED_METRICS) / 4
        ease = 0.50 * vacuum + 0.35 * erosion + 0.15 * (1 - strength)
        direction = "above" if row["side"] == "A" else "below"
        result[row["window_end"], direction, row["band"]] = (strength, erosion, vacuum, ease)
    return result


def test_bands_and_scores_equal_a_plain_recomputation(calibration: pl.DataFrame):
    wall, snapshot = make_session(120, seed=7, no_spot_before=2, invalid=(60,))
    frame = bands(wall, snapshot, calibration)
    expected = expected_bands(wall, calibration)
    for i, row in enumerate(frame.iter_rows(named=True)):
        if i in (0, 1, 60):
            assert all(row[name] is None for name in (*BAND_COLUMNS, *SCORES, *DERIVATIVE_COLUMNS))
            continue
        scores = []
        for direction in ("above", "below"):
            for band in BANDS:
                norms = expected[row["window_end"], direction, band]
                names = ("wall_strength_norm", "wall_erosion_norm", "vacuum_norm", "ease")
                stored = [row[f"{direction}_{band.lower()}_{name}"] for name in names]
                assert stored == [pytest.approx(x, abs=1e-6) for x in norms]
            at, near = (expected[row["window_end"], direction, band][3] for band in ("AT", "NEAR"))
            scores.append(0.60 * at + 0.40 * near)
        assert [row[name] for name in SCORES] == [pytest.approx(x, abs=1e-6) for x in (*scores, sum(scores) / 2)]


def test_differences_of_the_scores_are_null_next_to_invalid_windows(calibration: pl.DataFrame):
    wall, snapshot = make_session(20, invalid=(10,))
    frame = bands(wall, snapshot, calibration)
    d1 = frame["above_score"].cast(pl.Float64).diff()
    assert frame["d1_above_score"].is_null().to_list() == d1.is_null().to_list()
    assert (frame["d1_above_score"] - d1).abs().max() < 1e-6  # pyright: ignore[reportOperatorIssue]
    assert frame["d3_above_score"].is_null().to_list() == [i < 3 or 10 <= i <= 13 for i in range(20)]


def test_an_empty_band_is_easy_and_an_idle_full_one_is_not(calibration: pl.DataFrame):
    wall, snapshot = make_session(4)
    still = wall.with_columns(
        pl.lit(0, dtype=pl.Int32).alias(name) for name in ("add_qty", "pull_qty_total", "pull_qty_rest", "fill_qty")
    ).with_columns(
        pl.lit(50, dtype=pl.Int32).alias(name) for name in ("depth_qty_start", "depth_qty_end", "depth_qty_rest")
    )
    only_bids = still.filter(pl.col("side") == "B")
    row = bands(only_bids, snapshot, calibration).row(3, named=True)
    assert row["above_at_wall_strength_norm"] == 0
    assert row["above_at_vacuum_norm"] == row["above_at_wall_erosion_norm"] == 0.5
    assert row["above_score"] == pytest.approx(0.5 * 0.5 + 0.35 * 0.5 + 0.15)
    assert row["below_mid_wall_strength_norm"] > 0
    assert row["below_mid_ease"] < row["above_mid_ease"]


def test_a_one_lot_level_does_not_outvote_a_wall(calibration: pl.DataFrame):
    wall, snapshot = make_session(1)
    row = wall.row(0, named=True) | {"side": "A", "depth_qty_rest": 0, "add_qty": 0, "fill_qty": 0}
    spot = row["spot_ref_price_int"]
    big = row | {"rel_ticks": 1, "price_int": spot + 250_000_000, "depth_qty_start": 500, "depth_qty_end": 500}
    one = row | {"rel_ticks": 2, "price_int": spot + 500_000_000, "depth_qty_start": 1, "depth_qty_end": 0}
    big |= {"pull_qty_total": 0, "pull_qty_rest": 0}
    one |= {"pull_qty_total": 1, "pull_qty_rest": 1}
    frame = bands(pl.DataFrame([big, one], schema=wall.schema), snapshot, calibration)
    assert frame["above_at_wall_erosion_norm"][0] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("rows", [1, 61, 700])
def test_batch_boundaries_do_not_show(calibration: pl.DataFrame, rows: int):
    wall, snapshot = make_session(20 if rows == 1 else 100, no_spot_before=3, invalid=(15,))
    assert bands(wall, snapshot, calibration, rows=rows).equals(bands(wall, snapshot, calibration))


def test_the_sparse_form_gives_the_same_bands(calibration: pl.DataFrame):
    wall, snapshot = make_session(130, busy=0.05)
    assert bands(outside_rth(wall), snapshot, calibration).equals(bands(wall, snapshot, calibration))


def test_a_mirrored_book_swaps_above_and_below(calibration: pl.DataFrame):
    wall, snapshot = make_session(60, seed=13)
    frame, mirror = bands(wall, snapshot, calibration), bands(mirrored(wall), snapshot, calibration)
    for name in (*BAND_COLUMNS, *SCORES, *DERIVATIVE_COLUMNS):
        other = name.replace("above", "@").replace("below", "above").replace("@", "below")
        assert mirror[other].equals(frame[name].rename(other))


def test_weights_are_configuration(calibration: pl.DataFrame):
    wall, snapshot = make_session(20)
    weights = BandSettings(ease_vacuum=1, ease_erosion=0, ease_strength=0, score_at=0, score_near=1)
    frame = bands(wall, snapshot, calibration, weights=weights)
    assert frame["above_near_ease"].equals(frame["above_near_vacuum_norm"].rename("above_near_ease"))
    assert frame["above_score"].equals(frame["above_near_vacuum_norm"].rename("above_score"))


def test_a_session_without_wall_rows_has_one_row_per_second_without_scores(calibration: pl.DataFrame):
    _, snapshot = make_session(6)
    frame = bands(pl.DataFrame(), snapshot.with_columns(spot_ref_price_int=pl.lit(None, dtype=pl.Int64)), calibration)
    assert frame.height == 6
    assert frame["above_score"].null_count() == 6


def test_a_wall_row_without_its_snapshot_row_is_an_error(calibration: pl.DataFrame):
    wall, snapshot = make_session(5)
    with pytest.raises(SurfaceInputError, match="does not have"):
        bands(wall, snapshot[1:], calibration)
