"""What requests share: turns of long answers, and the look at the lake that must not end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from spymaster.lake import Lake
from spymaster.serving import warm
from spymaster.serving.app import create_app
from spymaster.serving.errors import BusyError
from spymaster.serving.http import JobResponse
from spymaster.serving.services import HISTORY_JOBS, HISTORY_QUEUE, Jobs
from spymaster.serving.session import Session
from spymaster.serving.surfaces import SNAPSHOT
from spymaster_tests.serving.conftest import BASE, HEADERS, settings_for
from spymaster_tests.serving.lakes import DT, KEY, SYMBOL


class Body:
    """Pieces that count how many of them are made at a time."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self._lock = threading.Lock()

    def pieces(self, count: int = 3) -> Iterator[bytes]:
        for _ in range(count):
            with self._lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(0.01)
            with self._lock:
                self.running -= 1
            yield b"x"


async def answer(response: JobResponse) -> bytes:
    sent: list[bytes] = []

    async def receive() -> dict:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message) -> None:
        sent.append(message.get("body", b""))

    await response({"type": "http", "method": "GET", "asgi": {"spec_version": "2.4"}}, receive, send)
    return b"".join(sent)


def test_no_more_long_answers_than_turns_are_made_at_a_time_the_first_pieces_included() -> None:
    body, jobs = Body(), Jobs()

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(answer(JobResponse(jobs, body.pieces())) for _ in range(4 * HISTORY_JOBS)))

    assert asyncio.run(all_of_them()) == [b"xxx"] * 4 * HISTORY_JOBS
    assert body.most == HISTORY_JOBS


def test_a_full_queue_refuses_and_takes_again_once_there_is_room() -> None:
    async def fill() -> None:
        jobs, gate = Jobs(), asyncio.Event()

        async def hold() -> None:
            async with jobs.turn():
                await gate.wait()

        held = [asyncio.create_task(hold()) for _ in range(HISTORY_JOBS + HISTORY_QUEUE)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await hold()
        gate.set()
        await asyncio.gather(*held)
        async with jobs.turn():
            pass

    asyncio.run(fill())


def test_what_goes_wrong_with_the_first_piece_is_an_error_and_not_a_torn_answer(
    client: TestClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise BusyError("the memory for market sessions is taken by running streams")

    monkeypatch.setattr(app.state.services.store, "chunk", refuse)
    refused = client.get(f"{BASE}/tiles/wall", params={"from": 0, "to": 10})
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "busy", "1")


def test_a_scan_that_fails_is_not_the_last_one(own_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(settings_for(own_lake, rescan_s=0.02))
    services, failures = app.state.services, []
    scan = services.catalog.refresh

    def refresh():
        if not failures:
            failures.append("once")
            raise OSError("the disk is away")
        return scan()

    monkeypatch.setattr(services.catalog, "refresh", refresh)
    with TestClient(app, base_url="http://127.0.0.1:8787", headers=HEADERS) as client:
        before = client.get(BASE).json()["data_version"]
        own_lake.partition("silver.trade", SYMBOL, DT).path.unlink()
        deadline = time.monotonic() + 20
        while client.get(BASE).json()["data_version"] == before:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert failures


def test_the_newest_session_is_ready_before_anyone_asks(served: Lake) -> None:
    services = create_app(settings_for(served)).state.services
    warm.start(services).join(120)
    session = services.store.session(KEY)
    loads = services.metrics.registry.get_sample_value("spymaster_session_load_seconds_count")
    assert loads == session.chunks == 2
    assert all(services.store.resident(session, number) for number in range(session.chunks))
    assert all("statuses" in vars(info) for info in services.catalog.sessions()), "the list reads no file any more"


@pytest.mark.parametrize(
    ("seconds", "opening", "chunks"),
    [(10_800, 6239, [1, 0, 2]), (86_400, 53_039, [14, 13, 15, 16, 17, 18]), (300, 299, [0]), (3601, 0, [0, 1])],
)
def test_the_hours_that_a_page_opens_with_come_first(market: Session, seconds: int, opening: int, chunks) -> None:
    timeline = replace(market.timeline, seconds=seconds)
    assert warm.first_chunks(replace(market, timeline=timeline, opening_sec=opening)) == chunks


def test_a_session_that_cannot_be_opened_spoils_no_start(own_lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    path = own_lake.partition(SNAPSHOT, SYMBOL, DT).path
    path.unlink()  # a link to the file of all tests
    path.write_bytes(b"not Parquet")
    warm.start(create_app(settings_for(own_lake)).state.services).join(120)
    assert "warming up failed" not in caplog.text


def test_an_empty_lake_has_nothing_to_prepare(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake", create=True)
    warm.warm_up(create_app(settings_for(lake)).state.services)
