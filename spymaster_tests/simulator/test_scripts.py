"""Scripts are ordinary order flow: they repeat, leave other draws alone, are told in the truth, and keep the rules."""

from __future__ import annotations

import json
from datetime import date, time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.simulator import scenes, scripts
from spymaster.simulator.errors import SimulationRequestError
from spymaster.simulator.layout import ASK, BID, FIRST_SCRIPT
from spymaster.simulator.report import write_report
from spymaster.simulator.request import Request, plan
from spymaster.simulator.script import Script, Waypoint, clock_ns, compiled, seconds_ns
from spymaster.simulator.script_truth import episode_columns
from spymaster.simulator.simulate import complete_run, simulate
from spymaster.simulator.touches import OUTCOMES, touches
from spymaster.simulator.truth import agent_columns, order_columns
from spymaster.simulator.usual_rest import usual_depth
from spymaster_tests.simulator.days import TUESDAY, small_day
from spymaster_tests.simulator.test_book_oracle import assert_books_agree

START, END = clock_ns(TUESDAY, "10:00:00"), clock_ns(TUESDAY, "10:10:00")


def relative(**parts) -> Script:
    return Script("test", None, **parts)


def touched() -> Script:
    """One meeting in the ten minutes of a small day, rejected."""
    return touches(TUESDAY, 3.0, ("reject",), START, END, anchor=None)


def test_a_script_whose_time_has_not_come_changes_nothing() -> None:
    """It draws from its own stream and looks at nothing before its start."""
    late = (
        scenes.guard(ASK, 5.0, END + 1, END + 2),
        scenes.flow(scripts.TAKES, BID, -5, 5, END, END + 1, timing="algo"),
    )
    idle = relative(tasks=(*late, scenes.diverted(ASK, -5, 5, END + 1, END + 2, keep=0.0, shift=4)))
    assert small_day(script=idle).records.tobytes() == small_day().records.tobytes()


def test_same_seed_gives_the_same_bytes() -> None:
    one, same, other = small_day(script=touched()), small_day(script=touched()), small_day(script=touched(), seed=8)
    assert one.records.tobytes() == same.records.tobytes()
    assert one.records.tobytes() != other.records.tobytes()


def test_books_of_a_scripted_day_agree_with_the_engine() -> None:
    assert assert_books_agree(small_day(script=touched(), messages=6_000), 0) == 600


def test_price_follows_the_path() -> None:
    at = [START + seconds_ns(60 * k) for k in range(11)]
    band = [(-2.0, 2.0), (1.0, 2.0), (4.0, 4.5), (4.0, 4.5), (-3.0, -2.0), (-3.0, -2.0)]
    points = [Waypoint(ts, *band[min(k, 5)]) for k, ts in enumerate(at)]
    day = small_day(script=relative(waypoints=tuple(points)), messages=60_000)
    quotes, front = day.truth("quotes"), day.market.state["inst"][0]
    start = 6790.0
    for ts, (low, high) in zip(at[2:10], [band[min(k, 5)] for k in range(2, 10)], strict=True):
        row = quotes[np.searchsorted(quotes["ts"], ts) - 1]
        mid = (front["origin"] + (row["bid"] + row["ask"]) / 2 * front["tick_size"]) / 1e9 - start
        assert low - 0.5 <= mid <= high + 0.5, ts


def test_nothing_trades_beyond_a_guard() -> None:
    script = relative(
        waypoints=(
            Waypoint(START, 0.0, 1.0),
            Waypoint(START + seconds_ns(60), 2.75, 2.875),
            Waypoint(END, 2.75, 2.875),
        ),
        tasks=(scenes.guard(ASK, 3.0, START, END, shown=5), scenes.last_trade(3.0, START + seconds_ns(120), END)),
    )
    day = small_day(script=script)
    trades = day.of(0)
    trades = trades[trades["action"] == ord("T")]
    assert trades["price"].max() == (6790 + 3) * 10**9
    late = trades[trades["ts_event"].astype(np.int64) > START + seconds_ns(180)]
    assert (late["price"] == trades["price"].max()).mean() > 0.2


