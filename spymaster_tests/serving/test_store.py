"""The cache of chunks: its bound, its pins, one load at a time; and the catalogue behind it."""

from __future__ import annotations

import threading
import time
from datetime import date

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.serving import encoding
from spymaster.serving.app import create_app
from spymaster.serving.batches import missing_columns, record_batch
from spymaster.serving.catalog import Catalog, SessionKey, is_of_chunks
from spymaster.serving.errors import BusyError, UnknownSessionError
from spymaster.serving.loader import load_chunk
from spymaster.serving.metrics import Metrics
from spymaster.serving.opening import open_session
from spymaster.serving.session import Chunk, Session
from spymaster.serving.store import SessionStore
from spymaster.serving.surfaces import BY_NAME, CALIBRATION, SNAPSHOT, Geometry
from spymaster.settings import get_settings
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, spoil
from spymaster_tests.serving.conftest import settings_for
from spymaster_tests.serving.lakes import KEY

ROWS = 1000


def fake_chunk(number: int) -> Chunk:
    """A chunk of 1000 rows of one surface: about 400 kB."""
    surface, geometry = BY_NAME["vacuum"], Geometry()
    secs = np.arange(number * ROWS, (number + 1) * ROWS, dtype=np.int32)
    return Chunk(number * ROWS, ROWS, {"vacuum": record_batch(surface, geometry, secs,
                                                             missing_columns(surface, geometry, ROWS))})  # fmt: skip


def fake_store(served: Lake, watcher: Metrics | None = None, **serving: int) -> SessionStore:
    settings = settings_for(served, **serving)
    return SessionStore(Catalog(served), settings, load=lambda _s, n, _p: fake_chunk(n), watcher=watcher)


def test_memory_stays_below_the_bound_and_the_oldest_goes_first(served: Lake) -> None:
    metrics = Metrics()
    store = fake_store(served, metrics, cache_bytes=1_500_000)
    session = store.session(KEY)
    for number in (0, 1, 2, 0, 3):
        store.chunk(session, number)
        assert store.nbytes <= 1_500_000
    assert [store.resident(session, number) for number in range(4)] == [True, False, True, True]
    assert metrics.registry.get_sample_value("spymaster_session_cache_evictions_total") == 1


def test_pinned_chunks_stay(served: Lake) -> None:
    store = fake_store(served, cache_bytes=1_500_000)
    session = store.session(KEY)
    store.pin(session, 0)
    store.pin(session, 0)
    for number in range(6):
        store.chunk(session, number)
    assert store.resident(session, 0)
    store.unpin(session, 0)
    store.chunk(session, 6)
    assert store.resident(session, 0), "one of two pins is left"
    store.unpin(session, 0)
    store.chunk(session, 7)
    assert not store.resident(session, 0)


def test_a_load_is_refused_when_pins_leave_no_room(served: Lake) -> None:
    store = fake_store(served, cache_bytes=1_100_000)
    session = store.session(KEY)
    for number in range(3):
        store.pin(session, number)
        store.chunk(session, number)
    with pytest.raises(BusyError):
        store.chunk(session, 3)
    store.unpin(session, 2)
    store.unpin(session, 1)
    assert store.chunk(session, 3).first == 3 * ROWS


