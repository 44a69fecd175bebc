"""What the first visitor would wait for, done in the background as soon as the port is open.

The newest market session is opened and described, the hours loaded that a page asks for when it opens it (first the one
it opens at, then the rest of the coarse picture around it), and the list of sessions read: that also imports and
compiles everything that a first request needs.
"""

from __future__ import annotations

import logging
from threading import Thread

from spymaster.serving.errors import ServingError
from spymaster.serving.routers.sessions import session_entry, session_manifest
from spymaster.serving.services import Services
from spymaster.serving.session import CHUNK_S, Session
from spymaster.serving.surfaces import SURFACES
from spymaster.serving.tiles import TILE_ROWS, tile_stream

_COARSE = 16
"""Seconds in a row of the picture that a page draws until the sharp one is there."""
_LOG = logging.getLogger(__name__)


def warm_up(services: Services) -> None:
    """Do it now. Stops early when the application ends; what goes wrong is told again to whoever asks for it."""
    newest_first = services.catalog.sessions()[::-1]
    if newest_first:
        try:
            session = services.store.session(newest_first[0].key)
            session_manifest(session, services).model_dump_json()
            services.store.events(session)
            for number in first_chunks(session):
                if services.stopping.is_set():
                    return
                services.store.chunk(session, number)
                if number == session.opening_sec // CHUNK_S:
                    _first_tiles(session)
        except ServingError as error:
            _LOG.info("the newest session cannot be prepared: %s", error)
    for info in newest_first:
        if services.stopping.is_set():
            return
        session_entry(info)


def first_chunks(session: Session) -> list[int]:
    """Chunks that a page needs first, in the order in which it does.

    It opens at `opening_sec`; behind the sharp picture comes one tile of 16 seconds a row.
    """
    opening = session.opening_sec // CHUNK_S
    tile = _COARSE * TILE_ROWS
    first = session.opening_sec // tile * tile
    around = range(first // CHUNK_S, -(-min(session.seconds, first + tile) // CHUNK_S))
    return [opening, *sorted(set(around) - {opening}, key=lambda number: abs(number - opening))]


def _first_tiles(session: Session) -> None:
    """Make a row of every surface that has tiles, and throw it away: what does this the first time takes longer."""
    for surface in SURFACES:
        if surface.tiles and surface.default:
            for level in (1, _COARSE):
                for _ in tile_stream(session, surface, session.opening_sec, session.opening_sec + 1, level):
                    pass


def start(services: Services) -> Thread:
    """Do it in a thread that ends with the process."""

    def work() -> None:
        try:
            warm_up(services)
        except Exception:  # nothing depends on it
            _LOG.exception("warming up failed")

    thread = Thread(target=work, name="warm-up", daemon=True)
    thread.start()
    return thread
