"""The simulated chain in memory: well-formed events, prices without arbitrage, and the same bytes for the same seed."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from spymaster.market.dbn import SIM_PUBLISHER
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.options.chain import CHAIN_SIZES, build_chain
from spymaster.simulator.options.day import Quotes
from spymaster.simulator.options.interest import open_interest
from spymaster.simulator.options.surface import ETA, RHO
from spymaster.simulator.options.truth import option_targets
from spymaster.simulator.schedule import segments
from spymaster_tests.simulator.chains import MORNING, FinishedChain, finished_chain
from spymaster_tests.simulator.days import TUESDAY


@pytest.fixture(scope="module")
def finished() -> FinishedChain:
    return finished_chain()


def below(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def black(forward: float, strike: float, sigma: float, years: float, call: bool) -> float:
    """Undiscounted Black-76."""
    root = sigma * math.sqrt(years)
    d1 = math.log(forward / strike) / root + root / 2
    value = forward * below(d1) - strike * below(d1 - root)
    return value if call else value - forward + strike


def volatility(price: float, forward: float, strike: float, years: float, call: bool) -> float:
    low, high = 0.001, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if black(forward, strike, middle, years, call) < price else (low, middle)
    return (low + high) / 2


def test_events_have_the_grammar_of_the_feed(finished: FinishedChain) -> None:
    records, live = finished.records, finished.live
    assert set(np.unique(live["publisher_id"])) == {SIM_PUBLISHER}
    assert set(np.unique(live["channel_id"])) == {1}
    assert (np.diff(live["ts_event"].astype(np.int64)) >= 0).all()
    assert (np.diff(live["ts_recv"].astype(np.int64)) >= 0).all()
    assert (np.diff(live["sequence"].astype(np.int64)) >= 0).all()
    ends = np.flatnonzero(live["flags"] & 0x80)
    assert ends[-1] == len(live) - 1
    resting: dict[int, int] = {}
    for row in records[records["flags"] & 0x20 != 0]:
        if row["action"] == ord("A"):
            resting[int(row["order_id"])] = int(row["size"])
    start, matches = 0, 0
    for end in ends:
        event = live[start : end + 1]
        start = end + 1
        assert len(np.unique(event["ts_event"])) == len(np.unique(event["instrument_id"])) == 1
        text = event["action"].tobytes().decode()
        if text[0] != "T":
            assert text in ("A", "C", "M")
            order = int(event["order_id"][0])
            assert (order in resting) == (text != "A")
            if text == "C":
                assert resting.pop(order) == event["size"][0]
            else:
                resting[order] = int(event["size"][0])
            continue
        matches += 1
        head = text.rstrip("CM")
        assert set(head) == {"T", "F"}
        assert "TT" not in head
        assert head[-1] == "F"
        fills, trades = event[event["action"] == ord("F")], event[event["action"] == ord("T")]
        assert fills["size"].sum() == trades["size"].sum()
        assert set(fills["side"]) != set(trades["side"])
        changes = event[len(head) :]
        assert sorted(changes["order_id"]) == sorted(fills["order_id"])
        for change in changes:
            order = int(change["order_id"])
            left = resting[order] - int(fills["size"][fills["order_id"] == order].sum())
            assert left == (0 if change["action"] == ord("C") else change["size"])
            resting[order] = left
            if left == 0:
                del resting[order]
    assert matches > 200


def test_order_ids_rise_and_prices_lie_on_their_ticks(finished: FinishedChain) -> None:
    live = finished.live[finished.live["action"] == ord("A")]
    assert (np.diff(live["order_id"].astype(np.int64)) > 0).all()
    units, rest = np.divmod(live["price"], 50_000_000)
    assert (rest == 0).all()
    assert (units > 0).all()
    assert (units[units > 100] % 5 == 0).all()


def test_number_of_messages_is_the_plans(finished: FinishedChain) -> None:
    day, records = finished.day, finished.records
    assert day.messages == (records["flags"] & 0x20 == 0).sum()
    assert day.messages == pytest.approx(50_000, rel=0.03)


def test_quotes_are_never_crossed_and_tell_the_true_volatility(finished: FinishedChain) -> None:
    day = finished.day
    series, errors = day.series, []
    expiry = day.chain.expiries[0].expiration_ns
    discount = float(day.state["expiries"]["discount"][0])
    for end, bid, ask, rows in zip(day.minutes.end, day.minutes.bid, day.minutes.ask, day.minutes.rows, strict=True):
        both = (bid > 0) & (ask > 0)
        assert (bid < ask)[both].all()
        years = (expiry - end) / 1e9 / (365 * 86_400)
        offs = []
        for i in np.flatnonzero(both & (np.abs(series["strike"] - rows["mark"]) < 12.5)):
            forward, strike, call = float(rows["mark"][i]), float(series["strike"][i]), bool(series["call"][i])
            found = volatility((bid[i] + ask[i]) / 40 / discount, forward, strike, years, call)
            true = volatility(float(rows["theo"][i]) / discount, forward, strike, years, call)
            assert true == pytest.approx(float(rows["root_w"][i]) / math.sqrt(years), abs=1e-4)
            offs.append(found - true)
        errors.append(abs(float(np.mean(offs))))
    assert np.quantile(errors, 0.95) < 0.003


def test_calls_and_puts_agree_and_no_butterfly_costs_less_than_nothing(
    finished: FinishedChain,
) -> None:
    day = finished.day
    bid, ask = np.array(day.minutes.bid), np.array(day.minutes.ask)
    middle = (bid + ask) / 40
    strike = day.series["strike"][::2]
    forward = np.array(day.minutes.forward)[:, None]
    near = (np.abs(strike - forward) < 17) & (bid[:, ::2] > 0) & (bid[:, 1::2] > 0)
    off = np.abs(middle[:, ::2] - middle[:, 1::2] - (forward - strike))[near]
    assert np.quantile(off, 0.95) < 0.26  # a tick above 5 points is 0.25
    theo = np.array([rows["theo"] for rows in day.minutes.rows])
    for part in (slice(0, None, 2), slice(1, None, 2)):
        value = theo[:, part]
        assert (value[:, 2:] + value[:, :-2] - 2 * value[:, 1:-1] > -1e-6).all()
        buyable = (ask[:, part][:, 2:] + ask[:, part][:, :-2] - 2 * bid[:, part][:, 1:-1])[
            (ask[:, part][:, 2:] > 0) & (ask[:, part][:, :-2] > 0)
        ]
        assert (buyable >= 0).all()
    assert ETA**2 * (1 + abs(RHO)) <= 4


def test_same_seed_same_bytes_and_the_closing_form_leaves_the_market_alone() -> None:
    one, same, other = (finished_chain(seed=seed, messages=20_000).records for seed in (7, 7, 8))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()
    told = finished_chain(messages=20_000, sentinel=True).records
    kept = told[told["action"] != ord("N")]
    assert kept["order_id"].tolist() == one["order_id"].tolist()
    assert (told["flags"][told["action"] == ord("N")] == 0x80).all()


def test_dealers_hold_what_customers_sold(finished: FinishedChain) -> None:
    """Customers buy puts and sell calls rather than the reverse: on the date, and in all that is outstanding."""
    day = finished.day
    call = day.series["call"] == 1
    gained = day.series["inventory"] - day.held_before
    assert gained[call].sum() > gained[~call].sum()
    assert gained.any()
    held = day.held_before / finished.interest.final
    assert np.abs(held).max() <= 1.0
    assert 0.08 < held[call].mean() < 0.12
    assert -0.18 < held[~call].mean() < -0.14
    assert all(0.04 < held[kind].std() < 0.06 for kind in (call, ~call))
    # dealers are long nearly all calls and short nearly all puts: what open interest is commonly read as
    assert (held[call] > 0).mean() > 0.9
    assert (held[~call] < 0).mean() > 0.9


@pytest.mark.parametrize("messages", [15_000, 30_000, 50_000, 80_000])
def test_in_nearly_all_that_is_traded_the_customer_is_the_aggressor(messages: int) -> None:
    """So signed volume tells the dealers' inventory, but for customers who take from customers."""
    finished = finished_chain(messages=messages)
    day, live = finished.day, finished.live
    assert day.series["lifted"].sum() < 0.03 * day.series["volume"].sum()
    number = {option.instrument_id: i for i, option in enumerate(day.chain.options)}
    trades = live[live["action"] == ord("T")]
    assert trades["size"].sum() == day.series["volume"].sum() > 400
    taken = np.zeros(len(number))
    signed = np.where(trades["side"] == ord("B"), -1.0, 1.0) * trades["size"]
    np.add.at(taken, [number[int(one)] for one in trades["instrument_id"]], signed)
    gained = day.series["inventory"] - day.held_before
    assert np.corrcoef(gained, taken)[0, 1] > 0.9
    assert np.polyfit(gained, taken, 1)[0] == pytest.approx(1.0, abs=0.15)


