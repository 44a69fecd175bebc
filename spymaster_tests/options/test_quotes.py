"""Quotes and forwards of options: volatilities of a known surface, every reason against a quote, odd input."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from spymaster.market.dbn import MBO_DTYPE
from spymaster.options.black76 import implied_volatility
from spymaster.options.greeks import greeks, price
from spymaster.options.pricing import YEAR_SECONDS
from spymaster.tables.types import REJECT_REASONS
from spymaster_tests.options.definitions import CLOSE, CONTRACT, MIDNIGHT, definition, definitions, pairs
from spymaster_tests.options.market import RATE, SECOND, START, OptionMarket, future, run

STRIKES = np.arange(6_700.0, 6_905.0, 5.0)
EXACT = 1
"""Tick of options whose quotes are the surface's prices to 1e-9."""
CLOSE_S = 21 * 3_600
NOON = 12 * 3_600
FORWARD = 6_801.375


def smile(strike: float) -> float:
    return 0.15 - 0.8 * (strike / 6_800 - 1)


def years(window_end: float, close: float = CLOSE_S) -> float:
    return (close - window_end) / YEAR_SECONDS


def theory(row: dict, forward: float, window_end: float, close: float = CLOSE_S) -> float:
    """Black-76 price of a definition row's option on the smile."""
    left = years(window_end, close)
    strike = row["strike_price_int"] * 1e-9
    return float(price(forward, strike, row["right"] == "C", left, smile(strike), math.exp(-RATE * left)))


def known_surface(
    rows: list[dict], seconds: range, forward: Callable[[int], float], half: float = 1e-8, close: float = CLOSE_S
) -> OptionMarket:
    """Every option quoted around its exact price of every window end."""
    market = OptionMarket()
    market.snapshot([row["instrument_id"] for row in rows], second=seconds.start - 1)
    for end in seconds:
        for row in rows:
            value = theory(row, forward(end), end, close)
            market.set(end - 0.5, row["instrument_id"], value - half, value + half)
    return market


def with_definitions(quotes: pl.DataFrame, rows: list[dict]) -> pl.DataFrame:
    known = definitions(rows).select("instrument_id", "right", strike=pl.col("strike_price_int") * 1e-9)
    return quotes.join(known, on="instrument_id", how="left", maintain_order="left")


def only(quotes: pl.DataFrame, instrument_id: int, second: int) -> dict:
    (row,) = quotes.filter(
        (pl.col("instrument_id") == instrument_id) & (pl.col("window_end").to_physical() == START + second * SECOND)
    ).iter_rows(named=True)
    return row


def moving(end: int) -> float:
    return FORWARD + 0.25 * round(3 * math.sin(end))


