"""Who bought and sold which options, by strike: what `surfaces.pressure` takes from `silver.option_quote_1s`.

A call bought or a put sold pays when price rises, a put bought or a call sold when it falls. Volume counts |delta|
times, with the delta of its row, or, where that row has none (a rejected quote), the last one known of the option.
Volume of an option that never had a delta cannot be weighed and is left out; counters say how much that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl

from spymaster.surfaces.blocks import nanoseconds

QUOTE_COLUMNS: Final = ("window_end", "instrument_id", "buy_volume", "sell_volume", "delta")
"""Columns of `silver.option_quote_1s` that are read."""
DEFINITION_COLUMNS: Final = ("instrument_id", "ts_recv", "right", "strike_price_int", "is_deleted")
"""Columns of `bronze.option_definition` that are read."""


@dataclass(frozen=True)
class OptionFlow:
    """Option flow of a session: `n` entries, one per second and bucket with any, in time order."""

    since: int | None = None
    """window_end (ns) of the first quote; None where the session has no options."""
    t: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """int64[n], window_end in ns."""
    bucket: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """int64[n], number of the bucket that holds the strike: strike // size of a bucket."""
    flow: np.ndarray = field(default_factory=lambda: np.empty((2, 0)))
    """float64[2, n], long and short, |delta| times contracts."""
    counters: dict[str, int] = field(default_factory=dict)

    def between(self, after_ns: int, upto_ns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Times, buckets and flows of the windows that end in (after, upto]."""
        first, last = np.searchsorted(self.t, [after_ns, upto_ns], side="right")
        return self.t[first:last], self.bucket[first:last], np.ascontiguousarray(self.flow[:, first:last])


NO_OPTIONS: Final = OptionFlow()
"""A session without options."""


def option_flow(quotes: Iterable[pl.DataFrame], definitions: pl.DataFrame, *, bucket_price_int: int) -> OptionFlow:
    """Option flow of a session.

    quotes: frames with `QUOTE_COLUMNS`, in the table's order, in batches of any size. definitions: the session's rows
    with `DEFINITION_COLUMNS`; the last version received before a row's window_end is used. bucket_price_int: size of
    a bucket, 1e-9. Memory: one batch, the last delta of each option, and the rows with volume.
    """
    versions = definitions.select(DEFINITION_COLUMNS).sort("ts_recv")
    deltas = pl.DataFrame(schema={"instrument_id": pl.UInt32, "delta": pl.Float32})
    since: int | None = None
    traded: list[pl.DataFrame] = []
    for batch in quotes:
        if batch.is_empty():
            continue
        if since is None:
            since = int(nanoseconds(batch["window_end"].head(1))[0])
        volume = batch.filter(pl.col("buy_volume") + pl.col("sell_volume") > 0)
        if volume.height:
            traded.append(_with_delta(volume, batch, deltas))
        known = batch.lazy().filter(pl.col("delta").is_not_null()).select("instrument_id", "delta")
        deltas = pl.concat([deltas.lazy(), known]).unique("instrument_id", keep="last", maintain_order=True).collect()
    counters = {"option_volume": 0, "option_volume_without_delta": 0, "option_volume_undefined": 0}
    if since is None or not traded:
        return OptionFlow(since, counters=counters)
    rows = (
        pl.concat(traded)
        .sort("window_end", maintain_order=True)
        .join_asof(
            versions, left_on="window_end", right_on="ts_recv", by="instrument_id", strategy="backward",
            allow_exact_matches=False, check_sortedness=False,
        )
    )  # fmt: skip
    volume = pl.col("buy_volume") + pl.col("sell_volume")
    defined = pl.col("right").is_not_null() & pl.col("strike_price_int").is_not_null() & ~pl.col("is_deleted")
    rows = rows.with_columns(defined=defined.fill_null(False))
    unweighed = pl.col("defined") & pl.col("delta").is_null()
    sums = rows.select(
        option_volume=volume.sum(),
        option_volume_without_delta=volume.filter(unweighed).sum(),
        option_volume_undefined=volume.filter(~pl.col("defined")).sum(),
    ).row(0, named=True)
    weight = pl.col("delta").cast(pl.Float64).abs()
    is_call = pl.col("right") == "C"
    summed = (
        rows.filter(pl.col("defined") & pl.col("delta").is_not_null())
        .select(
            "window_end",
            bucket=pl.col("strike_price_int").floordiv(bucket_price_int),
            long=weight * pl.when(is_call).then("buy_volume").otherwise("sell_volume"),
            short=weight * pl.when(is_call).then("sell_volume").otherwise("buy_volume"),
        )
        .group_by("window_end", "bucket", maintain_order=True)
        .agg(pl.col("long").sum(), pl.col("short").sum())
        .sort("window_end", "bucket")
    )
    return OptionFlow(
        since,
        nanoseconds(summed["window_end"]).copy(),
        summed["bucket"].to_numpy().copy(),
        np.stack([summed["long"].to_numpy(), summed["short"].to_numpy()]),
        {name: int(value) for name, value in sums.items()},
    )


def _with_delta(volume: pl.DataFrame, batch: pl.DataFrame, deltas: pl.DataFrame) -> pl.DataFrame:
    """Rows with volume of a batch, with the last delta of the option where the row has none."""
    columns = volume.select(QUOTE_COLUMNS)
    missing = columns.filter(pl.col("delta").is_null())
    if missing.is_empty():
        return columns
    known = batch.filter(pl.col("delta").is_not_null()).select("window_end", "instrument_id", last="delta")
    found = (
        missing.drop("delta")
        .join_asof(known, on="window_end", by="instrument_id", strategy="backward", check_sortedness=False)
        .join(deltas, on="instrument_id", how="left", maintain_order="left")
        .with_columns(delta=pl.coalesce("last", "delta"))
    )
    return pl.concat([columns.filter(pl.col("delta").is_not_null()), found.select(QUOTE_COLUMNS)])
