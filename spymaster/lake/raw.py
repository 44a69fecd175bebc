"""Raw files: where they are, what they hash to, and how they enter the lake. Nothing here ever changes or deletes one.

The name of a raw file tells its UTC date: its only group of eight digits (`glbx-mdp3-20231225.mbo.dbn.zst`), or, where
the original name has none or several, the date put in front (`20231225.definition-glbx-es-fut.dbn.zst`). What is inside
is the business of `spymaster.feed`, which checks the date against the file's metadata before storing it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from spymaster.lake import files, layout
from spymaster.lake.errors import InvalidRawNameError, RawFileExistsError, full_disk_named
from spymaster.lake.lake import Lake
from spymaster.lake.manifest import InputRecord, Provenance

_EIGHT_DIGITS = re.compile(r"(?<!\d)\d{8}(?!\d)")
_LEADING_DATE = re.compile(r"\d{8}(?=\.)")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class RawFile:
    """A raw file of the lake. `table` is one of `layout.RAW_TABLES`, `symbol` the root it was stored under."""

    lake_root: Path
    path: Path
    source: str
    product_type: str
    symbol: str
    table: str
    dt: date

    @property
    def provenance(self) -> Provenance:
        """Real, unless the simulator wrote it."""
        return "simulated" if self.source == "simulated" else "real"

    @property
    def name(self) -> str:
        """Path under the lake root."""
        return self.path.relative_to(self.lake_root).as_posix()

    @property
    def sha256(self) -> str:
        """Hash of the bytes; computed once for a size and modification time, then taken from the cache."""
        return cached_sha256(self.lake_root, self.path)

    def as_input(self) -> InputRecord:
        """This file as an input of a partition, for its manifest."""
        return InputRecord("raw", self.name, self.sha256)


@dataclass(frozen=True)
class AbsentRaw:
    """A raw file that a partition could have been made from, had it been there. Once it is, the partition is stale."""

    product_type: str
    symbol: str
    table: str
    dt: date

    @property
    def name(self) -> str:
        """`future_option/ES/statistics/2026-01-06`."""
        return f"{self.product_type}/{self.symbol}/{self.table}/{self.dt}"

    def as_input(self) -> InputRecord:
        """Its absence as an input of a partition, for its manifest."""
        return InputRecord("absent", self.name, "")


@dataclass(frozen=True)
class StoredRaw:
    """Outcome of `store_raw`: the file in the lake, and whether the same bytes were already there."""

    file: RawFile
    already_there: bool


def raw_files(
    lake: Lake, symbol: str, table: str, dt: date | None = None, product_type: str = "future"
) -> list[RawFile]:
    """Raw files of one symbol and table, of one date or of all, by date and name.

    Files whose name tells no date raise `InvalidRawNameError`: a file that nobody reads must not lie there unnoticed.
    """
    found = [
        file
        for source in layout.RAW_SOURCES
        for file in _in_folder(lake, source=source, product_type=product_type, symbol=symbol, table=table)
        if dt is None or file.dt == dt
    ]
    return sorted(found, key=lambda file: (file.dt, file.path.name))


def arrived(lake: Lake, name: str) -> RawFile | None:
    """The raw file whose absence was recorded under `name` (`AbsentRaw.name`), if it is there by now."""
    product_type, symbol, table, dt = name.split("/")
    files = raw_files(lake, symbol, table, date.fromisoformat(dt), product_type)
    return files[0] if files else None


def all_raw_files(lake: Lake) -> list[RawFile]:
    """Every raw file of the lake, by symbol, product type, table and date."""
    symbols = sorted(
        {path.name.removeprefix("symbol=") for path in lake.root.glob("raw/source=*/product_type=*/symbol=*")}
    )
    return [
        file
        for symbol in symbols
        for product_type in layout.PRODUCT_TYPES
        for table in layout.RAW_TABLES
        for file in raw_files(lake, symbol, table, product_type=product_type)
    ]


def store_raw(
    lake: Lake, original: Path, *, source: str, product_type: str, symbol: str, table: str, dt: date
) -> StoredRaw:
    """Copy `original` into the lake, durably and all at once; the lake becomes one of that file's kind.

    The same bytes under the same name are accepted and left alone. Raises `RawFileExistsError` if the name is taken by
    other bytes, `LakeKindError` if real and simulated data would meet, `LakeFullError`, `InvalidKeyError`.
    """
    folder = layout.raw_dir(lake.root, source=source, product_type=product_type, symbol=symbol, table=table)
    target = folder / raw_name(original.name, dt)
    stored = RawFile(lake.root, target, source, product_type, symbol, table, dt)
    lake.claim_kind(stored.provenance)
    if target.exists():
        return _same_bytes(stored, original, _sha256(original))
    with full_disk_named(stored.name):
        staged, file = files.open_staging(lake.root, "raw")
        digest = hashlib.sha256()
        try:
            with file, original.open("rb") as reader:
                while chunk := reader.read(_CHUNK):
                    digest.update(chunk)
                    files.write_all(file, chunk)
                os.fsync(file.fileno())
                files.make_directory(folder)
                os.link(staged, target)  # unlike a rename it never replaces what is there
                files.sync_directory(folder)
        except FileExistsError:
            return _same_bytes(stored, original, digest.hexdigest())
        finally:
            staged.unlink(missing_ok=True)
    return StoredRaw(stored, already_there=False)


def raw_name(original: str, dt: date) -> str:
    """The name under which `original` of date `dt` is stored (see the module)."""
    return original if _EIGHT_DIGITS.findall(original) == [dt.strftime("%Y%m%d")] else f"{dt:%Y%m%d}.{original}"


def raw_date(name: str) -> date:
    """The date a stored raw file's name tells, or `InvalidRawNameError`."""
    leading = _LEADING_DATE.match(name)
    candidates = [leading.group()] if leading else _EIGHT_DIGITS.findall(name)
    if len(candidates) == 1:
        text = candidates[0]
        try:
            return date(int(text[:4]), int(text[4:6]), int(text[6:]))
        except ValueError:
            pass
    raise InvalidRawNameError(
        f"raw file {name} does not tell its date", hint="Add raw files with `spymaster raw add`, which names them."
    )


