"""`bronze.option_definition`: every option of the file, a row per change, nothing from after the date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from spymaster.feed import errors
from spymaster.feed.definitions import future_definitions
from spymaster.feed.ingest import add_raw
from spymaster.feed.metadata import read_metadata
from spymaster.feed.option_definitions import option_definitions
from spymaster.lake import Lake, RawFile, raw_files
from spymaster.market.dbn import UNDEF_PRICE
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.options.chain import CHAIN_SIZES, TICK_INT, WIDE_TICK, build_chain
from spymaster.simulator.options.files import user_defined, write_option_definitions
from spymaster.simulator.schedule import midnight_ns
from spymaster.tables.option_definition import OptionDefinition
from spymaster_tests.feed.test_definitions import BACK, DAY_NS, FRONT, definition_file
from spymaster_tests.simulator.days import TUESDAY
from spymaster_tests.streams import DAY, day_ns, random_stream, write_raw_day

POINT = 10**9
HOUR_NS = 3_600 * POINT
OPTION: dict[str, Any] = {
    "instrument_class": "C",
    "security_type": "OOF",
    "tick_size_int": 50_000_000,
    "underlying": "ESH4",
    "underlying_id": 17077,
}
CALL = {**OPTION, "raw_symbol": "E2AH4 C5200", "instrument_id": 21, "asset": "E2A", "strike_price": 5200 * POINT}
PUT = {**CALL, "raw_symbol": "E2AH4 P5200", "instrument_id": 22, "instrument_class": "P"}
SPREAD = {
    **OPTION,
    "raw_symbol": "UD:1V: VT 0306000017",
    "instrument_id": 4_000_000_000,
    "asset": "E2A",
    "instrument_class": "T",
    "user_defined": True,
    "underlying": "",
    "underlying_id": 0,
    "tick_size_int": UNDEF_PRICE,
}
COVERED = {**SPREAD, "raw_symbol": "UD:1V: 12 0306000018", "instrument_id": 30, "instrument_class": "M"}


def stored(tmp_path: Path, records: Sequence[dict[str, Any]], **options: Any) -> RawFile:
    lake = Lake.open(tmp_path / "lake", create=True)
    return add_raw(lake, definition_file(tmp_path / "d-20240306.dbn.zst", records, **options), "ES").file


def rows(raw: RawFile | None, dt: date = DAY) -> pl.DataFrame:
    return OptionDefinition.validate(option_definitions("ES", dt, definitions=raw).frame)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_records_of_every_version(tmp_path: Path, version: int) -> None:
    raw = stored(tmp_path, [PUT, SPREAD, CALL], version=version)
    assert raw.product_type == "future_option"
    frame = rows(raw)
    assert frame["contract"].to_list() == ["E2AH4 C5200", "E2AH4 P5200", "UD:1V: VT 0306000017"]
    call, put, spread = frame.rows(named=True)
    assert call == {
        "instrument_id": 21,
        "ts_recv": datetime(2024, 3, 6, tzinfo=UTC),
        "contract": "E2AH4 C5200",
        "asset": "E2A",
        "instrument_class": "C",
        "right": "C",
        "strike_price_int": 5200 * POINT,
        "expiration": datetime(2024, 3, 15, 14, tzinfo=UTC),
        "underlying": "ESH4",
        "underlying_id": 17077,
        "tick_size_int": 50_000_000,
        "multiplier": 50.0,
        "currency": "USD",
        "exchange": "XCME",
        "is_user_defined": False,
        "is_deleted": False,
    }
    assert (put["right"], put["strike_price_int"]) == ("P", 5200 * POINT)
    absent = ("right", "strike_price_int", "underlying", "underlying_id", "tick_size_int")
    assert {spread[name] for name in absent} == {None}
    assert spread["is_user_defined"]


def test_a_repeated_definition_adds_no_row_and_a_change_does(tmp_path: Path) -> None:
    start = day_ns(DAY)
    raw = stored(
        tmp_path,
        [
            CALL,
            PUT,
            {**CALL, "ts_recv": start + HOUR_NS},
            {**CALL, "ts_recv": start + 2 * HOUR_NS, "tick_size_int": 250_000_000, "action": "M"},
            {**CALL, "ts_recv": start + 3 * HOUR_NS, "tick_size_int": 250_000_000},
            {**CALL, "ts_recv": start + 4 * HOUR_NS, "tick_size_int": 250_000_000, "action": "D"},
        ],
    )
    made = option_definitions("ES", DAY, definitions=raw)
    assert made.frame.select("instrument_id", pl.col("ts_recv").dt.hour(), "tick_size_int", "is_deleted").rows() == [
        (21, 0, 50_000_000, False),
        (21, 2, 250_000_000, False),
        (21, 4, 250_000_000, True),
        (22, 0, 50_000_000, False),
    ]
    assert made.counters == {
        "definition_records": 6,
        "received_later": 0,
        "options_without_strike": 0,
        "instruments": 2,
        "changed_in_session": 2,
    }


def test_of_several_records_of_one_time_the_last_counts(tmp_path: Path) -> None:
    """A spread has a record per leg."""
    raw = stored(tmp_path, [SPREAD, SPREAD, {**SPREAD, "currency": "EUR"}, CALL])
    assert rows(raw).select("instrument_id", "currency").rows() == [(21, "USD"), (4_000_000_000, "EUR")]


def test_records_out_of_order_in_the_file_are_in_order_in_the_table(tmp_path: Path) -> None:
    start = day_ns(DAY)
    later = {**CALL, "ts_recv": start + HOUR_NS, "tick_size_int": 5}
    raw = stored(tmp_path, [later, CALL])
    assert rows(raw)["tick_size_int"].to_list() == [50_000_000, 5]


def test_nothing_received_after_the_date_is_used(tmp_path: Path) -> None:
    """Whatever the later records of a month's file say, the rows of a date are the same."""
    later = [
        {**CALL, "ts_recv": day_ns(DAY) + DAY_NS, "tick_size_int": 7},
        {**PUT, "ts_recv": day_ns(DAY) + DAY_NS + HOUR_NS},
    ]
    short = stored(tmp_path / "short", [CALL])
    month = stored(tmp_path / "month", [CALL, *later], days=20)
    assert rows(month).equals(rows(short))
    assert option_definitions("ES", DAY, definitions=month).counters["received_later"] == 2
    tomorrow = rows(month, DAY + timedelta(days=1))
    assert tomorrow.select("instrument_id", "tick_size_int").rows() == [(21, 7), (22, 50_000_000)]


