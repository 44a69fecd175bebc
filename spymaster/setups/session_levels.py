"""`silver.session_level` of a date, from stored candles, trades, quotes and statistics of it and of earlier dates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.calendar import previous_session, session_bounds, session_dates
from spymaster.market.instruments import Instrument, instrument
from spymaster.settings import Settings
from spymaster.setups import moving_levels, static_levels
from spymaster.setups.candles import BBO_COLUMNS, TRADE_COLUMNS, at_market
from spymaster.setups.errors import SetupInputError
from spymaster.setups.level_groups import groups, in_order, level_id
from spymaster.setups.level_sources import CANDLE_COLUMNS, Candles, Hours, Level, Prints
from spymaster.setups.placebos import placebos, seed_of
from spymaster.tables.session_level import SessionLevel
from spymaster.tables.types import TIMESTAMP

STATISTICS_COLUMNS: Final = ("instrument_id", "stat_type", "price_int", "ts_ref", "ts_recv", "update")
DAY_NS: Final = 86_400_000_000_000
ROUND_STEP_TICKS: Final = 100
"""Step of round prices where none is configured."""


class Sources:
    """What the levels of one date are made from, at the prices of its contract.

    candles: `silver.candle_2m` rows by date, the date itself last; trades: `silver.trade` rows at the market by date;
    statistics: rows of `bronze.future_statistics` of the contract, in order of receipt; gex: `silver.gex_level_1m` rows
    of the date, or None.
    """

    def __init__(
        self,
        dt: date,
        candles: dict[date, pl.DataFrame],
        trades: dict[date, pl.DataFrame],
        statistics: pl.DataFrame,
        gex: pl.DataFrame | None,
    ) -> None:
        self.dt, self.frame, self.statistics, self.gex = dt, candles[dt], statistics, gex
        self.candles = Candles.of([candles[day] for day in sorted(candles)])
        shift: dict[date, int] = {}
        total: int | None = 0
        for day in sorted(candles, reverse=True):
            if total is None:
                break
            shift[day] = total
            roll = candles[day]["roll_adj_int"][0] if candles[day].height else 0
            total = None if roll is None else total + roll
        held = [
            trades[day].with_columns(pl.col("price_int", "vwap_price_int") + shift[day])
            for day in sorted(trades)
            if day in shift
        ]
        self.prints = Prints.of(pl.concat(held)) if held else Prints.none()
        self.dates = frozenset(day for day in trades if day in shift)

    def covers(self, first: int, last: int) -> bool:
        """Whether the candles of [first, last) are complete and trades of each of its UTC dates were read."""
        return self.candles.covers(first, last) and _dates_of(first, last) <= self.dates


def traded_dates(partitions: Sequence[Partition], dt: date, settings: Settings) -> list[Partition]:
    """Those of the partitions whose trades the levels of `dt` are made from, in order of date.

    These are the dates of the sessions of `dt` up to itself, and of the session before each.
    """
    needed: set[date] = set()
    for one in partitions[-1:]:
        item = instrument(one.symbol, settings)
        start = _first_ns(dt)
        for label in session_dates(np.array([start, start + DAY_NS - 1]), item):
            own = session_bounds(label.item(), item)
            prior = session_bounds(previous_session(label.item(), one.symbol, settings), item)
            needed |= _dates_of(*prior) if prior is not None else set()
            needed |= _dates_of(own[0], start + DAY_NS) if own is not None else set()
    return [one for one in partitions if one.dt in needed and one.dt <= dt]


def session_levels(
    candles: Sequence[Partition],
    trades: Sequence[Partition],
    quotes: Sequence[Partition],
    statistics: Sequence[Partition],
    definitions: Sequence[Partition],
    gex: Partition | None = None,
    *,
    settings: Settings,
) -> pl.DataFrame:
    """`silver.session_level` of the last date of `candles`; the other lists are of that date and earlier ones, too.

    quotes: what tells which prints are at the market; trades of a date without them are left out. gex: the date's
    `silver.gex_level_1m`, where there is one. Raises `SetupInputError` if the contract has no definition.
    """
    days = {partition.dt: partition.read(CANDLE_COLUMNS) for partition in candles}
    dt = max(days)
    if days[dt].is_empty():
        return SessionLevel.empty()
    root = candles[-1].symbol
    contract = str(days[dt]["contract"][0])
    tick = _definition(definitions, dt, contract)
    reach = settings.setups.off_market_ticks
    known = {partition.dt: partition for partition in quotes}
    prints = {}
    for partition in trades:
        if partition.dt in known:
            rows, quote = partition.read(TRADE_COLUMNS), known[partition.dt].read(BBO_COLUMNS)
            prints[partition.dt] = rows.filter(at_market(rows, quote, tick_size_int=tick, reach_ticks=reach))
    sources = Sources(
        dt, days, prints, _statistics(statistics, definitions, days), gex.read() if gex is not None else None
    )
    return level_frame(sources, contract, tick, instrument(root, settings), settings)


def level_frame(sources: Sources, contract: str, tick: int, item: Instrument, settings: Settings) -> pl.DataFrame:
    """The table's rows: levels of the sessions that the date's candles belong to, with groups and placebos.

    What is not known before the date is over or the level's session has closed has no time to hold, and no row.
    """
    end = _first_ns(sources.dt) + DAY_NS
    found = (_once_rolled(one, sources) for one in find_levels(sources, tick, item, settings))
    levels = in_order([one for one in found if one.valid_from < min(end, one.valid_to)])
    ids = [level_id(item.root, one) for one in levels]
    group, tags = groups(levels, ids, settings.setups.merge_ticks * tick)
    real = pl.DataFrame(
        {
            "session_date": [one.session_date for one in levels],
            "level_id": ids,
            "level_type": [one.level_type for one in levels],
            "price_int": [one.price for one in levels],
            "valid_from": [one.valid_from for one in levels],
            "valid_to": [one.valid_to for one in levels],
            "ts_source_first": [one.source_first for one in levels],
            "ts_source_last": [one.source_last for one in levels],
            "is_moving": [one.is_moving for one in levels],
            "is_partial_source": [one.is_partial for one in levels],
            "group_id": group,
            "tags": tags,
            "is_placebo": [False] * len(levels),
        },
        schema={
            "session_date": pl.Date,
            **dict.fromkeys(("level_id", "level_type"), pl.String),
            **dict.fromkeys(("price_int", "valid_from", "valid_to", "ts_source_first", "ts_source_last"), pl.Int64),
            **dict.fromkeys(("is_moving", "is_partial_source"), pl.Boolean),
            "group_id": pl.String,
            "tags": pl.List(pl.String),
            "is_placebo": pl.Boolean,
        },
    ).with_columns(placebo_of=pl.lit(None, pl.String), placebo_shift_ticks=pl.lit(None), placebo_seed=pl.lit(None))
    copies = placebos(levels, ids, tick, settings.setups)
    seeds = pl.Series([seed_of(name) for name in ids], dtype=pl.Int64)
    shift = pl.col("placebo_shift_ticks")
    name = pl.concat_str("level_id", pl.lit(":"), pl.when(shift > 0).then(pl.lit("+")).otherwise(pl.lit("")), shift)
    fake = (
        real.with_columns(placebo_seed=seeds)[copies.row]
        .with_columns(placebo_shift_ticks=pl.Series(copies.shift), valid_to=pl.Series(copies.valid_to))
        .with_columns(
            placebo_of="level_id",
            level_id=name,
            group_id=pl.concat_str(name, pl.lit("@"), pl.col("valid_from")),
            tags=pl.concat_list("level_type"),
            is_placebo=pl.lit(True),
            price_int=pl.col("price_int") + shift * tick,
        )
    )
    every = pl.concat([real.cast(fake.schema), fake]).with_columns(contract=pl.lit(contract))
    times = ("valid_from", "valid_to", "ts_source_first", "ts_source_last")
    return (
        every.with_columns(pl.col(times).cast(TIMESTAMP))
        .select(pl.col(column).cast(dtype) for column, dtype in SessionLevel.schema().items())
        .sort("level_id", "valid_from")
    )


def find_levels(sources: Sources, tick: int, item: Instrument, settings: Settings) -> Iterator[Level]:
    """Levels of every session that the date has candles of; some are not known before the date is over."""
    start = _first_ns(sources.dt)
    # a moving level is known as long as there are candles
    span = (start, min(start + DAY_NS, int(sources.candles.end[-1])))
    chosen = settings.setups
    step = round(chosen.round_points.get(item.root, ROUND_STEP_TICKS * tick / 1e9) * 1e9)
    for label in sources.frame["session_date"].unique().sort():
        hours = Hours.of(label, item, settings)
        prior = Hours.of(previous_session(label, item.root, settings), item, settings)
        if hours is None or prior is None:
            continue
        candles, prints = sources.candles, sources.prints
        yield from static_levels.ranges(candles, hours, chosen.pre_market_start)
        yield from _prior_days(candles, hours, prior, item, settings)
        yield from static_levels.settlement(sources.statistics, hours)
        yield from static_levels.opening_range(prints, candles, hours)
        yield from static_levels.round_prices(candles, hours, step, chosen.round_reach_ticks * tick)
        yield from static_levels.swings(candles, hours)
        partial = not sources.covers(prior.open, prior.close)
        session = prints.between(prior.open, prior.close)
        yield from static_levels.volume_nodes(session, hours, tick, is_partial=partial)
        own = candles.start[(candles.session == np.datetime64(label)) & (candles.start >= span[0])]
        begins = int(own[0])
        partial = begins > hours.open and not sources.covers(hours.open, begins)
        yield from moving_levels.vwaps(prints, hours, hours.open, "VWAP", tick, span=span, partial=partial)
        if hours.rth is not None:
            first = hours.rth[0]
            partial = begins > first and not sources.covers(first, begins)
            yield from moving_levels.vwaps(prints, hours, first, "RVWAP", tick, span=span, partial=partial)
        yield from moving_levels.averages(sources.frame, candles, hours, tick, span=span)
        if sources.gex is not None:
            yield from moving_levels.gamma_levels(sources.gex, hours, tick, span=span)


def _once_rolled(level: Level, sources: Sources) -> Level:
    """The level, not before the roll that its price contains is known: from the snapshot that the date opens with.

    Settlements are those of the contract itself.
    """
    start = _first_ns(sources.dt)
    if not sources.frame["roll_adj_int"][0] or level.level_type == "SETTLE" or level.source_first >= start:
        return level
    return level._replace(valid_from=max(level.valid_from, start), source_last=max(level.source_last, start))


def _prior_days(candles: Candles, hours: Hours, prior: Hours, item: Instrument, settings: Settings) -> Iterator[Level]:
    """Levels of the latest earlier regular hours that there are candles of."""
    labels = [label.item() for label in np.unique(candles.session) if label < np.datetime64(hours.label)]
    for label in reversed(labels):
        before = Hours.of(label, item, settings)
        if before is not None and before.rth is not None and (candles.within(*before.rth) & candles.traded).any():
            yield from static_levels.prior_day(candles, hours, before, is_last=label == prior.label)
            return


def _definition(definitions: Sequence[Partition], dt: date, contract: str) -> int:
    """Tick size of the contract on the date."""
    for partition in definitions:
        if partition.dt == dt:
            ticks = partition.read(["contract", "tick_size_int"]).filter(contract=contract)["tick_size_int"]
            if len(ticks):
                return int(ticks[0])
    raise SetupInputError(f"bronze.future_definition of {dt} has no row for the selected contract {contract}")


def _statistics(
    statistics: Sequence[Partition], definitions: Sequence[Partition], candles: dict[date, pl.DataFrame]
) -> pl.DataFrame:
    """Statistics of the date's contract, in order of receipt: ids are those of each date's own definitions."""
    contract = candles[max(candles)]["contract"][0]
    ids = {
        partition.dt: partition.read(["contract", "instrument_id"]).filter(contract=contract)["instrument_id"].to_list()
        for partition in definitions
    }
    frames = [
        partition.read(STATISTICS_COLUMNS).filter(pl.col("instrument_id").is_in(ids.get(partition.dt, [])))
        for partition in statistics
    ]
    schema = {"instrument_id": pl.UInt32, "stat_type": pl.UInt16, "price_int": pl.Int64, "ts_ref": TIMESTAMP}
    empty = pl.DataFrame(schema={**schema, "ts_recv": TIMESTAMP, "update": pl.String})
    held = [frame.with_columns(pl.col("update").cast(pl.String)) for frame in frames]
    return pl.concat([empty, *held]).sort("ts_recv", maintain_order=True)


def _first_ns(dt: date) -> int:
    """00:00 UTC of a date."""
    return (dt - date(1970, 1, 1)).days * DAY_NS


def _dates_of(first: int, last: int) -> set[date]:
    """UTC dates of [first, last)."""
    days = range(first // DAY_NS, -(-last // DAY_NS))
    return {date(1970, 1, 1) + timedelta(days=day) for day in days}
