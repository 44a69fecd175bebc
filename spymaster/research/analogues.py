"""Ask the lake about any second: which earlier setups resemble it, and what came of them.

The vector is made by the function that makes stored ones, from the seconds up to the question; everything else is of
earlier dates. The same question has the same answer today and in a year, as long as the lake holds the same tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.lake import Lake
from spymaster.lake.partition import Partition
from spymaster.market.calendar import RTH_OPEN, session_dates, wall_time_ns
from spymaster.market.instruments import Instrument, instrument
from spymaster.research.errors import NotCausalError, QueryError
from spymaster.research.panels import PANELS, Panel, load_library, panel_of
from spymaster.research.retrieval import Question, Rules, answer, usual_distances
from spymaster.research.session_retrieval import days, neighbour_rows, result_values
from spymaster.setups.session_vectors import session_builder
from spymaster.setups.vector_layout import FAMILIES
from spymaster.setups.vector_scaler import scaler_of
from spymaster.setups.vectors import Builder, Request
from spymaster.setups.zone_windows import WALL_COLUMNS
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor

SECOND_NS: Final = 1_000_000_000
DIRECTIONS: Final = {"up": 1, "down": -1}
EPISODE_REACH_S: Final = 2
"""An episode decided this long before a question gives it its direction."""
MOVE_S: Final = 15
LEAST_MOVE: Final = 0.5
"""Move over 15 s, in usual ones, from which it gives a question its direction."""
PATH_S: Final = 300
REVEALED: Final = ("p_", "median_", "end_q", "outcome", "t_hit_s", "mfe_ticks", "mae_ticks", "end_ticks")
"""Starts of the names of what tells how setups ended."""


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
    """Columns of `gold.retrieval_neighbor`, without query_id and provenance; no rows where nothing is near."""
    paths: pl.DataFrame
    """rank, offset_s (-300 to 300), ticks: mid of each neighbour from its decision on, positive along its direction."""

    def concealed(self) -> AnalogueResult:
        """The same without what tells how the setups ended: shares, outcomes, paths after the decision."""
        told = [name for name in self.neighbours.columns if name.startswith(REVEALED)]
        return AnalogueResult(
            {name: value for name, value in self.result.items() if not name.startswith(REVEALED)},
            self.neighbours.drop(told),
            self.paths.filter(pl.col("offset_s") <= 0),
        )


def analogues(
    lake: Lake, symbol: str, ts: datetime | int, *, family: str = "auto", direction: str = "auto", k: int | None = None,
    horizon_s: int | None = None, filters: Filters | None = None, asof: datetime | int | None = None,
) -> list[AnalogueResult]:  # fmt: skip
    """Answers about the last whole second (`c120`: candle) up to `ts` (aware, or ns UTC).

    One answer, or two where `direction` is auto and nothing says which way the market goes. family: auto is s1. k: that
    of the profile. horizon_s: 120, for c120 360. Raises `QueryError` for what cannot be asked, `NotCausalError` if
    `asof` is before `ts`, `MissingPartitionError` for a table that is not there.
    """
    at = _ns(ts)
    if asof is not None and _ns(asof) < at:
        raise NotCausalError(f"a question about {_text(at)} cannot be asked as of {_text(_ns(asof))}")
    panel = panel_for(family, horizon_s)
    dt = datetime.fromtimestamp(at // SECOND_NS, UTC).date()
    own = instrument(symbol, lake.settings)

    def of(table: str) -> Partition:
        return lake.partition(table, symbol, dt)

    measures, wall = of("silver.move_measure_1s"), of("silver.wall_surface_1s")
    builder = session_builder(
        measures, of("silver.trade"), of("silver.book_snapshot_1s"), of("silver.candle_2m"),
        of("gold.move_condition_scale"), of("bronze.future_definition"), settings=lake.settings,
    )  # fmt: skip
    cutoff = at // SECOND_NS
    if FAMILIES[panel.family].shape:
        cutoff -= cutoff % FAMILIES[panel.family].window_s
    ways = [DIRECTIONS[direction]] if direction in DIRECTIONS else _directions(lake, symbol, builder, at, direction)
    rows, scales = panel_of(of("gold.retrieval_index").read(), panel), of("gold.vector_scaler").read()
    scaler = scaler_of(scales, panel.family)
    history = {day: lake.partition("gold.setup_vector", symbol, day) for day in rows["vector_dt"].unique()}
    library = None if scaler is None else load_library(rows, history, scaler)
    rules = Rules.of(lake.settings.retrieval, lake.profile, k)
    usual = None
    answers = []
    for way in ways:
        made = builder.vectors(_upto(wall, cutoff), [Request.of(panel.family, [cutoff], way)])[0]
        said = point = None
        if scaler is not None and library is not None:
            point = scaler.apply(made.vectors)[0] if made.known[0] else None
            asked = question(point, cutoff, way, float(made.sigma_60[0]), own, filters)
            if usual is None and point is not None and not asked.filtered:
                usual = usual_distances(library, rules)
            said = answer(library, asked, rules, usual)
        values = {
            "query_id": f"{symbol}:{cutoff * SECOND_NS}:{way}:{panel.family}:{panel.horizon_s}",
            "ts_query": cutoff * SECOND_NS,
            "symbol": symbol,
            "kind": panel.kind,
            "direction": way,
            "family": panel.family,
            "lead_s": 0,
            "horizon_s": panel.horizon_s,
            **result_values(said, rows, rules),
            "provenance": measures.manifest.provenance,
        }
        near = [] if said is None or scaler is None or library is None else neighbour_rows(
            said, rows, library, point, scaler
        )  # fmt: skip
        frame = neighbour_frame(near)
        answers.append(AnalogueResult(values, frame, neighbour_paths(lake, symbol, frame, rows)))
    return answers


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
    schema = {
        name: dtype for name, dtype in RetrievalNeighbor.schema().items() if name not in ("query_id", "provenance")
    }
    plain = {name: pl.Int64 if isinstance(dtype, pl.Datetime) else dtype for name, dtype in schema.items()}
    return pl.DataFrame(near, schema=plain).cast(schema)  # pyright: ignore[reportArgumentType]


def neighbour_paths(lake: Lake, symbol: str, near: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Mids around the decisions of the neighbours, where the lake still holds their seconds."""
    schema = {"rank": pl.Int32, "offset_s": pl.Int32, "ticks": pl.Float64}
    parts = [pl.DataFrame(schema=schema)]
    if near.is_empty():
        return parts[0]
    found = near.select("rank", "episode_id", "direction", pl.col("ts_decision").to_physical()).join(
        rows.select("episode_id", "vector_dt"), on="episode_id"
    )
    for day in found["vector_dt"].unique().sort():
        if not (lake.has("silver.move_measure_1s", symbol, day) and lake.has("bronze.future_definition", symbol, day)):
            continue
        seconds = lake.partition("silver.move_measure_1s", symbol, day).read(["window_end", "mid2_int"])
        tick = _tick(lake, symbol, day)
        end = seconds["window_end"].to_physical().to_numpy() // SECOND_NS
        mid = seconds["mid2_int"].cast(pl.Float64).fill_null(np.nan).to_numpy() / (2.0 * tick)
        for rank, way, decided in found.filter(vector_dt=day).select("rank", "direction", "ts_decision").iter_rows():
            here = decided // SECOND_NS
            first, last, zero = np.searchsorted(end, [here - PATH_S, here + PATH_S + 1, here])
            if zero >= len(end) or end[zero] != here or not np.isfinite(mid[zero]):
                continue
            ticks = way * (mid[first:last] - mid[zero])
            parts.append(
                pl.DataFrame(
                    {"rank": rank, "offset_s": end[first:last] - here, "ticks": pl.Series(ticks).fill_nan(None)}
                ).cast(schema)  # pyright: ignore[reportArgumentType]
            )
    return pl.concat(parts).drop_nulls().sort("rank", "offset_s")


