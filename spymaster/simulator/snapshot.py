"""The snapshot at the head of a UTC day's file: every resting order as an add that is flagged and dated as such."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CLEAR,
    F_BAD_TS_RECV,
    F_LAST,
    F_SNAPSHOT,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    SIM_PUBLISHER,
    UNDEF_PRICE,
    Records,
    mbo_records,
)

if TYPE_CHECKING:
    from spymaster.simulator.handover import Orders

SnapshotForm: TypeAlias = Literal["clear_terminated", "plain_terminated", "plain_unterminated"]
SNAPSHOT_FORMS: tuple[SnapshotForm, ...] = ("clear_terminated", "plain_terminated", "plain_unterminated")


def snapshot_records(orders: Orders, instrument_id: int, at_ns: int, form: SnapshotForm) -> Records:
    """Snapshot of one instrument, received at `at_ns`: in most files once, at the start of the UTC date.

    `clear_terminated` begins with a clear and lists orders by the time they took their place, whatever their price; the
    plain forms list bids, then asks, queue by queue. All but `plain_unterminated` set F_LAST on the last record.
    """
    clear = form == "clear_terminated"
    n = len(orders)
    records = mbo_records(n + clear)
    records["publisher_id"], records["instrument_id"] = SIM_PUBLISHER, instrument_id
    records["flags"] = F_SNAPSHOT | F_BAD_TS_RECV
    records["ts_recv"] = at_ns
    if clear:
        first = records[:1]
        first["action"], first["side"], first["price"], first["ts_event"] = ACTION_CLEAR, SIDE_NONE, UNDEF_PRICE, at_ns
    order = np.argsort(orders.ts, kind="stable") if clear else np.arange(n)
    adds = records[int(clear) :]
    adds["action"] = ACTION_ADD
    adds["ts_event"] = orders.ts[order]
    adds["order_id"] = orders.order_id[order]
    adds["price"] = orders.price[order]
    adds["size"] = orders.size[order]
    adds["side"] = np.where(orders.side[order] == 0, SIDE_BID, SIDE_ASK)
    adds["sequence"] = orders.sequence[order]
    if form != "plain_unterminated" and len(records):
        records["flags"][-1] |= F_LAST
    return records
