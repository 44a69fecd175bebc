"""Sample rows of candles, levels and the conditions of a move; see `samples`."""

from __future__ import annotations

from datetime import date
from typing import Any

Row = dict[str, Any]

SECOND = 1_000_000_000
START = 1_704_207_600 * SECOND
"""2024-01-02 15:00:00 UTC, 15 candles after 09:30 New York."""
TICK = 250_000_000
SPOT = 4800 * 4 * TICK
BAR = 120 * SECOND


def candle(index: int) -> Row:
    """Before the first trade, two with trades, and one carried."""
    priced, traded = index > 0, index in (1, 2)
    high, low = (SPOT + 2 * TICK, SPOT - TICK) if traded else (SPOT, SPOT)
    return {
        "contract": "ESH4",
        "session_date": date(2024, 1, 2),
        "bar_index": START // BAR + index,
        "candle_id": 15 + index,
        "bar_start": START + index * BAR,
        "window_end": START + (index + 1) * BAR,
        "open_price_int": SPOT if priced else None,
        "high_price_int": high if priced else None,
        "low_price_int": low if priced else None,
        "close_price_int": SPOT if priced else None,
        "volume": 60 if traded else 0,
        "buy_volume": 30 if traded else 0,
        "sell_volume": 20 if traded else 0,
        "none_volume": 10 if traded else 0,
        "n_trades": 12 if traded else 0,
        "n_off_market": 1,
        "vwap_price_int": SPOT if traded else None,
        "n_msgs": 900,
        "sigma_bar_ticks": 2.5 if priced else None,
        "sma200": 4799.5 if priced else None,
        "sma400": 4798.25 if priced else None,
        "roll_adj_int": None if index == 3 else 0,
        "is_complete": True,
        "is_halt": index == 0,
        "is_carry": not traded,
    }


def level(index: int) -> Row:
    """A high, two stretches of an average, and a placebo of the high."""
    name = ("ONH", "SMA200", "SMA200", "ONH")[index]
    placebo = index == 3
    begin = START + index * BAR
    identity = f"ES:2024-01-02:{name}:0"
    return {
        "contract": "ESH4",
        "session_date": date(2024, 1, 2),
        "level_id": ("A", "B", "B", "C")[index] + identity,
        "level_type": name,
        "price_int": SPOT + index * TICK,
        "valid_from": begin,
        "valid_to": begin + BAR,
        "ts_source_first": START - 10 * BAR,
        "ts_source_last": begin,
        "is_moving": name == "SMA200",
        "is_partial_source": False,
        "group_id": identity,
        "tags": [name],
        "is_placebo": placebo,
        "placebo_of": identity if placebo else None,
        "placebo_shift_ticks": 17 if placebo else None,
        "placebo_seed": 42 if placebo else None,
    }
