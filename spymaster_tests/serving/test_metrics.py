"""What the sidecar counts: fed, and without names of sessions."""

from __future__ import annotations

import json

import polars as pl
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from spymaster.lake import Lake
from spymaster.serving import codec
from spymaster.serving.app import create_app
from spymaster.serving.codec import PROTOCOL
from spymaster.serving.session import CHUNK_S
from spymaster_tests.checks.sessions import spoil
from spymaster_tests.serving.conftest import BASE, HEADERS, settings_for
from spymaster_tests.serving.lakes import DT, SYMBOL
from spymaster_tests.serving.test_http import get


def test_metrics_count_without_names_of_sessions(client: TestClient) -> None:
    get(client, "/reading", sec=5)
    text = client.get("/metrics").text
    assert 'spymaster_http_requests_total{code="200",route="/v1/sessions/{symbol}/{dt}/reading"}' in text
    assert "spymaster_session_cache_bytes" in text
    assert str(DT) not in text
    assert '"ES"' not in text


def sample(client: TestClient, name: str, **labels: str) -> float:
    """The value of a metric now."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return sum(one.value for family in families for one in family.samples
               if one.name == name and labels.items() <= one.labels.items())  # fmt: skip


def test_metrics_are_fed(served: Lake) -> None:
    settings = settings_for(served, cache_bytes=20 * 1024**2)  # less than two chunks
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        assert sample(one, "spymaster_session_load_seconds_count") == 0
        size = len(get(one, "/tiles/snap", **{"from": 0, "to": 10}).content)
        get(one, "/tiles/snap", **{"from": CHUNK_S, "to": CHUNK_S + 10})
        assert sample(one, "spymaster_session_load_seconds_count") == 2
        assert sample(one, "spymaster_session_cache_evictions_total") == 1
        assert sample(one, "spymaster_history_bytes_total") == 2 * size
        assert sample(one, "spymaster_http_requests_total", route="refused", code="401") == 0
        one.get(BASE, headers={"Authorization": "Bearer wrong"})
        assert sample(one, "spymaster_http_requests_total", route="refused", code="401") == 1
        stream = "ws://127.0.0.1:8787/v1/stream"
        with pytest.raises(WebSocketDisconnect), one.websocket_connect(stream, headers={"Origin": "null"}):
            pass
        assert sample(one, "spymaster_ws_handshakes_total", result="foreign_origin") == 1
        with one.websocket_connect(stream, [PROTOCOL], headers=dict(HEADERS)) as socket:
            ask = {"type": "subscribe", "id": 1, "symbol": SYMBOL, "dt": str(DT), "surfaces": ["snap"], "from": 5}
            socket.send_text(json.dumps(ask | {"speed": "max", "play": True}))
            frame = None
            while frame is None or frame.sec < 200:
                message = socket.receive()
                if message.get("bytes"):
                    frame = codec.parse(message["bytes"])
                    socket.send_text(json.dumps({"type": "ack", "epoch": frame.epoch, "seq": frame.seq}))
        assert sample(one, "spymaster_windows_sent_total") >= 60
        assert sample(one, "spymaster_encode_seconds_count", surface="snap") >= 1
        assert sample(one, "spymaster_ack_lag_seconds_count") >= 1
        assert sample(one, "spymaster_loop_lag_seconds_count") >= 1


def test_rows_outside_the_timeline_are_counted_once_loaded(own_lake: Lake) -> None:
    def moved(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.with_columns(pl.col("window_end").dt.offset_by("500ms"))

    spoil(own_lake, "silver.physics_bands_1s", moved)
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        get(one, "/reading", sec=5)
        assert sample(one, "spymaster_orphan_rows_total", surface="bands") >= CHUNK_S - 1
