"""Checks of the option and statistics tables: a good session passes, one planted violation fails each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.checks.frames import FUTURE_STATISTICS, OPTION_DEFINITION, OPTION_MBO, OPTION_STATISTICS
from spymaster.feed.bronze import open_raw, option_mbo_frames
from spymaster.feed.ingest import add_raw
from spymaster.feed.option_definitions import option_definitions
from spymaster.feed.statistics import statistics_frames
from spymaster.lake import Lake, raw_files
from spymaster.market.dbn import SIM_DATASET
from spymaster.tables import table as table_model
from spymaster_tests.checks.sessions import spoil
from spymaster_tests.feed.test_definitions import definition_file
from spymaster_tests.feed.test_option_definitions import CALL, PUT, SPREAD
from spymaster_tests.feed.test_option_mbo import OPTIONS, several
from spymaster_tests.feed.test_statistics import statistic, statistics_file
from spymaster_tests.streams import DAY, day_ns, write_raw_day

TABLES = (FUTURE_STATISTICS, OPTION_DEFINITION, OPTION_MBO, OPTION_STATISTICS)
Change = Callable[[pl.DataFrame], pl.DataFrame]
HOUR_NS = 3_600 * 10**9


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """One session of options, as the assets make it."""
    lake = Lake.open(tmp_path / "lake", create=True, kind="simulated")
    write_raw_day(lake.root, "ES", DAY, several(), contracts=OPTIONS, product_type="future_option")
    (orders,) = raw_files(lake, "ES", "market_by_order_dbn", product_type="future_option")
    defined = [{**CALL, "instrument_id": 11}, {**PUT, "instrument_id": 12}, SPREAD]
    definitions = add_raw(lake, definition_file(tmp_path / "o-20240306.definition.dbn.zst", defined), "ES").file
    at = day_ns(DAY) + HOUR_NS
    told = [
        statistic(at, 11, 3, price=5 * 10**9),
        statistic(at, 11, 9, quantity=0),
        statistic(at, 12, 9, quantity=8),
        statistic(at, 12, 9, delete=True),
    ]
    option_file = statistics_file(tmp_path / "o-20240306.statistics.dbn.zst", told, symbols=OPTIONS)
    future_file = statistics_file(tmp_path / "f-20240306.statistics.dbn.zst", told, symbols={"ESH4": 11, "ESM4": 12})
    counters: dict[str, dict] = {name: {} for name in TABLES}
    made = option_definitions("ES", DAY, definitions=definitions)
    frames = {
        OPTION_DEFINITION: [made.frame],
        OPTION_MBO: option_mbo_frames(open_raw(orders), counters=counters[OPTION_MBO]),
    }
    for name, file in ((OPTION_STATISTICS, option_file), (FUTURE_STATISTICS, future_file)):
        frames[name] = statistics_frames(table_model(name), add_raw(lake, file, "ES").file, DAY)
    for name in TABLES:
        with lake.writer(name, "ES", DAY) as writer:
            for frame in frames[name]:
                writer.write(frame)
            writer.commit(inputs=[orders], counters=counters[name], dataset=SIM_DATASET)
    return lake


def empty(lake: Lake) -> None:
    """As on a date without files of options."""
    for name in TABLES:
        with lake.writer(name, "ES", DAY) as writer:
            writer.commit(empty_reason="no file")


def put(at: pl.Expr, **values: object) -> Change:
    """Set columns of the rows where `at` holds."""
    return lambda frame: frame.with_columns(
        pl.when(at).then(pl.lit(value)).otherwise(name).cast(frame.schema[name]).alias(name)
        for name, value in values.items()
    )


def another_id(frame: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([frame, frame.head(1).with_columns(instrument_id=pl.lit(4_100_000_000, pl.UInt32))])


FIRST, INTEREST = pl.int_range(pl.len()) == 0, pl.col("stat_type") == 9
TOMORROW = day_ns(DAY) + 24 * HOUR_NS
SPOILERS: dict[str, tuple[str, Change]] = {
    f"{OPTION_MBO}:records_of_file": (OPTION_MBO, lambda frame: frame.head(-1)),
    f"{OPTION_MBO}:received_on_date": (OPTION_MBO, put(pl.col("flags") & 8 == 0, ts_recv=TOMORROW)),
    f"{OPTION_MBO}:instruments_defined": (OPTION_DEFINITION, lambda frame: frame.filter(pl.col("right") != "P")),
    f"{OPTION_DEFINITION}:options_priceable": (OPTION_DEFINITION, put(FIRST, underlying=None)),
    f"{OPTION_DEFINITION}:multiplier_of_root": (OPTION_DEFINITION, put(FIRST, multiplier=5.0)),
    f"{OPTION_DEFINITION}:one_id_in_force": (OPTION_DEFINITION, another_id),
    f"{OPTION_STATISTICS}:instruments_defined": (OPTION_STATISTICS, put(FIRST, instrument_id=5)),
    f"{OPTION_STATISTICS}:session_had_begun": (OPTION_STATISTICS, put(FIRST, ts_ref=TOMORROW)),
    f"{FUTURE_STATISTICS}:session_had_begun": (FUTURE_STATISTICS, put(FIRST, ts_ref=TOMORROW)),
    f"{OPTION_STATISTICS}:open_interest_told": (OPTION_STATISTICS, put(INTEREST, quantity=None)),
    f"{FUTURE_STATISTICS}:open_interest_told": (FUTURE_STATISTICS, put(INTEREST, quantity=-1)),
}  # fmt: skip
CHECKS = {check.key: check for check in all_checks() if set(check.tables) <= set(TABLES)}


def test_a_good_session_passes_every_check(lake: Lake) -> None:
    results = {key: check.run(lake, "ES", DAY) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}


def test_a_session_without_options_passes_every_check(lake: Lake) -> None:
    empty(lake)
    results = {key: check.run(lake, "ES", DAY) for key, check in CHECKS.items()}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}


def test_every_check_of_these_tables_has_its_violation() -> None:
    of_models = {"contract", "finite", "manifest_true"}
    assert {key for key, check in CHECKS.items() if check.name not in of_models} == SPOILERS.keys()


@pytest.mark.parametrize("key", SPOILERS)
def test_a_check_fails_on_its_violation(key: str, lake: Lake) -> None:
    table, change = SPOILERS[key]
    spoil(lake, table, change, dt=DAY)
    result = CHECKS[key].run(lake, "ES", DAY)
    assert not result.passed
    assert result.metadata["violations"]
    json.dumps(result.metadata, allow_nan=False)


def test_an_instrument_without_a_definition_is_named(lake: Lake) -> None:
    table, change = SPOILERS[f"{OPTION_MBO}:instruments_defined"]
    spoil(lake, table, change, dt=DAY)
    result = CHECKS[f"{OPTION_MBO}:instruments_defined"].run(lake, "ES", DAY)
    assert "instrument_id=12 records=" in str(result.metadata["examples"])
    assert result.metadata["instruments"] == 3


def test_a_definition_that_was_withdrawn_is_not_in_force(lake: Lake) -> None:
    spoil(
        lake,
        OPTION_DEFINITION,
        lambda frame: another_id(frame).with_columns(is_deleted=pl.col("instrument_id") == 4_100_000_000),
        dt=DAY,
    )
    assert CHECKS[f"{OPTION_DEFINITION}:one_id_in_force"].run(lake, "ES", DAY).passed
