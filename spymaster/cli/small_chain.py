"""A handful of options for `compile`: definitions, open interest and orders of strikes around the small market's price.

Quotes come, move, trade and go often enough that every kernel that reads options has something to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spymaster.market import dbn
from spymaster.market.definition_records import encode_definition

POINT = 1_000_000_000
SECOND_NS = 1_000_000_000
TICK_INT = 50_000_000
STRIKES, STEP = 9, 5
FIRST_ID = 1_000
OPEN_INTEREST = 9
"""Statistics type."""
_EXPIRES_AFTER = 6 * 3_600 * SECOND_NS
_EVERY = 10
"""Seconds from one quote of an option to the next."""


def options(spot: int) -> list[tuple[int, str, int]]:
    """(instrument id, C or P, strike in points) around a price in points."""
    strikes = [spot + STEP * (k - STRIKES // 2) for k in range(STRIKES)]
    return [(FIRST_ID + 2 * k + (right == "P"), right, one) for k, one in enumerate(strikes) for right in "CP"]


def symbol(right: str, strike: int) -> str:
    """Name of an option."""
    return f"E1BF6 {right}{strike}"


def write_option_files(
    folders: Mapping[str, Path], stem: str, start: int, end: int, spot: int, contract: str, contract_id: int
) -> None:
    """Write definition, statistics and order files into the folders of these tables; times in ns, `spot` in points."""
    listed = options(spot)
    common: dict[str, Any] = {
        "dataset": dbn.SIM_DATASET, "start_ns": start, "end_ns": end,
        "symbols": {symbol(right, strike): number for number, right, strike in listed},
    }  # fmt: skip
    names = {
        "definition": "definition", "statistics": "statistics", "market_by_order_dbn": "mbo",
    }  # fmt: skip
    paths = {table: folders[table] / f"{stem}.{name}.dbn.zst" for table, name in names.items()}
    with dbn.DbnWriter(paths["definition"], schema="definition", **common) as writer:
        for number, right, strike in listed:
            writer.write_encoded(
                encode_definition(
                    raw_symbol=symbol(right, strike), instrument_id=number, asset=contract[:2], instrument_class=right,
                    tick_size_int=TICK_INT, ts_recv=start, expiration=start + _EXPIRES_AFTER, activation=start,
                    contract_multiplier=50, unit_of_measure_qty=50 * POINT, security_type="OOF",
                    underlying=contract, underlying_id=contract_id, strike_price=strike * POINT,
                )
            )  # fmt: skip
    with dbn.DbnWriter(paths["statistics"], schema="statistics", **common) as writer:
        for number, _, _ in listed:
            writer.write_encoded(_open_interest(number, start))
    with dbn.DbnWriter(paths["market_by_order_dbn"], **common) as writer:
        writer.write(records(start, end, spot))


def records(start: int, end: int, spot: int) -> np.ndarray:
    """Orders of every option: both sides come, the bid moves, the ask trades, and all go before the next ones come.

    An empty snapshot comes first: without one no quote is valid.
    """
    listed = dbn.F_SNAPSHOT | dbn.F_LAST
    rows: list[tuple[int, int, int, int, int, int, int, int]] = [  # ts, instrument, order, price, size, flags, ...
        (start, number, 0, dbn.UNDEF_PRICE, 0, listed, dbn.ACTION_CLEAR, dbn.SIDE_NONE)
        for number, _, _ in options(spot)
    ]
    order = 0
    for second in range(0, (end - start) // SECOND_NS - _EVERY, _EVERY):
        for k, (number, right, strike) in enumerate(options(spot)):
            inside = max(spot - strike if right == "C" else strike - spot, 0)
            ticks = 20 * inside + round(120 * float(np.exp(-abs(spot - strike) / 15.0))) + second % 3
            ts, bid, ask = start + second * SECOND_NS + k * 1_000_000, (ticks - 2) * TICK_INT, (ticks + 2) * TICK_INT
            first, second_id, last = order + 1, order + 2, dbn.F_LAST
            order += 2
            rows += [
                (ts, number, first, bid, 9, last, dbn.ACTION_ADD, dbn.SIDE_BID),
                (ts + 1_000, number, second_id, ask, 9, last, dbn.ACTION_ADD, dbn.SIDE_ASK),
                (ts + 3 * SECOND_NS, number, first, bid + TICK_INT, 9, last, dbn.ACTION_MODIFY, dbn.SIDE_BID),
                (ts + 5 * SECOND_NS, number, 0, ask, 2, 0, dbn.ACTION_TRADE, dbn.SIDE_BID),
                (ts + 5 * SECOND_NS, number, second_id, ask, 2, 0, dbn.ACTION_FILL, dbn.SIDE_ASK),
                (ts + 5 * SECOND_NS, number, second_id, ask, 7, last, dbn.ACTION_MODIFY, dbn.SIDE_ASK),
                (ts + 9 * SECOND_NS, number, first, bid + TICK_INT, 9, last, dbn.ACTION_CANCEL, dbn.SIDE_BID),
                (ts + 9 * SECOND_NS + 1_000, number, second_id, ask, 7, last, dbn.ACTION_CANCEL, dbn.SIDE_ASK),
            ]  # fmt: skip
    rows.sort(key=lambda row: row[0])
    made = dbn.mbo_records(len(rows))
    names = ("ts_event", "instrument_id", "order_id", "price", "size", "flags", "action", "side")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        made[name] = values
    made["publisher_id"], made["channel_id"] = dbn.SIM_PUBLISHER, 1
    made["ts_recv"] = made["ts_event"] + 100_000
    made["sequence"] = np.arange(1, len(rows) + 1)
    return made


def _open_interest(number: int, start: int) -> bytes:
    import databento_dbn

    made: Any = databento_dbn.StatMsg
    kind = databento_dbn.StatType.from_int(OPEN_INTEREST)
    new: Any = databento_dbn.StatUpdateAction
    return bytes(
        made(
            dbn.SIM_PUBLISHER, number, start, start, start - 86_400 * SECOND_NS, dbn.UNDEF_PRICE, 500 + number, kind,
            channel_id=1, update_action=new.NEW,
        )
    )  # fmt: skip
