"""What a roll is worth: the mids of two contracts in the snapshot that a date's file opens with."""

from __future__ import annotations

from typing import Final

import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.dbn import F_SNAPSHOT

_COLUMNS: Final = ("action", "side", "price_int", "flags")


def roll_adjustment(mbo: Partition, old: str, new: str) -> int | None:
    """Mid of `new` minus mid of `old`, 1e-9; None where one of them has no two-sided book in the opening snapshot.

    mbo: the `bronze.future_mbo` partition of the first date of the new contract.
    """
    mids = [opening_mid2(mbo, contract) for contract in (new, old)]
    return None if mids[0] is None or mids[1] is None else (mids[0] - mids[1]) // 2


def opening_mid2(mbo: Partition, contract: str) -> int | None:
    """Best bid plus best ask (1e-9) of the snapshot at the head of a contract's records; None where a side is empty."""
    bid_seen: list[int] = []
    ask_seen: list[int] = []
    for batch in mbo.batches(_COLUMNS, contract=contract):
        live = batch.with_row_index().filter(((pl.col("flags") & F_SNAPSHOT) == 0) & (pl.col("action") != "R"))
        head = batch if live.is_empty() else batch.head(int(live["index"][0]))
        orders = head.filter((pl.col("action") == "A") & pl.col("price_int").is_not_null())
        bids, asks = (orders.filter(pl.col("side") == side)["price_int"].to_list() for side in "BA")
        bid, ask = max([*bids, *bid_seen], default=None), min([*asks, *ask_seen], default=None)
        bid_seen, ask_seen = [bid] if bid is not None else [], [ask] if ask is not None else []
        if not live.is_empty():
            break
    return bid_seen[0] + ask_seen[0] if bid_seen and ask_seen else None
