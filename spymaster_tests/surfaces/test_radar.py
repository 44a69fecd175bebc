"""Radar features, their differences, the direction of approach, and the f*/u* views."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from spymaster.surfaces.errors import SurfaceInputError
from spymaster.surfaces.radar import FEATURES, RadarBuilder
from spymaster.surfaces.views import VIEWS, fu_view
from spymaster.surfaces.zones import BAND_LAST_TICK, BAND_WIDTH_TICKS, ZONE_TICKS
from spymaster.tables.radar_vacuum_1s import RadarVacuum1s
from spymaster.tables.types import BAND_EDGES, BANDS, NEAR_SPOT_TICKS
from spymaster_tests.surfaces import oracles
from spymaster_tests.surfaces.frames import make_session, mirrored, outside_rth

COLUMNS = [f"{side}_{feature}" for side in ("ask", "bid") for feature in FEATURES]


def radar(wall: pl.DataFrame, snapshot: pl.DataFrame, eps_qty: float = 1.0) -> pl.DataFrame:
    return RadarVacuum1s.validate(RadarBuilder(eps_qty=eps_qty).update(wall, snapshot))


def test_kernels_and_tables_agree_on_the_bands():
    assert tuple(BAND_EDGES[band][1] for band in BANDS) == BAND_LAST_TICK
    assert tuple(BAND_EDGES[band][1] - BAND_EDGES[band][0] + 1 for band in BANDS) == BAND_WIDTH_TICKS
    assert ZONE_TICKS == NEAR_SPOT_TICKS


@pytest.mark.parametrize("eps_qty", [1.0, 0.25])
def test_features_equal_a_plain_recomputation(eps_qty: float):
    wall, snapshot = make_session(120, seed=5, no_spot_before=4)
    frame = radar(wall, snapshot, eps_qty)
    windows = oracles.by_window(wall, key="rel_ticks")
    for row in frame.iter_rows(named=True):
        if row["spot_ref_price_int"] is None:
            assert all(row[name] is None for name in COLUMNS)
            continue
        for name, side in (("ask", "A"), ("bid", "B")):
            expected = oracles.radar_side(windows[row["window_end"]], side, eps_qty)
            assert {f"{name}_{k}": pytest.approx(v, rel=1e-6, abs=1e-6) for k, v in expected.items()} == {
                f"{name}_{k}": row[f"{name}_{k}"] for k in expected
            }


def test_an_empty_side_has_distance_20_and_no_intensity():
    wall, snapshot = make_session(3)
    row = radar(wall.filter(pl.col("side") == "B"), snapshot).row(1, named=True)
    assert row["ask_bbo_dist_ticks"] == 20
    assert row["ask_com_disp_log"] == 0
    assert row["ask_reprice_away_share_rest"] == 0.5
    assert row["ask_add_intensity_log"] == 0
    assert row["bid_bbo_dist_ticks"] < 20


def test_differences_follow_consecutive_seconds_and_are_null_without_them():
    wall, snapshot = make_session(40, no_spot_before=2)
    frame = radar(wall, snapshot)
    for name in ("ask_com_disp_log", "bid_pull_add_log_rest"):
        x = frame[name].cast(pl.Float64)
        for order in (1, 2, 3):
            x = x.diff()
            stored = frame[f"d{order}_{name}"].cast(pl.Float64)
            assert stored.null_count() == 2 + order == x.null_count()
            assert (stored - x).abs().max() < 1e-5  # pyright: ignore[reportOperatorIssue]


def test_a_gap_in_time_starts_the_differences_anew():
    wall, snapshot = make_session(20)
    hole = snapshot["window_end"][10]
    frame = radar(wall.filter(pl.col("window_end") != hole), snapshot.filter(pl.col("window_end") != hole))
    assert frame["d1_ask_com_disp_log"].is_null().to_list() == [i in (0, 10) for i in range(19)]
    assert frame["d3_ask_com_disp_log"].is_null().to_list() == [i in (0, 1, 2, 10, 11, 12) for i in range(19)]


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4, 90), (57, 58, 130), (100,)])
def test_block_boundaries_do_not_show(cuts: tuple[int, ...]):
    wall, snapshot = make_session(150, no_spot_before=2, without_mid=(70, 71), invalid=(90,))
    whole = radar(wall, snapshot)
    builder = RadarBuilder(eps_qty=1.0)
    parts = []
    for first, last in zip((0, *cuts), (*cuts, 150), strict=True):
        shots = snapshot[first:last]
        rows = wall.filter(pl.col("window_end").is_between(shots["window_end"][0], shots["window_end"][-1]))
        parts.append(builder.update(rows, shots))
    assert pl.concat(parts).equals(whole)


def test_the_sparse_form_outside_regular_hours_gives_the_same_radar():
    wall, snapshot = make_session(130, busy=0.05)
    sparse = outside_rth(wall)
    assert sparse.height < 0.9 * wall.height
    assert radar(sparse, snapshot).equals(radar(wall, snapshot))


def test_a_mirrored_book_has_mirrored_features_and_views():
    wall, snapshot = make_session(60, seed=9)
    frame, mirror = radar(wall, snapshot), radar(mirrored(wall), snapshot)
    swapped = {name: name.replace("ask_", "@").replace("bid_", "ask_").replace("@", "bid_") for name in frame.columns}
    assert mirror.select(frame.columns[5:]).equals(frame.rename(swapped).select(frame.columns[5:]))
    falling, rising = fu_view(frame, "down"), fu_view(mirror, "up")
    names = dict(zip(falling.columns, rising.columns, strict=True))
    assert names["d2_f5_vacuum_expansion_log"] == "d2_u5_vacuum_expansion_log"
    assert names["f1_ask_com_disp_log"] == "u1_bid_com_disp_log"
    assert falling.rename(names).equals(rising)


def test_views_say_what_retreats_ahead_and_advances_behind():
    wall, snapshot = make_session(30)
    frame = radar(wall, snapshot)
    rising = fu_view(frame, "up")
    ahead, behind = frame["ask_com_disp_log"].cast(pl.Float64), frame["bid_com_disp_log"].cast(pl.Float64)
    assert rising["u5_vacuum_expansion_log"].equals((ahead + behind).rename("u5_vacuum_expansion_log"))
    assert rising["u10_travel_expansion_log"].equals((ahead - behind).rename("u10_travel_expansion_log"))
    total = rising["u10_travel_expansion_log"] + rising["u11_travel_flow_log"]
    assert np.allclose(rising["u12_travel_total_log"].to_numpy(), total.to_numpy(), atol=1e-12)
    assert rising["d1_u5_vacuum_expansion_log"].null_count() == 1
    assert len(VIEWS["up"]) == len(VIEWS["down"]) == 2 * (6 + 5) + 8


def test_approach_dir_equals_a_plain_recomputation():
    wall, snapshot = make_session(200, seed=3, without_mid=(80, 81, 120))
    frame = radar(wall, snapshot)
    expected = oracles.approach(snapshot["mid_price_int"].to_list())
    assert frame["approach_dir"].to_list() == expected
    assert {"up", "down", "none"} == set(expected)
    assert set(expected[:32]) == {"none"}


def test_a_still_mid_has_no_direction_and_a_steady_climb_is_up():
    wall, snapshot = make_session(80)
    still = snapshot.with_columns(mid_price_int=pl.lit(4_800_000_000_000))
    assert set(radar(wall, still)["approach_dir"]) == {"none"}
    climbing = snapshot.with_columns(mid_price_int=4_800_000_000_000 + 250_000_000 * pl.int_range(pl.len()))
    assert radar(wall, climbing)["approach_dir"].to_list()[40:] == ["up"] * 40


def test_a_session_without_a_spot_has_rows_without_features():
    wall, snapshot = make_session(5)
    without = snapshot.with_columns(spot_ref_price_int=pl.lit(None, dtype=pl.Int64))
    frame = radar(wall[:0], without)
    assert frame.height == 5
    assert frame["ask_com_disp_log"].null_count() == 5
    assert RadarBuilder(eps_qty=1.0).update(pl.DataFrame(), without)["bid_bbo_dist_ticks"].null_count() == 5


def test_a_wall_row_without_its_snapshot_row_is_an_error():
    wall, snapshot = make_session(5)
    with pytest.raises(SurfaceInputError, match="does not have"):
        RadarBuilder(eps_qty=1.0).update(wall, snapshot[:3])
    late = wall.with_columns(pl.col("window_end") + timedelta(milliseconds=500))
    with pytest.raises(SurfaceInputError, match="row 0"):
        RadarBuilder(eps_qty=1.0).update(late, snapshot)
