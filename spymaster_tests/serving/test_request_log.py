"""The request log: a JSON line for each answer and each stream, nothing secret in it, and a size it keeps to."""

from __future__ import annotations

import errno
import json
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from spymaster.lake import Lake
from spymaster.serving import request_log
from spymaster.serving.app import create_app
from spymaster.serving.codec import PROTOCOL
from spymaster.serving.request_log import KEPT_FILES, RequestLog, RequestLogError, _Files, _Waiting, _Writer
from spymaster.serving.security import mint_ticket
from spymaster.settings import ServingSettings
from spymaster_tests.serving.conftest import BASE, HEADERS, TOKEN, settings_for
from spymaster_tests.serving.lakes import DT, SYMBOL

STREAM = "ws://127.0.0.1:8787/v1/stream"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "requests.jsonl"


def logging_client(lake: Lake, path: Path) -> TestClient:
    app = create_app(settings_for(lake, request_log=path))
    return TestClient(app, base_url="http://127.0.0.1:8787", headers=HEADERS, raise_server_exceptions=False)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_answer_has_a_line_with_its_id(served: Lake, path: Path) -> None:
    with logging_client(served, path) as one:
        answers = [
            one.get(f"{BASE}/reading", params={"sec": 5}),
            one.get(f"{BASE}/reading", params={"sec": 86_000}),
            one.get("/nothing"),
            one.get("/v1/version", headers={"Host": "evil.example"}),
        ]
    told = lines(path)
    assert [line["id"] for line in told] == [answer.headers["x-request-id"] for answer in answers]
    assert len({line["id"] for line in told}) == 4
    reading = "/v1/sessions/{symbol}/{dt}/reading"
    assert [(line["route"], line["code"]) for line in told] == [
        (reading, 200), (reading, 422), ("page", answers[2].status_code), ("refused", 400),
    ]  # fmt: skip
    assert told[0]["bytes"] == len(answers[0].content)
    assert all(line["kind"] == "http" and line["method"] == "GET" and line["ms"] > 0 for line in told)
    assert told[3]["reason"] == "foreign_host"


def test_an_error_nobody_foresaw_is_a_line_with_500(served: Lake, path: Path) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    with logging_client(served, path) as one:
        one.app.state.services.store.session = broken  # type: ignore[attr-defined]
        assert one.get(f"{BASE}/reading", params={"sec": 5}).status_code == 500
    assert [line["code"] for line in lines(path)] == [500]


def test_every_stream_has_a_line_when_it_has_ended(served: Lake, path: Path) -> None:
    with logging_client(served, path) as one:
        with one.websocket_connect(STREAM, [PROTOCOL], headers=dict(HEADERS)) as socket:
            ask = {"type": "subscribe", "id": 1, "symbol": SYMBOL, "dt": str(DT), "surfaces": ["snap"], "from": 5}
            socket.send_text(json.dumps(ask | {"play": False}))
            got = 0
            while "bytes" not in (message := socket.receive()) or not message["bytes"]:
                got += 1
        with one.websocket_connect(STREAM, [PROTOCOL], headers=dict(HEADERS)) as socket:
            socket.send_bytes(b"x")
            while socket.receive()["type"] != "websocket.close":
                pass
        with pytest.raises(WebSocketDisconnect), one.websocket_connect(STREAM, headers={"Origin": "null"}):
            pass
    first, binary, refused = lines(path)
    assert {line["kind"] for line in (first, binary, refused)} == {"stream"}
    assert (first["route"], first["code"], first["received"]) == ("/v1/stream", 1000, 1)
    assert first["sent"] > got
    assert first["bytes"] > 1000
    assert (binary["code"], binary["received"]) == (1003, 1)
    assert (refused["route"], refused["code"], refused["reason"]) == ("refused", 403, "foreign_origin")


