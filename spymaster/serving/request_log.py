"""The request log: one JSON line for each answer and each stream that has ended. Written by a thread of its own.

A line names the route, never the address asked for: no query, no symbol, no date, no header, so neither a token nor a
ticket can get into it. The file is cut off at a size and a few earlier ones are kept. Where the disk cannot keep up, or
takes no more, lines are dropped and counted; no answer waits for one, and neither does the end of the server.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from queue import Empty, Full, Queue
from typing import IO, Any

from spymaster.errors import SpymasterError
from spymaster.serving.security import App, Message, Receive, Scope, Send
from spymaster.settings import ServingSettings

KEPT_FILES = 4
"""Files besides the current one: `requests.jsonl.1` is the last that was full."""
_WAITING = 4096
"""Lines that may wait for the disk."""
_CLOSE_S = 5.0
"""Time that the disk has for what waits when the log is closed."""

Write = Callable[[dict[str, Any]], None]


class RequestLogError(SpymasterError):
    """A request log that cannot be written."""


class RequestLog:
    """Writes lines to the file of the settings, `KEPT_FILES` + 1 files of at most `request_log_bytes` each.

    Without a file it takes lines and does nothing. `dropped` is called for every line that found no room or could not
    be written, from any thread. Raises `RequestLogError` if the file cannot be opened.
    """

    def __init__(self, settings: ServingSettings, dropped: Callable[[], None]) -> None:
        self._logger: logging.Logger | None = None
        self._listener: _Writer | None = None
        if settings.request_log is None:
            return
        path = settings.request_log.expanduser()
        try:
            file = _Files(path, settings.request_log_bytes, dropped)
        except OSError as error:
            raise RequestLogError(
                f"the request log {path} cannot be written: {error.strerror}",
                hint="Choose another file with serving.request_log, or leave it unset.",
            ) from error
        waiting: Queue[Any] = Queue(_WAITING)
        # A logger that nobody can find by name: what other code logs never gets in here, and this never out.
        self._logger = logging.Logger("requests")
        self._logger.addHandler(_Waiting(waiting, dropped))
        self._listener = _Writer(waiting, file, dropped)
        self._listener.start()

    def write(self, line: dict[str, Any]) -> None:
        """Hand a line to the thread that writes."""
        if self._logger is not None:
            self._logger.info(json.dumps(line, separators=(",", ":")))

    def close(self) -> None:
        """Write what waits, as far as the disk takes it within seconds, and close the file. Raises nothing."""
        if self._listener is not None:
            listener, self._listener, self._logger = self._listener, None, None
            listener.stop()


class RequestLogMiddleware:
    """Gives each request an id, told in `X-Request-Id`, and writes its line when it is over."""

    def __init__(self, app: App, write: Write) -> None:
        self._app = app
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope, receive, send)
        try:
            await self._app(scope, seen.receive, seen.send)
        except BaseException:
            seen.failed()
            raise
        finally:
            self._write(seen.line())


class _Seen:
    """What passes between a client and the application, counted."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._begun = time.perf_counter()
        self._code: int | None = None
        self._sent = self._bytes = self._received = 0
        scope["request_id"] = secrets.token_hex(8)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self._received += 1
        elif message["type"] == "websocket.disconnect" and self._code is None:
            self._code = message.get("code", 1005)
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.send":
            content = message.get("bytes")
            self._bytes += len(content if content is not None else message["text"])
            self._sent += 1
        elif kind == "http.response.body":
            self._bytes += len(message.get("body", b""))
        elif kind in ("http.response.start", "websocket.http.response.start"):
            self._code = message["status"]
            message["headers"] = [*message["headers"], (b"x-request-id", self._scope["request_id"].encode())]
        elif kind == "websocket.close":
            self._code = message.get("code", 1000)
        await self._send(message)

    def failed(self) -> None:
        """An error came through: what the client has not been told yet it is told outside, as 500."""
        if self._code is None:
            self._code = 500 if self._scope["type"] == "http" else 1011

    def line(self) -> dict[str, Any]:
        """The line: for a stream `code` is that of its close, or the status with which it was refused."""
        stream = self._scope["type"] == "websocket"
        refused = self._scope.get("refused")
        route = "refused" if refused else getattr(self._scope.get("route"), "path", "page")
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": self._scope["request_id"],
            "kind": "stream" if stream else "http",
            "method": "GET" if stream else self._scope["method"],
            "route": route,
            "code": self._code,
            "ms": round(1e3 * (time.perf_counter() - self._begun), 2),
            "bytes": self._bytes,
            **({"sent": self._sent, "received": self._received} if stream else {}),
            **({"reason": refused} if refused else {}),
        }


class _Files(RotatingFileHandler):
    """The files, readable by their owner only."""

    def __init__(self, path: Path, size: int, dropped: Callable[[], None]) -> None:
        self._dropped = dropped
        path.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(path, maxBytes=size, backupCount=KEPT_FILES, encoding="utf-8")

    def _open(self) -> IO[Any]:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name of the library
        """A line that could not be written is dropped, and so is the stream: the next line tries a new one."""
        del record
        self._dropped()
        stream, self.stream = self.stream, None  # type: ignore[assignment]
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.close()

    def close(self) -> None:
        with suppress(OSError, ValueError):
            super().close()


class _Writer(QueueListener):
    """The thread that writes. It ends in time, whatever the disk does."""

    _sentinel = None

    def __init__(self, waiting: Queue[Any], file: _Files, dropped: Callable[[], None]) -> None:
        super().__init__(waiting, file)
        self._waiting, self._file, self._dropped = waiting, file, dropped

    def stop(self) -> None:
        """Write what waits and close the file; after `_CLOSE_S` what is left is dropped, and the thread with it."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        until = time.monotonic() + _CLOSE_S
        try:
            self._waiting.put(self._sentinel, timeout=_CLOSE_S)
            thread.join(max(0.0, until - time.monotonic()))
        except Full:
            pass
        if not thread.is_alive():
            self._file.close()
            return
        # The thread holds the file, and is a daemon: it ends with the process, or here if the disk comes back.
        while True:
            try:
                record = self._waiting.get_nowait()
            except Empty:
                break
            if record is not self._sentinel:
                self._dropped()
        with suppress(Full):
            self._waiting.put_nowait(self._sentinel)


class _Waiting(QueueHandler):
    """Puts lines into a queue with a bound."""

    def __init__(self, queue: Queue[Any], dropped: Callable[[], None]) -> None:
        super().__init__(queue)
        self._dropped = dropped

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except Full:
            self._dropped()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
