"""Planted participants: the truth names all their orders, they keep their clocks, and no byte gives them away."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.jit import kernel
from spymaster.simulator.acceptance import failed
from spymaster.simulator.agent_plan import AgentFile, load_agents, plan_agents
from spymaster.simulator.agents import TIMER, start_agents, step
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.layout import INSTRUMENTS, LAYERS, R_FEED, STREAMS
from spymaster.simulator.report import write_report
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import Run, simulate
from spymaster_tests.simulator.days import AROUND_THE_HALT, SmallDay, small_day, usual_day
from spymaster_tests.simulator.planted import lags, orders_of, records_of
from spymaster_tests.simulator.test_acceptance import GOLDEN
from spymaster_tests.simulator.test_book_oracle import assert_books_agree


@kernel()
def _turn(market, k):
    step(market, k, TIMER)


REFERENCE = [section.kind for section in load_agents("reference").sections()]
CLOCK_BOT = "clock_aligned_bot"
KINDS = [*(name for name in AgentFile.model_fields if name != "dealer_hedger"), CLOCK_BOT]
UNPROMPTED = {"native_iceberg", "periodic_bot", CLOCK_BOT, "stuffer", "fingerprint"}
"""Kinds that answer to nothing."""
QUICK = {
    "layerer": {"life_s": 5.0},
    "synthetic_iceberg": {"size": 4, "total": 40},
    "stuffer": {"per_session": 8_000.0},
}
"""What lets ten minutes of a thin market show a habit that needs a day."""


def strong(kind: str) -> AgentFile:
    """One agent of the reference file, active enough for ten minutes to show it."""
    name, number = ("periodic_bot", 1) if kind == CLOCK_BOT else (kind, 0)
    section = getattr(load_agents("reference"), name)[number]
    frequent = {"per_session": 40_000.0} if hasattr(section, "per_session") else {}
    return AgentFile(**{name: [section.model_copy(update=frequent | QUICK.get(kind, {}))]})


@pytest.fixture(scope="module")
def days() -> dict[str, SmallDay]:
    """Ten minutes with one kind of agent each."""
    return {kind: small_day(agents=strong(kind)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_planted_order_is_in_the_file_once(days: dict[str, SmallDay], kind: str) -> None:
    ids = orders_of(days[kind])
    assert len(ids) > 10
    assert set(days[kind].truth("tags")["agent"].tolist()) <= {0, 1}
    assert sorted(records_of(days[kind], "A")["order_id"]) == sorted(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_books_agree_with_agents_in_the_market(days: dict[str, SmallDay], kind: str) -> None:
    assert assert_books_agree(days[kind], 0) == 600


@pytest.mark.parametrize("kind", KINDS)
def test_responses_name_real_orders_and_come_after_their_trigger(days: dict[str, SmallDay], kind: str) -> None:
    day = days[kind]
    if kind in UNPROMPTED:
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
    usual = usual_day().live
    for day in days.values():
        mine, adds = records_of(day, "A"), usual[usual["action"] == ord("A")]
        for name in ("length", "rtype", "publisher_id", "flags", "channel_id"):
            assert set(mine[name].tolist()) <= set(adds[name].tolist()), name
        assert (mine["ts_in_delta"] >= 13_000).all()
        assert (mine["ts_in_delta"] < 17_000).all()
        ids = day.live["order_id"][day.live["action"] == ord("A")].astype(np.int64)
        gaps = np.diff(ids)
        assert (gaps > 0).all()
        planted = np.isin(ids[1:], orders_of(day))
        assert 1 <= np.median(gaps[planted]) <= 4


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


def test_periodic_bot_keeps_a_period_of_its_own(days: dict[str, SmallDay]) -> None:
    adds = records_of(days["periodic_bot"], "A")
    assert (adds["size"] == 7).all()
    ts = adds["ts_event"].astype(np.int64)
    late = (ts - ts[0] + 1_100_000) % 100_000_000
    assert np.ptp(late) <= 1_000_000 + 2_000
    assert abs(np.median(ts % 100_000_000) - 500_000) > 1_000_000


def test_clock_aligned_bot_writes_its_share_of_messages_right_after_whole_seconds(days: dict[str, SmallDay]) -> None:
    day = days[CLOCK_BOT]
    adds, cancels = records_of(day, "A"), records_of(day, "C")
    assert (adds["ts_event"] % 1_000_000_000).max() < 10_000_000
    assert (len(adds) + len(cancels)) / 12_000 == pytest.approx(0.02, abs=0.002)


def test_more_volume_means_more_orders_of_a_bot_that_is_always_busy() -> None:
    file = strong(CLOCK_BOT)
    rows = [plan_agents(file, messages, 1_000)[0].row for messages in (50_000, 500_000)]
    orders = [row["orders"] * row["busy"] / row["cycle"] for row in rows]
    assert orders[1] == pytest.approx(10 * orders[0])
    assert orders[1] > 1


def test_synthetic_iceberg_comes_back_at_its_price_under_a_new_id(days: dict[str, SmallDay]) -> None:
    day = days["synthetic_iceberg"]
    live, rows, adds = day.live, day.truth("responses"), records_of(day, "A")
    assert set(adds["size"].tolist()) == {4}
    assert lags(day).mean() == pytest.approx(3, abs=0.1)
    assert lags(day).std() == pytest.approx(0.2, abs=0.1)
    price = dict(zip(adds["order_id"].tolist(), adds["price"].tolist(), strict=True))
    way = {int(add["order_id"]): 1 if add["side"] == ord("A") else -1 for add in adds}
    same = 0
    for row in rows:
        event = live[live["ts_event"] == row["ts_trigger"]]
        gone = event["order_id"][(event["action"] == ord("C")) & np.isin(event["order_id"], orders_of(day))]
        filled = event["order_id"][event["action"] == ord("F")]
        assert len(gone) > 0
        assert np.isin(gone, filled).all()
        before = {price[int(order)] for order in gone}
        back = [way[int(row["id"])] * (price[int(row["id"])] - one) for one in before]
        same += 0 in back
        assert max(back) >= 0  # further back where the market has passed through the price: never through the market
    assert same > 0.8 * len(rows)


def test_co_placer_places_and_cancels_in_one_microsecond(days: dict[str, SmallDay]) -> None:
    day = days["co_placer"]
    adds = records_of(day, "A")
    ts, side = adds["ts_event"].astype(np.int64), adds["side"]
    bids, asks = ts[side == ord("B")], ts[side == ord("A")]
    assert len(bids) == len(asks)
    assert (asks - bids < 1_000).all()
    assert (asks > bids).all()
    assert len(set(adds["size"].tolist())) == 1
    gone = np.sort(day.truth("responses")["ts"])
    pairs = np.diff(gone)[np.diff(gone) < 1_000_000]
    assert len(pairs) > 20
    assert (pairs < 1_000).all()
    assert lags(day).mean() == pytest.approx(200, abs=2)


def test_stuffer_fills_the_feed_and_leaves_no_depth(days: dict[str, SmallDay]) -> None:
    day = days["stuffer"]
    adds, cancels = records_of(day, "A"), records_of(day, "C")
    mine = np.concatenate([adds["ts_event"], cancels["ts_event"]]).astype(np.int64)
    mine.sort()
    bursts = np.split(mine, np.flatnonzero(np.diff(mine) > 500_000_000) + 1)
    usual = 12_000 / 600
    for burst in bursts:
        assert (burst[-1] - burst[0]) / 1e9 == pytest.approx(0.2, abs=0.02)
        assert len(burst) / 0.2 / usual == pytest.approx(50, rel=0.1)
    assert len(bursts) > 3
    still = set(adds["order_id"].tolist()) - set(cancels["order_id"].tolist())
    assert still <= set(records_of(day, "F")["order_id"].tolist())
    lives = cancels["ts_event"].astype(np.int64) - adds["ts_event"].astype(np.int64)[: len(cancels)]
    assert np.median(lives) < 3_000_000


def test_fingerprint_repeats_its_sizes(days: dict[str, SmallDay]) -> None:
    adds = records_of(days["fingerprint"], "A")
    sizes = adds["size"].reshape(-1, 3).tolist()
    assert len(sizes) > 5
    assert all(one == [7, 13, 7] for one in sizes)
    apart = np.diff(adds["ts_event"].astype(np.int64).reshape(-1, 3), axis=1)
    assert (apart == 5_000_000).all()


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
    day = small_day(messages=2_000, agents=load_agents("reference"))
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
    day = usual_day()
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
    assert [agent.agent_id for agent in one] == list(range(1, len(REFERENCE) + 1))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The preset `ci` with agents at reference strength."""
    request = Request(preset="ci", agents="reference", options=False)
    return simulate(plan(request), tmp_path_factory.mktemp("planted"))


