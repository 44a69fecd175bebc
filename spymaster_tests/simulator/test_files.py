"""What a run leaves in a lake: files any DBN reader opens, truth tables, and nothing that could pass as real."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import databento as db
import numpy as np
import polars as pl
import pytest

from spymaster.feed.definitions import future_definitions
from spymaster.feed.metadata import read_metadata
from spymaster.lake import Lake, LakeNotFoundError, raw_files
from spymaster.market.dbn import MBO_DTYPE, SIM_PUBLISHER
from spymaster.simulator import request as requests
from spymaster.simulator.errors import SimulationRefusedError, SimulationRequestError, SimulatorConfigError
from spymaster.simulator.profile import Profile, load_profile, read_config
from spymaster.simulator.report import write_report
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import Run, simulate

TUESDAY = date(2026, 1, 6)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One small run of two dates."""
    days = Request(preset="ci", dates=(TUESDAY, date(2026, 1, 7)), messages=20_000)
    small = plan(days)
    # the first date has no size of its own in a request: give it one, so that the test stays small
    first = requests.DayPlan(TUESDAY, small.days[0].span, 20_000, small.days[0].contracts, small.days[0].parts)
    small = replace(small, days=(first, small.days[1]))
    return simulate(small, tmp_path_factory.mktemp("simulated"))


def lake_of(run: Run) -> Lake:
    return Lake.open(run.folder.parents[1])


def order_file(run: Run, dt: date = TUESDAY) -> Path:
    (found,) = raw_files(lake_of(run), "ES", "market_by_order_dbn", dt)
    return found.path


def test_databento_reads_the_orders_and_maps_every_symbol(run: Run) -> None:
    store = db.DBNStore.from_file(order_file(run))
    array = store.to_ndarray().view(MBO_DTYPE)
    assert len(array) > 20_000
    assert (array["publisher_id"] == SIM_PUBLISHER).all()
    assert set(store.to_df()["symbol"].unique()) == {"ESH6", "ESM6", "ESH6-ESM6"}
    metadata = read_metadata(order_file(run))
    assert (metadata.dataset, metadata.version, metadata.dt) == ("SIM.SPYMASTER", 3, TUESDAY)
    assert metadata.simulated


@pytest.mark.parametrize(("version", "compression"), [(1, None), (2, "zstd")])
def test_other_versions_and_no_compression_hold_the_same_records(
    version, compression, run: Run, tmp_path: Path
) -> None:
    other = plan(Request(preset="ci", messages=20_000, dbn_version=version, compression=compression))
    written = simulate(other, tmp_path)
    path = order_file(written)
    assert read_metadata(path).version == version
    assert path.suffix == (".dbn" if compression is None else ".zst")
    same = db.DBNStore.from_file(path).to_ndarray().view(MBO_DTYPE)
    assert same.tobytes() == db.DBNStore.from_file(order_file(run)).to_ndarray().view(MBO_DTYPE).tobytes()


def test_definitions_statistics_and_status_are_readable(run: Run) -> None:
    lake = lake_of(run)
    (definition,) = raw_files(lake, "ES", "definition", TUESDAY)
    frame = future_definitions("ES", TUESDAY, definitions=definition.path)
    assert frame["contract"].to_list() == ["ESH6", "ESH6-ESM6", "ESM6"]
    assert frame["tick_size_int"].to_list() == [250_000_000, 50_000_000, 250_000_000]
    assert frame["multiplier"].unique().to_list() == [50.0]
    records: list[Any] = list(db.DBNStore.from_file(definition.path))
    legs = [record for record in records if record.leg_count]
    assert [(leg.leg_raw_symbol, str(leg.leg_side)) for leg in legs] == [("ESH6", "A"), ("ESM6", "B")]
    (statistics,) = raw_files(lake, "ES", "statistics", TUESDAY)
    table = db.DBNStore.from_file(statistics.path).to_df()
    interest = table[table["stat_type"] == 9]
    assert (interest.groupby("symbol").size() == 2).all()
    assert {1, 3, 4, 5, 6} <= set(table["stat_type"])
    (status,) = raw_files(lake, "ES", "status", TUESDAY)
    assert len(db.DBNStore.from_file(status.path).to_df()) == 3