def test_an_answer_names_an_order_of_the_maker_and_none_of_a_customer(finished: FinishedChain) -> None:
    """Customers rest 1 to 10 lots, makers 5 to 30; a customer's order that a quote comes to goes before it."""
    records = finished.records
    placed = records[records["action"] == ord("A")]
    size = dict(zip(placed["order_id"].tolist(), placed["size"].tolist(), strict=True))
    named = np.concatenate(finished.day.responses)["id"]
    assert len(named) > 1_000
    assert min(size[int(one)] for one in named if int(one) in size) >= 5
    assert sum(one < 5 for one in size.values()) > 100


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_burst_of_the_future_leaves_calls_and_puts_in_line(seed: int) -> None:
    """For ten minutes the future moves some five times as often, which the plan of messages does not foresee."""
    generator = np.random.default_rng(seed)
    (part,) = segments(TUESDAY, "ES", MORNING)
    burst = part.end_ns - 20 * 60 * 10**9
    usual = generator.integers(part.start_ns, part.end_ns, 2_500)
    ts = np.sort(np.append(usual, generator.integers(burst, burst + 10 * 60 * 10**9, 1_500)))
    quotes = Quotes(ts, 6_790.0 + np.cumsum(generator.choice([-0.125, 0.125], len(ts))))
    targets = option_targets(finished_chain(quotes=quotes).day, 50_000)
    assert [one.verdict for one in targets] == ["pass"] * 4


