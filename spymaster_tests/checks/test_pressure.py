"""Checks of the pressure surface and of its calibration rows: they pass on a good session and see what is planted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET
from spymaster.market.instruments import instrument
from spymaster.surfaces.calibration import calibrate, select_sessions
from spymaster.surfaces.pressure import pressure_session
from spymaster.tables.model import TableModel
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_quote_1s import OptionQuote1s
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, copy_lake, spoil
from spymaster_tests.checks.test_every_check import MIDDLE_ROW, Spoiler, drop, put
from spymaster_tests.surfaces.options import definitions_of, quotes_of

PRESSURE = "silver.pressure_surface_1s"
CALIBRATION = "gold.physics_norm_calibration"
QUOTES, DEFINITIONS = "silver.option_quote_1s", "bronze.option_definition"
CHECKS = {check.key: check for check in all_checks() if check.tables[0] in (PRESSURE, CALIBRATION)}


def store(lake: Lake, model: type[TableModel] | str, dt, frames, inputs, counters=None) -> None:
    with lake.writer(model, SYMBOL, dt) as writer:
        for frame in frames:
            writer.write(frame)
        writer.commit(inputs=inputs, counters=counters, dataset=SIM_DATASET, empty_reason="no options")


def add_pressure(lake: Lake, *, options: bool = True) -> Lake:
    """Options, calibration and pressure of both sessions."""
    root = instrument(SYMBOL, lake.settings)
    for seed, dt in enumerate((EARLIER, DT)):
        wall = lake.partition("silver.wall_surface_1s", SYMBOL, dt)
        snapshot = lake.partition("silver.book_snapshot_1s", SYMBOL, dt)
        mbo = lake.partition("bronze.future_mbo", SYMBOL, dt)
        definitions = definitions_of(4800 + 5 * np.arange(-8, 9))
        quotes = quotes_of(definitions, snapshot.read(), seed=seed)
        store(lake, OptionDefinition, dt, [definitions] if options else [], [mbo])
        store(lake, OptionQuote1s, dt, [quotes] if options else [], [mbo])
        offered = [each for each in lake.partitions("silver.wall_surface_1s", SYMBOL) if each.dt <= dt]
        walls = select_sessions(offered, dt, lake.settings)
        tables = [
            [lake.partition(name, SYMBOL, each.dt) for each in walls]
            for name in ("silver.option_quote_1s", "bronze.option_definition")
        ]
        frame = calibrate(
            walls, dt, instrument=root, settings=lake.settings, quotes=tables[0], definitions=tables[1]
        )  # fmt: skip
        store(lake, CALIBRATION, dt, [frame], [*walls, *tables[0], *tables[1]])
        inputs = [wall, snapshot, *(lake.partition(name, SYMBOL, dt) for name in (CALIBRATION, QUOTES, DEFINITIONS))]
        made = pressure_session(*inputs, instrument=root, settings=lake.settings)
        store(lake, PRESSURE, dt, made, inputs, made.counters)
    return lake


@pytest.fixture(scope="module")
def pressed(good_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return add_pressure(copy_lake(good_lake, tmp_path_factory.mktemp("pressed") / "lake"))


def middle(lake: Lake, name: str, **change: pl.Expr) -> None:
    """Change a column of one sampled window: the last valid one."""

    def applied(frame: pl.DataFrame) -> pl.DataFrame:
        valid = frame.filter("window_valid")["window_end"].max()
        at = (pl.col("window_end") == valid) & (pl.col("rel_buckets") == 2)
        return frame.with_columns(pl.when(at).then(change["to"]).otherwise(name).alias(name)).cast(frame.schema)

    spoil(lake, PRESSURE, applied)


def spoiled_column(name: str) -> Spoiler:
    return lambda lake: middle(lake, name, to=pl.col(name) * 1.01 + 0.5)


FIRST_RATIO = (pl.col("kind") == "ratio") & ((pl.col("kind") == "ratio").cum_sum() == 1)

SPOILERS: dict[str, list[Spoiler]] = {
    f"{PRESSURE}:grid_complete": [
        drop(PRESSURE, MIDDLE_ROW),
        put(PRESSURE, MIDDLE_ROW, bucket_price_int=pl.col("bucket_price_int") + 250_000_000),
        drop(PRESSURE, pl.col("window_end") == pl.col("window_end").last()),
    ],
    f"{PRESSURE}:balanced": [
        put(PRESSURE, MIDDLE_ROW, net_pressure=pl.lit(1.2)),
        put(PRESSURE, pl.col("window_valid") & (pl.col("window_valid").cum_sum() == 1), rest_ratio_ask=None),
        put(PRESSURE, pl.col("window_valid"), net_pressure=-pl.col("net_pressure")),
    ],
    f"{PRESSURE}:equal_recomputation": [
        spoiled_column(name)
        for name in ("book_short", "trade_long", "option_long", "rest_short", "short_pressure", "d1_net_pressure")
    ],
    f"{PRESSURE}:spot_of_snapshot": [
        put(PRESSURE, MIDDLE_ROW, spot_ref_price_int=pl.col("spot_ref_price_int") + 250_000_000)
    ],
    f"{PRESSURE}:contract_of_selection": [put(PRESSURE, MIDDLE_ROW, contract="ESM4")],
    f"{CALIBRATION}:metrics_complete": [drop(CALIBRATION, FIRST_RATIO)],
    f"{CALIBRATION}:not_degenerate": [
        put(CALIBRATION, FIRST_RATIO, scale=0.0),
        put(CALIBRATION, FIRST_RATIO, scale=pl.col("scale") * 1.01),
        put(CALIBRATION, FIRST_RATIO, n_rows=0),
    ],
    f"{CALIBRATION}:causal": [put(CALIBRATION, FIRST_RATIO, asof_dt=DT)],
}


@pytest.mark.parametrize("dt", [EARLIER, DT])
def test_a_good_session_passes_every_check(pressed: Lake, dt):
    results = {key: check.run(pressed, SYMBOL, dt) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}
    assert results[f"{PRESSURE}:equal_recomputation"].metadata["values"] == 8 * 81 * 15
    frame = pressed.partition(PRESSURE, SYMBOL, dt).read()
    assert frame["has_options"].any()
    assert (frame["option_long"] > 0).any()


def test_a_session_without_options_passes_every_check(good_lake: Lake, tmp_path: Path):
    lake = add_pressure(copy_lake(good_lake, tmp_path / "lake"), options=False)
    results = {key: check.run(lake, SYMBOL, DT) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}
    assert not lake.partition(PRESSURE, SYMBOL, DT).read()["has_options"].any()


@pytest.mark.parametrize(("key", "number"), [(key, n) for key, them in SPOILERS.items() for n in range(len(them))])
def test_a_check_fails_on_its_violation(pressed: Lake, tmp_path: Path, key: str, number: int):
    lake = copy_lake(pressed, tmp_path / "lake")
    SPOILERS[key][number](lake)
    result = CHECKS[key].run(lake, SYMBOL, DT)
    assert not result.passed
    assert result.metadata["violations"]
    json.dumps(result.metadata, allow_nan=False)


def test_every_check_of_the_surface_has_a_violation():
    generic = {"contract", "finite", "manifest_true"}
    assert {key for key, check in CHECKS.items() if check.name not in generic} == set(SPOILERS)


def test_the_recomputation_knows_a_definition_from_the_second_after_its_receipt(pressed: Lake, tmp_path: Path):
    """Every strike is another from the end of the last valid second on, which is recomputed: nothing has changed."""
    lake = copy_lake(pressed, tmp_path / "lake")
    last = lake.partition(PRESSURE, SYMBOL, DT).read().filter("window_valid")["window_end"].to_physical().max()
    assert isinstance(last, int)
    key = f"{PRESSURE}:equal_recomputation"
    for received, passes in ((last, True), (last - 1, False)):
        late = definitions_of(4803 + 5 * np.arange(-8, 9), known_at_ns=received)
        before = definitions_of(4800 + 5 * np.arange(-8, 9))
        spoil(lake, DEFINITIONS, lambda _, rows=(before, late): pl.concat(rows).sort("instrument_id", "ts_recv"))
        assert CHECKS[key].run(lake, SYMBOL, DT).passed == passes
        inputs = [lake.partition(name, SYMBOL, DT) for name in ("silver.wall_surface_1s", "silver.book_snapshot_1s",
                  CALIBRATION, QUOTES, DEFINITIONS)]  # fmt: skip
        made = pressure_session(*inputs, instrument=instrument(SYMBOL, lake.settings), settings=lake.settings)
        store(lake, PRESSURE, DT, made, inputs, made.counters)
        assert CHECKS[key].run(lake, SYMBOL, DT).passed


def test_the_recomputation_reads_the_options(pressed: Lake, tmp_path: Path):
    lake = copy_lake(pressed, tmp_path / "lake")
    volume = pl.col("buy_volume") + pl.col("sell_volume") > 0
    put(QUOTES, volume, buy_volume=7)(lake)
    assert not CHECKS[f"{PRESSURE}:equal_recomputation"].run(lake, SYMBOL, DT).passed
