"""Customers of a scene: they trade what they were meant to, the truth tells each trade, nothing else moves."""

from __future__ import annotations

import json
from datetime import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.options.chain import CHAIN_SIZES
from spymaster.simulator.options.scene import FIRST_CUSTOMER
from spymaster.simulator.options.truth import write_option_truth
from spymaster.simulator.pm_high import LONG_STRIKE, READING, SHORT_STRIKE, pm_high
from spymaster.simulator.schedule import SECOND_NS, segments
from spymaster.simulator.script import OptionFlow, Script, clock_ns
from spymaster.simulator.truth import TruthWriter
from spymaster_tests.simulator.chains import FinishedChain, finished_chain, walk
from spymaster_tests.simulator.days import TUESDAY

SPAN = (time(9, 40), time(9, 50))
PLAIN, SCENE = "plain", "scene"


def chain(script: Script | None) -> FinishedChain:
    quotes = walk(span=SPAN, start=6_799.0, moves=600)
    return finished_chain(span=SPAN, messages=30_000, size=CHAIN_SIZES["demo"], quotes=quotes, script=script)


@pytest.fixture(scope="module")
def chains() -> dict[str, FinishedChain]:
    (part,) = segments(TUESDAY, "ES", SPAN)
    return {PLAIN: chain(None), SCENE: chain(pm_high(TUESDAY, part.start_ns))}


def signed(finished: FinishedChain, strike: float, right: str, start: str, end: str) -> tuple[int, int]:
    """Contracts that customers bought and sold of an option from one time to another."""
    (number,) = (o.instrument_id for o in finished.day.chain.options if (o.strike, o.right) == (strike, right))
    rows = finished.live
    low, high = clock_ns(TUESDAY, start), clock_ns(TUESDAY, end)
    ts = rows["ts_event"].astype(np.int64)
    chosen = rows[(rows["instrument_id"] == number) & (rows["action"] == ord("T")) & (low < ts) & (ts <= high)]
    bought, sold = (int(chosen["size"][chosen["side"] == ord(side)].sum()) for side in "BA")
    return bought, sold


def outpaced(finished: FinishedChain, strike: float, start: str, end: str) -> tuple[int, int]:
    """Contracts traded for a rise (calls bought, puts sold) and against one."""
    (call_up, call_down), (put_down, put_up) = (signed(finished, strike, right, start, end) for right in "CP")
    return call_up + put_up, call_down + put_down


def test_longs_outpace_at_6800_and_shorts_at_6805_when_the_scene_is_read(chains: dict[str, FinishedChain]) -> None:
    up, down = outpaced(chains[SCENE], LONG_STRIKE, "09:44:20", READING)
    assert up > 2.5 * max(down, 1)
    assert up > 20
    up, down = outpaced(chains[SCENE], SHORT_STRIKE, "09:44:20", READING)
    assert down > 2.5 * max(up, 1)
    assert down > 20
    for strike in (LONG_STRIKE, SHORT_STRIKE):
        assert sum(outpaced(chains[PLAIN], strike, "09:44:20", READING)) < 20


def test_before_the_scene_every_byte_is_the_backgrounds(chains: dict[str, FinishedChain]) -> None:
    plain, scene = (chains[name].records for name in (PLAIN, SCENE))
    first = int(chains[SCENE].day.planted["ts"][0])
    before = int((scene["ts_event"].astype(np.int64) < first).sum())
    assert before > 5_000
    assert scene[:before].tobytes() == plain[:before].tobytes()
    assert scene[before:].tobytes() != plain[before:].tobytes()


def test_a_script_without_options_leaves_the_chain_alone(chains: dict[str, FinishedChain]) -> None:
    assert chain(Script("nothing")).records.tobytes() == chains[PLAIN].records.tobytes()


def test_every_planted_trade_is_an_order_of_its_agent_and_of_the_inventory(
    chains: dict[str, FinishedChain], tmp_path: Path
) -> None:
    finished = chains[SCENE]
    (part,) = segments(TUESDAY, "ES", SPAN)
    script = pm_high(TUESDAY, part.start_ns)
    writer = TruthWriter(tmp_path, "test", "ES", TUESDAY)
    write_option_truth(
        writer, finished.day, finished.interest, contracts_on("ES", TUESDAY, "HMUZ")[0].instrument_id, script
    )
    agents, orders, steps = (
        pl.read_parquet(writer.path(name, 1)) for name in ("truth_agent", "truth_order", "truth_scenario")
    )
    customers = agents.filter(pl.col("kind") == "script_customers")
    assert customers["agent_id"].to_list() == [FIRST_CUSTOMER + k for k in range(4)]
    assert [json.loads(text)["step"] for text in customers["params_json"]] == steps["step"].to_list()
    assert steps["price_int"].to_list() == [6_800 * 10**9] * 2 + [6_805 * 10**9] * 2
    trades = finished.live[finished.live["action"] == ord("T")]
    told = pl.DataFrame({name: trades[name] for name in ("order_id", "instrument_id", "side", "size")})
    found = orders.join(told, on="order_id", how="left").join(customers, on="agent_id", suffix="_of_agent")
    assert (found["instrument_id"] == found["instrument_id_of_agent"]).all()
    sides = found.group_by("agent_id").agg(pl.col("side").unique(), pl.col("size").sum()).sort("agent_id")
    assert sides["side"].to_list() == [[ord("B")], [ord("A")], [ord("B")], [ord("A")]]
    assert sides["size"].to_list() == steps["quantity"].to_list()
    assert (sides["size"] > 20).all()
    # nearly every trade that was planned found somebody to trade with
    assert orders["order_id"].n_unique() > 0.95 * len(finished.day.planted)
    # dealers' inventory of an option is minus what customers took of it
    series, day = finished.day.series, finished.day
    for strike, right in ((LONG_STRIKE, "C"), (SHORT_STRIKE, "P")):
        (i,) = (k for k, one in enumerate(day.chain.options) if (one.strike, one.right) == (strike, right))
        minutes = np.array(day.minutes.end)
        low, high = (int(np.flatnonzero(minutes == clock_ns(TUESDAY, wall))[0]) for wall in ("09:44:00", "09:46:00"))
        bought, sold = signed(finished, strike, right, "09:44:00", "09:46:00")
        assert series[i]["inventory"] < day.held_before[i] - 50
        held = day.minutes.rows[high]["inventory"][i] - day.minutes.rows[low]["inventory"][i]
        # customers take what customers left, too, seldom
        assert held == pytest.approx(sold - bought, abs=0.2 * bought)


def test_a_strike_that_is_not_listed_is_refused() -> None:
    start = clock_ns(TUESDAY, "09:44:00")
    flow = OptionFlow("calls_bought", "C", 6_801.0, True, start, start + SECOND_NS, 1.0)
    with pytest.raises(SimulatorConfigError, match=r"calls_bought at strike 6801 .* 6600 to 7000"):
        chain(Script("odd", options=(flow,)))
