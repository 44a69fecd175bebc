"""Made-up sessions of options for tests: quotes that are set to the point, as records, and the future beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from spymaster.market.dbn import (
    ACTION_ADD,
    ACTION_CANCEL,
    ACTION_CLEAR,
    ACTION_MODIFY,
    ACTION_TRADE,
    F_BAD_TS_RECV,
    F_LAST,
    F_SNAPSHOT,
    MBO_DTYPE,
    SIDE_ASK,
    SIDE_BID,
    SIDE_NONE,
    UNDEF_PRICE,
)
from spymaster.options.chain import Chain
from spymaster.options.quotes import OptionPass
from spymaster.settings import OptionSettings
from spymaster.tables.option_forward_1s import OptionForward1s
from spymaster.tables.option_quote_1s import OptionQuote1s
from spymaster.tables.types import TIMESTAMP
from spymaster_tests.options.definitions import CONTRACT, MIDNIGHT

SECOND = 1_000_000_000
START = int(MIDNIGHT.timestamp()) * SECOND
DT = date(2026, 1, 6)
RATE = 0.04


class OptionMarket:
    """One order a side and option; `set` moves them. Seconds count from the start of the date; prices are points."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []
        self._prices: dict[tuple[int, int], int] = {}

    def snapshot(self, ids: Iterable[int], *, clear: bool = True, second: float = 0, complete: bool = True) -> None:
        """An empty book of each, known by a publisher's clear or not; if not `complete`, from its next record."""
        flags = F_SNAPSHOT | F_BAD_TS_RECV | (F_LAST if complete else 0)
        for one in ids:
            for side in (SIDE_BID, SIDE_ASK):
                self._prices.pop((one, side), None)
            if clear:
                self._put(second, one, 0, UNDEF_PRICE, 0, flags, ACTION_CLEAR, SIDE_NONE)

    def set(self, second: float, one: int, bid: float | None, ask: float | None, size: int = 5) -> None:
        """Best bid and ask of an option from then on; None for none."""
        for side, price in ((SIDE_BID, bid), (SIDE_ASK, ask)):
            exact = None if price is None else round(price * 1e9)
            before = self._prices.get((one, side))
            if exact == before:
                continue
            order = 2 * one + (side == SIDE_ASK)
            action = ACTION_CANCEL if exact is None else ACTION_ADD if before is None else ACTION_MODIFY
            self._put(second, one, order, before if exact is None else exact, size, F_LAST, action, side)  # type: ignore[arg-type]
            if exact is None:
                del self._prices[one, side]
            else:
                self._prices[one, side] = exact

    def trade(self, second: float, one: int, price: float, size: int, side: int = SIDE_BID) -> None:
        """A print, of a buyer unless another aggressor is named."""
        self._put(second, one, 0, round(price * 1e9), size, F_LAST, ACTION_TRADE, side)

    def _put(self, second: float, one: int, order: int, price: int, size: int, flags: int, action: int, side: int):
        self.rows.append((START + round(second * 1e9), one, order, price, size, flags, action, side))

    def records(self) -> np.ndarray:
        """All of it in order of time."""
        made = np.zeros(len(self.rows), MBO_DTYPE)
        names = ("ts_event", "instrument_id", "order_id", "price", "size", "flags", "action", "side")
        for name, values in zip(names, zip(*self.rows, strict=True), strict=True):
            made[name] = values
        made["ts_recv"] = made["ts_event"]
        return made[np.argsort(made["ts_event"], kind="stable")]


def future(first: int, mids: Iterable[float | None], *, half: float = 0.125) -> pl.DataFrame:
    """Snapshot rows of the future from the second `first` on: best prices around each mid; None for an unknown book."""
    rows = list(mids)
    known = [mid is not None for mid in rows]
    mid = [0.0 if one is None else one for one in rows]
    return pl.DataFrame(
        {
            "window_end": pl.Series([START + (first + k) * SECOND for k in range(len(rows))], dtype=pl.Int64),
            "book_valid": known,
            "best_bid_price_int": [round((one - half) * 1e9) for one in mid],
            "best_ask_price_int": [round((one + half) * 1e9) for one in mid],
            "mid_price": mid,
        },
        schema_overrides={"best_bid_price_int": pl.Int64, "best_ask_price_int": pl.Int64, "mid_price": pl.Float64},
    ).with_columns(pl.col("window_end").cast(TIMESTAMP))


def run(
    market: OptionMarket | np.ndarray,
    definitions: pl.DataFrame,
    snapshot: pl.DataFrame,
    *,
    chunk: int = 10_000,
    settings: Mapping[str, Any] | None = None,
    **options: Any,
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Quotes and forwards of a session, their contracts kept, and the counters."""
    chosen = OptionSettings.model_validate({"rate": RATE, **(settings or {})})
    records = market if isinstance(market, np.ndarray) else market.records()
    done = OptionPass(
        (records[at : at + chunk] for at in range(0, len(records), chunk)),
        chain=Chain.universe(definitions, DT, CONTRACT, chosen),
        snapshot=snapshot,
        contract=CONTRACT,
        future_tick=0.25,
        settings=chosen,
        **options,
    )
    frames = list(done)
    quotes = pl.concat([OptionQuote1s.empty(), *(frame["option_quote_1s"] for frame in frames)])
    forwards = pl.concat([OptionForward1s.empty(), *(frame["option_forward_1s"] for frame in frames)])
    return OptionQuote1s.validate(quotes), OptionForward1s.validate(forwards), done.counters
