"""`gold.move_condition_scale`: median and median absolute deviation of the measures, over earlier sessions only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from spymaster.lake.partition import Partition
from spymaster.settings import Settings, SetupSettings
from spymaster.setups import fits
from spymaster.setups.condition_values import condition_values, eps, tod_bucket
from spymaster.setups.contracts import tick_size
from spymaster.setups.errors import SetupInputError
from spymaster.tables.move_condition_scale import CONDITIONS, FITS, TOD_BUCKETS, WHOLE_DAY, MoveConditionScale
from spymaster.tables.move_measure_1s import HORIZONS, MOVE_SIDES, MoveMeasure1s, measure

_SINGLE: Final = ("msgs", "absorb")


def columns(horizon: int) -> list[str]:
    """Columns of `silver.move_measure_1s` that the scale of a look-back reads."""
    names = ("q0", "add", "pull", "fill", "c0", "c1")
    sums = [measure(name, side, horizon) for side in MOVE_SIDES for name in names]
    return ["window_end", "valid", *(_SINGLE if horizon == HORIZONS[0] else ()), *sums]


def select_sessions(measures: Sequence[Partition], dt: date, settings: Settings) -> list[Partition]:
    """The last `scale_max_sessions` sessions before `dt` that have a valid second, in order of date.

    Later ones, and `dt` itself, are refused: SetupInputError.
    """
    late = [partition.label for partition in measures if partition.dt >= dt]
    if late:
        raise SetupInputError(f"the scale of {dt} was offered a session that is not earlier: {late[0]}")
    chosen: list[Partition] = []
    for partition in sorted(measures, key=lambda one: one.dt, reverse=True):
        if len(chosen) == settings.setups.scale_max_sessions:
            break
        if any(batch["valid"].any() for batch in partition.batches(["valid"])):
            chosen.append(partition)
    return chosen[::-1]


def session_scale(
    sessions: Sequence[Partition], definitions: Sequence[Partition], dt: date, *, eps_qty: float
) -> pl.DataFrame:
    """`gold.move_condition_scale` of `dt` from stored `silver.move_measure_1s` of earlier dates.

    definitions: `bronze.future_definition` of the same dates. One look-back at a time is held in memory. Raises
    SetupInputError if a session is not before `dt`, or has no definitions.
    """
    late = [partition.label for partition in sessions if partition.dt >= dt]
    if late:
        raise SetupInputError(f"the scale of {dt} was offered a session that is not earlier: {late[0]}")
    parts = [
        scale_of(
            pl.concat(
                [
                    empty_pool(horizon),
                    *(
                        partition.scan(columns(horizon)).filter("valid").with_columns(dt=pl.lit(partition.dt)).collect()
                        for partition in sessions
                    ),
                ]
            ),
            horizon,
        )
        for horizon in HORIZONS
    ]
    return pl.concat([*parts, session_fits(sessions, definitions, eps_qty=eps_qty)]).sort(MoveConditionScale.key)


def session_fits(sessions: Sequence[Partition], definitions: Sequence[Partition], *, eps_qty: float) -> pl.DataFrame:
    """Rows of the fits over whole days; one session at a time is held in memory."""
    defined = {partition.dt: partition for partition in definitions}
    fitted = fits.Fits(eps_qty)
    for partition in sessions:
        if partition.dt not in defined:
            raise SetupInputError(f"{partition.label} has no bronze.future_definition of its date beside it")
        fitted.add(partition.read(fits.COLUMNS), tick_size(partition, defined[partition.dt]))
    return fit_rows(fitted, [partition.dt for partition in sessions])


def fit_rows(fitted: fits.Fits, dates: Sequence[date]) -> pl.DataFrame:
    """Two rows, as the table holds them. dates: those of the sessions that were added."""
    values = (fits.as_json(fitted.micro_price()), fits.as_json(fitted.ofi_weights()))
    counts = (fitted.pairs, fitted.seconds)
    rows = [
        {
            "tod_bucket": WHOLE_DAY,
            "measure": name,
            "horizon_s": HORIZONS[0],
            "value_json": value,
            "n_sessions": len(dates) if count else 0,
            "n_rows": count,
            "last_dt_used": max(dates) if count else None,
        }
        for name, value, count in zip(FITS, values, counts, strict=True)
    ]
    return pl.DataFrame(rows, schema=MoveConditionScale.schema())


def empty_pool(horizon: int) -> pl.DataFrame:
    """A pool without rows."""
    schema = MoveMeasure1s.schema()
    return pl.DataFrame(schema={**{name: schema[name] for name in columns(horizon)}, "dt": pl.Date})


def scale_of(pool: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Rows of one look-back. pool: valid rows with `columns(horizon)` and `dt`, the date of their session."""
    rows = pool.with_columns(tod_bucket=tod_bucket())
    sides = [
        rows.select("tod_bucket", "dt", value=pl.col(measure("add", side, horizon)).cast(pl.Float64))
        for side in MOVE_SIDES
    ]
    add = _summary(pl.concat(sides), "add", horizon)
    usual = add.select("tod_bucket", usual="median")
    with_usual = rows.join(usual, on="tod_bucket", how="left", maintain_order="left")
    values = with_usual.select("tod_bucket", "dt", **condition_values(horizon, eps(pl.col("usual"))))
    parts = [add, *(_summary(values.select("tod_bucket", "dt", value=name), name, horizon) for name in CONDITIONS)]
    if horizon == HORIZONS[0]:
        parts += [
            _summary(rows.select("tod_bucket", "dt", value=pl.col(name).cast(pl.Float64)), name, horizon)
            for name in _SINGLE
        ]
    return pl.concat(parts)


def _summary(rows: pl.DataFrame, name: str, horizon: int) -> pl.DataFrame:
    """One row per half hour of the day, also of those that nothing is known of."""
    value = pl.col("value")
    known = (
        rows.drop_nulls("value")
        .group_by("tod_bucket")
        .agg(
            median=value.median(),
            mad=(value - value.median()).abs().median(),
            n_sessions=pl.col("dt").n_unique(),
            n_rows=pl.len(),
            last_dt_used=pl.col("dt").max(),
        )
    )
    every = pl.DataFrame({"tod_bucket": range(TOD_BUCKETS)}, schema={"tod_bucket": pl.Int32})
    return (
        every.join(known, on="tod_bucket", how="left", maintain_order="left")
        .with_columns(pl.col("n_sessions", "n_rows").fill_null(0), measure=pl.lit(name), horizon_s=pl.lit(horizon))
        .with_columns(value_json=pl.lit(None, pl.String))
        .select(pl.col(column).cast(dtype) for column, dtype in MoveConditionScale.schema().items())
    )


def least_sessions(settings: SetupSettings, profile: str) -> int:
    """Sessions that a scale needs to be used."""
    return settings.scale_min_sessions_demo if profile == "demo" else settings.scale_min_sessions
