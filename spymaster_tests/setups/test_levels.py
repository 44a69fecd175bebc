"""Levels: found by hand, usable from when they are known, and blind to the future."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from spymaster.market.calendar import partition_dates
from spymaster.market.instruments import instrument
from spymaster.settings import Settings
from spymaster.setups import moving_levels, static_levels
from spymaster.setups.level_sources import Candles, Hours, Level, Prints
from spymaster.setups.moving_levels import staircase
from spymaster.setups.session_levels import Sources, level_frame, traded_dates
from spymaster.tables.session_level import SessionLevel
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.setups.markets import BAR, DT, SECOND, SPOT, TICK, Held, ns, trades

ES = instrument("ES")
SETTINGS = Settings()
NEXT = date(2024, 3, 7)
BEFORE = date(2024, 3, 5)


def hours_of(label: date) -> Hours:
    hours = Hours.of(label, ES, SETTINGS)
    assert hours is not None
    return hours


HOURS = hours_of(DT)
PRIOR = hours_of(BEFORE)
NO_STATISTICS = pl.DataFrame(
    schema={
        "stat_type": pl.UInt16,
        "ts_recv": TIMESTAMP,
        "price_int": pl.Int64,
        "ts_ref": TIMESTAMP,
        "update": pl.String,
    }
)


def bars(
    start: int, highs: list[int], lows: list[int] | None = None, *, label: date = DT, roll: int = 0
) -> pl.DataFrame:
    """Candles in a row, each closing at its low; highs and lows in ticks from SPOT."""
    lows = lows if lows is not None else [high - 4 for high in highs]
    n = len(highs)
    return pl.DataFrame(
        {
            "contract": ["ESH4"] * n,
            "session_date": [label] * n,
            "bar_start": pl.Series([start + k * BAR for k in range(n)]).cast(TIMESTAMP),
            "open_price_int": [SPOT + high * TICK for high in highs],
            "high_price_int": [SPOT + high * TICK for high in highs],
            "low_price_int": [SPOT + low * TICK for low in lows],
            "close_price_int": [SPOT + low * TICK for low in lows],
            "sma200": pl.Series([None] * n, dtype=pl.Float64),
            "sma400": pl.Series([None] * n, dtype=pl.Float64),
            "roll_adj_int": [roll] * n,
            "is_complete": [True] * n,
            "is_halt": [False] * n,
            "is_carry": [False] * n,
        }
    )


def rows_of(candles: dict[date, pl.DataFrame], prints: dict[date, pl.DataFrame] | None = None) -> pl.DataFrame:
    """Levels, without placebos, of the last date's candles."""
    dt = max(candles)
    made = Sources(dt, candles, prints or {dt: trades(ns("09:30", dt), [])}, NO_STATISTICS, None)
    return SessionLevel.validate(level_frame(made, "ESH4", TICK, ES, SETTINGS)).filter(~pl.col("is_placebo"))


def ticks(levels: list[Level]) -> dict[str, float]:
    return {one.level_type: (one.price - SPOT) / TICK for one in levels}


