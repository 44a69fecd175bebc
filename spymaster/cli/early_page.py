"""The page of a demo, started while the rest of its tables is still being made.

What a trader looks at first are the surfaces. They are there long before the research and the search for automation,
and the sidecar takes in what comes later.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from spymaster.cli.supervisor import Running, Service, start
from spymaster.tables import all_tables

STOP_SECONDS = 10


@dataclass
class EarlyPage:
    """Starts the sidecar once every Silver table of a date is there, and tells when it answers.

    `watch` takes the runner's events. What runs at the end is `running`, and belongs to whoever takes it.
    """

    service: Service
    home: Path
    environment: Mapping[str, str]
    dt: date
    on_ready: Callable[[], object]
    running: Running | None = None
    _awaited: set[str] = field(
        default_factory=lambda: {model.full_name for model in all_tables().values() if model.layer == "silver"}
    )

    def __post_init__(self) -> None:
        self._good = {(self.dt.isoformat(), status) for status in ("made", "reused")}

    def watch(self, event: dict[str, Any]) -> None:
        """Take an event of the runner."""
        if event.get("event") == "partition" and (event["date"], event["status"]) in self._good:
            self._awaited.discard(event["table"])
        if self._awaited:
            return
        if self.running is None:
            self.running = start(self.service, self.home, self.environment)
        if not self.running.ready and self.running.has_answered():
            self.on_ready()


@contextmanager
def early_page(
    service: Service, home: Path, environment: Mapping[str, str], dt: date, on_ready: Callable[[], object]
) -> Iterator[EarlyPage]:
    """An `EarlyPage`; what it has started is stopped if the body fails."""
    page = EarlyPage(service, home, environment, dt, on_ready)
    try:
        yield page
    except BaseException:
        if page.running is not None:
            _stop(page.running)
        raise


def _stop(running: Running) -> None:
    with suppress(ProcessLookupError):
        os.killpg(running.process.pid, signal.SIGTERM)
    try:
        running.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()
