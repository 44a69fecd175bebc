"""Sample rows of candles, levels and the conditions of a move; see `samples`."""

from __future__ import annotations

from datetime import date
from typing import Any

from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s

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
        "group_id": f"{identity}@{begin}",
        "tags": [name],
        "is_placebo": placebo,
        "placebo_of": identity if placebo else None,
        "placebo_shift_ticks": 17 if placebo else None,
        "placebo_seed": 42 if placebo else None,
    }


def _second(index: int) -> Row:
    return {
        "contract": "ESH4",
        "session_date": date(2024, 1, 2),
        "window_end": START + (index + 1) * SECOND,
        "spot_ref_price_int": SPOT,
        "valid": index > 0,
    }


def move_measure(index: int) -> Row:
    """The first second is not valid."""
    sums = {"q0": 100, "q1": 90, "add": 40, "pull": 30, "fill": 20, "away": 5, "toward": 3, "c0": 8.5, "c1": 8.75}
    row = _second(index) | {
        "msgs": 40,
        "absorb": 2.5,
        "queue_imb": 0.25,
        "spread_ticks": 1,
        "mid2_int": 2 * SPOT - TICK,
    }
    for name in MoveMeasure1s.columns:
        if name not in row:
            row[name] = sums.get(name.split("_")[0], 2)
    if not row["valid"]:
        kept = {*_second(index), "msgs"}
        row = {name: value if name in kept else None for name, value in row.items()}
    return row


def move_scale(index: int) -> Row:
    """A fit over whole days, and half hours from midnight, of the last of which nothing is known."""
    fit, known = index == 0, index < 3
    return {
        "tod_bucket": index - 1,
        "measure": "micro_price" if fit else "n_ask",
        "horizon_s": 1 if fit else 5,
        "median": -0.2 if known and not fit else None,
        "mad": 0.3 if known and not fit else None,
        "value_json": "[-0.25, 0.0, 0.25]" if fit else None,
        "n_sessions": 20 if known else 0,
        "n_rows": 30_000 if known else 0,
        "last_dt_used": date(2023, 12, 29) if known else None,
    }


def move_conditions(index: int) -> Row:
    """The first second is not valid."""
    row = _second(index) | {"scale_provisional": False}
    for name, column in MoveConditions1s.columns.items():
        if name in row:
            continue
        words = {"state_name": "ask_vacuum", "thesis_from": "break", "state_dn": 12, "state_up": 3}
        value: Any = next((word for start, word in words.items() if name.startswith(start)), 0.25)
        if name.startswith("drive_up"):
            value = -0.25
        row[name] = value if row["valid"] else None
        assert column.nullable
    return row
