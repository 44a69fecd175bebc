"""The market sessions of a lake: the only module of the sidecar that knows where partitions lie.

A request never becomes a path: symbol and date are parsed, then looked up in the set that a scan of the lake found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from threading import Lock

import polars as pl

from spymaster.errors import SpymasterError
from spymaster.lake import Lake
from spymaster.lake.manifest import Manifest
from spymaster.lake.partition import Partition
from spymaster.serving.describe import NOT_MATERIALISED, NOT_SERVED, OK, UNREADABLE, Status
from spymaster.serving.encoding import encoding_version
from spymaster.serving.errors import UnknownSessionError
from spymaster.serving.surfaces import (
    CALIBRATION,
    INTENSITY,
    LATER_TABLES,
    PANEL_COLUMNS,
    REPLICATION,
    SNAPSHOT,
    SURFACES,
    WireSurface,
    model_of,
)
from spymaster.settings import Settings
from spymaster.tables import all_tables

_SYMBOL = re.compile(r"[A-Z0-9]{1,12}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Signature = tuple[tuple[str, int, int], ...]
"""Table, size and modification time of every partition of a session."""


@dataclass(frozen=True, order=True)
class SessionKey:
    """A market session: root symbol and UTC date."""

    symbol: str
    dt: date

    @classmethod
    def parse(cls, symbol: str, dt: str) -> SessionKey:
        """Raises `UnknownSessionError` for text that is no symbol or no ISO date."""
        if _SYMBOL.fullmatch(symbol) and _DATE.fullmatch(dt):
            try:
                return cls(symbol, date.fromisoformat(dt))
            except ValueError:
                pass
        raise UnknownSessionError("no such market session", hint="A symbol is A-Z and 0-9, a date YYYY-MM-DD.")


def is_of_chunks(table: str) -> bool:
    """Whether loaded seconds may depend on a table (full name)."""
    return not table.startswith("gold.") or table == CALIBRATION


@dataclass(frozen=True)
class SessionInfo:
    """What the lake has of one market session. `signature` changes whenever a file does.

    encoding: version of what turns rows into answers, see `spymaster.serving.encoding`.
    """

    key: SessionKey
    lake: Lake = field(repr=False, compare=False)
    signature: Signature
    encoding: str = ""

    @cached_property
    def partitions(self) -> dict[str, Partition]:
        """The complete partitions by full table name."""
        found = {name: self.lake.partition(name, self.key.symbol, self.key.dt) for name, _, _ in self.signature}
        root = self.lake.root.resolve()
        for partition in found.values():
            if not partition.path.resolve().is_relative_to(root):
                raise UnknownSessionError("no such market session")
        return found

    @cached_property
    def manifests(self) -> dict[str, Manifest | None]:
        """Embedded manifests by table; None where the file cannot be read."""
        return {name: _manifest(partition) for name, partition in self.partitions.items()}

    @cached_property
    def data_version(self) -> str:
        """First 16 hex digits of the SHA-256 over the encoding and all embedded manifests, in order of table."""
        return self._version(self.manifests)

    @cached_property
    def surface_version(self) -> str:
        """Likewise of what chunks are loaded from: all tables but those of the gold layer, which only lists tell of,
        save the calibration. While a date's research is being made, its seconds need not be loaded again.
        """
        return self._version(name for name in self.manifests if is_of_chunks(name))

    def _version(self, tables: Iterable[str]) -> str:
        digest = hashlib.sha256(f"{self.encoding}\n".encode())
        for name in sorted(tables):
            manifest = self.manifests[name]
            digest.update(f"{name}\n{manifest.to_json() if manifest else 'unreadable'}\n".encode())
        return digest.hexdigest()[:16]

    @property
    def provenance(self) -> str:
        """`real` or `simulated`, as the snapshot says."""
        manifest = self.manifests[SNAPSHOT]
        return manifest.provenance if manifest else (self.lake.kind or "real")

    def table_status(self, table: str, columns: tuple[str, ...] = ()) -> Status:
        """Whether a table has data, with these columns."""
        if table not in self.partitions:
            return Status("unavailable", NOT_MATERIALISED)
        manifest = self.manifests[table]
        if manifest is None:
            return Status("broken", UNREADABLE)
        if not manifest.rows:
            return Status("unavailable", manifest.empty_reason or "no rows")
        there = self._columns(table)
        if there is None:
            return Status("broken", UNREADABLE)
        lacking = [name for name in columns if name not in there]
        return Status("broken", f"{table} has no column {', '.join(lacking)}") if lacking else OK

    def panel_status(self, panel: str) -> Status:
        """Whether a list of the context can be answered: its table, with the columns that the answer reads.

        Evidence has three sources: tests of the date, findings of earlier dates, and intensity. Any of them will do.
        """
        status = self.table_status(LATER_TABLES[panel], PANEL_COLUMNS.get(panel, ()))
        if panel == "evidence" and status.status == "unavailable":
            before = self.earlier(REPLICATION)
            if before is not None or self.table_status(INTENSITY).ok:
                return OK
        return status if panel in PANEL_COLUMNS or not status.ok else Status("unavailable", NOT_SERVED)

    def earlier(self, table: str) -> Partition | None:
        """The partition of a table of the latest date before this one; None without one. Looks at the disk."""
        found = self.lake.partitions(table, self.key.symbol, end=self.key.dt - timedelta(days=1))
        return found[-1] if found else None

    @cached_property
    def statuses(self) -> dict[str, Status]:
        """Whether each wire surface has data, by name."""
        return {surface.name: self.surface_status(surface) for surface in SURFACES}

    def surface_status(self, surface: WireSurface) -> Status:
        """Whether a wire surface has data: all of the tables it needs, with their columns."""
        for table, columns in surface.needs.items():
            status = self.table_status(table, columns)
            if not status.ok:
                return status
        return OK

    def _columns(self, table: str) -> set[str] | None:
        """Names of a table's columns; None where the file cannot be read (any more)."""
        if table not in self._found_columns:
            try:
                self._found_columns[table] = set(pl.read_parquet_schema(self.partitions[table].path))
            except (pl.exceptions.PolarsError, OSError):
                return None
        return self._found_columns[table]

    @cached_property
    def _found_columns(self) -> dict[str, set[str]]:
        return {}


