"""A lake of futures alone has every table of futures; options are taken along once they are there."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from spymaster.checks import checks_for
from spymaster.lake import Lake
from spymaster_assets.assets import bronze, gold, options, silver
from spymaster_assets.factory import recipe_of
from spymaster_assets.partitions import SessionKey
from spymaster_assets.plan import open_inputs
from spymaster_tests.assets.test_option_quotes import make
from spymaster_tests.options.market import DT
from spymaster_tests.streams import day_ns, random_stream, write_raw_day

OF_OPTIONS = {"silver.option_quote_1s", "bronze.option_definition"}
PRESSURE = "silver.pressure_surface_1s"
FUTURES = (
    bronze.future_mbo,
    bronze.future_definition,
    bronze.contract_day_selection,
    silver.futures_pass,
    gold.physics_norm_calibration,
    silver.pressure_surface_1s,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.open(tmp_path / "lake", create=True, kind="simulated")
    write_raw_day(lake.root, "ES", DT, random_stream(1, 800, start_ns=day_ns(DT) + 15 * 3_600 * 10**9))
    make(lake, *FUTURES)
    return lake


def test_pressure_of_futures_alone_gives_options_no_weight(lake: Lake):
    partition = lake.partition(PRESSURE, "ES", DT)
    rows = partition.read()
    assert rows.height > 0
    assert not rows["has_options"].any()
    assert rows["option_long"].null_count() == rows["option_short"].null_count() == rows.height
    scored = rows.filter("window_valid")
    assert scored.height > 0
    usual = lake.partition("gold.physics_norm_calibration", "ES", DT).read().filter(pl.col("kind") == "ratio")
    scale = dict(usual.filter(pl.col("band") == "D0").select("metric_name", "scale").iter_rows())
    spot = scored.filter(pl.col("rel_buckets") == 0)
    names = ("book_long", "trade_long", "rest_long")
    mean = pl.mean_horizontal(pl.col(name).cast(pl.Float64) / scale[name] for name in names)
    off = spot.select((mean - pl.col("long_pressure")).abs().max()).item()
    assert off < 1e-4 * spot["long_pressure"].max()  # type: ignore[operator]
    results = {check.name: check.run(lake, "ES", DT) for check in checks_for(table=PRESSURE)}
    assert {name: result.message for name, result in results.items() if not result.passed} == {}
    assert not OF_OPTIONS & {record.name.split()[0] for record in partition.manifest.inputs}


def is_fresh(lake: Lake) -> bool:
    """Whether a run would leave the surface as it is."""
    recipe = recipe_of(silver.pressure_surface_1s)
    assert recipe is not None
    return recipe.is_fresh(lake, SessionKey(DT, "ES"), open_inputs(lake, recipe), [PRESSURE])


def test_pressure_is_made_anew_once_there_are_tables_of_options(lake: Lake):
    assert is_fresh(lake)
    make(lake, bronze.option_mbo, bronze.option_definition, options.option_quotes)
    assert not is_fresh(lake)
    make(lake, silver.pressure_surface_1s)
    assert is_fresh(lake)
    assert {record.name.split()[0] for record in lake.partition(PRESSURE, "ES", DT).manifest.inputs} >= OF_OPTIONS
