"""The hub: streams, and the ports through which clients read them. Nothing here awaits the send of another client.

A `ClientPort` is one socket's outbox with a bound, an epoch, sequence numbers, and the credit that acknowledgements
give. A `Ring` remembers the last windows of a shared stream; a `SharedChannel` sends what a producer that cannot wait
makes to all who joined, and drops for those who do not read. Replays are private (`stream.ReplayStream`): they wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from spymaster.serving import codec
from spymaster.serving.catalog import SessionKey
from spymaster.serving.codec import Body, Flag, Kind
from spymaster.serving.control import Gap, Heartbeat, SessionChanged
from spymaster.serving.metrics import Metrics
from spymaster.serving.producers import Producer
from spymaster.serving.session import WindowBatch
from spymaster.serving.surfaces import BY_NAME, Geometry
from spymaster.settings import ServingSettings

ENCODED_BYTES = 64 * 1024 * 1024
STALLED = 1013

Send = Callable[[str | bytes], Awaitable[None]]
ItemKind = Literal["control", "event", "schema", "history", "window"]


@dataclass
class _Item:
    """What waits to be sent: a text, or the body of a frame whose header is made when it leaves."""

    kind: ItemKind
    payload: str | Body
    frame: Kind = Kind.SCHEMA
    flags: int = 0
    ts_ns: int = 0
    sec: int = 0
    count: int = 0
    due: float | None = None

    def __len__(self) -> int:
        return len(self.payload)


class ClientPort:
    """One client's side of a stream: an outbox that one writer task empties, and the credit that paces it."""

    def __init__(self, send: Send, settings: ServingSettings, metrics: Metrics) -> None:
        self._send = send
        self._settings = settings
        self._metrics = metrics
        self._outbox: deque[_Item] = deque()
        self._bytes = 0
        self._unacked: deque[tuple[int, int, float]] = deque()
        self._unacked_bytes = 0
        self._room = asyncio.Event()
        self._filled = asyncio.Event()
        self._sending_since: float | None = None
        self._last_progress = time.monotonic()
        self._gap: tuple[int, int] | None = None
        self.epoch = 0
        self._seq = 0
        self.sec: int | None = None
        self.stalled = asyncio.Event()

    @property
    def queued(self) -> int:
        """Messages that wait."""
        return len(self._outbox)

    def control(self, text: str) -> None:
        """Queue a control message; these are few and never dropped."""
        self._put(_Item("control", text))

    def event(self, text: str) -> None:
        """Queue what became known at a second; unlike other messages it is forgotten with its epoch."""
        self._put(_Item("event", text))

    def new_epoch(self) -> int:
        """Forget every frame that waits, and start counting again. Returns the new epoch."""
        self.epoch += 1
        self._seq = 0
        self._outbox = deque(item for item in self._outbox if item.kind == "control")
        self._bytes = sum(len(item) for item in self._outbox)
        self._unacked.clear()
        self._unacked_bytes = 0
        self._gap = None
        self._progressed()
        return self.epoch

    def schema(self, names: Sequence[str], geometry: Geometry) -> None:
        """Queue the SCHEMA frame of the epoch."""
        self._put(_Item("schema", codec.schema_body(names, geometry)))

    def frame(
        self, body: Body, batch: WindowBatch, *, history: bool = False, last: bool = False, due: float | None = None
    ) -> None:
        """Queue the frame of a window batch. The caller has waited for `has_room`, or calls `offer` instead."""
        flags = (Flag.HISTORY if history else 0) | (Flag.LAST if last else 0)
        kind = Kind.WINDOW if batch.count == 1 and not history else Kind.BUNDLE
        name: ItemKind = "history" if history else "window"
        self._put(_Item(name, body, kind, flags, batch.ts_ns, batch.sec, batch.count, due))

    def offer(self, body: Body, batch: WindowBatch, *, last: bool = False) -> None:
        """Queue a window of a stream that does not wait: the oldest windows make room, and a gap is told."""
        while not self._fits(len(body)):
            oldest = next((item for item in self._outbox if item.kind == "window"), None)
            if oldest is None:
                self._drop(batch.sec, batch.count)
                return
            self._outbox.remove(oldest)
            self._bytes -= len(oldest)
            self._drop(oldest.sec, oldest.count)
        self.frame(body, batch, last=last)

    def has_room(self) -> bool:
        """Whether another frame may be queued: outbox and credit are below their bounds."""
        limits = self._settings
        return (
            len(self._outbox) < limits.outbox_messages
            and self._bytes < limits.outbox_bytes
            and self._in_flight() < limits.credit_messages
            and self._unacked_bytes < limits.credit_bytes
        )

    async def wait_room(self) -> None:
        """Wait until `has_room`."""
        while not self.has_room():
            self._room.clear()
            await self._room.wait()

    def ack(self, epoch: int, seq: int) -> None:
        """The client has worked through a frame, and so through all before it."""
        if epoch != self.epoch:
            return
        now = time.monotonic()
        while self._unacked and self._unacked[0][0] <= seq:
            _, size, sent = self._unacked.popleft()
            self._unacked_bytes -= size
            self._metrics.ack_lag.observe(now - sent)
        self._progressed()

    async def write(self) -> None:
        """Send what is queued until cancelled, and a heartbeat when nothing is."""
        while True:
            while self._outbox:
                item = self._outbox.popleft()
                self._bytes -= len(item)
                self._metrics.outbox_depth.observe(len(self._outbox))
                self._sending_since = time.monotonic()
                if item.kind == "window" and self._gap is not None:
                    await self._send(self._gap_notice())
                    item.flags |= Flag.AFTER_GAP
                await self._send(self._packed(item))
                self._sending_since = None
                self._sent(item)
            self._filled.clear()
            try:
                await asyncio.wait_for(self._filled.wait(), self._settings.heartbeat_s)
            except TimeoutError:
                self.control(Heartbeat(now_mono_ns=str(time.monotonic_ns()), sec=self.sec).text())

    def is_stalled(self) -> bool:
        """Whether the client has made no progress for longer than it may: a send hangs, or credit does not come."""
        now, patience = time.monotonic(), self._settings.stall_timeout_s
        if self._sending_since is not None and now - self._sending_since > patience:
            return True
        return not self.has_room() and bool(self._unacked or self._outbox) and now - self._last_progress > patience

    def _in_flight(self) -> int:
        return len(self._unacked) + sum(item.kind not in ("control", "event") for item in self._outbox)

    def _fits(self, size: int) -> bool:
        limits = self._settings
        return len(self._outbox) < limits.outbox_messages and self._bytes + size <= limits.outbox_bytes

    def _put(self, item: _Item) -> None:
        self._outbox.append(item)
        self._bytes += len(item)
        self._filled.set()

    def _sent(self, item: _Item) -> None:
        if item.count:
            self.sec = item.sec + item.count - 1
            self._metrics.windows_sent.inc(item.count)
        if item.due is not None:
            self._metrics.window_lag.observe(max(0.0, time.monotonic() - item.due))
        self._progressed()

    def _progressed(self) -> None:
        self._last_progress = time.monotonic()
        if self.has_room():
            self._room.set()

    def _packed(self, item: _Item) -> str | bytes:
        """The message as it leaves. Frames are numbered now, so that numbers have no holes whatever was dropped."""
        if isinstance(item.payload, str):
            return item.payload
        seq, self._seq = self._seq, self._seq + 1
        self._unacked.append((seq, len(item), time.monotonic()))
        self._unacked_bytes += len(item)
        return codec.pack(
            item.payload,
            item.frame,
            epoch=self.epoch,
            seq=seq,
            ts_ns=item.ts_ns,
            sec=item.sec,
            count=item.count,
            flags=item.flags,
        )

    def _drop(self, sec: int, count: int) -> None:
        first, last = self._gap or (sec, sec + count - 1)
        self._gap = min(first, sec), max(last, sec + count - 1)
        self._metrics.windows_dropped.inc(count)

    def _gap_notice(self) -> str:
        """The seconds dropped since the last notice; what is dropped is older than all that waits."""
        assert self._gap is not None
        (first, last), self._gap = self._gap, None
        return Gap(epoch=self.epoch, from_=first, to=last, reason="slow_reader").text()


