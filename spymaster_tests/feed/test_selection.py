"""The contract of a date is chosen by earlier dates alone: the most traded one, never rolling back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.feed import selection
from spymaster.feed.bronze import future_mbo_frames, open_raw
from spymaster.feed.definitions import future_definitions
from spymaster.feed.selection import Session, choose, contract_day_selection, count_contracts, outrights
from spymaster.feed.selection_export import EXPORT_SCHEMA, causal_rows, export_selection
from spymaster.lake import Lake, Partition, raw_files
from spymaster.market.calendar import partition_dates
from spymaster.market.dbn import ACTION_TRADE, F_LAST, SIDE_BID, Records, mbo_records
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.future_mbo import FutureMbo
from spymaster_tests.streams import day_ns, interleave, random_stream, write_raw_day

DT = date(2024, 3, 13)
EXPIRIES = {"ESH4": date(2024, 3, 15), "ESM4": date(2024, 6, 21), "ESU4": date(2024, 9, 20)}


def rows(volumes: Mapping[str, int], *, trades: int = 2_000, expiries: Mapping[str, date] = EXPIRIES) -> pl.DataFrame:
    """Counts of a session: `trades` in total; messages in reverse order of the volumes."""
    return pl.DataFrame(
        {
            "contract": list(volumes),
            "instrument_id": pl.Series(range(1, len(volumes) + 1), dtype=pl.UInt32),
            "message_count": [20_000 - volume for volume in volumes.values()],
            "trade_count": [trades // max(1, len(volumes))] * len(volumes),
            "trade_volume": list(volumes.values()),
            "trade_count_0930_1230": [0] * len(volumes),
            "expiration": pl.Series(
                [_instant(expiries[one]) if one in expiries else None for one in volumes],
                dtype=pl.Datetime("ns", "UTC"),
            ),
        },
        schema_overrides={"message_count": pl.Int64, "trade_count": pl.Int64, "trade_volume": pl.Int64},
    )


def _instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC)


def sessions(*volumes: Mapping[str, int], trades: int = 2_000) -> list[Session]:
    """Earlier sessions, nearest first, on the dates before `DT`."""
    dates = [DT - timedelta(days=back) for back in range(1, len(volumes) + 1)]
    return [Session(dt, rows(one, trades=trades)) for dt, one in zip(dates, volumes, strict=True)]


def chosen(frame: pl.DataFrame) -> tuple[str, str, date | None]:
    ContractDaySelection.validate(frame)
    row = frame.row(by_predicate=pl.col("is_selected"), named=True)
    return row["contract"], row["basis"], row["prev_trading_date"]


BOTH = {"ESH4": 10, "ESM4": 20}


def test_the_most_traded_contract_of_the_last_session_is_chosen() -> None:
    frame = choose(rows(BOTH), sessions({"ESH4": 900, "ESM4": 100, "ESU4": 5}), DT)
    assert chosen(frame) == ("ESH4", "prior_session", DT - timedelta(days=1))
    assert frame["prev_volume"].to_list() == [900, 100]


def test_the_first_session_is_decided_by_its_own_messages() -> None:
    frame = choose(rows({"ESH4": 500, "ESM4": 5}), [], DT)  # messages: 19,500 and 19,995
    assert chosen(frame) == ("ESM4", "first_session", None)
    assert frame["prev_volume"].to_list() == [None, None]
    never_traded = choose(rows(BOTH), sessions({"ESZ4": 900}), DT)
    assert chosen(never_traded)[1] == "first_session"


def test_equal_volumes_go_to_the_nearest_expiry_and_then_to_the_symbol() -> None:
    assert chosen(choose(rows({"ESM4": 1, "ESH4": 1}), sessions({"ESM4": 7, "ESH4": 7}), DT))[0] == "ESH4"
    same = {"ESM4": date(2024, 6, 21), "ESH5": date(2024, 6, 21)}
    own, earlier = (rows({"ESM4": 7, "ESH5": 7}, expiries=same) for _ in range(2))
    assert chosen(choose(own, [Session(DT - timedelta(days=1), earlier)], DT))[0] == "ESH5"


def test_a_thin_session_is_stepped_over() -> None:
    thin = Session(DT - timedelta(days=1), rows({"ESH4": 5, "ESM4": 1}, trades=999))
    full = Session(DT - timedelta(days=2), rows({"ESH4": 7, "ESM4": 2}, trades=1_000))
    frame = choose(rows(BOTH), [thin, full], DT)
    assert chosen(frame) == ("ESH4", "prior_session", full.dt)
    assert frame["prev_volume"].to_list() == [7, 2]


def test_if_no_session_is_full_the_nearest_with_trades_counts() -> None:
    frame = choose(rows(BOTH), sessions({"ESH4": 0, "ESM4": 0}, {"ESH4": 9, "ESM4": 1}, trades=10), DT)
    assert chosen(frame) == ("ESH4", "prior_session", DT - timedelta(days=2))


def test_at_most_five_sessions_are_stepped_back_to_find_a_full_one() -> None:
    thin = sessions(*[{"ESH4": 9, "ESM4": 1}] * 5, trades=10)
    full = Session(DT - timedelta(days=6), rows({"ESH4": 1, "ESM4": 9}))
    assert chosen(choose(rows(BOTH), [*thin, full], DT)) == ("ESH4", "prior_session", thin[0].dt)
    assert chosen(choose(rows(BOTH), [*thin[:4], full], DT)) == ("ESM4", "prior_session", full.dt)


def test_the_choice_never_rolls_back() -> None:
    earlier = sessions({"ESH4": 900, "ESM4": 800}, {"ESH4": 10, "ESM4": 20})
    assert chosen(choose(rows(BOTH), earlier, DT))[0] == "ESM4"
    long_ago = sessions(*[{"ESH4": 900, "ESM4": 800}] * 5, {"ESH4": 10, "ESM4": 20})
    assert chosen(choose(rows(BOTH), long_ago, DT))[0] == "ESH4"


def test_not_rolling_back_yields_where_nothing_else_is_in_the_file() -> None:
    assert chosen(choose(rows({"ESH4": 1}), sessions({"ESH4": 1, "ESM4": 900}), DT))[0] == "ESH4"


def test_a_contract_is_no_candidate_on_its_last_day() -> None:
    last_day = date(2024, 3, 15)
    earlier = [Session(date(2024, 3, 14), rows({"ESH4": 900, "ESM4": 800}))]
    assert chosen(choose(rows(BOTH), earlier, last_day))[0] == "ESM4"
    assert chosen(choose(rows({"ESH4": 1}), earlier, last_day))[0] == "ESH4"  # unless it is alone


def test_without_definitions_delivery_months_order_the_contracts() -> None:
    own = rows({"ESH4": 1, "ESZ3": 1}, expiries={})
    tie = [Session(date(2023, 12, 14), rows({"ESH4": 7, "ESZ3": 7}, expiries={}))]
    assert chosen(choose(own, tie, date(2023, 12, 15)))[0] == "ESZ3"  # 'ESH4' would come first by name
    back = [
        Session(date(2023, 12, 14), rows({"ESH4": 7, "ESZ3": 9}, expiries={})),
        Session(date(2023, 12, 13), rows({"ESH4": 9, "ESZ3": 7}, expiries={})),
    ]
    assert chosen(choose(own, back, date(2023, 12, 15)))[0] == "ESH4"


def test_no_outright_gives_no_rows() -> None:
    frame = choose(rows({}), sessions({"ESH4": 1}), DT)
    assert ContractDaySelection.validate(frame).height == 0


def test_ten_sessions_with_one_roll() -> None:
    """Volume moves from ESH4 to ESM4 on the sixth of ten sessions; the choice follows one session later."""
    dates = list(partition_dates(date(2024, 3, 4), date(2024, 3, 15)))
    volumes = [{"ESH4": 900 - 90 * i, "ESM4": 60 + 90 * i} for i in range(10)]
    table = []
    for i, dt in enumerate(dates):
        prior = [Session(dates[j], rows(volumes[j])) for j in reversed(range(i))]
        table.append((dt, *chosen(choose(rows(volumes[i]), prior, dt))))
    assert [row[1] for row in table] == ["ESM4"] + ["ESH4"] * 5 + ["ESM4"] * 4
    assert [row[2] for row in table] == ["first_session"] + ["prior_session"] * 9
    assert [row[3] for row in table] == [None, *dates[:-1]]


# -- from files to the export ----------------------------------------------------------------------------------------

IDS = {"ESH4": 17077, "ESM4": 11, "ESH4-ESM4": 70_000}


def trades(contract: str, dt: date, seconds: Sequence[int], size: int) -> Records:
    """Trades of `size` lots at so many seconds after midnight UTC."""
    result = mbo_records(len(seconds))
    result["instrument_id"] = IDS[contract]
    result["ts_event"] = result["ts_recv"] = day_ns(dt) + np.array(seconds, np.uint64) * np.uint64(1_000_000_000)
    result["action"], result["side"], result["size"], result["flags"] = ACTION_TRADE, SIDE_BID, size, F_LAST
    result["price"] = 4_800_000_000_000
    return result


def bronze_day(lake: Lake, dt: date, records: Records, contracts: Mapping[str, int] = IDS) -> None:
    write_raw_day(lake.root, "ES", dt, records, contracts=contracts)
    (raw,) = raw_files(lake, "ES", "market_by_order_dbn", dt)
    file = open_raw(raw)
    with lake.writer(FutureMbo, "ES", dt) as writer:
        for frame in future_mbo_frames(file):
            writer.write(frame)
        writer.commit(inputs=[raw], dataset="SIM.SPYMASTER")
    with lake.writer(FutureDefinition, "ES", dt) as writer:
        writer.write(future_definitions("ES", dt, mbo=[file.metadata]))
        writer.commit(inputs=[raw], dataset="SIM.SPYMASTER")


def store_selection(lake: Lake, dt: date) -> pl.DataFrame:
    result = contract_day_selection(lake, "ES", dt)
    with lake.writer(ContractDaySelection, "ES", dt) as writer:
        writer.write(result.frame)
        writer.commit(inputs=result.inputs)
    return result.frame


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Three dates: ESH4 leads on the first, ESM4 on the second."""
    lake = Lake.open(tmp_path, create=True)
    for dt, front, back in ((DT, 9, 1), (DT + timedelta(days=1), 1, 9), (DT + timedelta(days=2), 5, 5)):
        bronze_day(
            lake,
            dt,
            interleave(
                trades("ESH4", dt, [36_000, 50_000], front),
                trades("ESM4", dt, [36_001, 50_001], back),
                trades("ESH4-ESM4", dt, [36_002], 1_000),
            ),
        )
    return lake