def _directions(lake: Lake, symbol: str, builder: Builder, at: int, direction: str) -> Sequence[int]:
    """Which way a question looks: that of an episode just decided, or of a clear move, or both."""
    if direction != "auto":
        raise QueryError(f"there is no direction {direction!r}", hint="Known: up, down, auto.")
    dt = datetime.fromtimestamp(at // SECOND_NS, UTC).date()
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


def _upto(wall: Partition, cutoff_s: int) -> Iterable[pl.DataFrame]:
    """Rows of the wall that a vector may need: those of the look-back, and the ones before that stand in it."""
    for batch in wall.batches(WALL_COLUMNS):
        ends = batch["window_end"].to_physical()
        yield batch.head(int(ends.search_sorted(cutoff_s * SECOND_NS, side="right")))
        if batch.height and ends[-1] > cutoff_s * SECOND_NS:
            return


def _tick(lake: Lake, symbol: str, day: Any) -> int:
    from spymaster.setups.contracts import tick_size

    measures = lake.partition("silver.move_measure_1s", symbol, day)
    return tick_size(measures, lake.partition("bronze.future_definition", symbol, day))


def _ns(ts: datetime | int) -> int:
    if isinstance(ts, int):
        return ts
    if ts.tzinfo is None:
        raise QueryError(f"{ts} has no time zone", hint="Write 2026-01-06T14:41:00Z.")
    return int(ts.timestamp()) * SECOND_NS + ts.microsecond * 1000


def _text(ns: int) -> str:
    return datetime.fromtimestamp(ns / SECOND_NS, UTC).isoformat()
