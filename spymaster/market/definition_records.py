"""Encode instrument definitions as DBN records of versions 1, 2 and 3, for the simulator and for tests.

The three versions differ in layout and size; `databento_dbn` has a constructor for each, which this module hides behind
the fields Spymaster uses. Everything else is written as 'undefined', as the vendor does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spymaster.market.dbn import SIM_PUBLISHER, UNDEF_PRICE, UNDEF_TIMESTAMP

_UNDEF_I32 = 2**31 - 1
_UNDEF_U32 = 2**32 - 1
_UNDEF_U16 = 2**16 - 1
_UNDEF_U8 = 2**8 - 1
_UNDEF_I8 = 2**7 - 1
_UNDEF_I16 = 2**15 - 1

_OLD_LAYOUT: dict[str, Any] = {
    "trading_reference_price": UNDEF_PRICE,
    "trading_reference_date": _UNDEF_U16,
    "md_security_trading_status": _UNDEF_U8,
    "settl_price_type": _UNDEF_U8,
    "high_limit_price": UNDEF_PRICE,
    "low_limit_price": UNDEF_PRICE,
    "max_price_variation": UNDEF_PRICE,
    "min_price_increment_amount": UNDEF_PRICE,
    "price_ratio": UNDEF_PRICE,
    "inst_attrib_value": _UNDEF_I32,
    "raw_instrument_id": 0,
    "market_depth_implied": _UNDEF_I32,
    "market_depth": _UNDEF_I32,
    "market_segment_id": _UNDEF_U32,
    "max_trade_vol": _UNDEF_U32,
    "min_lot_size": _UNDEF_I32,
    "min_lot_size_block": _UNDEF_I32,
    "min_lot_size_round_lot": _UNDEF_I32,
    "min_trade_vol": _UNDEF_U32,
    "decay_quantity": _UNDEF_I32,
    "original_contract_size": _UNDEF_I32,
    "appl_id": _UNDEF_I16,
    "maturity_year": _UNDEF_U16,
    "decay_start_date": _UNDEF_U16,
    "channel_id": 0,
    "settl_currency": "",
    "secsubtype": "",
    "group": "",
    "cfi": "",
    "unit_of_measure": "",
    "strike_price_currency": "",
    "main_fraction": _UNDEF_U8,
    "price_display_format": _UNDEF_U8,
    "sub_fraction": _UNDEF_U8,
    "underlying_product": _UNDEF_U8,
    "maturity_month": _UNDEF_U8,
    "maturity_day": _UNDEF_U8,
    "maturity_week": _UNDEF_U8,
    "contract_multiplier_unit": _UNDEF_I8,
    "flow_schedule_type": _UNDEF_I8,
    "tick_rule": _UNDEF_U8,
}
"""Fields that versions 1 and 2 require and that Spymaster does not use, as 'undefined'."""


@dataclass(frozen=True)
class Leg:
    """One leg of a spread: its definition has a record per leg, `index` of `count`, bought or sold `ratio` times."""

    index: int
    count: int
    raw_symbol: str
    instrument_id: int
    side: str
    ratio: int = 1


def encode_definition(
    *,
    raw_symbol: str,
    instrument_id: int,
    asset: str,
    instrument_class: str,
    tick_size_int: int,
    ts_recv: int,
    expiration: int = UNDEF_TIMESTAMP,
    activation: int = UNDEF_TIMESTAMP,
    unit_of_measure_qty: int = UNDEF_PRICE,
    contract_multiplier: int | None = None,
    currency: str = "USD",
    exchange: str = "XCME",
    security_type: str = "FUT",
    underlying: str = "",
    underlying_id: int = 0,
    strike_price: int = UNDEF_PRICE,
    action: str = "A",
    user_defined: bool = False,
    leg: Leg | None = None,
    publisher_id: int = SIM_PUBLISHER,
    version: int = 3,
) -> bytes:
    """One definition record of DBN `version`, to be appended with `DbnWriter.write_encoded` (schema `definition`).

    `instrument_class` and `action` are DBN letters (F future, S future spread, C call, P put, ...; A add, M modify,
    D delete). Prices and `unit_of_measure_qty` are in 1e-9, times in ns UTC. Only version 3 can describe a `leg`.
    """
    import databento_dbn as dbn

    fields: dict[str, Any] = {
        "publisher_id": publisher_id,
        "instrument_id": instrument_id,
        "ts_event": ts_recv,
        "ts_recv": ts_recv,
        "min_price_increment": tick_size_int,
        "display_factor": 1_000_000_000,
        "raw_symbol": raw_symbol,
        "asset": asset,
        "security_type": security_type,
        "instrument_class": dbn.InstrumentClass(instrument_class),
        "security_update_action": dbn.SecurityUpdateAction(action),
        "expiration": expiration,
        "activation": activation,
        "unit_of_measure_qty": unit_of_measure_qty,
        "contract_multiplier": _UNDEF_I32 if contract_multiplier is None else contract_multiplier,
        "currency": currency,
        "exchange": exchange,
        "underlying": underlying,
        "underlying_id": underlying_id,
        "strike_price": strike_price,
        "user_defined_instrument": dbn.UserDefinedInstrument("Y" if user_defined else "N"),
        "match_algorithm": dbn.MatchAlgorithm("F"),
    }
    if leg is not None and version != 3:
        raise ValueError(f"DBN version {version} cannot describe legs")
    if version == 3:
        return bytes(dbn.InstrumentDefMsg(**fields, **(_leg_fields(leg) if leg is not None else {})))
    if version == 2:
        return bytes(dbn.InstrumentDefMsgV2(**_OLD_LAYOUT, **fields))
    if version == 1:
        return bytes(dbn.InstrumentDefMsgV1(**_OLD_LAYOUT, **fields))
    raise ValueError(f"DBN version {version} is not 1, 2 or 3")


def _leg_fields(leg: Leg) -> dict[str, Any]:
    import databento_dbn as dbn

    return {
        "leg_count": leg.count,
        "leg_index": leg.index,
        "leg_instrument_id": leg.instrument_id,
        "leg_raw_symbol": leg.raw_symbol,
        "leg_instrument_class": dbn.InstrumentClass("F"),
        "leg_side": dbn.Side(leg.side),
        "leg_ratio_qty_numerator": leg.ratio,
        "leg_ratio_qty_denominator": 1,
        "leg_ratio_price_numerator": leg.ratio,
        "leg_ratio_price_denominator": 1,
    }
