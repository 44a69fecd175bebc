"""What the first visitor would wait for, done in the background as soon as the port is open.

The newest market session is opened and described, its first hour loaded, and the list of sessions read: that also
imports and compiles everything that a first request needs.
"""

from __future__ import annotations

import logging
from threading import Thread

from spymaster.serving.errors import ServingError
from spymaster.serving.routers.sessions import session_entry, session_manifest
from spymaster.serving.services import Services

_LOG = logging.getLogger(__name__)


def warm_up(services: Services) -> None:
    """Do it now. Stops early when the application ends; what goes wrong is told again to whoever asks for it."""
    newest_first = services.catalog.sessions()[::-1]
    if newest_first:
        try:
            session = services.store.session(newest_first[0].key)
            session_manifest(session, services).model_dump_json()
            services.store.chunk(session, 0)
        except ServingError as error:
            _LOG.info("the newest session cannot be prepared: %s", error)
    for info in newest_first:
        if services.stopping.is_set():
            return
        session_entry(info)


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
