"""Clients of the sidecar's stream that check every frame and measure how late it comes. Run by `benchmarks.ws_load`.

A client acknowledges every 10 windows or 250 ms. Lag of a window is its receipt minus the time at which the replay's
clock makes it due; client and server share one monotonic clock, since they share one machine.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from spymaster.serving import codec
from spymaster.serving.codec import Kind

ACK_WINDOWS = 10
ACK_S = 0.25
NO_DATA = "no message for 60 s"


@dataclass(frozen=True)
class Plan:
    """What a group of clients does."""

    url: str
    token: str
    symbol: str
    dt: str
    surfaces: tuple[str, ...]
    clients: int
    speed: float
    seconds: float
    starts: tuple[int, ...]
    """First second of each client, taken in turn."""
    stalled: int = 0
    """How many more there are that read nothing."""


@dataclass
class Seen:
    """What one client has seen."""

    windows: int = 0
    bytes: int = 0
    holes: int = 0
    """Breaks of epoch, sequence or seconds: any is a fault."""
    throttled: int = 0
    ended: str = ""
    """Why it ended before its time; empty if it did not."""
    lags_ms: list[float] = field(default_factory=list)


class Client:
    """One client."""

    def __init__(self, plan: Plan, start: int) -> None:
        self._plan, self._start = plan, start
        self.seen = Seen()
        self._sec, self._seq, self._epoch = start - 1, -1, 1
        self._base: tuple[float, Any, Any] | None = None
        self._unacked, self._acked_at = 0, 0.0

    async def play(self, until: float) -> None:
        """Play until a moment of the monotonic clock."""
        try:
            async with open_stream(self._plan) as socket:
                await subscribe(socket, self._plan, self._start)
                while (left := until - time.monotonic()) > 0:
                    try:
                        message = await asyncio.wait_for(socket.recv(), min(left, 60))
                    except TimeoutError:
                        self.seen.ended = NO_DATA if left > 60 else ""
                        return
                    await self._take(socket, message)
        except ConnectionClosed as closed:
            self.seen.ended = f"closed {closed.rcvd.code if closed.rcvd else 'without a word'}"

    async def _take(self, socket: ClientConnection, message: str | bytes) -> None:
        now = time.monotonic()
        if isinstance(message, str):
            told = json.loads(message)
            self._told(told)
            if told["type"] == "eos":  # once more from the start
                self._sec, self._seq, self._epoch, self._base = -1, -1, self._epoch + 1, None
                await subscribe(socket, self._plan, 0)
            return
        frame = codec.parse(message)
        self.seen.bytes += len(message)
        self.seen.holes += (frame.epoch != self._epoch) + (frame.seq != self._seq + 1)
        self._seq = frame.seq
        if frame.kind is Kind.SCHEMA:
            return
        self.seen.holes += frame.sec != self._sec + 1
        self._sec = frame.sec + frame.count - 1
        self.seen.windows += frame.count
        if self._base is not None:
            mono, sec, speed = self._base
            for second in range(frame.sec, frame.sec + frame.count):
                self.seen.lags_ms.append((now - mono - (second - sec) / speed) * 1e3)
        self._unacked += frame.count
        if self._unacked >= ACK_WINDOWS or now - self._acked_at >= ACK_S:
            self._unacked, self._acked_at = 0, now
            await socket.send(json.dumps({"type": "ack", "epoch": frame.epoch, "seq": frame.seq}))

    def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == "state":
            base = int(message["base_mono_ns"]) / 1e9, message["base_sec"], message["speed"]
            self._base = base if message["clock"] == "playing" and message["speed"] != "max" else None
            self.seen.throttled += message["clock"] == "throttled"
        elif message["type"] == "gap":
            self.seen.holes += 1
        elif message["type"] == "error":
            self.seen.ended = message["code"]


def open_stream(plan: Plan, **options: Any) -> connect:
    """A connection to the stream."""
    return connect(
        f"{plan.url.replace('http', 'ws', 1)}/v1/stream",
        subprotocols=[codec.PROTOCOL],  # type: ignore[list-item]
        additional_headers={"Authorization": f"Bearer {plan.token}"},
        max_size=None,
        compression=None,
        proxy=None,
        open_timeout=60,
        **options,
    )


async def subscribe(socket: ClientConnection, plan: Plan, start: int, **changes: Any) -> None:
    """Ask for a replay from a second on."""
    ask = {"type": "subscribe", "id": 1, "symbol": plan.symbol, "dt": plan.dt, "surfaces": list(plan.surfaces),
           "from": start, "bootstrap": 0, "speed": plan.speed, "play": True}  # fmt: skip
    await socket.send(json.dumps(ask | changes))


async def stall(plan: Plan, until: float) -> None:
    """Subscribe at full speed and read nothing."""
    try:
        async with open_stream(plan, max_queue=1) as socket:
            await subscribe(socket, plan, 0, speed="max")
            await asyncio.sleep(max(0.0, until - time.monotonic()))
    except ConnectionClosed:
        return


def run_clients(plan: Plan, pipe: Connection) -> None:
    """All clients of a plan in this process; sends what they have seen through the pipe."""

    async def play() -> list[Seen]:
        clients = [Client(plan, plan.starts[number % len(plan.starts)]) for number in range(plan.clients)]
        until = time.monotonic() + plan.seconds
        # Spread over a second: a browser's clients do not arrive in one instant, and neither do their windows.
        async with asyncio.TaskGroup() as group:
            for number in range(plan.stalled):
                group.create_task(stall(plan, until), name=f"stalled {number}")
            for client in clients:
                group.create_task(client.play(until))
                await asyncio.sleep(1.0 / len(clients))
        return [client.seen for client in clients]

    pipe.send([asdict(seen) for seen in asyncio.run(play())])
    pipe.close()
