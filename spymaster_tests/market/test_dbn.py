"""What the writer writes is what Databento's own reader reads, in every version and compression."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import databento as db
import databento_dbn
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spymaster.market.dbn import MBO_DTYPE, UNDEF_PRICE, DbnWriter, encode_metadata, mbo_records, write_dbn
from spymaster.market.definition_records import encode_definition
from spymaster_tests.streams import day_ns, random_stream

DAY = date(2024, 3, 6)
START, END = day_ns(DAY), day_ns(DAY) + 86_400_000_000_000
VERSIONS = (1, 2, 3)


def write(path: Path, records: np.ndarray, **options) -> Path:
    return write_dbn(
        path,
        records,
        **{
            "dataset": "SIM.SPYMASTER",
            "symbols": {"ESH4": 17077, "ESM4": 17078},
            "start_ns": START,
            "end_ns": END,
            **options,
        },
    )


def test_dtype_is_that_of_databento() -> None:
    theirs = np.dtype(databento_dbn.MBOMsg._dtypes)
    assert MBO_DTYPE.itemsize == theirs.itemsize == 56
    assert {name: offset for name, (_, offset, *_) in (MBO_DTYPE.fields or {}).items()} == {
        name: offset for name, (_, offset, *_) in (theirs.fields or {}).items()
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("compression", ["zstd", None])
@given(seed=st.integers(0, 2**32), n=st.integers(0, 400))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_databento_reads_back_the_same_records(
    tmp_path: Path, version: int, compression: Literal["zstd"] | None, seed: int, n: int
) -> None:
    records = random_stream(seed, n)
    store = db.DBNStore.from_file(write(tmp_path / "a.dbn", records, version=version, compression=compression))
    assert store.to_ndarray().tobytes() == records.tobytes()
    assert (store.metadata.version, store.schema, store.dataset) == (version, "mbo", "SIM.SPYMASTER")
    assert (store.metadata.start, store.metadata.end) == (START, END)


@pytest.mark.parametrize("version", VERSIONS)
def test_databento_maps_the_symbols(tmp_path: Path, version: int) -> None:
    records = np.concatenate([random_stream(1, 50), random_stream(2, 50, instrument_id=17078)])
    frame = db.DBNStore.from_file(write(tmp_path / "a.dbn.zst", records, version=version)).to_df()
    expected = np.where(records["instrument_id"] == 17077, "ESH4", "ESM4")
    assert frame["symbol"].tolist() == expected.tolist()


def test_chunks_written_one_by_one_over_several_frames_are_one_stream(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("spymaster.market.dbn._FRAME_RECORDS", 300)
    records = random_stream(3, 2_000)
    whole = {"dataset": "SIM.SPYMASTER", "symbols": {"ESH4": 17077}, "start_ns": START, "end_ns": END}
    with DbnWriter(tmp_path / "a.dbn.zst", **whole) as writer:
        for start in range(0, len(records), 170):
            writer.write(records[start : start + 170])
    assert writer.count == len(records)
    assert (tmp_path / "a.dbn.zst").read_bytes().count(b"\x28\xb5\x2f\xfd") > 5  # zstd frame magic
    assert db.DBNStore.from_file(tmp_path / "a.dbn.zst").to_ndarray().tobytes() == records.tobytes()


def _write_twice_the_second_wrong(writer: DbnWriter) -> None:
    writer.write(random_stream(3, 100))
    writer.write(np.zeros(3, [("price", "i8")]))


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.dbn.zst"
    whole = {"dataset": "SIM.SPYMASTER", "symbols": {"ESH4": 17077}, "start_ns": START, "end_ns": END}
    with pytest.raises(TypeError), DbnWriter(path, **whole) as writer:
        _write_twice_the_second_wrong(writer)
    assert list(tmp_path.iterdir()) == []


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="15 characters"):
        write(tmp_path / "a.dbn", mbo_records(1), dataset="SIXTEEN.CHARS.XX")
    with pytest.raises(ValueError, match="not after"):
        write(tmp_path / "a.dbn", mbo_records(1), end_ns=START)
    with pytest.raises(ValueError, match="version 4"):
        encode_metadata(dataset="X", symbols={}, start_ns=0, end_ns=1, version=4)
    with pytest.raises(TypeError, match="MBO_DTYPE"):
        write(tmp_path / "a.dbn", np.zeros(3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_definitions_of_every_version_are_read_by_databento(tmp_path: Path, version: int) -> None:
    path = tmp_path / "d.dbn.zst"
    with DbnWriter(
        path,
        dataset="SIM.SPYMASTER",
        symbols={"ESM4": 7},
        start_ns=START,
        end_ns=END,
        schema="definition",
        version=version,
    ) as writer:
        writer.write_encoded(
            encode_definition(
                raw_symbol="ESM4",
                instrument_id=7,
                asset="ES",
                instrument_class="F",
                tick_size_int=250_000_000,
                ts_recv=START,
                expiration=START + 10**15,
                unit_of_measure_qty=50 * 10**9,
                version=version,
            )
        )
    (record,) = list(db.DBNStore.from_file(path))
    assert isinstance(record, databento_dbn.InstrumentDefMsg)
    assert (record.raw_symbol, record.asset, str(record.instrument_class)) == ("ESM4", "ES", "F")
    assert (record.min_price_increment, record.unit_of_measure_qty) == (250_000_000, 50 * 10**9)
    assert (record.expiration, record.strike_price) == (START + 10**15, UNDEF_PRICE)
