"""Complete, stale or missing: every reason for staleness, one at a time."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from spymaster.lake import AbsentRaw, Lake, RawFile, lake_status, partition_status, store_raw
from spymaster.lake.status import due
from spymaster.settings import get_settings
from spymaster.tables import all_tables
from spymaster.tables.outcome_model import OutcomeModel
from spymaster_tests.lake.storing import DT, MBO, TRADE, orders, partition, store, trades

RAW = {"source": "databento", "product_type": "future", "symbol": "ES", "table": "market_by_order_dbn"}


@pytest.fixture
def raw(lake: Lake, tmp_path: Path) -> RawFile:
    path = tmp_path / "glbx-20240102.mbo.dbn"
    path.write_bytes(b"raw")
    return store_raw(lake, path, **RAW, dt=DT).file


@pytest.fixture(autouse=True)
def _chain(lake: Lake, raw: RawFile) -> None:
    """raw -> future_mbo -> trade"""
    store(lake, orders("ESH4", 10), model=MBO, inputs=[raw])
    store(lake, trades(10), inputs=[partition(lake, model=MBO)])


def reasons(lake: Lake, model: type = TRADE, **options: object) -> tuple[str, ...]:
    status = partition_status(lake, model, "ES", DT, **options)  # pyright: ignore[reportArgumentType]
    assert status.state == ("stale" if status.reasons else "complete")
    return status.reasons


def test_what_was_just_written_is_complete(lake: Lake) -> None:
    assert reasons(lake) == ()
    assert reasons(lake, MBO) == ()
    assert partition_status(lake, "silver.trade", "ES", DT).is_fresh


def test_what_is_not_there_is_missing(lake: Lake) -> None:
    status = partition_status(lake, TRADE, "ES", date(2024, 1, 3))
    assert (status.state, status.reasons, status.is_fresh) == ("missing", (), False)


def test_an_optional_raw_file_that_comes_later_makes_stale(lake: Lake, raw: RawFile, tmp_path: Path) -> None:
    """Also for those who do not know what is read today, as `spymaster status` does not."""
    absent = AbsentRaw("future_option", "ES", "statistics", DT)
    store(lake, trades(10), inputs=[partition(lake, model=MBO), absent])
    assert reasons(lake) == ()
    assert reasons(lake, expected_inputs=[partition(lake, model=MBO), absent]) == ()
    assert reasons(lake, expected_inputs=[AbsentRaw("future", "ES", "statistics", DT)]) == ()
    path = tmp_path / "glbx-20240102.statistics.dbn"
    path.write_bytes(b"raw")
    store_raw(lake, path, **(RAW | {"table": "statistics"}), dt=DT)
    assert reasons(lake) == ()  # that of the future is another file
    file = store_raw(lake, path, **(RAW | {"product_type": "future_option", "table": "statistics"}), dt=DT).file
    assert reasons(lake) == (f"input {file.name} has come since",)
    store(lake, trades(10), inputs=[partition(lake, model=MBO), file])
    assert reasons(lake) == ()


def test_an_input_written_again_with_the_same_rows_changes_nothing(lake: Lake, raw: RawFile) -> None:
    store(lake, orders("ESH4", 10), model=MBO, inputs=[raw], notes={"again": True})
    assert reasons(lake) == ()


def test_an_input_with_other_rows_makes_stale(lake: Lake, raw: RawFile) -> None:
    store(lake, orders("ESH4", 11), model=MBO, inputs=[raw])
    assert reasons(lake) == ("input bronze.future_mbo ES 2024-01-02 has changed",)
    assert reasons(lake, MBO) == ()


def test_an_input_that_is_gone_or_unreadable_makes_stale(lake: Lake) -> None:
    path = partition(lake, model=MBO).path
    path.write_bytes(b"no parquet")
    assert reasons(lake) == ("input bronze.future_mbo ES 2024-01-02 is gone",)
    path.unlink()
    assert reasons(lake) == ("input bronze.future_mbo ES 2024-01-02 is gone",)


def test_a_raw_file_that_changed_or_went_makes_stale(lake: Lake, raw: RawFile) -> None:
    raw.path.write_bytes(b"other raw bytes")
    assert reasons(lake, MBO) == (f"input {raw.name} has changed",)
    raw.path.unlink()
    assert reasons(lake, MBO) == (f"input {raw.name} is gone",)


def test_an_input_that_has_come_since_makes_stale(lake: Lake, tmp_path: Path) -> None:
    earlier = date(2024, 1, 1)
    upstream = partition(lake, model=MBO)
    assert reasons(lake, expected_inputs=[upstream]) == ()
    store(lake, orders("ESH4", 3), model=MBO, dt=earlier)
    more = [partition(lake, earlier, MBO), upstream]
    assert reasons(lake, expected_inputs=more) == ("input bronze.future_mbo ES 2024-01-01 has come since",)


def test_other_code_makes_stale(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    written = partition(lake).manifest.code_version
    monkeypatch.setattr(TRADE, "version", 2)
    assert reasons(lake) == (f"written by code version {written}, today {TRADE.code_version()}",)


def test_other_columns_make_stale(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {**TRADE.columns, "added": TRADE.columns["qty"]}
    monkeypatch.setattr(TRADE, "columns", columns)
    assert reasons(lake) == ("the table has other columns today",)


def test_other_settings_make_stale_what_depends_on_them(lake: Lake) -> None:
    other = Lake.open(
        lake.root, settings=get_settings(engine={"rest_ns": 250_000_000}, calibration={"max_sessions": 5})
    )
    assert reasons(other) == ("engine.rest_ns was 500000000, is 250000000",)
    assert reasons(other, MBO) == ()


def test_another_instrument_configuration_makes_stale(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = Lake.parameters

    def changed(self: Lake, table: type, symbol: str) -> dict[str, dict[str, object]]:
        found = parameters(self, table, symbol)
        return {name: {**value, "eps_qty": 2.0} if name == "instrument" else value for name, value in found.items()}

    monkeypatch.setattr(Lake, "parameters", changed)
    assert reasons(lake) == ("instrument.eps_qty was 1.0, is 2.0",)


def test_another_profile_makes_stale(lake: Lake) -> None:
    other = Lake.open(lake.root, settings=get_settings(parameter_profile="demo"))
    assert reasons(other) == ("parameter profile was standard, is demo",)


def test_a_damaged_partition_is_stale_and_says_so(lake: Lake) -> None:
    pl.DataFrame({"x": [1]}).write_parquet(partition(lake).path)
    (reason,) = reasons(lake)
    assert "carries no manifest" in reason


def test_the_status_of_a_lake_covers_tables_symbols_and_dates(lake: Lake) -> None:
    states = lake_status(lake, ["ES", "NQ"], [date(2024, 1, 3), DT])
    assert len(states) == len(all_tables()) * 4
    complete = [(found.table, found.symbol, found.dt) for found in states if found.state == "complete"]
    assert complete == [("bronze.future_mbo", "ES", DT), ("silver.trade", "ES", DT)]
    assert [found.dt for found in lake_status(lake, ["ES"], [date(2024, 1, 3), DT], ["silver.trade"])] == [
        DT,
        date(2024, 1, 3),
    ]


def test_what_a_request_makes_for_its_last_date_only_is_due_there(lake: Lake) -> None:
    """Of each symbol its own last date counts, and what is made on an earlier date is judged all the same."""
    days = [DT, date(2024, 1, 3)]
    states = [*lake_status(lake, ["ES"], days), *lake_status(lake, ["CL"], days[:1])]
    left_out = {(one.table, one.symbol, one.dt) for one in states} - {
        (one.table, one.symbol, one.dt) for one in due(states)
    }
    assert left_out == {(model.full_name, "ES", DT) for model in all_tables().values() if model.last_only}
    assert (OutcomeModel.full_name, "ES", DT) in left_out
    store(lake, OutcomeModel.empty(), model=OutcomeModel, inputs=[partition(lake)])
    store(lake, trades(11))
    made = [one for one in due(lake_status(lake, ["ES"], days)) if one.table == OutcomeModel.full_name]
    assert [(one.dt, one.state) for one in made] == [(DT, "stale"), (days[1], "missing")]
