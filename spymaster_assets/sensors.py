"""`raw_arrival`: raw files that nothing has been made of yet become runs, one per symbol and stretch of dates.

What is already processed is read off the lake; the cursor remembers only the files that were asked for and are not
there yet (running, or failed), so it stays small and a broken file is asked for once, until it is replaced.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from spymaster.lake.errors import LakeNotFoundError
from spymaster.lake.lake import Lake
from spymaster.lake.partition import Partition
from spymaster.lake.raw import RawFile, raw_files
from spymaster.settings import Settings
from spymaster_assets.jobs import ALL_TABLES
from spymaster_assets.liveness import bury_dead_runs
from spymaster_assets.partitions import SessionKey, history_dates
from spymaster_assets.resources import SYMBOL_TAG, load_settings

QUIET_SECONDS = 30
"""A file that changed more recently than this may still be being copied."""

CONSUMERS = {
    ("future", "market_by_order_dbn"): "bronze.future_mbo",
    ("future", "definition"): "bronze.future_definition",
    ("future", "statistics"): "bronze.future_statistics",
    ("future_option", "market_by_order_dbn"): "bronze.option_mbo",
    ("future_option", "definition"): "bronze.option_definition",
    ("future_option", "statistics"): "bronze.option_statistics",
}
"""The table that is made from each kind of raw file, by product type and kind."""

MAX_GAP = 5
"""Dates without news between two new files that still make one run."""


@dataclass(frozen=True)
class Arrival:
    """A raw file that its table does not reflect yet. `state` tells one content from another."""

    file: RawFile
    state: str
    quiet: bool

    @property
    def session(self) -> SessionKey:
        """The partition it is for."""
        return SessionKey(self.file.dt, self.file.symbol)


def arrivals(lake: Lake, settings: Settings, now: float) -> Iterator[Arrival]:
    """Raw files whose table has no partition, or one older than the file; weekend files have no partition at all.

    A file is as old as its arrival: one that was copied with the times of its original is newer than a table that was
    made without it.
    """
    for symbol in settings.symbols:
        for (product_type, table), consumer in CONSUMERS.items():
            for file in raw_files(lake, symbol, table, product_type=product_type):
                if file.dt.weekday() >= 5 or file.dt < settings.start_date:
                    continue
                state = file.path.stat()
                changed = max(state.st_mtime, state.st_ctime)
                made = lake.has(consumer, symbol, file.dt) and lake.partition(consumer, symbol, file.dt)
                if not made or (made.path.stat().st_mtime < changed and not _made_from(made, file, state.st_mtime)):
                    yield Arrival(file, f"{state.st_size}-{state.st_mtime_ns}", now - changed >= QUIET_SECONDS)


def _made_from(made: Partition, file: RawFile, mtime: float) -> bool:
    """Whether a table was made from a file as it is: its content was not written since, only its directory entry."""
    return made.path.stat().st_mtime >= mtime and any(record.name == file.name for record in made.manifest.inputs)


def stretches(sessions: Iterable[SessionKey]) -> Iterator[list[SessionKey]]:
    """Sessions of one symbol in date order, cut where more than `MAX_GAP` dates lie between two."""
    ordered = sorted(set(sessions))
    if not ordered:
        return
    stretch = [ordered[0]]
    for before, session in pairwise(ordered):
        if before.dt < history_dates(session.dt, -MAX_GAP - 1, 0)[0]:
            yield stretch
            stretch = []
        stretch.append(session)
    yield stretch


def requests(fresh: Iterable[Arrival]) -> Iterator[dg.RunRequest]:
    """One run per symbol and stretch, earlier dates first."""
    by_symbol: dict[str, list[Arrival]] = {}
    for arrival in fresh:
        by_symbol.setdefault(arrival.file.symbol, []).append(arrival)
    for symbol, found in by_symbol.items():
        states = {(arrival.session, arrival.file.name): arrival.state for arrival in found}
        for stretch in stretches(arrival.session for arrival in found):
            texts = [f"{name} {state}" for (session, name), state in sorted(states.items()) if session in stretch]
            digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
            yield dg.RunRequest(
                run_key=f"{symbol} {stretch[0].dt}..{stretch[-1].dt} {digest}",
                tags={
                    ASSET_PARTITION_RANGE_START_TAG: str(stretch[0]),
                    ASSET_PARTITION_RANGE_END_TAG: str(stretch[-1]),
                    SYMBOL_TAG: symbol,
                },
            )


@dg.sensor(
    name="raw_arrival",
    job=ALL_TABLES,
    minimum_interval_seconds=60,
    required_resource_keys={"lake"},
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Launches all tables for raw files that arrived, or were replaced, since they were last processed.",
)
def raw_arrival(context: dg.SensorEvaluationContext):
    """See the module. Being the one thing that looks in every minute, it also buries runs whose process is gone."""
    bury_dead_runs(context.instance)
    try:
        lake = context.resources.lake.open()
    except LakeNotFoundError as error:
        return dg.SkipReason(str(error))
    asked: Mapping[str, str] = json.loads(context.cursor) if context.cursor else {}
    found = list(arrivals(lake, load_settings(), time.time()))
    settled = [arrival for arrival in found if arrival.quiet]
    fresh = [arrival for arrival in settled if asked.get(arrival.file.name) != arrival.state]
    copying = [arrival for arrival in found if not arrival.quiet]
    remembered = {arrival.file.name: arrival.state for arrival in settled} | {
        arrival.file.name: asked[arrival.file.name] for arrival in copying if arrival.file.name in asked
    }
    cursor = json.dumps(remembered, sort_keys=True)
    if not fresh:
        waiting = f", {len(copying)} still being copied" if copying else ""
        return dg.SensorResult(skip_reason=f"no new raw file{waiting}", cursor=cursor)
    return dg.SensorResult(run_requests=list(requests(fresh)), cursor=cursor)
