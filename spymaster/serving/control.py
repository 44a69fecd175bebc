"""Control messages of the stream: JSON text, a tagged union on `type` in either direction.

The JSON Schema of both unions is exported, and the TypeScript types of the HUD are generated from it
(`python -m spymaster.serving.typescript`). Nanoseconds are decimal strings: they do not fit a JSON number.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

ErrorCode = Literal[
    "bad_message", "unknown_session", "not_seekable", "busy", "too_many", "limit", "incompatible", "internal"
]
ClockState = Literal["playing", "paused", "throttled", "ended"]
SurfaceStatus = Literal["ok", "unavailable", "broken"]

MAX_BOOTSTRAP = 1800
MAX_STEP = 600


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True)

    def text(self) -> str:
        """The message as it travels."""
        return self.model_dump_json(by_alias=True)


class _Request(_Message):
    id: int = Field(ge=0, le=2**53 - 1, description="echoed in the answer")


class Subscribe(_Request):
    """Follow a market session from a second on; replaces any earlier subscription and starts a new epoch."""

    type: Literal["subscribe"] = "subscribe"
    symbol: str = Field(max_length=12)
    dt: str = Field(max_length=10)
    surfaces: list[str] = Field(min_length=1, max_length=32)
    from_: int | Literal["start", "live"] = Field(validation_alias="from", serialization_alias="from")
    bootstrap: int = Field(default=0, ge=0, le=MAX_BOOTSTRAP, description="seconds of history before `from`")
    speed: float | Literal["max"] = 1.0
    play: bool = True


class Play(_Request):
    """Let the clock run."""

    type: Literal["play"] = "play"


class Pause(_Request):
    """Stop the clock."""

    type: Literal["pause"] = "pause"


class Step(_Request):
    """Send the next `n` seconds at once; only while paused."""

    type: Literal["step"] = "step"
    n: int = Field(ge=1, le=MAX_STEP)


class Speed(_Request):
    """Change the speed, seconds of the market per second; `max` sends as fast as the client reads."""

    type: Literal["speed"] = "speed"
    value: float | Literal["max"]


class Seek(_Request):
    """Go on from another second: the outbox is cleared and a new epoch starts."""

    type: Literal["seek"] = "seek"
    sec: int = Field(ge=0)
    bootstrap: int = Field(default=0, ge=0, le=MAX_BOOTSTRAP)


class Ack(_Message):
    """The last frame the client has worked through; without acknowledgements the server stops sending."""

    type: Literal["ack"] = "ack"
    epoch: int = Field(ge=0)
    seq: int = Field(ge=0)


ClientMessage = Annotated[Subscribe | Play | Pause | Step | Speed | Seek | Ack, Field(discriminator="type")]


class Limits(_Message):
    """Bounds a client should know."""

    max_speed: float
    bundle_max: int
    bootstrap_max: int
    credit_messages: int
    credit_bytes: int
    control_bytes: int


class Hello(_Message):
    """First message of the server."""

    type: Literal["hello"] = "hello"
    server_version: str
    bundle_version: str | None
    protocol: str
    limits: Limits
    auth_expires: int | None = Field(description="Unix seconds; null when it does not expire")


class Loading(_Message):
    """Progress of a cold load."""

    type: Literal["loading"] = "loading"
    pct: int = Field(ge=0, le=100)


class SubscribedSurface(_Message):
    """A surface of the subscription and whether it has data; one without travels with missing codes."""

    name: str
    id: int
    status: SurfaceStatus
    reason: str | None = None


class Subscribed(_Message):
    """Answer to `subscribe` and `seek`; a SCHEMA frame, HISTORY bundles and the windows follow."""

    type: Literal["subscribed"] = "subscribed"
    id: int
    epoch: int
    mode: Literal["replay", "live"]
    data_version: str
    sec_first: int
    sec_last: int
    surfaces: list[SubscribedSurface]


class State(_Message):
    """The clock after a change. Second s is due at base_mono_ns + (s - base_sec) / speed on the server's clock."""

    type: Literal["state"] = "state"
    id: int | None = None
    epoch: int
    clock: ClockState
    sec: int = Field(description="next second to be sent")
    speed: float | Literal["max"]
    base_sec: int
    base_mono_ns: str


EventKind = Literal[
    "candle_closed",
    "level_added",
    "level_changed",
    "episode_started",
    "episode_triggered",
    "episode_resolved",
    "evidence_added",
]


class EventMessage(_Message):
    """Something that became known at a second; sent before the window of that second."""

    type: Literal["event"] = "event"
    sec: int
    kind: EventKind
    payload: dict[str, Any]


class Gap(_Message):
    """Seconds that will not be delivered (`from`..`to`, both included); fetch them over HTTP."""

    type: Literal["gap"] = "gap"
    epoch: int
    from_: int = Field(validation_alias="from", serialization_alias="from")
    to: int
    reason: Literal["slow_reader", "source"]


class Heartbeat(_Message):
    """Sent when nothing else was for a while."""

    type: Literal["heartbeat"] = "heartbeat"
    now_mono_ns: str
    sec: int | None


class SessionChanged(_Message):
    """The data on disk changed: subscribe again."""

    type: Literal["session_changed"] = "session_changed"
    data_version: str


class Eos(_Message):
    """The market session has ended; `sec` is its last window."""

    type: Literal["eos"] = "eos"
    sec: int


class ErrorMessage(_Message):
    """A request that was not carried out; a fatal one closes the connection."""

    type: Literal["error"] = "error"
    id: int | None = None
    code: ErrorCode
    message: str
    fatal: bool


ServerMessage = Annotated[
    Hello | Loading | Subscribed | State | EventMessage | Gap | Heartbeat | SessionChanged | Eos | ErrorMessage,
    Field(discriminator="type"),
]

CLIENT: TypeAdapter[Any] = TypeAdapter(ClientMessage)
SERVER: TypeAdapter[Any] = TypeAdapter(ServerMessage)


def json_schema() -> dict[str, Any]:
    """One JSON Schema document with the two unions, `ClientMessage` and `ServerMessage`, under `$defs`."""
    _, document = TypeAdapter.json_schemas(
        [("client", "validation", CLIENT), ("server", "serialization", SERVER)],
        by_alias=True,
        ref_template="#/$defs/{model}",
    )
    client, server = (adapter.json_schema(ref_template="#/$defs/{model}") for adapter in (CLIENT, SERVER))
    definitions = {
        **document["$defs"],
        "ClientMessage": {"oneOf": client["oneOf"]},
        "ServerMessage": {"oneOf": server["oneOf"]},
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": definitions}