def test_counts_of_a_day(lake: Lake) -> None:
    dt = DT - timedelta(days=7)  # the week of the change to daylight time lies between: 09:30 is 14:30 UTC here
    window = [14 * 3600 + 1799, 14 * 3600 + 1800, 17 * 3600 + 1799, 17 * 3600 + 1800]
    stream = interleave(random_stream(1, 200, start_ns=day_ns(dt) + 10**12), trades("ESM4", dt, window, 3))
    bronze_day(lake, dt, stream)
    counts = count_contracts(lake.partition(FutureMbo, "ES", dt))
    mine = stream[stream["instrument_id"] == IDS["ESH4"]]
    prints = mine[mine["action"] == ACTION_TRADE]
    assert counts.row(0) == ("ESH4", IDS["ESH4"], len(mine), len(prints), int(prints["size"].sum()), 0)
    assert counts.row(1) == ("ESM4", IDS["ESM4"], 4, 4, 12, 2)
    summer = [13 * 3600 + 1799, 13 * 3600 + 1800, 16 * 3600 + 1799, 16 * 3600 + 1800]
    bronze_day(lake, DT + timedelta(days=5), trades("ESM4", DT + timedelta(days=5), summer, 3))
    later = count_contracts(lake.partition(FutureMbo, "ES", DT + timedelta(days=5)))
    assert later["trade_count_0930_1230"].to_list() == [2]