class EncodedCache:
    """Bodies of window batches, so that many clients at one place cost one encoding; bounded by bytes."""

    def __init__(self, metrics: Metrics, bound: int = ENCODED_BYTES) -> None:
        self._took = {name: metrics.encode.labels(name).observe for name in BY_NAME}
        self._bound = bound
        self._bodies: OrderedDict[tuple[object, ...], Body] = OrderedDict()
        self.nbytes = 0

    def body(self, batch: WindowBatch, *scope: object) -> Body:
        """The body of a batch. `scope`: session, version, surfaces: all that tells it from another of its seconds."""
        key = (*scope, batch.sec, batch.count)
        known = self._bodies.get(key)
        if known is not None:
            self._bodies.move_to_end(key)
            return known
        made = codec.body(self._segment(name, batch) for name in codec.in_order(batch.batches))
        self._bodies[key] = made
        self.nbytes += len(made)
        while self.nbytes > self._bound and len(self._bodies) > 1:
            self.nbytes -= len(self._bodies.popitem(last=False)[1])
        return made

    def _segment(self, name: str, batch: WindowBatch) -> codec.Segment:
        begun = time.perf_counter()
        segment = batch.segment(name)
        self._took[name](time.perf_counter() - begun)
        return segment


class Ring:
    """The last windows of a stream that does not wait, one second each, with their bodies."""

    def __init__(self, size: int) -> None:
        self._windows: deque[tuple[WindowBatch, Body]] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._windows)

    def push(self, batch: WindowBatch, body: Body) -> None:
        """Remember a window; the oldest goes if there are too many."""
        self._windows.append((batch, body))

    def last(self, count: int) -> list[tuple[WindowBatch, Body]]:
        """The last `count` windows, fewer if there are not as many, oldest first."""
        return list(self._windows)[max(0, len(self._windows) - count) :] if count else []