@pytest.mark.parametrize("source", ["future", "parity"])
def test_volatilities_and_greeks_are_those_of_the_surface_that_made_the_prices(source: str):
    rows = pairs(STRIKES, tick_size_int=EXACT)
    rows += pairs(STRIKES, first_id=5_000, expiration=CLOSE + timedelta(days=2), tick_size_int=EXACT)
    seconds = range(NOON, NOON + 4)
    market = known_surface(rows[: 2 * len(STRIKES)], seconds, moving)
    later = known_surface(rows[2 * len(STRIKES) :], seconds, moving, close=CLOSE_S + 2 * 86_400)
    market.rows += later.rows
    snapshot = future(NOON, [moving(end) if source == "future" else None for end in seconds])
    quotes, forwards, counters = run(market, definitions(rows), snapshot)
    assert quotes.height == 4 * len(rows) == counters["priced"]
    assert set(forwards["forward_source"]) == {source}
    told = with_definitions(quotes, rows)
    truth = np.array([smile(strike) for strike in told["strike"]])
    assert np.abs(told["iv"].to_numpy() - truth).max() < 1e-6
    end = (told["window_end"].to_physical() - START).to_numpy() // SECOND
    close = np.where(told["instrument_id"] >= 5_000, CLOSE_S + 2 * 86_400, CLOSE_S)
    left = (close - end) / YEAR_SECONDS
    exact = greeks(
        np.array([moving(int(one)) for one in end]), told["strike"].to_numpy(), (told["right"] == "C").to_numpy(), left,
        truth, np.exp(-RATE * left),
    )  # fmt: skip
    assert np.abs(told["gamma"].to_numpy() / exact.gamma - 1).max() < 1e-4
    assert np.abs(told["delta"].to_numpy() - exact.delta).max() < 1e-6
    assert np.abs(forwards["parity_forward"].to_numpy() - [moving(NOON + k // 2) for k in range(8)]).max() < 1e-6


def test_the_smoothed_volatility_at_the_money_is_that_of_the_surface():
    rows = pairs(STRIKES)
    seconds = range(NOON, NOON + 3)
    _, forwards, _ = run(known_surface(rows, seconds, moving), definitions(rows), future(NOON, map(moving, seconds)))
    exact = [smile(moving(end)) for end in seconds]
    assert np.abs(forwards["atm_iv"].to_numpy() - exact).max() < 1e-6


def test_ticks_leave_the_truth_between_the_volatilities_of_bid_and_ask():
    """Of quotes rounded outwards to ticks, the volatility of the bid is below the truth, that of the ask above."""
    rows = pairs(STRIKES)
    market = OptionMarket()
    market.snapshot([row["instrument_id"] for row in rows], second=NOON - 1)
    for row in rows:
        value = theory(row, FORWARD, NOON)
        tick = 0.05 if value < 5 else 0.25
        low = math.floor((value - 0.3 * tick) / tick) * tick
        market.set(NOON - 0.5, row["instrument_id"], low or None, math.ceil((value + 0.3 * tick) / tick) * tick)
    quotes, forwards, _ = run(market, definitions(rows), future(NOON, [FORWARD]))
    told = with_definitions(quotes, rows).filter(
        pl.col("iv").is_not_null() & ((pl.col("strike") >= FORWARD) == (pl.col("right") == "C"))
    )
    assert told.height > 25
    left = years(NOON)
    sides = [
        implied_volatility(told[name].to_numpy() * 1e-9, FORWARD, told["strike"].to_numpy(),
                           (told["right"] == "C").to_numpy(), left, math.exp(-RATE * left))
        for name in ("bid_price_int", "ask_price_int")
    ]  # fmt: skip
    truth = np.array([smile(strike) for strike in told["strike"]])
    assert (sides[0] < truth).all()
    assert (truth < sides[1]).all()
    assert (sides[0] < told["iv"].to_numpy()).all()
    assert (told["iv"].to_numpy() < sides[1]).all()
    width = (sides[1] - sides[0])[np.abs(told["strike"].to_numpy() - FORWARD) < 50]
    assert width.max() < 0.012, "volatility points between bid and ask within 50 points of the money"
    assert abs(forwards["parity_forward"][0] - FORWARD) < 0.125, "half a tick of the future"


REJECTED = {
    "invalid_book": (None, None),
    "muted": (1.0, 1.2),
    "one_sided": (1.0, None),
    "crossed": (1.25, 1.20),
    "minimum_tick": (0.05, 0.10),
    "wide": (1.0, 1.70),
    "no_forward": (1.0, 1.2),
    "no_arbitrage": (7_000.0, 7_001.0),
}


@pytest.mark.parametrize("reason", REJECT_REASONS)
def test_every_reason_against_a_quote(reason: str):
    bid, ask = REJECTED[reason]
    second = CLOSE_S - 59 if reason == "muted" else NOON
    market = OptionMarket()
    market.snapshot([1], second=second - 2, clear=reason != "invalid_book")
    market.set(second - 0.5, 1, bid, ask) if reason != "invalid_book" else market.set(second - 0.5, 1, 1.0, 1.2)
    snapshot = future(second, [None if reason == "no_forward" else 6_780.0])
    quotes, _, counters = run(market, definitions([definition(1)]), snapshot)
    row = only(quotes, 1, second)
    assert row["reject_reason"] == reason
    assert row["iv"] is None
    assert row["delta"] is None
    assert row["gamma"] is None
    assert row["valid"] == (reason != "invalid_book")
    assert counters[f"rejected_{reason}"] == 1
    assert counters["priced"] == 0


@pytest.mark.parametrize(("bid", "ask"), [(1.0, 1.66), (0.10, 0.15), (1.2, 1.2)])
def test_quotes_just_within_the_rules_and_locked_ones_are_priced(bid: float, ask: float):
    market = OptionMarket()
    market.snapshot([1], second=NOON - 2)
    market.set(NOON - 0.5, 1, bid, ask)
    quotes, _, _ = run(market, definitions([definition(1)]), future(NOON, [6_780.0]))
    row = only(quotes, 1, NOON)
    assert row["reject_reason"] is None
    assert row["mid"] == pytest.approx((bid + ask) / 2)
    left = years(NOON)
    assert price(6_780.0, 6_800.0, True, left, row["iv"], math.exp(-RATE * left)) == pytest.approx(row["mid"], rel=1e-6)


def test_the_last_minute_is_muted_and_not_the_second_before_it():
    market = OptionMarket()
    market.snapshot([1], second=CLOSE_S - 70)
    for end in (CLOSE_S - 60, CLOSE_S - 59, CLOSE_S, CLOSE_S + 5):
        market.set(end - 0.5, 1, 1.0 + (end % 2) * 0.05, 1.2)
        market.trade(end - 0.4, 1, 1.1, 2)
    quotes, forwards, _ = run(market, definitions([definition(1)]), future(CLOSE_S - 61, [6_799.0] * 70))
    assert quotes["reject_reason"].to_list() == [None, "muted", "muted", "muted"]
    assert forwards["window_end"].max() == CLOSE, "an expiration has no row once it is over"
    assert forwards.height == 62
    assert forwards["years"].min() == 60 / YEAR_SECONDS
    assert forwards.filter(pl.col("window_end") > CLOSE - timedelta(seconds=60))["atm_iv"].null_count() == 60


def test_an_option_in_the_money_is_priced_from_its_sibling_and_from_itself_without_one():
    rows = pairs([6_760.0, 6_800.0])
    (call, put, call_at, put_at) = rows
    end = NOON
    value = {row["instrument_id"]: theory(row, FORWARD, end) for row in rows}
    ids = [row["instrument_id"] for row in rows]

    def quoted(put_quote: tuple[float | None, float | None], call_half: float) -> dict:
        market = OptionMarket()
        market.snapshot(ids, second=end - 2)
        one = value[call["instrument_id"]]
        market.set(end - 0.5, call["instrument_id"], one - call_half, one + call_half)
        market.set(end - 0.4, put["instrument_id"], *put_quote)
        market.set(end - 0.4, call_at["instrument_id"], *(value[call_at["instrument_id"]] + np.array([-0.1, 0.1])))
        quotes, _, _ = run(market, definitions(rows), future(end, [FORWARD]))
        return only(quotes, call["instrument_id"], end)

    exact = value[put["instrument_id"]]
    assert FORWARD > 6_760
    row = quoted((exact - 0.05, exact + 0.05), 20.0)
    assert row["iv"] == pytest.approx(smile(6_760), abs=1e-6), "its own quote is far too wide to tell"
    assert 0.5 < row["delta"] < 1
    row = quoted((exact - 1e-8, None), 1e-8)
    assert row["iv"] == pytest.approx(smile(6_760), abs=1e-6), "the put has no ask: parity turns the call into it"
    row = quoted((None, None), 20.0)
    assert row["reject_reason"] in ("wide", "minimum_tick"), "the rules look at the time value"
    assert put_at["right"] == "P"


def test_a_sibling_of_the_same_second_counts_whatever_the_order_of_ids():
    """The put has the higher id and moves in the same second: the call's row knows of it."""
    rows = pairs([6_760.0])
    market = OptionMarket()
    market.snapshot([row["instrument_id"] for row in rows], second=NOON - 2)
    for row in rows:
        value = theory(row, FORWARD, NOON)
        market.set(NOON - 0.5, row["instrument_id"], value - 1e-8, value + 1e-8)
    quotes, _, _ = run(market, definitions(rows), future(NOON, [FORWARD]))
    assert quotes["iv"].to_numpy() == pytest.approx([smile(6_760)] * 2, abs=1e-6)
    assert quotes["gamma"][0] == quotes["gamma"][1]
    assert quotes["delta"][0] - quotes["delta"][1] == pytest.approx(math.exp(-RATE * years(NOON)), abs=1e-6)


@pytest.mark.parametrize("right", ["C", "P"])
def test_sessions_of_one_right_are_priced_on_the_future_alone(right: str):
    rows = [row for row in pairs(STRIKES, tick_size_int=EXACT) if row["right"] == right]
    seconds = range(NOON, NOON + 2)
    market = known_surface(rows, seconds, moving)
    quotes, forwards, _ = run(market, definitions(rows), future(NOON, map(moving, seconds)))
    told = with_definitions(quotes, rows)
    assert told["iv"].null_count() == 0
    assert np.abs(told["iv"].to_numpy() - [smile(strike) for strike in told["strike"]]).max() < 1e-5
    assert forwards["parity_strikes"].to_list() == [0, 0]
    assert forwards["parity_forward"].null_count() == forwards["parity_gap_ticks"].null_count() == 2
    assert forwards["atm_iv"].null_count() == 0
    unpriced, forwards, _ = run(market, definitions(rows), future(NOON, [None, None]))
    assert set(unpriced["reject_reason"]) == {"no_forward"}
    assert set(forwards["forward_source"]) == {"none"}


def test_a_crossed_future_is_no_forward():
    snapshot = future(NOON, [FORWARD]).with_columns(best_ask_price_int=pl.col("best_bid_price_int"))
    _, forwards, _ = run(
        known_surface(pairs(STRIKES), range(NOON, NOON + 1), moving), definitions(pairs(STRIKES)), snapshot
    )
    assert forwards["forward_source"].to_list() == ["parity"]
    assert forwards["parity_gap_ticks"].to_list() == [None]


def test_options_on_another_future_are_priced_on_their_own_parity():
    rows = pairs(STRIKES, tick_size_int=EXACT)
    rows += pairs(STRIKES, first_id=5_000, underlying="ESM6", tick_size_int=EXACT)
    seconds = range(NOON, NOON + 2)
    market = known_surface(rows[: 2 * len(STRIKES)], seconds, moving)
    market.rows += known_surface(rows[2 * len(STRIKES) :], seconds, lambda end: moving(end) + 55).rows
    snapshot = future(NOON, map(moving, seconds))
    quotes, forwards, counters = run(market, definitions(rows), snapshot, settings={"underlying": "all"})
    assert quotes["iv"].null_count() == 0
    assert forwards["forward_source"].to_list() == ["future", "parity"] * 2
    other = forwards.filter(pl.col("underlying") == "ESM6")
    assert other["forward"].to_numpy() == pytest.approx([moving(end) + 55 for end in seconds], abs=1e-6)
    assert other["parity_gap_ticks"].null_count() == 2, "nothing to compare with"
    assert counters["universe_expirations"] == 2
    front, forwards, counters = run(market, definitions(rows), snapshot)
    assert front.equals(quotes.filter(pl.col("instrument_id") < 5_000))
    assert counters["left_out_other_underlying"] == counters["skipped_instruments"] / 5


def test_no_definitions_no_rows():
    quotes, forwards, counters = run(
        known_surface(pairs(STRIKES), range(NOON, NOON + 1), moving), definitions([]), future(NOON, [FORWARD])
    )
    assert quotes.is_empty()
    assert forwards.is_empty()
    assert counters["universe_options"] == 0


def test_strikes_without_quotes_leave_forwards_of_the_future():
    rows = pairs(STRIKES)
    quotes, forwards, counters = run(np.zeros(0, MBO_DTYPE), definitions(rows), future(NOON, [FORWARD, None]))
    assert quotes.is_empty()
    assert forwards["forward"].to_list() == [FORWARD, None]
    assert forwards["atm_iv"].null_count() == 2
    assert counters["priced"] == 0


def test_spreads_and_user_defined_instruments_are_skipped():
    rows = [*pairs([6_800.0]), definition(7, right=None, strike_price_int=None), definition(8, is_user_defined=True)]
    market = known_surface(rows[:2], range(NOON, NOON + 1), moving)
    market.set(NOON - 0.3, 7, 1.0, 1.2)
    market.set(NOON - 0.3, 8, 1.0, 1.2)
    quotes, _, counters = run(market, definitions(rows), future(NOON, [FORWARD]))
    assert set(quotes["instrument_id"]) == {1_000, 1_001}
    assert counters["skipped_instruments"] == 4
    assert counters["left_out_user_defined"] == counters["left_out_neither_call_nor_put"] == 1


def test_an_option_has_rows_only_while_its_definition_is_known():
    at = MIDNIGHT + timedelta(seconds=NOON)
    rows = [definition(1, ts_recv=at), definition(1, ts_recv=at + timedelta(seconds=4), is_deleted=True), definition(2)]
    market = OptionMarket()
    market.snapshot([1, 2], second=NOON - 5)
    for end in range(NOON - 2, NOON + 8):
        market.set(end - 0.5, 1, 1.0 + (end % 2) * 0.05, 1.2)
        market.set(end - 0.5, 2, 1.0 + (end % 2) * 0.05, 1.2)
    quotes, _, counters = run(market, definitions(rows), future(NOON - 5, [6_780.0] * 20))
    ends = (quotes.filter(pl.col("instrument_id") == 1)["window_end"].to_physical() - START) // SECOND
    assert ends.to_list() == [NOON + 1, NOON + 2, NOON + 3, NOON + 4]
    assert quotes.filter(pl.col("instrument_id") == 2).height == 10
    assert counters["undefined_rows"] == 6


def test_a_definition_that_changes_the_strike_changes_what_follows_only():
    rows = [
        definition(1),
        definition(1, ts_recv=MIDNIGHT + timedelta(seconds=NOON), strike_price_int=6_790_000_000_000),
    ]
    market = OptionMarket()
    market.snapshot([1], second=NOON - 5)
    for end in (NOON - 1, NOON, NOON + 1, NOON + 2):
        market.set(end - 0.5, 1, 1.0 + (end % 2) * 0.05, 1.2)
    quotes, _, _ = run(market, definitions(rows), future(NOON - 5, [6_780.0] * 20))
    left = [years(NOON + k) for k in (-1, 0, 1, 2)]
    strikes = [6_800.0, 6_800.0, 6_790.0, 6_790.0]
    back = [
        float(price(6_780.0, strike, True, t, iv, math.exp(-RATE * t)))
        for strike, t, iv in zip(strikes, left, quotes["iv"], strict=True)
    ]
    assert back == pytest.approx(quotes["mid"].to_list(), rel=1e-6)


def test_the_future_may_begin_later_and_end_earlier_than_the_options():
    rows = pairs(STRIKES)
    market = known_surface(rows, range(NOON, NOON + 6), moving)
    _, forwards, _ = run(market, definitions(rows), future(NOON + 2, [moving(NOON + 2), moving(NOON + 3)]))
    assert forwards["forward_source"].to_list() == ["parity", "parity", "future", "future", "parity", "parity"]
    assert np.abs(forwards["forward"].to_numpy() - [moving(NOON + k) for k in range(6)]).max() < 1e-6
    _, forwards, _ = run(market, definitions(rows), future(NOON - 3, [FORWARD] * 20))
    assert forwards.height == 20
    assert forwards["window_end"].is_sorted()
    assert CONTRACT in forwards["underlying"].unique().to_list()