def test_counts_do_not_depend_on_the_batches_they_are_read_in(lake: Lake, monkeypatch) -> None:
    dt = DT - timedelta(days=7)
    bronze_day(lake, dt, interleave(*(random_stream(n, 300, instrument_id=n) for n in (1, 2))), {"ESH4": 1, "ESM4": 2})
    partition = lake.partition(FutureMbo, "ES", dt)
    whole = count_contracts(partition)
    read = Partition.batches
    monkeypatch.setattr(Partition, "batches", lambda self, columns: read(self, columns, rows=64))
    assert count_contracts(partition).equals(whole)


def test_spreads_are_not_outrights_by_class_or_by_name() -> None:
    counts = pl.DataFrame({"contract": ["ESH4", "ESH4-ESM4", "ODD"]})
    by_name = outrights(counts, None)
    assert by_name["contract"].to_list() == ["ESH4", "ODD"]
    definitions = pl.DataFrame(
        {"contract": ["ODD", "ESH4-ESM4"], "expiration": [None, None], "instrument_class": ["S", "F"]},
        schema_overrides={"expiration": pl.Datetime("ns", "UTC")},
    )
    assert outrights(counts, definitions)["contract"].to_list() == ["ESH4", "ESH4-ESM4"]


def test_dates_can_be_built_in_any_order(lake: Lake, monkeypatch) -> None:
    monkeypatch.setattr(selection, "MIN_SESSION_TRADES", 1)
    days = [DT, DT + timedelta(days=1), DT + timedelta(days=2)]
    forward = [contract_day_selection(lake, "ES", dt).frame for dt in days]
    for dt in reversed(days):
        store_selection(lake, dt)
    stored = [lake.partition(ContractDaySelection, "ES", dt).read() for dt in days]
    again = [contract_day_selection(lake, "ES", dt).frame for dt in days]
    for a, b, c in zip(forward, stored, again, strict=True):
        assert a.equals(b)
        assert a.equals(c)
    assert [selection.selected_contract(frame) for frame in forward] == ["ESH4", "ESH4", "ESM4"]
    assert [part.label for part in contract_day_selection(lake, "ES", days[1]).inputs] == [
        "bronze.future_mbo ES 2024-03-14",
        "bronze.future_definition ES 2024-03-14",
        "bronze.future_mbo ES 2024-03-13",
        "bronze.future_definition ES 2024-03-13",
    ]


