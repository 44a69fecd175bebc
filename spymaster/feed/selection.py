"""`bronze.contract_day_selection`: which contract a date's Silver is built from, known before the date began.

The choice uses earlier dates only: the contract that traded most on the last session with data. It does not depend on
earlier choices, so dates can be built in any order. A session here is a UTC-date partition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any

import polars as pl

from spymaster.feed.definitions import FUTURE
from spymaster.feed.symbols import contract_month, is_outright_symbol
from spymaster.lake import Lake, Partition
from spymaster.market.calendar import partition_dates, wall_time_ns
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.types import TIMESTAMP

PRIOR_PARTITIONS = 10
"""Earlier partition dates that are looked at."""
ROLL_SESSIONS = 5
"""Sessions with data whose winners must not be rolled back from."""
MIN_SESSION_TRADES = 1_000
"""A session with fewer trades says little; a step back is taken, to at most `MAX_SESSIONS` sessions with data."""
MAX_SESSIONS = 5

_WINDOW = time(9, 30), time(12, 30)


@dataclass(frozen=True, eq=False)
class Session:
    """A date with data: one row per outright (contract, expiration, trade_count, trade_volume at least)."""

    dt: date
    rows: pl.DataFrame


@dataclass(frozen=True)
class Selection:
    """The rows of a partition of `bronze.contract_day_selection`, and the partitions they were made from."""

    frame: pl.DataFrame
    inputs: list[Partition] = field(default_factory=list)

    @property
    def contract(self) -> str | None:
        """The selected contract; None if the date has no outright."""
        return selected_contract(self.frame)


def selected_contract(frame: pl.DataFrame) -> str | None:
    """The selected contract of a `bronze.contract_day_selection` frame, or None if it has no rows."""
    return next(iter(frame.filter("is_selected")["contract"]), None)


def contract_day_selection(lake: Lake, root: str, dt: date) -> Selection:
    """Count the outrights of a date and choose one, from the Bronze partitions of that date and of earlier ones.

    Raises MissingPartitionError if the date has no `bronze.future_mbo`.
    """
    own, inputs = _counted(lake, root, dt)
    prior: list[Session] = []
    dates = list(partition_dates(dt - timedelta(weeks=PRIOR_PARTITIONS), dt - timedelta(days=1)))[-PRIOR_PARTITIONS:]
    for earlier in reversed(dates):
        session, read = _earlier_session(lake, root, earlier)
        if session is not None:
            prior.append(session)
            inputs += read
    return Selection(choose(own, prior, dt), inputs)


def choose(own: pl.DataFrame, prior: Sequence[Session], dt: date) -> pl.DataFrame:
    """Rows of `bronze.contract_day_selection`: the date's own counts and the causal choice.

    Parameters
    ----------
    own
        One row per outright of the date: contract, instrument_id, expiration and the four counts.
    prior
        Earlier sessions with data, the nearest first.
    """
    if own.is_empty():
        return ContractDaySelection.empty()
    order = _ExpiryOrder(own, prior, dt)
    candidates = _candidates(own, prior, order, dt)
    basis = _basis_session(candidates, prior)
    if basis is None:
        volumes: dict[str, int] = {}
        winner = order.largest(candidates, dict(own.select("contract", "message_count").iter_rows()))
    else:
        volumes = {contract: _volumes(basis).get(contract, 0) for contract in own["contract"]}
        winner = order.largest(candidates, volumes)
    return (
        own.with_columns(
            prev_volume=pl.Series([volumes.get(contract) for contract in own["contract"]], dtype=pl.Int64),
            is_selected=pl.col("contract") == winner,
            basis=pl.lit("first_session" if basis is None else "prior_session").cast(_column("basis")),
            prev_trading_date=pl.lit(None if basis is None else basis.dt, pl.Date),
        )
        .select(ContractDaySelection.schema().names())
        .sort("contract")
    )


def count_contracts(mbo: Partition) -> pl.DataFrame:
    """Counts per contract of a `bronze.future_mbo` partition: messages, trades, volume, trades 09:30-12:30 New York.

    Batch by batch: a scan of a day of 20 M records took 1.6 GB and half as long again.
    """
    start, end = (pl.lit(wall_time_ns(mbo.dt, wall)).cast(pl.Int64).cast(TIMESTAMP) for wall in _WINDOW)
    trade = pl.col("action") == "T"
    counts = {
        "instrument_id": pl.col("instrument_id").last(),
        "message_count": pl.len().cast(pl.Int64),
        "trade_count": trade.sum().cast(pl.Int64),
        "trade_volume": pl.col("size").filter(trade).cast(pl.Int64).sum(),
        "trade_count_0930_1230": (trade & pl.col("ts_event").is_between(start, end, closed="left"))
        .sum()
        .cast(pl.Int64),
    }
    columns = ["contract", "instrument_id", "ts_event", "action", "size"]
    parts = [frame.group_by("contract").agg(**counts) for frame in mbo.batches(columns)]
    totals = {name: pl.col(name).sum() for name in counts if name != "instrument_id"}
    return (
        pl.concat(parts or [FutureMbo.empty().group_by("contract").agg(**counts)])
        .group_by("contract", maintain_order=True)
        .agg(pl.col("instrument_id").last(), **totals)
        .sort("contract")
    )


def outrights(counts: pl.DataFrame, definitions: pl.DataFrame | None) -> pl.DataFrame:
    """Keep the outrights of `counts` and add their expiration.

    By the definition's instrument class; a contract without a definition is judged by its symbol (`feed.symbols`).
    """
    known = FutureDefinition.empty() if definitions is None else definitions
    joined = counts.join(known.select("contract", "expiration", "instrument_class"), on="contract", how="left")
    by_symbol = [is_outright_symbol(symbol) for symbol in joined["contract"]]
    by_class = pl.col("instrument_class") == FUTURE
    return joined.filter(by_class.fill_null(pl.Series(by_symbol, dtype=pl.Boolean))).drop("instrument_class")


def _counted(lake: Lake, root: str, dt: date) -> tuple[pl.DataFrame, list[Partition]]:
    """Outrights of a date with their counts, from its Bronze, and the partitions read."""
    mbo = lake.partition(FutureMbo, root, dt)
    inputs = [mbo]
    definitions = None
    if lake.has(FutureDefinition, root, dt):
        inputs.append(lake.partition(FutureDefinition, root, dt))
        definitions = inputs[-1].read()
    return outrights(count_contracts(mbo), definitions), inputs


def _earlier_session(lake: Lake, root: str, dt: date) -> tuple[Session | None, list[Partition]]:
    """Counts of an earlier date: from its own selection where that is as new as its Bronze, else counted again."""
    bronze = [lake.partition(model, root, dt) for model in (FutureMbo, FutureDefinition) if lake.has(model, root, dt)]
    stored = lake.partition(ContractDaySelection, root, dt) if lake.has(ContractDaySelection, root, dt) else None
    if not lake.has(FutureMbo, root, dt):
        if stored is None:
            return None, []
        rows, inputs = stored.read(), [stored]
    elif stored is not None and all(part.as_input() in stored.manifest.inputs for part in bronze):
        rows, inputs = stored.read(), bronze
    else:
        rows, inputs = _counted(lake, root, dt)
    return (Session(dt, rows), inputs) if rows.height else (None, [])


class _ExpiryOrder:
    """Order of contracts by expiry, then symbol.

    Expirations come from definitions of any of the dates. If one of the contracts has none, the delivery months in the
    symbols are compared instead, for all of them: the two are not on one scale (crude oil expires a month before it).
    """

    def __init__(self, own: pl.DataFrame, prior: Sequence[Session], dt: date) -> None:
        frames = [own, *(session.rows for session in prior)]
        contracts = {contract for rows in frames for contract in rows["contract"]}
        expirations: dict[str, date] = {}
        for rows in frames:
            known = rows.filter(pl.col("expiration").is_not_null())
            expirations |= dict(known.select("contract", pl.col("expiration").dt.date()).iter_rows())
        if contracts <= expirations.keys():
            self._expiry: Mapping[str, date | None] = expirations
        else:
            earliest = min([dt, *(session.dt for session in prior)])
            self._expiry = {contract: contract_month(contract, earliest) for contract in contracts}

    def key(self, contract: str) -> tuple[date, str]:
        """Sort key; a contract whose expiry cannot be told comes last."""
        return self._expiry.get(contract) or date.max, contract

    def expires_before(self, contract: str, other: str) -> bool:
        """Whether it is certain that `contract` expires before `other`."""
        mine, theirs = self._expiry.get(contract), self._expiry.get(other)
        return mine is not None and theirs is not None and mine < theirs

    def largest(self, contracts: Sequence[str], weights: Mapping[str, int]) -> str:
        """The contract of the largest weight; the nearest expiry, then the symbol decide between equals."""
        return min(contracts, key=lambda contract: (-weights.get(contract, 0), self.key(contract)))


def _candidates(own: pl.DataFrame, prior: Sequence[Session], order: _ExpiryOrder, dt: date) -> list[str]:
    """Outrights that still trade after `dt` and do not roll back; a rule that would leave none is not applied."""
    alive = pl.col("expiration").is_null() | (pl.col("expiration").dt.date() > dt)
    candidates = own.filter(alive)["contract"].to_list() or own["contract"].to_list()
    winners = [
        order.largest(session.rows["contract"].to_list(), _volumes(session))
        for session in prior[:ROLL_SESSIONS]
        if session.rows["trade_volume"].sum() > 0
    ]
    forward = [one for one in candidates if not any(order.expires_before(one, winner) for winner in winners)]
    return forward or candidates


def _basis_session(candidates: Sequence[str], prior: Sequence[Session]) -> Session | None:
    """The nearest session with enough trades, else the nearest on which a candidate traded at all, else None."""
    usable = [session for session in prior if any(_volumes(session).get(one, 0) for one in candidates)]
    near = [session for session in prior[:MAX_SESSIONS] if session in usable]
    return next(
        (session for session in near if session.rows["trade_count"].sum() >= MIN_SESSION_TRADES),
        usable[0] if usable else None,
    )


def _volumes(session: Session) -> dict[str, int]:
    return dict(session.rows.select("contract", "trade_volume").iter_rows())


def _column(name: str) -> Any:
    return ContractDaySelection.columns[name].dtype
