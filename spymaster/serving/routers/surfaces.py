"""Exact rows of stored tables, for notebooks and other programs."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from spymaster.serving.catalog import known_table
from spymaster.serving.deps import SecondsDep, ServicesDep, SessionDep
from spymaster.serving.download import JSON_ROWS, MEDIA, Format, Page, cap_seconds, render, select_columns
from spymaster.serving.errors import UnavailableError, UnknownSurfaceError
from spymaster.serving.http import JobResponse, cache_headers, encodes, not_modified
from spymaster.serving.session import Session
from spymaster.serving.surfaces import BY_NAME
from spymaster.tables import TableModel, table

_EXTENSIONS = {"arrow": "arrows", "parquet": "parquet", "csv": "csv", "json": "json"}

router = APIRouter(prefix="/v1/sessions/{symbol}/{dt}/surfaces")


@router.get("/{name}", response_class=Response, responses={200: {"content": {media: {} for media in MEDIA.values()}}})
def rows(
    request: Request,
    services: ServicesDep,
    session: SessionDep,
    name: str,
    seconds: SecondsDep,
    columns: Annotated[str | None, Query(max_length=4096, description="comma-separated")] = None,
    format: Annotated[Format, Query()] = "arrow",  # noqa: A002 - the name of the parameter
    offset: Annotated[int, Query(ge=0, description="rows to skip; set by the link to the next page")] = 0,
    v: Annotated[str | None, Query(max_length=16)] = None,
) -> Response:
    """Rows of a table, by its name or that of a surface, in stored order. A long range comes in pages (`Link`)."""
    model = _model(name)
    status = session.info.table_status(model.full_name)
    if status.status == "broken" or model.full_name not in session.info.partitions:
        raise UnavailableError(f"{model.name}: {status.reason}")
    plain = format == "parquet"  # compressed inside
    headers = cache_headers(request, session, plain=plain)
    known = not_modified(request, headers)
    if known is not None:
        return known
    page, following = _page(session, model, select_columns(model, columns), seconds, format, offset, request)
    key = session.key
    headers["Content-Disposition"] = f'attachment; filename="{model.name}-{key.symbol}-{key.dt}.{_EXTENSIONS[format]}"'
    headers["X-Provenance"] = session.info.provenance
    if following is not None:
        query = urlencode({**request.query_params, **following})
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    compressed = encodes(request) and not plain
    return JobResponse(
        services.jobs, render(page, format), compressed=compressed, media_type=MEDIA[format], headers=headers
    )


def _model(name: str) -> type[TableModel]:
    wire = BY_NAME.get(name)
    full = known_table(next(iter(wire.needs))) if wire is not None else known_table(name)
    if full is None:
        raise UnknownSurfaceError("no such table or surface")
    return table(full)


def _page(
    session: Session,
    model: type[TableModel],
    columns: tuple[str, ...],
    seconds: tuple[int, int],
    form: Format,
    offset: int,
    request: Request,
) -> tuple[Page, dict[str, int] | None]:
    """The page, and the parameters of the next one if there is more."""
    partition = session.info.partitions[model.full_name]
    start, stop = seconds
    ranged = model.time_column == "window_end"
    asked = "from" in request.query_params or "to" in request.query_params
    following: dict[str, int] | None = None
    begin = end = None
    if ranged:
        cap = cap_seconds(model)
        if stop - start > cap:
            following = {"from": start + cap, "to": stop}
            stop = start + cap
        begin, end = session.timeline.end_ns(start), session.timeline.end_ns(stop)
    elif asked and model.time_column is not None:
        # An event of second s lies before the end of its window and not before its start.
        begin, end = session.timeline.end_ns(start - 1), session.timeline.end_ns(stop - 1)
    if form != "json":
        return Page(partition, model, columns, begin, end, offset), following
    page = Page(partition, model, columns, begin, end, offset, JSON_ROWS)
    if page.rows() > offset + JSON_ROWS:
        following = {"from": start, "to": seconds[1], "offset": offset + JSON_ROWS} if ranged else {
            "offset": offset + JSON_ROWS
        }  # fmt: skip
    elif following is not None:
        following["offset"] = 0
    return page, following
