"""The page of a demo comes with the surfaces of the last date, tells when it answers, and ends with a failure."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from spymaster.cli.early_page import EarlyPage, early_page
from spymaster.cli.supervisor import Service, Supervisor
from spymaster.cli.up import free_port
from spymaster.tables import all_tables
from spymaster_tests.cli.test_supervisor import alive

LAST = date(2026, 1, 6)
SILVER = [model.full_name for model in all_tables().values() if model.layer == "silver"]


@pytest.fixture
def service() -> Service:
    """A process that answers HTTP."""
    port = free_port("127.0.0.1")
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Service("page", command, url=url, health=f"{url}/")


def partition(table: str, dt: date = LAST, status: str = "made") -> dict[str, str]:
    return {"event": "partition", "status": status, "table": table, "date": dt.isoformat()}


def until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_told(page: EarlyPage, told: list[int]) -> None:
    def check() -> bool:
        page.watch({"event": "partition", "status": "made", "table": "gold.algo_run", "date": LAST.isoformat()})
        return bool(told)

    until(check)


def test_it_comes_with_the_last_surface_of_the_date_and_is_handed_on(tmp_path: Path, service: Service):
    told: list[int] = []
    with early_page(service, tmp_path, os.environ, LAST, lambda: told.append(1)) as page:
        page.watch({"event": "plan", "partitions": 3})
        for table in SILVER[:-1]:
            page.watch(partition(table, status="reused"))
        page.watch(partition(SILVER[-1], date(2026, 1, 5)))
        page.watch(partition(SILVER[-1], status="skipped"))
        assert page.running is None
        page.watch(partition(SILVER[-1]))
        assert page.running is not None
        first = page.running
        until_told(page, told)
        page.watch(partition("gold.evidence_report"))
        assert page.running is first
    assert told == [1]
    assert alive(first.process.pid)

    def stop() -> None:
        os.kill(os.getpid(), 15)

    Supervisor(tmp_path, (), os.environ, running=(first,), on_ready=stop, on_stop=lambda: None).run()
    assert first.process.poll() is not None


def test_it_ends_with_a_run_that_fails(tmp_path: Path, service: Service):
    started: list[EarlyPage] = []

    def interrupted() -> None:
        with early_page(service, tmp_path, os.environ, LAST, lambda: None) as page:
            started.append(page)
            for table in SILVER:
                page.watch(partition(table))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert started[0].running is not None
    assert started[0].running.process.poll() is not None


def test_nothing_is_started_where_a_surface_is_missing(tmp_path: Path, service: Service):
    with early_page(service, tmp_path, os.environ, LAST, lambda: None) as page:
        for table in all_tables().values():
            if table.full_name != "silver.wall_surface_1s":
                page.watch(partition(table.full_name))
    assert page.running is None
