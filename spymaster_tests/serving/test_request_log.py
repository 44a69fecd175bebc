"""The request log: a JSON line for each answer and each stream, nothing secret in it, and a size it keeps to."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from spymaster.lake import Lake
from spymaster.serving.app import create_app
from spymaster.serving.codec import PROTOCOL
from spymaster.serving.request_log import KEPT_FILES, RequestLog, RequestLogError, _Waiting
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


def test_without_a_file_nothing_is_written(served: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with TestClient(create_app(settings_for(served)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        assert one.get("/healthz").headers["x-request-id"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_stops_the_start(served: Lake, tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").mkdir()
    with pytest.raises(RequestLogError, match=r"requests.jsonl cannot be written: Is a directory"):
        create_app(settings_for(served, request_log=tmp_path / "requests.jsonl"))
