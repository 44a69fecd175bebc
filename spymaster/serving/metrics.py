"""What the sidecar counts, in a registry of its own. Labels come from closed sets only: never a symbol or a date."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SHORT = (0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0)
_LONG = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


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
        self.encode = Histogram("spymaster_encode_seconds", "encoding of a window batch", buckets=_SHORT, registry=one)
        self.stalled = Counter("spymaster_clients_stalled", "clients closed for reading nothing", registry=one)
        self.loads = Gauge("spymaster_session_loads_total", "chunks loaded so far", registry=one)
        self.cache_bytes = Gauge("spymaster_session_cache_bytes", "memory of loaded chunks", registry=one)
        self.evictions = Gauge("spymaster_session_cache_evictions_total", "chunks put out so far", registry=one)
        self.requests = Counter("spymaster_http_requests", "answers by route and status", ["route", "code"],
                                registry=one)  # fmt: skip
        self.loop_lag = Gauge("spymaster_loop_lag_seconds", "how late the event loop woke last", registry=one)
        self.load_seconds = Histogram(
            "spymaster_session_load_seconds", "loading of a chunk", buckets=_LONG, registry=one
        )

    def text(self) -> bytes:
        """Everything, in Prometheus's text form."""
        return generate_latest(self.registry)
