"""Integrity of the search for automation: whole families, rows of one run, laws and replications of no later date."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import (
    ALGO_CURVE,
    ALGO_EXEMPLAR,
    ALGO_LAW,
    ALGO_REPLICATION,
    ALGO_RUN,
    ALGO_TEST,
    ORDER_EVENT,
    collect,
    finding,
    scan,
)

TOLERANCE = 1e-9


@check(ALGO_TEST, suite=Suite.PHYSICS, blocking=True)
def families_are_whole(session: Session) -> Finding:
    """Adjusted p-values are those of the family: every p of it, and 1 for each window that was only looked at."""
    columns = ["test_row_id", "family_id", "family_size", "p_raw", "q_bh"]
    rows = collect(scan(session, ALGO_TEST, columns).filter(pl.col("family_size") > 0))
    bad = []
    for (family,), own in rows.group_by("family_id", maintain_order=True):
        tested = own.filter(pl.col("p_raw").is_not_null())
        size = int(own["family_size"][0])
        if own["family_size"].n_unique() > 1 or size < tested.height:
            bad.append(f"family_id={family} has {tested.height} tests, family_size={own['family_size'].to_list()[:3]}")
            continue
        wrong = np.abs(_step_up(tested["p_raw"].to_numpy(), size) - tested["q_bh"].to_numpy()) > TOLERANCE
        bad += [f"q_bh of {name} is not of its family" for name in tested.filter(wrong)["test_row_id"]]
    message = bad[0] if bad else f"q of {rows['family_id'].n_unique()} families"
    return Finding(len(bad), message, {"rows": rows.height}, tuple(bad))


def _step_up(p: np.ndarray, size: int) -> np.ndarray:
    """Benjamini & Hochberg's q of p-values that are the smallest of a family of `size`; the others are 1."""
    order = np.argsort(p, kind="stable")
    scaled = np.append(p[order] * size / np.arange(1, len(p) + 1), 1.0)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1][:-1]
    return q


@check(ALGO_TEST, ALGO_RUN, suite=Suite.DATA, blocking=True)
def tests_of_the_run(session: Session) -> Finding:
    """All tests are of the one run of the date, as many as it says, with controls if it says so."""
    shared = ["run_id", "code_hash", "strata_hash", "data_hash", "contract", "session_date", "seed"]
    runs = collect(scan(session, ALGO_RUN, [*shared, "n_tests", "role", "controls"]))
    tests = collect(scan(session, ALGO_TEST, ["test_row_id", *shared, "holdout_flag", "is_negative_control"]))
    if runs.height != 1:
        return Finding(runs.height + tests.height, f"{runs.height} runs and {tests.height} tests", {})
    run = runs.row(0, named=True)
    same = pl.all_horizontal([pl.col(name) == run[name] for name in shared])
    bad = tests.filter(~(same & (pl.col("holdout_flag") == (run["role"] == "holdout"))))
    missing = abs(tests.height - run["n_tests"])
    missing += int(tests["is_negative_control"].any() == (run["controls"] == "none"))
    return finding(bad.height + missing, bad, f"{run['n_tests']} tests of run {run['run_id']}", tests=tests.height)


@check(ALGO_RUN, suite=Suite.PHYSICS, blocking=True)
def laws_are_earlier(session: Session) -> Finding:
    """Favourite sizes and thresholds are of earlier dates, and no partition of a later one was read."""
    rows = collect(scan(session, ALGO_RUN, ["run_id", "law_dates"])).explode("law_dates").drop_nulls()
    late = [f"law of {day}" for day in rows["law_dates"] if day >= session.dt]
    late += _later_inputs(session, ALGO_RUN)
    return Finding(len(late), late[0] if late else f"{rows.height} earlier dates", {"dates": rows.height}, tuple(late))


