"""Planted participants: the truth names all their orders, they keep their clocks, and no byte gives them away."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.jit import kernel
from spymaster.simulator.agent_plan import AgentFile, load_agents, plan_agents
from spymaster.simulator.agents import TIMER, start_agents, step
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.layout import INSTRUMENTS, LAYERS, R_FEED, STREAMS
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import simulate
from spymaster_tests.simulator.days import AROUND_THE_HALT, SmallDay, small_day
from spymaster_tests.simulator.test_acceptance import GOLDEN
from spymaster_tests.simulator.test_book_oracle import assert_books_agree


@kernel()
def _turn(market, k):
    step(market, k, TIMER)


KINDS = list(AgentFile.model_fields)


def strong(kind: str) -> AgentFile:
    """One agent of the reference file, active enough for ten minutes to show it."""
    (section,) = getattr(load_agents("reference"), kind)
    frequent = {"per_session": 40_000.0} if hasattr(section, "per_session") else {}
    short = {"life_s": 5.0} if kind == "layerer" else {}
    return AgentFile(**{kind: [section.model_copy(update=frequent | short)]})


@pytest.fixture(scope="module")
def days() -> dict[str, SmallDay]:
    """Ten minutes with one kind of agent each."""
    return {kind: small_day(agents=strong(kind)) for kind in KINDS}


def orders_of(day: SmallDay) -> np.ndarray:
    """Ids of the orders that the truth gives to the agent, in order of time."""
    tags = day.truth("tags")
    return tags["id"][tags["agent"] == 1]


def records_of(day: SmallDay, action: str) -> np.ndarray:
    """Live records of one action about the agent's orders."""
    live = day.live
    return live[(live["action"] == ord(action)) & np.isin(live["order_id"].astype(np.int64), orders_of(day))]


def lags(day: SmallDay) -> np.ndarray:
    """Lags of all responses in ms."""
    rows = day.truth("responses")
    return (rows["ts"] - rows["ts_trigger"]) / 1e6


