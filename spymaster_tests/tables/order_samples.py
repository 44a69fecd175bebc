"""Sample rows of what orders did; see `samples`."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

SECOND = 1_000_000_000
START = 1_704_207_600 * SECOND
TICK = 250_000_000
SPOT = 4800 * 4 * TICK


def order_event(index: int) -> Row:
    """An entry, a reprice, a refill and an implied print."""
    kind = ("add", "reprice", "refill", "trade_implied")[index]
    return {
        "ts_event": START + index * 1000,
        "ts_recv": START + index * 1000 + 90_000,
        "contract": "ESH4",
        "sequence": 100 + index,
        "event_id": index,
        "kind": kind,
        "side": ("B", "B", "A", "N")[index],
        "order_id": (7, 7, 8, 0)[index],
        "price_int": SPOT - TICK,
        "prev_price_int": SPOT - 2 * TICK if kind == "reprice" else None,
        "qty": (5, 5, 3, 2)[index],
        "size_before": (0, 5, 10, None)[index],
        "size_after": (5, 5, 10, None)[index],
        "dist_ticks": (0, -1, None, None)[index],
        "rel_ticks": None if index == 0 else -1,
        "book_valid": index != 2,
    }


def order_life(index: int) -> Row:
    """Cancelled, repriced and filled, of a snapshot, and open at the end."""
    known = index != 2
    return {
        "order_id": 7 + index,
        "contract": "ESH4",
        "side": "BA"[index % 2],
        "ts_add": START,
        "ts_end": START + index * 1000,
        "ts_last_reprice": START + 500 if index == 1 else None,
        "event_id_add": index if known else None,
        "event_id_end": None if index == 3 else 10 + index,
        "end_reason": ("cancel", "fill", "cancel", "open")[index],
        "known_add": known,
        "size0": 5,
        "price_int_add": SPOT,
        "dist_add": (0, None, None, 3)[index],
        "filled_qty": 5 if index == 1 else 0,
        "max_displayed": 6,
        "n_reprice": 1 if index == 1 else 0,
        "n_size_up": 1,
        "n_size_down": 0,
        "n_refill": 0,
        "queue_ahead_add": 12 if known else None,
    }
