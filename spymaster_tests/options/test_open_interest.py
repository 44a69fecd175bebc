"""Open interest: which records tell it, from when on, and what a careless reader would take instead."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import databento as db
import numpy as np
import polars as pl
import pytest

from spymaster.options.open_interest import UNKNOWN, interest_steps
from spymaster.simulator.contracts import contracts_on
from spymaster.simulator.options.chain import CHAIN_SIZES, Chain, build_chain
from spymaster.simulator.options.files import write_option_statistics
from spymaster.simulator.options.interest import OpenInterest, open_interest
from spymaster.tables.option_statistics import OptionStatistics
from spymaster_tests.simulator.chains import FinishedChain, finished_chain
from spymaster_tests.simulator.days import TUESDAY

HOUR = 3_600 * 10**9
MIDNIGHT = int(np.datetime64(TUESDAY, "ns").astype(np.int64))
YESTERDAY, TOMORROW = MIDNIGHT - 24 * HOUR, MIDNIGHT + 24 * HOUR
UNDEFINED = 2**63 - 1


def statistics(*rows: tuple) -> pl.DataFrame:
    """Rows of (hour received, instrument, stat_type, quantity, ts_ref, update) as the Bronze table has them."""
    values = [
        {
            "instrument_id": instrument, "publisher_id": 1, "stat_type": kind, "price_int": None, "quantity": quantity,
            "ts_ref": ref, "ts_event": MIDNIGHT + int(hour * HOUR), "ts_recv": MIDNIGHT + int(hour * HOUR),
            "update": update, "stat_flags": 0, "channel_id": 1, "sequence": number,
        }
        for number, (hour, instrument, kind, quantity, ref, update) in enumerate(rows)
    ]  # fmt: skip
    columns = {}
    for name, dtype in OptionStatistics.schema().items():
        first = pl.Int64 if isinstance(dtype, pl.Datetime) else dtype
        columns[name] = pl.Series(name, [row[name] for row in values], dtype=first).cast(dtype)
    return OptionStatistics.validate(pl.DataFrame(columns))


def known(frame: pl.DataFrame, hour: float) -> dict[int, int]:
    return interest_steps(frame, TUESDAY).at(MIDNIGHT + int(hour * HOUR))


def test_it_is_known_from_its_receipt_on_and_not_a_nanosecond_before() -> None:
    steps = interest_steps(statistics((3, 7, 9, 100, YESTERDAY, "new"), (11, 7, 9, 120, YESTERDAY, "new")), TUESDAY)
    assert steps.at(MIDNIGHT + 3 * HOUR - 1) == {}
    assert steps.at(MIDNIGHT + 3 * HOUR) == {7: 100}
    assert steps.at(MIDNIGHT + 11 * HOUR - 1) == {7: 100}
    assert steps.at(MIDNIGHT + 11 * HOUR) == {7: 120}


def test_other_statistics_and_other_sessions_are_none() -> None:
    rows = [(1 + kind / 10, 7, kind, 55, YESTERDAY, "new") for kind in (1, 3, 4, 5, 6, 7, 8, 10)]
    assert known(statistics(*rows), 24) == {}
    assert known(statistics((1, 7, 9, 5, TOMORROW, "new"), (1, 8, 9, 6, None, "new")), 24) == {}
    assert known(statistics((1, 7, 9, 5, MIDNIGHT, "new")), 24) == {7: 5}


def test_a_withdrawal_or_an_empty_record_leaves_nothing_known_and_nothing_is_not_zero() -> None:
    frame = statistics(
        (3, 7, 9, 100, YESTERDAY, "new"),
        (3, 8, 9, 0, YESTERDAY, "new"),
        (4, 7, 9, None, YESTERDAY, "delete"),
        (5, 7, 9, 90, YESTERDAY, "new"),
        (6, 7, 9, None, YESTERDAY, "new"),
    )
    assert [known(frame, hour) for hour in (3, 4, 5, 6)] == [{7: 100, 8: 0}, {8: 0}, {7: 90, 8: 0}, {8: 0}]
    assert UNKNOWN in interest_steps(frame, TUESDAY).quantity


def test_receipt_decides_not_the_place_in_the_file_and_of_a_tie_the_later_row() -> None:
    frame = statistics((11, 7, 9, 120, YESTERDAY, "new"), (3, 7, 9, 100, YESTERDAY, "new"))
    assert known(frame, 12) == {7: 120}
    frame = statistics((3, 7, 9, 100, YESTERDAY, "new"), (3, 7, 9, 101, YESTERDAY, "new"))
    assert known(frame, 12) == {7: 101}


def test_no_statistics_no_steps() -> None:
    assert interest_steps(OptionStatistics.empty(), TUESDAY).at(TOMORROW) == {}


@pytest.fixture(scope="module")
def chain() -> FinishedChain:
    return finished_chain()


@pytest.fixture(scope="module")
def written(chain: FinishedChain, tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, Chain, OpenInterest]:
    """A simulated statistics file, with everything that it holds to be mistaken for open interest."""
    path: Path = tmp_path_factory.mktemp("statistics") / "statistics.dbn.zst"
    contracts = contracts_on("ES", TUESDAY, "HMUZ")
    listed = build_chain(TUESDAY, "ES", float(chain.quotes.mid[0]), contracts, CHAIN_SIZES["ci"])
    interest = open_interest(TUESDAY, 7, listed, float(chain.quotes.mid[0]))
    write_option_statistics(path, TUESDAY, "ES", listed, chain.day.series, chain.day.settled, interest)
    raw = db.DBNStore.from_file(path).to_ndarray()
    update = np.where(raw["update_action"] == 2, "delete", "new")
    frame = statistics(
        *(
            (
                (int(row["ts_recv"]) - MIDNIGHT) / HOUR, int(row["instrument_id"]), int(row["stat_type"]),
                None if row["quantity"] in (UNDEFINED, 2**31 - 1) else int(row["quantity"]), int(row["ts_ref"]), word,
            )
            for row, word in zip(raw, update.tolist(), strict=True)
        )
    )  # fmt: skip
    return frame, listed, interest


def test_the_simulated_file_gives_the_preliminary_then_the_final_figures(written) -> None:
    frame, listed, interest = written
    ids = [option.instrument_id for option in listed.options]
    assert known(frame, 2.9) == {}
    assert known(frame, 4) == dict(zip(ids, interest.preliminary.tolist(), strict=True))
    assert known(frame, 10.9) == known(frame, 4)
    assert known(frame, 11.5) == dict(zip(ids, interest.final.tolist(), strict=True))
    assert known(frame, 24) == known(frame, 11.5)
    # who takes the wrong kind, the first figure, or a deletion of another statistic for one of this is told apart
    assert (frame.filter(pl.col("stat_type") != 9)["update"] == "delete").sum() == 1
    assert frame.filter(stat_type=1).height
    assert frame.filter(stat_type=6)["quantity"].drop_nulls().len()
    assert (interest.preliminary != interest.final).all()


def test_what_is_received_later_changes_nothing_before(written) -> None:
    frame, _, _ = written
    cut = MIDNIGHT + 11 * HOUR + 20
    later = pl.col("ts_recv").to_physical() > cut
    scrambled = frame.with_columns(
        quantity=pl.when(later).then(pl.col("quantity") * 3 + 1).otherwise("quantity"),
        stat_type=pl.when(later).then(pl.lit(9, pl.UInt16)).otherwise("stat_type"),
        instrument_id=pl.when(later).then(pl.col("instrument_id").reverse()).otherwise("instrument_id"),
    )
    whole, other = (interest_steps(one, TUESDAY) for one in (frame, scrambled))
    for at in range(MIDNIGHT, cut + 1, HOUR // 4):
        assert whole.at(at) == other.at(at)
    assert whole.at(cut) == other.at(cut)
    assert whole.at(TOMORROW) != other.at(TOMORROW)


def test_the_date_is_the_utc_date() -> None:
    frame = statistics((1, 7, 9, 5, MIDNIGHT, "new"))
    assert len(interest_steps(frame, date(2026, 1, 5)).known_ns) == 0