def test_an_outdated_selection_of_an_earlier_date_is_not_believed(lake: Lake, monkeypatch) -> None:
    monkeypatch.setattr(selection, "MIN_SESSION_TRADES", 1)
    store_selection(lake, DT)
    bronze_day(lake, DT, interleave(trades("ESH4", DT, [1], 1), trades("ESM4", DT, [2], 2)))
    frame = contract_day_selection(lake, "ES", DT + timedelta(days=1)).frame
    assert frame["prev_volume"].to_list() == [1, 2]


def test_a_selection_remains_of_use_when_its_bronze_is_gone(lake: Lake, monkeypatch) -> None:
    monkeypatch.setattr(selection, "MIN_SESSION_TRADES", 1)
    store_selection(lake, DT)
    lake.partition(FutureMbo, "ES", DT).path.unlink()
    result = contract_day_selection(lake, "ES", DT + timedelta(days=1))
    assert chosen(result.frame) == ("ESH4", "prior_session", DT)
    assert result.inputs[-1].label == "bronze.contract_day_selection ES 2024-03-13"


def test_deleting_later_sessions_leaves_earlier_choices_alone(lake: Lake, monkeypatch) -> None:
    monkeypatch.setattr(selection, "MIN_SESSION_TRADES", 1)
    before = contract_day_selection(lake, "ES", DT + timedelta(days=1)).frame
    lake.partition(FutureMbo, "ES", DT + timedelta(days=2)).path.unlink()
    assert contract_day_selection(lake, "ES", DT + timedelta(days=1)).frame.equals(before)


def test_the_export_has_one_row_per_date(lake: Lake, monkeypatch) -> None:
    monkeypatch.setattr(selection, "MIN_SESSION_TRADES", 1)
    days = [DT, DT + timedelta(days=1), DT + timedelta(days=2)]
    for dt in days:
        store_selection(lake, dt)
    path = export_selection(lake)
    assert path == lake.root / "selection" / "mbo_contract_day_selection.parquet"
    whole = pl.read_parquet(path)
    assert whole.schema == EXPORT_SCHEMA
    assert whole["rule"].cast(pl.String).to_list() == ["causal", "research"] * 3
    assert whole["is_lookahead"].to_list() == [False, True] * 3
    frame = whole.filter(pl.col("rule").cast(pl.String) == "causal")
    assert frame.equals(causal_rows(lake))
    assert frame["session_date"].to_list() == days
    assert frame["selected_symbol"].to_list() == ["ESH4", "ESH4", "ESM4"]
    assert frame["roll_flag"].to_list() == [False, False, True]
    assert frame["prev_volume_selected"].to_list() == [None, 18, 18]
    assert frame["prev_volume_rank2"].to_list() == [None, 2, 2]
    assert frame["basis"].to_list() == ["first_session", "prior_session", "prior_session"]
    assert not frame["is_lookahead"].any()
    first = path.read_bytes()
    assert export_selection(lake).read_bytes() == first


def test_the_export_of_an_empty_lake_has_no_rows(tmp_path: Path) -> None:
    assert pl.read_parquet(export_selection(Lake.open(tmp_path, create=True))).schema == EXPORT_SCHEMA
