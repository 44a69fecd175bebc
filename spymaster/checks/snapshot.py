"""Data integrity of `book_snapshot_1s`: the clock, the validity of the book, and what the engine counted as odd."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import Finding, Session, Severity, Suite, check
from spymaster.checks.frames import SECOND_NS, SNAPSHOT, collect, finding, scan

MIN_VALID_SHARE = 0.90
MIN_FIFO_CONSISTENCY = 0.90
MIN_KNOWN_FILLS = 100
"""Fewer fills than this say nothing about the queues."""
CROSSED_WINDOWS_TOLERATED = 60
CROSSED_SHARE_TOLERATED = 0.001


@check(SNAPSHOT, suite=Suite.DATA)
def snapshot_completed(session: Session) -> Finding:
    """The first window's book was built from a complete snapshot (or a clear): without one no window is valid."""
    first = collect(scan(session, SNAPSHOT, ["window_end", "book_state", "book_valid"]).head(1))
    if first.is_empty():
        return Finding(0, "no window", {"windows": 0})
    valid = collect(
        scan(session, SNAPSHOT, ["window_end", "book_valid"])
        .filter("book_valid")
        .select(pl.len().alias("windows"), pl.col("window_end").min().alias("first"))
    )
    ever, since = valid.row(0)
    metadata = {
        "book_state_first_window": str(first["book_state"][0]),
        "windows_with_valid_book": ever,
        "valid_since": str(since) if ever else None,
    }
    if first["book_valid"][0]:
        return Finding(0, "the first window's book comes from a complete snapshot", metadata)
    if ever:
        return Finding(
            1,
            f"the book is valid only from {since} on: the file starts without a snapshot",
            metadata,
            severity=Severity.WARN,
        )
    return Finding(1, "no complete snapshot in the whole partition: the book is never valid", metadata)


@check(SNAPSHOT, suite=Suite.DATA)
def bid_below_ask(session: Session) -> Finding:
    """Best bid below best ask in valid windows of the continuous phase.

    Real captures hold crossed moments, so they are a warning; a book that stays crossed is a broken one and an error.
    """
    windows = scan(session, SNAPSHOT).filter(pl.col("window_valid") & (pl.col("phase") == "continuous"))
    crossed_at_end = pl.col("best_bid_price_int") >= pl.col("best_ask_price_int")
    counts = collect(
        windows.select(
            pl.len().alias("windows"),
            (pl.col("crossed") | crossed_at_end.fill_null(False)).sum().alias("any"),
            crossed_at_end.fill_null(False).sum().alias("at_end"),
        )
    )
    total, some, at_end = counts.row(0)
    bad = windows.filter(pl.col("crossed") | crossed_at_end.fill_null(False))
    first = collect(bad.select("window_end", "best_bid_price_int", "best_ask_price_int").head(20))
    tolerated = max(CROSSED_WINDOWS_TOLERATED, CROSSED_SHARE_TOLERATED * total)
    outcome = finding(
        some, first, "best bid < best ask in valid continuous windows", windows=total, crossed_at_window_end=at_end
    )
    severity = Severity.ERROR if at_end > tolerated else Severity.WARN
    return Finding(outcome.violations, outcome.message, outcome.metadata, outcome.examples, severity)


@check(SNAPSHOT, suite=Suite.DATA, blocking=True)
def windows_contiguous(session: Session) -> Finding:
    """One row per second: `window_end` unique, one second after the one before, and one second after its start."""
    windows = scan(session, SNAPSHOT, ["window_start", "window_end"]).with_columns(
        step_ns=pl.col("window_end").diff().dt.total_nanoseconds(),
        length_ns=(pl.col("window_end") - pl.col("window_start")).dt.total_nanoseconds(),
    )
    bad = collect(windows.filter((pl.col("step_ns") != SECOND_NS) | (pl.col("length_ns") != SECOND_NS)))
    return finding(bad.height, bad, "window_end advances by one second and ends a one-second window")


@check(SNAPSHOT, suite=Suite.DATA, severity=Severity.WARN)
def valid_share(session: Session) -> Finding:
    """Share of windows that may be scored; below 90 % the day is thin ground for anything built on it."""
    windows, valid, partial, gaps, doubted = collect(
        scan(session, SNAPSHOT).select(
            pl.len(),
            pl.col("window_valid").sum().alias("valid"),
            pl.col("is_partial").sum().alias("partial"),
            pl.col("sequence_gap").sum().alias("gaps"),
            pl.col("maybe_bad_book").sum().alias("doubted"),
        )
    ).row(0)
    if not windows:
        return Finding(0, "no window", {"windows": 0})
    share = valid / windows
    return Finding(
        int(share < MIN_VALID_SHARE),
        f"{share:.1%} of {windows:,} windows are valid (at least {MIN_VALID_SHARE:.0%} wanted)",
        {
            "valid_share": share,
            "windows": windows,
            "valid_windows": valid,
            "partial_windows": partial,
            "sequence_gap_windows": gaps,
            "maybe_bad_book_windows": doubted,
        },
    )


@check(SNAPSHOT, suite=Suite.DATA, severity=Severity.WARN)
def fifo_consistency(session: Session) -> Finding:
    """At least 90 % of the fills name the front of their queue: below that the queues are not the exchange's."""
    counters = session.partition(SNAPSHOT).manifest.counters
    known, front = int(counters.get("fifo_known_fills", 0)), int(counters.get("fifo_front_fills", 0))
    metadata = {
        "fifo_known_fills": known,
        "fifo_front_fills": front,
        "fifo_consistency": front / known if known else None,
    }
    if known < MIN_KNOWN_FILLS:
        return Finding(0, f"only {known} fills of known orders: nothing to judge", metadata)
    return Finding(
        int(front < MIN_FIFO_CONSISTENCY * known),
        f"{front / known:.3f} of {known:,} fills hit the front of their queue (at least {MIN_FIFO_CONSISTENCY} wanted)",
        metadata,
    )


@check(SNAPSHOT, suite=Suite.DATA)
def known_order_ids(session: Session) -> Finding:
    """After a complete snapshot no cancel or modify names an order that the book does not hold."""
    counters = session.partition(SNAPSHOT).manifest.counters
    odd = {name: int(counters.get(name, 0)) for name in ("unknown_cancel", "modify_as_add", "fill_unknown")}
    unknown = odd["unknown_cancel"] + odd["modify_as_add"]
    first = collect(scan(session, SNAPSHOT, ["book_valid"]).head(1))
    if first.is_empty() or not first["book_valid"][0]:
        return Finding(0, f"no complete snapshot at the start, so {unknown:,} unknown ids are no surprise", {**odd})
    return Finding(
        unknown,
        f"{odd['unknown_cancel']:,} cancels and {odd['modify_as_add']:,} modifies of unknown orders",
        {**odd},
    )