def test_exposure_of_open_interest_has_the_sign_of_the_dealers_inventory(finished: FinishedChain) -> None:
    """Calls less puts, weighted by gamma: strike by strike, and over the strikes, wherever one of the two prevails."""
    day = finished.day
    gamma = day.minutes.rows[-1]["gamma"]
    sign = np.where(day.series["call"] == 1, 1, -1)
    told, held = gamma * finished.interest.final * sign, gamma * day.series["inventory"]
    by_strike = [(one[0::2] + one[1::2]) for one in (told, held)]
    clear = np.abs(by_strike[0]) > 0.5 * np.abs(told[0::2] - told[1::2])
    assert clear.sum() >= 5
    assert (np.sign(by_strike[0]) == np.sign(by_strike[1]))[clear].mean() >= 0.9


@pytest.mark.parametrize(("messages", "judged"), [(600, 1), (12_000, 2), (50_000, 4)])
def test_a_chain_of_few_messages_is_judged_by_what_it_can_show(messages: int, judged: int) -> None:
    day = finished_chain(messages=messages).day
    found = option_targets(day, messages)
    assert [one.verdict for one in found].count("miss") == 0
    assert [one.value is not None for one in found].count(True) == judged
    assert all("too few" in one.reason for one in found if one.value is None)


def test_a_whole_day_lists_weeklies_month_end_and_quarterly() -> None:
    contracts = contracts_on("ES", TUESDAY, "HMUZ")
    chain = build_chain(TUESDAY, "ES", 6_790.0, contracts, CHAIN_SIZES["full_day"])
    names = [expiry.root + expiry.month for expiry in chain.expiries]
    assert names == ["E1BF6", "E1CF6", "E2DF6", "EW2F6", "E2AF6", "EWF6", "ESH6"]
    assert len({option.instrument_id for option in chain.options}) == len(chain.options) > 1_000
    assert {expiry.underlying for expiry in chain.expiries} == {0}
    # in June the options that expire after the June future are on September
    june = date(2026, 6, 10)
    assert build_chain(june, "ES", 6_790.0, contracts_on("ES", june, "HMUZ"), CHAIN_SIZES["full_day"]).expiries


def test_open_interest_is_told_twice_with_different_values() -> None:
    chain = build_chain(TUESDAY, "ES", 6_790.0, contracts_on("ES", TUESDAY, "HMUZ"), CHAIN_SIZES["ci"])
    interest = open_interest(TUESDAY, 7, chain, 6_790.0)
    final = interest.final
    assert (interest.preliminary != final).all()
    hundred = np.array([option.strike % 100 == 0 for option in chain.options])
    assert final[hundred].mean() > 2 * final[~hundred].mean()
