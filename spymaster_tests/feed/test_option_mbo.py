"""`bronze.option_mbo` keeps every record of every option in the order of the file, and gives the same bytes back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from spymaster.feed.bronze import open_raw, option_mbo_frames
from spymaster.feed.errors import (
    TimeRegressionError,
    TruncatedFileError,
    UnknownInstrumentIdError,
    WrongDatasetError,
    WrongTimeSpanError,
)
from spymaster.feed.reader import MboFile
from spymaster.feed.records import option_records
from spymaster.lake import Lake, Partition, RawFile, raw_files
from spymaster.market.dbn import ACTION_CLEAR, MBO_DTYPE, UNDEF_PRICE, Records
from spymaster.tables.option_mbo import OptionMbo
from spymaster_tests.streams import DAY, interleave, random_stream, write_raw_day

OPTIONS = {"E1BF6 C6800": 11, "E1BF6 P6800": 12, "UD:1V: VT 2883423": 4_000_000_000, "E1BF6 C9900": 5}


def several() -> Records:
    """Three of the four instruments, interleaved; one without a snapshot, as options of files before 2024 are."""
    return interleave(
        random_stream(1, 2_000, instrument_id=11, snapshot="clear_terminated"),
        random_stream(2, 900, instrument_id=12, snapshot="plain_unterminated"),
        random_stream(4, 30, instrument_id=4_000_000_000, snapshot=None),
    )


def written(root: Path, original: Records, **options) -> RawFile:
    write_raw_day(root, "ES", DAY, original, contracts=OPTIONS, product_type="future_option", **options)
    (raw,) = raw_files(Lake.open(root, create=True), "ES", "market_by_order_dbn", product_type="future_option")
    return raw


def stored(root: Path, file: MboFile, **options) -> Partition:
    lake = Lake.open(root, create=True)
    with lake.writer(OptionMbo, "ES", DAY) as writer:
        for frame in option_mbo_frames(file, **options):
            writer.write(frame)
        writer.commit(dataset=file.metadata.dataset)
    return lake.partition(OptionMbo, "ES", DAY)


@pytest.mark.parametrize(("rows", "chunk"), [(64, 1_000), (700, 50), (100_000, 65_536)])
def test_records_come_back_byte_for_byte_in_file_order(tmp_path: Path, rows: int, chunk: int) -> None:
    original = several()
    counters: dict = {}
    partition = stored(tmp_path, open_raw(written(tmp_path, original)), rows=rows, counters=counters)
    again = list(option_records(partition, chunk=chunk))
    assert np.concatenate(again).tobytes() == original.tobytes()
    assert max(map(len, again)) <= chunk
    assert all(part.dtype == MBO_DTYPE and part.flags.writeable for part in again)
    assert counters == {"records": len(original), "instruments": 3}
    assert partition.rows == len(original)


def test_an_empty_partition_has_no_records(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path, create=True)
    with lake.writer(OptionMbo, "ES", DAY) as writer:
        writer.commit(provenance="simulated", empty_reason="no raw file of options")
    assert list(option_records(lake.partition(OptionMbo, "ES", DAY))) == []


def test_frames_are_bounded_and_keep_the_contract(tmp_path: Path) -> None:
    frames = list(option_mbo_frames(open_raw(written(tmp_path, several())), rows=500))
    assert max(frame.height for frame in frames) == 500
    for frame in frames:
        OptionMbo.validate(frame)


def test_undefined_prices_are_null(tmp_path: Path) -> None:
    original = several()
    frame = pl.concat(option_mbo_frames(open_raw(written(tmp_path, original))))
    assert frame["price_int"].is_null().to_list() == (original["price"] == UNDEF_PRICE).tolist()
    assert (original["action"] == ACTION_CLEAR).any()
    assert frame["price_int"].null_count() > 0


def test_row_groups_tell_their_times(tmp_path: Path) -> None:
    partition = stored(tmp_path, open_raw(written(tmp_path, several())))
    group = pq.ParquetFile(partition.path).metadata.row_group(0)
    told = {group.column(i).path_in_schema for i in range(group.num_columns) if group.column(i).statistics}
    assert {"ts_event", "ts_recv"} <= told


def test_a_file_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    raw = written(tmp_path, several())
    real = RawFile(raw.lake_root, raw.path, "databento", "future_option", "ES", raw.table, raw.dt)
    with pytest.raises(WrongDatasetError, match="ES 2024-03-06"):
        open_raw(real)
    other = RawFile(raw.lake_root, raw.path, raw.source, "future_option", "ES", raw.table, DAY.replace(day=7))
    with pytest.raises(WrongTimeSpanError, match="2024-03-07"):
        open_raw(other)


def test_a_record_of_an_option_that_no_symbol_names_is_an_error(tmp_path: Path) -> None:
    original = several()
    original["instrument_id"][1_000] = 99
    with pytest.raises(UnknownInstrumentIdError, match=r"instrument 99.*record 1,000"):
        stored(tmp_path, open_raw(written(tmp_path, original)))


def test_time_may_go_back_between_options_but_not_within_one(tmp_path: Path) -> None:
    original = several()
    second = np.flatnonzero((original["instrument_id"] == 12) & (original["flags"] & 0x20 == 0))
    original["ts_event"][second[-1]] = original["ts_event"][second[0]] - 1
    with pytest.raises(TimeRegressionError, match=f"E1BF6 P6800.*record {second[-1]:,}"):
        stored(tmp_path, open_raw(written(tmp_path, original)))
    assert not Lake.open(tmp_path).has(OptionMbo, "ES", DAY)


def test_a_truncated_file_leaves_no_partition(tmp_path: Path) -> None:
    raw = written(tmp_path, several())
    raw.path.write_bytes(raw.path.read_bytes()[:-100])
    with pytest.raises(TruncatedFileError, match="inside a zstd frame"):
        stored(tmp_path, open_raw(raw))
    assert not Lake.open(tmp_path).has(OptionMbo, "ES", DAY)