def test_neither_tokens_nor_tickets_nor_sessions_get_into_it(served: Lake, path: Path) -> None:
    ticket = mint_ticket(TOKEN)
    with logging_client(served, path) as one:
        cookie = one.get("/auth", params={"ticket": ticket}, follow_redirects=False).headers["set-cookie"]
        one.get("/auth", params={"ticket": ticket}, follow_redirects=False)
        one.post("/auth", json={"token": TOKEN})
        one.get(f"{BASE}/levels", params={"as_of": 100, "token": TOKEN})
        one.get(f"/{TOKEN}")
        one.get(f"/v1/sessions/{TOKEN}/{DT}")
    text = path.read_text()
    assert len(text.splitlines()) == 6
    for secret in (TOKEN, ticket, cookie.split("=")[1].split(";")[0], "?", SYMBOL, str(DT)):
        assert secret not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_keeps_to_its_size(path: Path) -> None:
    log = RequestLog(ServingSettings(request_log=path, request_log_bytes=2048), dropped=lambda: None)
    for number in range(1000):
        log.write({"number": number, "padding": "x" * 50})
    log.close()
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [path.name, *(f"{path.name}.{n + 1}" for n in range(KEPT_FILES))]
    assert all(file.stat().st_size <= 2048 and stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert lines(path)[-1]["number"] == 999
    log.write({"after": "its end"})
    assert "after" not in path.read_text()


def test_a_line_that_finds_no_room_is_dropped_and_counted() -> None:
    dropped: list[int] = []
    handler = _Waiting(Queue(1), lambda: dropped.append(1))
    for _ in range(3):
        handler.enqueue(None)  # type: ignore[arg-type]
    assert len(dropped) == 2


class Disk:
    """What stands in for the file: it refuses, or takes its time."""

    def __init__(self, *, full: bool = False) -> None:
        self.full, self.back = full, threading.Event()
        self.closed = 0

    def write(self, _: str) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.back.wait(30)

    def flush(self) -> None: ...

    def tell(self) -> int:
        return 0

    def seek(self, *_: int) -> None: ...

    def close(self) -> None:
        self.closed += 1
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_drops_lines_and_ends_nothing(path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """Neither an answer nor the end of the server; once there is room again, lines are written again."""
    dropped: list[int] = []
    log = RequestLog(ServingSettings(request_log=path), dropped=lambda: dropped.append(1))
    real = _Files._open
    monkeypatch.setattr(_Files, "_open", lambda _: Disk(full=True))
    file = writer_of(log)._file
    stand_in(file, file._open())
    for number in range(3):
        log.write({"number": number})
    until(lambda: len(dropped) == 3)
    monkeypatch.setattr(_Files, "_open", real)
    log.write({"number": 3})
    until(lambda: bool(path.read_text()))
    assert [line["number"] for line in lines(path)] == [3]
    stand_in(file, Disk(full=True))
    log.close()
    assert capsys.readouterr().err == "", "no traceback beside the log"


def test_a_disk_that_takes_no_more_does_not_hold_up_the_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue is full and its writer waits for ever: not even the end of the log finds room in it."""
    monkeypatch.setattr(request_log, "_WAITING", 4)
    monkeypatch.setattr(request_log, "_CLOSE_S", 0.2)
    dropped: list[int] = []
    log = RequestLog(ServingSettings(request_log=path), dropped=lambda: dropped.append(1))
    disk, writer = Disk(), writer_of(log)
    stand_in(writer._file, disk)
    thread = writer._thread
    assert thread is not None
    log.write({"number": 0})
    until(writer._waiting.empty)
    for number in range(1, 8):
        log.write({"number": number})
    assert len(dropped) == 3
    begun = time.monotonic()
    log.close()
    assert time.monotonic() - begun < 10
    assert len(dropped) == 7, "what waited is dropped, and counted"
    assert thread.is_alive()
    assert thread.daemon, "it does not hold up the process either"
    disk.back.set()
    thread.join(30)
    assert not thread.is_alive()


def writer_of(log: RequestLog) -> _Writer:
    assert log._listener is not None
    return log._listener


def stand_in(file: _Files, disk: Any) -> None:
    """Let lines go to something that is no file."""
    if file.stream is not None:
        file.stream.close()
    file.stream = disk


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_file_nothing_is_written(served: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with TestClient(create_app(settings_for(served)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        assert one.get("/healthz").headers["x-request-id"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_stops_the_start(served: Lake, tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").mkdir()
    with pytest.raises(RequestLogError, match=r"requests.jsonl cannot be written: Is a directory"):
        create_app(settings_for(served, request_log=tmp_path / "requests.jsonl"))
