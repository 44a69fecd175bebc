"""What a run was made from, as hashes: equal hashes mean equal results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spymaster.evidence.strata import strata_hash
from spymaster.lake import Partition
from spymaster.settings import EvidenceSettings


@dataclass(frozen=True)
class Identity:
    """Hashes of a run; run_id stands for all of them."""

    run_id: str
    code_hash: str
    strata_hash: str
    data_hash: str


def identity(
    symbol: str, dt: str, inputs: Iterable[Partition], law_json: str, settings: EvidenceSettings, profile: str
) -> Identity:
    """Of a run over stored partitions; law_json: thresholds and favourite sizes that it uses."""
    data = digest(sorted(f"{one.manifest.table} {one.content_hash}" for one in inputs))
    parts = (code_hash(), strata_hash(), data)
    run = digest([symbol, dt, *parts, law_json, settings.model_dump(mode="json"), profile])
    return Identity(run, *parts)


@cache
def code_hash() -> str:
    """Hash of the modules of this package."""
    made = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        made.update(source.name.encode() + b"\0" + source.read_bytes())
    return made.hexdigest()[:16]


def digest(value: Any) -> str:
    """Hash of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
