"""A step waits for runs that are still making what it reads, or the very partitions it would make.

Dagster orders the steps of one run, and mostly the runs of one backfill, but not all: with few dates it makes one run
per date, dates with a gap between them become separate runs, and scheduled, sensed and requested runs know nothing of
each other. Without this, what a calibration reads would depend on which run was faster.

Runs are ordered by their first date (then by age), and a run waits only for runs before it, so two never wait for each
other. One thing is left: the run in front may be queued behind the very runs that wait for it. Then the waiting run
steps back: it fails with a request to be queued again.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    MAX_RETRIES_TAG,
    PARTITION_NAME_TAG,
)

from spymaster.market.calendar import partition_dates
from spymaster_assets.inputs import FROM_LAKE, History, OwnHistory
from spymaster_assets.liveness import bury_dead_runs, running
from spymaster_assets.metadata import asset_key
from spymaster_assets.partitions import SessionKey, history_dates, session_keys
from spymaster_assets.recipe import Recipe
from spymaster_assets.resources import load_settings

POLL_SECONDS = 2.0
PATIENCE_SECONDS = 20.0
"""How long all slots may be taken, with the runs in front queued, before the waiting run steps back."""

QUEUE_DAEMON, HEARTBEAT_SECONDS = "QUEUED_RUN_COORDINATOR", 120.0
"""The daemon that starts queued runs, and how long after its last sign of life it is taken for dead."""

STEPS_BACK = 20
"""How often a run may be queued again."""

Needs = Mapping[dg.AssetKey, set[SessionKey]]


def await_turn(context: dg.AssetExecutionContext, recipe: Recipe, sleep: Callable[[float], None] = time.sleep) -> None:
    """Return when no unfinished run before this one makes partitions that this step reads or makes.

    Raises `dagster.Failure` where waiting would be for ever: the run is queued again.
    """
    wanted = needs(recipe, session_keys(context.partition_keys))
    patience = PATIENCE_SECONDS
    told: set[str] = set()
    while ahead := list(runs_ahead(context.instance, context.run, wanted)):
        names = {run.run_id for run in ahead}
        if names - told:
            context.log.info(f"waiting for {', '.join(sorted(names))}: there the same or earlier dates are being made")
            told |= names
        patience = patience - POLL_SECONDS if all_slots_taken(context.instance, ahead) else PATIENCE_SECONDS
        if patience <= 0:
            raise _step_back(context, names)
        sleep(POLL_SECONDS)
        bury_dead_runs(context.instance)


def needs(recipe: Recipe, sessions: list[SessionKey]) -> Needs:
    """What the recipe makes and reads for `sessions`, by table."""
    wanted: dict[dg.AssetKey, set[SessionKey]] = defaultdict(set)
    for model in recipe.models:
        wanted[asset_key(model)].update(sessions)
    for item in recipe.inputs.values():
        if isinstance(item, History | OwnHistory):
            for session in sessions:
                dates = history_dates(session.dt, item.start, item.end)
                wanted[asset_key(item.model)].update(SessionKey(dt, session.symbol) for dt in dates)
        elif not isinstance(item, FROM_LAKE):
            wanted[asset_key(item.model)].update(sessions)
    return wanted


def runs_ahead(instance: dg.DagsterInstance, this: dg.DagsterRun, wanted: Needs) -> Iterator[dg.DagsterRun]:
    """Queued and running runs before `this` that make something of what is wanted."""
    queued = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])) if queue_moves(instance) else []
    others = [run for run in [*queued, *running(instance)] if run.run_id != this.run_id]
    places = _places(instance, [this, *others])
    for run in others:
        if this.run_id not in places or run.run_id not in places or places[run.run_id] >= places[this.run_id]:
            continue
        sessions = sessions_of(run)
        tables = wanted.keys() if run.asset_selection is None else run.asset_selection & wanted.keys()
        if any(wanted[table] & sessions for table in tables):
            yield run


def queue_moves(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon is there to start queued runs; without one they stay where they are."""
    heartbeat = instance.get_daemon_heartbeats().get(QUEUE_DAEMON)
    return heartbeat is not None and time.time() - heartbeat.timestamp < HEARTBEAT_SECONDS


def sessions_of(run: dg.DagsterRun) -> set[SessionKey]:
    """The sessions of a run, from its tags; none for a run of something else. A range is dates times symbols."""
    if PARTITION_NAME_TAG in run.tags:
        return {SessionKey.parse(run.tags[PARTITION_NAME_TAG])}
    if ASSET_PARTITION_RANGE_START_TAG not in run.tags:
        return set()
    first = SessionKey.parse(run.tags[ASSET_PARTITION_RANGE_START_TAG])
    last = SessionKey.parse(run.tags[ASSET_PARTITION_RANGE_END_TAG])
    known = load_settings().symbols
    inside = {first.symbol, last.symbol} <= set(known)
    symbols = known[known.index(first.symbol) : known.index(last.symbol) + 1] if inside else {first.symbol, last.symbol}
    return {SessionKey(dt, symbol) for dt in partition_dates(first.dt, last.dt) for symbol in symbols}


def all_slots_taken(instance: dg.DagsterInstance, ahead: list[dg.DagsterRun]) -> bool:
    """Whether the runs in front are all queued and none of them can start."""
    limit = slots(instance)
    return (
        all(run.status is dg.DagsterRunStatus.QUEUED for run in ahead)
        and limit is not None
        and 0 <= limit <= len(running(instance))
    )


def slots(instance: dg.DagsterInstance) -> int | None:
    """How many runs of the queue may run at the same time; None or negative for any number."""
    queue = instance.get_concurrency_config().run_queue_config
    return queue.max_concurrent_runs if queue else None


def _places(instance: dg.DagsterInstance, runs: list[dg.DagsterRun]) -> dict[str, tuple[str, datetime, str]]:
    """Where runs stand in the order, by id; a run without partitions stands nowhere."""
    records = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id for run in runs]))
    created = {record.dagster_run.run_id: record.create_timestamp for record in records}
    first = {
        run.run_id: run.tags.get(PARTITION_NAME_TAG) or run.tags.get(ASSET_PARTITION_RANGE_START_TAG) for run in runs
    }
    return {name: (key.split("|")[0], created[name], name) for name, key in first.items() if key and name in created}


def _step_back(context: dg.AssetExecutionContext, names: set[str]) -> dg.Failure:
    context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: str(STEPS_BACK)})
    return dg.Failure(
        f"earlier dates are still to be made by {', '.join(sorted(names))}, for which no slot is free: queued again",
        allow_retries=False,
    )


def fail_for_good(context: dg.AssetExecutionContext) -> None:
    """Make sure that a run that had stepped back is not run again for a failure of another kind."""
    if context.run.tags.get(MAX_RETRIES_TAG) == str(STEPS_BACK):
        context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
