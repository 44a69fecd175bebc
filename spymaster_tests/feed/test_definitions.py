"""`bronze.future_definition` from definition records of every DBN version, and without them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from spymaster.feed import errors
from spymaster.feed.definitions import future_definitions
from spymaster.feed.ingest import add_raw
from spymaster.feed.messages import read_definitions
from spymaster.feed.metadata import read_metadata
from spymaster.feed.sources import covering_file
from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET, UNDEF_PRICE, DbnWriter
from spymaster.market.definition_records import encode_definition
from spymaster.tables.future_definition import FutureDefinition
from spymaster_tests.streams import DAY, day_ns, random_stream, write_raw_day

DAY_NS = 86_400_000_000_000
EXPIRY = day_ns(date(2024, 3, 15)) + 14 * 3_600_000_000_000
ES = {"asset": "ES", "tick_size_int": 250_000_000, "unit_of_measure_qty": 50 * 10**9}


def definition_file(
    path: Path, records: Sequence[dict[str, Any]], *, version: int = 3, days: int = 1, compression: Any = "zstd"
) -> Path:
    start = day_ns(DAY)
    symbols = {record["raw_symbol"]: record["instrument_id"] for record in records}
    with DbnWriter(
        path,
        dataset=SIM_DATASET,
        symbols=symbols,
        start_ns=start,
        end_ns=start + days * DAY_NS,
        schema="definition",
        version=version,
        compression=compression,
    ) as writer:
        for record in records:
            whole = {"instrument_class": "F", "ts_recv": start, "expiration": EXPIRY, **ES, **record}
            writer.write_encoded(encode_definition(version=version, **whole))
    return path


FRONT = {"raw_symbol": "ESH4", "instrument_id": 17077}
BACK = {"raw_symbol": "ESM4", "instrument_id": 11, "expiration": EXPIRY + 91 * DAY_NS}
SPREAD = {
    "raw_symbol": "ESH4-ESM4",
    "instrument_id": 70_000,
    "instrument_class": "S",
    "tick_size_int": 50_000_000,
    "unit_of_measure_qty": UNDEF_PRICE,
}


@pytest.mark.parametrize("version", [1, 2, 3])
def test_definition_records_of_every_version(tmp_path: Path, version: int) -> None:
    path = definition_file(tmp_path / "d.dbn.zst", [BACK, FRONT, SPREAD], version=version)
    frame = FutureDefinition.validate(future_definitions("ES", DAY, definitions=path))
    assert frame["contract"].to_list() == ["ESH4", "ESH4-ESM4", "ESM4"]
    assert frame["instrument_class"].to_list() == ["F", "S", "F"]
    assert frame["tick_size_int"].to_list() == [250_000_000, 50_000_000, 250_000_000]
    assert frame["multiplier"].to_list() == [50.0, 50.0, 50.0]
    assert frame["expiration"][0] == datetime(2024, 3, 15, 14, tzinfo=UTC)
    assert set(frame["origin"]) == {"definition"}


def test_an_explicit_contract_multiplier_wins_and_undefined_fields_come_from_the_configuration(tmp_path: Path) -> None:
    odd = {"tick_size_int": UNDEF_PRICE, "unit_of_measure_qty": UNDEF_PRICE, "currency": "", "expiration": 2**64 - 1}
    path = definition_file(tmp_path / "d.dbn", [{**FRONT, "contract_multiplier": 7}, {**BACK, **odd}], compression=None)
    frame = future_definitions("ES", DAY, definitions=path)
    assert frame["multiplier"].to_list() == [7.0, 50.0]
    assert frame["tick_size_int"].to_list() == [250_000_000, 250_000_000]
    assert frame["currency"].to_list() == ["USD", "USD"]
    assert frame["expiration"].to_list()[1] is None


def test_the_latest_record_by_the_end_of_the_date_counts(tmp_path: Path) -> None:
    start = day_ns(DAY)
    path = definition_file(
        tmp_path / "d.dbn.zst",
        [
            FRONT,
            {**FRONT, "tick_size_int": 100_000_000, "ts_recv": start + 5, "action": "M"},
            {**FRONT, "tick_size_int": 1, "ts_recv": start + 6, "action": "D"},
            {**FRONT, "tick_size_int": 2, "ts_recv": start + DAY_NS},
            {**BACK, "ts_recv": start + DAY_NS},
        ],
        days=3,
    )
    today = future_definitions("ES", DAY, definitions=path)
    assert today.select("contract", "tick_size_int").rows() == [("ESH4", 100_000_000)]
    tomorrow = future_definitions("ES", date(2024, 3, 7), definitions=path)
    assert tomorrow.select("contract", "tick_size_int").rows() == [("ESH4", 2), ("ESM4", 250_000_000)]


def test_other_assets_and_options_are_left_out(tmp_path: Path) -> None:
    path = definition_file(
        tmp_path / "d.dbn.zst",
        [
            FRONT,
            {**BACK, "raw_symbol": "NQH4", "asset": "NQ"},
            {**BACK, "raw_symbol": "ESM4 C4250", "instrument_id": 12, "instrument_class": "C"},
            {**BACK, "raw_symbol": "UD:1V: VT 1", "instrument_id": 13, "instrument_class": "T"},
        ],
    )
    assert future_definitions("ES", DAY, definitions=path)["contract"].to_list() == ["ESH4"]


def test_without_definitions_the_configuration_speaks(tmp_path: Path) -> None:
    raw = write_raw_day(
        tmp_path,
        "ES",
        DAY,
        random_stream(1, 20),
        contracts={"ESH4": 17077, "ESH4-ESM4": 3, "ES:BF H4-M4-U4": 4, "UD:1V: VT 5": 5},
    )
    frame = FutureDefinition.validate(future_definitions("ES", DAY, mbo=[read_metadata(raw)]))
    assert frame.select("contract", "instrument_class").rows() == [
        ("ES:BF H4-M4-U4", "S"),
        ("ESH4", "F"),
        ("ESH4-ESM4", "S"),
        ("UD:1V: VT 5", "S"),
    ]
    assert set(frame["origin"]) == {"fallback"}
    assert frame["expiration"].null_count() == 4
    assert set(frame["multiplier"]) == {50.0}


def test_definitions_and_the_names_of_the_day_complete_each_other(tmp_path: Path) -> None:
    raw = write_raw_day(tmp_path, "ES", DAY, random_stream(1, 20), contracts={"ESH4": 999, "ESU4": 5})
    path = definition_file(tmp_path / "d.dbn.zst", [FRONT, BACK])
    frame = future_definitions("ES", DAY, mbo=[read_metadata(raw)], definitions=path)
    assert frame.select("contract", "instrument_id", "origin").rows() == [
        ("ESH4", 999, "definition"),
        ("ESM4", 11, "definition"),
        ("ESU4", 5, "fallback"),
    ]


def test_the_file_of_a_date_is_its_own_or_the_latest_that_covers_it(tmp_path: Path) -> None:
    lake = Lake.open(tmp_path / "lake", create=True)
    month = definition_file(tmp_path / "month.dbn.zst", [FRONT], days=20)
    add_raw(lake, month, "ES")
    raw = covering_file(lake, "ES", "definition", date(2024, 3, 11))
    assert raw is not None
    assert raw.path.name == "20240306.month.dbn.zst"
    assert covering_file(lake, "ES", "definition", date(2024, 3, 5)) is None
    assert covering_file(lake, "ES", "definition", date(2024, 3, 26)) is None
    assert covering_file(lake, "ES", "definition", date(2024, 3, 11), "future_option") is None


def test_bad_definition_files(tmp_path: Path) -> None:
    plain = definition_file(tmp_path / "d.dbn", [FRONT, BACK], compression=None)
    plain.write_bytes(plain.read_bytes()[:-3])
    with pytest.raises(errors.TruncatedFileError, match="record 1"):
        list(read_definitions(plain))
    compressed = definition_file(tmp_path / "d.dbn.zst", [FRONT, BACK])
    compressed.write_bytes(compressed.read_bytes()[:-3])
    with pytest.raises(errors.TruncatedFileError, match="zstd frame"):
        list(read_definitions(compressed))
    with pytest.raises(errors.WrongSchemaError, match="'mbo'"):
        list(read_definitions(write_raw_day(tmp_path, "ES", DAY, random_stream(1, 20))))


def test_real_definitions(real_data: Path) -> None:
    frame = FutureDefinition.validate(
        future_definitions("ES", date(2023, 4, 3), definitions=real_data / "definition-glbx-es-fut.dbn.zst")
    )
    row = frame.row(0, named=True)
    assert (row["contract"], row["instrument_id"], row["multiplier"]) == ("ESM3", 95414, 50.0)
    assert (row["tick_size_int"], row["exchange"], row["currency"]) == (250_000_000, "XCME", "USD")
    assert row["expiration"] == datetime(2023, 6, 16, 13, 30, tzinfo=UTC)
    options = future_definitions("ES", date(2023, 8, 1), definitions=real_data / "definition-glbx-es-opt.dbn.zst")
    assert options.equals(pl.DataFrame(schema=FutureDefinition.schema()))