def test_versions_replaced_before_the_date_are_left_out(tmp_path: Path) -> None:
    """An id that went to another instrument is that instrument's from the record on, and both are never in force."""
    start = day_ns(DAY)
    raw = stored(
        tmp_path,
        [
            CALL,
            {**CALL, "ts_recv": start + HOUR_NS, "tick_size_int": 7},
            {**PUT, "instrument_id": 21, "ts_recv": start + DAY_NS},
            {**CALL, "instrument_id": 40, "ts_recv": start + DAY_NS + HOUR_NS},
        ],
        days=5,
    )
    assert rows(raw)["tick_size_int"].to_list() == [50_000_000, 7]
    tomorrow = rows(raw, DAY + timedelta(days=1))
    assert tomorrow.select("instrument_id", "contract").rows() == [(21, "E2AH4 P5200"), (40, "E2AH4 C5200")]


def test_an_explicit_multiplier_wins_and_undefined_fields_come_from_the_configuration(tmp_path: Path) -> None:
    odd = {"unit_of_measure_qty": UNDEF_PRICE, "currency": "", "exchange": "", "expiration": 2**64 - 1}
    frame = rows(stored(tmp_path, [{**CALL, "contract_multiplier": 7}, {**PUT, **odd}]))
    assert frame["multiplier"].to_list() == [7.0, 50.0]
    assert frame.select("currency", "exchange", "expiration").row(1) == ("USD", "XCME", None)


def test_an_option_without_a_strike_has_no_right_and_is_counted(tmp_path: Path) -> None:
    made = option_definitions("ES", DAY, definitions=stored(tmp_path, [{**CALL, "strike_price": UNDEF_PRICE}, PUT]))
    OptionDefinition.validate(made.frame)
    assert made.frame.select("instrument_class", "right").rows() == [("C", None), ("P", "P")]
    assert made.counters["options_without_strike"] == 1


def test_a_file_of_futures_and_options_serves_both(tmp_path: Path) -> None:
    raw = stored(tmp_path, [FRONT, CALL, BACK, SPREAD, COVERED])
    assert raw.product_type == "future"
    assert rows(raw)["contract"].to_list() == [CALL["raw_symbol"], COVERED["raw_symbol"], SPREAD["raw_symbol"]]
    assert future_definitions("ES", DAY, definitions=raw.path)["contract"].to_list() == ["ESH4", "ESM4"]


def test_without_a_file_or_without_options_in_it_there_are_no_rows_and_a_reason(tmp_path: Path) -> None:
    nothing = option_definitions("ES", DAY, definitions=None)
    assert nothing.frame.equals(OptionDefinition.empty())
    assert nothing.empty_reason == "no raw definition file of options covers 2024-03-06"
    futures = option_definitions("ES", DAY, definitions=stored(tmp_path, [FRONT, BACK]))
    assert futures.frame.equals(OptionDefinition.empty())
    assert futures.empty_reason == "d-20240306.dbn.zst defines no option by the end of 2024-03-06"


def test_one_right_only_is_data(tmp_path: Path) -> None:
    made = option_definitions("ES", DAY, definitions=stored(tmp_path, [PUT]))
    assert made.frame["right"].to_list() == ["P"]
    assert made.empty_reason is None


def test_instruments_of_the_orders_that_nothing_defines_are_counted_and_named(tmp_path: Path) -> None:
    orders = write_raw_day(
        tmp_path, "ES", DAY, random_stream(1, 20, instrument_id=21),
        contracts={"E2AH4 C5200": 21, "E2AH4 C5205": 99, "E2AH4 P5200": 22},
    )  # fmt: skip
    made = option_definitions(
        "ES", DAY, definitions=stored(tmp_path / "d", [CALL, PUT]), mbo=read_metadata(orders)
    )  # fmt: skip
    assert made.counters["undefined_instruments"] == 1
    assert made.notes == {"undefined_instruments": ["E2AH4 C5205"]}
    without = option_definitions("ES", DAY, definitions=None, mbo=read_metadata(orders))
    assert without.counters["undefined_instruments"] == 3
    assert without.dataset == "SIM.SPYMASTER"