def test_truth_tables_name_agents_orders_and_responses(run: Run) -> None:
    tables = {
        name: pl.read_parquet(
            run.folder / f"table={name}" / "dt=2026-01-06" / "part-00000.parquet", hive_partitioning=False
        )
        for name in ("truth_agent", "truth_order", "truth_response", "truth_run")
    }
    agents = tables["truth_agent"]
    assert agents["kind"].to_list() == REFERENCE
    assert {*REFERENCE, "dealer_hedger"} == set(AgentFile.model_fields)  # which trades, and rests no orders
    assert (agents["t_end"] - agents["t_start"]).unique().dt.total_hours().to_list() == [2]
    planted = tables["truth_order"].filter(pl.col("agent_id") > 0)
    assert set(planted["agent_id"].to_list()) == set(agents["agent_id"].to_list())
    assert planted["class"].unique().to_list() == ["agent"]
    assert tables["truth_response"]["response_order_id"].is_in(planted["order_id"].to_list()).all()
    prompted = agents.filter(~pl.col("kind").is_in(list(UNPROMPTED)))
    assert set(tables["truth_response"]["agent_id"].to_list()) == set(prompted["agent_id"].to_list())
    assert '"agents": "reference"' in tables["truth_run"]["plan_json"][0]


def test_reference_strengths_are_those_of_a_day_of_this_volume(run: Run) -> None:
    """Counts against the strengths of a full day, scaled to the 430,000 messages of the preset."""
    orders = pl.read_parquet(run.folder / "table=truth_order" / "dt=2026-01-06" / "part-00000.parquet")
    counts = dict(orders.filter(pl.col("agent_id") > 0)["agent_id"].value_counts().iter_rows())
    kinds = {kind: number for number, kind in enumerate(REFERENCE, 1) if kind != "periodic_bot"}
    bot, clock_bot = (number for number, kind in enumerate(REFERENCE, 1) if kind == "periodic_bot")
    scale, messages = 430_000 / 10_900_000, run.messages
    assert 2 * counts[clock_bot] / messages == pytest.approx(0.02, abs=0.002)
    assert counts[bot] == pytest.approx(10 * 0.6 * 82_800 * scale, rel=0.05)
    assert counts[kinds["fleeting_quoter"]] == pytest.approx(33_000 * scale, rel=0.1)
    assert counts[kinds["co_placer"]] == pytest.approx(2 * 18_500 * scale, rel=0.15)


