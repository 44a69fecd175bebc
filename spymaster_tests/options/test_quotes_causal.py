"""Neither how a session is cut nor what comes later changes a byte of what was; and a slow recomputation agrees."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from spymaster.options.black76 import implied_volatility
from spymaster.options.chain import Chain
from spymaster.options.greeks import greeks
from spymaster.options.pricing import YEAR_SECONDS
from spymaster.options.quotes import OptionPass
from spymaster.settings import OptionSettings
from spymaster_tests.options.definitions import CLOSE, CONTRACT, MIDNIGHT, OPTION_TICK, definition, definitions, pairs
from spymaster_tests.options.market import DT, RATE, SECOND, START, OptionMarket, future, run
from spymaster_tests.options.plain import parity_forward

NOON = 12 * 3_600
SECONDS = 60
STRIKES = np.arange(6_750.0, 6_855.0, 5.0)
LATER = CLOSE + timedelta(days=1)


def some_definitions() -> list[dict]:
    """Two expirations; one option listed, one changed and one withdrawn on the way."""
    rows = pairs(STRIKES) + pairs(STRIKES, first_id=3_000, expiration=LATER)
    at = MIDNIGHT + timedelta(seconds=NOON + 20)
    return [
        *rows,
        definition(9_000, ts_recv=at, strike_price_int=6_802_000_000_000),
        definition(1_010, ts_recv=at + timedelta(seconds=5), strike_price_int=6_777_000_000_000),
        definition(1_021, ts_recv=at + timedelta(seconds=9), is_deleted=True, right="P"),
    ]


def mids(seed: int) -> list[float | None]:
    rng = np.random.default_rng(seed)
    path = 6_800 + 0.125 * np.cumsum(rng.integers(-3, 4, SECONDS))
    return [None if rng.random() < 0.1 else float(one) for one in path]


def busy_market(seed: int) -> OptionMarket:
    """Quotes that come, move, cross and go at random, trades, and books that are forgotten and known again."""
    rng = np.random.default_rng(seed)
    ids = sorted({row["instrument_id"] for row in some_definitions()})
    strikes = {row["instrument_id"]: row["strike_price_int"] * 1e-9 for row in some_definitions()}
    rights = {row["instrument_id"]: row["right"] for row in some_definitions()}
    market = OptionMarket()
    market.snapshot(ids, second=NOON)
    for second in range(NOON, NOON + SECONDS):
        for one in rng.choice(ids, 40, replace=False):
            gap = (6_800 - strikes[one]) * (1 if rights[one] == "C" else -1)
            value = max(gap, 0) + 12 * math.exp(-abs(gap) / 25)
            width = rng.choice([-0.05, 0.0, 0.05, 0.1, 0.5, 3.0], p=[0.04, 0.06, 0.4, 0.3, 0.15, 0.05])
            bid = max(round((value + rng.normal(0, 0.2)) / 0.05) * 0.05, 0.05)
            ask = None if rng.random() < 0.05 else round(bid + width, 2)
            if rng.random() < 0.05:
                bid, ask = 0.05, 0.1
            market.set(second + 0.5, int(one), None if rng.random() < 0.05 else round(bid, 2), ask)
            if rng.random() < 0.1:
                market.trade(second + 0.6, int(one), bid, 3)
        if rng.random() < 0.5:
            market.snapshot([int(rng.choice(ids))], second=second + 0.7, complete=rng.random() < 0.5)
    return market


@pytest.fixture(scope="module")
def session() -> tuple[np.ndarray, pl.DataFrame, pl.DataFrame]:
    """Records, definitions and snapshot."""
    return busy_market(1).records(), definitions(some_definitions()), future(NOON, mids(1))


def test_no_cut_changes_a_row(session):
    records, known, snapshot = session
    quotes, forwards, counters = run(records, known, snapshot)
    assert quotes.height > 1_500
    assert quotes["reject_reason"].n_unique() > 4
    for chunk, block_rows in ((len(records), 10), (1, 65_536), (37, 1)):
        other, other_forwards, other_counters = run(records, known, snapshot, chunk=chunk, block_rows=block_rows)
        assert other.equals(quotes)
        assert other_forwards.equals(forwards)
        assert other_counters == counters


@pytest.mark.parametrize("wanted", ["option_quote_1s", "option_forward_1s"])
def test_one_table_alone_is_the_same(session, wanted: str):
    records, known, snapshot = session
    settings = OptionSettings(rate=RATE)
    made = list(
        OptionPass([records], chain=Chain.universe(known, DT, CONTRACT, settings), snapshot=snapshot,
                   contract=CONTRACT, future_tick=0.25, settings=settings, tables=[wanted])
    )  # fmt: skip
    assert {name for frames in made for name in frames} == {wanted}
    quotes, forwards, _ = run(records, known, snapshot)
    both = {"option_quote_1s": quotes, "option_forward_1s": forwards}
    assert pl.concat([frames[wanted] for frames in made]).equals(both[wanted])


@pytest.mark.parametrize("second", [1, 15, 20, 25, 26, 40])
def test_nothing_that_comes_later_changes_what_was(session, second: int):
    """Other records, definitions and prices of the future from a second on: the same bytes up to it."""
    records, known, snapshot = session
    quotes, forwards, _ = run(records, known, snapshot)
    cut = START + (NOON + second) * SECOND
    others = busy_market(2).records()
    scrambled = np.concatenate([records[records["ts_event"] < cut], others[others["ts_event"] >= cut]])
    moment = pl.col("ts_recv").to_physical()
    late = known.with_columns(strike_price_int=pl.col("strike_price_int") + 1_000_000_000, expiration=pl.lit(LATER))
    at = MIDNIGHT + timedelta(seconds=NOON + second)
    listed = [
        *pairs([6_803.0], first_id=20, ts_recv=at),
        *pairs([6_795.0, 6_800.0], first_id=30, ts_recv=at, expiration=CLOSE - timedelta(hours=4)),
    ]
    gone = definition(1_015, ts_recv=at, is_deleted=True, right="P")
    defined = pl.concat([
        known.filter(moment < cut),
        late.filter(moment >= cut).cast(dict(known.schema)),
        definitions(listed),
        definitions([gone]),
    ])  # fmt: skip
    other_snapshot = pl.concat([snapshot.head(second + 1), future(NOON, mids(2)).tail(SECONDS - second - 1)])
    other, other_forwards, _ = run(scrambled, defined, other_snapshot)
    upto = pl.col("window_end").to_physical() <= cut
    assert quotes.filter(upto).height > 20 * second
    assert other.filter(upto).equals(quotes.filter(upto))
    assert other_forwards.filter(upto).equals(forwards.filter(upto))
    assert not other.filter(~upto).equals(quotes.filter(~upto))
    early = other_forwards.filter(pl.col("expiration") == CLOSE - timedelta(hours=4))["window_end"]
    assert early.min() == at + timedelta(seconds=1)


def slow_quotes(quotes: pl.DataFrame, forwards: pl.DataFrame, known: pl.DataFrame) -> Iterator[tuple[dict, tuple]]:
    """Each row of `quotes` and what it should say of volatility, from dictionaries, by the words of the rules."""
    versions = list(known.with_columns(pl.col("ts_recv").to_physical()).iter_rows(named=True))

    def as_of(instrument_id: int, end: int) -> dict | None:
        mine = [row for row in versions if row["instrument_id"] == instrument_id and row["ts_recv"] < end]
        return mine[-1] if mine and not mine[-1]["is_deleted"] else None

    price_of = {
        (row["window_end"], row["expiration"]): (row["forward"], row["years"]) for row in forwards.iter_rows(named=True)
    }
    in_force: dict[int, dict] = {}
    for window in quotes.partition_by("window_end", maintain_order=True):
        rows = list(window.iter_rows(named=True))
        in_force |= {row["instrument_id"]: row for row in rows}
        end = (rows[0]["window_end"] - MIDNIGHT) // timedelta(microseconds=1) * 1_000 + START
        for row in rows:
            option = as_of(row["instrument_id"], end)
            assert option is not None
            forward, years = price_of[row["window_end"], option["expiration"]]
            siblings = [
                quote
                for one, quote in in_force.items()
                if (other := as_of(one, end)) is not None
                and all(other[name] == option[name] for name in ("strike_price_int", "expiration"))
                and other["right"] != option["right"]
            ]
            yield row, verdict(row, siblings, option, forward, years)


def verdict(row: dict, siblings: list[dict], option: dict, forward: float | None, years: float) -> tuple:
    """(reason, iv, delta, gamma) of a row."""
    if not row["valid"]:
        return "invalid_book", None, None, None
    strike, is_call, discount = option["strike_price_int"] * 1e-9, option["right"] == "C", math.exp(-RATE * years)
    out_is_call = forward is None or strike >= forward
    if forward is None:
        out_is_call = is_call

    def judged(quote: dict, less: float) -> tuple[str | None, float | None]:
        if quote["bid_price_int"] is None or quote["ask_price_int"] is None:
            return "one_sided", None
        bid, ask = quote["bid_price_int"] * 1e-9 - less, quote["ask_price_int"] * 1e-9 - less
        if bid > ask:
            return "crossed", None
        if bid <= OPTION_TICK * 1e-9 + 1e-9:
            return "minimum_tick", None
        if ask - bid > (bid + ask) / 4 + 1e-9:
            return "wide", None
        if forward is None:
            return "no_forward", None
        iv = float(implied_volatility((bid + ask) / 2, forward, strike, out_is_call, years, discount))
        return ("no_arbitrage", None) if math.isnan(iv) else (None, iv)

    if is_call == out_is_call:
        reason, iv = judged(row, 0.0)
    else:
        reason, iv = "none", None
        for sibling in siblings:
            if sibling["valid"]:
                reason, iv = judged(sibling, 0.0)
        if reason is not None:
            reason, iv = judged(row, discount * abs(forward - strike))
    if iv is None or forward is None:
        return reason, None, None, None
    all_of_them = greeks(forward, strike, is_call, years, iv, discount)
    return None, iv, float(all_of_them.delta), float(all_of_them.gamma)


def test_every_row_is_what_a_slow_recomputation_says(session):
    records, known, snapshot = session
    quotes, forwards, counters = run(records, known, snapshot)
    reasons = []
    for row, (reason, *expected) in slow_quotes(quotes, forwards, known):
        assert row["reject_reason"] == reason, row
        reasons.append(reason)
        for name, value in zip(("iv", "delta", "gamma"), expected, strict=True):
            assert row[name] == (None if value is None else pytest.approx(value, rel=1e-6)), row
    assert {"invalid_book", "one_sided", "crossed", "minimum_tick", "wide", None} <= set(reasons)
    for reason in set(reasons) - {None}:
        assert counters[f"rejected_{reason}"] == reasons.count(reason)
    assert counters["priced"] == reasons.count(None)


def test_forwards_are_mids_or_parity_of_the_quotes_in_force(session):
    records, known, snapshot = session
    quotes, forwards, _ = run(records, known, snapshot)
    strikes = {row["instrument_id"]: row for row in some_definitions() if row["instrument_id"] in range(3_000, 4_000)}
    mid = dict(snapshot.filter("book_valid").select(pl.col("window_end").to_physical(), "mid_price").iter_rows())
    checked = 0
    for row in forwards.filter(pl.col("expiration") == LATER).iter_rows(named=True):
        end = (row["window_end"] - MIDNIGHT) // timedelta(seconds=1) * SECOND + START
        upto = quotes.filter((pl.col("window_end").to_physical() <= end) & pl.col("instrument_id").is_in(list(strikes)))
        sides = {name: np.full(len(STRIKES), np.nan) for name in ("cb", "ca", "pb", "pa")}
        for quote in upto.group_by("instrument_id").last().filter("valid").iter_rows(named=True):
            option = strikes[quote["instrument_id"]]
            at = int(np.searchsorted(STRIKES, option["strike_price_int"] * 1e-9))
            for side, name in (("b", "bid_price_int"), ("a", "ask_price_int")):
                if quote[name] is not None:
                    sides[option["right"].lower() + side][at] = quote[name] * 1e-9
        by_hand = parity_forward(STRIKES, sides["cb"], sides["ca"], sides["pb"], sides["pa"],
                                 discount=math.exp(-RATE * row["years"]))  # fmt: skip
        if by_hand is None:
            assert row["parity_forward"] is None
        else:
            checked += 1
            assert row["parity_forward"] == pytest.approx(by_hand.forward, abs=1e-6)
            assert row["parity_strikes"] == by_hand.strikes
            assert row["parity_width_ticks"] == pytest.approx(by_hand.uncertainty / 0.25, abs=1e-5)
        assert row["years"] == pytest.approx((LATER - row["window_end"]).total_seconds() / YEAR_SECONDS)
        if end in mid:
            assert row["forward_source"] == "future"
            assert row["forward"] == mid[end]
            gap = None if by_hand is None else pytest.approx((by_hand.forward - mid[end]) / 0.25, abs=1e-4)
            assert row["parity_gap_ticks"] == gap
        else:
            assert row["forward_source"] == ("parity" if by_hand else "none")
            assert row["forward"] == row["parity_forward"]
    assert checked > 40
