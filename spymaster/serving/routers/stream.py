"""`GET /v1/stream`: the handshake, the reader, the writer, and how a conversation ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from anyio import ClosedResourceError
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from spymaster.serving.codec import PROTOCOL
from spymaster.serving.hub import STALLED, ClientPort
from spymaster.serving.problems import PROBLEM
from spymaster.serving.services import Services
from spymaster.serving.stream import Bucket, ReplayStream

CONTROL_PER_S, CONTROL_BURST = 20.0, 40.0
ACK_PER_S, ACK_BURST = 200.0, 400.0
_DRAIN_S = 1.0
_CLOSE_S = 3.0
"""Time for the code of a close to leave; what the stream held has been given back before."""
_GONE = (WebSocketDisconnect, ClosedResourceError, OSError)
"""What sending to, or reading from, a client that has left raises."""
_LOG = logging.getLogger(__name__)

router = APIRouter()


@router.websocket("/v1/stream")
async def stream(socket: WebSocket) -> None:
    """One client. Host, origin and token have been checked before this is reached."""
    services: Services = socket.app.state.services
    handshakes = services.metrics.handshakes
    if services.hub.full:
        handshakes.labels("full").inc()
        body = {"type": "about:blank", "status": 503, "code": "too_many", "title": "too many streams"}
        await socket.send_denial_response(
            JSONResponse(body, status_code=503, media_type=PROBLEM, headers={"Retry-After": "5"})
        )
        return
    if PROTOCOL not in socket.scope.get("subprotocols", ()):
        handshakes.labels("subprotocol").inc()
        await socket.accept()
        await socket.close(1002, f"offer the subprotocol {PROTOCOL}")
        return
    handshakes.labels("ok").inc()
    await _converse(socket, services)


async def _converse(socket: WebSocket, services: Services) -> None:
    async def send(payload: str | bytes) -> None:
        await (socket.send_text(payload) if isinstance(payload, str) else socket.send_bytes(payload))

    port = services.hub.open(send)
    replay = ReplayStream(port, services.hub, services.store, services.bundle_version)
    await socket.accept(subprotocol=PROTOCOL)
    replay.greet()
    tasks = {
        "read": asyncio.create_task(_read(socket, replay)),
        "write": asyncio.create_task(port.write()),
        "stalled": asyncio.create_task(port.stalled.wait()),
        "failed": asyncio.create_task(replay.failed.wait()),
        "stopping": asyncio.create_task(services.stopping.wait()),
    }
    try:
        await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        code = _close_code(tasks)
        if tasks["read"].done() and code is not None and code != 1000:
            await _drain(port, tasks["write"])
    finally:
        services.hub.close(port)
        replay.close()
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values())
        for task in tasks.values():
            if not task.cancelled():
                task.exception()  # told by the close code; asked for, so that nothing complains of it
    if code is not None and socket.application_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            await asyncio.wait_for(socket.close(code), _CLOSE_S)


async def _read(socket: WebSocket, replay: ReplayStream) -> int | None:
    """Carry out what the client sends; returns the code to close with, None if it has gone."""
    control, acks = Bucket(CONTROL_PER_S, CONTROL_BURST), Bucket(ACK_PER_S, ACK_BURST)
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if text is None:
            return 1003
        bucket = acks if text.startswith('{"type":"ack"') or '"ack"' in text[:64] else control
        if not bucket.take():
            return 1008
        code = await replay.handle(text)
        if code is not None:
            return code


async def _drain(port: ClientPort, writer: asyncio.Task[None]) -> None:
    """Give the last messages a moment to leave."""
    for _ in range(int(_DRAIN_S / 0.02)):
        if not port.queued or writer.done():
            return
        await asyncio.sleep(0.02)


def _close_code(tasks: dict[str, asyncio.Task]) -> int | None:
    """Why the conversation ends; None if the client is gone."""
    for task in (tasks["read"], tasks["write"]):
        error = task.exception() if task.done() else None
        if isinstance(error, _GONE):
            return None
        if error is not None:
            _LOG.error("a conversation failed", exc_info=error)
            return 1011
    if tasks["read"].done():
        return tasks["read"].result()
    if tasks["stalled"].done():
        return STALLED
    if tasks["stopping"].done():
        return 1001
    if tasks["failed"].done():
        return 1011
    return None
