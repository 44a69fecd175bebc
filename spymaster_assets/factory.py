"""Turns a library call into Dagster assets: one decorator, one loop over the partitions of a run.

    @lake_assets(VacuumSurface1s, wall=Same(WallSurface1s), calibration=Same(PhysicsNormCalibration))
    def vacuum_surface_1s(session, wall, calibration):
        return vacuum_frames(wall.batches(), calibration.read(), ...)

The tables named become the assets of one subsettable `multi_asset`; group, description, schema, lineage, code
version, checks and partition mappings come from the table models and the declared inputs. A run may hold any number
of partitions: they are made in date order, and each is committed, reported with figures of its own, and checked as
soon as it is ready.

Dagster would report every partition of a run as materialised once the step is over. Some of them may have no raw
file, or fail, and a killed run would report nothing, so the loop reports each partition itself and marks its outputs
as reported (`REPORTED`). An output is yielded if any partition of it is there, so that assets below run for those.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from spymaster.errors import SpymasterError
from spymaster.lake.errors import LakeLockedError
from spymaster.lake.lake import Lake
from spymaster.lake.raw import raw_files
from spymaster.tables.model import TableModel
from spymaster_assets import checks, liveness, provenance, turns
from spymaster_assets.backfills import leave_out_absent
from spymaster_assets.errors import TRANSIENT, no_vain_retries
from spymaster_assets.inputs import FROM_LAKE, Declared, OwnHistory, Raw, SkipSession, TableInput
from spymaster_assets.metadata import OWNERS, asset_key, column_lineage, column_schema, raw_key
from spymaster_assets.partitions import SessionKey, session_keys, session_partitions
from spymaster_assets.recipe import Frames, Made, Recipe
from spymaster_assets.resources import OVERWRITE_TAG, load_settings

REPORTED = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
"""Output metadata that tells Dagster that the materialisations of this output are in the event log already."""

SKIPPED = "skipped"
"""Metadata of the observation that says why a partition was not materialised."""

NOT_LAST = "made for the last date of a request only: ask for this date alone"
"""Why, of a table that reads all earlier dates (`last_only`)."""

FAILED_PARTITIONS, TABLES = "failed_partitions", "tables"
"""Metadata of the failure of a step: error per partition, and the tables it was making (full names)."""

LOCK_POLL_SECONDS = 0.5

_RECIPES: dict[str, Recipe] = {}

RETRY = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL)


def lake_assets(
    *models: type[TableModel],
    lineage: Mapping[str, tuple[str, ...]] | None = None,
    after: Callable[[Lake], object] | None = None,
    kinds: tuple[str, ...] = (),
    **inputs: Declared,
) -> Callable[[Callable[..., Frames]], dg.AssetsDefinition]:
    """Assets of `models`, made together by the decorated function.

    The function is called as `f(session, **inputs)` for one session at a time, with the inputs resolved
    (`inputs.py`), and returns a frame, an iterable of frames, or, for several tables, an iterable of mappings from
    table name to frame. For the manifest it may fill `session.counters` and `session.notes`, or return something that
    has `counters`.

    lineage: upstream columns of columns that come from others than those of their own name; `*` for all such columns.
    after: called with the lake when all sessions of a step are done.
    """

    def decorate(function: Callable[..., Frames]) -> dg.AssetsDefinition:
        return build_assets(Recipe(function.__name__, models, inputs, function, lineage or {}, after), kinds)

    return decorate


def build_assets(recipe: Recipe, kinds: tuple[str, ...] = ()) -> dg.AssetsDefinition:
    """The assets of a recipe; `recipe_of` finds the recipe back."""
    upstream = {name: item for name, item in recipe.inputs.items() if not isinstance(item, FROM_LAKE)}
    raw = [raw_key(item.table, item.product_type) for item in recipe.inputs.values() if isinstance(item, Raw)]

    @dg.multi_asset(
        name=recipe.name,
        outs={model.name: _out(model, recipe, kinds) for model in recipe.models},
        ins={
            name: dg.AssetIn(asset_key(item.model), partition_mapping=item.partition_mapping())
            for name, item in upstream.items()
        },
        deps=[dg.AssetDep(key) for key in raw],
        partitions_def=session_partitions(load_settings()),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[spec for model in recipe.models for spec in checks.specs(model)],
        retry_policy=RETRY,
        required_resource_keys={"lake"},
        can_subset=True,
    )
    def compute(context, **sources) -> Iterator[Any]:
        with no_vain_retries():
            yield from _Run(context, recipe, sources).events()

    _RECIPES[compute.node_def.name] = recipe
    return compute


def recipe_of(assets: dg.AssetsDefinition) -> Recipe | None:
    """The recipe that assets were built from; None for assets of other making."""
    return _RECIPES.get(assets.node_def.name) if assets.is_executable else None


def last_only_keys() -> set[dg.AssetKey]:
    """Tables that are made for the last date of a request only."""
    return {asset_key(model) for recipe in _RECIPES.values() if recipe.last_only for model in recipe.models}


def _out(model: type[TableModel], recipe: Recipe, kinds: tuple[str, ...]) -> dg.AssetOut:
    sources = [
        (asset_key(item.model), tuple(item.model.columns))
        for item in recipe.inputs.values()
        if not isinstance(item, FROM_LAKE)
    ]
    return dg.AssetOut(
        key=asset_key(model),
        is_required=False,
        io_manager_key="lake_io",
        description=model.description(),
        group_name=model.layer,
        owners=OWNERS,
        kinds={"parquet", *kinds},
        code_version=model.code_version(),
        metadata={
            "dagster/column_schema": column_schema(model),
            "dagster/column_lineage": column_lineage(model, sources, recipe.lineage),
            "key": ", ".join(model.key),
        },
    )


@dataclass
class _Run:
    """One step: some tables of a recipe, some sessions."""

    context: dg.AssetExecutionContext
    recipe: Recipe
    sources: Mapping[str, TableInput]
    done: dict[str, list[SessionKey]] = field(default_factory=dict)
    failures: dict[SessionKey, str] = field(default_factory=dict)

    @cached_property
    def lake(self) -> Lake:
        return self.context.resources.lake.open()

    @cached_property
    def read(self) -> dict[str, TableInput]:
        """What may be read, by parameter: handles that Dagster hands over, and those of the tables themselves."""
        own = {name: item.model for name, item in self.recipe.inputs.items() if isinstance(item, OwnHistory)}
        return {**self.sources, **{name: TableInput(self.lake, model, None) for name, model in own.items()}}

    @cached_property
    def tables(self) -> list[type[TableModel]]:
        selected = self.context.selected_asset_keys
        return [model for model in self.recipe.models if asset_key(model) in selected]

    @cached_property
    def overwrite(self) -> set[str]:
        names = self.context.run.tags.get(OVERWRITE_TAG, "")
        every = [model.full_name for model in self.recipe.models]
        return set(every) if names == "*" else {name.strip() for name in names.split(",")}

    def events(self) -> Iterator[Any]:
        """What Dagster is told, in the order it happens."""
        liveness.sign(self.context)
        left_out = leave_out_absent(self.context, self.lake, last_only_keys())
        if left_out.partitions:
            self.context.log.info(f"{left_out.partitions} partitions that no run makes were taken out of the backfill")
        turns.await_turn(self.context, self.recipe)
        for source in self.read.values():
            source.withheld.update(checks.withheld(self.context.instance, source.model))
        sessions = session_keys(self.context.partition_keys)
        wanted = self._last(sessions, left_out.last) if self.recipe.last_only else set(sessions)
        for session in sessions:
            yield from self._session(session) if session in wanted else self._skipped(session, NOT_LAST)
        if self.done and self.recipe.after is not None:
            self.recipe.after(self.lake)
        for model in self.tables:
            if model.name in self.done:
                yield dg.Output(self.done[model.name], output_name=model.name, metadata=REPORTED)
        selected = self.context.selected_asset_check_keys
        for name, spec in self.context.assets_def.node_check_specs_by_output_name.items():
            if spec.blocking and spec.key in selected:  # the verdicts are in the log; Dagster warns where none came
                yield dg.Output(None, output_name=name)
        if self.failures:
            turns.fail_for_good(self.context)
            raise self._failure()

    def _session(self, session: SessionKey) -> Iterator[Any]:
        try:
            made = self._make(session)
        except SkipSession as reason:
            self.context.log.warning(f"{session} skipped: {reason}")
            yield from self._skipped(session, str(reason))
            return
        except TRANSIENT:
            raise
        except Exception as error:
            self._failed(session, error)
            return
        yield from provenance.raw_files_seen(self.context.instance, session, made)
        for one in made:
            yield from self._report(session, one)

    def _skipped(self, session: SessionKey, reason: str) -> Iterator[dg.AssetObservation]:
        for model in self.tables:
            yield dg.AssetObservation(asset_key(model), partition=session.partition_key, metadata={SKIPPED: reason})

    def _last(self, sessions: list[SessionKey], asked: dict[str, SessionKey]) -> set[SessionKey]:
        """The last session of each symbol that has the future's order file.

        asked: those of the backfill, of which this run may be a part.
        """
        present = [one for one in sessions if raw_files(self.lake, one.symbol, "market_by_order_dbn", one.dt)]
        return {one for one in {one.symbol: one for one in present}.values() if asked.get(one.symbol, one) == one}

    def _make(self, session: SessionKey) -> list[Made]:
        """Make the tables of a session, once nobody else is writing them.

        Another run over the same dates may have begun its step before this one was there to be waited for (`turns.py`).
        It meets this run at date after date, for as long as it takes to make one: no number of retries would do. A lock
        ends with its process, and none is held while waiting.
        """
        tables, told = [model.full_name for model in self.tables], ""
        while True:
            try:
                return self.recipe.make(self.lake, session, self.read, tables=tables, overwrite=self.overwrite)
            except LakeLockedError as error:
                if str(error) != told:
                    told = str(error)
                    self.context.log.info(f"{session} waits: {told}")
                time.sleep(LOCK_POLL_SECONDS)

    def _report(self, session: SessionKey, made: Made) -> Iterator[Any]:
        yield provenance.materialization(self.context, session, made)
        held_back = False
        for verdict in checks.evaluations(self.context, self.lake, session, made):
            yield verdict
            if checks.is_blocking_failure(verdict):
                held_back = True
                self.failures[session] = f"{made.model.full_name}, check {verdict.check_name}: {verdict.description}"
                for source in self.read.values():
                    if source.model is made.model:  # later dates of this step read it
                        source.withheld[session] = self.failures[session]
        if not held_back:
            self.done.setdefault(made.model.name, []).append(session)

    def _failed(self, session: SessionKey, error: Exception) -> None:
        """Note a failure and go on with the next session. What is not a `SpymasterError` is a defect: log where."""
        expected = isinstance(error, SpymasterError)
        self.failures[session] = str(error) if expected else f"{type(error).__name__}: {error}"
        self.context.log.error(f"{session} failed: {error if expected else traceback.format_exc()}")

    def _failure(self) -> dg.Failure:
        total = len(self.context.partition_keys)
        names = ", ".join(model.full_name for model in self.tables)
        lines = [f"{session}: {message}" for session, message in self.failures.items()]
        return dg.Failure(
            f"{names}: {len(lines)} of {total} partitions failed\n" + "\n".join(lines),
            metadata={
                TABLES: dg.MetadataValue.json([model.full_name for model in self.tables]),
                FAILED_PARTITIONS: dg.MetadataValue.json({str(key): text for key, text in self.failures.items()}),
            },
            allow_retries=False,
        )
