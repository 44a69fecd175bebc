"""Where the runs of a stage are executed: in this process, or in worker processes that each do one run at a time."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Self

import dagster as dg

from spymaster_assets.progress import Line
from spymaster_assets.worker import Emit, Share, execute

STOP_SECONDS = 15
"""How long an interrupted worker may take to record its run before it is killed."""


class InProcess:
    """One run after the other, here."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, shares: Iterable[Share], tell: Emit) -> None:
        """Execute the runs of a stage and return when all are over."""
        for share in shares:
            execute(share, self._instance, tell)


class Pool:
    """Worker processes that stay for all stages, so that each starts (imports, kernels) only once."""

    def __init__(self, workers: int) -> None:
        self._size = workers
        self._idle: list[_Worker] = []
        self._busy: dict[Connection, _Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in [*self._idle, *self._busy.values()]:
            worker.stop(at_once=error is not None)

    def execute(self, shares: Iterable[Share], tell: Emit) -> None:
        """Execute the runs of a stage, as many at a time as there are workers, and return when all are over."""
        waiting = list(shares)[::-1]
        while waiting or self._busy:
            while waiting and len(self._busy) < self._size:
                worker = self._idle.pop() if self._idle else _Worker()
                worker.start(waiting.pop())
                self._busy[worker.connection] = worker
            for connection in wait(list(self._busy)):
                self._receive(self._busy[connection], tell)  # pyright: ignore[reportArgumentType]

    def _receive(self, worker: _Worker, tell: Emit) -> None:
        try:
            line: Line | None = worker.connection.recv()
        except (EOFError, ConnectionError):
            del self._busy[worker.connection]
            tell({"event": "error", "message": worker.epitaph()})
            return
        if line is None:
            self._idle.append(self._busy.pop(worker.connection))
        else:
            tell(line)


class _Worker:
    """A process, and the pipe over which it gets shares and sends lines; None says that a share is done."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._share: Share | None = None

    def start(self, share: Share) -> None:
        self._share = share
        self.connection.send(share)

    def epitaph(self) -> str:
        """What is to be said of a worker that died."""
        self._process.join(STOP_SECONDS)
        share = self._share
        where = f"{share.symbol} {share.first}..{share.last}" if share else "nothing"
        return f"a worker died (exit code {self._process.exitcode}) while working on {where}; run it again to go on"

    def stop(self, *, at_once: bool) -> None:
        self.connection.close()
        if at_once:
            self._process.terminate()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def spare_what_stays() -> None:
    """Leave what is loaded by now out of garbage collection, and collect from here on.

    Dagster and the definitions are a million objects that live as long as the process: gone through again and again,
    they would cost a tenth of a short run.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def _serve(connection: Connection) -> None:
    """Body of a worker process: execute shares until the pipe is closed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    spare_what_stays()
    with suppress(EOFError, KeyboardInterrupt, BrokenPipeError), dg.DagsterInstance.get() as instance:
        while True:
            share = connection.recv()
            execute(share, instance, connection.send)
            connection.send(None)
