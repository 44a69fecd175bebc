"""Documents among the fixtures of the HUD's contract tests: one of every control message, and a manifest."""

from __future__ import annotations

from typing import Any

from spymaster.serving import codec, control
from spymaster.serving.describe import NOT_MATERIALISED, OK, Status, surface_spec, table_spec
from spymaster.serving.lod import LEVELS
from spymaster.serving.manifest import Band, Calibration, ManifestLimits, PanelSpec, Segment, SessionManifest
from spymaster.serving.surfaces import FLAGS, LATER_TABLES, STATES, SURFACES, Geometry, Transfers
from spymaster.serving.transfer import SignedLog
from spymaster.tables import table
from spymaster.tables.types import BAND_EDGES

T0_NS = 1_767_657_600_000_000_000


def messages() -> list[Any]:
    """One of every control message, both directions."""
    limits = control.Limits(
        max_speed=100.0, bundle_max=300, bootstrap_max=1800, credit_messages=32, credit_bytes=4_194_304,
        control_bytes=8192,
    )  # fmt: skip
    surfaces = [
        control.SubscribedSurface(name="snap", id=1, status="ok"),
        control.SubscribedSurface(name="moves", id=6, status="unavailable", reason="not materialised"),
    ]
    return [
        control.Subscribe(id=1, symbol="ES", dt="2026-01-06", surfaces=["snap", "wall", "bands"], from_=52_200,
                          bootstrap=1800, speed=1.0, play=True),
        control.Subscribe(id=2, symbol="ES", dt="2026-01-06", surfaces=["snap"], from_="start", speed="max"),
        control.Play(id=3),
        control.Pause(id=4),
        control.Step(id=5, n=10),
        control.Speed(id=6, value=5.0),
        control.Seek(id=7, sec=53_000, bootstrap=300),
        control.Ack(epoch=1, seq=41),
        control.Hello(server_version="0.1.0", bundle_version="0123456789abcdef", protocol=codec.PROTOCOL,
                      limits=limits, auth_expires=None),
        control.Loading(pct=40),
        control.Subscribed(id=1, epoch=1, mode="replay", data_version="9f2c41d07ab35e18", sec_first=0,
                           sec_last=86_399, surfaces=surfaces),
        control.State(id=3, epoch=1, clock="playing", sec=52_200, speed=5.0, base_sec=52_200,
                      base_mono_ns="123456789012345"),
        control.EventMessage(sec=52_320, kind="candle_closed", payload={"bar_start_sec": 52_200}),
        control.Gap(epoch=1, from_=52_300, to=52_310, reason="slow_reader"),
        control.Heartbeat(now_mono_ns="123456789012345", sec=52_400),
        control.SessionChanged(data_version="1f2c41d07ab35e18"),
        control.Eos(sec=86_399),
        control.ErrorMessage(id=9, code="bad_message", message="step only while paused", fatal=False),
    ]  # fmt: skip


def manifest() -> SessionManifest:
    """The manifest of a session that has everything but the moves, with the default geometry."""
    geometry, transfers = Geometry(), Transfers(depth=SignedLog(10.0, 20_000.0), flow=SignedLog(4.0, 2_500.0))
    absent = Status("unavailable", NOT_MATERIALISED)
    return SessionManifest(
        symbol="ES",
        contract="ESH6",
        dt="2026-01-06",
        data_version="9f2c41d07ab35e18",
        mode="replay",
        provenance="simulated",
        dataset="SIM.SPYMASTER",
        t0_ns=str(T0_NS),
        seconds=86_400,
        cadence_s=1,
        exchange_tz="America/Chicago",
        segments=[Segment(name="RTH", from_=52_200, to=75_600)],
        opening_sec=53_039,
        tick_size="0.25",
        price_decimals=2,
        base_tick=27_200,
        half_ticks=geometry.half_ticks,
        ladder_ticks=geometry.ladder_ticks,
        gex_strikes=geometry.gex_strikes,
        bands=[Band(name=name, lo=low, hi=high) for name, (low, high) in BAND_EDGES.items()],
        bucket_ticks=4,
        lod_levels=list(LEVELS),
        states=list(STATES),
        flags=FLAGS,
        calibration=Calibration(status="ok", basis="prior_sessions", asof_dt="2026-01-05", n_sessions=20, reason=None),
        surfaces=[surface_spec(s, geometry, transfers, absent if s.name == "moves" else OK) for s in SURFACES],
        panels=[PanelSpec(name=name, status="unavailable", reason=NOT_MATERIALISED) for name in LATER_TABLES],
        tables=[table_spec(table(name), OK, 86_400) for name in ("silver.book_snapshot_1s",)],
        limits=ManifestLimits(
            max_speed=100.0, bundle_max=300, bootstrap_max=1800, tile_rows=1024, tiles_per_request=24
        ),
    )
