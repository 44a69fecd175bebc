"""Planted participants that answer: to trades, quotes and large orders, and dealers to what the price has moved."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.simulator.agent_hands import AGAIN_NS
from spymaster.simulator.agent_hedging import PER_CONTRACT
from spymaster.simulator.agent_kinds import DealerHedger
from spymaster.simulator.agent_plan import AgentFile, load_agents
from spymaster_tests.simulator.days import small_day
from spymaster_tests.simulator.planted import lags, orders_of, records_of


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


def test_reaction_bot_answers_large_orders_of_others() -> None:
    (section,) = load_agents("reference").reaction_bot
    changed = section.model_copy(update={"trigger": "large_add", "least": 10, "size": 3, "share": 1.0})
    day = small_day(agents=AgentFile(reaction_bot=[changed]))
    live, rows = day.of(0), day.truth("responses")
    large = live[(live["action"] == ord("A")) & (live["size"] >= 10)]
    assert set(rows["ts_trigger"].tolist()) <= set(large["ts_event"].astype(np.int64).tolist())
    assert len(rows) > 0.9 * len(np.unique(large["ts_event"])) > 20
    assert lags(day).mean() == pytest.approx(20, abs=0.3)


def test_reaction_bot_must_not_answer_itself() -> None:
    (section,) = load_agents("reference").reaction_bot
    with pytest.raises(ValueError, match="answer its own orders"):
        type(section)(**(section.model_dump() | {"trigger": "large_add", "least": 5, "size": 5}))


@pytest.mark.parametrize("gamma", [12.0, -12.0])
def test_dealer_hedger_trades_its_gamma_times_the_move(gamma: float) -> None:
    """After each hedge it has sold gamma times the move of the mid since it began, to less than a contract."""
    hedger = DealerHedger(status="assumption", gamma=gamma, band_ticks=4, lag_ms=5.0, lag_sd_ms=1.0)
    day = small_day(agents=AgentFile(dealer_hedger=[hedger]))
    (planned,) = day.market.agents
    each_tick = planned.row["gamma"] / PER_CONTRACT
    rows, live, quotes = day.truth("responses"), day.of(0), day.truth("quotes")
    assert len(rows) > 10
    assert set(orders_of(day).tolist()) == set(rows["id"].tolist())
    mid = (quotes["bid"] + quotes["ask"]) / 2
    at = np.searchsorted(quotes["ts"], day.market.trading_hours()[0] + AGAIN_NS, side="right") - 1
    began, sold = mid[at], 0
    for row in rows:
        trades = live[(live["action"] == ord("T")) & (live["order_id"] == row["id"])]
        assert set(trades["ts_event"].tolist()) == {row["ts"]}
        way = 1 if trades["side"][0] == ord("A") else -1
        sold += way * int(trades["size"].sum())
        seen = mid[np.searchsorted(quotes["ts"], row["ts"], side="left") - 1]
        assert abs(sold - each_tick * (seen - began)) < 1
    assert lags(day).mean() == pytest.approx(5, abs=1)


def test_dealer_hedger_has_a_sign() -> None:
    with pytest.raises(ValueError, match="gamma must not be 0"):
        DealerHedger(status="assumption", gamma=0, band_ticks=4, lag_ms=5.0, lag_sd_ms=1.0)
