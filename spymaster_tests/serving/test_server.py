"""A real uvicorn on a real port: what only a network shows."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from spymaster.cli.up import free_port
from spymaster.lake import Lake
from spymaster.serving import codec
from spymaster.serving.app import create_app
from spymaster.serving.codec import PROTOCOL
from spymaster.serving.server import _Server, config
from spymaster.serving.session import Session
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.serving.conftest import HEADERS, TOKEN, settings_for
from spymaster_tests.serving.lakes import DT, SYMBOL

SUBSCRIBE = {"type": "subscribe", "id": 1, "symbol": SYMBOL, "dt": str(DT), "surfaces": ["snap", "wall", "ladder"],
             "from": "start", "speed": "max", "play": True}  # fmt: skip


@contextmanager
def serving(lake: Lake, **settings: float) -> Iterator[int]:
    """A server in a thread; gives its port."""
    port = free_port("127.0.0.1")
    app = create_app(settings_for(lake, **settings))
    up = threading.Event()
    server = _Server(config(app, "127.0.0.1", port), app.state.services, up.set)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert up.wait(30)
    try:
        yield port
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port(served: Lake) -> Iterator[int]:
    with serving(served, stall_timeout_s=1.0, max_clients=4) as one:
        yield one


@contextmanager
def client(port: int, **options) -> Iterator[ClientConnection]:
    with connect(f"ws://127.0.0.1:{port}/v1/stream", subprotocols=[PROTOCOL], additional_headers=HEADERS,  # type: ignore[list-item]
                 max_size=None, proxy=None, **options) as socket:  # fmt: skip
        yield socket


def seconds(socket: ClientConnection, last: int) -> list[int]:
    """Seconds of the frames up to `last`, each acknowledged."""
    secs: list[int] = []
    while not secs or secs[-1] < last:
        message = socket.recv(timeout=30)
        if isinstance(message, bytes):
            frame = codec.parse(message)
            secs += range(frame.sec, frame.sec + frame.count)
            socket.send(json.dumps({"type": "ack", "epoch": frame.epoch, "seq": frame.seq}))
    return secs


def raw(port: int, path: str) -> tuple[int, bytes]:
    """An answer to a path that no client library has tidied."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=HEADERS)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize(
    "path",
    ["/v1/sessions/../../etc/passwd", "/v1/sessions/%2e%2e%2f%2e%2e%2f/x", f"/v1/sessions/..%2f/{DT}",
     f"/v1/sessions/{SYMBOL}/..", f"/v1/sessions/{SYMBOL}/%2e%2e", f"/v1/sessions/{SYMBOL}%00/{DT}",
     f"/v1/sessions/{SYMBOL}/{DT}/surfaces/..%2f..%2f_LAKE.json", f"/v1/sessions/{SYMBOL}/{DT}/surfaces/%2e%2e",
     "/v1/sessions/" + "A" * 5000 + f"/{DT}"],
)  # fmt: skip
def test_hostile_paths_reach_no_file(port: int, path: str) -> None:
    status, body = raw(port, path)
    assert status in (404, 422)
    assert b"root:" not in body
    assert b"format" not in body


def test_a_replay_at_full_speed_has_no_hole(port: int) -> None:
    with client(port) as socket:
        socket.send(json.dumps({**SUBSCRIBE, "bootstrap": 0}))
        assert seconds(socket, 1500)[:1501] == list(range(1501))


def test_a_replay_keeps_its_pace(port: int) -> None:
    with client(port) as socket:
        socket.send(json.dumps({**SUBSCRIBE, "from": 100, "speed": 50}))
        seconds(socket, 100)
        begun = time.monotonic()
        assert seconds(socket, 150)[:50] == list(range(101, 151))  # late ones travel together
        took = time.monotonic() - begun
    assert 0.9 <= took <= 5.0, "50 seconds at 50 a second; late only because the machine is busy"


