"""Two-minute candles: counted by hand, against other code, and blind to the future."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import numpy as np
import polars as pl
import pytest

from spymaster.market.instruments import instrument
from spymaster.setups.averages import Closes, eligible, moving_average, with_averages
from spymaster.setups.candles import at_market, day_bars
from spymaster.tables.candle_2m import Candle2m
from spymaster_tests.setups.markets import BAR, SECOND, SPOT, TICK, ns, quotes, random_market, seconds, stored, trades

ES = instrument("ES")
OPEN = ns("09:30")
NO_EARLIER: list[Closes] = []


def candles(
    trade: pl.DataFrame, quote: pl.DataFrame, second: pl.DataFrame, earlier=NO_EARLIER, roll: int | None = 0
) -> pl.DataFrame:
    bars = day_bars(trade, quote, second, instrument=ES, tick_size_int=TICK, off_market_ticks=4)
    frame = with_averages(bars, eligible(bars, calendar="globex", rth=None), roll, earlier)
    return Candle2m.validate(frame)


def ticks(frame: pl.DataFrame, name: str) -> list[float | None]:
    return ((frame[f"{name}_price_int"] - SPOT) / TICK).to_list()


class TestByHand:
    @pytest.fixture
    def frame(self) -> pl.DataFrame:
        """Three candles from 09:28: trades in the first and, after an empty one, in the third."""
        trade = trades(
            OPEN - BAR,
            [
                (0.0, 0, 5, "B"), (1.5, 3, 2, "B"), (60, -2, 4, "A"), (119.999, 1, 1, "N"),
                (240, 2, 7, "A"), (245, 9, 9, "B"), (250, 9, 3, "B", 6),
            ],
        )  # fmt: skip
        return candles(trade, quotes([(0, -1, 0)]), seconds(OPEN - BAR, 360))

    def test_prices(self, frame: pl.DataFrame):
        assert ticks(frame, "open") == [0, 1, 2]
        assert ticks(frame, "high") == [3, 1, 9]
        assert ticks(frame, "low") == [-2, 1, 2]
        assert ticks(frame, "close") == [1, 1, 9]

    def test_quantities(self, frame: pl.DataFrame):
        assert frame["volume"].to_list() == [12, 0, 10]
        assert frame["buy_volume"].to_list() == [7, 0, 3]
        assert frame["sell_volume"].to_list() == [4, 0, 7]
        assert frame["none_volume"].to_list() == [1, 0, 0]
        # (5*0 + 2*3 + 4*-2 + 1*1)/12 ticks, to the nearest 1e-9
        assert frame["vwap_price_int"].to_list() == [SPOT - round(TICK / 12), None, SPOT + round(TICK * (14 + 27) / 10)]

    def test_a_print_beyond_the_quotes_is_counted_and_a_sweep_to_the_same_price_enters(self, frame: pl.DataFrame):
        assert frame["n_trades"].to_list() == [4, 0, 2]
        assert frame["n_off_market"].to_list() == [0, 0, 1]

    def test_ids_and_times(self, frame: pl.DataFrame):
        assert frame["candle_id"].to_list() == [-1, 0, 1]
        assert frame["bar_start"].to_physical().to_list() == [OPEN - BAR, OPEN, OPEN + BAR]
        assert frame["is_carry"].to_list() == [False, True, False]
        assert frame["is_complete"].to_list() == [True, True, True]

    def test_the_record_at_the_edge_belongs_to_the_next_candle(self, frame: pl.DataFrame):
        assert ticks(frame, "open")[2] == 2  # traded exactly 240 s after the start


def test_limits_of_the_market_count_from_the_quotes_before_the_event():
    trade = trades(OPEN, [(1, 4, 1), (2, 5, 1), (3, -5, 1), (4, -6, 1), (5, 30, 1)])  # events 10 to 50
    changes = quotes([(9, -1, 0), (10, 20, 21), (11, -1, 0), (41, None, 26), (50, -1, 0)])
    kept = at_market(trade, changes, tick_size_int=TICK, reach_ticks=4)
    assert kept.to_list() == [True, False, True, False, True]


def test_a_print_that_no_quote_contradicts_counts():
    assert at_market(trades(OPEN, [(1, 500, 1)]), quotes([]), tick_size_int=TICK, reach_ticks=4).to_list() == [True]


def test_sigma_is_that_of_eight_changes_of_fifteen_seconds():
    mids = np.zeros(240)
    mids[14::15] = [0, 1, 3, 3, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4]
    frame = candles(trades(OPEN, []), quotes([]), seconds(OPEN, 240, mids=mids))
    # 7 changes are known in the first (1, 2, 0, -1, 0, 0, 0), 8 in the second (2, then 0)
    assert frame["sigma_bar_ticks"].to_list() == pytest.approx([np.sqrt(6 / 7 * 8), 2.0])


def test_an_invalid_second_makes_a_halt_and_a_missing_one_is_not_complete():
    second = seconds(OPEN, 360, invalid=(130,))
    frame = candles(trades(OPEN, [(5, 0, 1)]), quotes([]), second.filter(pl.int_range(pl.len()) != 300))
    assert frame["is_halt"].to_list() == [False, True, False]
    assert frame["is_complete"].to_list() == [True, True, False]


def test_candles_exist_for_trading_hours_only():
    closed = pl.concat([seconds(OPEN, 120), seconds(OPEN + BAR, 120, phase="closed"), seconds(OPEN + 2 * BAR, 120)])
    assert candles(trades(OPEN, []), quotes([]), closed)["candle_id"].to_list() == [0, 2]


def test_evening_candles_belong_to_the_next_session_and_count_to_its_open():
    evening = ns("18:00")
    frame = candles(trades(evening, [(1, 0, 1)]), quotes([]), seconds(evening, 120))
    assert frame["session_date"].to_list() == [date(2024, 3, 7)]
    assert frame["candle_id"].to_list() == [-(15 * 60 + 30) // 2]


def test_the_open_is_an_edge_on_both_sides_of_a_change_of_clocks():
    for dt in (date(2024, 3, 8), date(2024, 3, 11)):
        frame = candles(trades(0, []), quotes([]), seconds(ns("09:30", dt), 120))
        assert frame["candle_id"].to_list() == [0]


class TestAverages:
    def test_an_average_includes_its_own_candle_and_passes_over_halts(self):
        closes = np.array([10, 20, 99, 30, 40], dtype=np.int64) * 1_000_000_000
        enters = np.array([True, True, False, True, True])
        got = moving_average(closes, enters, np.array([4, 6], dtype=np.int64) * 1_000_000_000, 3)
        assert got.tolist() == [20 / 3, 12.0, 12.0, 20.0, 30.0]

    def test_too_few_closes_give_none(self):
        closes = np.arange(1, 6, dtype=np.int64) * 1_000_000_000
        got = moving_average(closes, np.ones(5, bool), np.empty(0, np.int64), 4)
        assert np.isnan(got[:3]).all()
        assert got[3:].tolist() == [2.5, 3.5]

    def test_older_closes_move_with_the_roll_and_stop_where_it_is_unknown(self):
        second = seconds(OPEN, 240)
        trade = trades(OPEN, [(1, 0, 1)])
        days = [Closes(np.full(150, SPOT - 8 * TICK), 4 * TICK), Closes(np.full(60, SPOT - 12 * TICK), 0)]
        moved = candles(trade, quotes([]), second, days, 8 * TICK)
        # all of the 150 and of the 60 are worth the spot of today's contract
        assert moved["sma200"].to_list() == [SPOT / 1e9] * 2
        assert moved["sma400"].to_list() == [None, None]
        unknown = [Closes(days[0].close, None), days[1]]
        assert candles(trade, quotes([]), second, unknown, 8 * TICK)["sma200"].to_list() == [None, None]
        assert candles(trade, quotes([]), second, days, None)["sma200"].to_list() == [None, None]

    def test_of_regular_hours_takes_whole_candles_inside_them(self):
        bars = day_bars(
            trades(OPEN - BAR, [(1, 0, 1)]), quotes([]), seconds(OPEN - BAR, 480), instrument=ES, tick_size_int=TICK,
            off_market_ticks=4,
        )  # fmt: skip
        rth = (OPEN, OPEN + 2 * BAR)
        assert eligible(bars, calendar="rth", rth=rth).tolist() == [False, True, True, False]
        assert not eligible(bars, calendar="rth", rth=None).any()


def oracle(trade: pl.DataFrame, quote: pl.DataFrame, second: pl.DataFrame, earlier: list[int]) -> list[dict]:
    """Candles by plain loops over rows."""
    changes = list(quote.select("event_id", "bid_price_int", "ask_price_int").iter_rows())
    books: dict[int, list] = defaultdict(list)
    columns = ("event_id", "price_int", "vwap_price_int", "qty", "aggressor", "levels_consumed")
    rows_of = trade.select(pl.col("ts_event").to_physical(), *columns).iter_rows()
    for ts, event, price, vwap, qty, side, levels in rows_of:
        before = [change for change in changes if change[0] < event]
        known = [p for p in before[-1][1:] if p is not None] if before else []
        reach = (4 + levels - 1) * TICK
        sides_known = before and None not in before[-1][1:]
        beyond = bool(known) and not min(known) - reach <= price <= max(known) + reach
        books[ts // BAR].append((price, vwap, qty, side, beyond, sides_known))
    rows, closes, close = [], list(earlier), None
    mids = {}
    halts: dict[int, bool] = defaultdict(bool)
    messages: dict[int, int] = defaultdict(int)
    for end, mid, valid, count in second.select(
        pl.col("window_end").to_physical(), "mid_price_int", "book_valid", "message_count"
    ).iter_rows():
        bar = (end - SECOND) // BAR
        halts[bar] |= not valid
        messages[bar] += count
        mids[end] = mid if valid else None
    for bar in sorted(messages):
        prints = [one for one in books[bar] if not one[4]]
        prices = [one[0] for one in prints]
        volume = sum(one[2] for one in prints)
        if prices:
            close = prices[-1]
        if close is not None and not halts[bar]:
            closes.append(close)
        steps = []
        for k in range(8):
            a, b = mids.get(bar * BAR + k * 15 * SECOND), mids.get(bar * BAR + (k + 1) * 15 * SECOND)
            if a is not None and b is not None:
                steps.append((b - a) / TICK)
        rows.append(
            {
                "bar_index": bar,
                "open": prices[0] if prices else close,
                "high": max(prices, default=close),
                "low": min(prices, default=close),
                "close": close,
                "volume": volume,
                "buy": sum(one[2] for one in prints if one[3] == "B"),
                "off": len(books[bar]) - len(prints),
                "vwap": sum(one[1] * one[2] for one in prints) / volume if volume else None,
                "sigma": (8 * sum(s * s for s in steps) / len(steps)) ** 0.5 if len(steps) >= 4 else None,
                "msgs": messages[bar],
                "halt": halts[bar],
                "sma200": sum(closes[-200:]) / 200 / 1e9 if len(closes) >= 200 else None,
            }
        )
    return rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_candles_equal_those_of_plain_loops(seed: int):
    trade, quote, second = random_market(seed, OPEN - 7 * BAR, 3600)
    before = [SPOT + k * TICK for k in range(185)]
    frame = candles(trade, quote, second, [Closes(np.array(before), 0)])
    expected = oracle(trade, quote, second, before)
    assert frame["bar_index"].to_list() == [row["bar_index"] for row in expected]
    for name in ("open", "high", "low", "close"):
        assert frame[f"{name}_price_int"].to_list() == [row[name] for row in expected], name
    pairs = (
        ("volume", "volume"),
        ("buy_volume", "buy"),
        ("n_off_market", "off"),
        ("n_msgs", "msgs"),
        ("is_halt", "halt"),
    )
    for name, key in pairs:
        assert frame[name].to_list() == [row[key] for row in expected], name
    assert frame["n_off_market"].sum() > 0
    assert frame["is_carry"].any()
    assert frame["sma200"].to_list() == pytest.approx([row["sma200"] for row in expected])
    assert frame["sma200"].null_count() not in (0, frame.height)
    assert frame["sigma_bar_ticks"].to_list() == pytest.approx([row["sigma"] for row in expected])
    off = [abs(a - b) for a, b in zip(frame["vwap_price_int"], [row["vwap"] for row in expected], strict=True) if b]
    assert max(off) < 1000  # the oracle's sum is a float of 1e14 times lots


@pytest.mark.parametrize("seed", range(3))
def test_a_candle_knows_nothing_of_what_comes_after_it(seed: int):
    trade, quote, second = random_market(seed, OPEN, 2400)
    other = random_market(seed + 100, OPEN, 2400)
    cut = OPEN + int(np.random.default_rng(seed).integers(3, 19)) * BAR
    early = pl.col("ts_event").to_physical() < cut
    first = int(trade.filter(early)["event_id"][-1])
    mixed = [
        pl.concat([trade.filter(early), other[0].filter(~early)]),
        pl.concat([quote.filter(pl.col("event_id") <= first), other[1].filter(pl.col("event_id") > first)]),
        pl.concat([
            second.filter(pl.col("window_end").to_physical() <= cut),
            other[2].filter(pl.col("window_end").to_physical() > cut),
        ]),
    ]  # fmt: skip
    mixed[0] = mixed[0].with_columns(event_id=pl.Series(np.maximum.accumulate(mixed[0]["event_id"].to_numpy())))
    earlier = [Closes(np.full(195, SPOT), 0)]
    before = pl.col("window_end").to_physical() <= cut
    one, two = (
        candles(inputs[0], inputs[1], inputs[2], earlier).filter(before) for inputs in ((trade, quote, second), mixed)
    )
    assert one.height >= 3
    assert stored(one) == stored(two)
    assert not candles(trade, quote, second, earlier).equals(candles(mixed[0], mixed[1], mixed[2], earlier))