class Catalog:
    """The market sessions found by the last scan. Thread-safe. `settings`: those of the lake if not given."""

    def __init__(self, lake: Lake, settings: Settings | None = None) -> None:
        self.lake = lake
        self._encoding = encoding_version(settings or lake.settings)
        self._sessions: dict[SessionKey, SessionInfo] = {}
        self._lock = Lock()
        self.refresh()

    def refresh(self) -> set[SessionKey]:
        """Scan the lake; returns the known sessions that changed or vanished."""
        signatures = _scan(self.lake)
        with self._lock:
            before = self._sessions
            now = {
                key: before[key]
                if key in before and before[key].signature == signature
                else SessionInfo(key, self.lake, signature, self._encoding)
                for key, signature in signatures.items()
            }
            self._sessions = now
        return {key for key, info in before.items() if now.get(key) is not info}

    def sessions(self) -> list[SessionInfo]:
        """All market sessions by symbol and date."""
        with self._lock:
            return [info for _, info in sorted(self._sessions.items())]

    def get(self, key: SessionKey) -> SessionInfo:
        """Raises `UnknownSessionError`. What is not known is looked for again at the next scan."""
        with self._lock:
            info = self._sessions.get(key)
        if info is None:
            raise UnknownSessionError("no such market session", hint="GET /v1/sessions lists what there is.")
        return info


def _scan(lake: Lake) -> dict[SessionKey, Signature]:
    """Sessions that have a snapshot, with what identifies the state of their files."""
    keys = {SessionKey(p.symbol, p.dt) for p in lake.partitions(SNAPSHOT) if _SYMBOL.fullmatch(p.symbol)}
    files: dict[SessionKey, list[tuple[str, int, int]]] = {key: [] for key in keys}
    for name in all_tables():
        for partition in lake.partitions(name):
            key = SessionKey(partition.symbol, partition.dt)
            entry = _entry(name, partition.path) if key in files else None
            if entry is not None:
                files[key].append(entry)
    return {key: tuple(entries) for key, entries in files.items() if any(name == SNAPSHOT for name, _, _ in entries)}


def _entry(name: str, path: Path) -> tuple[str, int, int] | None:
    try:
        status = path.stat()
    except OSError:  # replaced or removed between listing and now: the next scan sees what came of it
        return None
    return name, status.st_size, status.st_mtime_ns


def _manifest(partition: Partition) -> Manifest | None:
    try:
        return partition.manifest
    except SpymasterError:
        return None


def known_table(name: str) -> str | None:
    """Full name of a table given by full or bare name; None if nothing declares it."""
    if model_of(name) is not None:
        return name
    bare = [full for full in all_tables() if full.split(".", 1)[1] == name]
    return bare[0] if len(bare) == 1 else None