def test_truth_tables_carry_run_date_symbol_and_provenance(run: Run) -> None:
    for table in ("truth_run", "truth_order", "truth_event", "truth_book_1s", "truth_latent_1s", "truth_bbo"):
        frame = pl.read_parquet(run.folder / f"table={table}" / "dt=*" / "*.parquet", hive_partitioning=True)
        assert frame.height > 0, table
        assert frame["provenance"].unique().to_list() == ["simulated"]
        assert frame["symbol"].unique().to_list() == ["ES"]
        assert frame["dt"].n_unique() == 2


def test_truth_never_leaks_into_the_feed(run: Run) -> None:
    """Tagged orders look like all others: the bytes hold what a feed holds, and no more."""
    records = db.DBNStore.from_file(order_file(run)).to_ndarray().view(MBO_DTYPE)
    tags = pl.read_parquet(run.folder / "table=truth_order" / f"dt={TUESDAY}" / "*.parquet")
    tagged = np.isin(records["order_id"], tags["order_id"].to_numpy())
    assert tagged.any()
    for name in ("publisher_id", "channel_id", "length", "rtype"):
        assert len(np.unique(records[name])) == 1
    live = records["flags"] & 0x20 == 0
    assert set(np.unique(records["flags"][tagged & live])) <= {0, 0x80}


def test_run_document_names_files_and_hashes(run: Run) -> None:
    document = json.loads((run.folder / "run.json").read_text())
    assert document["provenance"] == "simulated"
    stored = {file.name: file.sha256 for file in raw_files(lake_of(run), "ES", "market_by_order_dbn")}
    told = {name: digest for day in document["days"] for name, digest in day["files"].items()}
    assert stored.items() <= told.items()


def test_the_same_request_finds_its_files_and_another_seed_is_refused(run: Run) -> None:
    lake = lake_of(run)
    first = plan(Request(preset="ci", messages=20_000))
    simulate(first, lake.root)
    with pytest.raises(SimulationRefusedError, match=r"sim-20260106\.mbo"):
        simulate(plan(Request(preset="ci", messages=20_000, seed=8)), lake.root)
    assert not list((lake.root / "_staging").iterdir())


def test_options_leave_the_futures_files_alone(run: Run, tmp_path: Path) -> None:
    first, second = (replace(day, option_messages=0) for day in run.plan.days)
    without = simulate(replace(run.plan, days=(first, second)), tmp_path)
    assert [day.files for day in without.days] == [day.files for day in run.days]
    assert without.days[1].option_files == {}
    assert run.days[1].option_files != {}
    assert not (tmp_path / "raw" / "source=simulated" / "product_type=future_option").exists()


def test_report_has_the_rows_of_options(run: Run) -> None:
    path, found = write_report(run)
    assert [sum(one.number == 21 for one in targets) for targets in found.values()] == [0, 4]
    assert "in 64 series" in path.read_text()


def test_a_lake_of_real_data_is_refused(tmp_path: Path) -> None:
    Lake.open(tmp_path, create=True, kind="real")
    with pytest.raises(SimulationRefusedError, match="real"):
        simulate(plan(Request(preset="ci", messages=2_000)), tmp_path)
    with pytest.raises(LakeNotFoundError):
        Lake.open(tmp_path / "other")


def test_crude_oil_has_its_own_profile_and_months(tmp_path: Path) -> None:
    written = simulate(plan(Request(symbol="CL", preset="ci", messages=10_000)), tmp_path)
    day = written.plan.days[0]
    assert [contract.symbol for contract in day.contracts] == ["CLG6", "CLH6", "CLG6-CLH6"]
    assert written.plan.profile_name == "cl"


def test_demo_has_three_earlier_sessions() -> None:
    days = plan(Request()).days
    assert [day.dt for day in days] == [date(2025, 12, 31), date(2026, 1, 2), date(2026, 1, 5), TUESDAY]
    assert sum(day.messages for day in days) == 2_400_000 + 3 * 720_000


def test_unknown_preset_and_dates_without_sessions_are_errors() -> None:
    with pytest.raises(SimulationRequestError, match="huge"):
        plan(Request(preset="huge"))
    with pytest.raises(SimulationRequestError, match="no session"):
        requests.session_dates(date(2026, 1, 3), date(2026, 1, 4), "ES")


def test_unknown_keys_of_a_profile_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "es.toml"
    path.write_text("[instrument]\nstatus = 'assumption'\ncolour = 'red'\n")
    with pytest.raises(SimulatorConfigError, match=r"es\.toml"):
        read_config(path, Profile)
    assert {section.status for section in (load_profile("es").book, load_profile("es").price)} == {
        "anchor",
        "assumption",
    }
