"""Tables of simulated sessions on disk, so that a long run goes on where it was ended.

    folder/2026-01-08/vectors.parquet, episodes.parquet ...

A session is written aside and renamed when it is whole: what is there is complete.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from pathlib import Path

import polars as pl

import spymaster
from benchmarks.research_days import Held, held
from spymaster.research.sample_tables import TABLES, DateTables

PACKAGE = Path(spymaster.__file__).parent


def keep(folder: Path, frames: Mapping[str, pl.DataFrame]) -> None:
    """Write frames by name."""
    aside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, frame in frames.items():
        frame.write_parquet(aside / f"{name}.parquet")
    aside.rename(folder)


def kept(folder: Path) -> dict[str, pl.DataFrame] | None:
    """What `keep` wrote; None where it has not."""
    if not folder.is_dir():
        return None
    return {path.stem: pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}


def keep_session(folder: Path, tables: DateTables) -> None:
    """Write the tables of a session."""
    there = {one.name: getattr(tables, one.name) for one in fields(tables)}
    keep(folder / str(tables.dt), {name: part.read() for name, part in there.items() if isinstance(part, Held)})


def kept_sessions(folder: Path) -> list[DateTables]:
    """Sessions of a folder, in order."""
    found = []
    for path in sorted(one for one in folder.glob("*-*-*") if one.is_dir() and one.suffix != ".part"):
        frames = kept(path) or {}
        dt = date.fromisoformat(path.name)
        found.append(DateTables(**{name: held(TABLES[name].name, dt, frame) for name, frame in frames.items()}))
    return found


def sources(of: Sequence[str] = ("",), without: Sequence[str] = ()) -> str:
    """Hash of the library: sessions that other code made are not gone on with.

    of, without: beginnings of the paths that have a part in them, and of those that have none after all.
    """
    digest = hashlib.sha256()
    for path in sorted(one for one in PACKAGE.rglob("*") if one.suffix in (".py", ".toml")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(tuple(of)) and not name.startswith(tuple(without)):
            digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:8]