@pytest.mark.parametrize("kind", KINDS)
def test_every_planted_order_is_in_the_file_once(days: dict[str, SmallDay], kind: str) -> None:
    ids = orders_of(days[kind])
    assert len(ids) > 10
    assert sorted(records_of(days[kind], "A")["order_id"]) == sorted(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_books_agree_with_agents_in_the_market(days: dict[str, SmallDay], kind: str) -> None:
    assert assert_books_agree(days[kind], 0) == 600


@pytest.mark.parametrize("kind", KINDS)
def test_responses_name_real_orders_and_come_after_their_trigger(days: dict[str, SmallDay], kind: str) -> None:
    day = days[kind]
    if kind in ("native_iceberg", "periodic_bot"):
        assert day.market.truth.responses == []
        return
    rows, live = day.truth("responses"), day.live
    assert len(rows) > 5
    assert np.isin(rows["id"], orders_of(day)).all()
    assert (rows["ts"] > rows["ts_trigger"]).all()
    answered = set(zip(live["order_id"].tolist(), live["ts_event"].tolist(), strict=True))
    assert all(pair in answered for pair in zip(rows["id"].tolist(), rows["ts"].tolist(), strict=True))
    assert np.isin(rows["ts_trigger"], live["ts_event"].astype(np.int64)).all()


def test_no_byte_of_a_record_says_whose_it_is(days: dict[str, SmallDay]) -> None:
    """Every field that is not about the order itself has the values that it has without agents."""
    usual = small_day().live
    for day in days.values():
        mine, adds = records_of(day, "A"), usual[usual["action"] == ord("A")]
        for name in ("length", "rtype", "publisher_id", "flags", "channel_id"):
            assert set(mine[name].tolist()) <= set(adds[name].tolist()), name
        assert (mine["ts_in_delta"] >= 13_000).all()
        assert (mine["ts_in_delta"] < 17_000).all()
        gaps = np.diff(day.live["order_id"][day.live["action"] == ord("A")].astype(np.int64))
        assert (gaps > 0).all()


def test_iceberg_is_refilled_under_its_id_until_its_total_is_gone(days: dict[str, SmallDay]) -> None:
    day = days["native_iceberg"]
    tags = day.truth("tags")
    assert (tags["hidden"][tags["agent"] == 1] == 190).all()
    refills = records_of(day, "M")
    assert (refills["size"] <= 10).all()
    filled = records_of(day, "F")
    total = {
        order: int(filled["size"][filled["order_id"] == order].sum()) for order in set(filled["order_id"].tolist())
    }
    assert max(total.values()) > 10
    assert len(refills) > 5


def test_periodic_bot_keeps_the_clock(days: dict[str, SmallDay]) -> None:
    adds = records_of(days["periodic_bot"], "A")
    assert (adds["size"] == 7).all()
    late = adds["ts_event"].astype(np.int64) % 100_000_000
    assert late.max() <= 1_000_000 + 2_000


def test_fleeting_orders_go_at_their_age(days: dict[str, SmallDay]) -> None:
    found = lags(days["fleeting_quoter"])
    assert found.mean() == pytest.approx(20, abs=0.1)
    assert found.std() == pytest.approx(0.3, abs=0.1)


def test_reaction_bot_answers_its_share_of_trades_after_its_lag(days: dict[str, SmallDay]) -> None:
    day = days["reaction_bot"]
    trades = day.of(0)
    events = len(np.unique(trades["ts_event"][trades["action"] == ord("T")]))
    found = lags(day)
    assert len(found) / events == pytest.approx(0.1, abs=0.06)
    assert found.mean() == pytest.approx(20, abs=0.3)


@pytest.mark.parametrize(("action", "letter"), [("cancel", "C"), ("reprice", "M")])
@pytest.mark.parametrize("trigger", ["trade", "bbo"])
def test_reaction_bot_can_cancel_or_reprice(action: str, letter: str, trigger: str) -> None:
    (section,) = load_agents("reference").reaction_bot
    changed = section.model_copy(update={"action": action, "trigger": trigger, "share": 0.5})
    day = small_day(agents=AgentFile(reaction_bot=[changed]))
    rows, told = day.truth("responses"), records_of(day, letter)
    assert len(rows) > 20
    pairs = set(zip(told["order_id"].tolist(), told["ts_event"].tolist(), strict=True))
    assert all(pair in pairs for pair in zip(rows["id"].tolist(), rows["ts"].tolist(), strict=True))


def test_peg_moves_one_id_many_times(days: dict[str, SmallDay]) -> None:
    day = days["peg"]
    _, moves = np.unique(day.truth("responses")["id"], return_counts=True)
    assert moves.max() >= 50
    assert moves.max() <= 100
    assert lags(day).mean() == pytest.approx(0.3, abs=0.02)


def test_layerer_takes_all_levels_away_after_its_small_order_is_hit(days: dict[str, SmallDay]) -> None:
    day = days["layerer"]
    adds = records_of(day, "A")
    assert set(adds["size"].tolist()) == {2, 16}
    _, levels = np.unique(day.truth("responses")["event"], return_counts=True)
    assert levels.max() == 4
    assert lags(day).mean() == pytest.approx(150, abs=5)


def test_agents_draw_from_their_own_stream_only() -> None:
    agents = load_agents("reference")
    day = small_day(messages=2_000, agents=agents)
    state = day.market.state
    state["n_wake"] = 0
    before = state["rng"].copy()
    start_agents(state)
    for k in range(int(state["n_agents"])):
        for _ in range(5):
            state["clock"] += 200_000_000
            _turn(state, k)
            state["n"] = 0
    changed = np.flatnonzero((state["rng"] != before).any(axis=1))
    assert set(changed.tolist()) <= {R_FEED, *range(LAYERS, STREAMS)}
    assert R_FEED in changed


def test_without_agents_a_day_is_what_it_was() -> None:
    day = small_day(agents=AgentFile())
    assert hashlib.sha256(day.records.tobytes()).hexdigest() == GOLDEN
    other = small_day(agents=load_agents("reference"))
    for name in ("base", "shape", "plan"):
        assert (day.market.state[name] == other.market.state[name]).all()
    snapshot = [one.records[one.records["flags"] & 0x20 > 0].tobytes() for one in (day, other)]
    assert snapshot[0] == snapshot[1]


def test_agents_leave_the_market_at_the_close() -> None:
    day = small_day(span=AROUND_THE_HALT, agents=load_agents("reference"))
    for inst in range(INSTRUMENTS):
        assert_books_agree(day, inst)
    assert all((orders.agent == 0).all() for orders in day.market.carried().books.values())


def test_agents_in_walk_mode_never_empty_a_best_queue() -> None:
    day = small_day(walk=True, messages=30_000, agents=load_agents("reference"))
    quotes = day.truth("quotes")
    assert (quotes["ask"] - quotes["bid"] == 1).all()
    assert set(np.diff(quotes["bid"]).tolist()) <= {-1, 0, 1}


def test_frequencies_scale_with_strength_and_volume() -> None:
    file = load_agents("reference")
    one, two = plan_agents(file, 100_000, 1_000), plan_agents(file, 200_000, 1_000)
    by_kind = {agent.kind: agent.row for agent in one}
    assert by_kind["layerer"]["period"] == pytest.approx(
        2 * {a.kind: a.row for a in two}["layerer"]["period"], rel=1e-6
    )
    assert [agent.agent_id for agent in one] == list(range(1, len(KINDS) + 1))


def test_truth_tables_name_agents_orders_and_responses(tmp_path: Path) -> None:
    run = simulate(plan(Request(preset="ci", messages=60_000, agents="reference")), tmp_path)
    tables = {
        name: pl.read_parquet(
            run.folder / f"table={name}" / "dt=2026-01-06" / "part-00000.parquet", hive_partitioning=False
        )
        for name in ("truth_agent", "truth_order", "truth_response", "truth_run")
    }
    agents = tables["truth_agent"]
    assert agents["kind"].to_list() == KINDS
    assert (agents["t_end"] - agents["t_start"]).unique().dt.total_hours().to_list() == [2]
    planted = tables["truth_order"].filter(pl.col("agent_id") > 0)
    assert set(planted["agent_id"].to_list()) >= {2, 3, 4, 5}
    assert planted["class"].unique().to_list() == ["agent"]
    assert tables["truth_response"]["response_order_id"].is_in(planted["order_id"].to_list()).all()
    assert '"agents": "reference"' in tables["truth_run"]["plan_json"][0]


def test_unknown_keys_kinds_and_impossible_values_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, what in (
        ("[[dragon]]\nstatus = 'assumption'\n", "dragon"),
        ("[[peg]]\nstatus = 'assumption'\ncolour = 'red'\n", "peg"),
        (
            "[[native_iceberg]]\nstatus='assumption'\nper_session=60\npeak=10\ntotal=10\nlife_s=1.0\n",
            "total must exceed",
        ),
    ):
        path.write_text(text)
        with pytest.raises(SimulatorConfigError, match=what):
            load_agents(str(path))
    with pytest.raises(SimulatorConfigError, match="unknown agents"):
        load_agents("all")
    with pytest.raises(SimulatorConfigError, match=r"gone\.toml"):
        load_agents(str(tmp_path / "gone.toml"))
