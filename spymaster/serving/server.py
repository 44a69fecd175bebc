"""Runs the application under uvicorn, with the options that the protocol counts on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import uvicorn

from spymaster.serving import warm
from spymaster.serving.app import create_app
from spymaster.serving.services import Services
from spymaster.settings import Settings

CONTROL_FRAME_BYTES = 65_536


def run(
    settings: Settings,
    host: str,
    port: int,
    *,
    token: str | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until a signal. `on_ready` is called once the port is open.

    One process and one event loop: the hub is in memory. Raises `LakeNotFoundError`.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_app(settings, token=token)
    _Server(config(app, host, port), app.state.services, on_ready).run()


def config(app: object, host: str, port: int) -> uvicorn.Config:
    """The options: frames of a client are small, nothing is compressed twice, and no query string is logged."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        host=host,
        port=port,
        ws="websockets-sansio",
        ws_max_size=CONTROL_FRAME_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        timeout_graceful_shutdown=5,
        limit_concurrency=512,
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )


def address(host: str, port: int) -> str:
    """The address as a browser takes it; the name of an address for all interfaces is that of this machine."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


class _Server(uvicorn.Server):
    """Says when it listens, and ends its streams before it waits for connections to close."""

    def __init__(self, options: uvicorn.Config, services: Services, on_ready: Callable[[], None]) -> None:
        super().__init__(options)
        self._services = services
        self._on_ready = on_ready

    async def startup(self, sockets: list | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            warm.start(self._services)
            self._on_ready()

    async def shutdown(self, sockets: list | None = None) -> None:
        self._services.stopping.set()
        await asyncio.sleep(0.1)
        await super().shutdown(sockets)
