"""The data lake: partitions that are whole or absent, with a manifest inside each file.

Belongs here: paths, the write protocol, reading, staleness, raw files as files. Does not belong here: what the columns
mean (`spymaster.tables`), or what is inside a DBN file (`spymaster.feed`).
"""

from __future__ import annotations

from spymaster.lake.dense import dense, dense_frame
from spymaster.lake.errors import (
    CorruptPartitionError,
    LakeError,
    LakeFullError,
    LakeKindError,
    LakeLockedError,
    LakeNotFoundError,
    MissingPartitionError,
)
from spymaster.lake.lake import Lake
from spymaster.lake.manifest import SIMULATED_DATASET, InputRecord, Manifest, Provenance, provenance_of
from spymaster.lake.partition import Partition
from spymaster.lake.raw import AbsentRaw, RawFile, StoredRaw, raw_files, store_raw
from spymaster.lake.status import PartitionStatus, lake_status, partition_status
from spymaster.lake.writer import PartitionWriter

__all__ = [
    "SIMULATED_DATASET",
    "AbsentRaw",
    "CorruptPartitionError",
    "InputRecord",
    "Lake",
    "LakeError",
    "LakeFullError",
    "LakeKindError",
    "LakeLockedError",
    "LakeNotFoundError",
    "Manifest",
    "MissingPartitionError",
    "Partition",
    "PartitionStatus",
    "PartitionWriter",
    "Provenance",
    "RawFile",
    "StoredRaw",
    "dense",
    "dense_frame",
    "lake_status",
    "partition_status",
    "provenance_of",
    "raw_files",
    "store_raw",
]
