"""What one application shares among its requests; made and ended by its lifespan."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from threading import BoundedSemaphore

from anyio import to_thread

from spymaster.lake import Lake
from spymaster.research.kept import Kept
from spymaster.serving.catalog import Catalog, SessionKey
from spymaster.serving.errors import BusyError, UnknownSessionError
from spymaster.serving.hub import Hub
from spymaster.serving.metrics import Metrics
from spymaster.serving.request_log import RequestLog
from spymaster.serving.security import Guard
from spymaster.serving.store import SessionStore
from spymaster.settings import Settings

HISTORY_JOBS = 4
HISTORY_QUEUE = 64
QUESTIONS = 2
"""Questions for analogues that are answered at a time: each holds a worker thread, and a core, for as long."""
_TICK_S = 0.05
_TICKS_PER_LOOK = 10
"""Clients may take many seconds: looking at all of them every half second is soon enough."""
_LOG = logging.getLogger(__name__)


class Jobs:
    """Long answers: a few at a time, a bounded number waiting, the rest refused. `sent` is told of bytes that leave."""

    def __init__(self, sent: Callable[[int], None] = lambda _: None) -> None:
        self.sent = sent
        self._turns = asyncio.Semaphore(HISTORY_JOBS)
        self._present = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises `BusyError` if the queue is full."""
        if self._present >= HISTORY_JOBS + HISTORY_QUEUE:
            raise BusyError("too many long answers are being made", hint="Try again in a second.")
        self._present += 1
        try:
            async with self._turns:
                yield
        finally:
            self._present -= 1


class Questions:
    """Questions for analogues: `QUESTIONS` at a time; any more are refused at once, so that no thread waits."""

    def __init__(self) -> None:
        self._turns = BoundedSemaphore(QUESTIONS)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold a turn; for worker threads. Raises `BusyError` if there is none."""
        if not self._turns.acquire(blocking=False):
            raise BusyError("too many questions for analogues are being answered", hint="Try again in a second.")
        try:
            yield
        finally:
            self._turns.release()


@dataclass
class Services:
    """See the module."""

    settings: Settings
    lake: Lake
    catalog: Catalog
    store: SessionStore
    guard: Guard
    hub: Hub
    metrics: Metrics
    jobs: Jobs
    kept: Kept
    """What questions for analogues share."""
    questions: Questions
    bundle: Path
    bundle_version: str | None
    request_log: RequestLog
    loop_lag: float = 0.0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def version_of(self, key: SessionKey) -> str | None:
        """Data version of a session now; None if it is gone."""
        try:
            return self.catalog.get(key).data_version
        except UnknownSessionError:
            return None

    def refresh(self) -> set[SessionKey]:
        """Look at the lake; sessions that changed are forgotten. Blocks on disk."""
        changed = self.catalog.refresh()
        for key in changed:
            known = self.version_of(key) is not None
            self.store.forget(key, self.catalog.get(key).surface_version if known else None)
        return changed

    async def watch_lake(self) -> None:
        """Rescan until cancelled, and tell the clients of what changed."""
        while True:
            await asyncio.sleep(self.settings.serving.rescan_s)
            try:
                changed = await to_thread.run_sync(self.refresh)
                if changed:
                    self.hub.changed(changed, self.version_of)
            except Exception:  # a lake that cannot be listed now may be listed at the next scan
                _LOG.exception("the lake could not be scanned; trying again in %g s", self.settings.serving.rescan_s)

    async def watch_loop(self) -> None:
        """Measure how late the event loop wakes, and now and then expel clients that are stuck."""
        for tick in count(1):
            begun = time.monotonic()
            await asyncio.sleep(_TICK_S)
            self.loop_lag = max(0.0, time.monotonic() - begun - _TICK_S)
            self.metrics.loop_lag.observe(self.loop_lag)
            if tick % _TICKS_PER_LOOK == 0:
                self.hub.expel_stalled()

    async def readable(self) -> bool:
        """Whether the lake can be listed."""
        try:
            await to_thread.run_sync(partial(self.lake.partitions, "silver.book_snapshot_1s"))
        except Exception:  # whatever it is, the answer is no; the scan that follows says why in the log
            return False
        return True
