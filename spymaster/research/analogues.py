"""Ask the lake about any second: which earlier setups resemble it, and what came of them.

The vector is made by the function that makes stored ones, from the seconds up to the question; everything else is of
earlier dates. The same question has the same answer today and in a year, as long as the lake holds the same tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.lake import Lake
from spymaster.market.calendar import RTH_OPEN, session_dates, wall_time_ns
from spymaster.market.instruments import Instrument
from spymaster.research.errors import NotCausalError, QueryError
from spymaster.research.kept import Kept
from spymaster.research.panels import PANELS, Panel
from spymaster.research.retrieval import Question, Rules, answer
from spymaster.research.session_retrieval import days, neighbour_rows, result_values
from spymaster.setups.session_vectors import wall_before
from spymaster.setups.vector_layout import FAMILIES
from spymaster.setups.vectors import Builder, Request
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor

SECOND_NS: Final = 1_000_000_000
DIRECTIONS: Final = {"up": 1, "down": -1}
EPISODE_REACH_S: Final = 2
"""An episode decided this long before a question gives it its direction."""
MOVE_S: Final = 15
LEAST_MOVE: Final = 0.5
"""Move over 15 s, in usual ones, from which it gives a question its direction."""
PATH_S: Final = 300
REVEALED: Final = ("p_", "p0_", "median_", "end_q", "outcome", "t_hit_s", "mfe_ticks", "mae_ticks", "end_ticks")
"""Starts of the names of what tells how setups ended."""
UNINFORMATIVE: Final = "uninformative"
"""The reason to abstain that is about how setups ended; the others are about what is near."""


@dataclass(frozen=True)
class Filters:
    """Which earlier setups may be neighbours; all, unless something is named. With any, an answer has no novelty."""

    level_types: frozenset[str] = frozenset()
    near_in_time: bool = False
    like_sigma: bool = False


@dataclass(frozen=True)
class AnalogueResult:
    """One answer. Neighbours are nearest first."""

    result: dict[str, Any]
    """Columns of `gold.retrieval_result`, without episode_id where no setup is asked about."""
    neighbours: pl.DataFrame
    """Columns of `gold.retrieval_neighbor`, without query_id and provenance, and `touch_index` (as in
    `gold.setup_episode`; null where the lake no longer holds the setup); no rows where nothing is near."""
    paths: pl.DataFrame
    """rank, offset_s (-300 to 300), ticks: mid of each neighbour from its decision on, positive along its direction."""

    def concealed(self) -> AnalogueResult:
        """The same without what tells how the setups ended: shares, outcomes, paths after the decision.

        That an answer is uninformative tells that its shares are those of the base rate: it is not said either.
        """
        told = [name for name in self.neighbours.columns if name.startswith(REVEALED)]
        result = {name: value for name, value in self.result.items() if not name.startswith(REVEALED)}
        if result["abstain_reason"] == UNINFORMATIVE:
            result |= {"abstain": False, "abstain_reason": None}
        return AnalogueResult(
            result,
            self.neighbours.drop(told),
            self.paths.filter(pl.col("offset_s") <= 0),
        )


def analogues(
    lake: Lake, symbol: str, ts: datetime | int, *, family: str = "auto", direction: str = "auto", k: int | None = None,
    horizon_s: int | None = None, filters: Filters | None = None, asof: datetime | int | None = None,
    paths: bool = True, kept: Kept | None = None,
) -> list[AnalogueResult]:  # fmt: skip
    """Answers about the last whole second (`c120`: candle) up to `ts` (aware, or ns UTC).

    One answer, or two where `direction` is auto and nothing says which way the market goes. family: auto is s1. k: that
    of the profile. horizon_s: 120, for c120 360. paths: whether those of the neighbours are looked up; otherwise the
    frame has no rows. kept: what earlier questions to the lake loaded. Raises `QueryError` for what cannot be asked,
    `NotCausalError` if `asof` is before `ts`, `MissingPartitionError` for a table that is not there.
    """
    at = _ns(ts)
    if asof is not None and _ns(asof) < at:
        raise NotCausalError(f"a question about {_text(at)} cannot be asked as of {_text(_ns(asof))}")
    panel = panel_for(family, horizon_s)
    cutoff = cutoff_of(at, panel.family)
    dt = date_of(cutoff)
    kept = kept or Kept(lake)
    day = kept.day(symbol, dt)
    if direction in DIRECTIONS:
        ways: Sequence[int] = [DIRECTIONS[direction]]
    else:
        ways = _directions(lake, symbol, dt, day.builder, at, direction)
    known = kept.panel(symbol, dt, panel)
    rules = Rules.of(lake.settings.retrieval, lake.profile, k)
    asked = Request.of(panel.family, [cutoff] * len(ways), ways)
    made = day.builder.vectors(wall_before(day.wall, day.builder.tape, asked), [asked])[0]
    answers = []
    for row, way in enumerate(ways):
        said, near = None, []
        if known.scaler is not None and known.library is not None:
            point = known.scaler.apply(made.vectors[row : row + 1])[0] if made.known[row] else None
            one = question(point, cutoff, way, float(made.sigma_60[row]), day.own, filters)
            said = answer(known.library, one, rules, None if point is None or one.filtered else known.usual(rules))
            near = neighbour_rows(said, known.rows, known.library, point, known.scaler)
        values = {
            "query_id": f"{symbol}:{cutoff * SECOND_NS}:{way}:{panel.family}:{panel.horizon_s}:{rules.k}",
            "ts_query": cutoff * SECOND_NS,
            "symbol": symbol,
            "kind": panel.kind,
            "direction": way,
            "family": panel.family,
            "lead_s": 0,
            "horizon_s": panel.horizon_s,
            **result_values(said, known.rows, rules),
            "provenance": day.provenance,
        }
        frame = with_touches(kept, symbol, neighbour_frame(near), known.rows)
        shown = frame if paths else frame.clear()
        answers.append(AnalogueResult(values, frame, neighbour_paths(kept, symbol, shown, known.rows)))
    return answers


def cutoff_of(at: int, family: str) -> int:
    """End of the last whole second up to `at` (ns UTC), seconds since the epoch; of the last candle for `c120`."""
    second = at // SECOND_NS
    return second - second % FAMILIES[family].window_s if FAMILIES[family].shape else second


def date_of(end_s: int) -> date:
    """The date of the second that ends then: it is named by its end, so midnight belongs to the date before."""
    return datetime.fromtimestamp(end_s - 1, UTC).date()


def panel_for(family: str, horizon_s: int | None) -> Panel:
    """The panel that a family and horizon stand for; auto is s1. Raises `QueryError` with what there is."""
    family = "s1" if family == "auto" else family
    fitting = [one for one in PANELS if one.family == family and (one.kind == "touch" or family == "c120")]
    if not fitting:
        raise QueryError(f"there is no family {family!r}", hint=f"Known: {', '.join(FAMILIES)}.")
    wanted = horizon_s if horizon_s is not None else 360 if family == "c120" else 120
    for one in fitting:
        if one.horizon_s == wanted:
            return one
    known = ", ".join(str(one.horizon_s) for one in fitting)
    raise QueryError(f"family {family} has no horizon of {wanted} s", hint=f"It has {known}.")


def question(
    point: np.ndarray | None, cutoff_s: int, direction: int, sigma_60: float, own: Instrument, filters: Filters | None
) -> Question:
    """The question of a second."""
    chosen = filters or Filters()
    label = session_dates(np.array([cutoff_s * SECOND_NS - 1]), own)[0].astype(object)
    since = cutoff_s - wall_time_ns(label, RTH_OPEN) // SECOND_NS
    return Question(
        point,
        days(label),
        direction,
        since,
        sigma_60,
        chosen.level_types,
        near_in_time=chosen.near_in_time,
        like_sigma=chosen.like_sigma,
    )


def neighbour_frame(near: list[dict[str, Any]]) -> pl.DataFrame:
    """Columns and types of `gold.retrieval_neighbor`, without query_id and provenance, of `neighbour_rows`."""
    schema = _neighbour_schema()
    plain = {name: pl.Int64 if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
    times = [pl.col(name).cast(dtype) for name, dtype in schema.items() if isinstance(dtype, pl.Datetime)]
    return pl.DataFrame(near, schema=plain).with_columns(times)


@cache
def _neighbour_schema() -> dict[str, pl.DataType]:
    columns = RetrievalNeighbor.schema().items()
    return {name: dtype for name, dtype in columns if name not in ("query_id", "provenance")}


def with_touches(kept: Kept, symbol: str, near: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Neighbours with `touch_index`: which touch of its level that day each was, known at its decision."""
    of_date = rows.filter(pl.col("episode_id").is_in(near["episode_id"].to_list()))["vector_dt"].unique()
    told = [kept.touches(symbol, day) for day in of_date.sort()]
    if not told:
        return near.with_columns(touch_index=pl.lit(None, pl.Int32))
    return near.join(pl.concat(told), on="episode_id", how="left", maintain_order="left")


