"""From stored tables to `gold.algo_intensity_1s` of a session: the frozen list, the counts, and what is usual."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import polars as pl

from spymaster.evidence import arrays
from spymaster.evidence.arrays import SECOND_NS, day_arrays
from spymaster.evidence.frozen import FrozenList, Listed, listed
from spymaster.evidence.intensity import (
    LEAST_SESSIONS,
    LEAST_SESSIONS_DEMO,
    baseline,
    count,
    rows_of,
    with_baseline,
)
from spymaster.evidence.law import Law
from spymaster.evidence.session import earlier_law
from spymaster.evidence.strata import Stratum
from spymaster.lake import Partition
from spymaster.market.calendar import session_dates
from spymaster.market.instruments import Instrument
from spymaster.settings import Settings
from spymaster.tables.algo_intensity_1s import AlgoIntensity1s

LIST_COLUMNS = ("test_id", "sub_id", "stratum_json", "effect", "weights_json", "verdict_discovery")
BASELINE_COLUMNS = ("window_end", "side", "band", "share_msgs")
COUNTING = ("weak", "supported", "fact")
"""Verdicts of the discovery dates that put a finding on the list, with or without the prefix of simulated data."""


def frozen_list(findings: pl.DataFrame, law: Law | None) -> FrozenList:
    """The list that a date attributes by.

    findings: rows of `algo_replication` of the latest earlier date with `LIST_COLUMNS`; law: of earlier dates.
    """
    kept = findings.filter(pl.col("verdict_discovery").cast(pl.String).str.split(":").list.last().is_in(COUNTING))
    rows = []
    for row in kept.iter_rows(named=True):
        weights = json.loads(row["weights_json"])
        bins = tuple(sorted((float(lo), float(hi), float(w)) for lo, hi, w in weights["bins"]))
        stratum = Stratum(**json.loads(row["stratum_json"]))
        rows.append(Listed(row["test_id"], row["sub_id"], stratum, weights["unit"], bins, row["effect"] or 0.0))
    return FrozenList(listed(rows), law)


def session_intensity(
    events: Partition,
    lives: Partition,
    trades: Partition,
    quotes: Partition,
    snapshot: Partition,
    findings: Sequence[Partition],
    laws: Sequence[Partition],
    earlier: Sequence[Partition],
    *,
    settings: Settings,
    instrument: Instrument,
    profile: str,
) -> pl.DataFrame:
    """`gold.algo_intensity_1s` of a session.

    findings: `algo_replication` of the latest earlier date, or nothing; laws: `algo_law` up to the
    date, whose own row is not used; earlier: this table of earlier dates. A date without seconds has no rows.
    """
    windows = snapshot.read(("contract", *arrays.SNAPSHOT_COLUMNS))
    if windows.is_empty():
        return AlgoIntensity1s.empty()
    law = earlier_law(laws, events.dt, settings.evidence)  # by the date's own nothing may be weighed
    frozen = frozen_list(findings[0].read(LIST_COLUMNS), law) if findings else None
    messages = events.read((*arrays.EVENT_COLUMNS, "rel_ticks"))
    day = day_arrays(
        messages,
        lives.read(arrays.LIFE_COLUMNS),
        trades.read(arrays.TRADE_COLUMNS),
        quotes.read(arrays.QUOTE_COLUMNS),
        windows,
        tick_size_int=instrument.tick_size_int,
        law=law,
    )
    ends = windows["window_end"].to_physical().to_numpy()
    shown = np.zeros(len(day.open), np.bool_)
    shown[(ends - day.start) // SECOND_NS - 1] = True
    away = messages["rel_ticks"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    usual = baseline([one.read(BASELINE_COLUMNS) for one in earlier])
    least = LEAST_SESSIONS_DEMO if profile == "demo" else LEAST_SESSIONS
    rows = with_baseline(rows_of(count(day, away, frozen, shown)), usual, least)
    starts = rows["window_end"].to_physical().to_numpy() - SECOND_NS
    return rows.with_columns(
        contract=pl.lit(windows["contract"][0]),
        session_date=pl.Series(session_dates(starts, instrument)).cast(pl.Date),
        attribution_hash=pl.lit(None if frozen is None else frozen.hash, pl.String),
        provenance=pl.lit(snapshot.manifest.provenance),
    ).select([pl.col(name).cast(column.dtype) for name, column in AlgoIntensity1s.columns.items()])
