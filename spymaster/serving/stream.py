"""One WebSocket client: its requests, its replay, and the rules of the conversation (`spymaster.arrow.v1`)."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from anyio import to_thread
from pydantic import ValidationError

from spymaster import __version__
from spymaster.serving import control
from spymaster.serving.catalog import SessionKey
from spymaster.serving.clock import ReplayClock
from spymaster.serving.codec import MAX_BUNDLE, PROTOCOL
from spymaster.serving.control import CLIENT, ErrorCode
from spymaster.serving.errors import BrokenSessionError, BusyError, ServingError, UnknownSessionError
from spymaster.serving.hub import ClientPort, Hub
from spymaster.serving.known import Event
from spymaster.serving.producers import ReplayProducer, monotonic
from spymaster.serving.session import CHUNK_S, Session, WindowBatch, wire_names
from spymaster.serving.store import SessionStore
from spymaster.serving.surfaces import BY_NAME

CONTROL_BYTES = 8192
_LOG = logging.getLogger(__name__)
_NAMES: dict[type[ServingError], ErrorCode] = {
    UnknownSessionError: "unknown_session",
    BrokenSessionError: "unknown_session",
    BusyError: "busy",
}


class RefusedError(Exception):
    """A request that is not carried out; `fatal` ones end the conversation with `close`."""

    def __init__(self, code: ErrorCode, message: str, *, close: int | None = None) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.close = close


class ReplayStream:
    """What one client follows, and its answers to what the client asks."""

    def __init__(self, port: ClientPort, hub: Hub, store: SessionStore, bundle_version: str | None) -> None:
        self._port = port
        self._hub = hub
        self._store = store
        self._bundle = bundle_version
        self._producer: ReplayProducer | None = None
        self._surfaces: tuple[str, ...] = ()
        self._events: Sequence[Event] = ()
        self._task: asyncio.Task[None] | None = None
        self.failed: asyncio.Event = asyncio.Event()

    def greet(self) -> None:
        """Send `hello`."""
        limits = self._hub.settings
        self._port.control(
            control.Hello(
                server_version=__version__,
                bundle_version=self._bundle,
                protocol=PROTOCOL,
                limits=control.Limits(
                    max_speed=limits.max_speed,
                    bundle_max=MAX_BUNDLE,
                    bootstrap_max=control.MAX_BOOTSTRAP,
                    credit_messages=limits.credit_messages,
                    credit_bytes=limits.credit_bytes,
                    control_bytes=CONTROL_BYTES,
                ),
                auth_expires=None,
            ).text()
        )

    async def handle(self, text: str) -> int | None:
        """Carry out one message; returns the close code if the conversation is over."""
        try:
            message = parse(text)
            await self._carry_out(message)
        except RefusedError as refusal:
            self._error(_id_of(text), refusal.code, str(refusal), fatal=refusal.close is not None)
            return refusal.close
        return None

    def close(self) -> None:
        """Stop the replay and release what it holds, without waiting for anything."""
        if self._task is not None:
            self._task.cancel()
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    async def _carry_out(self, message: Any) -> None:
        match message:
            case control.Ack():
                self._port.ack(message.epoch, message.seq)
            case control.Subscribe():
                await self._subscribe(message)
            case control.Seek():
                await self._seek(message)
            case _:
                self._set_clock(message)

    async def _subscribe(self, message: control.Subscribe) -> None:
        if message.from_ == "live":
            raise RefusedError("not_seekable", "there is no live data: a replay has a start and seconds")
        await self._stop()
        self.close()
        try:
            surfaces = wire_names(message.surfaces)
            key = SessionKey.parse(message.symbol, message.dt)
            session = await to_thread.run_sync(partial(self._store.session, key))
            events = await to_thread.run_sync(partial(self._store.events, session))
        except ServingError as error:
            raise RefusedError(_code(error, "bad_message"), Exception.__str__(error)) from None
        first = 0 if message.from_ == "start" else message.from_
        _require_second(session, first)
        clock = ReplayClock(monotonic, sec=first)
        if not clock.set_speed(message.speed, self._hub.settings.max_speed):
            raise RefusedError("limit", f"speed must be 0.25 to {self._hub.settings.max_speed:g}, or max")
        self._surfaces, self._events = surfaces, events
        self._producer = ReplayProducer(session, self._store, clock, surfaces, self._loading)
        self._hub.follow(self._port, key)
        self._start(message.id, first, message.bootstrap, play=message.play)

    async def _seek(self, message: control.Seek) -> None:
        producer = self._require_producer()
        _require_second(producer.session, message.sec)
        await self._stop()
        playing = producer.clock.state in ("playing", "throttled")
        producer.clock.seek(message.sec)
        self._start(message.id, message.sec, message.bootstrap, play=playing)

    def _set_clock(self, message: Any) -> None:
        producer = self._require_producer()
        clock = producer.clock
        match message:
            case control.Play():
                if clock.state == "ended":
                    raise RefusedError("bad_message", "the session has ended: seek first")
                clock.play()
            case control.Pause():
                clock.pause()
            case control.Step():
                if clock.state != "paused":
                    raise RefusedError("bad_message", "step only while paused")
                producer.step(message.n)
            case control.Speed():
                if not clock.set_speed(message.value, self._hub.settings.max_speed):
                    raise RefusedError("limit", f"speed must be 0.25 to {self._hub.settings.max_speed:g}, or max")
        producer.changed()
        self._tell_state(message.id)

    def _start(self, request: int, first: int, bootstrap: int, *, play: bool) -> None:
        """A new epoch, and a task that sends it."""
        producer = self._require_producer()
        epoch = self._port.new_epoch()
        self._task = asyncio.create_task(self._run(producer, request, epoch, first, bootstrap, play=play))
        self._task.add_done_callback(self._ended)

    async def _run(
        self, producer: ReplayProducer, request: int, epoch: int, first: int, bootstrap: int, *, play: bool
    ) -> None:
        session = producer.session
        try:
            await producer.chunk(max(0, first - bootstrap) // CHUNK_S)
            self._tell_subscribed(session, request, epoch)
            self._port.schema(self._surfaces, session.geometry)
            async for batch in producer.history(max(0, first - bootstrap), first):
                await self._send(batch, session, history=True)
            await producer.chunk(first // CHUNK_S)
        except ServingError as error:
            # Nothing is followed now: until the client subscribes again, its other messages are refused.
            self._error(request, _code(error, "internal"), Exception.__str__(error), fatal=False)
            producer.close()
            self._producer = None
            return
        if play:
            producer.clock.play()
        self._tell_state(request)
        await self._port.wait_room()
        while producer.clock.sec < session.seconds:
            try:
                await self._play(producer)
            except ServingError as error:
                # The second stays where it is, and playing on tries the load again.
                producer.clock.pause()
                self._error(None, _code(error, "internal"), Exception.__str__(error), fatal=False)
                self._tell_state(None)
                await producer.wanted()
        producer.clock.end()
        self._port.control(control.Eos(sec=session.seconds - 1).text())
        self._tell_state(None)

    async def _play(self, producer: ReplayProducer) -> None:
        """Send every second that is left as it becomes due."""
        async for batch in producer.windows(producer.clock.sec - 1):
            self._tell_events(batch)
            due = producer.clock.due(batch.sec)
            await self._send(batch, producer.session, due=due if abs(due) != float("inf") else None)
            await self._wait_for_reader(producer)

    async def _wait_for_reader(self, producer: ReplayProducer) -> None:
        """Lossless: when the client is behind, the clock stands still until it has caught up."""
        if self._port.has_room():
            await asyncio.sleep(0)
            return
        throttled = producer.clock.state == "playing" and producer.clock.speed != "max"
        if throttled:
            producer.clock.throttle()
            self._tell_state(None)
        await self._port.wait_room()
        if throttled and producer.clock.state == "throttled":
            producer.clock.release()
            self._tell_state(None)

    async def _send(
        self, batch: WindowBatch, session: Session, *, history: bool = False, due: float | None = None
    ) -> None:
        if history:
            await self._port.wait_room()
        scope = session.key, session.info.surface_version, self._surfaces
        body = self._hub.encoded.body(batch, *scope)
        last = batch.sec + batch.count == session.seconds
        self._port.frame(body, batch, history=history, last=last, due=due)

    def _tell_events(self, batch: WindowBatch) -> None:
        """What becomes known in the seconds of a batch, before the batch itself."""
        first, stop = (bisect_left(self._events, sec, key=lambda event: event.sec)
                       for sec in (batch.sec, batch.sec + batch.count))  # fmt: skip
        for event in self._events[first:stop]:
            self._port.event(control.EventMessage(sec=event.sec, kind=event.kind, payload=event.payload).text())

    async def _loading(self, percent: int) -> None:
        self._port.control(control.Loading(pct=percent).text())

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task that failed takes its client with it: the socket closes with 1011, and the error is logged."""
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("a stream failed", exc_info=task.exception())
            self.failed.set()

    def _require_producer(self) -> ReplayProducer:
        if self._producer is None:
            raise RefusedError("bad_message", "subscribe first")
        return self._producer

    def _tell_subscribed(self, session: Session, request: int, epoch: int) -> None:
        broken = self._store.broken(session)
        surfaces = [
            control.SubscribedSurface(
                name=name,
                id=BY_NAME[name].id,
                status="broken" if name in broken else session.statuses[name].status,
                reason=broken.get(name, session.statuses[name].reason),
            )
            for name in self._surfaces
        ]
        self._port.control(
            control.Subscribed(
                id=request,
                epoch=epoch,
                mode="replay",
                data_version=session.info.data_version,
                sec_first=0,
                sec_last=session.seconds - 1,
                surfaces=surfaces,
            ).text()
        )

    def _tell_state(self, request: int | None) -> None:
        clock = self._require_producer().clock
        self._port.control(
            control.State(
                id=request,
                epoch=self._port.epoch,
                clock=clock.state,
                sec=clock.sec,
                speed=clock.speed,
                base_sec=clock.base_sec,
                base_mono_ns=str(int(clock.base_mono * 1e9)),
            ).text()
        )

    def _error(self, request: int | None, code: ErrorCode, message: str, *, fatal: bool) -> None:
        self._port.control(control.ErrorMessage(id=request, code=code, message=message, fatal=fatal).text())


class Bucket:
    """A token bucket: `rate` per second, at most `burst` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = burst, time.monotonic()

    def take(self) -> bool:
        """Take one token; False if there is none."""
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def parse(text: str) -> Any:
    """A client's message. Raises `RefusedError`: `limit` for one that is too long, `bad_message` otherwise."""
    if len(text.encode()) > CONTROL_BYTES:
        raise RefusedError("limit", f"a control message is at most {CONTROL_BYTES} bytes", close=1009)
    try:
        return CLIENT.validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise RefusedError("bad_message", f"{where}: {fault['msg']}" if where else fault["msg"]) from None


def _code(error: ServingError, default: ErrorCode) -> ErrorCode:
    return _NAMES.get(type(error), default)


def _id_of(text: str) -> int | None:
    """The id of a message that may be anything."""
    with suppress(ValueError, AttributeError, RecursionError):
        found = json.loads(text[:CONTROL_BYTES]).get("id")
        if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**53:
            return found
    return None


def _require_second(session: Session, sec: int) -> None:
    if not 0 <= sec < session.seconds:
        raise RefusedError("not_seekable", f"second {sec} is not within 0..{session.seconds - 1}")
