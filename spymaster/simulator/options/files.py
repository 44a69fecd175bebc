"""Definitions and statistics of a chain as DBN records, with what makes readers stumble."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spymaster.market.calendar import previous_session
from spymaster.market.dbn import SIM_DATASET, SIM_PUBLISHER, UNDEF_PRICE, DbnWriter
from spymaster.market.definition_records import encode_definition
from spymaster.simulator.contracts import Contract, instrument_id
from spymaster.simulator.options.chain import MULTIPLIER, TICK_INT, WIDE_ABOVE, WIDE_TICK, Chain
from spymaster.simulator.options.interest import OpenInterest
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, midnight_ns

_HOUR_NS = 3_600 * SECOND_NS
_DAY_NS = DAY_SECONDS * SECOND_NS
_LISTED_DAYS = 14
_OPENING, _SETTLEMENT, _LOW, _HIGH, _VOLUME, _LOWEST_OFFER, _HIGHEST_BID, _OPEN_INTEREST = 1, 3, 4, 5, 6, 7, 8, 9
_NEW, _DELETE = 1, 2
_POINT = 1_000_000_000


def user_defined(dt: date) -> tuple[str, str]:
    """Symbols of two spreads that participants defined themselves."""
    return f"UD:1V: VT {dt:%m%d}00017", f"UD:1V: GN {dt:%m%d}00042"


def option_symbols(dt: date, chain: Chain) -> dict[str, int]:
    """Everything the chain's files name: options, two user-defined spreads, one that has expired."""
    names = {option.symbol: option.instrument_id for option in chain.options}
    for symbol in (*user_defined(dt), _expired(chain)):
        names[symbol] = instrument_id(f"{symbol}:{dt}")
    return names


