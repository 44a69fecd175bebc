"""Integrity of what is made from evidence: lists are of earlier dates, counts add up, reports are what was written."""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import EPISODE, ORDER_EVENT, OUTCOME, SECOND_NS, SNAPSHOT, collect, finding, scan
from spymaster.tables.algo_contrast import CONTRAST_IDS
from spymaster.tables.algo_intensity_1s import COUNTED_KINDS

INTENSITY, CONTRAST, REPORT = "gold.algo_intensity_1s", "gold.algo_contrast", "gold.evidence_report"
REPLICATION = "gold.algo_replication"
AFTER_OPEN_S = 60
MASS_CANCELS, MASS_WITHIN_NS = 20, 50_000
"""What is not counted, as the documentation has it: a minute after an open, and more cancels than that within 50 us."""
OF_EARLIER = (INTENSITY, REPLICATION)
"""Tables that intensity may read of earlier dates only."""


def _inputs(session: Session, table: str) -> list[tuple[str, date]]:
    """Table and date of every partition that a partition was made from."""
    named = [one.name.split(" ") for one in session.partition(table).manifest.inputs if one.kind == "partition"]
    return [(parts[0], date.fromisoformat(parts[-1])) for parts in named]


@check(INTENSITY, suite=Suite.PHYSICS, blocking=True)
def list_is_earlier(session: Session) -> Finding:
    """The list of findings and what is usual are of dates before the partition's own."""
    read = _inputs(session, INTENSITY)
    faults = [
        f"{name} of {dt} is not earlier than {session.dt}"
        for name, dt in read
        if name in OF_EARLIER and dt >= session.dt
    ]
    hashed = collect(scan(session, INTENSITY, ["attribution_hash"]).unique())["attribution_hash"]
    if len(hashed) > 1:
        faults.append(f"{len(hashed)} lists in one partition")
    listed = any(name == REPLICATION for name, _ in read)
    if len(hashed) and (hashed[0] is not None) != listed:
        faults.append("attribution_hash without a list, or a list without it")
    message = faults[0] if faults else "everything usual is of earlier dates"
    return Finding(len(faults), message, {"inputs": len(read)}, tuple(faults))


@check(INTENSITY, SNAPSHOT, suite=Suite.DATA, blocking=True)
def sides_and_bands_add_up(session: Session) -> Finding:
    """Every second has a row of all sides and bands, which is the sum of both sides; bands are no more than all."""
    rows = scan(session, INTENSITY, ["window_end", "side", "band", "n_msgs", "qty_msgs", "n_attr"])
    text = rows.with_columns(pl.col("side", "band").cast(pl.String))
    of_all = [
        pl.col(name)
        .filter((pl.col("side") == side) & (pl.col("band") == band))
        .sum()
        .cast(pl.Float64)
        .alias(f"{name} {side} {band}")
        for name in ("n_msgs", "qty_msgs", "n_attr")
        for side, band in (("all", "all"), ("B", "all"), ("A", "all"))
    ]
    near = pl.col("n_msgs").filter((pl.col("side") == "all") & (pl.col("band") != "all")).sum().alias("near")
    has = ((pl.col("side") == "all") & (pl.col("band") == "all")).any().alias("whole")
    seconds = scan(session, SNAPSHOT, ["window_end"]).with_columns(second=pl.lit(True))
    both = collect(
        text.group_by("window_end").agg(*of_all, near, has).join(seconds, on="window_end", how="full", coalesce=True)
    )
    wrong = pl.col("second").is_null() | ~pl.col("whole").fill_null(False) | (pl.col("near") > pl.col("n_msgs all all"))
    for name in ("n_msgs", "qty_msgs", "n_attr"):
        whole, parts = pl.col(f"{name} all all"), pl.col(f"{name} B all") + pl.col(f"{name} A all")
        wrong |= (whole - parts).abs() > 1e-4 * (1 + whole)
    bad = both.filter(wrong.fill_null(True)).select("window_end", "near", "n_msgs all all").sort("window_end")
    return finding(bad.height, bad, "sides and bands add up in every second", seconds=both.height)


@check(INTENSITY, ORDER_EVENT, SNAPSHOT, suite=Suite.DATA)
def messages_are_there(session: Session) -> Finding:
    """Every second counts all messages that order_event has for it, side by side, and no other.

    Those of the kinds that count, in seconds in which tests may look, of a valid book, without mass cancels.
    """
    text = [pl.col(name).cast(pl.String) for name in ("side", "band")]
    rows = scan(session, INTENSITY, ["window_end", "side", "band", "n_msgs"]).with_columns(text)
    counted = rows.filter(pl.col("band") == "all").select("window_end", "side", "n_msgs")
    both = collect(counted.join(_sent(session), on=("window_end", "side"), how="full", coalesce=True))
    bad = both.filter(pl.col("n_msgs").fill_null(0) != pl.col("sent").fill_null(0)).sort("window_end", "side")
    return finding(bad.height, bad, "messages are those of order_event", seconds=both["window_end"].n_unique())


