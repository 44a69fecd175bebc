"""Files of the simulated chain: any reader opens them, the future's bytes ignore them, and the traps are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import databento as db
import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake, raw_files
from spymaster.market.dbn import MBO_DTYPE
from spymaster.simulator.report import write_report
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import Run, simulate
from spymaster_tests.simulator.days import TUESDAY


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return simulate(plan(Request(preset="ci", messages=20_000)), tmp_path_factory.mktemp("options"))


def option_file(run: Run, table: str) -> Path:
    lake = Lake.open(run.folder.parents[1])
    (found,) = raw_files(lake, "ES", table, TUESDAY, "future_option")
    return found.path


def test_orders_are_readable_and_every_symbol_is_mapped(run: Run) -> None:
    store = db.DBNStore.from_file(option_file(run, "market_by_order_dbn"))
    array = store.to_ndarray().view(MBO_DTYPE)
    (day,) = run.days
    assert day.options is not None
    assert day.options.messages == (array["flags"] & 0x20 == 0).sum()
    assert store.metadata.dataset == "SIM.SPYMASTER"
    assert store.to_df()["symbol"].str.fullmatch(r"E1BF6 [CP]\d{4}").all()


def test_definitions_tell_strike_right_expiry_and_future(run: Run) -> None:
    records: list[Any] = list(db.DBNStore.from_file(option_file(run, "definition")))
    options = [one for one in records if str(one.instrument_class) in "CP" and one.raw_symbol.startswith("E1B")]
    assert len(options) == 62 + 1
    assert {one.underlying for one in options} == {"ESH6"}
    assert {one.contract_multiplier for one in options} == {50}
    for one in options:
        assert one.raw_symbol.endswith(f"{one.instrument_class}{one.strike_price // 10**9}")
    assert [str(one.security_update_action) for one in records].count("M") == 1
    assert sum(str(one.user_defined_instrument) == "Y" for one in records) == 2
    assert sum(one.expiration < records[0].ts_recv for one in records) == 1


def test_who_takes_the_opening_price_for_open_interest_is_visibly_wrong(run: Run) -> None:
    table = db.DBNStore.from_file(option_file(run, "statistics")).to_df(price_type="fixed")
    interest = table[table["stat_type"] == 9]
    assert (interest.groupby("instrument_id").size() == 2).all()
    assert (interest.groupby("instrument_id")["quantity"].nunique() == 2).all()
    assert (interest["quantity"] >= 0).all()
    assert (interest["quantity"] < 10**6).all()
    opening = table[table["stat_type"] == 1]
    assert set(opening["instrument_id"]) == set(interest["instrument_id"])
    assert (opening["quantity"] > 10**9).all()
    assert {1, 3, 4, 5, 6, 7, 8, 9} <= set(table["stat_type"])
    assert (table["update_action"] == 2).sum() == 1


def test_truth_holds_volatility_and_inventory_of_every_minute(run: Run) -> None:
    truth, held = (
        pl.read_parquet(run.folder / f"table={table}" / f"dt={TUESDAY}" / "*.parquet")
        for table in ("truth_iv", "truth_inventory")
    )
    assert truth.height == held.height == 62 * truth["minute_end"].n_unique()
    assert truth["minute_end"].n_unique() >= 118
    assert truth["provenance"].unique().to_list() == ["simulated"]
    assert truth["iv"].is_between(0.05, 1.5).all()
    assert held["inventory"].to_numpy().any()


def test_options_leave_the_futures_files_alone(run: Run, tmp_path: Path) -> None:
    without = simulate(plan(Request(preset="ci", messages=20_000, options=False)), tmp_path)
    assert without.days[0].files == run.days[0].files
    assert without.days[0].option_files == {}
    assert not (tmp_path / "raw" / "source=simulated" / "product_type=future_option").exists()


def test_report_has_the_rows_of_options(run: Run) -> None:
    path, found = write_report(run)
    assert sum(one.number == 21 for one in next(iter(found.values()))) == 4
    assert "in 62 series" in path.read_text()


def test_crude_oil_has_no_chain() -> None:
    assert [day.option_messages for day in plan(Request(symbol="CL", preset="ci")).days] == [0]
    assert [day.option_messages for day in plan(Request()).days] == [250_000] * 3 + [1_000_000]
    assert np.sum([day.option_messages for day in plan(Request(preset="full_day")).days]) == 30_000_000
