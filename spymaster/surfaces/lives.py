"""The pass over orders' messages and lives of a stored session (`silver.order_event`, `silver.order_life`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from spymaster.book.lives.engine import EVENT, LIFE, Block, LifePass
from spymaster.book.lives.layout import NO_PRICE
from spymaster.feed.records import records
from spymaster.lake import Partition
from spymaster.market.instruments import instrument
from spymaster.settings import Settings
from spymaster.surfaces.frames import event_frame, life_frame
from spymaster.surfaces.session import selected_contract

QUOTE_COLUMNS = ("event_id", "bid_price_int", "ask_price_int")
"""Columns of `silver.bbo_change` that the pass reads."""


class LifeFrames:
    """The pass over the records of a contract-day, iterated as blocks `{table: frame}`.

    records: arrays of `market.dbn.MBO_DTYPE` in file order; those of other instruments are skipped. quotes: frames of
    `QUOTE_COLUMNS` of the same contract-day, in order. After exhaustion `counters` holds what was seen.
    """

    def __init__(
        self,
        records: Iterable[np.ndarray],
        quotes: Iterable[pl.DataFrame],
        *,
        contract: str,
        instrument_id: int,
        tick_size_int: int,
        source: str = "records",
    ) -> None:
        self._records = records
        self._contract = contract
        self._pass = LifePass(
            (quote_array(frame) for frame in quotes),
            instrument_id=instrument_id,
            tick_size_int=tick_size_int,
            source=source,
        )

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the pass (`book.lives.layout.COUNTER_NAMES`)."""
        return self._pass.counters

    def __iter__(self) -> Iterator[dict[str, pl.DataFrame]]:
        for chunk in self._records:
            yield from map(self._frames, self._pass.process(chunk))
        yield from map(self._frames, self._pass.finish())

    def _frames(self, block: Block) -> dict[str, pl.DataFrame]:
        return {
            EVENT: event_frame(block[EVENT], self._contract),
            LIFE: life_frame(block[LIFE], self._contract),
        }


def quote_array(frame: pl.DataFrame) -> np.ndarray:
    """`QUOTE_COLUMNS` as an int64 [3, n] array, `NO_PRICE` where a side is empty."""
    return np.stack([frame.get_column(name).fill_null(NO_PRICE).to_numpy() for name in QUOTE_COLUMNS])


def session_lives(
    mbo: Partition,
    selection: Partition,
    definitions: Partition,
    quotes: Partition,
    *,
    settings: Settings | None = None,
) -> LifeFrames:
    """The pass over the selected contract of a date and root.

    mbo, selection, definitions, quotes: partitions of `bronze.future_mbo`, `bronze.contract_day_selection`,
    `bronze.future_definition` and `silver.bbo_change` of the same date and root. Raises `SurfaceInputError` if the
    selected contract has no definition.
    """
    contract, instrument_id, tick_size_int = selected_contract(
        selection, definitions, instrument(mbo.symbol, settings or Settings())
    )
    return LifeFrames(
        records(mbo, contract) if contract else (),
        quotes.batches(QUOTE_COLUMNS),
        contract=contract,
        instrument_id=instrument_id,
        tick_size_int=tick_size_int,
        source=mbo.label,
    )
