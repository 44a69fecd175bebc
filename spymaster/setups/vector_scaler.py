"""`gold.vector_scaler`: median and spread of every number of a vector, over candidates of earlier sessions only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.settings import Settings
from spymaster.setups.errors import SetupInputError
from spymaster.setups.vector_layout import FAMILIES, Layout, layout
from spymaster.tables.vector_scaler import VectorScaler

MAD_TO_SIGMA: Final = 1.4826
LIMIT: Final = 8.0


@dataclass(frozen=True)
class Scaler:
    """How vectors of one layout are scaled."""

    layout: Layout
    med: np.ndarray
    mad: np.ndarray
    """float64[n]."""
    sessions: tuple[date, ...]
    sha256: str

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """float32[v, n]: scaled, clipped and weighted vectors of float32[v, n]; NaN stays NaN."""
        alive = self.mad > 0.0
        width = np.where(alive, MAD_TO_SIGMA * self.mad, 1.0)
        z = np.clip((vectors - self.med) / width, -LIMIT, LIMIT)
        weight = np.array([dim.weight for dim in self.layout.dims])
        return np.asarray(z * np.where(alive, weight, 0.0), dtype=np.float32)


def select_sessions(partitions: Sequence[Partition], dt: date, settings: Settings) -> list[Partition]:
    """The last `scale_max_sessions` sessions before `dt` with a valid candidate, in order of date."""
    chosen: list[Partition] = []
    for partition in sorted(partitions, key=lambda one: one.dt, reverse=True):
        if len(chosen) == settings.setups.scale_max_sessions:
            break
        if partition.dt < dt and not _candidates(partition, ("valid",)).is_empty():
            chosen.append(partition)
    return chosen[::-1]


def session_scaler(sessions: Sequence[Partition], dt: date) -> pl.DataFrame:
    """`gold.vector_scaler` of `dt` from stored vectors of earlier dates; one family at a time is held in memory.

    Raises `SetupInputError` if a session is not before `dt`.
    """
    late = [partition.label for partition in sessions if partition.dt >= dt]
    if late:
        raise SetupInputError(f"the scaler of {dt} was offered a session that is not earlier: {late[0]}")
    rows = []
    for name in sorted(FAMILIES):
        pools = {one.dt: _candidates(one, ("family", "layout_version", "vector"), name) for one in sessions}
        rows.append(scaler_row(layout(name), pools))
    return pl.DataFrame(rows, schema=VectorScaler.schema())


def scaler_row(made: Layout, pools: dict[date, pl.DataFrame]) -> dict[str, Any]:
    """One row of the table. pools: valid candidates of the family by date, with layout_version and vector.

    Vectors of other layouts than `made` are left out.
    """
    kept = {dt: rows.filter(layout_version=made.version)["vector"] for dt, rows in sorted(pools.items())}
    kept = {dt: vectors for dt, vectors in kept.items() if len(vectors)}
    med = mad = None
    if kept:
        up = np.concatenate([as_matrix(vectors, made.n) for vectors in kept.values()])
        order, sign = made.mirror()
        both = np.concatenate([up, up[:, order] * sign]).astype(np.float64)
        med = np.median(both, axis=0)
        mad = np.median(np.abs(both - med), axis=0)
    return {
        "family": made.family.name,
        "layout_version": made.version,
        "vector_dim": made.n,
        "sessions_used": list(kept),
        "n_rows": sum(len(vectors) for vectors in kept.values()),
        "med": None if med is None else med.tolist(),
        "mad": None if mad is None else mad.tolist(),
        "dead_dims": [] if mad is None else np.flatnonzero(mad == 0.0).tolist(),
        "sha256": fingerprint(made, med, mad),
    }


def fingerprint(made: Layout, med: np.ndarray | None, mad: np.ndarray | None) -> str:
    """Hash of what scales a vector."""
    digest = hashlib.sha256(f"{made.family.name} {made.version} {made.n}".encode())
    weights = np.array([dim.weight for dim in made.dims])
    for values in (med, mad, weights):
        digest.update(b"" if values is None else np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return digest.hexdigest()


def scaler_of(rows: pl.DataFrame, family: str) -> Scaler | None:
    """The scaler of a family in rows of `gold.vector_scaler`; None where its pool was empty."""
    for row in rows.filter(family=family).iter_rows(named=True):
        if row["med"] is None:
            return None
        made = layout(family, row["layout_version"])
        return Scaler(made, np.array(row["med"]), np.array(row["mad"]), tuple(row["sessions_used"]), row["sha256"])
    return None


def as_matrix(vectors: pl.Series, n: int) -> np.ndarray:
    """float32[v, n] of a column of lists of `n` numbers without nulls."""
    return vectors.explode().to_numpy().reshape(len(vectors), n) if len(vectors) else np.empty((0, n), dtype=np.float32)


def _candidates(partition: Partition, columns: Sequence[str], family: str | None = None) -> pl.DataFrame:
    rows = partition.scan().filter((pl.col("kind") == "candidate") & pl.col("valid"))
    return (rows if family is None else rows.filter(family=family)).select(columns).collect()