def test_bad_files_are_named_with_partition_and_record(tmp_path: Path) -> None:
    raw = stored(tmp_path, [CALL, PUT])
    whole = raw.path.read_bytes()
    raw.path.write_bytes(whole[:-3])
    with pytest.raises(errors.TruncatedFileError, match=r"d-20240306.*inside a zstd frame"):
        rows(raw)
    raw.path.write_bytes(whole)
    real = RawFile(raw.lake_root, raw.path, "databento", "future_option", "ES", "definition", DAY)
    with pytest.raises(errors.WrongDatasetError, match=r"SIM\.SPYMASTER.*partition ES 2024-03-06"):
        rows(real)
    with pytest.raises(errors.WrongTimeSpanError, match=r"2024-03-06 to 2024-03-06 \(partition ES 2024-03-07\)"):
        rows(raw, DAY + timedelta(days=1))
    plain = definition_file(raw.path.with_name("d-20240306.dbn"), [CALL, PUT], compression=None)
    plain.write_bytes(plain.read_bytes()[:-3])
    cut = RawFile(raw.lake_root, plain, "simulated", "future_option", "ES", "definition", DAY)
    with pytest.raises(errors.TruncatedFileError, match=r"inside a record of schema definition \(.*06, record 1\)"):
        rows(cut)
    timeless = stored(tmp_path / "timeless", [PUT, {**CALL, "ts_recv": 2**64 - 1}])
    with pytest.raises(errors.InvalidRecordError, match=r"E2AH4 C5200 \(21\) has no receive time \(.*record 1\)"):
        rows(timeless)


def test_the_simulated_chain_is_told_as_it_is(tmp_path: Path) -> None:
    """The truth is the chain that the simulator built: dailies, one option of which changes its tick, and the traps."""
    contracts = contracts_on("ES", TUESDAY, "HMUZ")
    chain = build_chain(TUESDAY, "ES", 6_790.0, contracts, CHAIN_SIZES["rth"])
    modified = midnight_ns(TUESDAY) + 15 * HOUR_NS
    path = tmp_path / f"sim-{TUESDAY:%Y%m%d}.definition.dbn.zst"
    write_option_definitions(path, TUESDAY, "ES", chain, contracts, "XCME", modified)
    raw = add_raw(Lake.open(tmp_path / "lake", create=True), path, "ES").file
    frame = rows(raw, TUESDAY)
    listed = frame.filter(~pl.col("is_user_defined") & ~pl.col("contract").str.starts_with("EX"))
    first = listed.filter(pl.col("ts_recv").to_physical() == midnight_ns(TUESDAY)).sort("contract")
    options = sorted(chain.options, key=lambda option: option.symbol)
    assert first["contract"].to_list() == [option.symbol for option in options]
    assert first["instrument_id"].to_list() == [option.instrument_id for option in options]
    assert first["right"].to_list() == [option.right for option in options]
    assert first["strike_price_int"].to_list() == [option.strike * POINT for option in options]
    expiries = [chain.expiries[option.expiry] for option in options]
    assert first["expiration"].to_physical().to_list() == [expiry.expiration_ns for expiry in expiries]
    assert first["underlying"].to_list() == [contracts[expiry.underlying].symbol for expiry in expiries]
    assert first["underlying_id"].to_list() == [contracts[expiry.underlying].instrument_id for expiry in expiries]
    changed = listed.filter(pl.col("ts_recv").to_physical() == modified)
    assert changed.select("contract", "tick_size_int").rows() == [(chain.options[0].symbol, WIDE_TICK * TICK_INT)]
    assert set(frame.filter("is_user_defined")["contract"]) == set(user_defined(TUESDAY))
    assert frame.filter(pl.col("expiration").to_physical() < midnight_ns(TUESDAY)).height == 1


def test_real_definitions(tmp_path: Path, real_data: Path) -> None:
    lake = Lake.open(tmp_path / "lake", create=True)
    add_raw(lake, real_data / "definition-glbx-es-opt.dbn.zst", "ES")
    (raw,) = raw_files(lake, "ES", "definition", product_type="future_option")
    made = option_definitions("ES", date(2023, 8, 15), definitions=raw)
    frame = OptionDefinition.validate(made.frame).sort("strike_price_int")
    assert frame.select(
        "contract", "right", "strike_price_int", "underlying", "multiplier", "tick_size_int"
    ).rows() == [
        ("ESM4 C3550", "C", 3_550 * POINT, "ESM4", 50.0, None),
        ("ESM4 C4250", "C", 4_250 * POINT, "ESM4", 50.0, None),
    ]
    assert set(frame["expiration"]) == {datetime(2024, 6, 21, 13, 30, tzinfo=UTC)}
    assert made.dataset == "GLBX.MDP3"
