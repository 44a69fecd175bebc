"""Nothing looks ahead: what is served for seconds up to t is the same whether or not the lake knows what came after."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from spymaster.lake import Lake
from spymaster.serving import codec, gate
from spymaster.serving.app import create_app
from spymaster.serving.batches import record_batch
from spymaster.serving.catalog import Catalog
from spymaster.serving.errors import BadRequestError
from spymaster.serving.fill import Timeline
from spymaster.serving.session import CHUNK_S, Session
from spymaster.serving.store import SessionStore
from spymaster.serving.surfaces import BY_NAME, Geometry
from spymaster.tables import all_tables
from spymaster_tests.checks.sessions import SYMBOL, copy_lake, spoil
from spymaster_tests.serving.conftest import BASE, HEADERS, settings_for
from spymaster_tests.serving.lakes import DT, KEY

T = CHUNK_S + 40
"""A second of the second chunk, so that what is carried over a seam is covered too."""


@pytest.fixture(scope="module")
def truncated(served: Lake, market: Session, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake without anything after second T of the later session."""
    lake = copy_lake(served, Path(tmp_path_factory.mktemp("truncated")) / "lake")
    end = market.timeline.end_ns(T)
    for name, model in all_tables().items():
        column = model.time_column
        if column is not None and lake.has(name, SYMBOL, DT) and name.startswith("silver."):
            spoil(lake, name, lambda f, at=column: f.filter(pl.col(at).to_physical() <= end))
    return lake


def test_windows_up_to_t_are_the_same_bytes(market: Session, truncated: Lake) -> None:
    short = SessionStore(Catalog(truncated), settings_for(truncated)).session(KEY)
    assert short.seconds == T + 1
    for first, stop in ((0, 120), (CHUNK_S - 60, T + 1)):
        known = list(market.iter_batches(first, stop, batch=20))
        cut = list(short.iter_batches(first, stop, batch=20))
        for one, other in zip(known, cut, strict=True):
            assert (one.sec, one.ts_ns) == (other.sec, other.ts_ns)
            assert codec.batch_body(one.batches) == codec.batch_body(other.batches)


def test_a_frame_holds_no_bytes_of_later_seconds() -> None:
    """Slices share memory with what follows them; a message must not carry it along as padding."""
    surface, geometry = BY_NAME["vacuum"], Geometry(half_ticks=20)
    codes = np.full((2, geometry.width), 1, np.uint8)
    codes[1] = 99
    both = record_batch(surface, geometry, np.arange(2, dtype=np.int32), {"score": codes})
    later = bytes([99] * 4)
    assert later in both.slice(0, 1).serialize().to_pybytes(), "a plain slice is padded with its neighbours"
    assert later not in codec.batch_body({"vacuum": both.slice(0, 1)}).content


@pytest.mark.parametrize("path", ["/reading?sec={t}", "/overview?as_of={t}", "/levels?as_of={t}", "/candles?as_of={t}",
                                  "/tiles/wall?from=0&to={end}&lod=1", "/tiles/snap?from=0&to={end}&lod=16",
                                  "/inspect?sec={t}&tick=19201"])  # fmt: skip
def test_answers_as_of_t_are_the_same_bytes(client: TestClient, truncated: Lake, path: str) -> None:
    t = T - T % 16 - 1  # whole groups
    address = f"{BASE}{path.format(t=t, end=t + 1)}"
    with TestClient(create_app(settings_for(truncated)), base_url="http://127.0.0.1:8787", headers=HEADERS) as other:
        cut = other.get(address)
    known = client.get(address)
    assert known.status_code == 200
    assert (cut.status_code, cut.content) == (known.status_code, known.content)


TIMELINE = Timeline(t0_ns=1_767_657_600_000_000_000, seconds=86_400)
MOMENT = pl.Datetime("ns", "UTC")


def moments(secs: list[int | None]) -> pl.Series:
    return pl.Series([None if s is None else TIMELINE.t0_ns + s * 10**9 for s in secs], dtype=pl.Int64).cast(MOMENT)


