"""`bronze.future_mbo` keeps every record of every contract, grouped, and gives the same bytes back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from spymaster.feed.bronze import _Spool, future_mbo_frames
from spymaster.feed.errors import TimeRegressionError
from spymaster.feed.reader import MboFile
from spymaster.feed.records import pack, records
from spymaster.lake import Lake, Partition
from spymaster.lake.errors import LakeFullError
from spymaster.market.dbn import MBO_DTYPE, UNDEF_PRICE, Records
from spymaster.tables.future_mbo import FutureMbo
from spymaster_tests.streams import DAY, interleave, random_stream, write_raw_day

CONTRACTS = {"ESM4": 11, "ESH4": 17077, "ESH4-ESM4": 70_000, "UD:1V: VT 2883423": 4_000_000_000, "ESZ9": 5}


def several() -> Records:
    """Four of the five contracts, interleaved; the fifth has no records that day."""
    return interleave(
        random_stream(1, 900, instrument_id=11),
        random_stream(2, 3_000, snapshot="clear_terminated"),
        random_stream(3, 300, instrument_id=70_000, mid_price=0, tick=50_000_000),
        random_stream(4, 20, instrument_id=4_000_000_000, snapshot=None),
    )


def stored(lake_root: Path, file: MboFile, **options) -> Partition:
    lake = Lake.open(lake_root, create=True)
    with lake.writer(FutureMbo, "ES", DAY) as writer:
        for frame in future_mbo_frames(file, **options):
            writer.write(frame)
        writer.commit(dataset=file.metadata.dataset)
    return lake.partition(FutureMbo, "ES", DAY)


def test_one_instrument_round_trips_byte_for_byte(tmp_path: Path) -> None:
    original = random_stream(7, 5_000)
    file = MboFile.open(write_raw_day(tmp_path, "ES", DAY, original))
    partition = stored(tmp_path, file, rows=700)
    again = list(records(partition, "ESH4", chunk=999))
    assert np.concatenate(again).tobytes() == original.tobytes()
    assert max(map(len, again)) <= 999
    assert all(chunk.flags.writeable for chunk in again)


@pytest.mark.parametrize("rows", [64, 1_000, 100_000])
def test_contracts_are_grouped_by_name_and_keep_their_order(tmp_path: Path, monkeypatch, rows: int) -> None:
    monkeypatch.setattr("spymaster.feed.bronze._SPOOL_BUFFER_RECORDS", 1_500)  # so that the spool file is used
    original = several()
    file = MboFile.open(write_raw_day(tmp_path, "ES", DAY, original, contracts=CONTRACTS))
    counters: dict = {}
    frames = list(future_mbo_frames(file, rows=rows, spool_dir=tmp_path / "spool", counters=counters))
    assert all(frame["contract"].n_unique() == 1 and frame.height <= rows for frame in frames)
    for frame in frames:
        FutureMbo.validate(frame)
    whole = pl.concat(frames)
    present = ["ESH4", "ESH4-ESM4", "ESM4", "UD:1V: VT 2883423"]
    assert whole["contract"].unique(maintain_order=True).to_list() == present
    for name in present:
        expected = original[original["instrument_id"] == CONTRACTS[name]]
        assert pack(whole.filter(pl.col("contract") == name)).tobytes() == expected.tobytes()
        assert counters["records_by_contract"][name] == len(expected)
    assert counters["records"] == len(original) == whole.height
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_row_group_holds_one_contract_and_one_contract_reads_alone(tmp_path: Path) -> None:
    original = several()
    file = MboFile.open(write_raw_day(tmp_path, "ES", DAY, original, contracts=CONTRACTS))
    partition = stored(tmp_path, file)
    metadata = pq.ParquetFile(partition.path).metadata
    spans = [metadata.row_group(i).column(0).statistics for i in range(metadata.num_row_groups)]
    assert [span.min for span in spans] == ["ESH4", "ESH4-ESM4", "ESM4", "UD:1V: VT 2883423"]
    assert all(span.min == span.max for span in spans)
    expected = original[original["instrument_id"] == 11]
    assert np.concatenate(list(records(partition, "ESM4"))).tobytes() == expected.tobytes()
    assert list(records(partition, "ESZ9")) == []


def test_undefined_prices_are_null(tmp_path: Path) -> None:
    original = random_stream(5, 2_000, weights={"clear": 5.0})
    file = MboFile.open(write_raw_day(tmp_path, "ES", DAY, original))
    frame = pl.concat(future_mbo_frames(file))
    assert frame["price_int"].is_null().to_list() == (original["price"] == UNDEF_PRICE).tolist()
    assert frame["price_int"].null_count() > 10


def test_an_error_in_the_file_surfaces_and_leaves_no_partition(tmp_path: Path) -> None:
    original = random_stream(5, 2_000)
    original["ts_event"][1_500] = original["ts_event"][200]
    file = MboFile.open(write_raw_day(tmp_path, "ES", DAY, original))
    with pytest.raises(TimeRegressionError, match="record 1,500"):
        stored(tmp_path, file)
    assert not Lake.open(tmp_path).has(FutureMbo, "ES", DAY)


def test_a_full_disk_while_spooling_is_named(tmp_path: Path) -> None:
    """Records of a second instrument go to a temporary file; `/dev/full` is a disk without a free byte."""
    spool = _Spool(tmp_path, instruments=1)
    with spool:
        spool._file.close()
        spool._file = open("/dev/full", "r+b", buffering=0)  # noqa: SIM115  (closed by the spool)
        with pytest.raises(LakeFullError, match=str(tmp_path)):
            spool.put(0, np.zeros(10**6, MBO_DTYPE))


def test_a_consumer_may_stop_early(tmp_path: Path) -> None:
    import threading

    file = MboFile.open(write_raw_day(tmp_path, "ES", DAY, random_stream(5, 20_000)))
    frames = future_mbo_frames(file, rows=100)
    next(frames)
    frames.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_the_real_day(tmp_path: Path, real_data: Path) -> None:
    path = real_data / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
    file = MboFile.open(path)
    lake = Lake.open(tmp_path, create=True)
    with lake.writer(FutureMbo, "ES", date(2023, 12, 25)) as writer:
        for frame in future_mbo_frames(file):
            writer.write(frame)
        writer.commit(dataset=file.metadata.dataset)
    partition = lake.partition(FutureMbo, "ES", date(2023, 12, 25))
    frame = partition.read()
    counts = dict(frame.filter(pl.col("flags") & 0x20 == 0)["action"].value_counts().iter_rows())
    assert frame.height == 68_792
    assert counts == {"A": 29_216 - 8_725, "C": 17_999, "M": 12_233, "F": 6_371, "T": 2_973}
    expected = np.concatenate([chunk.copy() for chunk in file.chunks()])
    assert np.concatenate(list(records(partition, "ESH4"))).tobytes() == expected.tobytes()
