"""`raw_arrival` against fixed clocks: new, late, replaced, broken and half-copied files."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from spymaster.lake import Lake
from spymaster.tables.future_mbo import FutureMbo
from spymaster_assets import sensors
from spymaster_assets.resources import LakeResource
from spymaster_assets.sensors import QUIET_SECONDS, raw_arrival
from spymaster_tests.assets.conftest import AddRaw

Tick = Callable[[], list[tuple[str, str]]]


class Clock:
    """The sensor's clock: as far past the last file as we say."""

    def __init__(self) -> None:
        self.ahead = 3600.0

    def time(self) -> float:
        import time

        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sensors, "time", clock)
    return clock


@pytest.fixture
def tick(resource: LakeResource, clock: Clock, instance: dg.DagsterInstance) -> Tick:
    """Evaluate the sensor, keep its cursor, and return the requested ranges."""
    state: dict[str, str | None] = {"cursor": None}

    def evaluate() -> list[tuple[str, str]]:
        context = dg.build_sensor_context(
            instance=instance, cursor=state["cursor"], resources={"lake": resource}, sensor_name="raw_arrival"
        )
        data = raw_arrival.evaluate_tick(context)
        state["cursor"] = data.cursor
        tags = [request.tags for request in data.run_requests or ()]
        return [(tag["dagster/asset_partition_range_start"], tag["dagster/asset_partition_range_end"]) for tag in tags]

    return evaluate


def materialise(lake: Lake, symbol: str, dt: date) -> None:
    """As if Bronze had been made (empty is enough)."""
    with lake.writer(FutureMbo, symbol, dt) as writer:
        writer.commit(provenance="simulated")


def test_nothing_to_do_in_an_empty_lake(tick: Tick):
    assert tick() == []


def test_new_files_make_one_run_per_symbol_and_stretch(tick: Tick, add_raw: AddRaw):
    for day in (4, 5, 7):
        add_raw("ES", date(2024, 3, day), messages=10)
    add_raw("ES", date(2024, 5, 20), messages=10)
    add_raw("CL", date(2024, 3, 5), messages=10)
    assert tick() == [
        ("2024-03-04|ES", "2024-03-07|ES"),
        ("2024-05-20|ES", "2024-05-20|ES"),
        ("2024-03-05|CL", "2024-03-05|CL"),
    ]


def test_a_file_is_asked_for_once_even_if_its_run_fails(tick: Tick, add_raw: AddRaw):
    add_raw("ES", date(2024, 3, 4), messages=10)
    assert len(tick()) == 1
    assert tick() == []
    assert tick() == []


def test_a_late_file_is_found_whatever_its_date(tick: Tick, add_raw: AddRaw, lake: Lake):
    add_raw("ES", date(2024, 3, 7), messages=10)
    assert len(tick()) == 1
    materialise(lake, "ES", date(2024, 3, 7))
    late = add_raw("ES", date(2024, 3, 4), messages=10)
    os.utime(late, (0, 0))  # copied with the times of the original
    assert tick() == [("2024-03-04|ES", "2024-03-04|ES")]


def test_files_that_were_processed_are_not_asked_for(tick: Tick, add_raw: AddRaw, lake: Lake):
    add_raw("ES", date(2024, 3, 4), messages=10)
    materialise(lake, "ES", date(2024, 3, 4))
    assert tick() == []


def test_a_replaced_file_is_processed_again(tick: Tick, add_raw: AddRaw, lake: Lake):
    path = add_raw("ES", date(2024, 3, 4), messages=10)
    assert len(tick()) == 1
    materialise(lake, "ES", date(2024, 3, 4))
    later = lake.partition(FutureMbo, "ES", date(2024, 3, 4)).path.stat().st_mtime + 60
    os.utime(path, (later, later))
    assert tick() == [("2024-03-04|ES", "2024-03-04|ES")]
    assert tick() == []


def test_a_broken_file_is_tried_again_when_it_is_replaced(tick: Tick, add_raw: AddRaw):
    path = add_raw("ES", date(2024, 3, 4), messages=10)
    assert len(tick()) == 1
    Path(path).write_bytes(path.read_bytes() + b"more")
    assert len(tick()) == 1


def test_a_file_that_is_still_being_copied_waits(tick: Tick, add_raw: AddRaw, clock: Clock):
    add_raw("ES", date(2024, 3, 4), messages=10)
    clock.ahead = 0
    assert tick() == []
    clock.ahead = QUIET_SECONDS + 5
    assert len(tick()) == 1


def test_weekend_files_and_dates_before_the_first_partition_are_left_alone(tick: Tick, add_raw: AddRaw):
    add_raw("ES", date(2024, 3, 10), messages=10)  # a Sunday evening's file
    add_raw("ES", date(2022, 12, 30), messages=10)
    assert tick() == []


def test_the_cursor_forgets_what_is_done(
    resource: LakeResource, clock: Clock, add_raw: AddRaw, lake: Lake, instance: dg.DagsterInstance
):
    def cursor(before: str | None) -> str:
        context = dg.build_sensor_context(
            instance=instance, cursor=before, resources={"lake": resource}, sensor_name="raw_arrival"
        )
        return raw_arrival.evaluate_tick(context).cursor or ""

    for day in (4, 5, 6):
        add_raw("ES", date(2024, 3, day), messages=10)
    asked = cursor(None)
    assert asked.count(".dbn.zst") == 3
    for day in (4, 5, 6):
        materialise(lake, "ES", date(2024, 3, day))
    assert cursor(asked) == "{}"
