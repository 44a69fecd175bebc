"""Sample rows of the tables about options; see `samples`."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

SECOND = 1_000_000_000
START = 1_704_207_600 * SECOND
"""2024-01-02 15:00:00 UTC."""
CLOSE = START + 6 * 3_600 * SECOND
POINT = 1_000_000_000
SPOT = 4800 * POINT


def option_definition(index: int) -> Row:
    """A call, a put, a spread that a user defined, and a call that is withdrawn."""
    option = index != 2
    return {
        "instrument_id": 42_000 + index,
        "ts_recv": START + index,
        "contract": f"E1DF4 {'CP'[index % 2]}4800" if option else "UD:1V: VT 0102",
        "asset": "E1D" if option else "ES",
        "instrument_class": "CPTC"[index],
        "right": "CP"[index % 2] if option else None,
        "strike_price_int": SPOT if option else None,
        "expiration": CLOSE if option else None,
        "underlying": "ESH4" if option else None,
        "underlying_id": 17077 if option else None,
        "tick_size_int": POINT // 20 if option else None,
        "multiplier": 50.0,
        "currency": "USD",
        "exchange": "XCME",
        "is_user_defined": not option,
        "is_deleted": index == 3,
    }


def statistics(index: int) -> Row:
    """A settlement, open interest, a volume, and the settlement withdrawn."""
    priced = index in (0, 3)
    return {
        "instrument_id": 42_000,
        "publisher_id": 1,
        "stat_type": (3, 9, 6, 3)[index],
        "price_int": 12 * POINT if priced else None,
        "quantity": None if priced else 3_000,
        "ts_ref": None if index == 2 else START - 86_400 * SECOND,
        "ts_event": START + index,
        "ts_recv": START + index,
        "update": "delete" if index == 3 else "new",
        "stat_flags": 0,
        "channel_id": 1,
        "sequence": 7 + index,
    }


def option_mbo(index: int) -> Row:
    """An order entered, cancelled, the book cleared, and a trade."""
    return {
        "instrument_id": 42_000 + index % 2,
        "publisher_id": 1,
        "ts_event": START + index,
        "ts_recv": START + index + 90_000,
        "order_id": 7_800_000_000_000 + index,
        "price_int": None if index == 2 else 12 * POINT,
        "size": 3,
        "flags": 0x82,
        "channel_id": 1,
        "action": "ACRT"[index],
        "side": "BANB"[index],
        "ts_in_delta": 14_000,
        "sequence": 1000 + index,
    }


def option_quote(index: int) -> Row:
    """Priced but for the second row, whose ask is gone."""
    priced = index != 1
    return {
        "window_end": START + (index + 1) * SECOND,
        "instrument_id": 42_000,
        "bid_price_int": 12 * POINT,
        "bid_qty": 10,
        "ask_price_int": 12 * POINT + POINT // 4 if priced else None,
        "ask_qty": 8 if priced else None,
        "mid": 12.125 if priced else None,
        "buy_volume": 2,
        "sell_volume": 1,
        "add_qty": 18,
        "pull_qty": 9,
        "valid": True,
        "iv": 0.14 if priced else None,
        "delta": 0.51 if priced else None,
        "gamma": 0.012 if priced else None,
        "reject_reason": None if priced else "one_sided",
    }


def option_forward(index: int) -> Row:
    """By the future, then by parity, then unknown."""
    source = ("future", "future", "parity", "none")[index]
    paired = source != "none"
    return {
        "window_end": START + (index + 1) * SECOND,
        "expiration": CLOSE,
        "underlying": "ESH4",
        "years": 0.0007,
        "forward": 4800.125 if paired else None,
        "forward_source": source,
        "parity_forward": 4800.2 if paired else None,
        "parity_width_ticks": 0.4 if paired else None,
        "parity_strikes": 8 if paired else 0,
        "parity_gap_ticks": 0.3 if source == "future" else None,
        "atm_iv": 0.14 if paired else None,
    }


def gex_surface(index: int) -> Row:
    """Two strikes in each of two seconds; of the second one no put is known."""
    second, higher = divmod(index, 2)
    puts = not higher
    row: Row = {
        "window_end": START + (second + 1) * SECOND,
        "underlying": "ESH4",
        "spot_ref_price_int": SPOT,
        "window_valid": True,
        "strike_price_int": SPOT + 5 * higher * POINT,
        "strike_points": 4800.0 + 5 * higher,
        "rel_ticks": 20 * higher,
        "gamma_call": 0.012,
        "gamma_put": 0.012 if puts else None,
        "iv": 0.14,
        "oi_call": 900,
        "oi_put": 700 if puts else None,
        "gex_call": 9e6,
        "gex_put": -7e6 if puts else None,
        "gex_abs": 16e6 if puts else 9e6,
        "gex": 2e6 if puts else 9e6,
        "gex_imbalance_ratio": 0.125 if puts else 1.0,
        "gex_share": 0.4,
        "flow_gex": -1e6,
        "moneyness": 0.1 * higher,
    }
    for name in ("gex_abs", "gex", "gex_imbalance_ratio"):
        row |= {f"d{order}_{name}": 0.1 if second else None for order in (1, 2, 3)}
    return row


def gex_level(index: int) -> Row:
    """Minutes with two roots, one, none, and nothing priced."""
    priced = index < 3
    return {
        "window_end": START + (index + 1) * 60 * SECOND,
        "underlying": "ESH4",
        "spot_ref_price_int": SPOT,
        "call_wall_price_int": SPOT + 50 * POINT if priced else None,
        "put_wall_price_int": SPOT - 50 * POINT if priced else None,
        "zero_gamma_price_int": ([SPOT - POINT, SPOT + POINT], [SPOT], [], None)[index],
        "gex_total": 2e8 if priced else None,
        "gex_abs_total": 9e8 if priced else None,
        "flow_gex_total": -1e7 if priced else None,
        "vanna_exposure": 4e6 if priced else None,
        "charm_exposure": -3e6 if priced else None,
        "priced_series": 300 if priced else 0,
        "oi_share": 0.97 if priced else None,
    }
