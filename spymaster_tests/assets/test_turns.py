"""Who waits for whom among unfinished runs, and what happens when waiting would never end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.types import DaemonHeartbeat

from spymaster.tables.future_mbo import FutureMbo
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.trade import Trade
from spymaster.tables.wall_surface_1s import WallSurface1s
from spymaster_assets import turns
from spymaster_assets.inputs import History, Raw, Same
from spymaster_assets.partitions import SessionKey
from spymaster_assets.recipe import Recipe
from spymaster_assets.turns import QUEUE_DAEMON, await_turn, needs, sessions_of

ORIGIN = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("tests"), "tests"), "empty")
"""Where a queued run says that its job lives."""

Status = dg.DagsterRunStatus
WALL, CALIBRATION = dg.AssetKey(["silver", "wall_surface_1s"]), dg.AssetKey(["gold", "physics_norm_calibration"])
CALIBRATE = Recipe(
    "calibrate", (PhysicsNormCalibration,), {"walls": History(WallSurface1s, -3, 0)}, lambda session, walls: []
)
RECORDS = Recipe("records", (FutureMbo,), {"raw": Raw("market_by_order_dbn")}, lambda session, raw: [])
TRADES = Recipe("trades", (Trade,), {"mbo": Same(FutureMbo)}, lambda session, mbo: [])


@dataclass
class Log:
    lines: list[str]

    def info(self, line: str) -> None:
        self.lines.append(line)


@dataclass
class Context:
    """As much of an execution context as waiting needs."""

    instance: dg.DagsterInstance
    run: dg.DagsterRun
    partition_keys: list[str]
    log: Log


class Runs:
    """Runs of one instance, made by hand."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.job = dg.GraphDefinition(name="empty", node_defs=[]).to_job()

    def make(self, first: str, last: str | None = None, status: Status = Status.STARTED) -> dg.DagsterRun:
        ranged = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last or first}
        return self.instance.create_run_for_job(self.job, tags=ranged, status=status, remote_job_origin=ORIGIN)

    def end(self, run: dg.DagsterRun) -> None:
        self.instance.report_run_failed(run, "over")

    def beat(self) -> None:
        """The daemon that starts queued runs is alive."""
        self.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), QUEUE_DAEMON, "id", []))

    def wait(
        self, run: dg.DagsterRun, recipe: Recipe = CALIBRATE, *, meanwhile: Callable[[], None] | None = None
    ) -> tuple[int, list[str]]:
        """How many polls the run waits (at most 50), and what it logs; `meanwhile` happens at the first poll."""
        polls, log = 0, Log([])

        def sleep(seconds: float) -> None:
            nonlocal polls
            polls += 1
            if polls == 1 and meanwhile:
                meanwhile()
            assert polls < 50, "waits for ever"

        keys = [str(session) for session in sessions_of(run)]
        await_turn(cast(Any, Context(self.instance, run, keys, log)), recipe, sleep)
        return polls, log.lines


@pytest.fixture
def runs(instance: dg.DagsterInstance) -> Runs:
    return Runs(instance)


def test_a_step_needs_what_it_makes_and_what_it_reads():
    session = SessionKey(date(2024, 3, 6), "ES")
    assert needs(CALIBRATE, [session]) == {
        CALIBRATION: {session},
        WALL: {SessionKey(date(2024, 3, day), "ES") for day in (1, 4, 5, 6)},
    }
    assert needs(RECORDS, [session]) == {dg.AssetKey(["bronze", "future_mbo"]): {session}}


def test_the_sessions_of_a_range_are_dates_times_symbols(runs: Runs):
    run = runs.make("2024-03-08|ES", "2024-03-11|NQ")
    assert sorted(map(str, sessions_of(run))) == ["2024-03-08|ES", "2024-03-08|NQ", "2024-03-11|ES", "2024-03-11|NQ"]


def test_a_run_waits_for_earlier_dates_and_goes_on_when_they_are_done(runs: Runs):
    earlier, later = runs.make("2024-03-05|ES"), runs.make("2024-03-06|ES")
    polls, log = runs.wait(later, meanwhile=lambda: runs.end(earlier))
    assert polls == 1
    assert earlier.run_id in log[0]


def test_a_run_does_not_wait_for_later_dates_other_symbols_or_dates_out_of_reach(runs: Runs):
    run = runs.make("2024-03-06|ES")
    runs.make("2024-03-07|ES")
    runs.make("2024-03-05|CL")
    runs.make("2024-02-28|ES")
    assert runs.wait(run)[0] == 0


def test_a_step_without_history_waits_only_for_its_own_date(runs: Runs):
    earlier, run = runs.make("2024-03-05|ES"), runs.make("2024-03-06|ES")
    assert runs.wait(run, TRADES)[0] == 0
    overlapping = runs.make("2024-03-05|ES", "2024-03-06|ES")
    assert runs.wait(run, TRADES, meanwhile=lambda: runs.end(overlapping))[0] == 1
    assert runs.wait(run, TRADES)[0] == 0
    del earlier


def test_of_two_runs_over_the_same_dates_the_younger_waits(runs: Runs):
    first, second = runs.make("2024-03-06|ES"), runs.make("2024-03-06|ES")
    assert runs.wait(first)[0] == 0
    assert runs.wait(second, meanwhile=lambda: runs.end(first))[0] == 1


def test_queued_runs_count_only_while_a_daemon_is_there_to_start_them(runs: Runs):
    queued, run = runs.make("2024-03-05|ES", status=Status.QUEUED), runs.make("2024-03-06|ES")
    assert runs.wait(run)[0] == 0
    runs.beat()
    assert runs.wait(run, meanwhile=lambda: runs.end(queued))[0] == 1


def test_a_run_steps_back_when_those_in_front_wait_for_its_slot(runs: Runs, monkeypatch: pytest.MonkeyPatch):
    runs.beat()
    runs.make("2024-03-05|ES", status=Status.QUEUED)
    run = runs.make("2024-03-06|ES")
    monkeypatch.setattr(turns, "slots", lambda instance: 1)
    with pytest.raises(dg.Failure, match="queued again"):
        runs.wait(run)
    stored = runs.instance.get_run_by_id(run.run_id)
    assert stored is not None
    assert stored.tags["dagster/max_retries"] == str(turns.STEPS_BACK)


def test_a_run_keeps_waiting_while_a_slot_is_free(runs: Runs, monkeypatch: pytest.MonkeyPatch):
    runs.beat()
    queued, run = runs.make("2024-03-05|ES", status=Status.QUEUED), runs.make("2024-03-06|ES")
    monkeypatch.setattr(turns, "slots", lambda instance: 2)
    assert runs.wait(run, meanwhile=lambda: runs.end(queued))[0] == 1


def test_a_run_whose_process_is_gone_is_not_waited_for(runs: Runs):
    from spymaster_assets.liveness import PROCESS_TAG, this_process

    host, pid, _ = this_process().rsplit(":", 2)
    dead, run = runs.make("2024-03-05|ES"), runs.make("2024-03-06|ES")
    runs.instance.add_run_tags(dead.run_id, {PROCESS_TAG: f"{host}:{pid}:1"})
    assert runs.wait(run)[0] == 1
    found = runs.instance.get_run_by_id(dead.run_id)
    assert found is not None
    assert found.status is Status.FAILURE
