"""Conversations over the stream: every message, every illegal order, and the contract of epochs and numbers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
from anyio import to_thread
from fastapi import FastAPI
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from spymaster.serving import codec
from spymaster.serving.codec import PROTOCOL, Flag, Frame, Kind
from spymaster.serving.errors import BusyError
from spymaster.serving.session import CHUNK_S, Session
from spymaster.serving.surfaces import BY_NAME, SURFACES
from spymaster.serving.tiles import tile_batches
from spymaster_tests.serving.conftest import HEADERS
from spymaster_tests.serving.lakes import DT, SYMBOL

URL = "ws://127.0.0.1:8787/v1/stream"
NAMES = [surface.name for surface in SURFACES]


class Conversation:
    """A client that checks the contract of every frame it gets, and acknowledges it."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket
        self.epoch, self.seq = 0, 0
        self.schemas: dict[str, pa.Schema] = {}
        self.frames: list[Frame] = []
        self.acknowledges = True
        self._id = 0

    def send(self, type_: str, **fields: Any) -> int:
        self._id += 1
        self.socket.send_text(json.dumps({"type": type_, "id": self._id, **fields}))
        return self._id

    def subscribe(self, **fields: Any) -> int:
        given = {"symbol": SYMBOL, "dt": str(DT), "surfaces": ["snap"], "from": "start", "speed": "max", "play": False}
        return self.send("subscribe", **{**given, **fields})

    def receive(self) -> dict[str, Any] | Frame:
        message = self.socket.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"], message.get("reason", ""))
        if message.get("text") is not None:
            return json.loads(message["text"])
        frame = codec.parse(message["bytes"])
        if frame.epoch > self.epoch:
            self.epoch, self.seq = frame.epoch, 0
            assert frame.kind is Kind.SCHEMA, "an epoch begins with its schemas"
        assert (frame.epoch, frame.seq) == (self.epoch, self.seq)
        self.seq += 1
        if frame.kind is Kind.SCHEMA:
            self.schemas = codec.read_schemas(frame)
        else:
            self.frames.append(frame)
        if self.acknowledges:
            self.socket.send_text(json.dumps({"type": "ack", "epoch": frame.epoch, "seq": frame.seq}))
        return frame

    def until(self, type_: str, **fields: Any) -> dict[str, Any]:
        """The next control message of a type with these fields; frames on the way are kept."""
        while True:
            message = self.receive()
            if isinstance(message, dict) and message["type"] == type_:
                if all(message[name] == value for name, value in fields.items()):
                    return message
                assert message["type"] != "error", message

    def until_sec(self, sec: int) -> None:
        while not self.secs or self.secs[-1] < sec:
            self.receive()

    @property
    def secs(self) -> list[int]:
        return [sec for frame in self.frames if frame.epoch == self.epoch
                for sec in range(frame.sec, frame.sec + frame.count)]  # fmt: skip


@contextmanager
def conversation(client: TestClient, **headers: str) -> Iterator[Conversation]:
    with client.websocket_connect(URL, [PROTOCOL], headers={**HEADERS, **headers}) as socket:
        yield Conversation(socket)


@pytest.fixture
def talk(client: TestClient) -> Iterator[Conversation]:
    with conversation(client) as one:
        assert one.until("hello")["protocol"] == PROTOCOL
        yield one


def test_a_paused_subscription_sends_history_and_nothing_more(talk: Conversation) -> None:
    request = talk.subscribe(**{"from": 500, "bootstrap": 400, "surfaces": NAMES})
    answer = talk.until("subscribed")
    assert (answer["id"], answer["epoch"], answer["mode"], answer["sec_first"]) == (request, 1, "replay", 0)
    statuses = {one["name"]: one["status"] for one in answer["surfaces"]}
    assert set(statuses.values()) == {"ok"}
    state = talk.until("state")
    assert (state["clock"], state["sec"], state["id"]) == ("paused", 500, request)
    assert talk.secs == list(range(100, 500))
    assert all(frame.flags & Flag.HISTORY and frame.kind is Kind.BUNDLE for frame in talk.frames)
    assert all(frame.count <= 300 for frame in talk.frames)
    assert list(talk.schemas) == NAMES


