"""What one date of a chain leaves to the next, and the snapshot that the next one begins with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spymaster.market.dbn import Records
from spymaster.simulator.handover import Orders
from spymaster.simulator.options.arrays import GTC
from spymaster.simulator.options.chain import TICK_INT, Chain
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS
from spymaster.simulator.snapshot import SnapshotForm, snapshot_records

_CHANNEL = 1


@dataclass(frozen=True)
class ChainCarried:
    """Orders, open interest and inventory by instrument id; strikes by expiration (ns); the exchange's counters.

    The class of an order (`Orders.cls`) is the slot that it rests in.
    """

    orders: dict[int, Orders]
    interest: dict[int, int]
    inventory: dict[int, int]
    strikes: dict[int, frozenset[int]]
    next_id: int
    sequence: int


def slot_orders(slots: np.ndarray, *, day_orders: bool) -> Orders:
    """Orders of one series (`arrays.SLOT` by side and slot) in queue order; those of a session if it is not over."""
    side, slot = np.nonzero(slots["qty"] > 0)
    kept = np.flatnonzero((slot == GTC) | day_orders)
    rows = slots[side, slot]
    better = np.where(side == 0, -rows["px"], rows["px"])
    order = kept[np.lexsort((rows["priority"][kept], better[kept], side[kept]))]
    rows, none = rows[order], np.zeros(len(order), np.int64)
    return Orders(
        order_id=rows["id"], price=rows["px"] * TICK_INT, side=side[order], size=rows["qty"], hidden=none, peak=none,
        cls=slot[order], ts=rows["ts"], sequence=rows["priority"], agent=none,
    )  # fmt: skip


def restore_orders(slots: np.ndarray, orders: Orders) -> None:
    """Put orders back into the slots of their series."""
    for k in range(len(orders)):
        row = slots[orders.side[k], orders.cls[k]]
        row["id"], row["px"], row["qty"] = orders.order_id[k], orders.price[k] // TICK_INT, orders.size[k]
        row["priority"], row["ts"] = orders.sequence[k], orders.ts[k]


def first_orders(state: np.void, chain: Chain, known: dict[int, Orders], seed: list[int]) -> None:
    """Bids of one tick, good till cancelled, that customers left in half of the series nobody knows yet."""
    generator = np.random.Generator(np.random.PCG64(seed))
    day = int(state["day"])
    for i, option in enumerate(chain.options):
        if option.late:
            continue
        there, gap, step = generator.random() < 0.5, int(generator.integers(1, 5)), int(generator.integers(1, 4))
        size, age = int(generator.integers(1, 21)), int(generator.integers(3_600, 20 * DAY_SECONDS))
        if not there or option.instrument_id in known:
            continue
        state["next_id"] += gap
        state["sequence"] += step
        state["slots"][i, 0, GTC] = (1, size, state["sequence"], state["next_id"], day - age * SECOND_NS)


def chain_snapshot(state: np.void, chain: Chain, form: SnapshotForm) -> Records:
    """Snapshot of everything that rests."""
    day = int(state["day"])
    found = np.concatenate([
        snapshot_records(slot_orders(state["slots"][i], day_orders=True), option.instrument_id, day, form)
        for i, option in enumerate(chain.options)
    ])  # fmt: skip
    found["channel_id"] = _CHANNEL
    return found
