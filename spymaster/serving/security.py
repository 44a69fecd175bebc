"""Who may ask: hosts, origins, token, tickets and cookies, request rates, and the headers of every answer.

A sidecar on a laptop is reachable by every page its user visits and by every other user of the machine. So: it answers
only to its own names (a foreign name in Host means that somebody's DNS points here), a stream opens only for a page of
its own (browsers let any page open a WebSocket), and everything but the page itself needs the token.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from spymaster.errors import SpymasterError
from spymaster.serving.metrics import Metrics
from spymaster.serving.stream import Bucket
from spymaster.settings import LEAST_TOKEN, ServingSettings

TICKET_S = 600
MAX_POST_BYTES = 4096
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")
CSP = (
    "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; style-src 'self'; worker-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: dict[bytes, bytes] = {
    b"content-security-policy": CSP.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
REQUESTS_PER_S, REQUEST_BURST = 60.0, 120.0

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class UnsafeBindError(SpymasterError):
    """An address that others can reach, without a token."""


class BadTokenError(SpymasterError):
    """A token file that holds no usable token."""


def token_file() -> Path:
    """Where the generated token is kept, in the user's state folder."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "spymaster" / "token"


def load_token(settings: ServingSettings) -> str:
    """The token of the settings, else the one in `token_file`, made on first use and readable by its owner only.

    Raises `BadTokenError` for a file whose token is empty or short: it would let everyone in.
    """
    if settings.token is not None:
        return settings.token.get_secret_value()
    path = token_file()
    if not path.exists():
        _make_token(path)
    token = path.read_text(encoding="utf-8").strip()
    if len(token) < LEAST_TOKEN:
        raise BadTokenError(
            f"the token in {path} has {len(token)} characters, fewer than {LEAST_TOKEN}",
            hint="Remove the file: the next start makes a new one.",
        )
    return token