def test_every_second_is_delivered_once_to_the_end(talk: Conversation, market: Session) -> None:
    talk.subscribe(**{"from": market.seconds - 700, "bootstrap": 30, "play": True})
    end = talk.until("eos")
    assert end["sec"] == market.seconds - 1
    assert talk.secs == list(range(market.seconds - 730, market.seconds))
    assert [frame for frame in talk.frames if frame.flags & Flag.LAST] == talk.frames[-1:]
    assert talk.until("state")["clock"] == "ended"
    talk.send("play")
    assert talk.until("error", code="bad_message")["fatal"] is False
    talk.send("seek", sec=10)
    assert talk.until("state")["clock"] == "paused"


@pytest.mark.parametrize("span", [(300, 340), (CHUNK_S - 20, CHUNK_S + 20)], ids=["inside a chunk", "over a seam"])
def test_stream_iterator_and_tiles_hold_the_same(talk: Conversation, market: Session, span: tuple[int, int]) -> None:
    first, stop = span
    talk.subscribe(**{"from": first, "surfaces": NAMES, "play": False})
    talk.until("state")
    talk.send("step", n=stop - first)
    talk.until_sec(stop - 1)
    for surface in SURFACES:
        streamed = [codec.read_batches(frame, talk.schemas)[surface.name] for frame in talk.frames]
        table = pa.Table.from_batches(streamed)
        expected = [w.batches[surface.name] for w in market.iter_batches(first, stop, [surface.name], batch=7)]
        assert same(table, pa.Table.from_batches(expected))
        if surface.tiles:
            tiles = list(tile_batches(market, BY_NAME[surface.name], first, stop))
            assert same(table, pa.Table.from_batches(tiles))


def same(one: pa.Table, other: pa.Table) -> bool:
    """Equal values, bit for bit: NaN equals itself."""
    return one.schema == other.schema and all(_bits(one[name]) == _bits(other[name]) for name in one.column_names)


def _bits(column: pa.ChunkedArray) -> Any:
    if pa.types.is_string(column.type):
        return column.to_pylist()
    array = column.combine_chunks()
    plain = array.flatten() if pa.types.is_fixed_size_list(array.type) else array
    return plain.to_numpy(zero_copy_only=False).tobytes()


def test_the_same_bytes_at_any_speed(client: TestClient) -> None:
    tables = []
    for speed in (100.0, "max"):
        with conversation(client) as talk:
            talk.subscribe(**{"from": 700, "surfaces": ["snap", "wall"], "speed": speed, "play": True})
            talk.until_sec(719)
            batches = [codec.read_batches(f, talk.schemas)["wall"] for f in talk.frames]
            tables.append(pa.Table.from_batches(batches).slice(0, 20))
    assert same(*tables)


def test_windows_do_not_queue_behind_the_work_of_others(talk: Conversation, client: TestClient, app: FastAPI) -> None:
    talk.subscribe()
    talk.until("state", clock="paused")
    over = threading.Event()
    assert client.portal is not None
    try:
        for _ in range(app.state.services.settings.serving.worker_threads):
            client.portal.start_task_soon(to_thread.run_sync, over.wait)  # as loads and long answers would
        talk.send("play")
        talk.until_sec(300)
    finally:
        over.set()
    assert talk.secs == list(range(talk.secs[-1] + 1))


def test_play_pause_step_speed_and_seek(talk: Conversation) -> None:
    talk.subscribe(**{"from": 100, "speed": 50.0})
    talk.until("state", clock="paused")
    request = talk.send("step", n=3)
    assert talk.until("state")["id"] == request
    talk.until_sec(102)
    assert talk.secs == [100, 101, 102]
    talk.send("speed", value=100)
    assert talk.until("state")["speed"] == 100
    talk.send("play")
    state = talk.until("state", clock="playing")
    assert (state["sec"], state["base_sec"]) == (103, 103)
    talk.until_sec(110)
    talk.send("pause")
    paused = talk.until("state", clock="paused")
    talk.send("step", n=1)
    talk.until_sec(paused["sec"])
    assert talk.secs == list(range(100, paused["sec"] + 1))
    request = talk.send("seek", sec=50, bootstrap=5)
    assert talk.until("subscribed")["epoch"] == 2
    assert talk.until("state")["id"] == request
    assert talk.secs == list(range(45, 50))