def test_report_of_a_run_with_agents_says_which_targets_they_leave_open(run: Run) -> None:
    path, found = write_report(run)
    (measured,) = found.values()
    assert failed(measured) == []
    open_ones = {one.number for one in measured if one.reason}
    assert open_ones == {1, 7, 8, 9, 15}
    assert sum(one.passed is True for one in measured) > 15
    assert run.days[0].planted / run.messages == pytest.approx(0.145, abs=0.02)
    assert "n/a: agents wrote 14% of the messages" in path.read_text()


def test_unknown_keys_kinds_and_impossible_values_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for text, what in (
        ("[[dragon]]\nstatus = 'assumption'\n", "dragon"),
        ("[[peg]]\nstatus = 'assumption'\ncolour = 'red'\n", "peg"),
        (
            "[[native_iceberg]]\nstatus='assumption'\nper_session=60\npeak=10\ntotal=10\nlife_s=1.0\n",
            "total must exceed",
        ),
        (
            "[[fingerprint]]\nstatus='assumption'\nper_session=60\nsizes=[7, 13]\ngap_ms=600.0\nlife_s=1.0\n"
            "distance=0\n",
            "life_s must exceed",
        ),
    ):
        path.write_text(text)
        with pytest.raises(SimulatorConfigError, match=what):
            load_agents(str(path))
    with pytest.raises(SimulatorConfigError, match="unknown agents"):
        load_agents("all")
    with pytest.raises(SimulatorConfigError, match=r"gone\.toml"):
        load_agents(str(tmp_path / "gone.toml"))
