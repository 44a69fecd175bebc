"""The chain's engine against a slow book of dictionaries, on random streams of many instruments."""

from __future__ import annotations

import numpy as np
import pytest

from spymaster.book.chain import layout as la
from spymaster.book.chain.engine import ChainEngine
from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_FILL,
    ACTION_MODIFY,
    ACTION_TRADE,
    F_BAD_TS_RECV,
    F_LAST,
    F_MAYBE_BAD_BOOK,
    F_SNAPSHOT,
    MBO_DTYPE,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    UNDEF_PRICE,
)
from spymaster_tests.book.slow_chain import SECOND, SlowChain

START = 1_767_711_600 * SECOND
TICK = 50_000_000
IDS = [900_001 + 7 * number for number in range(70)]
STRANGER = 5
COLUMNS = (
    "window_end", "instrument_id", "bid_price_int", "bid_qty", "ask_price_int", "ask_qty", "buy_volume", "sell_volume",
    "add_qty", "pull_qty", "valid",
)  # fmt: skip


def stream(seed: int, messages: int, *, snapshot: bool = False) -> np.ndarray:
    """Orders of many instruments that come, change, are filled and go; some of what is odd in feeds."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, int, int, int, int, int, int]] = []
    live: dict[tuple[int, int], list[int]] = {}
    ts, fresh = START, 0
    if snapshot:
        for instrument in IDS:
            if rng.random() < 0.5:
                rows.append((START, instrument, 0, UNDEF_PRICE, 0, F_SNAPSHOT, ACTION_CLEAR, SIDE_NONE))
            for _ in range(rng.integers(0, 6)):
                fresh += 1
                side = SIDE_BID if rng.random() < 0.5 else SIDE_ASK
                price = int(rng.integers(200, 210) if side == SIDE_BID else rng.integers(211, 220)) * TICK
                rows.append((START, instrument, fresh, price, 5, F_SNAPSHOT, ACTION_ADD, side))
                live[instrument, fresh] = [price, 5, side]
            if rows and rng.random() < 0.8:
                rows[-1] = (*rows[-1][:5], rows[-1][5] | F_LAST, *rows[-1][6:])
    while len(rows) < messages:
        ts += int(rng.exponential(20_000_000))
        instrument = int(rng.choice(IDS)) if rng.random() < 0.99 else STRANGER
        mine = [key for key in live if key[0] == instrument]
        draw = rng.random()
        side = SIDE_BID if rng.random() < 0.5 else SIDE_ASK
        price = int(rng.integers(195, 212) if side == SIDE_BID else rng.integers(209, 226)) * TICK
        size = int(rng.integers(1, 30))
        if draw < 0.4 or not mine:
            fresh += 1
            again = mine and rng.random() < 0.02  # an id that is there already
            order = mine[int(rng.integers(len(mine)))][1] if again else fresh
            rows.append((ts, instrument, order, price, size, F_LAST, ACTION_ADD, side))
            live[instrument, order] = [price, size, side]
            continue
        key = mine[int(rng.integers(len(mine)))]
        old_price, left, old_side = live[key]
        if draw < 0.6:
            gone = left if rng.random() < 0.8 else int(rng.integers(1, left + 3))
            rows.append((ts, instrument, key[1], old_price, gone, F_LAST, ACTION_CANCEL, old_side))
            if gone >= left:
                del live[key]
            else:
                live[key][1] -= gone
        elif draw < 0.8:
            new_price = old_price if rng.random() < 0.4 else price
            new_side = old_side if new_price == old_price else side
            size = 0 if rng.random() < 0.02 else size
            rows.append((ts, instrument, key[1], new_price, size, F_LAST, ACTION_MODIFY, new_side))
            live[key] = [new_price, size, new_side]
            if size == 0:
                del live[key]
        elif draw < 0.95:
            filled = int(rng.integers(1, left + 1))
            taker = SIDE_ASK if old_side == SIDE_BID else SIDE_BID
            rows.append((ts, instrument, 0, old_price, filled, 0, ACTION_TRADE, taker))
            rows.append((ts, instrument, key[1], old_price, filled, 0, ACTION_FILL, old_side))
            rows.append((ts, instrument, key[1], old_price, filled, F_LAST, ACTION_CANCEL, old_side))
            live[key][1] -= filled
            if live[key][1] == 0:
                del live[key]
        elif draw < 0.97:
            rows.append((ts, instrument, 10**9 + fresh, price, size, F_LAST, ACTION_CANCEL, side))
        elif draw < 0.99:
            rows.append((ts, instrument, 0, price, size, F_LAST, ACTION_TRADE, SIDE_NONE))
        else:
            rows.append((ts, instrument, 0, UNDEF_PRICE, 0, F_LAST, ACTION_CLEAR, SIDE_NONE))
            for other in mine:
                del live[other]
    made = np.zeros(len(rows), MBO_DTYPE)
    names = ("ts_event", "instrument_id", "order_id", "price", "size", "flags", "action", "side")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        made[name] = values
    made["flags"][rng.random(len(made)) < 0.02] |= F_MAYBE_BAD_BOOK
    made["ts_recv"] = made["ts_event"]
    return made


def rows_of(records: np.ndarray, chunk: int, **options: int) -> list[tuple[int, ...]]:
    engine = ChainEngine(IDS, **options)
    blocks = []
    for start in range(0, len(records), chunk):
        blocks += engine.process(records[start : start + chunk])
    blocks += engine.finish()
    columns = [np.concatenate([block[name] for block in blocks]).tolist() for name in COLUMNS]
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_rows_are_those_of_a_slow_book(seed: int, snapshot: bool):
    records = stream(seed, 6_000, snapshot=snapshot)
    slow = SlowChain(IDS)
    slow.feed(records)
    assert len(slow.rows) > 1_500
    assert rows_of(records, 1_000) == slow.rows


def odd_quotes(*rows: tuple[int, int, int, int, int]) -> list[tuple[int, ...]]:
    """Rows of one instrument from (second, price, flags, action, side) records, each with an order id of its own."""
    made = np.zeros(len(rows), MBO_DTYPE)
    made["instrument_id"], made["order_id"], made["size"] = IDS[0], np.arange(len(rows)), 5
    for name, values in zip(("ts_event", "price", "flags", "action", "side"), zip(*rows, strict=True), strict=True):
        made[name] = values
    made["ts_event"] = START + made["ts_event"] * SECOND
    made["ts_recv"] = made["ts_event"]
    return rows_of(made, 100)


def test_what_a_snapshot_brings_is_nothing_added_and_a_publishers_clear_opens_it():
    clear, live, last = F_BAD_TS_RECV, F_LAST, F_SNAPSHOT | F_LAST
    rows = odd_quotes(
        (0, UNDEF_PRICE, clear, ACTION_CLEAR, SIDE_NONE),
        (0, 10 * TICK, F_SNAPSHOT, ACTION_ADD, SIDE_BID),
        (0, 12 * TICK, last, ACTION_ADD, SIDE_ASK),
        (1, 11 * TICK, live, ACTION_ADD, SIDE_BID),
        (2, 9 * TICK, F_SNAPSHOT, ACTION_ADD, SIDE_BID),
        (3, 8 * TICK, live, ACTION_ADD, SIDE_BID),
    )
    assert [row[0] for row in rows] == [START + k * SECOND for k in (2, 3, 4)]
    assert [(row[8], row[9]) for row in rows] == [(5, 0), (0, 0), (5, 0)], "added and pulled"
    assert [row[10] for row in rows] == [True, False, True], "unknown while a snapshot is under way"
    assert [row[2] for row in rows] == [11 * TICK, 9 * TICK, 9 * TICK]


def test_a_crossed_quote_is_known_and_a_doubted_one_is_not_until_an_event_without_doubt():
    rows = odd_quotes(
        (0, UNDEF_PRICE, F_LAST, ACTION_CLEAR, SIDE_NONE),
        (0, 12 * TICK, F_LAST, ACTION_ADD, SIDE_BID),
        (0, 11 * TICK, F_LAST, ACTION_ADD, SIDE_ASK),
        (1, 10 * TICK, F_LAST | F_MAYBE_BAD_BOOK, ACTION_ADD, SIDE_ASK),
        (2, 10 * TICK, 0, ACTION_ADD, SIDE_ASK),
        (3, 10 * TICK, F_LAST, ACTION_ADD, SIDE_ASK),
    )
    assert [row[10] for row in rows] == [True, False, False, True]


def test_neither_chunks_nor_blocks_change_a_row():
    records = stream(3, 3_000, snapshot=True)
    whole = rows_of(records, len(records))
    assert rows_of(records, 1) == whole
    assert rows_of(records, 7, block_rows=1) == whole


def test_room_grows_for_orders_and_levels():
    """More orders than the engine begins with, all on prices of their own, then all of them gone."""
    n = 20_000
    records = np.zeros(2 * n, MBO_DTYPE)
    records["ts_event"] = START + np.arange(2 * n) * 100_000
    records["instrument_id"] = IDS[3]
    records["order_id"] = np.tile(np.arange(1, n + 1), 2)
    records["price"] = np.tile(1_000 * TICK + np.random.default_rng(1).permutation(n), 2)
    records["size"], records["flags"], records["side"] = 1, F_LAST, SIDE_ASK
    records["action"] = np.repeat([ACTION_ADD, ACTION_CANCEL], n)
    engine = ChainEngine(IDS)
    rows = [*engine.process(records), *engine.finish()]
    assert rows[-1]["ask_price_int"][-1] == la.NO_PRICE
    assert sum(block["add_qty"].sum() for block in rows) == n == sum(block["pull_qty"].sum() for block in rows)
    assert engine.counters["unknown_cancels"] == 0


def test_what_is_odd_is_counted():
    records = stream(1, 6_000)
    engine = ChainEngine(IDS)
    for _ in [*engine.process(records), *engine.finish()]:
        pass
    counters = engine.counters
    assert counters["skipped_instruments"] == (records["instrument_id"] == STRANGER).sum() > 0
    assert counters["records"] == len(records) - counters["skipped_instruments"]
    assert counters["unknown_cancels"] > 0
    assert counters["duplicate_adds"] > 0
    assert counters["cancels_over_size"] > 0
    assert counters["clears"] == (records["action"] == ACTION_CLEAR).sum() > 0


def test_a_chain_needs_instruments():
    with pytest.raises(ValueError, match="without instruments"):
        ChainEngine([])
