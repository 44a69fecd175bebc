"""Where a stream's windows come from: one interface for replay and, later, live data."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Literal, Protocol

from anyio import to_thread

from spymaster.serving.clock import ReplayClock
from spymaster.serving.codec import MAX_BUNDLE, MAX_FRAME_BYTES
from spymaster.serving.session import CHUNK_S, Chunk, Session, WindowBatch
from spymaster.serving.store import SessionStore

Mode = Literal["replay", "live"]
MAX_BURST = 60
"""Seconds that travel in one frame when several are due."""
_PREFETCH_S = 300
"""How long before the end of a chunk the next one is asked for."""
_POLL_S = 0.25
_BUNDLE_BYTES = MAX_FRAME_BYTES * 9 // 10
"""Columns of a bundle; the rest is for headers and padding."""


class Producer(Protocol):
    """A source of windows. A lossless one waits for its reader; another one drops what a reader does not take."""

    mode: Mode
    lossless: bool

    def windows(self, after_sec: int) -> AsyncIterator[WindowBatch]:
        """Windows after a second, in order, as they become due."""
        ...

    def close(self) -> None:
        """Stop, and release what is held."""
        ...


class ReplayProducer:
    """A stored market session, paced by a clock. Lossless.

    `on_loading` is awaited with the percent done while a chunk is loaded.
    """

    mode: Mode = "replay"
    lossless = True

    def __init__(
        self,
        session: Session,
        store: SessionStore,
        clock: ReplayClock,
        surfaces: Sequence[str],
        on_loading: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self.session = session
        self.clock = clock
        self._store = store
        self._surfaces = tuple(surfaces)
        self._on_loading = on_loading
        self._steps = 0
        self._changed = asyncio.Event()
        self._pinned: set[int] = set()
        self._prefetch: asyncio.Task[Chunk] | None = None

    def changed(self) -> None:
        """Tell the producer that its clock was set."""
        self._changed.set()

    def step(self, seconds: int) -> None:
        """Send the next seconds although the clock is paused."""
        self._steps += seconds
        self._changed.set()

    async def wanted(self) -> None:
        """Wait until the clock runs or steps are asked for."""
        while not self._steps and self.clock.state == "paused":
            self._changed.clear()
            await self._changed.wait()

    async def chunk(self, number: int) -> Chunk:
        """A chunk, loaded in a worker thread and pinned; tells `on_loading` while it takes."""
        if number not in self._pinned:
            self._store.pin(self.session, number)
            self._pinned.add(number)
        # What is there is taken at once: the threads may be busy with loads, and a window must not queue behind them.
        held = self._store.held(self.session, number)
        if held is not None:
            return held
        load = asyncio.ensure_future(to_thread.run_sync(partial(self.session.chunk, number)))
        try:
            while True:
                done, _ = await asyncio.wait((load,), timeout=_POLL_S)
                if done:
                    return load.result()
                if self._on_loading is not None:
                    await self._on_loading(self._store.progress(self.session, number))
        finally:
            if not load.done():
                load.cancel()

    async def history(self, first: int, stop: int) -> AsyncIterator[WindowBatch]:
        """Seconds [first, stop), unpaced, as many at a time as a bundle may hold."""
        while first < stop:
            chunk = await self.chunk(first // CHUNK_S)
            size = sum(chunk.batches[name].nbytes for name in self._surfaces) // max(1, chunk.rows) + 1
            most = max(1, min(MAX_BUNDLE, _BUNDLE_BYTES // size))
            count = min(most, stop - first, chunk.first + chunk.rows - first)
            yield self.session.window(chunk, first, count, self._surfaces)
            first += count

    async def windows(self, after_sec: int) -> AsyncIterator[WindowBatch]:
        """Every second after `after_sec` once it is due or stepped to; several travel together when late."""
        clock = self.clock
        while after_sec + 1 < self.session.seconds:
            sec = after_sec + 1
            number = sec // CHUNK_S
            chunk = await self.chunk(number)
            self._keep_near(number, sec)
            count = await self._due(min(MAX_BURST, chunk.first + chunk.rows - sec))
            clock.advance(count)
            yield self.session.window(chunk, sec, count, self._surfaces)
            after_sec += count

    def close(self) -> None:
        """Unpin everything. Nothing is awaited: this also happens while a task is being cancelled."""
        if self._prefetch is not None:
            self._prefetch.cancel()
        for number in self._pinned:
            self._store.unpin(self.session, number)
        self._pinned.clear()

    async def _due(self, most: int) -> int:
        """Wait until at least one second is due; returns how many are."""
        while True:
            self._changed.clear()
            if self._steps:
                count = min(self._steps, most)
                self._steps -= count
                return count
            count = self.clock.due_count(most)
            if count:
                return count
            wait = self.clock.due(self.clock.sec) - self.clock.monotonic()
            try:
                await asyncio.wait_for(self._changed.wait(), None if wait == float("inf") else max(wait, 0.0005))
            except TimeoutError:
                continue

    def _keep_near(self, number: int, sec: int) -> None:
        """Unpin chunks that lie behind, and ask for the next one in time."""
        for old in [old for old in self._pinned if old not in (number, number + 1)]:
            self._pinned.discard(old)
            self._store.unpin(self.session, old)
        following = number + 1
        near_end = sec >= following * CHUNK_S - _PREFETCH_S
        if near_end and following < self.session.chunks and following not in self._pinned:
            self._prefetch = asyncio.ensure_future(self.chunk(following))
            # What went wrong is raised again when the chunk is needed.
            self._prefetch.add_done_callback(lambda task: None if task.cancelled() else task.exception())


def monotonic() -> float:
    """The clock that due times are told on."""
    return time.monotonic()
