"""Loaded chunks of market sessions: bounded by bytes, least recently used out first, each loaded once at a time.

Thread-safe. A chunk under a stream's position is pinned and never put out; where pins alone exceed the bound, a new
load is refused with `BusyError`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import BoundedSemaphore, Lock
from typing import Any, Protocol

from spymaster.serving.catalog import Catalog, SessionKey
from spymaster.serving.errors import BusyError
from spymaster.serving.known import Event, events
from spymaster.serving.loader import load_chunk
from spymaster.serving.opening import open_session
from spymaster.serving.session import Chunk, Session
from spymaster.settings import Settings

MAX_LOADS = 2
"""Loads at a time."""
EVENTS_OF_SESSIONS = 8
"""Sessions whose events are kept, the latest asked for."""

ChunkKey = tuple[SessionKey, str, int]
"""Session, data version, number of the chunk."""
Loader = Callable[[Session, int, Callable[[int], None]], Chunk]


class Watcher(Protocol):
    """Told of what the store does; from worker threads."""

    evictions: Any
    """Has `inc()`, called for every chunk put out."""

    def loaded(self, chunk: Chunk, seconds: float) -> None:
        """A chunk was loaded, in so many seconds."""
        ...


class SessionStore:
    """Sessions and their chunks."""

    def __init__(
        self, catalog: Catalog, settings: Settings, load: Loader = load_chunk, watcher: Watcher | None = None
    ) -> None:
        self.catalog = catalog
        self._settings = settings
        self._load = load
        self._watcher = watcher
        self._bound = settings.serving.cache_bytes
        self._lock = Lock()
        self._turns = BoundedSemaphore(MAX_LOADS)
        self._sessions: dict[SessionKey, Session] = {}
        self._events: OrderedDict[SessionKey, tuple[str, list[Event]]] = OrderedDict()
        self._chunks: OrderedDict[ChunkKey, Chunk] = OrderedDict()
        self._pins: dict[ChunkKey, int] = {}
        self._loading: dict[ChunkKey, Future[Chunk]] = {}
        self._progress: dict[ChunkKey, int] = {}

    @property
    def nbytes(self) -> int:
        """Memory of the loaded chunks."""
        with self._lock:
            return sum(chunk.nbytes for chunk in self._chunks.values())

    def session(self, key: SessionKey) -> Session:
        """The session as the catalogue knows it now. Raises `UnknownSessionError`, `BrokenSessionError`."""
        info = self.catalog.get(key)
        with self._lock:
            session = self._sessions.get(key)
        if session is None or session.info is not info:
            session = open_session(info, self._settings, self)
            with self._lock:
                self._sessions[key] = session
        return session

    def events(self, session: Session) -> list[Event]:
        """What becomes known during a session; read once for the sessions that were asked for last.

        What could not be read of it is tried again the next time.
        """
        with self._lock:
            found = self._events.get(session.key)
        if found is None or found[0] != session.info.data_version:
            lost: list[str] = []
            found = session.info.data_version, events(session, lost)
            if lost:
                return found[1]
            with self._lock:
                self._events[session.key] = found
                self._events.move_to_end(session.key)
                while len(self._events) > EVENTS_OF_SESSIONS:
                    self._events.popitem(last=False)
        return found[1]

    def chunk(self, session: Session, number: int) -> Chunk:
        """A chunk of a session, loaded by the first who asks; the others wait for that load.

        Raises `BusyError` if pinned chunks leave no room.
        """
        key = _key(session, number)
        with self._lock:
            chunk = self._chunks.get(key)
            if chunk is not None:
                self._chunks.move_to_end(key)
                return chunk
            future = self._loading.get(key)
            mine = future is None
            if future is None:
                self._refuse_if_full()
                future = self._loading[key] = Future()
                self._progress[key] = 0
        if mine:
            self._run(session, number, key, future)
        return future.result()

    def held(self, session: Session, number: int) -> Chunk | None:
        """A chunk if it is in memory; never loads, so the event loop may ask."""
        key = _key(session, number)
        with self._lock:
            chunk = self._chunks.get(key)
            if chunk is not None:
                self._chunks.move_to_end(key)
            return chunk

    def resident(self, session: Session, number: int) -> bool:
        """Whether a chunk is in memory."""
        with self._lock:
            return _key(session, number) in self._chunks

    def progress(self, session: Session, number: int) -> int:
        """Percent done of a load in progress, 100 if there is none."""
        with self._lock:
            return self._progress.get(_key(session, number), 100)

    def pin(self, session: Session, number: int) -> None:
        """Keep a chunk in memory, loaded or about to be, until `unpin` has been called as often."""
        with self._lock:
            key = _key(session, number)
            self._pins[key] = self._pins.get(key, 0) + 1

    def unpin(self, session: Session, number: int) -> None:
        """Take one pin back."""
        with self._lock:
            key = _key(session, number)
            left = self._pins.get(key, 0) - 1
            if left > 0:
                self._pins[key] = left
            else:
                self._pins.pop(key, None)
            self._evict()

    def forget(self, key: SessionKey, keep: str | None = None) -> None:
        """Drop a session whose data changed. Streams that still play keep what they hold.

        keep: surface version whose loaded seconds are still right.
        """
        with self._lock:
            self._sessions.pop(key, None)
            self._events.pop(key, None)
            for chunk in [one for one in self._chunks if one[0] == key and one[1] != keep and one not in self._pins]:
                del self._chunks[chunk]

    def broken(self, session: Session) -> dict[str, str]:
        """Surfaces that loaded chunks found broken, with the reason."""
        return {name: why for chunk in self._loaded(session) for name, why in chunk.broken.items()}

    def orphans(self, session: Session) -> dict[str, int]:
        """Rows outside the timeline that loads so far have met, by surface."""
        counts: dict[str, int] = {}
        for chunk in self._loaded(session):
            for name, rows in chunk.orphans.items():
                counts[name] = counts.get(name, 0) + rows
        return counts

    def _loaded(self, session: Session) -> list[Chunk]:
        with self._lock:
            own = _key(session, 0)[:2]
            return [chunk for key, chunk in self._chunks.items() if key[:2] == own]

    def _run(self, session: Session, number: int, key: ChunkKey, future: Future[Chunk]) -> None:
        def progress(percent: int) -> None:
            with self._lock:
                self._progress[key] = percent

        try:
            with self._turns:
                begun = time.monotonic()
                chunk = self._load(session, number, progress)
            if self._watcher is not None:
                self._watcher.loaded(chunk, time.monotonic() - begun)
        except BaseException as error:
            with self._lock:
                self._done(key)
            future.set_exception(error)
            return
        with self._lock:
            self._done(key)
            self._chunks[key] = chunk
            self._evict()
        future.set_result(chunk)

    def _done(self, key: ChunkKey) -> None:
        del self._loading[key]
        del self._progress[key]

    def _refuse_if_full(self) -> None:
        pinned = sum(chunk.nbytes for key, chunk in self._chunks.items() if key in self._pins)
        if pinned >= self._bound:
            raise BusyError("the memory for market sessions is taken by running streams", hint="Try again later.")

    def _evict(self) -> None:
        """Put chunks out until the rest fits; the newest stays in any case, so that a load is never in vain."""
        total = sum(chunk.nbytes for chunk in self._chunks.values())
        newest = next(reversed(self._chunks), None)
        for key in list(self._chunks):
            if total <= self._bound:
                return
            if key in self._pins or key == newest:
                continue
            total -= self._chunks.pop(key).nbytes
            if self._watcher is not None:
                self._watcher.evictions.inc()


def _key(session: Session, number: int) -> ChunkKey:
    return session.key, session.info.surface_version, number
