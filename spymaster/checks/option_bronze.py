"""Data integrity of the Bronze option and statistics tables: complete, named, and known when they say."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import Check, Finding, Session, Severity, Suite, check
from spymaster.checks.frames import (
    FUTURE_STATISTICS,
    OPTION_DEFINITION,
    OPTION_MBO,
    OPTION_STATISTICS,
    collect,
    finding,
    scan,
)

SETTLEMENT, CLEARED_VOLUME, OPEN_INTEREST = 3, 6, 9
OPTION = pl.col("instrument_class").is_in(["C", "P"])


@check(OPTION_MBO, suite=Suite.DATA, blocking=True)
def records_of_file(session: Session) -> Finding:
    """There are as many rows as the manifest counted records in the file."""
    counted = session.partition(OPTION_MBO).manifest.counters.get("records", 0)
    rows = int(collect(scan(session, OPTION_MBO).select(pl.len())).item())
    first = pl.DataFrame({"rows": [rows], "records": [counted]})
    return finding(abs(rows - counted), first, "one row per record of the file", records=counted)


@check(OPTION_DEFINITION, suite=Suite.DATA, severity=Severity.WARN)
def options_priceable(session: Session) -> Finding:
    """Every call and put names its strike, expiration and future; others have no volatility and no gamma exposure."""
    incomplete = pl.any_horizontal(pl.col("right", "strike_price_int", "expiration", "underlying").is_null())
    options = scan(session, OPTION_DEFINITION).filter(OPTION)
    bad = collect(options.filter(incomplete | (pl.col("strike_price_int") <= 0)))
    columns = ["instrument_id", "contract", "strike_price_int", "expiration", "underlying"]
    return finding(bad.height, bad.select(columns), "calls and puts have a strike, an expiration and a future")


@check(OPTION_DEFINITION, suite=Suite.DATA, severity=Severity.WARN)
def multiplier_of_root(session: Session) -> Finding:
    """Calls and puts have the multiplier of the instrument configuration; another one scales gamma exposure."""
    root = session.instrument
    bad = collect(scan(session, OPTION_DEFINITION).filter(OPTION, pl.col("multiplier") != root.multiplier))
    return finding(
        bad.height, bad.select("instrument_id", "contract", "multiplier"), f"multiplier = {root.multiplier:g}"
    )


@check(OPTION_DEFINITION, suite=Suite.DATA, severity=Severity.WARN)
def one_id_in_force(session: Session) -> Finding:
    """At the end of the date no contract is in force under two ids: its open interest would count twice."""
    last = scan(session, OPTION_DEFINITION).group_by("instrument_id", maintain_order=True).last()
    held = collect(last.filter(~pl.col("is_deleted")).select("contract", "instrument_id", "ts_recv"))
    bad = held.filter(pl.col("contract").is_duplicated()).sort("contract", "instrument_id")
    return finding(bad.height, bad, "one instrument_id in force per contract", in_force=held.height)


def _instruments_defined(table: str) -> Check:
    @check(table, OPTION_DEFINITION, suite=Suite.DATA, severity=Severity.WARN, name="instruments_defined")
    def instruments_defined(session: Session) -> Finding:
        """Every instrument with records has a definition; without one nobody knows its strike."""
        seen = scan(session, table, ["instrument_id"]).group_by("instrument_id").agg(records=pl.len())
        defined = scan(session, OPTION_DEFINITION, ["instrument_id"])
        both = collect(seen.join(defined.unique(), on="instrument_id", how="anti").sort("instrument_id"))
        total = collect(seen.select(pl.len())).item()
        return finding(both.height, both, "every instrument is defined", instruments=int(total))

    return instruments_defined


def _session_had_begun(table: str) -> Check:
    @check(table, suite=Suite.DATA, severity=Severity.WARN, name="session_had_begun")
    def session_had_begun(session: Session) -> Finding:
        """Open interest, settlement and cleared volume are of a session that had begun when they were received."""
        rows = scan(session, table, ["instrument_id", "stat_type", "ts_ref", "ts_recv"])
        told = rows.filter(pl.col("stat_type").is_in([SETTLEMENT, CLEARED_VOLUME, OPEN_INTEREST]))
        bad = collect(told.filter(pl.col("ts_ref") > pl.col("ts_recv")))
        return finding(bad.height, bad, "ts_ref is not after ts_recv")

    return session_had_begun


def _open_interest_told(table: str) -> Check:
    @check(table, suite=Suite.DATA, severity=Severity.WARN, name="open_interest_told")
    def open_interest_told(session: Session) -> Finding:
        """A new open interest is a quantity of at least 0, of a session that it names."""
        columns = ["instrument_id", "stat_type", "update", "quantity", "ts_ref", "ts_recv"]
        told = scan(session, table, columns).filter(pl.col("stat_type") == OPEN_INTEREST, pl.col("update") == "new")
        wrong = pl.col("quantity").is_null() | (pl.col("quantity") < 0) | pl.col("ts_ref").is_null()
        bad = collect(told.filter(wrong))
        total = collect(told.select(pl.col("instrument_id").n_unique())).item()
        return finding(bad.height, bad, "quantity >= 0 and ts_ref are known", instruments=int(total))

    return open_interest_told


DEFINED_CHECKS = [_instruments_defined(table) for table in (OPTION_MBO, OPTION_STATISTICS)]
STATISTICS_CHECKS = [
    make(table)
    for make in (_session_had_begun, _open_interest_told)
    for table in (FUTURE_STATISTICS, OPTION_STATISTICS)
]
