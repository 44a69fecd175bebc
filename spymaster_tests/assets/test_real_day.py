"""A real hour of ES, from the vendor's file to every table: the figures that are known of it, and all checks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.feed.ingest import add_raw
from spymaster.lake import Lake
from spymaster.tables import all_tables
from spymaster_assets.definitions import definitions
from spymaster_assets.resources import LakeResource

CHRISTMAS = date(2023, 12, 25)
OPEN = datetime(2023, 12, 25, 23, tzinfo=UTC)


pytestmark = pytest.mark.slow  # the search for automation is made at its full depth


@pytest.fixture(scope="module")
def lake(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake on which the real file went through every asset."""
    lake = Lake.open(tmp_path_factory.mktemp("real") / "lake", create=True)
    add_raw(lake, real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst", "ES")
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(LakeResource(root=str(lake.root))).resolve_job_def("all_tables")
        quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
        assert job.execute_in_process(instance=instance, partition_key=f"{CHRISTMAS}|ES", run_config=quiet).success
    return lake


def table(lake: Lake, name: str) -> pl.DataFrame:
    return lake.partition(name, "ES", CHRISTMAS).read()


def test_every_table_exists_and_is_real(lake: Lake) -> None:
    for name in all_tables():
        manifest = lake.partition(name, "ES", CHRISTMAS).manifest
        assert manifest.provenance == "real", name
        assert manifest.dataset == "GLBX.MDP3", name


def test_records(lake: Lake) -> None:
    mbo = table(lake, "bronze.future_mbo")
    assert mbo.height == 68_792
    live = mbo.filter(pl.col("flags").cast(pl.Int32) & 0x20 == 0)
    assert live.height == 60_067
    counts = dict(mbo.group_by("action").len().rows())
    assert counts == {"A": 29_216, "C": 17_999, "M": 12_233, "F": 6_371, "T": 2_973}
    assert live.filter(pl.col("flags").cast(pl.Int32) & 0x80 != 0).height == 47_022


def test_what_was_odd_is_counted(lake: Lake) -> None:
    counters = lake.partition("silver.wall_surface_1s", "ES", CHRISTMAS).manifest.counters
    known = {
        "unknown_cancel": 0,
        "modify_as_add": 0,
        "duplicate_add": 0,
        "fill_unknown": 7,
        "fill_over_size": 28,
        "fifo_known_fills": 6_364,
        "fifo_front_fills": 5_921,
        "events": 47_022,
    }
    assert {name: counters[name] for name in known} == known
    assert counters["fifo_front_fills"] / counters["fifo_known_fills"] == pytest.approx(0.930, abs=5e-4)


def test_the_last_quote_has_its_sizes_and_orders(lake: Lake) -> None:
    last = table(lake, "silver.book_snapshot_1s").row(-1, named=True)
    assert (last["best_bid_price_int"], last["best_bid_qty"], last["best_bid_orders"]) == (4_810_000_000_000, 22, 22)
    assert (last["best_ask_price_int"], last["best_ask_qty"], last["best_ask_orders"]) == (4_810_250_000_000, 28, 18)
    assert last["is_partial"]


def test_bbo_states_and_volume(lake: Lake) -> None:
    assert table(lake, "silver.bbo_change").height == 25_440
    assert table(lake, "silver.trade")["qty"].sum() == 9_892
    snapshot = table(lake, "silver.book_snapshot_1s")
    assert snapshot.select(pl.sum_horizontal(pl.col("buy_volume", "sell_volume", "none_volume")).sum()).item() == 9_892


def test_crossed_before_the_open_only(lake: Lake) -> None:
    crossed = table(lake, "silver.book_snapshot_1s").filter("crossed")
    assert crossed["window_start"].min() == datetime(2023, 12, 25, 22, 39, 55, tzinfo=UTC)
    assert crossed["window_end"].max() == OPEN
    assert crossed["phase"].unique().to_list() == ["pre_open"]


def test_the_scale_of_a_first_session_says_so_and_is_not_degenerate(lake: Lake) -> None:
    scale = table(lake, "gold.physics_norm_calibration")
    assert scale["basis"].unique().to_list() == ["same_session"]
    assert scale.filter(pl.col("kind") != "ratio", pl.col("q95") <= pl.col("q05")).is_empty()
    assert (scale["scale"] > 1e-3).all()


def test_pressure_of_a_lake_without_options(lake: Lake) -> None:
    pressure = table(lake, "silver.pressure_surface_1s")
    assert pressure.height == 81 * table(lake, "silver.book_snapshot_1s")["spot_ref_price_int"].count()
    assert not pressure["has_options"].any()
    valid = pressure.filter("window_valid")
    assert valid["net_pressure"].null_count() == 0
    near = valid.filter(pl.col("rel_buckets").abs().is_between(1, 10)).group_by("rel_buckets")
    assert (near.agg(pl.col("net_pressure").mean().abs())["net_pressure"] < 0.5).all()


def test_few_scores_are_clipped_and_idle_is_one_half(lake: Lake) -> None:
    vacuum = table(lake, "silver.vacuum_surface_1s").filter("window_valid")
    scale = table(lake, "gold.physics_norm_calibration").filter(pl.col("band").is_null())
    scales = dict(scale.select("metric_name", "scale").rows())
    metrics = ("pull_add_log", "net_withdrawal", "wall_erosion", "d2_pull_add_log")
    idle = vacuum.filter(pl.all_horizontal(pl.col(name) == 0 for name in metrics))
    assert idle.height > 1_000
    assert (idle["vacuum_score"] == 0.5).all()
    wall = table(lake, "silver.wall_surface_1s").filter("window_valid")
    active = vacuum.filter(
        ((wall["add_qty"] + wall["pull_qty_total"] + wall["fill_qty"]) > 0) & (wall["rel_ticks"].abs() <= 20)
    )
    for name in metrics:
        clipped = active.filter(pl.col(name).abs() > scales[name]).height / active.height
        assert clipped < 0.30, f"{name}: {clipped:.1%} of {active.height} active rows"


def test_every_check_passes(lake: Lake) -> None:
    verdicts = [
        (check.name, result.severity, result.message)
        for check in all_checks()
        if not check.missing(lake, "ES", CHRISTMAS) and not (result := check.run(lake, "ES", CHRISTMAS)).passed
    ]
    assert verdicts == []


def test_orders_are_accounted_for(lake: Lake) -> None:
    """Every fill of a known order is in a message, and nine in ten modifies after a fill are plain partial fills."""
    events, lives = table(lake, "silver.order_event"), table(lake, "silver.order_life")
    kinds = dict(events.group_by("kind").len().rows())
    assert lake.partition("silver.order_event", "ES", CHRISTMAS).manifest.counters["unknown_fill"] == 7
    assert kinds["trade"] + kinds["trade_implied"] == 2_973
    assert lives.filter("known_add").height == kinds["add"]
    assert lives.filter(~pl.col("known_add")).height == 8_725
    assert lives.filter(pl.col("end_reason") == "open").height == 11_217
    assert kinds["refill"] / (kinds["refill"] + kinds["fill_partial"]) == pytest.approx(0.085, abs=5e-4)


def test_candles_hold_everything_that_traded(lake: Lake) -> None:
    bars = table(lake, "silver.candle_2m")
    assert (bars.height, bars["volume"].sum(), bars["n_off_market"].sum()) == (30, 9_892, 0)
    assert bars["bar_start"][0] == OPEN
    assert (bars["candle_id"][0], bars["session_date"][0]) == (-465, date(2023, 12, 26))


def test_the_zone_around_spot_is_conserved_to_the_lot(lake: Lake) -> None:
    measures = table(lake, "silver.move_measure_1s").filter("valid")
    assert measures.height == 3_585  # the hour without the 15 seconds in which looks back would reach before it
    for side in ("ask", "bid"):
        for w in (1, 5, 15):
            q0, q1, add, pull, fill = (measures[f"{name}_{side}_w{w}"] for name in ("q0", "q1", "add", "pull", "fill"))
            assert (q1 - q0 - add + pull + fill).unique().to_list() == [0]
