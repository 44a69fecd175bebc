"""How one session of some tables is made: resolve the inputs, skip what is fresh, call the library, commit.

A recipe is what an asset declares (tables, inputs, one library call) without anything of Dagster in it; the factory
wraps it into assets. Each table is written frame by frame through the lake's writer, so memory stays bounded, and
committed as soon as it is complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import polars as pl

from spymaster.lake.lake import Lake
from spymaster.lake.partition import Partition
from spymaster.lake.status import partition_status
from spymaster.market.instruments import Instrument, instrument
from spymaster.settings import Settings
from spymaster.tables.model import TableModel
from spymaster_assets.inputs import Declared, Raw, Resolved, SkipSession, TableInput
from spymaster_assets.partitions import SessionKey

Frames = Iterable[pl.DataFrame] | Iterable[Mapping[str, pl.DataFrame]] | pl.DataFrame
"""What a library call returns: a frame or frames of one table, or mappings from short table names to frames."""


@dataclass
class Session:
    """What an asset function is told about its session, and where it leaves what the manifest should say."""

    key: SessionKey
    lake: Lake
    tables: frozenset[str]
    """Short names of the tables to compute: some of the recipe's, where others are fresh or not selected."""
    counters: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    dataset: str | None = None
    empty_reason: str | None = None

    @property
    def dt(self) -> date:
        """UTC date of the session."""
        return self.key.dt

    @property
    def symbol(self) -> str:
        """Root of the instrument."""
        return self.key.symbol

    @property
    def settings(self) -> Settings:
        """Settings of the lake."""
        return self.lake.settings

    @cached_property
    def instrument(self) -> Instrument:
        """What the instrument configuration says about the root."""
        return instrument(self.symbol, self.settings)


@dataclass(frozen=True)
class Made:
    """One table of one session: its partition, whether it was there and fresh already, and seconds of the computation.

    `inputs` are the handles it depends on; `counters` are those of the pass, which its manifest holds too.
    """

    model: type[TableModel]
    partition: Partition
    reused: bool
    seconds: float
    inputs: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Tables made together by one call of `function(session, **inputs)`."""

    name: str
    models: tuple[type[TableModel], ...]
    inputs: Mapping[str, Declared]
    function: Callable[..., Frames]
    lineage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    after: Callable[[Lake], object] | None = None
    """Called once when all sessions of a step are done, e.g. to renew an export of the whole table."""

    @property
    def last_only(self) -> bool:
        """Whether it is made for the last session of a request only."""
        return any(model.last_only for model in self.models)

    def make(
        self,
        lake: Lake,
        session: SessionKey,
        sources: Mapping[str, TableInput],
        *,
        tables: Iterable[str],
        overwrite: Iterable[str] = (),
    ) -> list[Made]:
        """Make `tables` (full names) of one session; those that are complete and fresh are left as they are.

        Raises `SkipSession` where an input is absent, and whatever the library raises.
        """
        resolved = self._resolve(lake, session, sources)
        wanted = set(tables)
        models = [model for model in self.models if model.full_name in wanted]
        redo = self._stale(lake, session, resolved, models) | {m for m in models if m.full_name in set(overwrite)}
        seconds = self._write(lake, session, [model for model in models if model in redo], resolved) if redo else 0.0
        return [
            Made(
                model,
                lake.partition(model, session.symbol, session.dt),
                model not in redo,
                seconds,
                tuple(resolved.inputs),
            )
            for model in models
        ]

    def is_fresh(
        self, lake: Lake, session: SessionKey, sources: Mapping[str, TableInput], tables: Iterable[str]
    ) -> bool:
        """Whether `make` would leave all `tables` of the session as they are."""
        wanted = set(tables)
        try:
            resolved = self._resolve(lake, session, sources)
        except SkipSession:
            return False
        return not self._stale(lake, session, resolved, [m for m in self.models if m.full_name in wanted])

    def _stale(
        self, lake: Lake, session: SessionKey, resolved: Resolved, models: Iterable[type[TableModel]]
    ) -> set[type[TableModel]]:
        return {
            model
            for model in models
            if not partition_status(lake, model, session.symbol, session.dt, resolved.inputs).is_fresh
        }

    def _resolve(self, lake: Lake, session: SessionKey, sources: Mapping[str, TableInput]) -> Resolved:
        resolved = Resolved()
        for name, declared in self.inputs.items():
            if isinstance(declared, Raw):
                declared.resolve(name, lake, session, resolved)
            else:
                declared.resolve(name, sources[name], session, resolved)
        resolved.require_session(lake, session)
        return resolved

    def _write(self, lake: Lake, key: SessionKey, models: list[type[TableModel]], resolved: Resolved) -> float:
        started = time.perf_counter()
        session = Session(
            key,
            lake,
            frozenset(model.name for model in models),
            notes=dict(resolved.notes),
            dataset=resolved.dataset,
        )
        with ExitStack() as stack:
            writers = {model.name: stack.enter_context(lake.writer(model, key.symbol, key.dt)) for model in models}
            produced = self.function(session, **resolved.values)
            for name, frame in self._named(produced):
                if name in writers:  # a function may yield more of its tables than were asked for
                    writers[name].write(frame)
            session.counters |= getattr(produced, "counters", {})
            for writer in writers.values():
                writer.commit(
                    inputs=resolved.inputs,
                    counters=session.counters,
                    notes=session.notes,
                    empty_reason=session.empty_reason,
                    dataset=session.dataset,
                    provenance=resolved.provenance,
                )
        return time.perf_counter() - started

    def _named(self, produced: Frames) -> Iterator[tuple[str, pl.DataFrame]]:
        """Frames with the short name of the table they belong to."""
        only = self.models[0].name
        for item in (produced,) if isinstance(produced, pl.DataFrame) else produced:
            frames = {only: item} if isinstance(item, pl.DataFrame) else item
            unknown = set(frames) - {model.name for model in self.models}
            if unknown:
                raise ValueError(f"{self.name} yielded tables that it does not declare: {sorted(unknown)}")
            yield from frames.items()