@check(ALGO_REPLICATION, suite=Suite.PHYSICS, blocking=True)
def replicated_up_to_the_date(session: Session) -> Finding:
    """No date after the partition's own counts, by the rows and by the manifest."""
    rows = collect(scan(session, ALGO_REPLICATION, ["test_id", "sub_id", "stratum_json", "last_dt"]))
    bad = rows.filter(pl.col("last_dt") > session.dt)
    late = _later_inputs(session, ALGO_REPLICATION)
    found = finding(bad.height, bad, "last_dt is not after the date", rows=rows.height)
    return found if not late else Finding(bad.height + len(late), late[0], found.metadata, tuple(late))


def _later_inputs(session: Session, table: str) -> list[str]:
    inputs = [one for one in session.partition(table).manifest.inputs if one.kind == "partition"]
    return [f"input {one.name}" for one in inputs if date.fromisoformat(one.name.rsplit(" ", 1)[1]) > session.dt]


@check(ALGO_CURVE, ALGO_TEST, suite=Suite.DATA)
def curves_of_tests(session: Session) -> Finding:
    """Every curve is of a test of the date."""
    return _of_tests(session, ALGO_CURVE)


@check(ALGO_EXEMPLAR, ALGO_TEST, suite=Suite.DATA)
def exemplars_of_tests(session: Session) -> Finding:
    """Every exemplar is of a test of the date, which is a fact or has q_bh <= 0.05."""
    return _of_tests(session, ALGO_EXEMPLAR, (pl.col("p_method") == "fact") | (pl.col("q_bh") <= 0.05))


def _of_tests(session: Session, table: str, keeps: pl.Expr | None = None) -> Finding:
    tests = scan(session, ALGO_TEST, ["test_row_id", "p_method", "q_bh"])
    named = collect(tests if keeps is None else tests.filter(keeps))["test_row_id"]
    rows = scan(session, table, ["test_row_id"]).group_by("test_row_id").len()
    held = collect(rows.sort("test_row_id"))
    bad = held.filter(~pl.col("test_row_id").is_in(named.implode()))
    return finding(bad.height, bad, "rows are of tests that have some", tests=held.height)


@check(ALGO_EXEMPLAR, ORDER_EVENT, suite=Suite.DATA)
def exemplars_are_messages(session: Session) -> Finding:
    """Every exemplar is a message of its order, at its time; of some orders no entry was seen."""
    shared = ["event_id", "order_id", "ts_event"]
    rows = collect(scan(session, ALGO_EXEMPLAR, ["test_row_id", *shared]).filter(pl.col("event_id").is_not_null()))
    ids = rows["order_id"].unique()
    messages = collect(scan(session, ORDER_EVENT, shared).filter(pl.col("order_id").is_in(ids.implode())).unique())
    bad = rows.join(messages, on=shared, how="anti").sort("test_row_id", "ts_event")
    return finding(bad.height, bad, "exemplars are stored messages", exemplars=rows.height)


@check(ALGO_LAW, suite=Suite.DATA, blocking=True)
def law_of_the_partition(session: Session) -> Finding:
    """One law of the date, with sizes that rise, and the provenance of what it was made from."""
    rows = collect(scan(session, ALGO_LAW))
    rising = pl.col("sizes").list.diff().list.eval(pl.element().drop_nulls() > 0).list.all()
    bad = rows.filter(
        ~rising | (pl.col("provenance").cast(pl.String) != session.partition(ALGO_LAW).manifest.provenance)
    )
    extra = max(rows.height - 1, 0)
    return finding(bad.height + extra, bad.drop("sizes", "counts"), "one law, its sizes in order", rows=rows.height)


@check(ALGO_TEST, suite=Suite.DATA, blocking=True)
def provenance_of_inputs(session: Session) -> Finding:
    """Rows carry the provenance of what they were made from; controls may be simulated."""
    kind = session.partition(ALGO_TEST).manifest.provenance
    rows = collect(scan(session, ALGO_TEST, ["test_row_id", "provenance", "is_negative_control"]))
    other = (pl.col("provenance").cast(pl.String) != kind) & ~pl.col("is_negative_control")
    bad = rows.filter(other)
    return finding(bad.height, bad, f"provenance is {kind}", rows=rows.height)