def _expired(chain: Chain) -> str:
    middle = chain.options[len(chain.options) // 2 // 2 * 2]
    return f"EX{chain.expiries[0].month} C{middle.strike}"


def write_option_definitions(
    path: Path, dt: date, root: str, chain: Chain, contracts: tuple[Contract, ...], exchange: str, modified_ns: int
) -> None:
    """Definitions at the start of the date, those listed during it, and one modified at `modified_ns`, later."""
    start = midnight_ns(dt)
    names = option_symbols(dt, chain)
    with _file(path, names, dt, "definition") as writer:
        for option in chain.options:
            if not option.late:
                fields = _option_fields(option, chain, contracts, root, exchange, start)
                writer.write_encoded(encode_definition(**fields))
        common: dict[str, Any] = {
            "asset": root, "tick_size_int": TICK_INT, "ts_recv": start, "exchange": exchange,
            "contract_multiplier": MULTIPLIER, "underlying": contracts[0].symbol,
            "underlying_id": contracts[0].instrument_id,
        }  # fmt: skip
        for symbol in user_defined(dt):
            writer.write_encoded(
                encode_definition(
                    raw_symbol=symbol, instrument_id=names[symbol], instrument_class="T", security_type="OOF",
                    user_defined=True, expiration=chain.expiries[0].expiration_ns, **common,
                )
            )  # fmt: skip
        gone, first = _expired(chain), chain.options[len(chain.options) // 2 // 2 * 2]
        writer.write_encoded(
            encode_definition(
                raw_symbol=gone, instrument_id=names[gone], instrument_class="C", security_type="OOF",
                strike_price=first.strike * _POINT, expiration=start - 2 * _HOUR_NS, **common,
            )
        )  # fmt: skip
        for option in chain.options:
            if option.late:
                fields = _option_fields(option, chain, contracts, root, exchange, chain.listing_ns)
                fields["activation"] = chain.listing_ns
                writer.write_encoded(encode_definition(**fields))
        changed = _option_fields(chain.options[0], chain, contracts, root, exchange, modified_ns)
        writer.write_encoded(encode_definition(**changed | {"tick_size_int": WIDE_TICK * TICK_INT, "action": "M"}))


def _option_fields(
    option: Any, chain: Chain, contracts: tuple[Contract, ...], root: str, exchange: str, at: int
) -> dict[str, Any]:
    expiry = chain.expiries[option.expiry]
    future = contracts[expiry.underlying]
    return {
        "raw_symbol": option.symbol,
        "instrument_id": option.instrument_id,
        "asset": root,
        "instrument_class": option.right,
        "tick_size_int": TICK_INT,
        "ts_recv": at,
        "expiration": expiry.expiration_ns,
        "activation": expiry.expiration_ns - _LISTED_DAYS * _DAY_NS,
        "contract_multiplier": MULTIPLIER,
        "unit_of_measure_qty": MULTIPLIER * _POINT,
        "exchange": exchange,
        "security_type": "OOF",
        "strike_price": option.strike * _POINT,
        "underlying": future.symbol,
        "underlying_id": future.instrument_id,
    }


def write_option_statistics(
    path: Path,
    dt: date,
    root: str,
    chain: Chain,
    series: np.ndarray,
    settled: NDArray[np.float64],
    interest: OpenInterest,
) -> None:
    """Open interest of the session before, twice; settlements; the date's own prices; one statistic withdrawn.

    `series` are the market's rows (`arrays.SERIES`) at the end of the date, `settled` prices in points.
    """
    start = midnight_ns(dt)
    reference = midnight_ns(previous_session(dt, root))
    end = start + _DAY_NS - SECOND_NS
    records: list[tuple[int, bytes]] = []

    def publish(
        at: int, i: int, kind: int, price: int = UNDEF_PRICE, quantity: int = UNDEF_PRICE, act: int = _NEW
    ) -> None:
        number = chain.options[i].instrument_id
        records.append((at, _statistic(at, number, reference, kind, price, quantity, act)))

    for i in range(len(chain.options)):
        price = _quotable(float(settled[i]))
        late = chain.options[i].late
        if not late:
            publish(start + 2 * _HOUR_NS + i, i, _SETTLEMENT, price=price)
            publish(start + 3 * _HOUR_NS + i, i, _OPEN_INTEREST, quantity=int(interest.preliminary[i]))
            publish(start + 11 * _HOUR_NS + i, i, _OPEN_INTEREST, quantity=int(interest.final[i]))
        one = series[i]
        if one["first"] >= 0:
            publish(end, i, _OPENING, price=int(one["first"]) * TICK_INT)
            publish(end, i, _LOW, price=int(one["low"]) * TICK_INT)
            publish(end, i, _HIGH, price=int(one["high"]) * TICK_INT)
            publish(end, i, _VOLUME, quantity=int(one["volume"]))
            publish(end, i, _LOWEST_OFFER, price=(int(one["low"]) + 1) * TICK_INT)
            publish(end, i, _HIGHEST_BID, price=max(int(one["high"]) - 1, 1) * TICK_INT)
        elif not late:
            publish(start + 4 * _HOUR_NS + i, i, _OPENING, price=price)
    publish(start + 12 * _HOUR_NS, 0, _SETTLEMENT, price=_quotable(float(settled[0])), act=_DELETE)
    with _file(path, option_symbols(dt, chain), dt, "statistics") as writer:
        for _, record in sorted(records, key=lambda item: item[0]):
            writer.write_encoded(record)


def _quotable(price: float) -> int:
    units = max(round(price * _POINT / TICK_INT), 1)
    if units > WIDE_ABOVE:
        units = round(units / WIDE_TICK) * WIDE_TICK
    return units * TICK_INT


def _statistic(at: int, number: int, reference: int, kind: int, price: int, quantity: int, act: int) -> bytes:
    import databento_dbn as dbn

    made: Any = dbn.StatMsg
    action: Any = dbn.StatUpdateAction
    return bytes(
        made(
            SIM_PUBLISHER, number, at, at, reference, price, quantity, dbn.StatType.from_int(kind),
            channel_id=1, update_action=action.NEW if act == _NEW else action.DELETE,
        )
    )  # fmt: skip


def _file(path: Path, symbols: dict[str, int], dt: date, schema: str) -> DbnWriter:
    start = midnight_ns(dt)
    return DbnWriter(path, dataset=SIM_DATASET, symbols=symbols, start_ns=start, end_ns=start + _DAY_NS, schema=schema)