def _make_token(path: Path) -> None:
    """A new token file, whole from the first moment it is there; one that another process made first is kept."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink()


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_safe_bind(settings: ServingSettings, host: str) -> None:
    """Raise `UnsafeBindError` for an address others can reach without authentication."""
    if settings.auth == "none" and not is_loopback(host):
        raise UnsafeBindError(
            f"auth = none is honoured on loopback only, and {host} can be reached from other machines",
            hint="Listen on 127.0.0.1, or set serving.auth to token.",
        )


def mint_ticket(token: str, now: float | None = None) -> str:
    """A ticket for one sign-in within `TICKET_S`. Any process that knows the token can make one."""
    expires = int((time.time() if now is None else now) + TICKET_S)
    core = f"{expires}.{secrets.token_urlsafe(16)}"
    return f"{core}.{_signature(token, core)}"


def sign_in_url(base: str, token: str) -> str:
    """A link that signs a browser in, once."""
    return f"{base}/auth?ticket={mint_ticket(token)}"


class Guard:
    """Decides who may come in. One per application; knows the token and the tickets that were used.

    Raises `BadTokenError` for a token that is empty or short.
    """

    def __init__(self, settings: ServingSettings, token: str) -> None:
        if len(token) < LEAST_TOKEN:
            raise BadTokenError(f"a token has at least {LEAST_TOKEN} characters, this one {len(token)}")
        self._token = token
        self._open = settings.auth == "none"
        self._hosts = {*LOOPBACK_HOSTS, *(host.lower() for host in settings.allowed_hosts)}
        self._origins = {origin.rstrip("/").lower() for origin in settings.allowed_origins}
        self._used: OrderedDict[str, int] = OrderedDict()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    @property
    def cookie_value(self) -> str:
        """What the cookie carries: not the token, but something only its owner can make."""
        return _signature(self._token, "cookie")

    def use_ticket(self, ticket: str) -> bool:
        """Whether a ticket is genuine, in time, and used for the first time."""
        core, _, signature = ticket.rpartition(".")
        expires, _, _ = core.partition(".")
        if not hmac.compare_digest(signature.encode(), _signature(self._token, core).encode()):
            return False
        now = int(time.time())
        while self._used and next(iter(self._used.values())) < now:
            self._used.popitem(last=False)
        if int(expires) < now or core in self._used:
            return False
        self._used[core] = int(expires)
        return True

    def is_token(self, text: str) -> bool:
        """Whether `text` is the token."""
        return secrets.compare_digest(text.encode(), self._token.encode())

    def host_allowed(self, host: str) -> bool:
        """Whether a Host header names this server."""
        return split_host(host)[0] in self._hosts

    def authenticated(self, headers: dict[bytes, bytes], port: int) -> bool:
        """Whether a request carries the token or a cookie made from it."""
        if self._open:
            return True
        bearer = bearer_token(headers)
        if bearer is not None:
            return self.is_token(bearer)
        cookie = cookies(headers.get(b"cookie", b"")).get(cookie_name(port), "")
        return secrets.compare_digest(cookie.encode(), self.cookie_value.encode())

    def origin_allowed(self, headers: dict[bytes, bytes], scheme: str) -> bool:
        """Whether a stream may be opened by where it comes from; without an origin only scripts with a token may."""
        origin = headers.get(b"origin")
        if origin is None:
            return bearer_token(headers) is not None or self._open
        text = origin.decode("latin-1").lower()
        page = {"ws": "http", "wss": "https"}.get(scheme, scheme)
        own = f"{page}://{headers.get(b'host', b'').decode('latin-1').lower()}"
        return text == own or text in self._origins

    def may_ask(self, client: str) -> bool:
        """Whether a client keeps to its rate of requests."""
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = Bucket(REQUESTS_PER_S, REQUEST_BURST)
            if len(self._buckets) > 1024:
                self._buckets.popitem(last=False)
        return bucket.take()


class SecurityMiddleware:
    """Turns away what `Guard` refuses, before the application sees it, and adds the headers to every answer."""

    def __init__(self, app: App, guard: Guard, metrics: Metrics) -> None:
        self._app = app
        self._guard = guard
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            if scope["type"] == "websocket":
                self._metrics.handshakes.labels(refusal[1]).inc()
            else:
                self._metrics.requests.labels("refused", str(refusal[0])).inc()
            scope["refused"] = refusal[1]
            await _refuse(scope, receive, send, *refusal)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((name, value) for name, value in HEADERS.items() if name not in given),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        """Status and code of what is refused."""
        guard = self._guard
        if not guard.host_allowed(headers.get(b"host", b"").decode("latin-1")):
            return 400, "foreign_host"
        port = (scope.get("server") or ("", 0))[1] or 0
        if scope["type"] == "websocket":
            if not guard.origin_allowed(headers, scope.get("scheme", "ws")):
                return 403, "foreign_origin"
            return None if guard.authenticated(headers, port) else (401, "unauthenticated")
        if not guard.may_ask((scope.get("client") or ("",))[0]):
            return 429, "too_many_requests"
        if _body_size(headers) > (MAX_POST_BYTES if scope["method"] == "POST" else 0):
            return 413, "body_too_large"
        if scope["method"] == "POST" and b"origin" in headers and not guard.origin_allowed(headers, scope["scheme"]):
            return 403, "foreign_origin"
        if _needs_token(scope["path"]) and not guard.authenticated(headers, port):
            return 401, "unauthenticated"
        return None


def split_host(host: str) -> tuple[str, str]:
    """Name and port of a Host header; the name of an IPv6 literal keeps its brackets."""
    text = host.lower()
    if text.startswith("["):
        name, bracket, rest = text.partition("]")
        return name + bracket, rest.removeprefix(":")
    name, _, port = text.partition(":")
    return name, port


def bearer_token(headers: dict[bytes, bytes]) -> str | None:
    """The token of an Authorization header, if there is one."""
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value else None


def cookies(header: bytes) -> dict[str, str]:
    """Cookies of a request by name."""
    pairs = (part.strip().partition("=") for part in header.decode("latin-1").split(";"))
    return {name: value for name, sign, value in pairs if sign}


def cookie_name(port: int) -> str:
    """Cookies do not know ports: the name tells servers on one host apart."""
    return f"spymaster_{port}"


def _needs_token(path: str) -> bool:
    return path.startswith("/v1/") or path == "/v1"


def _body_size(headers: dict[bytes, bytes]) -> int:
    """Announced size of a body; one of unknown size counts as too large."""
    if b"transfer-encoding" in headers:
        return MAX_POST_BYTES + 1
    try:
        return int(headers.get(b"content-length", b"0"))
    except ValueError:
        return MAX_POST_BYTES + 1


def _signature(token: str, text: str) -> str:
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, code: str) -> None:
    """Answer with a problem document; to a handshake too, where the server can."""
    body = json.dumps({"type": "about:blank", "status": status, "code": code, "title": code.replace("_", " ")}).encode()
    headers = [(b"content-type", b"application/problem+json"), *HEADERS.items()]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 429:
        headers.append((b"retry-after", b"1"))
    prefix = "http"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
        prefix = "websocket.http"
    await send({"type": f"{prefix}.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body})
