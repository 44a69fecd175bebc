"""Loaded chunks kept on disk as Arrow files that are mapped instead of made again. Safe to delete at any time.

One folder per chunk, named by session, surface version and number, with a file per surface. The version covers the
rows and the encoding, so a folder never needs to be looked at twice: it fits, or its name is not asked for any more.
Those of other versions of a session go when one of this version is kept.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from spymaster.serving.session import Chunk, Session
from spymaster.serving.surfaces import SURFACES

_LOG = logging.getLogger(__name__)
_ABOUT = "about.json"

Loader = Callable[[Session, int, Callable[[int], None]], Chunk]
"""Makes a chunk of a session; told how far it is, percent."""


def cached(load: Loader, root: Path) -> Loader:
    """The same loader, with what it has loaded kept under `root`. A cache that cannot be used is passed over."""

    def fetch(session: Session, number: int, progress: Callable[[int], None]) -> Chunk:
        name = f"{session.key.symbol}-{session.key.dt}-"
        version = f"{name}{session.info.surface_version}-"
        folder = root / f"{version}{number}"
        if folder.is_dir():
            try:
                return _read(folder, session)
            except (OSError, ValueError, KeyError, pa.ArrowException) as error:
                _LOG.warning("%s cannot be used: %s", folder.name, error)
                shutil.rmtree(folder, ignore_errors=True)
        chunk = load(session, number, progress)
        try:
            _write(folder, chunk)
            for other in root.glob(f"{name}*"):
                if not other.name.startswith(version):
                    shutil.rmtree(other, ignore_errors=True)  # what is mapped stays readable
        except OSError as error:
            _LOG.warning("%s cannot be kept: %s", folder.name, error)
        return chunk

    return fetch


def _write(folder: Path, chunk: Chunk) -> None:
    """Beside its place, then moved there whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        for name, batch in chunk.batches.items():
            with pa.OSFile(str(made / f"{name}.arrow"), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)
        about = {"first": chunk.first, "rows": chunk.rows, "orphans": chunk.orphans, "broken": chunk.broken}
        (made / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
        os.replace(made, folder)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
        if not folder.is_dir():  # else another one was faster
            raise


def _read(folder: Path, session: Session) -> Chunk:
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    batches = {}
    for surface in SURFACES:
        batch = pa.ipc.open_file(pa.memory_map(str(folder / f"{surface.name}.arrow"))).get_batch(0)
        if batch.num_rows != about["rows"] or batch.schema != surface.schema(session.geometry):
            raise ValueError(f"{surface.name} has {batch.num_rows} rows of another shape")
        batches[surface.name] = batch
    return Chunk(about["first"], about["rows"], batches, about["orphans"], about["broken"])
