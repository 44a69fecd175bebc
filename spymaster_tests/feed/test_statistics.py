"""Both statistics tables: every record of the date, in file order, with undefined values as null."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import databento as db
import databento_dbn as dbn
import polars as pl
import pytest

from spymaster.feed import errors
from spymaster.feed.ingest import add_raw
from spymaster.feed.statistics import statistics_frames
from spymaster.lake import Lake, RawFile
from spymaster.market.calendar import previous_session
from spymaster.market.dbn import SIM_DATASET, UNDEF_PRICE, UNDEF_TIMESTAMP, DbnWriter
from spymaster.simulator.options.files import write_option_statistics
from spymaster.simulator.options.interest import open_interest
from spymaster.simulator.schedule import midnight_ns
from spymaster.tables.future_statistics import FutureStatistics
from spymaster.tables.option_statistics import OptionStatistics
from spymaster_tests.simulator.chains import SMALL, finished_chain, walk
from spymaster_tests.simulator.days import TUESDAY
from spymaster_tests.streams import DAY, day_ns, random_stream, write_raw_day

DAY_NS = 86_400 * 10**9
HOUR_NS = 3_600 * 10**9
OPTIONS = {"E2AH4 C5200": 21, "E2AH4 P5200": 22}
UNDEF_QUANTITY = {1: 2**31 - 1, 2: 2**31 - 1, 3: 2**63 - 1}


def statistic(
    at: int, number: int, kind: int, *, price: int = UNDEF_PRICE, quantity: int | None = None, version: int = 3,
    ts_ref: int | None = None, delete: bool = False, sequence: int = 0, flags: int = 0,
) -> bytes:  # fmt: skip
    """One statistics record of a DBN version; `at` is its time of receipt, 1 us after that of the exchange."""
    made: Any = dbn.StatMsg if version == 3 else dbn.StatMsgV1
    action: Any = dbn.StatUpdateAction
    return bytes(
        made(
            65001, number, at - 1_000, at, day_ns(DAY) - DAY_NS if ts_ref is None else ts_ref, price,
            UNDEF_QUANTITY[version] if quantity is None else quantity, dbn.StatType.from_int(kind),
            channel_id=3, update_action=action.DELETE if delete else action.NEW, stat_flags=flags, sequence=sequence,
        )
    )  # fmt: skip


def statistics_file(
    path: Path, records: Sequence[bytes], *, version: int = 3, days: int = 1, symbols: dict[str, int] | None = None,
    dt: date = DAY, compression: Any = "zstd", dataset: str = SIM_DATASET,
) -> Path:  # fmt: skip
    """A statistics file of options (or of what `symbols` names)."""
    start = day_ns(dt)
    with DbnWriter(
        path, dataset=dataset, symbols=symbols or OPTIONS, start_ns=start, end_ns=start + days * DAY_NS,
        schema="statistics", version=version, compression=compression,
    ) as writer:  # fmt: skip
        for record in records:
            writer.write_encoded(record)
    return path


def stored(tmp_path: Path, records: Sequence[bytes], **options: Any) -> RawFile:
    lake = Lake.open(tmp_path / "lake", create=True)
    return add_raw(lake, statistics_file(tmp_path / "s-20240306.dbn.zst", records, **options), "ES").file


def read(raw: RawFile, dt: date = DAY, **options: Any) -> pl.DataFrame:
    model = OptionStatistics if raw.product_type == "future_option" else FutureStatistics
    frames = [model.validate(frame) for frame in statistics_frames(model, raw, dt, **options)]
    return pl.concat([model.empty(), *frames])


@pytest.mark.parametrize("version", [1, 2, 3])
def test_records_of_every_version_in_file_order(tmp_path: Path, version: int) -> None:
    start = day_ns(DAY)
    raw = stored(
        tmp_path,
        [
            statistic(start + HOUR_NS, 22, 9, quantity=1_234, version=version, sequence=8, flags=5),
            statistic(start + HOUR_NS, 21, 3, price=12_500_000_000, version=version, sequence=7),
            statistic(start + 2 * HOUR_NS, 21, 3, price=12_500_000_000, version=version, delete=True),
            statistic(start + 2 * HOUR_NS, 21, 9, quantity=0, ts_ref=UNDEF_TIMESTAMP, version=version),
        ],
        version=version,
    )
    frame = read(raw)
    assert frame.row(0, named=True) == {
        "instrument_id": 22,
        "publisher_id": 65001,
        "stat_type": 9,
        "price_int": None,
        "quantity": 1_234,
        "ts_ref": datetime(2024, 3, 5, tzinfo=UTC),
        "ts_event": datetime(2024, 3, 6, 0, 59, 59, 999_999, tzinfo=UTC),
        "ts_recv": datetime(2024, 3, 6, 1, tzinfo=UTC),
        "update": "new",
        "stat_flags": 5,
        "channel_id": 3,
        "sequence": 8,
    }
    assert frame["instrument_id"].to_list() == [22, 21, 21, 21]
    assert frame["price_int"].to_list() == [None, 12_500_000_000, 12_500_000_000, None]
    assert frame["quantity"].to_list() == [1_234, None, None, 0]
    assert frame["update"].to_list() == ["new", "new", "delete", "new"]
    assert frame["ts_ref"].is_null().to_list() == [False, False, False, True]


def test_quantities_of_more_than_32_bits_and_kinds_that_dbn_does_not_name(tmp_path: Path) -> None:
    record = bytearray(statistic(day_ns(DAY), 21, 9, quantity=2**40))
    position = record.rindex(b"\x09\x00\x03\x00")
    unnamed = bytes(record[:position]) + (60_000).to_bytes(2, "little") + bytes(record[position + 2 :])
    frame = read(stored(tmp_path, [bytes(record), unnamed]))
    assert frame.select("stat_type", "quantity").rows() == [(9, 2**40), (60_000, 2**40)]


def test_frames_are_bounded(tmp_path: Path) -> None:
    raw = stored(tmp_path, [statistic(day_ns(DAY) + i, 21, 9, quantity=i) for i in range(1_000)])
    counters: dict[str, Any] = {}
    frames = list(statistics_frames(OptionStatistics, raw, DAY, rows=300, counters=counters))
    assert [frame.height for frame in frames] == [300, 300, 300, 100]
    assert pl.concat(frames)["quantity"].to_list() == list(range(1_000))
    assert counters == {"statistics": 1_000, "of_other_dates": 0}


def test_a_file_of_several_dates_gives_each_its_own(tmp_path: Path) -> None:
    start = day_ns(DAY)
    raw = stored(tmp_path, [statistic(start + i * DAY_NS // 2, 21, 9, quantity=i) for i in range(6)], days=3)
    counters: dict[str, Any] = {}
    assert read(raw, counters=counters)["quantity"].to_list() == [0, 1]
    assert counters == {"statistics": 2, "of_other_dates": 4}
    assert read(raw, DAY + timedelta(days=2))["quantity"].to_list() == [4, 5]
    with pytest.raises(errors.WrongTimeSpanError, match="2024-03-09"):
        read(raw, DAY + timedelta(days=3))


def test_a_file_without_records_is_an_empty_table(tmp_path: Path) -> None:
    assert read(stored(tmp_path, [])).height == 0


def test_futures_have_a_table_of_the_same_form(tmp_path: Path) -> None:
    raw = stored(tmp_path, [statistic(day_ns(DAY), 17077, 9, quantity=5)], symbols={"ESH4": 17077})
    assert raw.product_type == "future"
    assert read(raw).select("instrument_id", "quantity").rows() == [(17077, 5)]
    assert FutureStatistics.schema() == OptionStatistics.schema()


def test_bad_files_are_named_with_partition_and_record(tmp_path: Path) -> None:
    records = [statistic(day_ns(DAY) + i, 21, 9, quantity=i) for i in range(3)]
    raw = stored(tmp_path, records)
    whole = raw.path.read_bytes()
    raw.path.write_bytes(whole[:-3])
    with pytest.raises(errors.TruncatedFileError, match=r"s-20240306.*inside a zstd frame"):
        read(raw)
    raw.path.write_bytes(whole)
    real = RawFile(raw.lake_root, raw.path, "databento", "future_option", "ES", "statistics", DAY)
    with pytest.raises(errors.WrongDatasetError, match=r"SIM\.SPYMASTER.*partition ES 2024-03-06"):
        read(real)
    plain = statistics_file(raw.path.with_name("s-20240306.dbn"), records, compression=None)
    cut = RawFile(raw.lake_root, plain, "simulated", "future_option", "ES", "statistics", DAY)
    content = plain.read_bytes()
    plain.write_bytes(content[:-3])
    with pytest.raises(errors.TruncatedFileError, match=r"inside a record of schema statistics \(.*06, record 2\)"):
        read(cut)
    foreign = bytes(random_stream(1, 1, instrument_id=21)[:1].tobytes())
    plain.write_bytes(content + foreign)
    with pytest.raises(errors.WrongRecordTypeError, match=r"a MBOMsg in a file of schema statistics \(.*record 3\)"):
        read(cut)
    odd = bytearray(records[0])
    odd[odd.rindex(b"\x09\x00\x03\x00") + 4] = 7
    plain.write_bytes(content + bytes(odd))
    with pytest.raises(errors.InvalidRecordError, match=r"instrument 21 with update action 7 \(.*06, record 3\)"):
        read(cut)
    plain.write_bytes(content + statistic(UNDEF_TIMESTAMP, 22, 9, quantity=1))
    with pytest.raises(errors.InvalidRecordError, match=r"instrument 22 with no time of event or receipt"):
        read(cut)
    orders = write_raw_day(tmp_path / "o", "ES", DAY, random_stream(1, 20))
    with pytest.raises(errors.WrongSchemaError, match="'mbo', expected 'statistics'"):
        read(RawFile(raw.lake_root, orders, "simulated", "future_option", "ES", "statistics", DAY))


def test_damaged_compression_is_an_error(tmp_path: Path) -> None:
    raw = stored(tmp_path, [statistic(day_ns(DAY) + i * i, 21, 9, quantity=i) for i in range(5_000)])
    content = bytearray(raw.path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    raw.path.write_bytes(bytes(content))
    with pytest.raises((errors.CorruptFileError, errors.TruncatedFileError), match=r"s-20240306"):
        read(raw)


def test_the_simulated_chain_is_told_as_it_is(tmp_path: Path) -> None:
    """Against the vendor's own reader, and the open interest that the simulator drew."""
    chain = finished_chain(size=SMALL, messages=3_000, quotes=walk(moves=500))
    day = chain.day
    interest = open_interest(TUESDAY, 7, day.chain, 6_790.0, None)
    path = tmp_path / f"sim-{TUESDAY:%Y%m%d}.statistics.dbn.zst"
    write_option_statistics(path, TUESDAY, "ES", day.chain, day.series, day.settled, interest)
    raw = add_raw(Lake.open(tmp_path / "lake", create=True), path, "ES").file
    assert raw.product_type == "future_option"
    frame = read(raw, TUESDAY)
    known = db.DBNStore.from_file(path).to_ndarray()
    assert frame.height == len(known)
    for name, field in (("instrument_id", "instrument_id"), ("stat_type", "stat_type"), ("sequence", "sequence")):
        assert frame[name].to_list() == known[field].tolist()
    for name in ("ts_recv", "ts_event", "ts_ref"):
        assert frame[name].to_physical().to_list() == known[name].tolist()
    for name, field in (("price_int", "price"), ("quantity", "quantity")):
        assert frame[name].fill_null(UNDEF_PRICE).to_list() == known[field].tolist()
    final = frame.filter(pl.col("stat_type") == 9).unique("instrument_id", keep="last", maintain_order=True)
    drawn = {option.instrument_id: int(lots) for option, lots in zip(day.chain.options, interest.final, strict=True)}
    assert dict(final.select("instrument_id", "quantity").iter_rows()) == drawn
    assert set(frame["ts_ref"].to_physical()) == {midnight_ns(previous_session(TUESDAY, "ES"))}
    assert frame["update"].value_counts(sort=True)["update"].to_list() == ["new", "delete"]
