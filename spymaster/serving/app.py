"""The application: `create_app` puts services, middleware, routes and the page together. No globals.

uvicorn --factory spymaster.serving.app:create_app
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from spymaster import __version__
from spymaster.errors import SpymasterError
from spymaster.lake import Lake
from spymaster.research.kept import Kept
from spymaster.serving.catalog import Catalog
from spymaster.serving.errors import ServingError
from spymaster.serving.http import AnswersMiddleware, problem
from spymaster.serving.hub import Hub
from spymaster.serving.loader import load_chunk
from spymaster.serving.metrics import Metrics
from spymaster.serving.problems import with_problems
from spymaster.serving.request_log import RequestLog, RequestLogMiddleware
from spymaster.serving.routers import analogues, auth, context, ops, sessions, stream, surfaces, tiles
from spymaster.serving.security import Guard, SecurityMiddleware, load_token
from spymaster.serving.services import Jobs, Questions, Services
from spymaster.serving.store import SessionStore
from spymaster.serving.tile_cache import Loader, cached
from spymaster.settings import Settings, get_settings

STATIC = Path(__file__).parent / "static"
_LOG = logging.getLogger(__name__)
_NO_BUNDLE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Spymaster</title></head><body>
<h1>The page is not built</h1><p>Build it with <code>npm ci &amp;&amp; npm run build</code> in <code>hud/</code>. The
API works without it.</p></body></html>
"""


def create_app(settings: Settings | None = None, *, token: str | None = None, bundle: Path = STATIC) -> FastAPI:
    """The application for a lake (`settings.lake_root`). `token`: that of the settings or the user's if not given.

    Raises `LakeNotFoundError` if the root is no lake, `RequestLogError` if the request log cannot be written.
    """
    settings = settings or get_settings()
    lake = Lake.open(settings=settings)
    guard = Guard(settings.serving, token if token is not None else load_token(settings.serving))
    metrics = Metrics()
    catalog = Catalog(lake, settings)
    services = Services(
        settings=settings,
        lake=lake,
        catalog=catalog,
        store=SessionStore(catalog, settings, _loader(settings), watcher=metrics),
        guard=guard,
        hub=Hub(settings.serving, metrics),
        metrics=metrics,
        jobs=Jobs(metrics.history_bytes.inc),
        kept=Kept(lake),
        questions=Questions(),
        bundle=bundle,
        bundle_version=_bundle_version(bundle),
        request_log=RequestLog(settings.serving, metrics.log_dropped.inc),
    )
    app = api()
    app.state.services = services
    app.add_api_route("/v1/{rest:path}", _nothing, include_in_schema=False)  # the page never answers for the API
    _add_page(app, services)
    _add_error_handlers(app)
    app.add_middleware(AnswersMiddleware, requests=metrics.requests)
    app.add_middleware(SecurityMiddleware, guard=guard, metrics=metrics)
    app.add_middleware(RequestLogMiddleware, write=services.request_log.write)
    return app


def _loader(settings: Settings) -> Loader:
    folder = settings.serving.tile_cache_dir
    return load_chunk if folder is None else cached(load_chunk, folder.expanduser())


def api() -> FastAPI:
    """The routes of the API without anything behind them: enough to describe it."""
    app = FastAPI(
        title="Spymaster",
        version=__version__,
        description="One-second surfaces around spot: manifests, tiles, exact rows, and the stream /v1/stream.",
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    for module in (ops, auth, sessions, tiles, surfaces, context, stream):
        app.include_router(module.router)
    app.include_router(analogues.router)
    app.include_router(analogues.of_episodes)
    describe = app.openapi
    app.openapi = cache(lambda: with_problems(describe()))  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    to_thread.current_default_thread_limiter().total_tokens = services.settings.serving.worker_threads
    tasks = [asyncio.create_task(services.watch_lake()), asyncio.create_task(services.watch_loop())]
    try:
        yield
    finally:
        services.stopping.set()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        services.request_log.close()


async def _nothing(rest: str) -> Response:
    raise HTTPException(404)


def _add_page(app: FastAPI, services: Services) -> None:
    """The built page as routes that come after all others; an explanation where it is not built."""
    if services.bundle_version is not None:
        app.frontend("/", directory=services.bundle, fallback="index.html", check_dir=True)
        return

    @app.get("/", include_in_schema=False)
    async def no_bundle() -> HTMLResponse:
        return HTMLResponse(_NO_BUNDLE, status_code=503)


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(ServingError)
    async def _serving(_: Request, error: ServingError) -> Response:
        return problem(error.status, error.code, Exception.__str__(error), error.hint)

    @app.exception_handler(SpymasterError)
    async def _known(request: Request, error: SpymasterError) -> Response:
        _LOG.error("request %s failed", request.scope["request_id"], exc_info=error)
        return problem(500, "internal", "the data cannot be read; the server's log says why")

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        return problem(422, "bad_request", f"{where}: {fault['msg']}")

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        answer = problem(error.status_code, code, code.replace("_", " "))
        answer.headers.update(error.headers or {})
        return answer


def _bundle_version(bundle: Path) -> str | None:
    """Hash over the files of the built page; None if it is not there."""
    if not (bundle / "index.html").is_file():
        return None
    digest = hashlib.sha256()
    for path in sorted(bundle.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(bundle).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
