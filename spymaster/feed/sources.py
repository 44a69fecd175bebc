"""Which raw file serves a date, and whether it is what its place in the lake says."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

from spymaster.feed.errors import WrongTimeSpanError
from spymaster.feed.metadata import REAL_DATASET, FileMetadata, read_metadata, require
from spymaster.lake import Lake, RawFile, raw_files
from spymaster.market.dbn import SIM_DATASET


def covering_file(lake: Lake, root: str, table: str, dt: date, product_type: str = "future") -> RawFile | None:
    """The raw definition or statistics file for `dt`: that of the date, else the latest whose time span includes it.

    Such files are small, and a download of them may hold several dates in one; it is stored under the first of them.
    """
    for raw in reversed(raw_files(lake, root, table, product_type=product_type)):
        if raw.dt == dt:
            return raw
        if raw.dt < dt and _last_date(raw.path) >= dt:
            return raw
    return None


def dataset_of(raw: RawFile) -> str:
    """The dataset that a raw file has to be of, by its place in the lake."""
    return SIM_DATASET if raw.provenance == "simulated" else REAL_DATASET


def open_covering(raw: RawFile, dt: date, *, schema: str, partition: str) -> FileMetadata:
    """The header of a raw file that is to serve `dt`, after checking dataset, schema, and that its span includes it.

    Raises WrongDatasetError (real data among simulated or the reverse), WrongSchemaError, WrongTimeSpanError, and what
    `read_metadata` raises.
    """
    metadata = read_metadata(raw.path)
    require(raw.path, metadata, schema=schema, datasets={dataset_of(raw)}, partition=partition)
    first, last = metadata.dates
    if first != raw.dt or not first <= dt <= last:
        raise WrongTimeSpanError(
            raw.path,
            f"its name tells {raw.dt}, its metadata {first} to {last}",
            partition=partition,
            hint="Add raw files with `spymaster raw add`, which checks their date.",
        )
    return metadata


def _last_date(path: Path) -> date:
    state = path.stat()
    return _cached_last_date(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _cached_last_date(path: Path, mtime_ns: int, size: int) -> date:
    """Headers of options name thousands of instruments; a backfill would read those of all earlier files every time."""
    return read_metadata(path).dates[1]