def _sent(session: Session) -> pl.LazyFrame:
    """How many messages each side, and both, sent by second, counted from the stored tables alone."""
    end = (pl.col("ts_event").dt.truncate("1s") + pl.duration(seconds=1)).dt.cast_time_unit("ns").alias("window_end")
    kind, side = pl.col("kind").cast(pl.String), pl.col("side").cast(pl.String)
    messages = scan(session, ORDER_EVENT, ["ts_event", "event_id", "kind", "side", "book_valid"])
    sent = messages.filter(kind.is_in(COUNTED_KINDS) & pl.col("book_valid")).group_by(end, side).agg(n=pl.len())
    cancels = collect(messages.filter(kind == "cancel").select("ts_event", "event_id", end, side, "book_valid"))
    mass = _of_a_mass(cancels["ts_event"].to_physical().to_numpy(), cancels["event_id"].to_numpy())
    pulled = (
        cancels.filter(pl.Series(mass) & pl.col("book_valid"))
        .group_by("window_end", "side")
        .agg(n=-pl.len().cast(pl.Int64))
    )
    by_side = pl.concat([sent.with_columns(pl.col("n").cast(pl.Int64)), pulled.lazy()])
    of_both = pl.concat([by_side, by_side.with_columns(side=pl.lit("all"))])
    summed = of_both.group_by("window_end", "side").agg(sent=pl.col("n").sum())
    return summed.join(_open_seconds(session).lazy(), on="window_end", how="semi")


def _open_seconds(session: Session) -> pl.DataFrame:
    """Ends of the seconds in which tests may look: valid, of continuous trading, not of the minute after an open."""
    seconds = collect(scan(session, SNAPSHOT, ["window_end", "phase", "window_valid"]))
    trading = pl.col("phase").cast(pl.String) == "continuous"
    opened = pl.when(trading & ~trading.shift(1)).then("window_end").forward_fill()
    settling = (pl.col("window_end") - opened < pl.duration(seconds=AFTER_OPEN_S)).fill_null(False)
    return seconds.filter(trading & pl.col("window_valid") & ~settling).select("window_end")


def _of_a_mass(ts: NDArray[np.int64], event: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which cancels, in order of time, are among more than `MASS_CANCELS` of 50 us of one second, or of one event."""
    first, last = slice(None, max(len(ts) - MASS_CANCELS, 0)), slice(MASS_CANCELS, None)
    close = (ts[last] - ts[first] <= MASS_WITHIN_NS) & (ts[last] // SECOND_NS == ts[first] // SECOND_NS)
    begins = np.flatnonzero(close | (event[last] == event[first]))
    steps = np.zeros(len(ts) + 1, np.int64)
    np.add.at(steps, begins, 1)
    np.add.at(steps, begins + MASS_CANCELS + 1, -1)
    return np.cumsum(steps)[:-1] > 0


@check(CONTRAST, suite=Suite.PHYSICS, blocking=True)
def questions_are_the_registered_ones(session: Session) -> Finding:
    """Every question that is asked has a row, and no other; the family's q are those of its p."""
    rows = collect(scan(session, CONTRAST))
    faults = [f"{name} is missing or not registered" for name in sorted(set(CONTRAST_IDS) ^ set(rows["contrast_id"]))]
    family = rows.filter(~pl.col("is_primary") & pl.col("p_perm").is_not_null()).sort("p_perm", descending=True)
    left = pl.int_range(family.height, 0, -1, eager=True)
    due = (family["p_perm"] * family.height / left).cum_min().clip(0, 1)
    off = family.filter(((pl.col("q_bh") - due).abs() > 1e-9).fill_null(True))
    faults += [f"q of {name} is not that of its p" for name in off["contrast_id"]]
    return Finding(
        len(faults), faults[0] if faults else f"{rows.height} questions", {"questions": rows.height}, tuple(faults)
    )


@check(CONTRAST, suite=Suite.PHYSICS, blocking=True)
def nothing_is_later(session: Session) -> Finding:
    """Answers are of touches up to the date: by the rows, and by the partitions that were read."""
    used = [dt for name, dt in _inputs(session, CONTRAST) if name in (INTENSITY, EPISODE, OUTCOME)]
    faults = [f"input of {dt} is later than {session.dt}" for dt in used if dt > session.dt]
    days = collect(scan(session, CONTRAST, ["last_dt"]).filter(pl.col("last_dt") > session.dt))
    faults += [f"last_dt {day} is later than {session.dt}" for day in days["last_dt"]]
    return Finding(len(faults), faults[0] if faults else "nothing is later", {"inputs": len(used)}, tuple(faults))


@check(REPORT, suite=Suite.DATA)
def files_are_what_was_written(session: Session) -> Finding:
    """The files of the report are there, and have the bytes whose hash was stored."""
    faults = []
    rows = collect(scan(session, REPORT))
    for row in rows.iter_rows(named=True):
        for kind in ("html", "md"):
            path = session.lake.root / row[f"{kind}_path"]
            if not path.is_file():
                faults.append(f"{row[f'{kind}_path']} is not there")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != row[f"{kind}_sha256"]:
                faults.append(f"{row[f'{kind}_path']} is not what was written")
    return Finding(
        len(faults), faults[0] if faults else "both files are there", {"reports": rows.height}, tuple(faults)
    )
