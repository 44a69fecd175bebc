"""Chunks on disk: the same as loaded ones, made once, and never trusted when they do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from spymaster.lake import Lake
from spymaster.serving import codec
from spymaster.serving.catalog import Catalog
from spymaster.serving.loader import load_chunk
from spymaster.serving.session import Chunk, Session
from spymaster.serving.store import SessionStore
from spymaster.serving.tile_cache import cached
from spymaster_tests.checks.sessions import SYMBOL
from spymaster_tests.serving.conftest import settings_for
from spymaster_tests.serving.lakes import DT, KEY


class Cached:
    """A store over a lake with a cache, that counts what is really loaded."""

    def __init__(self, lake: Lake, folder: Path, **serving: int) -> None:
        self.loads = 0
        settings = settings_for(lake, **serving)

        def load(session: Session, number: int, progress) -> Chunk:
            self.loads += 1
            return load_chunk(session, number, progress)

        self._store = SessionStore(Catalog(lake, settings), settings, cached(load, folder))

    def chunk(self, number: int = 1) -> Chunk:
        return self._store.chunk(self._store.session(KEY), number)


def test_a_chunk_is_loaded_once_and_mapped_from_then_on(served: Lake, tmp_path: Path) -> None:
    first, second = Cached(served, tmp_path / "cache"), Cached(served, tmp_path / "cache")
    made, mapped = first.chunk(), second.chunk()
    assert (first.loads, second.loads) == (1, 0)
    assert (mapped.first, mapped.rows, mapped.orphans, mapped.broken) == (made.first, made.rows, {}, {})
    assert codec.batch_body({n: b.slice(7, 3) for n, b in mapped.batches.items()}) == codec.batch_body(
        {n: b.slice(7, 3) for n, b in made.batches.items()}
    )
    assert not list((tmp_path / "cache").glob(".making-*"))


def test_changed_rows_and_settings_are_other_chunks(own_lake: Lake, tmp_path: Path) -> None:
    Cached(own_lake, tmp_path / "cache").chunk()
    narrow = Cached(own_lake, tmp_path / "cache", half_ticks=60)
    assert narrow.chunk().batches["wall"].schema.field("depth").type.list_size == 121
    assert narrow.loads == 1
    own_lake.partition("silver.physics_bands_1s", SYMBOL, DT).path.unlink()
    other = Cached(own_lake, tmp_path / "cache")
    other.chunk()
    assert other.loads == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1, "those of other versions are gone"


@pytest.mark.parametrize("spoilt", ["wall.arrow", "about.json"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_spoilt_chunk_is_made_again(served: Lake, tmp_path: Path, spoilt: str, how: str) -> None:
    Cached(served, tmp_path).chunk()
    (path,) = tmp_path.glob(f"*/{spoilt}")
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:20])
    again = Cached(served, tmp_path)
    assert again.chunk().rows > 0
    assert again.loads == 1
    healed = Cached(served, tmp_path)
    healed.chunk()
    assert healed.loads == 0


def test_a_cache_that_cannot_be_written_is_done_without(served: Lake, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    assert Cached(served, tmp_path / "cache").chunk().rows > 0
