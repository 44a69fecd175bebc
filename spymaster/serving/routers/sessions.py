"""The list of market sessions, and the manifest of one."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from spymaster.market.calendar import rth_window
from spymaster.serving.catalog import SessionInfo, SessionKey
from spymaster.serving.codec import MAX_BUNDLE
from spymaster.serving.control import MAX_BOOTSTRAP
from spymaster.serving.deps import ServicesDep, SessionDep
from spymaster.serving.describe import Status, surface_spec, table_spec
from spymaster.serving.errors import BadRequestError
from spymaster.serving.fill import SECOND_NS
from spymaster.serving.http import cache_headers, json_response, not_modified
from spymaster.serving.lod import LEVELS
from spymaster.serving.manifest import (
    Band,
    ManifestLimits,
    PanelSpec,
    Segment,
    SessionEntry,
    SessionList,
    SessionManifest,
)
from spymaster.serving.opening import price_decimals
from spymaster.serving.services import Services
from spymaster.serving.session import Session
from spymaster.serving.surfaces import FLAGS, LATER_TABLES, SNAPSHOT, STATES, SURFACES
from spymaster.serving.tiles import TILE_ROWS, TILES_PER_REQUEST
from spymaster.tables import all_tables
from spymaster.tables.types import BAND_EDGES

EXCHANGE_ZONE = "America/Chicago"

router = APIRouter(prefix="/v1/sessions")


@router.get("")
def sessions(
    services: ServicesDep,
    symbol: Annotated[str | None, Query(pattern="^[A-Z0-9]{1,12}$")] = None,
    start: Annotated[date | None, Query(alias="from")] = None,
    stop: Annotated[date | None, Query(alias="to")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=32)] = None,
) -> SessionList:
    """Market sessions by symbol and date; dates inclusive; `cursor` of one page asks for the next."""
    after = _cursor(cursor) if cursor is not None else None
    found = [
        info
        for info in services.catalog.sessions()
        if (symbol is None or info.key.symbol == symbol)
        and (start is None or info.key.dt >= start)
        and (stop is None or info.key.dt <= stop)
        and (after is None or info.key > after)
    ]
    page = found[:limit]
    more = len(found) > limit
    return SessionList(
        sessions=[session_entry(info) for info in page],
        cursor=f"{page[-1].key.symbol}:{page[-1].key.dt}" if more else None,
    )


@router.get("/{symbol}/{dt}", response_model=SessionManifest)
def manifest(request: Request, services: ServicesDep, session: SessionDep) -> Response:
    """Everything a client must know before it draws."""
    # Statuses and limits are in it, which change while the data stay.
    body = session_manifest(session, services).model_dump_json(by_alias=True).encode()
    headers = cache_headers(request, session, body=body)
    known = not_modified(request, headers)
    return json_response(request, body, headers) if known is None else known


def session_manifest(session: Session, services: Services) -> SessionManifest:
    """The manifest of a session as it is known now."""
    info, geometry = session.info, session.geometry
    broken, orphans = services.store.broken(session), services.store.orphans(session)
    statuses = session.statuses | {name: Status("broken", why) for name, why in broken.items()}
    snapshot = info.manifests[SNAPSHOT]
    limits = services.settings.serving
    return SessionManifest(
        symbol=info.key.symbol,
        contract=session.contract,
        dt=info.key.dt.isoformat(),
        data_version=info.data_version,
        mode="replay",
        provenance="simulated" if info.provenance == "simulated" else "real",
        dataset=snapshot.dataset if snapshot else None,
        t0_ns=str(session.timeline.t0_ns),
        seconds=session.seconds,
        cadence_s=1,
        exchange_tz=EXCHANGE_ZONE,
        segments=_segments(session),
        tick_size=_decimal(session.tick),
        price_decimals=price_decimals(session.tick),
        base_tick=session.base_tick,
        half_ticks=geometry.half_ticks,
        ladder_ticks=geometry.ladder_ticks,
        gex_strikes=geometry.gex_strikes,
        bands=[Band(name=name, lo=low, hi=high) for name, (low, high) in BAND_EDGES.items()],
        bucket_ticks=session.bucket_ticks,
        lod_levels=list(LEVELS),
        states=list(STATES),
        flags=FLAGS,
        calibration=session.calibration,
        surfaces=[
            surface_spec(s, geometry, session.transfers, statuses[s.name], orphan_rows=orphans.get(s.name, 0))
            for s in SURFACES
        ],
        panels=[_panel(info, name) for name in LATER_TABLES],
        tables=[
            table_spec(model, info.table_status(name), found.rows if (found := info.manifests.get(name)) else None)
            for name, model in all_tables().items()
        ],
        limits=ManifestLimits(
            max_speed=limits.max_speed,
            bundle_max=MAX_BUNDLE,
            bootstrap_max=MAX_BOOTSTRAP,
            tile_rows=TILE_ROWS,
            tiles_per_request=TILES_PER_REQUEST,
        ),
    )


def session_entry(info: SessionInfo) -> SessionEntry:
    """A session as the list has it."""
    return SessionEntry(
        symbol=info.key.symbol,
        dt=info.key.dt.isoformat(),
        data_version=info.data_version,
        provenance="simulated" if info.provenance == "simulated" else "real",
        surfaces={name: status.status for name, status in info.statuses.items()},
    )


def _panel(info: SessionInfo, name: str) -> PanelSpec:
    status = info.panel_status(name)
    return PanelSpec(name=name, status=status.status, reason=status.reason)


def _segments(session: Session) -> list[Segment]:
    """Regular hours, as far as the timeline covers them."""
    window = rth_window(session.key.dt, session.key.symbol, session.info.lake.settings)
    if window is None:
        return []
    first, last = ((ns - session.timeline.t0_ns) // SECOND_NS for ns in window)
    first, last = max(0, first), min(session.seconds, last)
    return [Segment(name="RTH", from_=first, to=last)] if first < last else []


def _decimal(tick: int) -> str:
    decimals = price_decimals(tick)
    return f"{tick / 1e9:.{decimals}f}"


def _cursor(text: str) -> SessionKey:
    symbol, _, dt = text.partition(":")
    try:
        return SessionKey(symbol, date.fromisoformat(dt))
    except ValueError:
        raise BadRequestError("this cursor is not one of ours") from None
