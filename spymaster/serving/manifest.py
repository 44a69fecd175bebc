"""The manifest of a market session: everything a client must know before it draws, as one JSON document."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from spymaster.serving.control import SurfaceStatus


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TransferSpec(_Part):
    """How codes become values; see `spymaster.serving.transfer`."""

    fn: Literal["unit", "signed_unit", "signed_log"]
    c: float | None = None
    max: float | None = None


class ColumnSpec(_Part):
    """One column of a wire surface, after `sec`."""

    name: str
    type: Literal["i32", "u8", "f32", "utf8", "cells_u8", "i32_list", "f32_list"]
    unit: str
    length: int | None = Field(description="entries of a list column")
    transfer: TransferSpec | None
    pool: Literal["max", "mean", "last"] | None = Field(description="default pooling in time")
    members: list[str] | None = Field(description="names of a list's entries, where they are not prices")


class SurfaceSpec(_Part):
    """One wire surface and whether it has data."""

    id: int
    name: str
    description: str
    status: SurfaceStatus
    reason: str | None
    schema_rev: int
    absent: Literal["zero", "missing"]
    tiles: bool
    default: bool
    orphan_rows: int = Field(description="rows outside the timeline, never drawn; counted in what is loaded so far")
    columns: list[ColumnSpec]


class TableColumn(_Part):
    """One column of a stored table."""

    name: str
    type: str
    unit: str
    description: str
    nullable: bool


class TableSpec(_Part):
    """One stored table: every model is listed, with or without a partition."""

    name: str
    layer: str
    status: SurfaceStatus
    reason: str | None
    rows: int | None
    description: str
    columns: list[TableColumn]


class PanelSpec(_Part):
    """Whether a list of the context (candles, levels, episodes, analogues, evidence) has data."""

    name: str
    status: SurfaceStatus
    reason: str | None


class Segment(_Part):
    """A named part of the timeline: seconds `from` to `to`, end excluded."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str
    from_: int = Field(validation_alias="from", serialization_alias="from")
    to: int


class Band(_Part):
    """Distances from spot that a band covers, ticks, both included."""

    name: str
    lo: int
    hi: int


class Calibration(_Part):
    """Where the scales come from. Status `defaults`: those of the instrument, because of `reason`."""

    status: Literal["ok", "same_session", "defaults"]
    basis: str | None
    asof_dt: str | None
    n_sessions: int | None
    reason: str | None


class ManifestLimits(_Part):
    """Bounds of requests and of the stream."""

    max_speed: float
    bundle_max: int
    bootstrap_max: int
    tile_rows: int
    tiles_per_request: int


class SessionManifest(_Part):
    """See the module."""

    symbol: str
    contract: str
    dt: str
    data_version: str
    mode: Literal["replay", "live"]
    provenance: Literal["real", "simulated"]
    dataset: str | None
    t0_ns: str = Field(description="start of the first window, ns UTC")
    seconds: int
    cadence_s: int
    exchange_tz: str
    segments: list[Segment]
    opening_sec: int = Field(description="where a page opens the session: 14 minutes into its trading")
    tick_size: str
    price_decimals: int
    base_tick: int = Field(description="spot tick of the first valid second; a row texture's origin")
    half_ticks: int
    ladder_ticks: int
    gex_strikes: int
    bands: list[Band]
    bucket_ticks: int
    lod_levels: list[int]
    states: list[str] = Field(description="names of the state codes, from 0")
    flags: dict[str, int]
    calibration: Calibration
    surfaces: list[SurfaceSpec]
    panels: list[PanelSpec]
    tables: list[TableSpec]
    limits: ManifestLimits


class SessionEntry(_Part):
    """One market session of the list."""

    symbol: str
    dt: str
    data_version: str
    provenance: Literal["real", "simulated"]
    surfaces: dict[str, SurfaceStatus]


class SessionList(_Part):
    """A page of market sessions; `cursor` asks for the next one."""

    sessions: list[SessionEntry]
    cursor: str | None
