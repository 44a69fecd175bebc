"""Answers of the HTTP API: problems, entity tags, caching, and streams that wait for their turn."""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Any

from anyio import to_thread
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from prometheus_client import Counter
from starlette.concurrency import iterate_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spymaster.serving.problems import PROBLEM
from spymaster.serving.services import Jobs
from spymaster.serving.session import Session

GZIP_LEVEL = 1
"""The fastest: cells are nearly as small with it as with any other."""
IMMUTABLE = "private, max-age=31536000, immutable"
_LOG = logging.getLogger(__name__)


def problem(status: int, code: str, title: str, hint: str | None = None) -> JSONResponse:
    """An error as `application/problem+json`; `code` is stable, and nothing tells of paths or stacks."""
    body: dict[str, Any] = {"type": "about:blank", "status": status, "code": code, "title": title}
    if hint:
        body["detail"] = hint
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse(body, status_code=status, media_type=PROBLEM, headers=headers)


def cache_headers(
    request: Request, session: Session, *, plain: bool = False, body: bytes | None = None
) -> dict[str, str]:
    """Entity tag and caching: for good only if the address carries the data version, which covers the encoding.

    plain: the answer is never compressed. body: an answer that depends on more than the data; it is tagged by itself,
    and asked for again every time.
    """
    version = session.info.data_version if body is None else hashlib.sha256(body).hexdigest()
    compressed = not plain and encodes(request)
    headers = {
        "ETag": entity_tag(request, f"{version} gzip" if compressed else version),
        "Cache-Control": IMMUTABLE if request.query_params.get("v") == version else "no-cache",
    }
    return headers | ({"Vary": "Accept-Encoding"} if _may_encode(request) and not plain else {})


def entity_tag(request: Request, version: str) -> str:
    """Strong tag of an answer: the data version and everything asked for."""
    asked = f"{version} {request.url.path} {sorted(request.query_params.multi_items())}"
    return f'"{hashlib.sha256(asked.encode()).hexdigest()[:32]}"'


def not_modified(request: Request, headers: dict[str, str]) -> Response | None:
    """304 if the client has the answer already."""
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers=headers) if headers["ETag"] in known else None


def encodes(request: Request) -> bool:
    """Whether the answer is compressed: the settings allow it and the client takes gzip."""
    offers = (part.partition(";") for part in request.headers.get("accept-encoding", "").split(","))
    taken = {name.strip().lower(): weight.replace(" ", "") for name, _, weight in offers}
    return _may_encode(request) and "gzip" in taken and not re.fullmatch(r"q=0(\.0*)?", taken["gzip"])


def json_response(request: Request, body: bytes, headers: dict[str, str]) -> Response:
    """A JSON document, compressed if the answer is to be. Call it from a worker thread."""
    if encodes(request):
        body, headers = gzip.compress(body, GZIP_LEVEL), headers | {"Content-Encoding": "gzip"}
    return Response(body, media_type="application/json", headers=headers)


def _may_encode(request: Request) -> bool:
    return request.app.state.services.settings.serving.http_gzip


class AnswersMiddleware:
    """Counts answers by route and status, says how long the files of the page may be kept, and answers for errors.

    An error nobody foresaw becomes an answer here and not further out, so that it has its headers and its id, and is
    counted. Plain ASGI: pieces of a long answer go through it without a stop.
    """

    def __init__(self, app: ASGIApp, requests: Counter) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                route = getattr(scope.get("route"), "path", "page")
                self._requests.labels(route, str(message["status"])).inc()
                headers = MutableHeaders(scope=message)
                if "cache-control" not in headers and not scope["path"].startswith("/v1"):
                    hashed = scope["path"].startswith("/assets/") and message["status"] == 200
                    headers["Cache-Control"] = "public, max-age=31536000, immutable" if hashed else "no-cache"
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if begun:
                raise  # the answer is torn: the server closes the connection and says why in its log
            _LOG.error("request %s failed", scope["request_id"], exc_info=error)
            await problem(500, "internal", "internal error")(scope, receive, noted)


class JobResponse(StreamingResponse):
    """A long answer: made in worker threads, one of a few at a time, and ended when the client goes.

    The first piece is made before anything is sent: what goes wrong there is still an error and not a torn answer.
    compressed: with gzip, on the way.
    """

    def __init__(self, jobs: Jobs, body: Iterator[bytes], *, compressed: bool = False, **options: Any) -> None:
        super().__init__(body, **options)
        self._jobs = jobs
        self._pieces = _gzipped(body) if compressed else body
        if compressed:
            self.headers["Content-Encoding"] = "gzip"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._jobs.turn():
            first = await to_thread.run_sync(next, self._pieces, b"")
            self.body_iterator = iterate_in_threadpool(self._counted(first))
            await super().__call__(scope, receive, send)

    def _counted(self, first: bytes) -> Iterator[bytes]:
        for piece in chain((first,), self._pieces):
            self._jobs.sent(len(piece))
            yield piece


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
    for piece in pieces:
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()