def test_many_who_ask_at_once_cause_one_load(served: Lake) -> None:
    calls: list[int] = []

    def slow(_session: Session, number: int, progress) -> Chunk:
        calls.append(number)
        progress(40)
        time.sleep(0.1)
        return fake_chunk(number)

    store = SessionStore(Catalog(served), settings_for(served), load=slow)
    session = store.session(KEY)
    answers: list[Chunk] = []
    threads = [threading.Thread(target=lambda: answers.append(store.chunk(session, 0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    assert store.progress(session, 0) == 40
    for thread in threads:
        thread.join()
    assert calls == [0]
    assert len({id(chunk) for chunk in answers}) == 1
    assert len(answers) == 8
    assert store.progress(session, 0) == 100


def test_at_most_two_loads_run_at_once(served: Lake) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def slow(_session: Session, number: int, _progress) -> Chunk:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return fake_chunk(number)

    store = SessionStore(Catalog(served), settings_for(served), load=slow)
    session = store.session(KEY)
    threads = [threading.Thread(target=store.chunk, args=(session, number)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_a_load_that_fails_is_tried_again(served: Lake) -> None:
    attempts: list[int] = []

    def failing(_session: Session, number: int, _progress) -> Chunk:
        attempts.append(number)
        if len(attempts) == 1:
            raise OSError("disk")
        return fake_chunk(number)

    store = SessionStore(Catalog(served), settings_for(served), load=failing)
    session = store.session(KEY)
    with pytest.raises(OSError, match="disk"):
        store.chunk(session, 0)
    assert store.chunk(session, 0).rows == ROWS


def test_the_catalogue_lists_sessions_that_have_a_snapshot(own_lake: Lake) -> None:
    assert [info.key.dt for info in Catalog(own_lake).sessions()] == [EARLIER, DT]
    own_lake.partition(SNAPSHOT, SYMBOL, EARLIER).path.unlink()
    assert [info.key.dt for info in Catalog(own_lake).sessions()] == [DT]


def test_a_change_on_disk_changes_the_version_and_drops_the_session(own_lake: Lake) -> None:
    store = SessionStore(Catalog(own_lake), settings_for(own_lake))
    before = store.session(KEY)
    assert store.catalog.refresh() == set()
    spoil(own_lake, "silver.pressure_surface_1s", lambda f: f.with_columns(net_pressure=pl.lit(0.5, pl.Float32)))
    assert store.catalog.refresh() == {KEY}
    store.forget(KEY)
    after = store.session(KEY)
    assert after.info.data_version != before.info.data_version
    assert len(after.info.data_version) == 16


def test_seconds_stay_loaded_while_the_research_of_their_date_is_made(own_lake: Lake) -> None:
    """A list that comes makes another version of the session, and the same seconds; another calibration does not."""
    services = create_app(settings_for(own_lake)).state.services
    store = services.store
    session = store.session(KEY)
    before = store.chunk(session, 0)
    with own_lake.writer("gold.setup_episode", SYMBOL, DT) as writer:
        writer.commit(provenance=session.info.provenance, empty_reason="no touch")
    assert services.refresh() == {KEY}
    after = store.session(KEY)
    assert after.info.data_version != session.info.data_version
    assert store.chunk(after, 0) is before
    spoil(own_lake, CALIBRATION, lambda frame: frame.with_columns(pl.col("q95") * 2))
    assert services.refresh() == {KEY}
    assert not store.resident(store.session(KEY), 0)


def test_what_chunks_read_is_in_the_version_of_surfaces(served: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SessionStore(Catalog(served), settings_for(served))
    read: set[str] = set()

    class Told(dict):
        def __getitem__(self, name: str):
            read.add(name)
            return super().__getitem__(name)

    info = store.catalog.get(KEY)
    monkeypatch.setitem(vars(info), "partitions", Told(info.partitions))
    session = open_session(info, settings_for(served), store)
    for number in range(session.chunks):
        load_chunk(session, number)
    assert {"silver.wall_surface_1s", CALIBRATION} <= read
    assert all(is_of_chunks(name) for name in read), read


def test_the_version_is_that_of_the_content_not_of_the_files(own_lake: Lake) -> None:
    before = Catalog(own_lake).get(KEY).data_version
    path = own_lake.partition("silver.trade", SYMBOL, DT).path
    content = path.read_bytes()
    path.unlink()
    assert Catalog(own_lake).get(KEY).data_version != before
    path.write_bytes(content)
    assert Catalog(own_lake).get(KEY).data_version == before


@pytest.mark.parametrize("symbol", ["", "..", "ES/..", "es", "ES\0", "É", "A" * 13, "%2e%2e", "E S", "ES\n", "*"])
def test_hostile_symbols_are_no_keys(symbol: str) -> None:
    with pytest.raises(UnknownSessionError):
        SessionKey.parse(symbol, "2024-03-06")


@pytest.mark.parametrize(
    "dt", ["", "..", "2024-3-6", "2024-13-01", "2024-03-06T00", "20240306", "２０２４-03-06", "2024-03-06\n", "dt=1"]
)
def test_hostile_dates_are_no_keys(dt: str) -> None:
    with pytest.raises(UnknownSessionError):
        SessionKey.parse("ES", dt)


def test_a_key_that_is_not_listed_is_unknown(served: Lake) -> None:
    with pytest.raises(UnknownSessionError):
        Catalog(served).get(SessionKey("ES", date(1999, 1, 1)))


def test_a_partition_that_leads_out_of_the_lake_is_not_opened(own_lake: Lake, tmp_path) -> None:
    path = own_lake.partition("silver.trade", SYMBOL, DT).path
    elsewhere = tmp_path / "elsewhere.parquet"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(UnknownSessionError):
        _ = Catalog(own_lake).get(KEY).partitions


def test_a_file_that_cannot_be_read_breaks_its_surface_only(own_lake: Lake) -> None:
    path = own_lake.partition("silver.pressure_surface_1s", SYMBOL, DT).path
    path.unlink()
    path.write_bytes(b"no parquet")
    session = SessionStore(Catalog(own_lake), settings_for(own_lake)).session(KEY)
    assert session.statuses["pressure"].status == "broken"
    assert "/" not in (session.statuses["pressure"].reason or "")
    assert session.statuses["wall"].ok


def test_a_table_without_a_required_column_is_broken(own_lake: Lake) -> None:
    path = own_lake.partition("silver.physics_bands_1s", SYMBOL, DT).path
    metadata = pl.read_parquet_metadata(path)
    frame = pl.read_parquet(path).drop("above_at_ease")
    path.unlink()
    frame.write_parquet(path, metadata={k: v for k, v in metadata.items() if k.startswith("spymaster")})
    session = SessionStore(Catalog(own_lake), settings_for(own_lake)).session(KEY)
    assert session.statuses["bands"].status == "broken"
    assert "above_at_ease" in (session.statuses["bands"].reason or "")


@pytest.mark.parametrize(
    "changed",
    [{"serving": {"half_ticks": 60}}, {"serving": {"ladder_ticks": 20}}, {"options": {"grid_strikes": 6}}],
    ids=lambda changed: next(iter(next(iter(changed.values())))),
)
def test_the_version_covers_the_settings_that_shape_an_answer(served: Lake, changed: dict) -> None:
    def version(**sections) -> str:
        return Catalog(served, get_settings(lake_root=str(served.root), **sections)).get(KEY).data_version

    assert version() == version(serving={"port": 1234})
    assert version(**changed) != version()


def test_the_version_covers_the_program(served: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Catalog(served).get(KEY).data_version
    monkeypatch.setattr(encoding, "_code_version", lambda: "another program")
    assert Catalog(served).get(KEY).data_version != before
