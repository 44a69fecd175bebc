"""`gold.retrieval_result` and `gold.retrieval_neighbor` of a date: every setup of it, asked of earlier sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.research.errors import StalePanelError
from spymaster.research.panels import AGAIN, Panel, load_library, panel_of
from spymaster.research.retrieval import Answer, Library, Question, Rules, answer, usual_distances
from spymaster.settings import RetrievalSettings
from spymaster.setups.vector_layout import layout
from spymaster.setups.vector_scaler import Scaler, as_matrix, scaler_of
from spymaster.tables.retrieval_neighbor import RetrievalNeighbor
from spymaster.tables.retrieval_result import RetrievalResult
from spymaster.tables.setup_outcome import OUTCOMES

ASKED: Final = (Panel("s1", "touch", 120), Panel("c120", "candle", 360))
"""Panels that every setup of its kind is asked of."""

EPISODE_COLUMNS: Final = (
    "episode_id", "contract", "kind", "session_date", "ts_decision", "direction", "is_placebo", "tod_sec", "sigma_60",
)  # fmt: skip
"""Columns read of `gold.setup_episode`."""

NAMED_DIMS: Final = 5


def session_retrieval(
    index: Partition, vectors: Sequence[Partition], episodes: Partition, scaler: Partition, *,
    settings: RetrievalSettings, profile: str,
) -> Iterator[dict[str, pl.DataFrame]]:  # fmt: skip
    """Both tables of a date, panel by panel. vectors: those of the date and of the earlier dates in the index.

    Raises `StalePanelError` if one of them is not there, or no longer fits the index.
    """
    of_date = {one.dt: one for one in vectors}
    rules = Rules.of(settings, profile)
    rows, scales = index.read(), scaler.read()
    results, found = [RetrievalResult.empty()], [RetrievalNeighbor.empty()]
    for panel in ASKED:
        own = panel_of(rows, panel)
        gone = sorted({index.dt, *own["vector_dt"]} - of_date.keys())
        if gone:
            raise StalePanelError(
                f"gold.setup_vector {index.symbol} {gone[0]} is gone, but {index.label} needs it", hint=AGAIN
            )
        asked = questions(of_date[index.dt], episodes, panel)
        made = panel_answers(panel, asked, own, of_date, scaler_of(scales, panel.family), rules)
        provenance = pl.lit(index.manifest.provenance)
        results.append(_typed(RetrievalResult, made[0], provenance))
        found.append(_typed(RetrievalNeighbor, made[1], provenance))
    yield {
        RetrievalResult.name: pl.concat(results).sort(RetrievalResult.key),
        RetrievalNeighbor.name: pl.concat(found).sort(RetrievalNeighbor.key),
    }


def questions(vectors: Partition, episodes: Partition, panel: Panel) -> pl.DataFrame:
    """Real setups of a date and their vectors without a lead (null where there is none), in order of the decisions."""
    version = layout(panel.family).version
    of_family = (pl.col("family") == panel.family) & (pl.col("layout_version") == version) & (pl.col("lead_s") == 0)
    held = vectors.scan(["episode_id", "family", "layout_version", "lead_s", "ts_cutoff", "vector"]).filter(of_family)
    real = episodes.scan(EPISODE_COLUMNS).filter((pl.col("kind").cast(pl.String) == panel.kind) & ~pl.col("is_placebo"))
    rows = real.join(held, on="episode_id").collect().sort("ts_decision", "episode_id")
    return rows.with_columns(pl.col("ts_cutoff").to_physical())


def panel_answers(
    panel: Panel, asked: pl.DataFrame, rows: pl.DataFrame, vectors: Mapping[date, Partition], scaler: Scaler | None,
    rules: Rules,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """Rows of both tables, without provenance. asked: `questions` of the panel. rows: those of the panel."""
    results: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    library = usual = None
    if scaler is not None:
        library = load_library(rows, vectors, scaler)
        usual = usual_distances(library, rules)
    for one in asked.iter_rows(named=True):
        query_id = f"{one['episode_id']}:{panel.family}:{panel.horizon_s}"
        point, said = None, None
        if scaler is not None and library is not None:
            point = scaled_point(one["vector"], scaler)
            question = Question(
                point,
                days(one["session_date"]),
                one["direction"],
                one["tod_sec"],
                one["sigma_60"] or np.nan,
            )
            said = answer(library, question, rules, usual)
            found += [{"query_id": query_id, **row} for row in neighbour_rows(said, rows, library, point, scaler)]
        results.append(
            {
                "query_id": query_id,
                "ts_query": one["ts_cutoff"],
                "contract": one["contract"],
                "episode_id": one["episode_id"],
                "kind": panel.kind,
                "direction": one["direction"],
                "family": panel.family,
                "lead_s": 0,
                "horizon_s": panel.horizon_s,
                **result_values(said, rows, rules),
            }
        )
    return results, found


def days(session_date: date) -> int:
    """Days since the epoch."""
    return (session_date - date(1970, 1, 1)).days


def scaled_point(vector: list[float] | None, scaler: Scaler) -> np.ndarray | None:
    """float32[n] of a stored vector; None where there is none."""
    if vector is None:
        return None
    return scaler.apply(as_matrix(pl.Series([vector], dtype=pl.List(pl.Float32)), scaler.layout.n))[0]


def result_values(said: Answer | None, rows: pl.DataFrame, rules: Rules) -> dict[str, Any]:
    """Columns of `gold.retrieval_result` that an answer fills. said: None where there is no earlier session at all."""
    reason = "few_sessions" if said is None else said.reason
    values: dict[str, Any] = {
        "k": rules.k,
        "n_sessions": 0 if said is None else said.n_sessions,
        "abstain": reason is not None,
        "abstain_reason": reason,
        "provisional": said is None or said.n_sessions < rules.settings.min_sessions,
        "index_id": rows["index_id"][0] if rows.height else None,
    }
    if said is None:
        return values
    for name, shares in (("p", said.p), ("p0", said.p0)):
        if shares is not None:
            values |= {f"{name}_{outcome}": float(shares[code]) for code, outcome in enumerate(OUTCOMES)}
    if len(said.rows):
        values |= {"d_1": float(said.distance[0]), "d_k": float(said.distance[-1])}
    if said.p is not None:
        near = rows[said.rows.tolist()]
        end = np.quantile(near["end_ticks"].to_numpy(), [0.1, 0.9])
        values |= {
            "n_eff": said.n_eff,
            "novelty": said.novelty,
            "median_mfe": float(np.median(near["mfe_ticks"].to_numpy())),
            "median_mae": float(np.median(near["mae_ticks"].to_numpy())),
            "end_q10": float(end[0]),
            "end_q90": float(end[1]),
        }
    return values


def neighbour_rows(
    said: Answer, rows: pl.DataFrame, library: Library, point: np.ndarray | None, scaler: Scaler
) -> list[dict[str, Any]]:
    """Columns of `gold.retrieval_neighbor` but query_id, nearest first."""
    if point is None or not len(said.rows):
        return []
    names, alive = scaler.layout.names, np.flatnonzero(scaler.mad > 0.0)
    kept = ("episode_id", "session_date", "ts_decision", "direction", "level_types", "outcome", "t_hit_s", "mfe_ticks",
            "mae_ticks", "end_ticks")  # fmt: skip
    near = rows[said.rows.tolist()].with_columns(pl.col("ts_decision").to_physical())
    made = []
    for rank, one in enumerate(near.select(kept).iter_rows(named=True)):
        difference = (library.points[said.rows[rank]][alive] - point[alive]) ** 2
        order = alive[np.argsort(difference, kind="stable")]
        made.append(
            {
                "rank": rank + 1,
                **one,
                "distance": float(said.distance[rank]),
                "weight": float(said.weight[rank]),
                "alike_dims": [names[k] for k in order[:NAMED_DIMS]],
                "unlike_dims": [names[k] for k in order[::-1][:NAMED_DIMS]],
            }
        )
    return made


def _typed(model: Any, rows: list[dict[str, Any]], provenance: pl.Expr) -> pl.DataFrame:
    plain = {
        name: pl.Int64 if isinstance(dtype, pl.Datetime) else dtype  # Python's own times lose the nanoseconds
        for name, dtype in model.schema().items()
        if name != "provenance"
    }
    frame = pl.DataFrame([{name: row.get(name) for name in plain} for row in rows], schema=plain)
    return frame.with_columns(provenance=provenance).select(
        pl.col(name).cast(dtype) for name, dtype in model.schema().items()
    )
