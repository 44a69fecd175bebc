"""The manifest: what a partition is, and everything it was made from.

It lives in the key-value metadata of the Parquet file, so file and manifest cannot disagree. It holds nothing of the
machine or the moment: the same inputs, code and parameters give the same bytes. Times of creation go only into the
`_MANIFEST.json` copy beside it.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal

from spymaster.lake.errors import CorruptPartitionError, LakeKindError, ManifestValueError

METADATA_KEY = "spymaster.manifest"
FORMAT = 1

Provenance = Literal["real", "simulated"]
SIMULATED_DATASET = "SIM.SPYMASTER"


def provenance_of(dataset: str) -> Provenance:
    """Provenance of a DBN dataset name: only the simulator writes `SIM.SPYMASTER`."""
    return "simulated" if dataset == SIMULATED_DATASET else "real"


def one_provenance(label: str, claims: Mapping[str, Provenance | None]) -> Provenance | None:
    """The provenance that all `claims` (who says so -> what) agree on, or None if nobody knows.

    Raises `LakeKindError` naming who disagrees.
    """
    known: dict[str, Provenance] = {who: claim for who, claim in claims.items() if claim is not None}
    if len(set(known.values())) > 1:
        raise LakeKindError(
            f"{label}: real and simulated data meet: {', '.join(f'{who} is {what}' for who, what in known.items())}",
            hint="Keep simulated data in a lake root of its own.",
        )
    return next(iter(known.values()), None)


@dataclass(frozen=True)
class InputRecord:
    """One input of a partition: `name` is a partition label or the path of a raw file under the root.

    Of an optional raw file that was absent, `name` tells product type, symbol, table and date, and there is no hash.
    """

    kind: Literal["partition", "raw", "absent"]
    name: str
    content_hash: str


@dataclass(frozen=True)
class Manifest:
    """See the module. `content_hash` is the hash of the stored rows (schema and column data of the Parquet file)."""

    table: str
    symbol: str
    dt: date
    schema_fingerprint: str
    rows: int
    content_hash: str
    code_version: str
    profile: str
    provenance: Provenance
    dataset: str | None = None
    time_span: tuple[str, str] | None = None
    empty_reason: str | None = None
    inputs: tuple[InputRecord, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    counters: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    software: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON data, in a fixed order."""
        record = {"format": FORMAT, **vars(self)}
        record["dt"] = self.dt.isoformat()
        record["time_span"] = list(self.time_span) if self.time_span else None
        record["inputs"] = [vars(item) for item in self.inputs]
        return record

    def to_json(self) -> str:
        """Canonical text: equal manifests give equal bytes."""
        return json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str, *, path: Path) -> Manifest:
        """Read a manifest back; raises `CorruptPartitionError` naming `path` if it is not one."""
        try:
            record = json.loads(text)
            if record.pop("format") != FORMAT:
                raise ValueError("unknown manifest format")
            record["dt"] = date.fromisoformat(record["dt"])
            record["time_span"] = tuple(record["time_span"]) if record["time_span"] else None
            record["inputs"] = tuple(InputRecord(**item) for item in record["inputs"])
            return cls(**record)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CorruptPartitionError(
                f"{path}: its manifest cannot be read ({error})", hint="Materialise the partition again."
            ) from error


def json_data(value: Any, where: str) -> Any:
    """`value` as JSON data: NumPy scalars, dates, paths, enumerations and sets become plain values.

    Raises `ManifestValueError` naming the entry (`where`) for anything else, NaN and infinity included.
    """
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, enum.Enum)):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ManifestValueError(f"manifest entry {where} is {value}: not a number that can be stored")
        return value
    if isinstance(value, enum.Enum):
        return json_data(value.value, where)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): json_data(item, f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_data(item, f"{where}[{position}]") for position, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return sorted(json_data(item, where) for item in value)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a NumPy scalar
        return json_data(value.item(), where)
    raise ManifestValueError(f"manifest entry {where} is a {type(value).__name__}: not JSON data")
