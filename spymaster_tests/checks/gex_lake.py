"""Options on a known surface beside the futures of the small lake: what gamma exposure needs, and its own tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET
from spymaster.options.gex_session import gex_pass
from spymaster.options.greeks import greeks
from spymaster.tables.option_definition import OptionDefinition
from spymaster.tables.option_forward_1s import OptionForward1s
from spymaster.tables.option_quote_1s import OptionQuote1s
from spymaster.tables.option_statistics import OptionStatistics
from spymaster.tables.types import FORWARD_SOURCE, REJECT_REASON, TIMESTAMP
from spymaster_tests.checks.sessions import CONTRACT, DT, SYMBOL
from spymaster_tests.options.definitions import definition

SECOND = 1_000_000_000
MIDNIGHT = datetime(DT.year, DT.month, DT.day, tzinfo=UTC)
EXPIRATIONS = (MIDNIGHT + timedelta(hours=21), MIDNIGHT + timedelta(days=1, hours=21))
STRIKES = range(4_700, 4_901, 5)


def add_options(lake: Lake) -> None:
    """Definitions, statistics, quotes, forwards and exposures of the second session."""
    definitions = _definitions()
    snapshot = lake.partition("silver.book_snapshot_1s", SYMBOL, DT).read()
    forwards = _forwards(snapshot)
    _write(lake, "bronze.option_definition", definitions)
    _write(lake, "bronze.option_statistics", _statistics(definitions))
    _write(lake, "silver.option_forward_1s", forwards)
    _write(lake, "silver.option_quote_1s", _quotes(definitions, forwards))
    make_exposures(lake)


def make_exposures(lake: Lake) -> None:
    """Both tables of gamma exposure, from what the lake holds, by the code that the asset calls."""
    names = ("silver.option_quote_1s", "silver.option_forward_1s", "bronze.option_definition",
             "bronze.option_statistics", "silver.book_snapshot_1s", "bronze.contract_day_selection")  # fmt: skip
    made = gex_pass(*(lake.partition(name, SYMBOL, DT) for name in names), settings=lake.settings)
    frames = list(made)
    for name in ("gex_surface_1s", "gex_level_1m"):
        _write(lake, f"silver.{name}", *(frame[name] for frame in frames), empty_reason=made.empty_reason)


def _write(lake: Lake, table: str, *frames: pl.DataFrame, empty_reason: str | None = None) -> None:
    with lake.writer(table, SYMBOL, DT) as writer:
        for frame in frames:
            writer.write(frame)
        writer.commit(dataset=SIM_DATASET, empty_reason=empty_reason)


def _definitions() -> pl.DataFrame:
    rows = [
        definition(
            1_000 + 500 * e + 2 * k + put, right="CP"[put], strike_price_int=strike * 10**9, expiration=expiration,
            underlying=CONTRACT, ts_recv=MIDNIGHT,
        )
        for e, expiration in enumerate(EXPIRATIONS)
        for k, strike in enumerate(STRIKES)
        for put in (0, 1)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=OptionDefinition.schema(), orient="row").sort("instrument_id", "ts_recv")


def _statistics(definitions: pl.DataFrame) -> pl.DataFrame:
    rng = np.random.default_rng(4)
    n = definitions.height
    return pl.DataFrame(
        {
            "instrument_id": definitions["instrument_id"],
            "publisher_id": pl.Series([1] * n, dtype=pl.UInt16),
            "stat_type": pl.Series([9] * n, dtype=pl.UInt16),
            "price_int": pl.Series([None] * n, dtype=pl.Int64),
            "quantity": rng.integers(10, 4_000, n),
            "ts_ref": pl.Series([MIDNIGHT - timedelta(days=1)] * n).cast(TIMESTAMP),
            "ts_event": pl.Series([MIDNIGHT + timedelta(hours=3)] * n).cast(TIMESTAMP),
            "ts_recv": pl.Series([MIDNIGHT + timedelta(hours=3)] * n).cast(TIMESTAMP),
            "update": pl.Series(["new"] * n),
            "stat_flags": pl.Series([0] * n, dtype=pl.UInt8),
            "channel_id": pl.Series([1] * n, dtype=pl.UInt16),
            "sequence": pl.Series(range(n), dtype=pl.UInt32),
        }
    ).cast(OptionStatistics.schema())  # pyright: ignore[reportArgumentType]


def _forwards(snapshot: pl.DataFrame) -> pl.DataFrame:
    rows = snapshot.select("window_end", forward=pl.col("spot_ref_price_int").forward_fill() / 1e9 + 0.125).join(
        pl.DataFrame({"expiration": pl.Series(EXPIRATIONS).cast(TIMESTAMP)}), how="cross"
    )
    years = (pl.col("expiration") - pl.col("window_end")).dt.total_seconds(fractional=True) / (365 * 86_400)
    rows = rows.with_columns(
        underlying=pl.lit(CONTRACT), years=years,
        forward_source=pl.when(pl.col("forward").is_null()).then(pl.lit("none")).otherwise(pl.lit("future"))
        .cast(FORWARD_SOURCE),
        parity_strikes=pl.lit(0, pl.Int32),
        **{name: pl.lit(None, OptionForward1s.schema()[name]) for name in (
            "parity_forward", "parity_width_ticks", "parity_gap_ticks", "atm_iv")},
    )  # fmt: skip
    return rows.select(OptionForward1s.schema().names()).sort("window_end", "expiration")


def _quotes(definitions: pl.DataFrame, forwards: pl.DataFrame) -> pl.DataFrame:
    """All options in the first second with a forward, a fifth of them in each later one; a little noise."""
    rng = np.random.default_rng(5)
    rows = forwards.filter(pl.col("forward").is_not_null()).join(definitions, on=["expiration", "underlying"])
    first = pl.col("window_end") == pl.col("window_end").min()
    rows = rows.filter(first | (pl.Series(rng.random(rows.height)) < 0.2)).sort("window_end", "instrument_id")
    strike, forward = rows["strike_price_int"].to_numpy() / 1e9, rows["forward"].to_numpy()
    k = np.log(strike / 4_800)
    iv = 0.14 * np.exp(-1.5 * k + 5 * k * k) * (1 + 0.001 * rng.standard_normal(len(k)))
    known = greeks(forward, strike, (rows["right"] == "C").to_numpy(), rows["years"].to_numpy(), iv)
    bid = (rng.integers(4, 300, len(k)) * 50_000_000).astype(np.int64)
    return rows.select(
        "window_end", "instrument_id",
        bid_price_int=pl.Series(bid), bid_qty=pl.lit(3, pl.Int32),
        ask_price_int=pl.Series(bid + 50_000_000), ask_qty=pl.lit(3, pl.Int32),
        mid=pl.Series((bid / 1e9 + 0.025).astype(np.float32)),
        buy_volume=pl.Series(rng.integers(0, 3, len(k)).astype(np.int32)),
        sell_volume=pl.Series(rng.integers(0, 3, len(k)).astype(np.int32)),
        add_qty=pl.lit(0, pl.Int32), pull_qty=pl.lit(0, pl.Int32), valid=pl.lit(True),
        iv=pl.Series(iv.astype(np.float32)), delta=pl.Series(known.delta.astype(np.float32)),
        gamma=pl.Series(known.gamma.astype(np.float32)), reject_reason=pl.lit(None, REJECT_REASON),
    ).select(OptionQuote1s.schema().names())  # fmt: skip
