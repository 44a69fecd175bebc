"""What many questions share, kept in memory: seconds of a date, panels, and paths of the mid.

Everything is kept under what it was made from: names and content hashes of partitions. Once one of these is replaced it
is made anew at the next question, so an answer never mixes what is stored now with what was stored before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from typing import Final, Generic, TypeVar

import numpy as np
import polars as pl

from spymaster.lake.lake import Lake
from spymaster.lake.partition import Partition
from spymaster.market.instruments import Instrument, instrument
from spymaster.research.panels import Panel, load_library, panel_of
from spymaster.research.retrieval import Library, Rules, usual_distances
from spymaster.setups.contracts import tick_size
from spymaster.setups.session_vectors import session_builder
from spymaster.setups.vector_scaler import Scaler, scaler_of
from spymaster.setups.vectors import Builder

SECOND_NS: Final = 1_000_000_000
DAYS, PANELS, PATHS = 2, 6, 64
"""Dates, panels, and dates whose paths and touches are kept. A date of ES is some 100 MB, a panel 46 MB per 20,000
setups (36 MB of vectors, 9 of their coarse copy)."""
USUAL: Final = 8
"""Usual distances that a panel keeps: one for each k that is asked for."""
CONDITIONS: Final = "silver.move_conditions_1s"
MEASURES: Final = "silver.move_measure_1s"
DEFINITIONS: Final = "bronze.future_definition"
EPISODES: Final = "gold.setup_episode"
_OF_A_DAY: Final = (
    MEASURES, "silver.trade", "silver.book_snapshot_1s", "silver.candle_2m", "gold.move_condition_scale", DEFINITIONS,
)  # fmt: skip

T = TypeVar("T")
NEEDED: Final = (*_OF_A_DAY, "silver.wall_surface_1s", "gold.retrieval_index", "gold.vector_scaler")
"""Tables of the date that a question needs."""

Versions = tuple[tuple[str, str], ...]
"""Names and content hashes of partitions."""


@dataclass(frozen=True)
class Day:
    """A date that is asked about."""

    builder: Builder
    wall: Partition
    own: Instrument
    provenance: str


@dataclass
class Known:
    """A panel in memory. `scaler` and `library` are None where the date has none."""

    rows: pl.DataFrame
    scaler: Scaler | None
    library: Library | None
    _usual: OrderedDict[tuple[int, ...], np.ndarray] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def usual(self, rules: Rules) -> np.ndarray:
        """`usual_distances` of the library, measured once for each of the k that were asked for last."""
        key = (rules.k, rules.per_session, rules.embargo_sessions, rules.settings.raw_factor)
        with self._lock:
            if key not in self._usual and self.library is not None:
                self._usual[key] = usual_distances(self.library, rules)
                while len(self._usual) > USUAL:
                    self._usual.popitem(last=False)
            if key in self._usual:
                self._usual.move_to_end(key)
            return self._usual.get(key, np.empty(0))


@dataclass(frozen=True)
class Path:
    """The mid of a date, second by second: end (seconds since the epoch) and ticks (NaN where there is none)."""

    end: np.ndarray
    ticks: np.ndarray


class Kept:
    """What is kept of one lake. Threads may share it: of those that want the same, one makes it and the others wait."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._days: _Shelf[Day] = _Shelf(DAYS)
        self._panels: _Shelf[Known] = _Shelf(PANELS)
        self._paths: _Shelf[Path] = _Shelf(PATHS)
        self._conditions: _Shelf[pl.DataFrame] = _Shelf(DAYS)
        self._touches: _Shelf[pl.DataFrame] = _Shelf(PATHS)
        self._dates: _Shelf[list[date]] = _Shelf(PATHS)
        self._shelves = (self._days, self._panels, self._paths, self._conditions, self._touches, self._dates)
        self._hashes = _Hashes()

    @property
    def nbytes(self) -> int:
        """Memory of arrays and frames that are kept, as it was when each was made."""
        return sum(shelf.nbytes for shelf in self._shelves)

    def day(self, symbol: str, dt: date) -> Day:
        """Raises `MissingPartitionError` for a table that is not there."""
        parts = [self.lake.partition(table, symbol, dt) for table in _OF_A_DAY]
        wall = self.lake.partition("silver.wall_surface_1s", symbol, dt)

        def made() -> Day:
            builder = session_builder(*parts, settings=self.lake.settings)
            return Day(builder, wall, instrument(symbol, self.lake.settings), parts[0].manifest.provenance)

        return self._days.get((symbol, dt), self._hashes.of(*parts, wall), made)

    def panel(self, symbol: str, dt: date, panel: Panel) -> Known:
        """Raises `MissingPartitionError` for a table that is not there, `QueryError` for a panel that does not fit."""
        index, scales = (
            self.lake.partition(name, symbol, dt) for name in ("gold.retrieval_index", "gold.vector_scaler")
        )
        days = self._history(symbol, index, panel)
        versions = self._hashes.of(index, scales, *days.values())

        def made() -> Known:
            rows, scaler = panel_of(index.read(), panel), scaler_of(scales.read(), panel.family)
            if scaler is None:
                return Known(rows, None, None)
            library = load_library(rows, days, scaler)
            _ = library.coarse, library.sessions  # made once, while others wait, and counted as memory
            return Known(rows, scaler, library)

        return self._panels.get((symbol, dt, panel), versions, made)

    def path(self, symbol: str, dt: date) -> Path | None:
        """None where the lake does not hold the seconds of that date."""
        if not (self.lake.has(MEASURES, symbol, dt) and self.lake.has(DEFINITIONS, symbol, dt)):
            return None
        measures, definitions = (self.lake.partition(name, symbol, dt) for name in (MEASURES, DEFINITIONS))

        def made() -> Path:
            seconds = measures.read(["window_end", "mid2_int"])
            mid2 = seconds["mid2_int"].cast(pl.Float64).fill_null(np.nan).to_numpy()
            end = seconds["window_end"].to_physical().to_numpy() // SECOND_NS
            return Path(end, mid2 / (2.0 * tick_size(measures, definitions)))

        return self._paths.get((symbol, dt), self._hashes.of(measures, definitions), made)

    def touches(self, symbol: str, dt: date) -> pl.DataFrame:
        """episode_id and touch_index of the setups of a date; no rows where the lake does not hold them."""
        columns = {"episode_id": pl.String, "touch_index": pl.Int32}
        if not self.lake.has(EPISODES, symbol, dt):
            return pl.DataFrame(schema=columns)
        part = self.lake.partition(EPISODES, symbol, dt)
        return self._touches.get((symbol, dt), self._hashes.of(part), lambda: part.read(list(columns)))

    def conditions(self, symbol: str, dt: date, at: int) -> pl.DataFrame | None:
        """The row of `silver.move_conditions_1s` whose window ends at a time (ns UTC); None without one."""
        if not self.lake.has(CONDITIONS, symbol, dt):
            return None
        part = self.lake.partition(CONDITIONS, symbol, dt)
        rows = self._conditions.get((symbol, dt), self._hashes.of(part), part.read)
        place = int(rows["window_end"].to_physical().search_sorted(at))
        found = rows[place : place + 1]
        return found if found["window_end"].to_physical().to_list() == [at] else None

    def _history(self, symbol: str, index: Partition, panel: Panel) -> Mapping[date, Partition]:
        """Vectors of the dates that the panel has setups of."""

        def dates() -> list[date]:
            rows = panel_of(index.read(["family", "kind", "horizon_s", "vector_dt"]), panel)
            return sorted(rows["vector_dt"].unique())

        found = self._dates.get((symbol, index.dt, panel), self._hashes.of(index), dates)
        return {day: self.lake.partition("gold.setup_vector", symbol, day) for day in found}


