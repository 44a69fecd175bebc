"""The ledger of the wall: what counts as conserved across windows, absent rows and the edges of the grid."""

from __future__ import annotations

import polars as pl
import pytest

from spymaster.checks import CheckResult, all_checks
from spymaster.lake import Lake
from spymaster_tests.checks.sessions import DT, SYMBOL, spoil

WALL = "silver.wall_surface_1s"
OPEN = pl.datetime(2024, 3, 6, 14, 30, time_unit="ns", time_zone="UTC")
CONSERVATION = next(check for check in all_checks() if check.key == f"{WALL}:conservation")

regular_hours = pl.col("window_end") > OPEN.dt.offset_by("10s")
resting = (pl.col("depth_qty_start") > 0) & (pl.col("depth_qty_end") == pl.col("depth_qty_start"))


def conservation(lake: Lake) -> CheckResult:
    return CONSERVATION.run(lake, SYMBOL, DT)


def first(condition: pl.Expr) -> pl.Expr:
    return condition & (condition.cum_sum() == 1)


def test_sparse_and_dense_hours_are_both_conserved(good_lake: Lake):
    wall = good_lake.partition(WALL, SYMBOL, DT).read(["window_end"])
    assert wall.filter(pl.col("window_end") <= OPEN).height
    assert wall.filter(pl.col("window_end") > OPEN).height
    result = conservation(good_lake)
    assert result.passed
    assert result.metadata["rows"] == wall.height


def test_identity_is_checked_row_by_row(lake: Lake):
    spoil(lake, WALL, lambda rows: rows.with_columns(fill_qty=pl.col("fill_qty") + first(resting).cast(pl.Int32)))
    result = conservation(lake)
    assert result.metadata["identity_violations"] == 1
    assert result.metadata["carry_violations"] == 0


def test_a_row_that_starts_elsewhere_than_the_last_one_ended_is_found(lake: Lake):
    shift = first(resting & regular_hours).cast(pl.Int32)
    spoil(lake, WALL, lambda rows: rows.with_columns(pl.col("depth_qty_start", "depth_qty_end") + shift))
    result = conservation(lake)
    assert result.metadata["identity_violations"] == 0
    assert result.metadata["carry_violations"] == 2  # into the shifted row, and out of it


def test_a_resting_price_without_a_row_in_regular_hours_is_found(lake: Lake):
    spoil(lake, WALL, lambda rows: rows.filter(~first(resting & regular_hours)))
    result = conservation(lake)
    assert result.metadata["vanished_rows"] == 1
    assert result.metadata["carry_violations"] == 1  # the next row of that price starts from nothing
    assert "has no row" in str(result.metadata["examples"])


def test_quiet_rows_before_regular_hours_may_be_absent(lake: Lake):
    minute_start = pl.col("window_end").dt.second() == 1
    quiet = resting & (pl.col("add_qty") == 0) & (pl.col("window_end") < OPEN) & ~minute_start
    spoil(lake, WALL, lambda rows: rows.filter(~first(quiet)))
    assert conservation(lake).passed


def test_rows_that_stop_before_the_session_does_are_found(lake: Lake):
    end = lake.partition(WALL, SYMBOL, DT).read(["window_end"])["window_end"].max()
    spoil(lake, WALL, lambda rows: rows.filter(pl.col("window_end") < end))
    assert int(str(conservation(lake).metadata["vanished_rows"])) > 10


def test_depth_may_differ_where_a_price_comes_back_into_the_grid(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    # With a grid of two ticks, prices leave and enter it all the time; rows outside it are cut off, and what a price
    # did in the meantime is not known. The rows at entry need not continue the last one.
    grid = 2
    object.__setattr__(lake.settings.engine, "grid_ticks", grid)
    spoil(lake, WALL, lambda rows: rows.filter(pl.col("rel_ticks").abs() <= grid))
    assert conservation(lake).passed


@pytest.mark.parametrize("batch", [7, 1000])
def test_the_result_does_not_depend_on_how_the_file_is_read(lake: Lake, monkeypatch: pytest.MonkeyPatch, batch: int):
    from spymaster.lake import Partition

    shift = first(resting & regular_hours).cast(pl.Int32)
    spoil(lake, WALL, lambda rows: rows.with_columns(pl.col("depth_qty_start", "depth_qty_end") + shift))
    whole = conservation(lake)
    read = Partition.batches
    monkeypatch.setattr(Partition, "batches", lambda self, columns=None: read(self, columns, rows=batch))
    assert conservation(lake) == whole
