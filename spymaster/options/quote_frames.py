"""Typed frames of what the kernels of `pricing` write: nulls, enumerations, names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from spymaster.book.chain.layout import NO_PRICE
from spymaster.options.chain import Chain
from spymaster.options.pricing import PRICED, UNKNOWN, Forwards, Priced
from spymaster.tables.model import TableModel
from spymaster.tables.option_forward_1s import OptionForward1s
from spymaster.tables.option_quote_1s import OptionQuote1s


def quote_frame(columns: Mapping[str, np.ndarray], priced: Priced) -> pl.DataFrame:
    """`silver.option_quote_1s` of a block of the chain's books and what became of its rows, without unknown options."""
    no_bid, no_ask = columns["bid_price_int"] == NO_PRICE, columns["ask_price_int"] == NO_PRICE
    one_sided, rejected = no_bid | no_ask, priced.reason != PRICED
    with np.errstate(over="ignore"):  # a stand-in for no price makes nonsense, and null
        mid = (columns["bid_price_int"] + columns["ask_price_int"]) * 0.5e-9
    values = {
        **columns,
        "mid": mid,
        "iv": priced.iv,
        "delta": priced.delta,
        "gamma": priced.gamma,
        "reject_reason": np.maximum(priced.reason, 0),
    }
    missing = {
        **dict.fromkeys(("bid_price_int", "bid_qty"), no_bid),
        **dict.fromkeys(("ask_price_int", "ask_qty"), no_ask),
        "mid": one_sided,
        **dict.fromkeys(("iv", "delta", "gamma"), rejected),
        "reject_reason": ~rejected,
    }
    unknown = priced.reason == UNKNOWN
    if unknown.any():
        values = {name: column[~unknown] for name, column in values.items()}
        missing = {name: column[~unknown] for name, column in missing.items()}
    return _frame(OptionQuote1s, values, missing)


def forward_frame(forwards: Forwards, chain: Chain, future_tick: float) -> pl.DataFrame:
    """`silver.option_forward_1s` of the kernels' rows; `future_tick` in points."""
    names = pl.Series("underlying", list(chain.underlyings), pl.String)
    values = {
        "window_end": forwards.end,
        "expiration": chain.expirations[forwards.expiry],
        "years": forwards.years,
        "forward": forwards.forward,
        "forward_source": forwards.source,
        "parity_forward": forwards.parity,
        "parity_width_ticks": np.maximum(forwards.width, 0.0) / future_tick,
        "parity_strikes": forwards.strikes,
        "parity_gap_ticks": forwards.gap / future_tick,
        "atm_iv": forwards.atm_iv,
    }
    nullable = ("forward", "parity_forward", "parity_width_ticks", "parity_gap_ticks", "atm_iv")
    missing = {name: np.isnan(values[name]) for name in nullable}
    return _frame(OptionForward1s, values, missing, underlying=names.gather(forwards.expiry))


def _frame(
    model: type[TableModel], values: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray], **ready: pl.Series
) -> pl.DataFrame:
    """The columns of a table in its order and types, null where `missing` says so."""
    columns = []
    for name, dtype in model.schema().items():
        if name in ready:
            columns.append(ready[name])
            continue
        if isinstance(dtype, pl.Enum):
            column = pl.Series(name, values[name].astype(np.uint8)).cat.to(dtype)
        else:
            column = pl.Series(name, np.array(values[name])).cast(dtype)
        absent = missing.get(name)
        columns.append(column.set(pl.Series(absent), None) if absent is not None and absent.any() else column)
    return pl.DataFrame(columns)
