"""The small files beside the orders: definitions, statistics and status of the futures of a date, as DBN records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from spymaster.market.calendar import CONTINUOUS, PRE_OPEN, previous_session
from spymaster.market.dbn import SIM_DATASET, SIM_PUBLISHER, UNDEF_PRICE, DbnWriter
from spymaster.market.definition_records import Leg, encode_definition
from spymaster.market.instruments import Instrument
from spymaster.simulator.contracts import Contract
from spymaster.simulator.layout import INSTRUMENTS, SPREAD
from spymaster.simulator.schedule import DAY_SECONDS, SECOND_NS, Segment, midnight_ns

_HOUR_NS = 3_600 * SECOND_NS
_OPENING, _SETTLEMENT, _LOW, _HIGH, _VOLUME, _OPEN_INTEREST = 1, 3, 4, 5, 6, 9
_PUBLICATION_NS = 5_000_000
_ROUND_OPEN_INTEREST = (2_100_000, 48_000, 21_000)
"""Open interest of first contract, second contract and spread around which dates vary (assumption)."""


@dataclass(frozen=True)
class SessionFigures:
    """What the statistics of one instrument tell; prices 1e-9, None before the first trade."""

    first: int | None
    high: int | None
    low: int | None
    last: int | None
    volume: int


def session_figures(rows: np.ndarray) -> list[SessionFigures]:
    """Figures of each instrument from the market's instrument rows (`layout.INSTRUMENT`)."""

    def price(row: np.void, name: str) -> int | None:
        return int(row["origin"]) + int(row[name]) * int(row["tick_size"]) if row[name] >= 0 else None

    return [
        SessionFigures(
            price(row, "first"), price(row, "high"), price(row, "low"), price(row, "last"), int(row["volume"])
        )
        for row in rows
    ]


def write_definitions(
    path: Path, contracts: tuple[Contract, Contract, Contract], instrument: Instrument, spread_tick_int: int, dt: date
) -> None:
    """Definitions of both outrights and, with one record per leg, of their spread, at the start of the date."""
    start = midnight_ns(dt)
    with _file(path, contracts, dt, "definition") as writer:
        for inst, contract in enumerate(contracts):
            common = {
                "raw_symbol": contract.symbol,
                "instrument_id": contract.instrument_id,
                "asset": instrument.root,
                "instrument_class": contract.instrument_class,
                "tick_size_int": spread_tick_int if inst == SPREAD else instrument.tick_size_int,
                "ts_recv": start,
                "expiration": contract.expiration_ns,
                "activation": contract.activation_ns,
                "unit_of_measure_qty": round(instrument.multiplier * 1_000_000_000),
                "currency": instrument.currency,
                "exchange": instrument.exchange,
            }
            if inst == SPREAD:
                # the spread is bought by buying its second leg and selling its first
                for index, (leg, side) in enumerate(zip(contracts[:SPREAD], "AB", strict=True)):
                    described = Leg(index, SPREAD, leg.symbol, leg.instrument_id, side)
                    writer.write_encoded(encode_definition(**common, leg=described))
            else:
                writer.write_encoded(encode_definition(**common))


def write_statistics(
    path: Path,
    contracts: tuple[Contract, Contract, Contract],
    figures: list[SessionFigures],
    settlements: list[int],
    root: str,
    dt: date,
    seed: int,
) -> None:
    """Settlement and open interest of the session before (preliminary, then final), and this date's own figures.

    `settlements` are the prices (1e-9) at which each instrument's previous session settled.
    """
    start = midnight_ns(dt)
    reference = midnight_ns(previous_session(dt, root))
    end = start + DAY_SECONDS * SECOND_NS - SECOND_NS
    generator = np.random.Generator(np.random.PCG64([seed, dt.toordinal()]))
    records: list[tuple[int, bytes]] = []

    def publish(at: int, inst: int, kind: int, *, price: int = UNDEF_PRICE, quantity: int = UNDEF_PRICE) -> None:
        records.append((at, _statistic(at, contracts[inst].instrument_id, reference, kind, price, quantity)))

    for inst in range(INSTRUMENTS):
        usual = _ROUND_OPEN_INTEREST[inst]
        preliminary = int(usual * (1 + 0.02 * generator.standard_normal()))
        publish(start + 2 * _HOUR_NS, inst, _SETTLEMENT, price=settlements[inst])
        publish(start + 5 * _HOUR_NS, inst, _OPEN_INTEREST, quantity=preliminary)
        final = preliminary + int(generator.integers(-usual // 200, usual // 200))
        publish(start + 11 * _HOUR_NS, inst, _OPEN_INTEREST, quantity=final)
        one = figures[inst]
        if one.first is not None and one.low is not None and one.high is not None:
            publish(end, inst, _OPENING, price=one.first)
            publish(end, inst, _LOW, price=one.low)
            publish(end, inst, _HIGH, price=one.high)
            publish(end, inst, _VOLUME, quantity=one.volume)
    with _file(path, contracts, dt, "statistics") as writer:
        for _, record in sorted(records, key=lambda item: item[0]):
            writer.write_encoded(record)


def write_status(path: Path, contracts: tuple[Contract, Contract, Contract], parts: list[Segment], dt: date) -> None:
    """One record per instrument and change of phase."""
    import databento_dbn

    dbn: Any = databento_dbn  # its stubs take enumeration members for plain numbers
    yes, no = dbn.TriState.YES, dbn.TriState.NO
    with _file(path, contracts, dt, "status") as writer:
        for number, part in enumerate(parts):
            if part.phase == CONTINUOUS:
                changes = [(dbn.StatusAction.TRADING, yes, yes)]
            elif part.phase == PRE_OPEN:
                changes = [(dbn.StatusAction.PRE_OPEN, no, yes)]
            elif number > 0:
                changes = [(dbn.StatusAction.CLOSE, no, no), (dbn.StatusAction.NOT_AVAILABLE_FOR_TRADING, no, no)]
            else:
                changes = [(dbn.StatusAction.NOT_AVAILABLE_FOR_TRADING, no, no)]
            for contract in contracts:
                for step, (action, trading, quoting) in enumerate(changes):
                    at = part.start_ns + step * _PUBLICATION_NS
                    record = dbn.StatusMsg(
                        SIM_PUBLISHER,
                        contract.instrument_id,
                        at,
                        at + _PUBLICATION_NS // 50,
                        action=action,
                        reason=dbn.StatusReason.SCHEDULED,
                        trading_event=dbn.TradingEvent.NONE,
                        is_trading=trading,
                        is_quoting=quoting,
                    )
                    writer.write_encoded(bytes(record))


def _statistic(at: int, instrument_id: int, reference: int, kind: int, price: int, quantity: int) -> bytes:
    import databento_dbn as dbn

    return bytes(
        dbn.StatMsg(SIM_PUBLISHER, instrument_id, at, at, reference, price, quantity, dbn.StatType.from_int(kind))
    )


def _file(path: Path, contracts: tuple[Contract, Contract, Contract], dt: date, schema: str) -> DbnWriter:
    start = midnight_ns(dt)
    return DbnWriter(
        path,
        dataset=SIM_DATASET,
        symbols={contract.symbol: contract.instrument_id for contract in contracts},
        start_ns=start,
        end_ns=start + DAY_SECONDS * SECOND_NS,
        schema=schema,
    )
