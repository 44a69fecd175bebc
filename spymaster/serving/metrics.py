"""What the sidecar counts, in a registry of its own. Labels come from closed sets only: never a symbol or a date."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from spymaster.serving.session import Chunk

_SHORT = (0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0)
_LONG = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LAG = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.06, 0.1, 0.25, 1.0)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self.clients = Gauge("spymaster_ws_clients", "open streams", registry=one)
        self.handshakes = Counter("spymaster_ws_handshakes", "handshakes of streams", ["result"], registry=one)
        self.outbox_depth = Histogram(
            "spymaster_outbox_depth", "messages that wait for a client", buckets=(0, 1, 2, 4, 8, 16), registry=one
        )
        self.windows_sent = Counter("spymaster_windows_sent", "seconds handed to sockets", registry=one)
        self.windows_dropped = Counter("spymaster_windows_dropped", "seconds dropped for slow readers", registry=one)
        self.window_lag = Histogram(
            "spymaster_window_lag_seconds", "due time to hand-over to the socket", buckets=_SHORT, registry=one
        )
        self.ack_lag = Histogram(
            "spymaster_ack_lag_seconds", "hand-over of a frame to its acknowledgement", buckets=_SHORT, registry=one
        )
        self.encode = Histogram(
            "spymaster_encode_seconds", "encoding of a window batch", ["surface"], buckets=_SHORT, registry=one
        )
        self.stalled = Counter("spymaster_clients_stalled", "clients closed for reading nothing", registry=one)
        self.load_seconds = Histogram(
            "spymaster_session_load_seconds", "loading of a chunk", buckets=_LONG, registry=one
        )
        self.cache_bytes = Gauge("spymaster_session_cache_bytes", "memory of loaded chunks", registry=one)
        self.analogue_bytes = Gauge(
            "spymaster_analogue_cache_bytes", "memory of what questions for analogues share", registry=one
        )
        self.evictions = Counter("spymaster_session_cache_evictions", "chunks put out", registry=one)
        self.orphan_rows = Counter(
            "spymaster_orphan_rows", "rows outside the timeline met by loads", ["surface"], registry=one
        )
        self.history_bytes = Counter("spymaster_history_bytes", "bytes of tiles and downloads", registry=one)
        self.requests = Counter(
            "spymaster_http_requests", "answers by route and status", ["route", "code"], registry=one
        )
        self.log_dropped = Counter(
            "spymaster_request_log_dropped", "lines of the request log that found no room", registry=one
        )
        self.loop_lag = Histogram(
            "spymaster_loop_lag_seconds", "how late the event loop wakes", buckets=_LAG, registry=one
        )

    def loaded(self, chunk: Chunk, seconds: float) -> None:
        """A chunk has been loaded in so many seconds."""
        self.load_seconds.observe(seconds)
        for surface, rows in chunk.orphans.items():
            self.orphan_rows.labels(surface).inc(rows)

    def text(self) -> bytes:
        """Everything, in Prometheus's text form."""
        return generate_latest(self.registry)
