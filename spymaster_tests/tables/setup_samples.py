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
