"""Rows over HTTP: tiles at every level, exact rows in four formats and in pages, and their compression."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from spymaster.lake import Lake
from spymaster.serving import download
from spymaster.serving.app import create_app
from spymaster.serving.batches import columns_of
from spymaster.serving.lod import group, pool_cells
from spymaster.serving.session import CHUNK_S, Session
from spymaster.serving.surfaces import BY_NAME, SURFACES
from spymaster.tables import all_tables
from spymaster_tests.serving.conftest import BASE, HEADERS, settings_for
from spymaster_tests.serving.lakes import DT, SYMBOL
from spymaster_tests.serving.test_http import get

TABLES = [f"silver.{n}" for n in ("book_snapshot_1s", "wall_surface_1s", "pressure_surface_1s", "trade")]


def as_frame(stream: bytes) -> pl.DataFrame:
    return cast(pl.DataFrame, pl.from_arrow(pa.ipc.open_stream(stream).read_all()))


def tile_table(client: TestClient, surface: str, **params: Any) -> pa.Table:
    answer = get(client, f"/tiles/{surface}", **params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    return pa.ipc.open_stream(answer.content).read_all()


@pytest.mark.parametrize("surface", [s for s in SURFACES if s.tiles], ids=lambda s: s.name)
def test_tiles_are_the_windows(client: TestClient, market: Session, surface) -> None:
    table = tile_table(client, surface.name, **{"from": CHUNK_S - 100, "to": CHUNK_S + 50})
    assert table.schema == surface.schema(market.geometry)
    assert table["sec"].to_pylist() == list(range(CHUNK_S - 100, CHUNK_S + 50))
    windows = [w.batches[surface.name] for w in market.iter_batches(CHUNK_S - 100, CHUNK_S + 50, [surface.name])]
    expected = pa.Table.from_batches(windows).combine_chunks().to_batches()[0]
    assert table.combine_chunks().to_batches()[0].serialize() == expected.serialize()


@pytest.mark.parametrize("level", [4, 16, 64])
def test_pooled_tiles_are_whole_groups_in_the_price_frame(client: TestClient, market: Session, level: int) -> None:
    first, stop = 1000, 2300
    table = tile_table(client, "wall", **{"from": first, "to": stop, "lod": level})
    begin, end = first // level * level, -(-stop // level) * level
    assert table["sec"].to_pylist() == list(range(begin, end, level))
    windows = list(market.iter_batches(begin, end, ["snap", "wall"], batch=end - begin))
    snap = columns_of(BY_NAME["snap"], windows[0].batches["snap"])
    wall = columns_of(BY_NAME["wall"], windows[0].batches["wall"])
    groups = group(np.arange(begin, end, dtype=np.int32), snap["spot_tick"], snap["state"], level)
    for column in BY_NAME["wall"].columns:
        name, pool, scale = column.name, column.pool, column.transfer
        assert pool is not None
        assert scale is not None
        expected = pool_cells(wall[name], snap["spot_tick"], groups, pool, market.transfers.of(scale))
        drawn = np.array(table[name].combine_chunks().flatten()).reshape(expected.shape)
        assert (drawn == expected).all()
    snaps = tile_table(client, "snap", **{"from": first, "to": stop, "lod": level})
    assert snaps["spot_tick"].to_pylist() == groups.anchor.tolist()
    volume = sum(snaps["buy_vol"].to_pylist())
    assert volume == snap["buy_vol"].sum()
    assert max(snaps["high_tick"].to_pylist()) == snap["high_tick"].max()


def test_the_pool_of_depth_can_be_chosen(client: TestClient) -> None:
    ways = [tile_table(client, "wall", **{"from": 0, "to": 640, "lod": 64, "pool": p}) for p in ("max", "mean", "last")]
    assert len({str(one["depth"].to_pylist()) for one in ways}) == 3
    assert len({str(one["net_flow"].to_pylist()) for one in ways}) == 1


def test_an_empty_tile_keeps_its_columns(client: TestClient, market: Session) -> None:
    table = tile_table(client, "wall", **{"from": 50, "to": 50})
    assert table.num_rows == 0
    assert table.schema == BY_NAME["wall"].schema(market.geometry)


def test_tile_batches_are_short(client: TestClient) -> None:
    answer = get(client, "/tiles/vacuum", **{"from": 0, "to": 2000})
    sizes = [batch.num_rows for batch in pa.ipc.open_stream(answer.content)]
    assert max(sizes) <= 600


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("form", ["arrow", "parquet", "csv", "json"])
def test_downloads_equal_the_rows_of_the_lake(client: TestClient, served: Lake, market: Session, name, form) -> None:
    first, stop = 300, 360
    answer = get(client, f"/surfaces/{name}", **{"from": first, "to": stop, "format": form})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="{name.split(".")[1]}-ES-{DT}.')
    assert answer.headers["x-provenance"] == "simulated"
    stored = served.partition(name, SYMBOL, DT).read()
    column = all_tables()[name].time_column or ""
    begin, end = market.timeline.end_ns(first), market.timeline.end_ns(stop)
    if column != "window_end":
        begin, end = begin - 10**9, end - 10**9
    at = pl.col(column).to_physical()
    expected = stored.filter((at >= begin) & (at < end))
    assert expected.height > 0
    match form:
        case "arrow":
            frame = as_frame(answer.content)
        case "parquet":
            frame = pl.read_parquet(io.BytesIO(answer.content))
        case "csv":
            lines = list(csv.reader(io.StringIO(answer.content.decode(), newline="")))
            assert lines[0] == expected.columns
            assert answer.content.endswith(b"\r\n")
            texts = download.plain(expected)
            assert len(lines) - 1 == expected.height
            assert [row[0] for row in lines[1:]] == texts[expected.columns[0]].cast(pl.String).to_list()
            return
        case _:
            rows = answer.json()["rows"]
            assert rows == download.plain(expected).to_dicts()
            return
    typed = frame.cast(expected.schema)  # type: ignore[arg-type]
    assert typed.equals(expected)


@pytest.mark.parametrize("form", ["arrow", "parquet", "csv", "json"])
@pytest.mark.parametrize("stop", [300, 301], ids=["empty", "one row"])
def test_small_downloads_keep_every_column(client: TestClient, form: str, stop: int) -> None:
    answer = get(
        client, "/surfaces/snap", **{"from": 300, "to": stop, "format": form, "columns": "contract,window_end"}
    )
    rows = stop - 300
    match form:
        case "arrow":
            table = pa.ipc.open_stream(answer.content).read_all()
        case "parquet":
            table = pq.read_table(io.BytesIO(answer.content))
        case "csv":
            assert answer.text.splitlines()[0] == "window_end,contract"
            assert len(answer.text.splitlines()) == 1 + rows
            return
        case _:
            assert len(answer.json()["rows"]) == rows
            return
    assert (table.num_rows, table.column_names) == (rows, ["window_end", "contract"])


def test_a_long_range_comes_in_pages(client: TestClient, served: Lake) -> None:
    answer = get(client, "/surfaces/wall", columns="window_end,price_int,side,add_qty")
    frames = [as_frame(answer.content)]
    while "link" in answer.headers:
        answer = client.get(answer.headers["link"].split(">")[0].removeprefix("<"))
        frames.append(as_frame(answer.content))
    assert len(frames) == 2
    stored = served.partition("silver.wall_surface_1s", SYMBOL, DT).read(["window_end", "price_int", "side", "add_qty"])
    typed = pl.concat(frames).cast(stored.schema)  # type: ignore[arg-type]
    assert typed.equals(stored)


def test_json_is_paged_by_rows(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from spymaster.serving.routers import surfaces

    monkeypatch.setattr(surfaces, "JSON_ROWS", 70)
    answer = get(client, "/surfaces/snap", **{"from": 0, "to": 200, "format": "json"})
    rows = answer.json()["rows"]
    while "link" in answer.headers:
        answer = client.get(answer.headers["link"].split(">")[0].removeprefix("<"))
        rows += answer.json()["rows"]
    assert len(rows) == 200
    assert len({row["window_end"] for row in rows}) == 200


def test_a_table_without_time_comes_whole(client: TestClient, served: Lake) -> None:
    answer = get(client, "/surfaces/physics_norm_calibration", format="json")
    stored = served.partition("gold.physics_norm_calibration", SYMBOL, DT)
    assert len(answer.json()["rows"]) == stored.rows


@pytest.fixture(scope="module")
def gzipping(served: Lake) -> Iterator[TestClient]:
    with TestClient(create_app(settings_for(served, http_gzip=True)), base_url="http://127.0.0.1:8787",
                    headers=HEADERS) as one:  # fmt: skip
        yield one


@pytest.mark.parametrize(
    "path", ["", "/candles?as_of=900", "/tiles/wall?from=0&to=1300", "/surfaces/snap?from=0&to=99&format=csv"]
)
def test_answers_are_compressed_where_the_settings_and_the_client_agree(
    gzipping: TestClient, client: TestClient, path: str
) -> None:
    answers = {}
    for accepted in ("gzip, br", "identity", "gzip;q=0", "br, GZIP;q=0.5"):
        answers[accepted] = gzipping.get(f"{BASE}{path}", headers={"Accept-Encoding": accepted})
        compressed = "q=0" not in accepted.replace("q=0.5", "") and accepted != "identity"
        assert answers[accepted].headers.get("content-encoding") == ("gzip" if compressed else None)
        assert answers[accepted].headers["vary"] == "Accept-Encoding"
    packed, whole = answers["gzip, br"], answers["identity"]
    assert packed.content == whole.content
    assert packed.headers["etag"] != whole.headers["etag"], "a strong tag is one of bytes"
    again = {"If-None-Match": packed.headers["etag"]}
    assert gzipping.get(f"{BASE}{path}", headers={**again, "Accept-Encoding": "gzip"}).status_code == 304
    assert gzipping.get(f"{BASE}{path}", headers={**again, "Accept-Encoding": "identity"}).status_code == 200
    assert "content-encoding" not in client.get(f"{BASE}{path}", headers={"Accept-Encoding": "gzip"}).headers


def test_compressed_tiles_are_smaller_and_parquet_is_left_alone(gzipping: TestClient, client: TestClient) -> None:
    params = {"from": 0, "to": 1200}
    raw = client.get(f"{BASE}/tiles/wall", params=params).content
    with gzipping.stream("GET", f"{BASE}/tiles/wall", params=params, headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert len(packed) < len(raw) / 3
    parquet = gzipping.get(
        f"{BASE}/surfaces/snap", params={**params, "format": "parquet"}, headers={"Accept-Encoding": "gzip"}
    )
    assert "content-encoding" not in parquet.headers
    assert pq.read_table(io.BytesIO(parquet.content)).num_rows == 1200
