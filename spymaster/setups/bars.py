"""Candles as episodes see them, and the episodes at which a candle met a level (`gold.setup_episode`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from spymaster.setups.trigger_kernels import triggers
from spymaster.tables.candle_2m import BAR_NS

LOOK_BACK_BARS: Final = 6
"""Of the look-back, trigger and confirmation included."""
LABEL_BARS: Final = 3
CANDLE_COLUMNS: Final = (
    "bar_index", "candle_id", "bar_start", "high_price_int", "low_price_int", "close_price_int", "is_complete",
    "is_halt", "is_carry",
)  # fmt: skip
"""Columns that episodes and outcomes read of `silver.candle_2m`."""


@dataclass(frozen=True)
class Bars:
    """Arrays of one value per candle of a date, in order; prices in 1e-9, 0 where `priced` is false."""

    bar: np.ndarray
    number: np.ndarray
    start: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    priced: np.ndarray
    traded: np.ndarray
    complete: np.ndarray
    halted: np.ndarray

    @classmethod
    def of(cls, candles: pl.DataFrame) -> Bars:
        """From rows with `CANDLE_COLUMNS`."""
        priced = candles["close_price_int"].is_not_null()
        high, low, close = (candles[f"{name}_price_int"].fill_null(0).to_numpy() for name in ("high", "low", "close"))
        return cls(
            candles["bar_index"].to_numpy().copy(),
            candles["candle_id"].to_numpy(),
            candles["bar_start"].to_physical().to_numpy().copy(),
            high.copy(),
            low.copy(),
            close.copy(),
            priced.to_numpy().copy(),
            (priced & ~candles["is_carry"]).to_numpy(),
            candles["is_complete"].to_numpy(),
            candles["is_halt"].to_numpy(),
        )

    def at(self, bar: np.ndarray) -> np.ndarray:
        """int64: index of each bar number; -1 where there is no such candle."""
        index = np.searchsorted(self.bar, bar)
        inside = np.minimum(index, max(len(self.bar) - 1, 0))
        return np.where((index < len(self.bar)) & (self.bar[inside] == bar), index, -1) if len(self.bar) else index - 1

    def whole(self, last: np.ndarray, count: int) -> np.ndarray:
        """Boolean: the candle of each bar number and the `count` - 1 before it are there, complete and not halted."""
        good = self.bar[self.complete & ~self.halted]
        upto, before = (np.searchsorted(good, one, side="right") for one in (last, last - count))
        return upto - before == count


def trigger_rows(levels: pl.DataFrame, bars: Bars, tick: int) -> pl.DataFrame:
    """One row per candle that met a level and was followed by another: level, bar, direction and both kinds.

    Of meetings that come close together every one is here; `episodes.rested` says which are episodes.

    levels: rows with `touches.LEVEL_COLUMNS` in order of level_id and valid_from; tick in 1e-9. `level` is the row of
    `levels`; `index` and `confirm` are those of the trigger candle and of the next one in `bars`.
    """
    track = levels["level_id"].rle_id().cast(pl.Int64).to_numpy()
    begin, end = (levels[name].to_physical().to_numpy() for name in ("valid_from", "valid_to"))
    usable = bars.traded & ~bars.halted
    room = 100_000
    while True:
        found = np.zeros((room, 4), dtype=np.int64)
        count = triggers(
            track.copy(), levels["price_int"].to_numpy().copy(), begin.copy(), end.copy(), bars.bar, bars.start,
            bars.high, bars.low, bars.close, usable, bars.priced, tick, found,
        )  # fmt: skip
        if count <= room:
            break
        room = count
    level, index, way, kind = found[:count].T
    confirm = bars.at(bars.bar[index] + 1) if count else index
    there = confirm >= 0
    level, index, way, kind, confirm = (one[there] for one in (level, index, way, kind, confirm))
    beyond = way * (bars.close[confirm] - levels["price_int"].to_numpy()[level])
    return pl.DataFrame(
        {
            "level": level,
            "index": index,
            "confirm": confirm,
            "direction": way,
            "trigger_kind": pl.Series(kind).replace_strict(
                {0: "cross", 1: "pierce", 2: "touch"}, return_dtype=pl.String
            ),
            "confirm_kind": np.select([beyond >= tick, beyond <= -tick], ["hold", "fail"], "inside"),
        }
    )


def decided(bars: Bars, confirm: np.ndarray) -> np.ndarray:
    """int64: end of the confirmation candle, ns UTC."""
    return bars.start[confirm] + BAR_NS