def level_rows(**changes: Any) -> pl.DataFrame:
    rows = {
        "level_id": ["a", "b", "c", "d"],
        "level_type": ["PMH", "ORH5", "VWAP", "PMH"],
        "price_int": [6800 * 10**9] * 4,
        "valid_from": moments([100, 400, 50, 10]),
        "valid_to": moments([900, None, 300, None]),
        "is_moving": [False, False, True, False],
        "group_id": ["g"] * 4,
        "tags": [["PMH"]] * 4,
        "is_placebo": [False, False, False, True],
    }
    return pl.DataFrame(rows | changes)


def test_levels_are_told_from_when_they_are_valid_and_placebos_never() -> None:
    told = gate.levels(level_rows(), TIMELINE, 250_000_000, as_of=299)
    assert [(one["level_id"], one["valid_from"], one["valid_to"]) for one in told] == [
        ("a", 100, None),
        ("c", 50, None),
    ]
    later = gate.levels(level_rows(), TIMELINE, 250_000_000, as_of=900)
    assert [(one["level_id"], one["valid_to"]) for one in later] == [("a", 900), ("b", None), ("c", 300)]
    assert told[0]["price_tick"] == 27_200


def test_a_level_that_begins_within_a_second_is_known_at_its_end() -> None:
    start = TIMELINE.t0_ns + 100 * 10**9
    for begin, second in ((start, 99), (start + 1, 100), (start + 5 * 10**8, 100)):
        rows = level_rows().head(1).with_columns(valid_from=pl.Series([begin]).cast(pl.Datetime("ns", "UTC")))
        ((known, level),) = gate.levels_since(rows, TIMELINE, 250_000_000, as_of=500)
        assert (known, level["valid_from"]) == (second, 100)
        assert gate.levels(rows, TIMELINE, 250_000_000, as_of=second) != []
        assert gate.levels(rows, TIMELINE, 250_000_000, as_of=second - 1) == []


def test_a_price_off_the_grid_is_told_at_the_nearest_tick() -> None:
    rows = level_rows(price_int=[6800_240_000_000, 6800_130_000_000, 6800_125_000_000, 0])
    told = gate.levels(rows, TIMELINE, 250_000_000, as_of=500)
    assert [one["price_tick"] for one in told] == [27_201, 27_201, 27_201]
    assert (
        gate.levels(level_rows(price_int=[6800_124_999_999] * 4), TIMELINE, 250_000_000, 100)[0]["price_tick"] == 27_200
    )


def test_candles_are_told_once_they_have_closed() -> None:
    bars = pl.DataFrame(
        {
            "bar_start": moments([0, 120, 240]),
            "window_end": moments([120, 240, 360]),
            **{f"{name}_price_int": [6800 * 10**9] * 3 for name in ("open", "high", "low", "close")},
            "sma200": [None, 6799.0, 6799.5],
            "sma400": [None, None, None],
            "volume": [1, 2, 3],
            "is_complete": [True] * 3,
            "is_halt": [False] * 3,
        }
    )
    told = gate.candles(bars, TIMELINE, 250_000_000, as_of=239)
    assert [(one["from"], one["to"], one["sma200_tick"]) for one in told] == [(0, 120, None), (120, 240, 27_196.0)]
    assert len(gate.candles(bars, TIMELINE, 250_000_000, as_of=238)) == 1


def test_moments_are_seconds_or_times_with_an_offset() -> None:
    start = date(2026, 1, 6)
    assert gate.parse_second("77", TIMELINE, name="from") == 77
    assert gate.parse_second(f"{start}T00:01:17Z", TIMELINE, name="from") == 77
    assert gate.parse_second(f"{start}T01:01:17+01:00", TIMELINE, name="from") == 77
    for text in ("", "noon", f"{start}T00:01:17", "1.5", "9" * 30, "１２"):
        with pytest.raises(BadRequestError):
            gate.parse_second(text, TIMELINE, name="from")