class TestFixed:
    def test_the_pre_market_is_of_candles_from_four_until_the_open(self):
        before, inside, after = ns("03:56"), ns("04:00"), ns("09:30")
        frame = pl.concat([bars(before, [50, 50]), bars(inside, [3, 9] + [2] * 163), bars(after, [70])])
        found = list(static_levels.ranges(Candles.of([frame]), HOURS, "04:00"))
        assert ticks(found) == {"PMH": 9, "PML": -2, "ONH": 50, "ONL": -2}
        by_name = {one.level_type: one for one in found}
        assert by_name["PMH"].valid_from == after
        assert by_name["PMH"].source_last == after
        assert by_name["PMH"].valid_to == ns("17:00")
        assert (by_name["PMH"].is_partial, by_name["ONH"].is_partial) == (False, True)

    def test_what_trades_after_the_open_is_no_part_of_the_overnight_range(self):
        quiet = bars(ns("09:00"), [5] * 15)
        other = pl.concat([quiet, bars(ns("09:30"), [500])])
        same = [list(static_levels.ranges(Candles.of([frame]), HOURS, "04:00")) for frame in (quiet, other)]
        assert same[0] == same[1]

    def test_the_prior_day_is_its_regular_hours_at_the_prices_of_todays_contract(self):
        day = pl.concat([
            bars(ns("09:28", BEFORE), [90], label=BEFORE),
            bars(ns("09:30", BEFORE), [7, 12, 8], label=BEFORE),
            bars(ns("16:00", BEFORE), [95], label=BEFORE),
        ])  # fmt: skip
        today = bars(ns("00:00"), [200], roll=40 * TICK)
        found = list(static_levels.prior_day(Candles.of([day, today]), HOURS, PRIOR, is_last=True))
        assert ticks(found) == {"PDH": 52, "PDL": 43, "PDC": 44}
        assert {one.valid_from for one in found} == {ns("18:00", BEFORE)}
        assert all(one.is_partial for one in found)  # three candles are not a day

    def test_an_unknown_roll_leaves_nothing_older(self):
        day, today = (
            bars(ns("09:30", BEFORE), [7], label=BEFORE),
            bars(ns("00:00"), [0]).with_columns(roll_adj_int=pl.lit(None, pl.Int64)),
        )
        assert not list(static_levels.prior_day(Candles.of([day, today]), HOURS, PRIOR, is_last=True))

    def test_an_opening_range_ends_inside_a_candle(self):
        prints = Prints.of(trades(ns("09:30"), [(-1, 99, 1), (0, 2, 1), (299.9, -3, 1), (300, 50, 1), (899, 60, 1)]))
        found = list(static_levels.opening_range(prints, Candles.of([bars(ns("09:30"), [0] * 15)]), HOURS))
        assert ticks(found) == {"ORH5": 2, "ORL5": -3, "ORH15": 60, "ORL15": -3, "ORH30": 60, "ORL30": -3}
        known = {one.level_type: one.valid_from for one in found}
        assert (known["ORH5"], known["ORH15"], known["ORH30"]) == (ns("09:35"), ns("09:45"), ns("10:00"))
        assert not any(one.is_partial for one in found)

    def test_round_prices_go_by_their_roundest_name(self):
        frame = bars(ns("17:58", BEFORE), [4], label=BEFORE)
        found = list(static_levels.round_prices(Candles.of([frame]), HOURS, 25_000_000_000, 60 * 10**9))
        assert {one.price // 10**9: one.level_type for one in found} == {
            4750: "ROUND50", 4775: "ROUND25", 4800: "ROUND100", 4825: "ROUND25", 4850: "ROUND50",
        }  # fmt: skip
        assert {one.valid_from for one in found} == {HOURS.open}

    def test_a_swing_is_known_when_the_third_candle_after_it_ends(self):
        highs = [1, 2, 3, 9, 3, 2, 1, 5, 5, 1, 1, 1]
        frame = bars(ns("10:00"), highs, [-high for high in highs])
        found = list(static_levels.swings(Candles.of([frame]), HOURS))
        assert [(one.level_type, (one.price - SPOT) // TICK) for one in found] == [("SWH", 9), ("SWL", -9)]
        assert {one.valid_from for one in found} == {ns("10:14")}
        halted = frame.with_columns(is_halt=pl.int_range(pl.len()) == 5)
        assert not list(static_levels.swings(Candles.of([halted]), HOURS))

    @pytest.mark.parametrize(("last", "swings"), [("16:58", 2), ("17:00", 0)])
    def test_what_is_known_when_the_session_closes_has_no_row(self, last: str, swings: int):
        highs = [1, 1, 1, 9, 1, 1, 1]
        frame = bars(ns(last) - 7 * BAR, highs, [-high for high in highs])
        found = rows_of({DT: frame})
        assert found.filter(pl.col("level_type").cast(pl.String).is_in(["SWH", "SWL"])).height == swings

    def test_round_prices_of_the_last_candle_of_a_session_have_no_row(self):
        assert rows_of({DT: bars(ns("16:58"), [0])}).is_empty()

    def test_nodes_are_maxima_of_the_smoothed_volume(self):
        prints = Prints.of(trades(ns("10:00", BEFORE), [(0, 0, 10), (1, 1, 10), (2, 30, 50), (3, 31, 1), (4, 60, 3)]))
        found = list(static_levels.volume_nodes(prints, HOURS, TICK, is_partial=False))
        # of a flat top the lowest price, no lower than the lowest trade
        assert [(one.price - SPOT) // TICK for one in found] == [0, 27, 56]
        assert all(one.source_last < one.valid_from == HOURS.open for one in found)

    def test_a_settlement_holds_from_its_receipt_until_it_changes(self):
        rows = [
            a_record(ns("16:30", BEFORE), 1, BEFORE), a_record(ns("20:00", BEFORE), 2, BEFORE),
            a_record(ns("21:00", BEFORE), 2, None), a_record(ns("01:00"), 2, BEFORE), a_record(ns("16:30"), 5, DT),
        ]  # fmt: skip
        assert settled(rows) == [
            (1, HOURS.open, ns("20:00", BEFORE)),
            (2, ns("20:00", BEFORE), HOURS.close),
        ]
        gone = [*rows[:4], a_record(ns("03:00"), 2, BEFORE, "delete"), rows[4]]
        assert settled(gone) == [
            (1, HOURS.open, ns("20:00", BEFORE)),
            (2, ns("20:00", BEFORE), ns("03:00")),
        ]

    @pytest.mark.parametrize("update", ["new", "delete"])
    def test_a_late_record_of_an_older_session_leaves_the_settlement_alone(self, update: str):
        older = date(2024, 3, 4)
        rows = [
            a_record(ns("16:30", older), 7, older), a_record(ns("16:30", BEFORE), 1, BEFORE),
            a_record(ns("17:10", BEFORE), 8, older, update), a_record(ns("02:00"), 9, older, update),
        ]  # fmt: skip
        assert settled(rows) == [(1, HOURS.open, HOURS.close)]

    def test_without_the_price_of_the_session_before_that_of_an_older_one_holds_as_it_is_by_then(self):
        older = date(2024, 3, 4)
        rows = [
            a_record(ns("16:30", older), 7, None), a_record(ns("16:30", BEFORE), 1, BEFORE),
            a_record(ns("20:00", BEFORE), 8, older), a_record(ns("02:00"), 1, BEFORE, "delete"),
            a_record(ns("04:00"), 3, BEFORE),
        ]  # fmt: skip
        assert settled(rows) == [
            (1, HOURS.open, ns("02:00")),
            (8, ns("02:00"), ns("04:00")),
            (3, ns("04:00"), HOURS.close),
        ]
        back = next(one for one in static_levels.settlement(records(rows), HOURS) if one.valid_from == ns("02:00"))
        assert (back.source_first, back.source_last) == (ns("20:00", BEFORE), ns("02:00"))


def a_record(wall: int, price: int, about: date | None, update: str = "new") -> dict:
    """A settlement of a session, in ticks from SPOT."""
    ref = None if about is None else int(np.datetime64(about, "ns").astype(np.int64))
    return {"stat_type": 3, "ts_recv": wall, "price_int": SPOT + price * TICK, "ts_ref": ref, "update": update}


def records(rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(rows).cast({"ts_recv": TIMESTAMP, "ts_ref": TIMESTAMP, "stat_type": pl.UInt16})


def settled(rows: list[dict]) -> list[tuple[int, int, int]]:
    """Ticks from SPOT and the stretch of each settlement."""
    found = static_levels.settlement(records(rows), HOURS)
    return [((one.price - SPOT) // TICK, one.valid_from, one.valid_to) for one in found]


class TestMoving:
    def test_a_series_without_a_value_has_no_rows(self):
        none, hours = np.empty(0), Hours(DT, 0, 10, None)
        assert list(moving_levels.rows_of(hours, "SMA200", 0, none, none, none, 0, 10, TICK, False)) == []

    def test_a_staircase_moves_by_ticks_and_ends_at_gaps(self):
        values = np.array([np.nan, 1.0, 1.9, 2.0, 2.5, np.nan, np.nan, 2.5, 1.4])
        assert staircase(values, 1.0).tolist() == [0, 1, 3, 5, 7, 8]

    @pytest.mark.parametrize("seed", [1, 2])
    def test_a_staircase_is_never_a_tick_away(self, seed: int):
        values = np.cumsum(np.random.default_rng(seed).normal(0, 0.3, 2000))
        starts = staircase(values, 1.0)
        held = values[starts][np.searchsorted(starts, np.arange(2000), side="right") - 1]
        assert np.abs(held - values).max() < 1.0
        assert (np.abs(np.diff(values[starts])) >= 1.0).all()

    def test_a_volume_weighted_mean_is_used_a_second_after_its_trades(self):
        prints = Prints.of(trades(ns("09:30"), [(0.5, 0, 1), (1.2, 8, 3), (2.0, 100, 1)]))
        span = (ns("09:30"), ns("09:30") + 5 * SECOND)
        found = list(moving_levels.vwaps(prints, HOURS, ns("09:30"), "RVWAP", TICK, span=span, partial=False))
        mean = [one for one in found if one.level_type == "RVWAP"]
        assert [((one.price - SPOT) / TICK, one.valid_from - ns("09:30")) for one in mean] == [
            (0, 2 * SECOND), (6, 3 * SECOND), (pytest.approx(124 / 5), 4 * SECOND),
        ]  # fmt: skip
        above = [one for one in found if one.level_type == "RVWAP_P2"]
        sigma = np.sqrt((1 * 36 + 3 * 4) / 4)
        assert (above[1].price - SPOT) / TICK == pytest.approx(6 + 2 * sigma)
        assert all(one.source_last < one.valid_from - SECOND for one in found)

    def test_gamma_levels_are_those_of_each_minute(self):
        ends = [ns("10:00") + k * 60 * SECOND for k in range(4)]
        frame = pl.DataFrame(
            {
                "window_end": pl.Series(ends).cast(TIMESTAMP),
                "call_wall_price_int": [SPOT + 40 * TICK, SPOT + 40 * TICK, None, SPOT],
                "put_wall_price_int": pl.Series([None] * 4, dtype=pl.Int64),
                "zero_gamma_price_int": pl.Series([[SPOT], [SPOT, SPOT + 9 * TICK], [], None], dtype=pl.List(pl.Int64)),
            }
        )
        found = list(moving_levels.gamma_levels(frame, HOURS, TICK, span=(ns("00:00"), ns("19:00"))))
        assert [
            (one.level_type, one.number, (one.price - SPOT) // TICK, one.valid_from, one.valid_to) for one in found
        ] == [
            ("GEXCW", 0, 40, ends[0], ends[2]),
            ("GEXCW", 0, 0, ends[3], HOURS.close),
            ("ZG", 0, 0, ends[0], ends[2]),
            ("ZG", 1, 9, ends[1], ends[2]),
        ]


@pytest.mark.parametrize("roll", [0, 40 * TICK])
def test_what_contains_a_roll_is_not_known_before_the_date_of_the_roll(roll: int):
    day = pl.concat([
        bars(ns("09:30", BEFORE), [7, 12, 8] + [2] * 192, label=BEFORE),
        bars(ns("18:00", BEFORE), [1, 1, 1, 9, 1, 1, 1] + [1] * 23),
    ])  # fmt: skip
    today = bars(ns("19:00", BEFORE), [3] * 600, roll=roll)
    sold = {
        BEFORE: trades(ns("09:30", BEFORE), [(k, k % 7, 3) for k in range(600)] + [(34_000, 1, 2), (34_010, 30, 2)]),
        DT: trades(ns("19:00", BEFORE), [(0.5, 2, 1), (60, 3, 1)]),
    }
    found = rows_of({BEFORE: day, DT: today}, sold)
    start = pl.lit(ns("19:00", BEFORE)).cast(TIMESTAMP)  # 00:00 UTC
    moved = found.filter(pl.col("ts_source_first") < start)
    assert {"PDH", "PDL", "PDC", "ROUND100", "HVN", "SWH", "VWAP"} <= set(moved["level_type"].cast(pl.String))
    early = moved.filter((pl.col("valid_from") < start) | (pl.col("ts_source_last") < start))
    if roll:
        assert early.is_empty()
    else:
        assert {"PDH", "HVN", "ROUND100", "SWH", "VWAP"} <= set(early["level_type"].cast(pl.String))
    high = found.filter(pl.col("level_type").cast(pl.String) == "PDH")["price_int"]
    assert high.to_list() == [SPOT + 12 * TICK + roll]


@pytest.mark.parametrize(
    ("dt", "needed"),
    [
        (date(2024, 3, 11), [date(2024, 3, 7), date(2024, 3, 8), date(2024, 3, 11)]),  # a Monday
        (date(2024, 3, 13), [date(2024, 3, 11), date(2024, 3, 12), date(2024, 3, 13)]),
        (date(2024, 4, 1), [date(2024, 3, 27), date(2024, 3, 28), date(2024, 4, 1)]),  # after Good Friday
    ],
)
def test_trades_are_read_of_the_dates_of_the_session_and_of_the_one_before(dt: date, needed: list[date]):
    empty = trades(ns("09:30", dt), [])
    week = [Held(day, empty) for day in partition_dates(dt - timedelta(days=7), dt + timedelta(days=1))]
    assert [one.dt for one in traded_dates(week, dt, SETTINGS)] == needed  # pyright: ignore[reportArgumentType]
    assert not any(one.reads for one in week)
    assert traded_dates([], dt, SETTINGS) == []


@pytest.mark.parametrize("missing", [None, "a candle", "trades of the evening before"])
def test_nodes_are_partial_where_a_candle_or_the_trades_of_a_date_are_missing(missing: str | None):
    evening, monday = date(2024, 3, 4), BEFORE
    count = (PRIOR.close - PRIOR.open) // BAR
    held = bars(PRIOR.open, [1] * count, label=BEFORE)
    if missing == "a candle":
        held = held.filter(pl.int_range(pl.len()) != 40)
    midnight = pl.lit(ns("19:00", evening)).cast(TIMESTAMP)
    candles = {
        evening: held.filter(pl.col("bar_start") < midnight),
        monday: held.filter(pl.col("bar_start") >= midnight),
        DT: bars(ns("19:00", BEFORE), [3] * 30),
    }
    sold = {day: trades(ns("18:30", evening), [(9000 * k, 2, 3)]) for k, day in enumerate(candles)}
    if missing == "trades of the evening before":
        del sold[evening]
    nodes = rows_of(candles, sold).filter(pl.col("level_type").cast(pl.String) == "HVN")
    assert nodes["is_partial_source"].to_list() == [missing is not None]
