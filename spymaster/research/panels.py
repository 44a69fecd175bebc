"""Panels: the earlier setups of one family, kind and horizon, as stored rows (`gold.retrieval_index`) and in memory.

Setups of different kinds, and of different horizons, never share a panel. Stored are the rows and what came of them;
the vectors are read from `gold.setup_vector` when a panel is loaded, and scaled by the scaler of the question's date.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.research.errors import QueryError, StalePanelError
from spymaster.research.retrieval import Library
from spymaster.setups.vector_layout import layout
from spymaster.setups.vector_scaler import Scaler, as_matrix, scaler_of
from spymaster.tables.retrieval_index import RetrievalIndex
from spymaster.tables.setup_outcome import CANDLE_HORIZON_S, OUTCOMES, TOUCH_HORIZONS_S


@dataclass(frozen=True)
class Panel:
    """What setups have in common that may be compared."""

    family: str
    kind: str
    horizon_s: int


PANELS: Final = (
    *(Panel(family, "touch", horizon) for family in ("s1", "s5") for horizon in TOUCH_HORIZONS_S),
    *(Panel(family, "candle", CANDLE_HORIZON_S) for family in ("c120", "s5")),
)

VECTOR_COLUMNS: Final = ("episode_id", "kind", "family", "layout_version", "lead_s", "valid")
EPISODE_COLUMNS: Final = (
    "episode_id", "session_date", "ts_decision", "direction", "group_id", "level_types", "is_placebo", "tod_sec",
    "sigma_60",
)  # fmt: skip
OUTCOME_COLUMNS: Final = (
    "episode_id", "horizon_s", "k_barrier", "outcome", "t_hit_s", "mfe_ticks", "mae_ticks", "end_ticks", "valid",
)  # fmt: skip
"""Columns read of `gold.setup_vector`, `gold.setup_episode` and `gold.setup_outcome`."""
AGAIN: Final = "Materialise gold.retrieval_index again, after the tables it is made from."


def earlier(partitions: Sequence[Partition], dt: date) -> list[Partition]:
    """Partitions of dates before `dt`, in order."""
    return sorted((one for one in partitions if one.dt < dt), key=lambda one: one.dt)


def session_index(
    vectors: Sequence[Partition], episodes: Sequence[Partition], outcomes: Sequence[Partition], scaler: pl.DataFrame,
    dt: date, *, k_barrier: float,
) -> pl.DataFrame:  # fmt: skip
    """`gold.retrieval_index` of `dt` from stored tables of earlier dates; a family without a scaler has no panel.

    k_barrier: distance of the barriers whose outcomes are compared, in usual moves (`setups.k_barrier`). Dates that
    lack one of the three tables are left out. Raises `QueryError` for a partition that is not earlier.
    """
    late = [one.label for one in (*vectors, *episodes, *outcomes) if one.dt >= dt]
    if late:
        raise QueryError(f"the index of {dt} was offered a session that is not earlier: {late[0]}")
    of_date = [{one.dt: one for one in table} for table in (vectors, episodes, outcomes)]
    dates = sorted(set(of_date[0]) & set(of_date[1]) & set(of_date[2]))
    rows = []
    for day in dates:
        held, told, scored = (table[day].read(names) for table, names in zip(of_date, _READ, strict=True))
        rows.append(date_rows(held, told, scored, day, k_barrier=k_barrier))
    pool = pl.concat(rows) if rows else None
    hashes = {day: of_date[0][day].content_hash for day in dates}
    parts = [
        panel_rows(pool, panel, scaled, hashes)
        for panel in PANELS
        if pool is not None and (scaled := scaler_of(scaler, panel.family)) is not None
    ]
    return pl.concat([RetrievalIndex.empty(), *parts]).sort(RetrievalIndex.key)


_READ: Final = (
    (*VECTOR_COLUMNS, "provenance"),
    EPISODE_COLUMNS,
    OUTCOME_COLUMNS,
)


def date_rows(
    vectors: pl.DataFrame, episodes: pl.DataFrame, outcomes: pl.DataFrame, day: date, *, k_barrier: float
) -> pl.DataFrame:
    """Real setups of a date that have a vector without a lead and a scored outcome, one row per family and horizon."""
    known = vectors.filter((pl.col("kind") != "candidate") & (pl.col("lead_s") == 0) & pl.col("valid"))
    scored = outcomes.filter(pl.col("valid") & (pl.col("k_barrier") == k_barrier))
    return (
        known.drop("valid", "lead_s")
        .join(episodes.filter(~pl.col("is_placebo") & pl.col("sigma_60").is_not_null()), on="episode_id")
        .join(scored.drop("valid", "k_barrier"), on="episode_id")
        .with_columns(vector_dt=pl.lit(day))
    )


def panel_rows(pool: pl.DataFrame, panel: Panel, scaler: Scaler, hashes: dict[date, str]) -> pl.DataFrame:
    """Rows of one panel. hashes: content of the vectors by date, which the id of the panel stands for, too."""
    made = layout(panel.family)
    rows = pool.filter(
        (pl.col("family") == panel.family)
        & (pl.col("kind").cast(pl.String) == panel.kind)
        & (pl.col("horizon_s") == panel.horizon_s)
        & (pl.col("layout_version") == made.version)
    ).sort("ts_decision", "episode_id")
    digest = hashlib.sha256(f"{panel} {made.version} {scaler.sha256}".encode())
    for day in rows["vector_dt"].unique().sort():
        digest.update(f"{day} {hashes[day]}".encode())
    digest.update("\n".join(rows["episode_id"]).encode())
    return rows.with_columns(
        index_id=pl.lit(digest.hexdigest()[:16]),
        vector_dim=pl.lit(made.n),
        panel_row=pl.int_range(pl.len()),
        scaler_sha256=pl.lit(scaler.sha256),
    ).select(pl.col(name).cast(dtype) for name, dtype in RetrievalIndex.schema().items())


def panel_of(index: pl.DataFrame, panel: Panel) -> pl.DataFrame:
    """The rows of a panel, in order."""
    return index.filter(
        (pl.col("family") == panel.family)
        & (pl.col("kind").cast(pl.String) == panel.kind)
        & (pl.col("horizon_s") == panel.horizon_s)
    )


def load_library(rows: pl.DataFrame, vectors: Mapping[date, Partition], scaler: Scaler) -> Library:
    """A panel in memory. rows: those of the panel, in order. vectors: `gold.setup_vector` of each of their dates.

    Raises `StalePanelError` if the panel was made with another scaler, or if a partition lacks a vector that the panel
    names: one of them was made anew since.
    """
    other = rows.filter(pl.col("scaler_sha256") != scaler.sha256)
    if other.height:
        panel = other.row(0, named=True)
        raise StalePanelError(
            f"panel {panel['index_id']} was made with scaler {panel['scaler_sha256'][:16]} of family"
            f" {scaler.layout.family.name}, gold.vector_scaler now holds {scaler.sha256[:16]}",
            hint=AGAIN,
        )
    parts = []
    for day in rows["vector_dt"].unique().sort():
        wanted = rows.filter(vector_dt=day)
        held = vectors[day].scan(["episode_id", "family", "lead_s", "vector"])
        found = held.filter((pl.col("family") == scaler.layout.family.name) & (pl.col("lead_s") == 0))
        both = wanted.select("panel_row", "episode_id").join(found.collect(), on="episode_id", how="left")
        if both["vector"].null_count():
            raise StalePanelError(
                f"{vectors[day].label} has no vector for {both.filter(pl.col('vector').is_null())['episode_id'][0]}",
                hint=AGAIN,
            )
        parts.append(both.select("panel_row", "vector"))
    n = scaler.layout.n
    points = np.empty((0, n), dtype=np.float32)
    if parts:
        points = scaler.apply(as_matrix(pl.concat(parts).sort("panel_row")["vector"], n))
    return Library(
        points=points,
        session=rows["session_date"].to_physical().to_numpy().astype(np.int64),
        group=np.array(rows["group_id"].to_list(), dtype=object),
        ts=rows["ts_decision"].to_physical().to_numpy(),
        direction=rows["direction"].to_numpy(),
        tod_sec=rows["tod_sec"].to_numpy().astype(np.int64),
        sigma_60=rows["sigma_60"].to_numpy(),
        level_types=tuple(tuple(kinds) for kinds in rows["level_types"].to_list()),
        outcome=rows["outcome"].cast(pl.String).replace_strict(
            list(OUTCOMES), list(range(len(OUTCOMES))), return_dtype=pl.Int64
        ).to_numpy(),
    )  # fmt: skip