class SharedChannel:
    """A stream that many clients read: encoded once, and never held up by any of them."""

    def __init__(self, producer: Producer, settings: ServingSettings, metrics: Metrics) -> None:
        self._producer = producer
        self._cache = EncodedCache(metrics)
        self._ports: set[ClientPort] = set()
        self.ring = Ring(settings.ring_windows)

    def join(self, port: ClientPort, bootstrap: int) -> None:
        """Queue the history and join the stream in one step of the event loop: no second is missed or sent twice."""
        for batch, body in self.ring.last(bootstrap):
            port.frame(body, batch, history=True)
        self._ports.add(port)

    def leave(self, port: ClientPort) -> None:
        """Stop sending to a port."""
        self._ports.discard(port)

    async def run(self, after_sec: int = -1) -> None:
        """Pass on what the producer makes, until it ends."""
        async for batch in self._producer.windows(after_sec):
            body = self._cache.body(batch)
            self.ring.push(batch, body)
            for port in self._ports:
                port.offer(body, batch)


class Hub:
    """All streams of the process: how many there are, who follows what, and which of them are stuck."""

    def __init__(self, settings: ServingSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.encoded = EncodedCache(metrics)
        self._clients: dict[ClientPort, SessionKey | None] = {}

    @property
    def clients(self) -> int:
        """Open streams."""
        return len(self._clients)

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return len(self._clients) >= self.settings.max_clients

    def open(self, send: Send) -> ClientPort:
        """A port for a new client."""
        port = ClientPort(send, self.settings, self.metrics)
        self._clients[port] = None
        self.metrics.clients.set(len(self._clients))
        return port

    def close(self, port: ClientPort) -> None:
        """Forget a client."""
        self._clients.pop(port, None)
        self.metrics.clients.set(len(self._clients))

    def follow(self, port: ClientPort, key: SessionKey) -> None:
        """Remember which market session a client plays."""
        self._clients[port] = key

    def changed(self, keys: Iterable[SessionKey], version: Callable[[SessionKey], str | None]) -> None:
        """Tell the clients of market sessions whose data changed on disk."""
        wanted = set(keys)
        for port, key in self._clients.items():
            if key in wanted:
                port.control(SessionChanged(data_version=version(key) or "").text())

    def expel_stalled(self) -> None:
        """Mark clients that make no progress; their sockets close them."""
        for port in self._clients:
            if not port.stalled.is_set() and port.is_stalled():
                self.metrics.stalled.inc()
                port.stalled.set()
