"""Files of the simulated chain: any reader opens them, and the traps are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import databento as db
import numpy as np
import polars as pl
import pytest

from spymaster.market.calendar import wall_time_ns
from spymaster.market.dbn import MBO_DTYPE
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.options.chain import CHAIN_SIZES
from spymaster.simulator.options.write import ChainRequest, ChainResult, write_chain
from spymaster.simulator.profile import load_profile
from spymaster.simulator.request import Request, plan
from spymaster.simulator.schedule import segments
from spymaster.simulator.truth import TruthWriter
from spymaster_tests.simulator.chains import MORNING, walk
from spymaster_tests.simulator.days import TUESDAY


@dataclass(frozen=True)
class Written:
    """A chain on disk: its files by table, where its truth is, and what was said of it."""

    files: dict[str, Path]
    truth: TruthWriter
    result: ChainResult


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = tmp_path_factory.mktemp("options")
    truth = TruthWriter(root, "test", "ES", TUESDAY)
    wanted = ChainRequest(
        dt=TUESDAY, root="ES", exchange="XCME", contracts=contracts_on("ES", TUESDAY, "HMUZ"),
        profile=load_profile("es"), size=CHAIN_SIZES["ci"], messages=50_000, seed=7,
        parts=segments(TUESDAY, "ES", MORNING),
    )  # fmt: skip
    result = write_chain(wanted, walk(), root / "files", truth)
    assert result is not None
    return Written({table: path for path, table in result.files}, truth, result)


def test_orders_are_readable_and_every_symbol_is_mapped(written: Written) -> None:
    store = db.DBNStore.from_file(written.files["market_by_order_dbn"])
    array = store.to_ndarray().view(MBO_DTYPE)
    assert written.result.messages == (array["flags"] & 0x20 == 0).sum()
    assert store.metadata.dataset == "SIM.SPYMASTER"
    assert store.to_df()["symbol"].str.fullmatch(r"E1BF6 [CP]\d{4}").all()


def test_definitions_tell_strike_right_expiry_and_future(written: Written) -> None:
    records: list[Any] = list(db.DBNStore.from_file(written.files["definition"]))
    options = [one for one in records if str(one.instrument_class) in "CP" and one.raw_symbol.startswith("E1B")]
    assert len(options) == 62 + 1 + 2
    assert {one.underlying for one in options} == {"ESH6"}
    assert {one.contract_multiplier for one in options} == {50}
    for one in options:
        assert one.raw_symbol.endswith(f"{one.instrument_class}{one.strike_price // 10**9}")
    assert [str(one.security_update_action) for one in records].count("M") == 1
    assert sum(str(one.user_defined_instrument) == "Y" for one in records) == 2
    assert sum(one.expiration < records[0].ts_recv for one in records) == 1


def test_a_strike_is_listed_during_the_date(written: Written) -> None:
    """Its definition, its orders and its truth begin then; what comes before knows nothing of it."""
    at = wall_time_ns(TUESDAY, time(10, 20))
    records: list[Any] = list(db.DBNStore.from_file(written.files["definition"]))
    late = [one for one in records if one.activation == at]
    assert [(one.ts_recv, str(one.security_update_action)) for one in late] == [(at, "A")] * 2
    mates = [one for one in records if str(one.instrument_class) in "CP" and one.expiration == late[0].expiration]
    strikes = {one.strike_price for one in mates if one.activation != at}
    assert {one.strike_price for one in late} == {max(strikes) + 5 * 10**9}
    orders = db.DBNStore.from_file(written.files["market_by_order_dbn"]).to_ndarray().view(MBO_DTYPE)
    held = pl.read_parquet(written.truth.path("truth_inventory"))
    for one in late:
        ts = orders["ts_event"][orders["instrument_id"] == one.instrument_id].astype(np.int64)
        assert len(ts) > 5
        assert at <= ts.min() < at + 2 * 10**9
        mine = held.filter(pl.col("instrument_id") == one.instrument_id)
        assert mine["minute_end"].to_physical().min() == at + 60 * 10**9
        assert mine["open_interest"].unique().to_list() == [0]


def test_who_takes_the_opening_price_for_open_interest_is_visibly_wrong(written: Written) -> None:
    table = db.DBNStore.from_file(written.files["statistics"]).to_df(price_type="fixed")
    interest = table[table["stat_type"] == 9]
    assert (interest.groupby("instrument_id").size() == 2).all()
    assert (interest.groupby("instrument_id")["quantity"].nunique() == 2).all()
    assert (interest["quantity"] >= 0).all()
    assert (interest["quantity"] < 10**6).all()
    opening = table[table["stat_type"] == 1]
    # what was listed during the date may have traded, and had no open interest before
    assert set(opening["instrument_id"]) >= set(interest["instrument_id"])
    assert len(set(opening["instrument_id"]) - set(interest["instrument_id"])) <= 2
    assert (opening["quantity"] > 10**9).all()
    assert {1, 3, 4, 5, 6, 7, 8, 9} <= set(table["stat_type"])
    assert (table["update_action"] == 2).sum() == 1


def test_truth_holds_volatility_and_inventory_of_every_minute(written: Written) -> None:
    truth, held = (pl.read_parquet(written.truth.path(table)) for table in ("truth_iv", "truth_inventory"))
    minutes = truth["minute_end"].n_unique()
    assert minutes >= 59
    # two options are listed a third of the way, at 10:20
    assert truth.height == held.height == 62 * minutes + 2 * (minutes - 20)
    first = held.filter(pl.col("minute_end") == pl.col("minute_end").min())
    assert (first["inventory"].abs() <= first["open_interest"]).all()
    assert (first["open_interest"] > 0).all()
    assert held.group_by("instrument_id").agg(pl.col("open_interest").n_unique())["open_interest"].max() == 1
    assert truth["provenance"].unique().to_list() == ["simulated"]
    assert truth["iv"].is_between(0.05, 1.5).all()
    assert held["inventory"].to_numpy().any()


def test_makers_are_agents_whose_answers_are_told(written: Written) -> None:
    agents, answers = (pl.read_parquet(written.truth.path(name, 1)) for name in ("truth_agent", "truth_response"))
    assert agents["kind"].to_list() == ["option_quoter"] * 3
    assert set(answers["agent_id"]) == set(agents["agent_id"])
    orders = db.DBNStore.from_file(written.files["market_by_order_dbn"]).to_ndarray().view(MBO_DTYPE)
    told = {(int(row["order_id"]), int(row["ts_event"])) for row in orders}
    named = zip(answers["response_order_id"], answers["ts_response"].to_physical(), strict=True)
    assert set(named) <= told
    assert set(answers["ts_trigger"].to_physical()) <= set(walk().ts.tolist())


def test_the_report_has_the_rows_of_options(written: Written) -> None:
    assert [one.number for one in written.result.targets] == [21] * 4
    assert [one.metric for one in written.result.targets if not one.passed] == []


def test_crude_oil_has_no_chain() -> None:
    assert [day.option_messages for day in plan(Request(symbol="CL", preset="ci")).days] == [0]
    assert [day.option_messages for day in plan(Request()).days] == [250_000] * 3 + [1_000_000]
    assert np.sum([day.option_messages for day in plan(Request(preset="full_day")).days]) == 30_000_000