@dataclass
class _Slot(Generic[T]):
    versions: Versions
    lock: Lock = field(default_factory=Lock)
    made: list[T] = field(default_factory=list)
    nbytes: int = 0


class _Shelf(Generic[T]):
    """The last few things that were asked for, each made once for the versions of what it is made from."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._slots: OrderedDict[Hashable, _Slot[T]] = OrderedDict()
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Memory of what is there."""
        with self._lock:
            return sum(slot.nbytes for slot in self._slots.values())

    def get(self, key: Hashable, versions: Versions, make: Callable[[], T]) -> T:
        """What is kept under the key, or `make()`; an error of it is raised, and the next one tries again."""
        with self._lock:
            slot = self._slots.get(key)
            if slot is None or slot.versions != versions:
                slot = self._slots[key] = _Slot(versions)
            self._slots.move_to_end(key)
            while len(self._slots) > self._room:
                self._slots.popitem(last=False)
        with slot.lock:
            if not slot.made:
                slot.made.append(make())
                slot.nbytes = memory(slot.made[0])
            return slot.made[0]


def memory(thing: object) -> int:
    """Bytes of the arrays and frames in an object, at any depth of its attributes."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, pl.DataFrame | pl.Series):
        return int(thing.estimated_size())
    if isinstance(thing, Mapping):
        return sum(memory(one) for one in thing.values())
    if isinstance(thing, list | tuple):
        return sum(memory(one) for one in thing)
    own = type(thing).__module__.startswith("spymaster.")
    return sum(memory(one) for one in getattr(thing, "__dict__", {}).values()) if own else 0


class _Hashes:
    """Content hashes of partitions; a file is opened again only when it is another one than before."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}

    def of(self, *partitions: Partition) -> Versions:
        """Raises `MissingPartitionError` for one that is not there."""
        return tuple((one.label, self._one(one)) for one in partitions)

    def _one(self, partition: Partition) -> str:
        try:
            status = partition.path.stat()
        except OSError:
            return partition.content_hash  # which says what is missing
        state = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._known.get(partition.label)
        if known is None or known[0] != state:
            known = self._known[partition.label] = (state, partition.content_hash)
        return known[1]
