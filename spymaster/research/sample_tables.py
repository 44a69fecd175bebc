"""Samples from stored tables: what is known of the setups of some dates, and what came of them.

Of each setup with a valid vector and a scored outcome, real or a matched placebo, is read
the row of `silver.move_conditions_1s` and of `silver.move_measure_1s` whose second ends with the vector's cut-off. A
setup of which any number is missing there is left out. Vectors are scaled by the scaler of their own date, which knows
earlier sessions only, so that samples of many dates can be cut anywhere in time; or all by one that is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.lake import Lake
from spymaster.lake.partition import Partition
from spymaster.research.errors import SampleError
from spymaster.research.panels import Panel
from spymaster.research.samples import (
    B2_NAMES,
    CONDITION_FEATURES,
    CONTEXT_NAMES,
    SECOND_NS,
    VECTOR_FEATURES,
    Samples,
    join,
)
from spymaster.setups.base_features import SMALLEST_SIGMA_TICKS
from spymaster.setups.contracts import tick_size
from spymaster.setups.vector_layout import layout
from spymaster.setups.vector_scaler import Scaler, as_matrix, scaler_of
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.model import TableModel
from spymaster.tables.move_conditions_1s import MoveConditions1s
from spymaster.tables.move_measure_1s import MoveMeasure1s
from spymaster.tables.retrieval_result import RetrievalResult
from spymaster.tables.setup_episode import SetupEpisode
from spymaster.tables.setup_outcome import OUTCOMES, SetupOutcome
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.vector_scaler import VectorScaler

EPISODE_COLUMNS: Final = (
    "episode_id", "session_date", "kind", "direction", "group_id", "level_types", "is_placebo", "match_set_id",
    "touch_index", "ts_decision", "tod_sec",
)  # fmt: skip
OUTCOME_COLUMNS: Final = (
    "episode_id", "horizon_s", "k_barrier", "ts_label_end", "outcome", "b1_break", "b1_reject", "b1_chop", "valid",
)  # fmt: skip
CONDITION_COLUMNS: Final = (
    "window_end", "z_r_ask_w5", "z_n_ask_w5", "z_r_bid_w5", "z_n_bid_w5", "soft_and_w5", "vacuum_w5", "drive_up_w5",
    "drive_dn_w5",
)  # fmt: skip
MEASURE_COLUMNS: Final = ("window_end", "valid", "mid2_int", "spread_ticks")
"""Columns read of `gold.setup_episode`, `gold.setup_outcome`, `silver.move_conditions_1s`, `silver.move_measure_1s`."""

LOOK_BACK_S: Final = 60
"""Seconds before the cut-off that the moves of `B2_NAMES` reach back."""


@dataclass(frozen=True)
class DateTables:
    """The stored tables of one date that samples are made of; the last two may be missing.

    Without `scaler` the date has samples only where one is given; without `results` no sample has neighbours.
    """

    vectors: Partition
    episodes: Partition
    outcomes: Partition
    conditions: Partition
    measures: Partition
    definitions: Partition
    scaler: Partition | None = None
    results: Partition | None = None

    @property
    def dt(self) -> date:
        """Their date."""
        return self.vectors.dt


TABLES: Final[dict[str, type[TableModel]]] = {
    "vectors": SetupVector,
    "episodes": SetupEpisode,
    "outcomes": SetupOutcome,
    "conditions": MoveConditions1s,
    "measures": MoveMeasure1s,
    "definitions": FutureDefinition,
    "scaler": VectorScaler,
    "results": RetrievalResult,
}
"""Fields of `DateTables` and their tables."""
_TAKEN_ALONG: Final = ("scaler", "results")


def by_date(**partitions: Iterable[Partition]) -> list[DateTables]:
    """Tables of each date that has all that are needed, in order of date; the others are taken where they are there.

    Arguments have the names of the fields of `DateTables`.
    """
    of_date = {name: {one.dt: one for one in parts} for name, parts in partitions.items()}
    needed = [set(of_date.get(name, ())) for name in TABLES if name not in _TAKEN_ALONG]
    return [
        DateTables(**{name: parts[dt] for name, parts in of_date.items() if dt in parts})
        for dt in sorted(set.intersection(*needed))
    ]


def stored_dates(lake: Lake, symbol: str, start: date | None = None, end: date | None = None) -> list[DateTables]:
    """As `by_date`, of the complete partitions of a lake from `start` to `end`, both included."""
    return by_date(**{name: lake.partitions(model, symbol, start, end) for name, model in TABLES.items()})


def load_samples(
    dates: Sequence[DateTables], panel: Panel, lead_s: int = 0, *, scaler: Scaler | None = None,
    k_barrier: float = 1.0,
) -> Samples | None:  # fmt: skip
    """Samples of a panel from stored tables, in order of the decisions; None where there is not one.

    scaler: scales all vectors; without it each date's own does, and dates without one are left out. k_barrier: distance
    of the barriers whose outcomes are scored, in usual moves (`setups.k_barrier`).
    """
    parts = [one for tables in dates if (one := date_samples(tables, panel, lead_s, scaler, k_barrier)) is not None]
    return join(parts) if parts else None


def date_samples(
    tables: DateTables, panel: Panel, lead_s: int, scaler: Scaler | None, k_barrier: float
) -> Samples | None:
    """Samples of one date; None where there is none, or nothing to scale with."""
    if scaler is not None:
        scaled = scaler
    else:
        scaled = None if tables.scaler is None else scaler_of(tables.scaler.read(), panel.family)
    if scaled is None:
        return None
    rows = _rows(tables, panel, lead_s, k_barrier)
    if rows.is_empty():
        return None
    made = layout(panel.family)
    raw = as_matrix(rows["vector"], made.n)
    cutoff, direction = rows["ts_cutoff"].to_numpy(), rows["direction"].to_numpy().astype(np.int8)
    sigma_60 = np.maximum(rows["sigma_60"].to_numpy(), SMALLEST_SIGMA_TICKS)
    features = _conditions(rows, direction)
    for name in VECTOR_FEATURES:
        features[name] = raw[:, made.names.index(f"w0.v.{name}")].astype(np.float64)
    moves = _moves(tables.measures.read(MEASURE_COLUMNS), cutoff, direction, sigma_60, _tick(tables))
    context = np.stack([sigma_60, *(_floats(rows[name]) for name in CONTEXT_NAMES[1:])], axis=1)
    numbers = np.concatenate([np.stack(list(features.values()), axis=1), moves, _b1(rows)], axis=1)
    known = np.asarray(np.isfinite(numbers).all(axis=1))
    if not known.any():
        return None
    kept = rows.filter(pl.Series(known))
    return Samples(
        kind=panel.kind,
        horizon_s=panel.horizon_s,
        family=panel.family,
        lead_s=lead_s,
        session=kept["session_date"].to_physical().to_numpy().astype(np.int64),
        episode_id=_objects(kept["episode_id"]),
        ts_cutoff=kept["ts_cutoff"].to_numpy(),
        ts_decision=kept["ts_decision"].to_numpy(),
        ts_label_end=kept["ts_label_end"].to_numpy(),
        direction=direction[known],
        outcome=_codes(kept["outcome"]),
        features={name: values[known] for name, values in features.items()},
        vectors=scaled.apply(raw[known]),
        vector_names=tuple(made.names),
        b1=_b1(kept),
        b2=moves[known],
        b3=np.stack([features[name][known] for name in ("queue_imb", "micro_disp")], axis=1),
        context=context[known],
        level_types=_objects(kept["level_types"], tuple),
        group_id=_objects(kept["group_id"]),
        is_placebo=kept["is_placebo"].to_numpy(),
        match_set_id=_objects(kept["match_set_id"]),
        knn=_shares(tables.results, kept, panel, lead_s),
    )


def _rows(tables: DateTables, panel: Panel, lead_s: int, k_barrier: float) -> pl.DataFrame:
    """Setups of the panel with vector, outcome and conditions side by side, times in ns, in order of the decisions."""
    version = layout(panel.family).version
    held = tables.vectors.scan(["episode_id", "kind", "family", "layout_version", "lead_s", "ts_cutoff", "sigma_60",
                                "vector", "valid"])  # fmt: skip
    vectors = held.filter(
        (pl.col("kind") == panel.kind) & (pl.col("family") == panel.family) & (pl.col("layout_version") == version)
        & (pl.col("lead_s") == lead_s) & pl.col("valid")
    ).select("episode_id", "ts_cutoff", "sigma_60", "vector")  # fmt: skip
    outcomes = tables.outcomes.scan(OUTCOME_COLUMNS).filter(
        (pl.col("horizon_s") == panel.horizon_s) & (pl.col("k_barrier") == k_barrier) & pl.col("valid")
    )
    episodes = tables.episodes.scan(EPISODE_COLUMNS).filter(
        (pl.col("kind").cast(pl.String) == panel.kind)
        & (~pl.col("is_placebo") | pl.col("match_set_id").is_not_null())
    )  # fmt: skip
    conditions = tables.conditions.scan(CONDITION_COLUMNS).rename({"window_end": "ts_cutoff"})
    return (
        episodes.join(vectors, on="episode_id")
        .join(outcomes.drop("valid"), on="episode_id")
        .join(conditions, on="ts_cutoff")
        .with_columns(pl.col("ts_cutoff", "ts_decision", "ts_label_end").to_physical())
        .collect()
        .sort("ts_decision", "episode_id")
    )


def _conditions(rows: pl.DataFrame, direction: np.ndarray) -> dict[str, np.ndarray]:
    """float64[n] each, NaN where missing: `CONDITION_FEATURES`."""
    up = direction > 0
    told = {name: _floats(rows[name]) for name in CONDITION_COLUMNS[1:]}
    made = {}
    for name in ("z_r", "z_n"):
        ask, bid = told[f"{name}_ask_w5"], told[f"{name}_bid_w5"]
        made[f"{name}_ah"], made[f"{name}_bh"] = np.where(up, ask, bid), np.where(up, bid, ask)
    made["soft_and"], made["vacuum"] = told["soft_and_w5"], told["vacuum_w5"]
    made["drive"] = np.where(up, told["drive_up_w5"], told["drive_dn_w5"])
    return {name: made[name] for name in CONDITION_FEATURES}


def _moves(
    measures: pl.DataFrame, cutoff: np.ndarray, direction: np.ndarray, sigma_60: np.ndarray, tick: int
) -> np.ndarray:
    """float64[n, 4], NaN where a second of the last 60 is missing or not valid: `B2_NAMES`."""
    measures = measures.filter("valid")
    end = measures["window_end"].to_physical().to_numpy()
    result = np.full((len(cutoff), len(B2_NAMES)), np.nan)
    if not len(end):
        return result
    row = np.minimum(np.searchsorted(end, cutoff), len(end) - 1)
    start = np.maximum(row - LOOK_BACK_S, 0)
    known = (end[row] == cutoff) & (end[start] == cutoff - LOOK_BACK_S * SECOND_NS)
    mid = measures["mid2_int"].cast(pl.Float64).to_numpy() / (2.0 * tick)
    squares = np.append(0.0, np.cumsum(np.append(0.0, np.diff(mid) ** 2)))
    second = np.sqrt((squares[row + 1] - squares[start + 1]) / LOOK_BACK_S)
    before = np.maximum(row - 15, 0)
    made = (
        direction * (mid[row] - mid[before]) / (sigma_60 / 2.0),
        direction * (mid[row] - mid[start]) / sigma_60,
        second * np.sqrt(60.0) / sigma_60,
        _floats(measures["spread_ticks"])[row],
    )
    result[known] = np.stack(made, axis=1)[known]
    return result


def _shares(results: Partition | None, kept: pl.DataFrame, panel: Panel, lead_s: int) -> np.ndarray:
    """float64[n, 3]: shares of the outcomes among neighbours, NaN where retrieval was not asked or says nothing."""
    names = [f"p_{name}" for name in OUTCOMES]
    if results is None:
        return np.full((kept.height, 3), np.nan)
    asked = results.scan(["episode_id", "family", "lead_s", "horizon_s", *names]).filter(
        (pl.col("family") == panel.family) & (pl.col("lead_s") == lead_s) & (pl.col("horizon_s") == panel.horizon_s)
    )
    both = kept.select("episode_id").join(
        asked.select("episode_id", *names).collect(), on="episode_id", how="left", maintain_order="left"
    )
    return np.stack([_floats(both[name]) for name in names], axis=1)


def _tick(tables: DateTables) -> int:
    return tick_size(tables.measures, tables.definitions)


def _b1(rows: pl.DataFrame) -> np.ndarray:
    return np.stack([_floats(rows[f"b1_{name}"]) for name in OUTCOMES], axis=1)


def _codes(outcomes: pl.Series) -> np.ndarray:
    names = outcomes.cast(pl.String).to_list()
    unknown = {*names} - {*OUTCOMES}
    if unknown:
        raise SampleError(f"outcomes that are none: {sorted(map(str, unknown))}")
    return np.array([OUTCOMES.index(name) for name in names], dtype=np.int8)


def _floats(column: pl.Series) -> np.ndarray:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _objects(column: pl.Series, make: Any = None) -> np.ndarray:
    """object[n]; built one by one, because NumPy would make lists of equal length a matrix."""
    result = np.empty(len(column), dtype=object)
    for k, value in enumerate(column.to_list()):
        result[k] = value if make is None else make(value)
    return result
