"""Data integrity of the Bronze tables: what came in is whole, in order, and named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from spymaster.checks.base import Check, Finding, Session, Severity, Suite, check
from spymaster.checks.frames import DEFINITION, MBO, OPTION_MBO, collect, finding, scan, violations

F_SNAPSHOT = 0x20
F_BAD_TS_RECV = 0x08


@check(MBO, suite=Suite.DATA, blocking=True)
def contracts_stored_apart(session: Session) -> Finding:
    """A row group of the file never spans two contracts, so that one contract-day reads alone."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(session.partition(MBO).path)
    names = [metadata.schema.column(i).name for i in range(metadata.num_columns)]
    column = names.index("contract")
    spanning = []
    for group in range(metadata.num_row_groups):
        bounds = metadata.row_group(group).column(column).statistics
        if bounds is None or not bounds.has_min_max or bounds.min != bounds.max:
            spanning.append({"row_group": group, "min": str(bounds and bounds.min), "max": str(bounds and bounds.max)})
    return finding(
        len(spanning), pl.DataFrame(spanning), "one contract per row group", row_groups=metadata.num_row_groups
    )


@check(MBO, suite=Suite.DATA)
def live_time_never_goes_back(session: Session) -> Finding:
    """Live records of a contract are in order of `ts_event`: file order is the truth, and it is not contradicted."""
    count, first, last = 0, pl.DataFrame(), None
    for batch in session.partition(MBO).batches(["contract", "ts_event", "flags", "sequence"]):
        live = batch.filter(pl.col("flags") & F_SNAPSHOT == 0).drop("flags")
        rows = live if last is None else pl.concat([last, live])
        same = pl.col("contract") == pl.col("contract").shift(1)
        before = pl.col("ts_event").shift(1)
        bad = rows.with_columns(before=before).filter(same & (pl.col("ts_event") < pl.col("before")))
        count += bad.height
        first = bad.head(20) if first.is_empty() else first
        last = rows.tail(1)
    return finding(count, first, "ts_event of live records never decreases within a contract")


def _received_on_date(table: str) -> Check:
    @check(table, suite=Suite.DATA, severity=Severity.WARN, name="received_on_date")
    def received_on_date(session: Session) -> Finding:
        """Records were received on the UTC date of the partition (those without a true receive time are not asked)."""
        first = datetime(session.dt.year, session.dt.month, session.dt.day, tzinfo=UTC)
        columns = ["instrument_id", "ts_event", "ts_recv", "flags"]
        rows = scan(session, table, columns).filter(pl.col("flags") & F_BAD_TS_RECV == 0)
        bad = rows.filter(~pl.col("ts_recv").is_between(first, first + timedelta(days=1), closed="left"))
        return violations(bad, f"ts_recv lies in {session.dt} UTC")

    return received_on_date


RECEIVED_CHECKS = [_received_on_date(table) for table in (MBO, OPTION_MBO)]


@check(MBO, suite=Suite.DATA)
def one_id_per_contract(session: Session) -> Finding:
    """A contract has one instrument id and an instrument id one contract."""
    pairs = collect(
        scan(session, MBO, ["contract", "instrument_id"])
        .group_by("contract", "instrument_id")
        .agg(pl.len().alias("records"))
        .sort("contract", "instrument_id")
    )
    bad = pairs.filter(pl.col("contract").is_duplicated() | pl.col("instrument_id").is_duplicated())
    return finding(bad.height, bad, "one instrument_id per contract", contracts=pairs["contract"].n_unique())


@check(DEFINITION, suite=Suite.DATA, severity=Severity.WARN)
def tick_as_configured(session: Session) -> Finding:
    """Outright futures have the tick size and multiplier of the instrument configuration."""
    rows = collect(scan(session, DEFINITION).filter(pl.col("instrument_class") == "F"))
    root = session.instrument
    bad = rows.filter((pl.col("tick_size_int") != root.tick_size_int) | (pl.col("multiplier") != root.multiplier))
    return finding(
        bad.height,
        bad.select("contract", "tick_size_int", "multiplier"),
        f"tick_size_int = {root.tick_size_int} and multiplier = {root.multiplier:g}, as configured",
        outrights=rows.height,
    )
