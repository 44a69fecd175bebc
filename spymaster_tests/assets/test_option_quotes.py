"""Option quotes of simulated files, end to end: the truth of the surface, and sessions without options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.checks import checks_for
from spymaster.lake import Lake, Partition, partition_status
from spymaster.lake.raw import raw_files
from spymaster.options.black76 import implied_volatility
from spymaster.options.greeks import gamma, greeks
from spymaster.settings import get_settings
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import simulate
from spymaster_assets.assets import bronze, options, silver
from spymaster_assets.factory import recipe_of
from spymaster_assets.inputs import Raw, TableInput
from spymaster_assets.partitions import SessionKey
from spymaster_tests.options.market import DT, RATE
from spymaster_tests.streams import day_ns, random_stream, write_raw_day

QUOTE, FORWARD = "silver.option_quote_1s", "silver.option_forward_1s"
UPSTREAM = (
    bronze.future_mbo,
    bronze.future_definition,
    bronze.contract_day_selection,
    silver.futures_pass,
    bronze.option_mbo,
    bronze.option_definition,
)


def make(lake: Lake, *assets: Any, dt=DT) -> None:
    """Tables of a date by the recipes of some assets, as a run makes them."""
    for one in assets:
        recipe = recipe_of(one)
        assert recipe is not None
        sources = {
            name: TableInput(lake, item.model, None)
            for name, item in recipe.inputs.items()
            if not isinstance(item, Raw)
        }
        recipe.make(lake, SessionKey(dt, "ES"), sources, tables=[model.full_name for model in recipe.models])


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A simulated morning with its option tables, priced at the simulator's rate."""
    root = tmp_path_factory.mktemp("lake")
    simulate(plan(Request(preset="ci", seed=5, scenario="background")), root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPYMASTER_OPTIONS__RATE", str(RATE))
        lake = Lake.open(root, settings=get_settings())
    make(lake, *UPSTREAM, options.option_quotes)
    return lake


def partition(lake: Lake, name: str) -> Partition:
    return lake.partition(name, "ES", DT)


def minutes(lake: Lake) -> pl.DataFrame:
    """The truth at whole minutes beside the quote in force then and the forward, of options out of the money."""
    (folder,) = lake.root.glob("truth/*/table=truth_iv")
    truth = pl.read_parquet(folder / "**/*.parquet").sort("minute_end")
    quotes = partition(lake, QUOTE).read().rename({"iv": "quoted_iv", "gamma": "quoted_gamma"})
    forwards = partition(lake, FORWARD).read().select(
        "expiration", "forward_source", minute_end="window_end", our_forward="forward", our_years="years"
    )  # fmt: skip
    told = truth.join_asof(
        quotes, left_on="minute_end", right_on="window_end", by="instrument_id", check_sortedness=False
    ).join(forwards, on=["minute_end", "expiration"])
    out = (pl.col("strike") >= pl.col("our_forward")) == (pl.col("right") == "C")
    return told.filter(out & pl.col("quoted_iv").is_not_null())


def test_forward_and_time_are_the_simulators(simulated: Lake):
    told = minutes(simulated)
    assert told.height > 1_000
    assert set(told["forward_source"]) == {"future"}
    for ours, truth, most in (("our_forward", "forward", 1e-9), ("our_years", "t_years", 1e-12)):
        assert np.abs(told[ours].to_numpy() - told[truth].to_numpy()).max() < most


def test_truth_lies_between_the_volatilities_of_bid_and_ask(simulated: Lake):
    """Makers quote in ticks around the true price and take a while to follow, so not each of them at each moment."""
    told = minutes(simulated)
    forward, strike, years = (told[name].to_numpy() for name in ("our_forward", "strike", "t_years"))
    is_call, discount = (told["right"] == "C").to_numpy(), np.exp(-RATE * years)
    low, high = (
        implied_volatility(told[name].to_numpy() * 1e-9, forward, strike, is_call, years, discount)
        for name in ("bid_price_int", "ask_price_int")
    )
    truth = told["iv"].to_numpy()
    inside = (low <= truth) & (truth <= high)
    assert inside.mean() > 0.95
    vega = greeks(forward, strike, is_call, years, truth, discount).vega
    beyond = np.maximum(np.maximum(low - truth, truth - high), 0) * vega
    assert np.quantile(beyond, 0.99) < 0.05, "points beyond the quote: a tick of an option"
    assert np.median(high - low) < 0.02, "volatility between bid and ask: what a quote leaves open"
    assert np.median(np.abs(told["quoted_iv"].to_numpy() - truth)) < 0.005
    exact = gamma(forward, strike, years, truth, discount)
    assert (np.abs(told["gamma"].to_numpy() / exact - 1) < 2e-3).all(), "the truth's own gamma, rounded"


def test_parity_is_the_future_within_what_the_quotes_leave_open(simulated: Lake):
    rows = partition(simulated, FORWARD).read().drop_nulls("parity_gap_ticks")
    gap, width = (rows[name].cast(pl.Float64).to_numpy() for name in ("parity_gap_ticks", "parity_width_ticks"))
    assert (np.abs(gap) <= width + 0.01).mean() > 0.995
    assert np.median(np.abs(gap)) < 0.51, "half a tick"
    assert abs(gap.mean()) < 0.1


def test_tables_pass_their_checks_and_say_what_was_rejected(simulated: Lake):
    for name in (QUOTE, FORWARD):
        results = {check.key: check.run(simulated, "ES", DT) for check in checks_for(table=name)}
        assert {key: result.message for key, result in results.items() if not result.passed} == {}
    manifest = partition(simulated, QUOTE).manifest
    counters = manifest.counters
    assert counters["priced"] + sum(n for name, n in counters.items() if name.startswith("rejected_")) == manifest.rows
    assert counters["universe_options"] == 64  # 31 strikes, and one that is listed during the date
    assert counters["left_out_neither_call_nor_put"] == 2, "spreads of participants"
    assert counters["left_out_expired"] == 1
    assert counters["unknown_cancels"] == 0
    read = ("bronze.option_mbo", "bronze.option_definition", "silver.book_snapshot_1s", "bronze.contract_day_selection")
    assert [record.name for record in manifest.inputs] == [partition(simulated, name).label for name in read]


def test_another_rate_makes_them_stale(simulated: Lake, monkeypatch: pytest.MonkeyPatch):
    assert partition_status(simulated, QUOTE, "ES", DT).is_fresh
    monkeypatch.setenv("SPYMASTER_OPTIONS__RATE", "0.01")
    other = Lake.open(simulated.root, settings=get_settings())
    for name in (QUOTE, FORWARD):
        assert not partition_status(other, name, "ES", DT).is_fresh


def test_a_session_without_files_of_options_has_empty_tables_that_say_why(tmp_path: Path):
    lake = Lake.open(tmp_path / "lake", create=True, kind="simulated")
    write_raw_day(lake.root, "ES", DT, random_stream(1, 800, start_ns=day_ns(DT) + 15 * 3_600 * 10**9))
    make(lake, *UPSTREAM, options.option_quotes)
    for name in (QUOTE, FORWARD):
        manifest = partition(lake, name).manifest
        assert manifest.rows == 0
        assert manifest.empty_reason is not None
        assert manifest.empty_reason.startswith("bronze.option_mbo has no rows: no raw file of options")


def test_a_session_whose_options_are_on_another_contract_says_so(simulated: Lake, tmp_path: Path):
    """The future's file is of another contract than the one that the options deliver."""
    lake = Lake.open(tmp_path / "lake", create=True, kind="simulated")
    stream = random_stream(1, 800, start_ns=day_ns(DT) + 15 * 3_600 * 10**9)
    write_raw_day(lake.root, "ES", DT, stream, contract="ESZ6")
    for file in raw_files(simulated, "ES", "market_by_order_dbn", DT, "future_option") + raw_files(
        simulated, "ES", "definition", DT, "future_option"
    ):
        copy = lake.root / file.path.relative_to(simulated.root)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(file.path.read_bytes())
    make(lake, *UPSTREAM, options.option_quotes)
    manifest = partition(lake, QUOTE).manifest
    assert manifest.rows == 0
    assert manifest.empty_reason is not None
    assert "no option on ESZ6 expires within 7 days" in manifest.empty_reason
    assert manifest.counters["left_out_other_underlying"] == 64