def neighbour_paths(kept: Kept, symbol: str, near: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Mids around the decisions of the neighbours, where the lake still holds their seconds."""
    schema = {"rank": pl.Int32, "offset_s": pl.Int32, "ticks": pl.Float64}
    parts = [pl.DataFrame(schema=schema)]
    if near.is_empty():
        return parts[0]
    found = near.select("rank", "episode_id", "direction", pl.col("ts_decision").to_physical()).join(
        rows.select("episode_id", "vector_dt"), on="episode_id", maintain_order="left"
    )
    for day in found["vector_dt"].unique().sort():
        path = kept.path(symbol, day)
        if path is None:
            continue
        for rank, way, decided in found.filter(vector_dt=day).select("rank", "direction", "ts_decision").iter_rows():
            here = decided // SECOND_NS
            first, last, zero = np.searchsorted(path.end, [here - PATH_S, here + PATH_S + 1, here])
            if zero >= len(path.end) or path.end[zero] != here or not np.isfinite(path.ticks[zero]):
                continue
            ticks = way * (path.ticks[first:last] - path.ticks[zero])
            part = {"rank": rank, "offset_s": path.end[first:last] - here, "ticks": ticks}
            parts.append(pl.DataFrame(part, schema_overrides=schema).filter(pl.col("ticks").is_not_nan()))
    return pl.concat(parts).sort("rank", "offset_s")


def _directions(lake: Lake, symbol: str, dt: date, builder: Builder, at: int, direction: str) -> Sequence[int]:
    """Which way a question looks: that of an episode just decided, or of a clear move, or both."""
    if direction != "auto":
        raise QueryError(f"there is no direction {direction!r}", hint="Known: up, down, auto.")
    if lake.has("gold.setup_episode", symbol, dt):
        decided = pl.col("ts_decision").to_physical()
        episodes = lake.partition("gold.setup_episode", symbol, dt).scan(["ts_decision", "direction", "is_placebo"])
        recent = episodes.filter(
            ~pl.col("is_placebo") & decided.is_between(at - EPISODE_REACH_S * SECOND_NS, at)
        ).collect()
        if recent.height:
            return [int(recent.sort("ts_decision")["direction"][-1])]
    tape, second = builder.tape, at // SECOND_NS
    row = int(np.searchsorted(tape.end, second))
    if row >= MOVE_S and row < len(tape.end) and tape.end[row] == second and tape.valid_run[row] > MOVE_S:
        moved = (tape.mid2[row] - tape.mid2[row - MOVE_S]) / (2.0 * tape.tick)
        if np.isfinite(tape.sigma_15[row]) and abs(moved) >= LEAST_MOVE * tape.sigma_15[row]:
            return [1 if moved > 0 else -1]
    return [1, -1]


def _ns(ts: datetime | int) -> int:
    if isinstance(ts, int):
        return ts
    if ts.tzinfo is None:
        raise QueryError(f"{ts} has no time zone", hint="Write 2026-01-06T14:41:00Z.")
    return int(ts.timestamp()) * SECOND_NS + ts.microsecond * 1000


def _text(ns: int) -> str:
    return datetime.fromtimestamp(ns / SECOND_NS, UTC).isoformat()