def drain(socket: ClientConnection, within_s: float) -> None:
    """Read until the connection ends, without acknowledging."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        socket.recv(timeout=within_s)


def test_a_client_that_never_acknowledges_is_closed_and_others_go_on(port: int) -> None:
    with client(port) as stuck, client(port) as other:
        stuck.send(json.dumps(SUBSCRIBE))
        other.send(json.dumps({**SUBSCRIBE, "speed": 20}))
        got = seconds(other, 60)
        assert got == list(range(len(got))), "the other one plays for three seconds without a hole"
        with pytest.raises(ConnectionClosed) as closed:
            drain(stuck, 20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


def test_a_client_that_never_reads_is_cut_off(served: Lake) -> None:
    surfaces = ["snap", "wall", "vacuum", "pressure", "ladder", "radar"]  # many bytes soon
    credit = {"credit_messages": 1024, "credit_bytes": 2**30, "stall_timeout_s": 1.0}
    with serving(served, **credit) as port, client(port, max_queue=1) as stuck, client(port) as other:
        stuck.send(json.dumps({**SUBSCRIBE, "surfaces": surfaces}))
        other.send(json.dumps({**SUBSCRIBE, "speed": 20}))
        got = seconds(other, 80)
        assert got == list(range(len(got)))
        deadline = time.monotonic() + 20
        while "spymaster_ws_clients 1.0" not in raw(port, "/metrics")[1].decode():
            assert time.monotonic() < deadline, "what it held is given back"
            time.sleep(0.1)


def test_an_oversized_frame_is_refused(port: int) -> None:
    with client(port) as socket:
        socket.send("x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            drain(socket, 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def refusal(port: int) -> int | None:
    """Status with which a further client is turned away; None if it is let in."""
    try:
        with client(port):
            return None
    except InvalidStatus as error:
        return error.response.status_code


def test_one_client_too_many_is_turned_away(port: int) -> None:
    with client(port), client(port), client(port), client(port):
        assert refusal(port) == 503
    for _ in range(100):
        if refusal(port) is None:
            return
        time.sleep(0.05)
    raise AssertionError("places are not given back")


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 403), ({"Authorization": "Bearer wrong"}, 401), ({**HEADERS, "Origin": "http://evil.example"}, 403),
     ({**HEADERS, "Origin": "null"}, 403)],
)  # fmt: skip
def test_handshakes_are_refused_with_their_status(port: int, headers: dict[str, str], status: int) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(
        f"ws://127.0.0.1:{port}/v1/stream", subprotocols=[PROTOCOL], additional_headers=headers, proxy=None  # type: ignore[list-item]
    ):  # fmt: skip
        pass
    assert refused.value.response.status_code == status


def test_clients_are_told_of_the_end(served: Lake) -> None:
    sockets = []
    with serving(served) as port:
        sockets.append(connect(f"ws://127.0.0.1:{port}/v1/stream", subprotocols=[PROTOCOL],  # type: ignore[list-item]
                               additional_headers=HEADERS, proxy=None))  # fmt: skip
        sockets[0].recv(timeout=10)
    with pytest.raises(ConnectionClosed) as closed:
        drain(sockets[0], 10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in (1001, 1012)


def test_changed_data_is_announced(own_lake: Lake) -> None:
    with serving(own_lake, rescan_s=0.1) as port, client(port) as socket:
        socket.send(json.dumps({**SUBSCRIBE, "play": False}))
        while "state" not in str(socket.recv(timeout=20)):
            pass
        own_lake.partition("silver.trade", SYMBOL, DT).path.unlink()
        while True:
            message = socket.recv(timeout=20)
            if isinstance(message, str) and json.loads(message)["type"] == "session_changed":
                break
        socket.send(json.dumps({**SUBSCRIBE, "id": 2, "play": False}))
        answers = (json.loads(m) for m in iter(lambda: socket.recv(timeout=20), None) if isinstance(m, str))
        again = next(one for one in answers if one["type"] == "subscribed")
        assert again["data_version"] == json.loads(message)["data_version"]


def test_the_documented_client_gets_every_second(
    port: int, market: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (REPOSITORY / "docs" / "tasks" / "serve.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    monkeypatch.setenv("SPYMASTER_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("SPYMASTER_TOKEN", TOKEN)
    monkeypatch.setenv("SPYMASTER_DT", str(DT))
    names: dict[str, object] = {}
    exec(block, names)
    snap = names["snap"]
    assert isinstance(snap, pl.DataFrame)
    assert snap["sec"].to_list() == list(range(market.seconds))
    assert "spot_tick" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_the_command_serves_and_says_how_to_sign_in(served: Lake, tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "SPYMASTER_SERVING__TOKEN": TOKEN}
    command = [sys.executable, "-m", "spymaster.cli.main", "serve", "--lake", str(served.root), "--json"]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment)  # fmt: skip
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline()]
        while lines[-1] and lines[-1] != "}\n":
            lines.append(process.stdout.readline())
        told = json.loads("".join(lines))
        port = int(told["url"].rsplit(":", 1)[1])
        assert raw(port, "/v1/version")[0] == 200
        signed = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        signed.request("GET", told["sign_in"].removeprefix(told["url"]))
        assert signed.getresponse().status == 303
        second = subprocess.run([*command, "--port", str(port)], capture_output=True, text=True, env=environment,
                                check=False)  # fmt: skip
        assert second.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}" in second.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=30)
    assert TOKEN not in "".join(lines) + rest + errors
    assert "ticket=" not in errors


SUPERVISED = """
import os, signal, sys
from pathlib import Path
from spymaster.cli.supervisor import Supervisor
from spymaster.cli.up import sidecar
service = sidecar(Path(sys.argv[1]), "127.0.0.1", 0, Path(sys.argv[2]) / "logs")
Supervisor(Path(sys.argv[2]), [service], dict(os.environ), on_ready=lambda: os.kill(os.getpid(), signal.SIGTERM),
           on_stop=lambda: None).run()
print(service.url)
"""


def test_a_supervised_sidecar_leaves_no_sign_in_link_in_its_log(served: Lake, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "sidecar.log"
    log.write_text("of an earlier start")
    log.chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISED, str(served.root), str(tmp_path)],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    text = log.read_text()
    assert done.stdout.strip() in text
    assert "ticket=" not in text
    assert log.stat().st_mode & 0o777 == 0o600
    assert '"route":"/healthz"' in (tmp_path / "logs" / "requests.jsonl").read_text()
