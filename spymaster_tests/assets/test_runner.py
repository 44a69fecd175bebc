"""`python -m spymaster_assets`, the process behind `spymaster run`."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from spymaster.market.calendar import partition_dates
from spymaster_assets.liveness import PROCESS_TAG, bury_dead_runs, this_process
from spymaster_tests.assets.processes import Site

MONDAY = date(2024, 3, 4)


def days(count: int) -> list[date]:
    """The first `count` weekdays from the Monday on."""
    return list(partition_dates(MONDAY, MONDAY + timedelta(days=2 * count + 7)))[:count]


def counted(events: list[dict[str, Any]]) -> dict[str, int]:
    summary = events[-1]
    assert summary["event"] == "summary"
    return {name: summary[name] for name in ("made", "reused", "skipped", "failed")}


def test_a_range_is_made_once_and_then_left_alone(tmp_path: Path):
    site = Site(tmp_path / "lake", symbols=("ES",))
    monday, tuesday, wednesday = days(3)
    site.add_raw([monday, wednesday], messages=60)
    code, events, log = site.run(monday, wednesday, "--layer", "bronze", "--product-type", "future")
    assert code == 0, log
    assert events[0] | {"first": "", "last": ""} == {
        "event": "plan",
        "sessions": 3,
        "tables": 4,
        "partitions": 12,
        "workers": 1,
        "symbols": ["ES"],
        "first": "",
        "last": "",
    }
    assert counted(events) == {"made": 8, "reused": 0, "skipped": 4, "failed": 0}
    assert [event["event"] for event in events].count("run") == 2  # one run, started and finished
    skipped = [event for event in events if event.get("status") == "skipped"]
    assert {event["date"] for event in skipped} == {tuesday.isoformat()}
    assert "no raw file of market_by_order_dbn for 2024-03-05|ES" in skipped[0]["reason"]
    assert [event["done"] for event in events if event["event"] == "partition"] == list(range(1, 13))
    before = site.files()

    raw = next((site.root / "raw").rglob("*20240306*"))
    raw.write_bytes(raw.read_bytes()[:-7])
    code, events, log = site.run(monday, wednesday, "--layer", "bronze", "--product-type", "future")
    assert code == 1, log
    assert counted(events) == {"made": 1, "reused": 5, "skipped": 5, "failed": 1}  # the header could still be read
    (failure,) = events[-1]["failures"]
    assert (failure["table"], failure["symbol"], failure["date"]) == ("bronze.future_mbo", "ES", "2024-03-06")
    assert raw.name in failure["error"]
    not_reached = [event for event in events if "not reached" in event.get("reason", "")]
    assert [(event["table"], event["date"]) for event in not_reached] == [
        ("bronze.contract_day_selection", "2024-03-06")
    ]
    mbo = "bronze/future_mbo/symbol=ES/dt=2024-03-06/part-00000.parquet"
    assert site.files()[mbo] == before[mbo]  # what was there stays until something better is


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--symbol", "ZN", "--dates", "2024-03-04"], "no partitions for ZN"),
        (["--symbol", "ES", "--dates", "2023-03-04"], "before the first partition"),
    ],
)
def test_wrong_usage_is_said_in_one_line(tmp_path: Path, arguments: list[str], message: str, monkeypatch):
    """In this process: the lake of the tests is never opened."""
    from spymaster_assets import runner
    from spymaster_assets.resources import load_settings

    site = Site(tmp_path / "lake", symbols=("ES",))
    settings = load_settings().model_copy(
        update={"lake_root": str(site.root), "symbols": ["ES"], "start_date": date(2024, 1, 1)}
    )
    monkeypatch.setattr(runner, "load_settings", lambda: settings)
    options = runner._parser().parse_args(arguments)
    with pytest.raises(runner.UsageError, match=message):
        runner.Runner(options, lambda line: None)


def test_runs_of_processes_that_died_are_buried(instance: dg.DagsterInstance):
    def run(owner: str) -> str:
        job = dg.GraphDefinition(name="empty", node_defs=[]).to_job()
        made = instance.create_run_for_job(job, tags={PROCESS_TAG: owner}, status=dg.DagsterRunStatus.STARTED)
        return made.run_id

    host, pid, _ = this_process().rsplit(":", 2)
    gone, alive, elsewhere = run(f"{host}:{pid}:1"), run(this_process()), run(f"other-{host}:1:1")
    assert bury_dead_runs(instance) == [gone]
    statuses = {run_id: instance.get_run_by_id(run_id) for run_id in (gone, alive, elsewhere)}
    assert {run_id: one.status.value for run_id, one in statuses.items() if one} == {
        gone: "FAILURE",
        alive: "STARTED",
        elsewhere: "STARTED",
    }


def kill_at_random_moments(site: Site, kills: int, first: date, last: date, *options: str, typical: float) -> None:
    """Start the runner over and over, kill it and all its workers at a random moment, and look at what is there."""
    chance = random.Random(7)
    for _ in range(kills):
        process = site.start(first, last, *options)
        with suppress(TimeoutError):
            process.wait(chance.uniform(0.1, 1.0) * typical)
        process.kill()
        site.files()  # every partition that is there is whole


def test_a_killed_run_leaves_only_whole_partitions_and_the_next_one_finishes(tmp_path: Path):
    """The small version; the slow one kills the whole pipeline twenty times."""
    dates = days(4)
    reference = Site(tmp_path / "reference", symbols=("ES",))
    reference.add_raw(dates, messages=60)
    started = time.monotonic()
    assert reference.run(dates[0], dates[-1], "--layer", "bronze")[0] == 0
    typical = time.monotonic() - started
    site = Site(tmp_path / "lake", symbols=("ES",))
    site.add_raw(dates, messages=60)
    kill_at_random_moments(site, 2, dates[0], dates[-1], "--layer", "bronze", typical=typical)
    code, _, log = site.run(dates[0], dates[-1], "--layer", "bronze")
    assert code == 0, log
    assert site.files() == reference.files()
    site.leftovers()  # sweeps the staging of the killed
    assert site.leftovers() == []


@pytest.mark.slow
def test_twenty_kills_of_the_whole_pipeline(tmp_path: Path):
    dates = days(4)
    reference = Site(tmp_path / "reference")
    reference.add_raw(dates)
    started = time.monotonic()
    assert reference.run(dates[0], dates[-1])[0] == 0
    typical = time.monotonic() - started
    site = Site(tmp_path / "lake")
    site.add_raw(dates)
    kill_at_random_moments(site, 20, dates[0], dates[-1], "--workers", "2", typical=typical)
    code, _, log = site.run(dates[0], dates[-1])
    assert code == 0, log
    assert site.files() == reference.files()


@pytest.mark.slow
def test_any_number_of_workers_leaves_the_same_bytes(tmp_path: Path):
    dates = days(6)
    del dates[3]  # a date without a file inside the range
    lakes = {}
    for workers in (1, 2, 3):
        site = Site(tmp_path / f"workers{workers}")
        site.add_raw(dates)
        code, events, log = site.run(dates[0], dates[-1], "--workers", str(workers))
        assert code == 0, log
        assert counted(events)["failed"] == 0
        lakes[workers] = site.files()
    assert lakes[1] == lakes[2] == lakes[3]


@pytest.mark.slow
def test_an_interrupted_run_ends_cleanly_and_says_so(tmp_path: Path):
    site = Site(tmp_path / "lake")
    site.add_raw(days(3))
    process = site.start(days(3)[0], days(3)[-1], "--workers", "2")
    while not any(event.get("status") == "made" for event in process.events()):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 130
    assert process.events()[-1] == {"event": "error", "message": "interrupted"}
    assert site.leftovers() == []