def test_a_new_subscription_replaces_the_old_one(talk: Conversation) -> None:
    talk.subscribe(**{"from": 10, "play": True, "speed": 10.0})
    talk.until_sec(12)
    talk.subscribe(**{"from": 900, "surfaces": ["bands"]})
    assert talk.until("subscribed")["epoch"] == 2
    talk.until("state")
    assert list(talk.schemas) == ["bands"]
    talk.send("step", n=2)
    talk.until_sec(901)
    assert talk.secs == [900, 901]


def test_a_client_resumes_where_it_was(client: TestClient) -> None:
    with conversation(client) as talk:
        talk.subscribe(**{"from": 200, "play": True, "speed": 100.0})
        talk.until_sec(215)
        seen = talk.secs
    with conversation(client) as talk:
        talk.subscribe(**{"from": seen[-1] + 1, "bootstrap": 0, "play": True, "speed": 100.0})
        talk.until_sec(240)
        assert (seen + talk.secs)[:41] == list(range(200, 241))


def test_a_client_that_does_not_acknowledge_is_waited_for(talk: Conversation) -> None:
    talk.acknowledges = False
    talk.subscribe(**{"from": 0, "play": True, "speed": 100.0})
    talk.until("state", clock="throttled")
    sent = len(talk.frames)
    assert sent <= 32
    talk.acknowledges = True
    talk.socket.send_text(json.dumps({"type": "ack", "epoch": 1, "seq": talk.seq - 1}))
    talk.until("state", clock="playing")
    talk.until_sec(sent + 20)
    assert talk.secs == list(range(len(talk.secs))), "nothing is lost to a wait"


@pytest.mark.parametrize("type_", ["play", "pause", "step", "speed", "seek"])
def test_nothing_comes_before_subscribe(talk: Conversation, type_: str) -> None:
    request = talk.send(type_, **{"step": {"n": 1}, "speed": {"value": 2}, "seek": {"sec": 1}}.get(type_, {}))
    error = talk.until("error")
    assert (error["code"], error["id"], error["fatal"]) == ("bad_message", request, False)


def test_a_step_needs_a_pause(talk: Conversation) -> None:
    talk.subscribe(**{"from": 0, "play": True, "speed": 1.0})
    talk.until("state", clock="playing")
    talk.send("step", n=1)
    assert talk.until("error")["message"] == "step only while paused"


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "[]", "{}", '{"type":"leave","id":1}', '{"type":"play"}', '{"type":"play","id":1,"more":2}',
     '{"type":"play","id":-1}', '{"type":"step","id":1,"n":0}', '{"type":"step","id":1,"n":601}', '"' * 100,
     "[" * 3000],
)  # fmt: skip
def test_what_is_no_message_is_refused_and_the_conversation_goes_on(talk: Conversation, text: str) -> None:
    talk.socket.send_text(text)
    assert talk.until("error")["code"] == "bad_message"
    talk.subscribe()
    assert talk.until("subscribed")["epoch"] == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"symbol": "../..", "dt": str(DT)}, "unknown_session"),
        ({"symbol": "NQ"}, "unknown_session"),
        ({"dt": "2024-99-99"}, "unknown_session"),
        ({"from": 10**7}, "not_seekable"),
        ({"from": -1}, "not_seekable"),
        ({"from": "live"}, "not_seekable"),
        ({"surfaces": ["walls"]}, "bad_message"),
        ({"bootstrap": 1801}, "bad_message"),
        ({"speed": 0.1}, "limit"),
        ({"speed": 101}, "limit"),
    ],
)
def test_subscriptions_that_cannot_be(talk: Conversation, fields: dict[str, Any], code: str) -> None:
    talk.subscribe(**fields)
    assert talk.until("error")["code"] == code


