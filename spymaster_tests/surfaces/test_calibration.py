"""Calibration: what is pooled, exact quantiles, and that nothing of the session or later ones can change it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake.lake import Lake
from spymaster.lake.partition import Partition
from spymaster.market.instruments import instrument
from spymaster.settings import CalibrationSettings, Settings
from spymaster.surfaces import calibration as module
from spymaster.surfaces.calibration import SCALE_FLOOR, calibrate, calibration_frame, select_sessions, session_pool
from spymaster.surfaces.errors import CalibrationError
from spymaster.surfaces.vacuum import METRICS, SIGNED_METRICS
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.types import BANDS
from spymaster.tables.wall_surface_1s import WallSurface1s
from spymaster_tests.surfaces import oracles
from spymaster_tests.surfaces.frames import in_blocks, make_session, outside_rth

FIRST = date(2024, 1, 2)
ES = {"instrument": instrument("ES"), "settings": Settings()}


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def wall_of(seed: int, *, valid: bool = True, seconds: int = 60) -> pl.DataFrame:
    wall, _ = make_session(seconds, seed=seed, dt=FIRST, invalid=() if valid else tuple(range(seconds)))
    return wall


def store(lake: Lake, dt: date, wall: pl.DataFrame) -> Partition:
    with lake.writer(WallSurface1s, "ES", dt) as writer:
        writer.write(wall)
        writer.commit(provenance="simulated", empty_reason=None if wall.height else "nothing happened")
    return lake.partition(WallSurface1s, "ES", dt)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake", create=True)


def pooled_by_hand(walls: list[pl.DataFrame], max_rel_ticks: int = 20) -> dict[tuple[str, str | None], list[float]]:
    pools: dict[tuple[str, str | None], list[float]] = {(m, b): [] for m in METRICS for b in (None, *BANDS)}
    for wall in walls:
        for row in oracles.vacuum(wall, 1.0):
            active = row["add_qty"] + row["pull_qty_total"] + row["fill_qty"] > 0
            if active and row["window_valid"] and abs(row["rel_ticks"]) <= max_rel_ticks:
                for metric in METRICS:
                    pools[metric, None].append(row[metric])
        for row in oracles.bands(wall, 1.0):
            if row["active"] and row["window_valid"]:
                for metric in METRICS:
                    pools[metric, row["band"]].append(row[metric])
    return pools


def test_every_row_equals_a_plain_recomputation():
    walls = [wall_of(1), make_session(60, seed=2, dt=FIRST, invalid=(5, 6, 30))[0], wall_of(3)]
    pools = {day(i): session_pool([wall], eps_qty=1.0) for i, wall in enumerate(walls)}
    frame = PhysicsNormCalibration.validate(calibration_frame(pools, day(9)))
    expected = pooled_by_hand(walls)
    assert frame.height == len(METRICS) * 5
    for row in frame.iter_rows(named=True):
        values = np.array(expected[row["metric_name"], row["band"]])
        assert row["n_rows"] == len(values) > 50
        quantiles = np.quantile(values, [0.05, 0.5, 0.95])
        assert [row["q05"], row["q50"], row["q95"]] == [pytest.approx(q, rel=1e-6, abs=1e-6) for q in quantiles]
        assert row["mean"] == pytest.approx(values.mean(), rel=1e-5, abs=1e-6)
        signed = row["metric_name"] in SIGNED_METRICS
        assert row["kind"] == ("signed" if signed else "magnitude")
        width = np.quantile(np.abs(values), 0.95) if signed else quantiles[2] - quantiles[0]
        assert row["scale"] == pytest.approx(max(width, SCALE_FLOOR), rel=1e-5)
    assert frame["basis"].unique().to_list() == ["prior_sessions"]
    assert frame["session_window"].unique().to_list() == ["2024-01-02/2024-01-04"]
    assert frame["asof_dt"].unique().to_list() == [day(2)]


def test_idle_levels_and_levels_far_from_spot_are_not_pooled():
    wall = wall_of(4)
    idle = wall.filter(pl.sum_horizontal("add_qty", "pull_qty_total", "fill_qty") == 0)
    near = wall.filter(pl.col("rel_ticks").abs() <= 5)
    assert session_pool([idle], eps_qty=1.0)["pull_add_log", None].n == 0
    narrow = session_pool([wall], eps_qty=1.0, max_rel_ticks=5)["net_withdrawal", None]
    assert narrow.n == len(pooled_by_hand([wall], 5)["net_withdrawal", None]) < near.height


@pytest.mark.parametrize("rows", [1, 83, 1000])
def test_batches_and_the_sparse_form_leave_the_same_bytes(rows: int):
    wall, _ = make_session(15 if rows == 1 else 130, seed=5, busy=0.1)
    whole = calibration_frame({FIRST: session_pool([wall], eps_qty=1.0)}, day(1))
    cut = calibration_frame({FIRST: session_pool(in_blocks(wall, rows), eps_qty=1.0)}, day(1))
    sparse = calibration_frame({FIRST: session_pool([outside_rth(wall)], eps_qty=1.0)}, day(1))
    assert as_bytes(whole) == as_bytes(cut) == as_bytes(sparse)


def as_bytes(frame: pl.DataFrame) -> bytes:
    return frame.write_ipc(None).getvalue()


def test_nothing_of_the_session_or_later_ones_changes_its_calibration(lake: Lake):
    for number, seed in ((0, 1), (1, 2), (2, 3), (3, 4)):
        store(lake, day(number), wall_of(seed))

    def result() -> bytes:
        module._remembered.clear()
        offered = [p for p in lake.partitions(WallSurface1s, "ES") if p.dt <= day(2)]
        return as_bytes(calibrate(select_sessions(offered, day(2), lake.settings), day(2), **ES))

    before = result()
    store(lake, day(2), wall_of(77, seconds=30))
    store(lake, day(3), wall_of(78))
    assert result() == before
    store(lake, day(1), wall_of(79))
    assert result() != before


def test_sessions_arrive_in_any_order_and_only_the_last_ones_count(lake: Lake):
    for number in range(5):
        store(lake, day(number), wall_of(number + 1))
    settings = Settings(calibration=CalibrationSettings(max_sessions=3))
    offered = lake.partitions(WallSurface1s, "ES")
    chosen = select_sessions([offered[i] for i in (3, 0, 4, 2, 1)], day(4), settings)
    assert [partition.dt for partition in chosen] == [day(1), day(2), day(3)]
    assert as_bytes(calibrate(chosen, day(4), **ES)) == as_bytes(calibrate(chosen[::-1], day(4), **ES))
    assert calibrate(chosen, day(4), **ES)["n_sessions"][0] == 3


def test_a_first_session_is_calibrated_on_itself_and_says_so(lake: Lake):
    store(lake, day(0), wall_of(1))
    chosen = select_sessions(lake.partitions(WallSurface1s, "ES"), day(0), lake.settings)
    frame = calibrate(chosen, day(0), **ES)
    assert frame["basis"].unique().to_list() == ["same_session"]
    assert frame["asof_dt"].unique().to_list() == [day(0)]


def test_sessions_without_a_valid_window_are_no_history(lake: Lake):
    store(lake, day(0), wall_of(1, valid=False))
    store(lake, day(1), WallSurface1s.empty())
    store(lake, day(2), wall_of(2))
    offered = lake.partitions(WallSurface1s, "ES")
    assert [p.dt for p in select_sessions(offered, day(2), lake.settings)] == [day(2)]
    store(lake, day(3), wall_of(3))
    offered = lake.partitions(WallSurface1s, "ES")
    assert [p.dt for p in select_sessions(offered, day(3), lake.settings)] == [day(2)]


def test_a_later_session_or_none_at_all_is_refused(lake: Lake):
    earlier, own = store(lake, day(0), wall_of(1)), store(lake, day(1), wall_of(2))
    with pytest.raises(CalibrationError, match="later session"):
        select_sessions([earlier, own], day(0), lake.settings)
    for sessions in ([], [earlier, own], [own, store(lake, day(2), wall_of(3))]):
        with pytest.raises(CalibrationError, match="needs earlier sessions"):
            calibrate(sessions, day(1), **ES)


def test_a_session_is_read_once_for_many_dates(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    module._remembered.clear()
    sessions = [store(lake, day(number), wall_of(number + 1)) for number in range(3)]
    read: list[date] = []
    batches = Partition.batches

    def counted(self: Partition, *args, **kwargs):
        read.append(self.dt)
        return batches(self, *args, **kwargs)

    monkeypatch.setattr(Partition, "batches", counted)
    calibrate(sessions[:2], day(2), **ES)
    calibrate(sessions, day(3), **ES)
    assert read == [day(0), day(1), day(2)]
    calibrate(sessions, day(3), instrument=replace(ES["instrument"], eps_qty=0.5), settings=ES["settings"])
    assert len(read) == 6


def test_a_pool_without_rows_keeps_idle_at_one_half():
    frame = PhysicsNormCalibration.validate(
        calibration_frame({FIRST: session_pool([WallSurface1s.empty()], eps_qty=1.0)}, FIRST)
    )
    assert frame["n_rows"].sum() == 0
    assert frame["scale"].unique().to_list() == [SCALE_FLOOR]