def test_depth_is_held_at_a_multiple_of_the_usual() -> None:
    """Twenty seconds at three times the usual on four ticks well away from the price."""
    times = [START + seconds_ns(400), START + seconds_ns(440), END]
    script = relative(
        waypoints=(Waypoint(START, -1.5, 1.5), Waypoint(END, -1.5, 1.5)),
        tasks=tuple(scenes.depth(ASK, 4.0, 4.75, times, [1.0, 8.0, 8.0], least=2, most=6)),
    )
    day = small_day(script=script, messages=60_000)
    state = day.market.state
    base = float(state["directives"]["base"][0])
    assert base == pytest.approx(float(usual_depth(state, ASK)), rel=0.5)
    front = state["inst"][0]
    ticks = [(int((6790 + price) * 1e9) - int(front["origin"])) // int(front["tick_size"]) for price in (4.0, 4.75)]
    standing = sum(int(state["cells"][(tick * 2 + ASK), 2]) for tick in range(ticks[0], ticks[1] + 1))
    assert standing == pytest.approx(8 * base, rel=0.15)


@pytest.mark.parametrize(("timing", "least", "most"), [("algo", 0.02, 0.02), ("human", 1.0, 3.0)])
def test_answers_come_after_their_lag_and_truth_names_them(timing: str, least: float, most: float) -> None:
    flow = scenes.flow(scripts.PULLS, ASK, 0.0, 5.0, START, END - seconds_ns(5), timing=timing)
    day = small_day(script=relative(waypoints=(Waypoint(START, -9, 9), Waypoint(END, -9, 9)), tasks=(flow,)))
    answers = day.truth("responses")
    lag = (answers["ts"] - answers["ts_trigger"]) / 1e9
    assert len(answers) > 50
    assert (answers["agent"] == FIRST_SCRIPT + scripts.FLOW).all()
    assert least <= lag.min() <= lag.max() <= most + 1e-3
    cancels = day.of(0)[day.of(0)["action"] == ord("C")]
    for one in answers[:20]:
        assert one["ts"] in cancels["ts_event"][cancels["order_id"] == one["id"]].astype(np.int64)


def test_orders_of_a_script_are_tagged_and_no_tag_is_in_the_file() -> None:
    day = small_day(script=touched())
    tags = order_columns(day.market.truth)
    mine = tags["agent_id"] >= FIRST_SCRIPT
    assert mine.sum() > 20
    assert set(tags["order_id"][mine]) <= set(day.of(0)["order_id"].tolist())
    agents = agent_columns(day.market, np.array([1, 2, 3], np.uint32))
    assert set(tags["agent_id"][mine]) <= set(agents["agent_id"].tolist())
    assert agents["kind"].to_pylist()[0] == "script_steer"


def test_touches_become_what_they_are_meant_to() -> None:
    start, end = clock_ns(TUESDAY, "09:30:00"), clock_ns(TUESDAY, "10:20:00")
    script = touches(TUESDAY, 5.0, OUTCOMES, start, end, anchor=None)
    day = small_day(span=(time(9, 30), time(10, 20)), messages=240_000, script=script, profile=None)
    told = episode_columns(script, day.market.state, day.truth("quotes"))
    assert told["target_outcome"].to_pylist() == ["reject", "chop", "break"]
    assert told["realised_outcome"].to_pylist() == told["target_outcome"].to_pylist()


def test_zone_diverts_new_orders() -> None:
    zone = scenes.diverted(BID, -6.0, -1.0, START, END, keep=0.0, shift=40)
    day = small_day(script=relative(waypoints=(Waypoint(START, -0.5, 0.5), Waypoint(END, -0.5, 0.5)), tasks=(zone,)))
    adds = day.of(0)
    adds = adds[(adds["action"] == ord("A")) & (adds["side"] == ord("B"))]
    inside = (adds["price"] >= int(6784.0e9)) & (adds["price"] <= int(6789.0e9))
    plain = small_day().of(0)
    plain = plain[(plain["action"] == ord("A")) & (plain["side"] == ord("B"))]
    usually = (plain["price"] >= int(6784.0e9)) & (plain["price"] <= int(6789.0e9))
    assert inside.mean() < 0.35 * usually.mean()


def test_compiled_rows_count_from_the_start_or_from_an_anchor() -> None:
    origin, tick = 6790 * 10**9 - 8_192 * 250_000_000, 250_000_000
    absolute = Script("a", 0.0, waypoints=(Waypoint(1, 6791.0, 6791.25),))
    near = Script("b", None, waypoints=(Waypoint(1, 1.0, 1.25),))
    for script in (absolute, near):
        row = compiled(script, 6790 * 10**9, origin, tick).path[0]
        assert (row["low"], row["high"]) == (2 * (8_192 + 4), 2 * (8_192 + 5))


def test_scenarios_choose_agents_and_scripts() -> None:
    demo = plan(Request(preset="demo", options=False))
    assert [day.label for day in demo.days] == ["touches", "touches", "touches", "pm_high"]
    assert sum(len(day.script.episodes) for day in demo.days[:3] if day.script) >= 15
    assert all(day.agents for day in demo.days)
    assert [day.label for day in plan(Request(preset="ci")).days] == ["background"]
    assert plan(Request(preset="ci", scenario="reject")).days[0].label == "reject"
    assert plan(Request(preset="demo", scenario="background", options=False)).days[-1].script is None
    with pytest.raises(SimulationRequestError, match="chooses"):
        plan(Request(scenario="pm_high", agents="reference"))
    with pytest.raises(SimulationRequestError, match="written for"):
        plan(Request(symbol="CL", preset="ci", scenario="pm_high", options=False))


def test_mixed_plan_is_at_least_half_background_and_rotates() -> None:
    dates = tuple(date(2026, 1, day) for day in (5, 6, 7, 8, 9, 12, 13, 14, 15, 16))
    days = plan(Request(preset="ci", scenario="mixed", dates=dates, options=False)).days
    labels = [day.label for day in days]
    assert labels.count("background") >= 5
    planted = [label for label in labels if label != "background"]
    assert len(planted) == len(set(planted)) == 5
    assert labels == [
        day.label for day in plan(Request(preset="ci", scenario="mixed", dates=dates, options=False)).days
    ]
    other = plan(Request(preset="ci", scenario="mixed", dates=dates, seed=8, options=False)).days
    assert labels != [day.label for day in other]


def test_a_run_stores_its_plan_its_truth_and_a_report_that_excuses_what_is_planted(tmp_path: Path) -> None:
    planned = plan(Request(preset="ci", scenario="reject", messages=40_000, options=False))
    run = simulate(planned, tmp_path)

    def truth(table: str) -> pl.DataFrame:
        return pl.read_parquet(run.folder / f"table={table}" / "dt=2026-01-06" / "part-00000.parquet")

    stored = json.loads(truth("truth_run")["plan_json"][0])
    assert stored == {
        "scenario": "reject", "agents": "none", "scripts": "none", "faults": "none", "days": {"2026-01-06": "reject"},
    }  # fmt: skip
    episodes = truth("truth_episode")
    assert set(episodes["target_outcome"]) == {"reject"}
    assert set(episodes["variant"]) == {"full_reject"}
    assert episodes.height >= 5
    steps = truth("truth_scenario")
    high = steps.filter(pl.col("step") == "pre_market_high")["price_int"].to_list()
    assert high == episodes["level_price_int"][:1].to_list()
    assert truth("truth_agent")["kind"].to_list()[:2] == ["script_steer", "script_depth"]
    assert complete_run(planned, Lake.open(tmp_path)) == run.folder
    report, targets = write_report(run)
    assert "n/a: the path of the price is planted" in report.read_text()
    assert all(one.passed is None for one in targets["2026-01-06"] if one.number in (8, 9, 10, 11, 12, 13, 16))
    assert any(one.passed for one in targets["2026-01-06"])