def test_an_oversized_message_ends_the_conversation(talk: Conversation) -> None:
    talk.socket.send_text(json.dumps({"type": "play", "id": 1, "pad": "x" * 9000}))
    error = talk.until("error")
    assert (error["code"], error["fatal"]) == ("limit", True)
    with pytest.raises(WebSocketDisconnect) as closed:
        talk.receive()
    assert closed.value.code == 1009


def test_a_flood_of_messages_ends_the_conversation(talk: Conversation) -> None:
    for _ in range(60):
        talk.socket.send_text('{"type":"pause","id":1}')
    with pytest.raises(WebSocketDisconnect) as closed:
        talk.until("never")
    assert closed.value.code == 1008


def test_a_binary_frame_ends_the_conversation(talk: Conversation) -> None:
    talk.socket.send_bytes(b"\0")
    with pytest.raises(WebSocketDisconnect) as closed:
        talk.receive()
    assert closed.value.code == 1003


def test_another_subprotocol_is_not_spoken(client: TestClient) -> None:
    with client.websocket_connect(URL, ["other"], headers=dict(HEADERS)) as socket:
        assert socket.receive() == {
            "type": "websocket.close",
            "code": 1002,
            "reason": f"offer the subprotocol {PROTOCOL}",
        }


def test_streams_that_end_are_counted_out(client: TestClient, app: FastAPI) -> None:
    hub = app.state.services.hub
    before = hub.clients
    with conversation(client) as talk:
        talk.subscribe(play=True)
        talk.until_sec(5)
        assert hub.clients == before + 1
    for _ in range(100):
        if hub.clients == before:
            break
        client.get("/healthz")
    assert hub.clients == before
    assert not app.state.services.store._pins


def refuse(monkeypatch: pytest.MonkeyPatch, app: FastAPI, *numbers: int) -> list[int]:
    """Have the store refuse each of these chunks once, as not there; returns what is left to be refused."""
    store, left = app.state.services.store, list(numbers)
    load, held = store.chunk, store.held

    def chunk(session: Session, number: int):
        if number in left:
            left.remove(number)
            raise BusyError("the memory for market sessions is taken by running streams")
        return load(session, number)

    monkeypatch.setattr(store, "chunk", chunk)
    monkeypatch.setattr(store, "held", lambda session, number: None if number in left else held(session, number))
    return left


@pytest.mark.parametrize("order", ["subscribe", "seek"])
def test_a_start_without_memory_is_refused_and_can_be_tried_again(
    talk: Conversation, app: FastAPI, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    if order == "seek":
        talk.subscribe(**{"from": 20})
        talk.until("state")
    left = refuse(monkeypatch, app, 0)
    request = talk.send("seek", sec=5) if order == "seek" else talk.subscribe(**{"from": 5})
    error = talk.until("error")
    assert (error["id"], error["code"], error["fatal"]) == (request, "busy", False)
    talk.send("play")
    assert talk.until("error")["message"] == "subscribe first"
    assert not app.state.services.store._pins
    talk.subscribe(**{"from": 5, "play": True})
    talk.until_sec(30)
    assert not left


def test_a_replay_that_finds_no_memory_pauses_where_it_is(
    talk: Conversation, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk.subscribe(**{"from": CHUNK_S - 400})
    talk.until("state")
    left = refuse(monkeypatch, app, 1, 1)  # once as the next chunk is asked for, once as it is needed
    talk.send("play")
    error = talk.until("error")
    assert (error["id"], error["code"], error["fatal"]) == (None, "busy", False)
    assert talk.until("state", clock="paused")["sec"] == CHUNK_S
    assert not left
    talk.send("play")
    talk.until_sec(CHUNK_S + 20)
    assert talk.secs == list(range(CHUNK_S - 400, talk.secs[-1] + 1)), "nothing is lost, nothing comes twice"