def cached_sha256(lake_root: Path, path: Path) -> str:
    """SHA-256 of a raw file of the lake, remembered under `_cache` for as long as size and modification time stay."""
    state = path.stat()
    key = {"name": path.relative_to(lake_root).as_posix(), "size": state.st_size, "mtime_ns": state.st_mtime_ns}
    entry = layout.cache_dir(lake_root) / "raw_sha256" / f"{hashlib.sha256(key['name'].encode()).hexdigest()[:24]}.json"
    try:
        known = json.loads(entry.read_text())
        if {name: known[name] for name in key} == key:
            return known["sha256"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # no entry, or one that a crash or an editor spoilt: compute it again
    digest = _sha256(path)
    files.write_durably(lake_root, entry, json.dumps({**key, "sha256": digest}).encode())
    return digest


def _in_folder(lake: Lake, *, source: str, product_type: str, symbol: str, table: str) -> Iterator[RawFile]:
    folder = layout.raw_dir(lake.root, source=source, product_type=product_type, symbol=symbol, table=table)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.endswith((".dbn", ".dbn.zst")):
            yield RawFile(lake.root, path, source, product_type, symbol, table, raw_date(path.name))


def _same_bytes(stored: RawFile, original: Path, digest: str) -> StoredRaw:
    if stored.sha256 == digest:
        return StoredRaw(stored, already_there=True)
    raise RawFileExistsError(
        f"{stored.name} is already stored with other bytes than {original}",
        hint="Raw files are never replaced. Give the new file another name if both are wanted.",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
