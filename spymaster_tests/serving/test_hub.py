"""Ports, rings and shared channels: bounds, credit, gaps, and joins without a seam."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import numpy as np
import pytest

from spymaster.serving import codec
from spymaster.serving.batches import missing_columns, record_batch
from spymaster.serving.codec import Flag, Kind
from spymaster.serving.hub import ClientPort, EncodedCache, Hub, Ring, SharedChannel
from spymaster.serving.metrics import Metrics
from spymaster.serving.producers import Mode
from spymaster.serving.session import WindowBatch
from spymaster.serving.surfaces import BY_NAME, Geometry
from spymaster.settings import ServingSettings
from spymaster_tests.serving.lakes import KEY

GEOMETRY = Geometry(half_ticks=20)
VACUUM = BY_NAME["vacuum"]


def window(sec: int, count: int = 1) -> WindowBatch:
    secs = np.arange(sec, sec + count, dtype=np.int32)
    batch = record_batch(VACUUM, GEOMETRY, secs, missing_columns(VACUUM, GEOMETRY, count))
    return WindowBatch(sec, count, (sec + count) * 10**9, np.full(count, 3, np.uint8), {"vacuum": batch})


class Reader:
    """A client that takes what it is sent, at once or when told to."""

    def __init__(self, *, reads: bool = True) -> None:
        self.open = asyncio.Event()
        self.got: list[str | bytes] = []
        if reads:
            self.open.set()

    async def send(self, payload: str | bytes) -> None:
        await self.open.wait()
        self.got.append(payload)

    @property
    def frames(self) -> list[codec.Frame]:
        return [codec.parse(one) for one in self.got if isinstance(one, bytes)]

    @property
    def messages(self) -> list[dict]:
        return [json.loads(one) for one in self.got if isinstance(one, str)]

    @property
    def secs(self) -> list[int]:
        return [sec for frame in self.frames for sec in range(frame.sec, frame.sec + frame.count)]


class LiveProducer:
    """A producer that does not wait, and makes windows when the test says so."""

    mode: Mode = "live"
    lossless = False

    def __init__(self) -> None:
        self.queue: asyncio.Queue[WindowBatch | None] = asyncio.Queue()

    async def windows(self, after_sec: int) -> AsyncIterator[WindowBatch]:
        while (batch := await self.queue.get()) is not None:
            yield batch

    def close(self) -> None:
        self.queue.put_nowait(None)


def port_of(reader: Reader, **settings: float) -> ClientPort:
    port = ClientPort(reader.send, ServingSettings(**settings), Metrics())  # type: ignore[arg-type]
    port.new_epoch()
    return port


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_the_ring_remembers_exactly_its_size() -> None:
    ring = Ring(1800)
    body = codec.batch_body(window(0).batches)
    for sec in range(1801):
        ring.push(window(sec), body)
    assert len(ring) == 1800
    assert [batch.sec for batch, _ in ring.last(1800)] == list(range(1, 1801))
    assert [batch.sec for batch, _ in ring.last(3)] == [1798, 1799, 1800]
    assert ring.last(0) == []


def test_a_client_that_joins_gets_history_and_stream_without_a_seam() -> None:
    async def play() -> Reader:
        producer, reader = LiveProducer(), Reader()
        channel = SharedChannel(producer, ServingSettings(outbox_messages=1024), Metrics())
        task = asyncio.create_task(channel.run())
        port = port_of(reader, outbox_messages=1024)
        writer = asyncio.create_task(port.write())
        for sec in range(40):
            await producer.queue.put(window(sec))
            if sec == 25:
                await settle()
                channel.join(port, 10)
        await settle()
        channel.leave(port)
        producer.close()
        await task
        writer.cancel()
        return reader

    reader = asyncio.run(play())
    assert reader.secs == list(range(16, 40))
    assert [bool(f.flags & Flag.HISTORY) for f in reader.frames] == [True] * 10 + [False] * 14
    assert [f.seq for f in reader.frames] == list(range(24))


def test_a_slow_reader_of_a_live_stream_loses_the_oldest_and_is_told() -> None:
    async def play() -> tuple[Reader, Reader]:
        producer, slow, fast = LiveProducer(), Reader(reads=False), Reader()
        channel = SharedChannel(producer, ServingSettings(), Metrics())
        task = asyncio.create_task(channel.run())
        ports = [port_of(slow, outbox_messages=6), port_of(fast)]
        writers = [asyncio.create_task(port.write()) for port in ports]
        for port in ports:
            channel.join(port, 0)
        for sec in range(30):
            await producer.queue.put(window(sec))
            await settle()
        slow.open.set()
        await settle()
        await producer.queue.put(window(30))
        await settle()
        producer.close()
        await task
        for writer in writers:
            writer.cancel()
        return slow, fast

    slow, fast = asyncio.run(play())
    assert fast.secs == list(range(31)), "a reader that keeps up loses nothing to one that does not"
    gaps = [message for message in slow.messages if message["type"] == "gap"]
    told = [sec for gap in gaps for sec in range(gap["from"], gap["to"] + 1)]
    assert sorted(set(told) | set(slow.secs)) == list(range(31))
    assert not set(told) & set(slow.secs)
    assert all(gap["reason"] == "slow_reader" for gap in gaps)
    after = {frame.sec for frame in slow.frames if frame.flags & Flag.AFTER_GAP}
    assert after == {gap["to"] + 1 for gap in gaps}
    for gap in gaps:
        at = next(n for n, one in enumerate(slow.got) if isinstance(one, str) and json.loads(one) == gap)
        following = next(one for one in slow.got[at:] if isinstance(one, bytes))
        assert codec.parse(following).sec == gap["to"] + 1


def test_schema_history_and_control_are_never_dropped() -> None:
    async def play() -> Reader:
        reader = Reader(reads=False)
        port = port_of(reader, outbox_messages=4)
        port.control('{"type":"hello"}')
        port.schema(["vacuum"], GEOMETRY)
        port.frame(codec.batch_body(window(0, 5).batches), window(0, 5), history=True)
        for sec in range(5, 25):
            port.offer(codec.batch_body(window(sec).batches), window(sec))
        writer = asyncio.create_task(port.write())
        reader.open.set()
        await settle()
        writer.cancel()
        return reader

    reader = asyncio.run(play())
    assert reader.messages[0] == {"type": "hello"}
    assert [frame.kind for frame in reader.frames[:2]] == [Kind.SCHEMA, Kind.BUNDLE]
    assert reader.secs[-1] == 24


def test_credit_runs_out_and_comes_back_with_acknowledgements() -> None:
    async def play() -> None:
        reader = Reader()
        port = port_of(reader, credit_messages=5, outbox_messages=100)
        writer = asyncio.create_task(port.write())
        body = codec.batch_body(window(0).batches)
        sent = 0
        while port.has_room():
            port.frame(body, window(sent))
            sent += 1
            await settle()
        assert sent == 5
        waiting = asyncio.create_task(port.wait_room())
        port.ack(port.epoch - 1, 4)
        await settle()
        assert not waiting.done(), "an acknowledgement of another epoch gives nothing"
        port.ack(port.epoch, 1)
        await settle()
        assert waiting.done()
        assert port.has_room()
        writer.cancel()

    asyncio.run(play())


def test_a_new_epoch_forgets_frames_and_keeps_messages() -> None:
    async def play() -> Reader:
        reader = Reader()
        port = port_of(reader)
        body = codec.batch_body(window(0).batches)
        port.frame(body, window(0))
        port.control('{"type":"state"}')
        assert port.new_epoch() == 2
        port.frame(body, window(70))
        writer = asyncio.create_task(port.write())
        await settle()
        writer.cancel()
        return reader

    reader = asyncio.run(play())
    assert [(frame.epoch, frame.seq, frame.sec) for frame in reader.frames] == [(2, 0, 70)]
    assert reader.messages == [{"type": "state"}]


def test_silence_is_broken_by_heartbeats() -> None:
    async def play() -> Reader:
        reader = Reader()
        writer = asyncio.create_task(port_of(reader, heartbeat_s=0.02).write())
        await asyncio.sleep(0.2)
        writer.cancel()
        return reader

    beats = asyncio.run(play()).messages
    assert len(beats) >= 3
    assert {beat["type"] for beat in beats} == {"heartbeat"}
    assert int(beats[-1]["now_mono_ns"]) > int(beats[0]["now_mono_ns"])


@pytest.mark.parametrize("reads", [True, False], ids=["reads but never acknowledges", "never reads"])
def test_a_client_without_progress_is_expelled_and_others_are_not(reads: bool) -> None:
    async def play() -> tuple[bool, bool]:
        settings = ServingSettings(stall_timeout_s=0.1, credit_messages=3)
        hub = Hub(settings, Metrics())
        stuck, idle = Reader(reads=reads), Reader()
        ports = [hub.open(stuck.send), hub.open(idle.send)]
        writers = [asyncio.create_task(port.write()) for port in ports]
        for sec in range(3):
            ports[0].frame(codec.batch_body(window(sec).batches), window(sec))
        await asyncio.sleep(0.05)
        hub.expel_stalled()
        assert not ports[0].stalled.is_set()
        await asyncio.sleep(0.15)
        hub.expel_stalled()
        for writer in writers:
            writer.cancel()
        return ports[0].stalled.is_set(), ports[1].stalled.is_set()

    assert asyncio.run(play()) == (True, False)


def test_one_encoding_serves_many() -> None:
    metrics = Metrics()
    cache = EncodedCache(metrics, bound=3000)
    first = cache.body(window(5), "ES", "v1")
    assert cache.body(window(5), "ES", "v1") is first
    assert cache.body(window(5), "ES", "v2") is not first
    for sec in range(20):
        cache.body(window(sec), "ES", "v1")
        assert cache.nbytes <= 3000


def test_clients_of_a_changed_session_are_told() -> None:
    async def play() -> tuple[Reader, Reader]:
        hub = Hub(ServingSettings(), Metrics())
        readers = Reader(), Reader()
        ports = [hub.open(reader.send) for reader in readers]
        hub.follow(ports[0], KEY)
        hub.changed({KEY}, lambda _: "0123456789abcdef")
        writers = [asyncio.create_task(port.write()) for port in ports]
        await settle()
        for writer in writers:
            writer.cancel()
        return readers

    follower, other = asyncio.run(play())
    assert follower.messages == [{"type": "session_changed", "data_version": "0123456789abcdef"}]
    assert other.messages == []
