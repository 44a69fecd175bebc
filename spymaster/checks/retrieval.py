"""Integrity of retrieval: everything is of earlier sessions, and shares are what their neighbours say."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from spymaster.checks.base import Finding, Session, Suite, check
from spymaster.checks.frames import EPISODE, INDEX, NEIGHBOR, RESULT, collect, finding, scan

TOLERANCE = 1e-9
OUTCOMES = ("break", "reject", "chop")
HALF_HOUR_S = 1800
LEAST_OF_BASE = 20
"""Setups that a base rate is taken from, at least; otherwise of a wider class."""


@check(INDEX, suite=Suite.PHYSICS, blocking=True)
def rows_are_earlier(session: Session) -> Finding:
    """Setups of the index are of dates before its own, by the rows and by the manifest, and their outcomes were known.

    A touch of the evening may belong to the next trade date; what counts is the date of the partition.
    """
    rows = collect(scan(session, INDEX, ["vector_dt", "ts_decision", "horizon_s"]))
    inputs = [one for one in session.partition(INDEX).manifest.inputs if one.kind == "partition"]
    histories = [one for one in inputs if not one.name.startswith("gold.vector_scaler ")]
    late = sorted({one.name for one in histories if date.fromisoformat(one.name.rsplit(" ", 1)[1]) >= session.dt})
    faults = [f"input {name} is not earlier than {session.dt}" for name in late]
    days = rows.filter(pl.col("vector_dt") >= session.dt)
    faults += [f"setup of {day} is not earlier than {session.dt}" for day in days["vector_dt"]]
    message = faults[0] if faults else f"{rows['vector_dt'].n_unique()} earlier dates"
    return Finding(len(faults), message, {"rows": rows.height, "inputs": len(histories)}, tuple(faults))


@check(RESULT, NEIGHBOR, suite=Suite.PHYSICS, blocking=True)
def shares_of_neighbours(session: Session) -> Finding:
    """Shares are the weighted votes of the neighbours, leaning on the base rate as the settings say."""
    shrink = session.lake.settings.retrieval.shrink
    results = collect(scan(session, RESULT).filter(pl.col("p_break").is_not_null()))
    vote = [
        pl.col("weight").filter(pl.col("outcome").cast(pl.String) == name).sum().alias(f"v_{name}") for name in OUTCOMES
    ]
    found = collect(
        scan(session, NEIGHBOR).group_by("query_id").agg(pl.col("weight").sum().alias("v"), *vote, count=pl.len())
    )
    both = results.join(found, on="query_id", how="left")
    off = [
        ((pl.col(f"v_{name}") + shrink * pl.col(f"p0_{name}")) / (pl.col("v") + shrink) - pl.col(f"p_{name}")).abs()
        > TOLERANCE
        for name in OUTCOMES
    ]
    wrong = pl.any_horizontal(off).fill_null(True) | (pl.col("count") != pl.col("k")).fill_null(True)
    bad = both.filter(wrong).select("query_id", "p_break", "p_reject", "p_chop").sort("query_id")
    return finding(bad.height, bad, "shares are the votes of k neighbours", answers=results.height)


@check(RESULT, INDEX, EPISODE, suite=Suite.PHYSICS, blocking=True)
def base_rates_of_earlier(session: Session) -> Finding:
    """Base rates follow from the rows of the index of earlier sessions, class by class, and n_sessions counts these."""
    settings, demo = session.lake.settings.retrieval, session.lake.profile == "demo"
    embargo = settings.embargo_sessions_demo if demo else settings.embargo_sessions
    asked = ["query_id", "episode_id", "family", "kind", "horizon_s", "direction", "n_sessions"]
    results = collect(scan(session, RESULT, [*asked, *(f"p0_{name}" for name in OUTCOMES)]))
    episodes = collect(scan(session, EPISODE, ["episode_id", "session_date", "tod_sec"]))
    panels = ["family", "kind", "horizon_s"]
    index = collect(scan(session, INDEX, [*panels, "session_date", "direction", "tod_sec", "outcome"]))
    gone = results.join(episodes, on="episode_id", how="anti")
    wrong: list[Any] = [{"query_id": one, "due": "an episode"} for one in gone["query_id"].sort()]
    known: dict[tuple[object, ...], tuple[int, list[float | None]]] = {}
    for row in results.join(episodes, on="episode_id").sort("query_id").iter_rows(named=True):
        asked_at = row["session_date"]
        kind = (*(row[name] for name in panels), asked_at, row["direction"], row["tod_sec"] // HALF_HOUR_S)
        if kind not in known:
            panel = index.filter(pl.col(name) == row[name] for name in panels)
            before = panel.filter(pl.col("session_date") < asked_at)["session_date"].unique().sort()
            seen = panel.filter(pl.col("session_date").is_in(before[: max(len(before) - embargo, 0)].to_list()))
            due = _base_rates(seen, row["direction"], row["tod_sec"])
            known[kind] = (seen["session_date"].n_unique(), due)
        sessions, due = known[kind]
        told = [row[f"p0_{name}"] for name in OUTCOMES]
        if not (_alike(told, due) and row["n_sessions"] == sessions):
            stored = {name: row[name] for name in ("query_id", "n_sessions", *(f"p0_{name}" for name in OUTCOMES))}
            expected = {f"due_{name}": share for name, share in zip(OUTCOMES, due, strict=True)}
            wrong.append(stored | {"due_sessions": sessions} | expected)
    bad = pl.DataFrame(wrong, infer_schema_length=None)
    return finding(bad.height, bad, "base rates are those of earlier sessions", answers=results.height)


def _base_rates(seen: pl.DataFrame, direction: int, tod_sec: int) -> list[float | None]:
    """Shares of the outcomes in rows of the index, of the narrowest class with enough; None without a row."""
    same = seen.filter(direction=direction)
    close = same.filter(pl.col("tod_sec") // HALF_HOUR_S == tod_sec // HALF_HOUR_S)
    rows = next((rows for rows in (close, same) if rows.height >= LEAST_OF_BASE), seen)
    if rows.is_empty():
        return [None] * len(OUTCOMES)
    return [rows.filter(pl.col("outcome").cast(pl.String) == name).height / rows.height for name in OUTCOMES]


def _alike(told: list[float | None], due: list[float | None]) -> bool:
    pairs = zip(told, due, strict=True)
    return all(p is d if p is None or d is None else abs(p - d) <= TOLERANCE for p, d in pairs)


@check(RESULT, NEIGHBOR, suite=Suite.PHYSICS, blocking=True)
def weights_of_distances(session: Session) -> Finding:
    """A weight is exp(-d^2/(2 d_k^2)); an answer tells the distances of its neighbours, and n_eff of their weights."""
    results = collect(scan(session, RESULT, ["query_id", "d_1", "d_k", "n_eff", "p_break"]))
    near = collect(scan(session, NEIGHBOR, ["query_id", "rank", "distance", "weight"]))
    weight, furthest = pl.col("weight"), pl.col("distance").max().over("query_id")
    due = pl.when(furthest > 0).then((-(pl.col("distance") ** 2) / (2.0 * furthest**2)).exp()).otherwise(1.0)
    dues = near.with_columns(due=due)  # of all neighbours of a question, before any is left out
    light = dues.filter((weight - pl.col("due")).abs() > TOLERANCE).select("query_id", "rank", "weight", "due")
    found = near.group_by("query_id").agg(
        due_1=pl.col("distance").min(), due_k=pl.col("distance").max(), due_n=weight.sum() ** 2 / (weight**2).sum()
    )
    both = results.join(found, on="query_id", how="full", coalesce=True)
    due_n = pl.when(pl.col("p_break").is_not_null()).then("due_n")
    off = [
        ~((pl.col(name) - expected).abs() <= TOLERANCE * expected.clip(1.0)).fill_null(
            pl.col(name).is_null() & expected.is_null()
        )
        for name, expected in (("d_1", pl.col("due_1")), ("d_k", pl.col("due_k")), ("n_eff", due_n))
    ]
    told = both.filter(pl.any_horizontal(off)).select("query_id", "d_1", "d_k", "n_eff")
    bad = pl.concat([light, told], how="diagonal").sort("query_id", "rank", nulls_last=True)
    return finding(bad.height, bad, "weights follow from distances", answers=results.height, neighbours=near.height)


@check(NEIGHBOR, RESULT, suite=Suite.PHYSICS, blocking=True)
def neighbours_had_ended(session: Session) -> Finding:
    """What came of a neighbour was known before the question: it was decided longer ago than its outcome took."""
    results = scan(session, RESULT, ["query_id", "ts_query", "horizon_s"])
    both = collect(
        scan(session, NEIGHBOR, ["query_id", "rank", "ts_decision"]).join(results, on="query_id", how="left")
    )
    known = pl.col("ts_decision").to_physical() + pl.col("horizon_s").cast(pl.Int64) * 1_000_000_000
    bad = both.filter((known > pl.col("ts_query").to_physical()).fill_null(True)).sort("query_id", "rank")
    return finding(bad.height, bad, "outcomes of neighbours were known", neighbours=both.height)


@check(NEIGHBOR, suite=Suite.DATA)
def nearest_first(session: Session) -> Finding:
    """Ranks of a question count from 1, distances do not fall, and no session gives more than its share."""
    settings, demo = session.lake.settings.retrieval, session.lake.profile == "demo"
    most = settings.per_session_demo if demo else settings.per_session
    rows = collect(scan(session, NEIGHBOR, ["query_id", "rank", "distance", "session_date"]))
    counted = rows.with_columns(
        due=pl.int_range(1, pl.len() + 1).over("query_id"),
        before=pl.col("distance").shift(1).over("query_id"),
        of_session=pl.len().over("query_id", "session_date"),
    )
    fine = (
        (pl.col("rank") == pl.col("due"))
        & (pl.col("before").is_null() | (pl.col("before") <= pl.col("distance")))
        & (pl.col("of_session") <= most)
    )
    bad = counted.filter(~fine).select("query_id", "rank", "distance", "session_date")
    return finding(bad.height, bad, f"nearest first, at most {most} of a session", neighbours=rows.height)
