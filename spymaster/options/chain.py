"""Which options a session prices, as of any moment: the universe, from the definitions and nothing but them.

A definition holds from its receipt until the instrument's next one, so an instrument may be several things in one
session: each version is a *series* of its own, and what is known in a window is what was received before it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from spymaster.settings import OptionSettings

FOR_GOOD = 2**63 - 1
"""`known_until` of a version that nothing replaces."""

DEFINITION_COLUMNS = (
    "instrument_id",
    "ts_recv",
    "right",
    "strike_price_int",
    "expiration",
    "underlying",
    "tick_size_int",
    "multiplier",
    "is_user_defined",
    "is_deleted",
)
"""Columns of `bronze.option_definition` that say what belongs to the universe."""

LEFT_OUT_REASONS = (
    "neither_call_nor_put",
    "user_defined",
    "no_positive_strike",
    "no_expiration",
    "no_underlying",
    "expired",
    "beyond_max_days",
    "other_underlying",
)
"""Why an instrument is not priced: the first of these that holds."""


@dataclass(frozen=True, eq=False)
class Chain:
    """The series of a universe, arrays over n of them by `instrument_id`, then `known_from`.

    `known_from` and `known_until` int64 ns: a version holds in [from, until); a withdrawn one ends with the withdrawal.
    `expiration` int64 ns, `strike_price_int` and `tick_size_int` int64 1e-9 (a tick of 0 is unknown), `is_call` bool,
    `multiplier` float64, `underlying` object (raw symbols). `expiry` int64 indexes `expirations`, int64 ns ascending,
    and `underlyings`, the future that each of them delivers; should two futures share an expiration, it is there twice.
    `left_out` counts the instruments that are no part of it, by reason.
    """

    instrument_id: np.ndarray
    known_from: np.ndarray
    known_until: np.ndarray
    expiration: np.ndarray
    strike_price_int: np.ndarray
    is_call: np.ndarray
    multiplier: np.ndarray
    tick_size_int: np.ndarray
    underlying: np.ndarray
    expiry: np.ndarray
    expirations: np.ndarray
    underlyings: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)

    @classmethod
    def universe(cls, definitions: pl.DataFrame, dt: date, contract: str, settings: OptionSettings) -> Chain:
        """The calls and puts that a session prices.

        definitions: rows of `bronze.option_definition` with `DEFINITION_COLUMNS`, in any order. contract: the selected
        contract of the date; with `settings.underlying` "all" the options on every other future belong too. The
        expiration lies on UTC date `dt` or up to `settings.max_days` later.
        """
        rows = _versions(definitions.select(DEFINITION_COLUMNS))
        rows = rows.with_columns(reason=_reason(dt, contract, settings))
        counts = rows.filter(pl.col("reason").is_not_null()).group_by("reason").agg(pl.col("instrument_id").n_unique())
        priced = rows.filter(pl.col("reason").is_null())
        expiries = priced.select("expiration", "underlying").unique().sort("expiration", "underlying")
        expiries = expiries.with_row_index("expiry")
        priced = priced.join(expiries, on=["expiration", "underlying"], how="left", maintain_order="left")
        return cls(
            instrument_id=_integers(priced["instrument_id"]),
            known_from=_integers(priced["ts_recv"]),
            known_until=_integers(priced["known_until"]),
            expiration=_integers(priced["expiration"]),
            strike_price_int=_integers(priced["strike_price_int"]),
            is_call=(priced["right"] == "C").to_numpy().copy(),
            multiplier=priced["multiplier"].to_numpy().copy(),
            tick_size_int=_integers(priced["tick_size_int"].fill_null(0)),
            underlying=np.array(priced["underlying"].to_list(), object),
            expiry=_integers(priced["expiry"]),
            expirations=_integers(expiries["expiration"]),
            underlyings=tuple(expiries["underlying"].to_list()),
            left_out=dict(sorted(counts.iter_rows())),
        )

    def __len__(self) -> int:
        return len(self.instrument_id)

    @property
    def changes(self) -> np.ndarray:
        """Moments at which a version begins to hold or ceases to, int64 ns ascending."""
        moments = np.unique(np.concatenate([self.known_from, self.known_until]))
        return moments[moments < FOR_GOOD]

    def series_of(
        self, instrument_id: np.ndarray | Sequence[int], window_end_ns: np.ndarray | Sequence[int] | int
    ) -> np.ndarray:
        """The series that each instrument was as far as was known in the window that ends then, int64 [m]; -1 for none.

        A window's end is exclusive, so a definition received at that very moment is of the next window.
        """
        wanted, ends = np.broadcast_arrays(np.asarray(instrument_id, np.int64), np.asarray(window_end_ns, np.int64))
        found = np.full(wanted.shape, -1, np.int64)
        if not len(self):
            return found
        ids, at = np.unique(self.instrument_id, return_inverse=True)
        # both in one ascending number: the rank of the instrument, and the rank of the moment among all moments
        moments = np.unique(self.known_from)
        order = at * (len(moments) + 1) + np.searchsorted(moments, self.known_from)
        number = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
        rank = np.searchsorted(moments, ends, side="left")
        last = np.searchsorted(order, number * (len(moments) + 1) + rank, side="left") - 1
        series = np.maximum(last, 0)
        holds = (
            (last >= 0)
            & (self.instrument_id[series] == wanted)
            & (self.known_from[series] < ends)
            & (ends <= self.known_until[series])
        )
        found[holds] = series[holds]
        return found


def _versions(definitions: pl.DataFrame) -> pl.DataFrame:
    """Definitions that define something, each with the moment at which the instrument's next record ends it."""
    ordered = definitions.sort("instrument_id", "ts_recv").with_columns(pl.col("ts_recv", "expiration").to_physical())
    following = pl.col("ts_recv").shift(-1).over("instrument_id").fill_null(FOR_GOOD)
    return ordered.with_columns(known_until=following).filter(~pl.col("is_deleted"))


def _reason(dt: date, contract: str, settings: OptionSettings) -> pl.Expr:
    """The first of `LEFT_OUT_REASONS` that holds; null for what is priced."""
    first = datetime(dt.year, dt.month, dt.day, tzinfo=UTC)
    start, end = (int((first + timedelta(days)).timestamp()) * 1_000_000_000 for days in (0, settings.max_days + 1))
    foreign = pl.lit(False) if settings.underlying == "all" else pl.col("underlying") != contract
    holds = (
        pl.col("right").is_null(),
        pl.col("is_user_defined"),
        pl.col("strike_price_int").fill_null(0) <= 0,
        pl.col("expiration").is_null(),
        pl.col("underlying").is_null(),
        pl.col("expiration") < start,
        pl.col("expiration") >= end,
        foreign,
    )
    return pl.coalesce([pl.when(rule).then(pl.lit(name)) for name, rule in zip(LEFT_OUT_REASONS, holds, strict=True)])


def _integers(column: pl.Series) -> np.ndarray:
    """A column without nulls as writable int64."""
    return column.cast(pl.Int64).to_numpy().copy()
