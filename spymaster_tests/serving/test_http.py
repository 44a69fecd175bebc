"""The HTTP API: every endpoint but those of rows, caching, and errors that tell nothing they should not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from spymaster.lake import Lake
from spymaster.serving.app import create_app
from spymaster.serving.catalog import Catalog, SessionInfo
from spymaster.serving.describe import OK
from spymaster.serving.manifest import SessionManifest
from spymaster.serving.openapi import description
from spymaster.serving.session import Session
from spymaster.serving.surfaces import LATER_TABLES, SURFACES
from spymaster.tables import all_tables
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.serving.conftest import BASE, HEADERS, settings_for
from spymaster_tests.serving.lakes import DT, EARLIER, KEY, SYMBOL


def get(client: TestClient, path: str, **params: Any):
    return client.get(f"{BASE}{path}", params=params)


def test_health_version_and_readiness(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok"
    assert client.get("/v1/version").json()["protocol"] == "spymaster.arrow.v1"
    ready = client.get("/readyz")
    assert ready.status_code in (200, 503)
    assert set(ready.json()["reasons"]) <= {"bundle_missing", "loop_lag"}


def test_sessions_are_listed_in_pages(client: TestClient) -> None:
    first = client.get("/v1/sessions", params={"limit": 1}).json()
    assert [one["dt"] for one in first["sessions"]] == [str(EARLIER)]
    second = client.get("/v1/sessions", params={"limit": 1, "cursor": first["cursor"]}).json()
    assert [one["dt"] for one in second["sessions"]] == [str(DT)]
    assert second["cursor"] is None
    assert second["sessions"][0]["surfaces"]["wall"] == "ok"
    only = client.get("/v1/sessions", params={"from": str(DT), "symbol": SYMBOL}).json()
    assert len(only["sessions"]) == 1
    assert client.get("/v1/sessions", params={"symbol": "NQ"}).json()["sessions"] == []
    assert client.get("/v1/sessions", params={"cursor": "x"}).status_code == 422


def test_the_manifest_says_everything_a_client_needs(client: TestClient, market: Session) -> None:
    manifest = SessionManifest.model_validate_json(get(client, "").content)
    assert (manifest.symbol, manifest.dt, manifest.provenance) == (SYMBOL, str(DT), "simulated")
    assert manifest.dataset == "SIM.SPYMASTER"
    assert (manifest.t0_ns, manifest.seconds) == (str(market.timeline.t0_ns), market.seconds)
    assert (manifest.tick_size, manifest.price_decimals, manifest.bucket_ticks) == ("0.25", 2, 4)
    (rth,) = manifest.segments
    assert (rth.name, rth.from_, rth.to) == ("RTH", 180, market.seconds)
    assert [surface.name for surface in manifest.surfaces] == [surface.name for surface in SURFACES]
    assert {surface.status for surface in manifest.surfaces} == {"ok"}
    panels = {panel.name: (panel.status, panel.reason) for panel in manifest.panels}
    assert {name for name, (status, _) in panels.items() if status == "ok"} == {"candles", "levels"}
    assert {reason for status, reason in panels.values() if status != "ok"} == {"not materialised"}
    assert {f"{table.layer}.{table.name}" for table in manifest.tables} == set(all_tables())
    described = next(one for one in manifest.tables if one.name == "wall_surface_1s")
    assert next(c for c in described.columns if c.name == "add_qty").unit == "lots"
    assert manifest.calibration.status == "ok"
    assert manifest.opening_sec == 180 + 14 * 60 - 1, "14 minutes into regular hours"
    assert '"from":180' in get(client, "").text


def test_candles_and_levels_are_those_of_the_tables(client: TestClient, served: Lake, market: Session) -> None:
    end = market.seconds - 1
    bars, levels = (get(client, f"/{panel}", as_of=end).json()[panel] for panel in ("candles", "levels"))
    known = pl.col("window_end").to_physical() <= market.timeline.end_ns(end)
    stored = served.partition("silver.candle_2m", SYMBOL, DT).read().filter(known)
    assert [bar["close_tick"] for bar in bars] == (stored["close_price_int"] // 250_000_000).to_list()
    assert len(bars) >= 25
    real = served.partition("silver.session_level", SYMBOL, DT).read().filter(~pl.col("is_placebo"))
    assert {one["level_id"] for one in levels} <= set(real["level_id"].to_list())
    assert {one["level_type"] for one in levels} & {"ONH", "PMH", "ORH5"}


@pytest.mark.parametrize(
    ("panel", "name", "column"),
    [("candles", "silver.candle_2m", "high_price_int"), ("levels", "silver.session_level", "valid_to")],
)
def test_a_column_that_lacks_breaks_its_panel_only(own_lake: Lake, panel: str, name: str, column: str) -> None:
    path = own_lake.partition(name, SYMBOL, DT).path
    metadata = {k: v for k, v in pl.read_parquet_metadata(path).items() if k.startswith("spymaster")}
    frame = pl.read_parquet(path).drop(column)
    path.unlink()
    frame.write_parquet(path, metadata=metadata)
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        told = {entry["name"]: entry for entry in get(one, "").json()["panels"]}
        assert (told[panel]["status"], told[panel]["reason"]) == ("broken", f"{name} has no column {column}")
        answer = get(one, f"/{panel}", as_of=900)
        assert (answer.status_code, answer.json()["code"]) == (404, "unavailable")
        assert column in answer.json()["title"]
        assert get(one, "/reading", sec=900).json()["above"]
        assert get(one, "/inspect", sec=900, tick=27_200).status_code == 200


def test_a_panel_is_ok_only_where_its_endpoint_answers(served: Lake, monkeypatch) -> None:
    (info,) = (one for one in Catalog(served).sessions() if one.key == KEY)
    monkeypatch.setattr(SessionInfo, "table_status", lambda *_: OK)
    assert {panel for panel in LATER_TABLES if info.panel_status(panel).ok} == {
        "candles", "levels", "episodes", "analogues", "evidence"
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/episodes", "/episodes/x", "/episodes/x/analogues", "/evidence"])
def test_what_is_not_materialised_says_so(client: TestClient, path: str) -> None:
    answer = get(client, path, as_of=100)
    assert (answer.status_code, answer.json()["code"]) == (404, "unavailable")
    assert "not materialised" in answer.json()["title"]


def test_inspect_tells_exact_values_beside_the_codes(client: TestClient, market: Session) -> None:
    (window,) = market.iter_batches(400, 401)
    snap = window.batches["snap"].to_pylist()[0]
    tick = snap["ask_tick"]
    body = get(client, "/inspect", sec=400, tick=tick).json()
    assert body["rel_tick"] == tick - snap["spot_tick"]
    wall = body["tables"]["silver.wall_surface_1s"]
    ask = next(row for row in wall["rows"] if row["side"] == "A")
    assert ask["depth_qty_end"] == snap["ask_qty"]
    assert wall["units"]["depth_qty_end"] == "lots"
    code = body["codes"]["wall.depth"]
    scale = market.transfers.depth
    half_step = (scale.c + snap["ask_qty"]) * np.log1p(scale.max / scale.c) / 127 / 2
    assert code["value"] == pytest.approx(snap["ask_qty"], abs=1.05 * half_step)
    assert len(body["tables"]["silver.pressure_surface_1s"]["rows"]) == 1
    assert body["tables"]["silver.book_snapshot_1s"]["rows"][0]["best_ask_price_int"] == tick * market.tick
    far = get(client, "/inspect", sec=400, tick=10).json()
    assert far["codes"] == {}


@pytest.mark.parametrize(("rel", "absent"), [(3, "rest_long"), (0, None), (-3, "rest_short")])
def test_inspect_tells_what_is_usual_for_each_component_of_pressure(
    client: TestClient, served: Lake, market: Session, rel: int, absent: str | None
) -> None:
    spot = next(market.iter_batches(400, 401, ["snap"])).batches["snap"].to_pylist()[0]["spot_tick"]
    tick = (spot // market.bucket_ticks + rel) * market.bucket_ticks
    told = get(client, "/inspect", sec=400, tick=tick).json()["tables"]["silver.pressure_surface_1s"]
    assert [row["rel_buckets"] for row in told["rows"]] == [rel]
    scales = served.partition("gold.physics_norm_calibration", SYMBOL, DT).read()
    band = "D0" if rel == 0 else "D2_3"
    usual = dict(scales.filter((pl.col("band") == band) & (pl.col("n_rows") > 0)).select("metric_name", "scale").rows())
    expected = {"book_long", "book_short", "trade_long", "trade_short", "rest_long", "rest_short"} - {absent}
    assert told["usual"] == {name: usual[name] for name in expected}, "no session had options; a side has its place"
    assert all(value > 0 for value in told["usual"].values())


def test_inspect_compares_with_nothing_where_the_calibration_may_not_be_used(own_lake: Lake) -> None:
    own_lake.partition("gold.physics_norm_calibration", SYMBOL, DT).path.unlink()
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        told = get(one, "/inspect", sec=400, tick=27_200).json()["tables"]["silver.pressure_surface_1s"]
    assert told.get("usual", {}) == {}


def test_reading_tells_what_the_tables_say(client: TestClient) -> None:
    body = get(client, "/reading", sec=900).json()
    assert "resting sells are 9.3x the median" in body["above"]
    assert body["facts"]["above"]["obstacle"]["ratio"] == 9.3
    assert body["below"].startswith("Below:")


def test_overview_ends_where_it_is_told(client: TestClient, market: Session) -> None:
    body = get(client, "/overview", as_of=150).json()
    assert [one["from"] for one in body["minutes"]] == [0, 60, 120]
    whole = get(client, "/overview").json()
    assert len(whole["minutes"]) == -(-market.seconds // 60)
    assert 0 < whole["minutes"][9]["valid_share"] <= 1
    stamp = "2024-03-06T14:29:29Z"
    assert get(client, "/overview", as_of=stamp).json()["as_of"] == 149


def test_answers_are_tagged_and_kept_for_good_only_with_a_version(client: TestClient, market: Session) -> None:
    params = {"from": 0, "to": 30}
    plain = get(client, "/tiles/wall", **params)
    assert plain.headers["cache-control"] == "no-cache"
    version = market.info.data_version
    fixed = get(client, "/tiles/wall", **params, v=version)
    assert "immutable" in fixed.headers["cache-control"]
    assert "immutable" not in get(client, "/tiles/wall", **params, v="0" * 16).headers["cache-control"]
    again = client.get(f"{BASE}/tiles/wall", params=params, headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(client, "/tiles/wall", **{"from": 0, "to": 31}).headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        ("/tiles/walls", {}, 404, "unknown_surface"),
        ("/tiles/ladder", {}, 404, "unknown_surface"),
        ("/tiles/wall", {"from": 9, "to": 5}, 422, "bad_request"),
        ("/tiles/wall", {"lod": 3}, 422, "bad_request"),
        ("/tiles/wall", {"pool": "min"}, 422, "bad_request"),
        ("/tiles/wall", {"from": "noon"}, 422, "bad_request"),
        ("/tiles/wall", {"from": "2024-03-06T10:00:00"}, 422, "bad_request"),
        ("/tiles/wall", {"from": 0, "to": 90_000}, 422, "bad_request"),
        ("/surfaces/nothing", {}, 404, "unknown_surface"),
        ("/surfaces/gex_level_1m", {}, 404, "unavailable"),
        ("/surfaces/snap", {"columns": "secret"}, 422, "bad_request"),
        ("/surfaces/snap", {"format": "xls"}, 422, "bad_request"),
        ("/reading", {"sec": 86_000}, 422, "bad_request"),
        ("/reading", {}, 422, "bad_request"),
        ("/inspect", {"sec": 1, "tick": 10**18}, 422, "bad_request"),
        ("/nothing", {}, 404, "not_found"),
    ],
)
def test_errors_are_problems_with_a_code(client: TestClient, path, params, status: int, code: str) -> None:
    answer = get(client, path, **params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("symbol", ["es", "ES%00", "A" * 40, "%C3%89", "%20", "ES%0a"])
@pytest.mark.parametrize("dt", [str(DT), "2024-99-01", "1%00", "9" * 300])
def test_what_is_no_key_is_not_found(client: TestClient, symbol: str, dt: str) -> None:
    answer = client.get(f"/v1/sessions/{symbol}/{dt}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")


def test_the_page_is_served_beside_the_api(served: Lake, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>page</title>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("1")
    with TestClient(create_app(settings_for(served), bundle=tmp_path), base_url="http://127.0.0.1:8787") as one:
        html = {"Accept": "text/html"}
        page = one.get("/", headers=html)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache")
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert one.get("/assets/index-1a2b.js").headers["cache-control"].endswith("immutable")
        assert one.get("/some/view", headers=html).text == page.text
        unknown = one.get("/v1/some/view", headers={**html, **HEADERS})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
        assert "root:" not in one.get("/..%2f..%2f..%2f..%2fetc/passwd", headers=html).text
        assert set(one.get("/readyz").json()["reasons"]) <= {"loop_lag"}
        assert len(one.get("/v1/version", headers=HEADERS).json()["bundle"]) == 16


def test_without_a_page_the_root_says_how_to_build_it(served: Lake, tmp_path: Path) -> None:
    with TestClient(create_app(settings_for(served), bundle=tmp_path), base_url="http://127.0.0.1:8787") as one:
        answer = one.get("/")
        assert answer.status_code == 503
        assert "npm run build" in answer.text
        assert "bundle_missing" in one.get("/readyz").json()["reasons"]


def test_an_unforeseen_error_tells_nothing(client: TestClient, app, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("at the place that must not be told")

    monkeypatch.setattr(app.state.services.store, "session", broken)
    quiet = TestClient(app, base_url="http://127.0.0.1:8787", headers=HEADERS, raise_server_exceptions=False)
    answer = quiet.get(f"{BASE}/reading", params={"sec": 1})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "told" not in answer.text
    assert "Traceback" not in answer.text


def test_the_api_describes_itself(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert f"{BASE}".replace(SYMBOL, "{symbol}").replace(str(DT), "{dt}") in document["paths"]
    assert client.get("/docs").status_code in (404, 200)
    assert "cdn" not in client.get("/docs").text
    assert json.dumps(document)


def test_the_committed_description_is_that_of_the_code() -> None:
    committed = (REPOSITORY / "docs" / "reference" / "openapi.json").read_text(encoding="utf-8")
    assert committed == description(), "run: python -m spymaster.serving.openapi docs/reference/openapi.json"


def test_a_session_list_does_not_open_what_it_lists(client: TestClient) -> None:
    answer = client.get("/v1/sessions", params={"from": str(EARLIER), "to": str(EARLIER)})
    assert [one["provenance"] for one in answer.json()["sessions"]] == ["simulated"]


def test_the_manifest_is_tagged_by_what_it_says(served: Lake) -> None:
    tags = []
    for speed in (100.0, 20.0, 100.0):
        app = create_app(settings_for(served, max_speed=speed))
        with TestClient(app, base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
            answer = one.get(BASE)
            tags.append(answer.headers["etag"])
            assert (answer.json()["limits"]["max_speed"], answer.headers["cache-control"]) == (speed, "no-cache")
            assert one.get(BASE, headers={"If-None-Match": tags[-1]}).status_code == 304
    assert tags[0] == tags[2] != tags[1]
