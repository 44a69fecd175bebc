"""`gold.setup_vector` of a date: its candidates, and the vectors of its episodes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.market.calendar import SECOND_NS, rth_window
from spymaster.market.instruments import instrument
from spymaster.settings import Settings
from spymaster.setups.base_features import MEASURE_COLUMNS, TRADE_COLUMNS, Tape
from spymaster.setups.candle_shape import CANDLE_COLUMNS
from spymaster.setups.contracts import tick_size
from spymaster.setups.mids import SNAPSHOT_COLUMNS
from spymaster.setups.vector_layout import BASE_FEATURES, FAMILIES, SHAPE, layout
from spymaster.setups.vectors import Answer, Builder, Request, candidate_requests
from spymaster.setups.zone_windows import WALL_COLUMNS
from spymaster.surfaces.zones import ZONE_TICKS
from spymaster.tables.setup_vector import LEADS_S, SetupVector
from spymaster.tables.types import MAX_GRID_TICKS, TIMESTAMP

EPISODE_COLUMNS: Final = ("episode_id", "kind", "direction", "ts_decision", "is_placebo", "match_set_id")
"""Columns read of `gold.setup_episode`."""

WHOLE_EVERY_S: Final = 61
"""Within so many seconds the wall has a window with all rows of its grid."""

EPISODE_VECTORS: Final = {
    "touch": (*(("s1", lead) for lead in LEADS_S), ("s5", 0)),
    "candle": (("c120", 0), ("s5", 0)),
}
"""(family, lead) of the vectors of an episode of each kind."""


def session_builder(
    measures: Partition, trades: Partition, snapshot: Partition, candles: Partition, scale: Partition,
    definitions: Partition, *, settings: Settings,
) -> Builder:  # fmt: skip
    """What makes the vectors of a date, from its stored partitions."""
    return Builder(
        measures.read(MEASURE_COLUMNS),
        trades.read(TRADE_COLUMNS),
        snapshot.read(SNAPSHOT_COLUMNS),
        candles.read(CANDLE_COLUMNS),
        scale.read(),
        tick=tick_size(measures, definitions),
        eps=instrument(measures.symbol, settings).eps_qty,
    )


def wall_before(wall: Partition, tape: Tape, request: Request) -> Iterable[pl.DataFrame]:
    """Rows of the wall (`WALL_COLUMNS`) that the vectors of a request need, and none after its last cut-off.

    Outside regular hours the wall stores all rows of its grid once a minute: what is stored from a minute before the
    first window on tells what stands in the zone, as long as spot did not move so far that a part of the zone was
    outside the grid meanwhile. Otherwise they are all rows up to the cut-off.
    """
    last, first = int(request.cutoff_s.max()), int(request.cutoff_s.min())
    since = first - request.layout.history * request.layout.family.window_s - WHOLE_EVERY_S
    begin, end = np.searchsorted(tape.end, [since, last + 1])
    spot = tape.spot[begin:end]
    grid = wall.manifest.parameters.get("engine", {}).get("grid_ticks", MAX_GRID_TICKS)
    near = len(spot) == last + 1 - since and spot.min() > 0 and np.ptp(spot) <= grid - ZONE_TICKS
    if near:
        lower, upper = (pl.lit(at * SECOND_NS).cast(TIMESTAMP) for at in (since, last))
        yield wall.scan(WALL_COLUMNS).filter(pl.col("window_end").is_between(lower, upper)).collect()
        return
    for batch in wall.batches(WALL_COLUMNS):
        ends = batch["window_end"].to_physical()
        yield batch.head(int(ends.search_sorted(last * SECOND_NS, side="right")))
        if batch.height and ends[-1] > last * SECOND_NS:
            return


def session_vectors(
    wall: Partition, measures: Partition, trades: Partition, snapshot: Partition, candles: Partition,
    scale: Partition, definitions: Partition, episodes: Partition | None = None, *, settings: Settings,
) -> pl.DataFrame:  # fmt: skip
    """`gold.setup_vector` from stored partitions of one date. Placebos have vectors where they are matched."""
    builder = session_builder(measures, trades, snapshot, candles, scale, definitions, settings=settings)
    hours = rth_window(wall.dt, wall.symbol, settings)
    wanted = [] if hours is None else candidate_requests(
        hours[0] // SECOND_NS, hours[1] // SECOND_NS, settings.setups.candidate_every_s
    )  # fmt: skip
    parts = episode_requests(episodes.read(EPISODE_COLUMNS)) if episodes is not None else []
    answers = builder.vectors(wall.batches(WALL_COLUMNS), [*wanted, *(one.request for one in parts)])
    rows = [vector_rows(answer, only_covered=True) for answer in answers[: len(wanted)]]
    rows += [
        vector_rows(answer, kind=part.kind, lead_s=part.lead_s, episode_id=part.episode_id)
        for answer, part in zip(answers[len(wanted) :], parts, strict=True)
    ]
    provenance = pl.lit(wall.manifest.provenance)
    return (
        pl.concat([SetupVector.empty().drop("provenance"), *rows])
        .with_columns(provenance=provenance)
        .select(pl.col(name).cast(dtype) for name, dtype in SetupVector.schema().items())
        .sort(SetupVector.key, nulls_last=False)
    )


class EpisodeRequest:
    """Vectors of one family and lead of the episodes of one kind."""

    def __init__(self, rows: pl.DataFrame, kind: str, family: str, lead_s: int) -> None:
        self.kind, self.lead_s = kind, lead_s
        self.episode_id = rows["episode_id"].to_list()
        cutoff = rows["ts_decision"].to_physical().to_numpy() // SECOND_NS - lead_s
        self.request = Request.of(family, cutoff, rows["direction"].to_numpy())


def episode_requests(episodes: pl.DataFrame) -> list[EpisodeRequest]:
    """Requests for episodes (`EPISODE_COLUMNS`): the last whole second up to the decision, less the lead."""
    wanted = episodes.filter(~pl.col("is_placebo") | pl.col("match_set_id").is_not_null())
    kinds = wanted["kind"].cast(pl.String)
    return [
        EpisodeRequest(wanted.filter(kinds == kind), kind, family, lead)
        for kind, pairs in EPISODE_VECTORS.items()
        for family, lead in pairs
    ]


def vector_rows(
    answer: Answer, *, kind: str = "candidate", lead_s: int = 0, episode_id: Sequence[str] | None = None,
    only_covered: bool = False,
) -> pl.DataFrame:  # fmt: skip
    """Rows of the table, without provenance. only_covered: leave out cut-offs whose look-back is not valid."""
    kept = answer.covered if only_covered else np.ones(len(answer.covered), dtype=bool)
    known, made = answer.known[kept], answer.request.layout
    vectors = pl.Series("vector", answer.vectors[kept], dtype=pl.Array(pl.Float32, made.n))
    sigma = pl.Series("sigma_60", answer.sigma_60[kept]).fill_nan(None)
    names = [None] * len(kept) if episode_id is None else list(episode_id)
    return pl.DataFrame(
        {
            "episode_id": pl.Series([name for name, keep in zip(names, kept, strict=True) if keep], dtype=pl.String),
            "direction": pl.Series(answer.request.direction[kept], dtype=pl.Int8),
            "ts_cutoff": pl.Series(answer.request.cutoff_s[kept] * SECOND_NS),
            "sigma_60": sigma,
            "vector": vectors.cast(pl.List(pl.Float32)),
            "valid": known,
        }
    ).select(
        "episode_id",
        pl.lit(kind).alias("kind"),
        "direction",
        pl.lit(made.family.name).alias("family"),
        pl.lit(made.version).alias("layout_version"),
        pl.lit(made.n, pl.Int32).alias("vector_dim"),
        pl.lit(lead_s, pl.Int32).alias("lead_s"),
        pl.col("ts_cutoff").cast(SetupVector.schema()["ts_cutoff"]),
        "sigma_60",
        pl.when("valid").then("vector").alias("vector"),
        "valid",
    )


def layouts() -> dict[str, Any]:
    """The stored layouts in few words, for manifests: dims are cell by cell, feature by feature, then the shape."""
    described = {}
    for name in FAMILIES:
        made = layout(name)
        described[name] = {
            "layout_version": made.version,
            "n": made.n,
            "window_s": made.family.window_s,
            "cells": [f"{block}.{order}" for block, order in made.cells],
            "base_features": list(BASE_FEATURES),
            "shape": list(SHAPE) if made.family.shape else [],
            "names_sha256": hashlib.sha256("\n".join(made.names).encode()).hexdigest(),
        }
    return described
