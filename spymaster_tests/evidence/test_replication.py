"""What is found again is supported, what is found once is a hint, and held-out dates only confirm."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.evidence.few import TOO_FEW
from spymaster.evidence.holdout import is_holdout
from spymaster.evidence.multiplicity import partial_conjunction
from spymaster.evidence.replication import TEST_COLUMNS, mean_weights, replicate
from spymaster.evidence.verdicts import Least, day_verdict, same_peak
from spymaster.settings import EvidenceSettings
from spymaster.tables import ContractError
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_test import AGAINST, AlgoTest
from spymaster_tests.tables.evidence_samples import test as sample_row
from spymaster_tests.tables.samples import frame_of

SETTINGS = EvidenceSettings()
Row = dict[str, Any]
_WEEKDAYS = [one for k in range(40) if (one := date(2024, 1, 2) + timedelta(days=k)).isoweekday() <= 5]
DISCOVERY, HELD = ([one for one in _WEEKDAYS if is_holdout(one, SETTINGS) == held] for held in (False, True))
DATES = [*DISCOVERY[:4], *HELD[:2]]
"""The last two of six are held out."""


def day(number: int, **values: Any) -> pl.DataFrame:
    """One test of one date, found unless told otherwise."""
    row = sample_row(0) | {"n_ref": 50_000, "available_from": 10**18 + number} | values
    return frame_of(AlgoTest, [row]).select(TEST_COLUMNS)


def over(*days: dict[str, Any]) -> dict[str, Any]:
    """The row of dates that say these things."""
    frames = {dt: day(number, **values) for number, (dt, values) in enumerate(zip(DATES, days, strict=False))}
    return AlgoReplication.validate(replicate(frames, SETTINGS)).row(0, named=True)


NOT_FOUND = {"q_bh": 0.5, "q_by": 0.75, "p_raw": 0.4, "verdict": "simulated:none"}


def test_found_on_discovery_dates_and_there_again_is_supported() -> None:
    row = over(*[{}] * 6)
    assert row["verdict"] == "simulated:supported"
    assert (row["verdict_discovery"], row["days_discovery"], row["days_holdout_found"]) == ("simulated:weak", 4, 2)
    assert row["p_partial_conj"] == pytest.approx(partial_conjunction([0.005] * 6, 3))
    assert row["days_replicated"] == 6


def test_one_date_is_a_hint() -> None:
    row = over({})
    assert row["verdict"] == "simulated:weak"
    assert (row["effect"], row["effect_lo"], row["effect_hi"]) == (0.04, 0.03, 0.05)


@pytest.mark.parametrize(
    "again",
    [
        {"effect": -0.04, "effect_lo": -0.05, "effect_hi": -0.03},
        {"effect_lo": 0.001},
        {"peak_value": 26.0},
        {"n_ref": 1000},
        {"blocked_by_control": True},
        {"notes": ["leads_reference"]},
    ],
    ids=["other sign", "below the least share", "elsewhere", "too few messages", "blocked", "explained"],
)
def test_held_out_dates_have_to_show_the_same(again: dict[str, Any]) -> None:
    assert over(*[{}] * 4, again, again)["verdict"] == "simulated:weak"


def test_what_only_some_discovery_dates_show_is_not_supported() -> None:
    row = over({}, {}, NOT_FOUND, NOT_FOUND, {}, {})
    assert row["days_discovery_found"] == 2
    assert row["verdict"] == "simulated:weak"


def test_held_out_dates_do_not_change_effect_peak_and_weights() -> None:
    plain, moved = over(*[{}] * 6), over(*[{}] * 4, *[{"effect": 0.3, "effect_hi": 0.4, "peak_value": 99.0}] * 2)
    names = ("effect", "effect_lo", "effect_hi", "peak_value", "peak_spread", "weights_json", "verdict_discovery")
    assert [plain[name] for name in names] == [moved[name] for name in names]
    assert moved["verdict"] == "simulated:weak"


def test_dates_that_come_change_the_role_of_none_before_them() -> None:
    """Each prefix of a month counts as many dates of either role as the rule says, in whatever block it ends."""
    for count in range(1, len(_WEEKDAYS) + 1):
        dates = _WEEKDAYS[:count]
        row = replicate({dt: day(number) for number, dt in enumerate(dates)}, SETTINGS).row(0, named=True)
        roles = [sum(is_holdout(dt, SETTINGS) == held for dt in dates) for held in (False, True)]
        assert [row["days_discovery"], row["days_holdout"]] == roles


def test_dates_on_which_a_group_was_too_small_are_dates_without_it() -> None:
    """Another group was tested on all six; this one on two, and found on both: two of six, and no evidence."""
    other = {"test_row_id": "ES:2024-01-02:E1:ms:0009", "sub_id": "second"} | NOT_FOUND
    with_it = (DATES[0], DATES[4])
    frames = {
        dt: pl.concat([day(number, **other), *([day(number)] if dt in with_it else [])])
        for number, dt in enumerate(DATES)
    }
    rows = AlgoReplication.validate(replicate(frames, SETTINGS)).filter(pl.col("sub_id") == "ms")
    (row,) = rows.iter_rows(named=True)
    assert (row["days_replicated"], row["days_tested"], row["days_seen"]) == (2, 2, 6)
    assert (row["days_discovery_found"], row["days_discovery"]) == (1, 4)
    assert (row["days_holdout_found"], row["days_holdout"]) == (1, 2)
    assert row["p_partial_conj"] == pytest.approx(partial_conjunction([0.005] * 2 + [1.0] * 4, 3))
    assert row["verdict"] == "simulated:weak"


def test_windows_of_a_date_are_one_p() -> None:
    strong = sample_row(0) | {"p_raw": 0.001, "facts_json": '{"windows":90.0}'}
    weak = strong | {"test_row_id": "ES:2024-01-02:E1:ms:0001:w", "p_raw": 0.5, "q_bh": 0.9, "q_by": 0.9}
    frames = {DATES[0]: frame_of(AlgoTest, [strong, weak]).select(TEST_COLUMNS)}
    row = replicate(frames, SETTINGS).row(0, named=True)
    assert row["p_partial_conj"] == pytest.approx(0.09)


def periodic(*hz: float, **values: Any) -> list[Row]:
    """Rows of a date of one group of E5, one per line, all found; the power of a sender of 10 Hz lies at 10 or 30."""
    shared = {"test_id": "E5", "sub_id": "slow", "peak_unit": "Hz", "facts_json": '{"windows":10.0}'} | values
    return [
        {
            **shared,
            "test_row_id": f"ES:2024-01-02:E5:slow:0001:w{place:06d}",
            "peak_value": one,
            "weights_json": f'{{"unit":"Hz","bins":[[{one * 0.995},{one * 1.005},0.5]]}}',
        }
        for place, one in enumerate(hz)
    ]


def over_lines(*dates: list[Row]) -> Row:
    """The one row of dates with these rows."""
    frames = {
        dt: pl.concat([day(number, **row) for row in rows])
        for number, (dt, rows) in enumerate(zip(DATES, dates, strict=False))
    }
    (row,) = AlgoReplication.validate(replicate(frames, SETTINGS)).iter_rows(named=True)
    return row


STRONGER = {"p_raw": 0.001, "statistic": 99.0, "effect": 0.2, "effect_lo": 0.1, "effect_hi": 0.3}


def test_a_line_is_followed_over_dates_and_not_mixed_with_another() -> None:
    """A stronger one of 27 Hz is there on two dates: every number is of the line of 10 Hz, which all dates have."""
    two = periodic(10.02) + periodic(27.0, **STRONGER)
    two[1]["test_row_id"] += "b"
    row = over_lines(periodic(10.0), two, periodic(10.01), two, periodic(10.0), periodic(10.0))
    assert row["peak_value"] == pytest.approx(10.015)
    assert row["peak_spread"] == pytest.approx(0.02)
    assert (row["effect"], row["days_discovery_found"], row["days_holdout_found"]) == (0.04, 4, 2)
    (low, high, share), *others = json.loads(row["weights_json"])["bins"]
    assert (low + high) / 2 == pytest.approx(10.015)
    assert (share, others) == (0.5, [])
    assert row["verdict"] == "simulated:supported"


@pytest.mark.parametrize(
    ("phases", "middle", "spread"),
    [
        ((998.0, 2.0, 999.0, 3.0), 0.5, 5.0),
        ((3.0, 5.0, 9.0, 995.0), 4.0, 14.0),
        ((20.0, 22.0, 30.0, 21.0), 21.5, 10.0),
        ((7.0,), 7.0, 0.0),
    ],
)
def test_phases_are_put_together_on_their_circle(phases: tuple[float, ...], middle: float, spread: float) -> None:
    """Of 998 and 2 ms after the second the middle is the second, which held-out dates show, and not half a second."""
    found = {"test_id": "E4", "sub_id": "1s"}
    row = over(*({**found, "peak_value": one} for one in (*phases, *[phases[-1]] * (4 - len(phases)))), found, found)
    assert (row["peak_value"], row["peak_spread"]) == pytest.approx((middle, spread))
    again = [{**found, "peak_value": middle}] * 2
    if len(phases) == 4:
        assert over(*({**found, "peak_value": one} for one in phases), *again)["days_holdout_found"] == 2


def test_dates_with_too_little_to_count_did_not_test_the_group() -> None:
    nothing = {"p_raw": None, "p_floor": None, "p_method": "screened", "q_bh": None, "q_by": None,
               "verdict": "simulated:none", "notes": [TOO_FEW]}  # fmt: skip
    row = over({}, nothing, nothing, {}, {}, nothing)
    assert (row["days_replicated"], row["days_tested"], row["days_seen"]) == (3, 3, 6)
    assert row["p_partial_conj"] == pytest.approx(partial_conjunction([0.005] * 3 + [1.0] * 3, 3))


def test_dates_with_other_lines_are_dates_without_this_one() -> None:
    row = over_lines(*(periodic(hz) for hz in (10.0, 10.0, 27.0, 31.0, 10.0, 10.0)))
    assert (row["days_discovery_found"], row["days_discovery"], row["days_replicated"]) == (2, 4, 4)
    assert (row["days_tested"], row["days_seen"]) == (6, 6)
    assert row["peak_value"] == 10.0
    assert row["p_partial_conj"] == pytest.approx(partial_conjunction([0.05] * 4 + [1.0] * 2, 3))
    assert row["verdict"] == "simulated:weak"


def test_held_out_dates_do_not_choose_the_line() -> None:
    """Three of them have another one, and the discovery date's own was not even found."""
    dates = [DISCOVERY[0], *HELD[:3]]
    rows = [periodic(10.0, **NOT_FOUND), *[periodic(27.0, **STRONGER)] * 3]
    frames = {dt: day(number, **row) for number, (dt, (row,)) in enumerate(zip(dates, rows, strict=True))}
    alone = replicate(dict(list(frames.items())[:1]), SETTINGS).row(0, named=True)
    row = replicate(frames, SETTINGS).row(0, named=True)
    names = ("effect", "effect_lo", "effect_hi", "peak_value", "weights_json", "verdict_discovery")
    assert [row[name] for name in names] == [alone[name] for name in names]
    assert (row["effect"], row["days_holdout_found"]) == (0.04, 0)


def test_the_power_of_a_line_at_a_multiple_is_no_other_place() -> None:
    """Of one rate, with the power at 30 Hz on one date: what is looked for later is 10 Hz, not the 16.7 between."""
    rows = [periodic(10.0) for _ in range(3)]
    rows[1][0]["weights_json"] = '{"unit":"Hz","bins":[[29.85,30.15,0.9]]}'
    row = over_lines(*rows)
    assert row["peak_value"] == 10.0
    assert json.loads(row["weights_json"]) == {"unit": "Hz", "bins": [[9.95, pytest.approx(10.05), 0.5]]}


def test_a_group_without_any_line_has_one_row() -> None:
    row = over_lines(periodic(10.0, **NOT_FOUND), periodic(12.0, **NOT_FOUND | {"p_raw": 0.3}))
    assert (row["peak_value"], row["verdict"], row["days_replicated"]) == (None, "simulated:none", 0)
    assert row["p_partial_conj"] == 1.0


def test_dates_of_another_register_do_not_count() -> None:
    frames = {DATES[0]: day(0, strata_hash="old"), DATES[1]: day(1)}
    assert replicate(frames, SETTINGS)["days_seen"].to_list() == [1]


def test_controls_are_not_counted_and_nothing_is_of_nothing() -> None:
    control = {"is_negative_control": True, "control_kind": "jittered", "verdict": "simulated:none"}
    assert replicate({DATES[0]: day(0, **control)}, SETTINGS).is_empty()
    assert replicate({DATES[0]: day(0)[:0]}, SETTINGS).is_empty()


def test_weights_are_means_over_dates() -> None:
    one, other = ({"unit": "ns", "bins": bins} for bins in ([[1, 2, 0.5]], [[1, 2, 0.25], [2, 3, 0.5]]))
    assert json.loads(mean_weights([json.dumps(one), json.dumps(other)]))["bins"] == [[1, 2, 0.375], [2, 3, 0.25]]


def test_an_effect_has_to_be_beyond_the_least() -> None:
    least = Least(0.005, 1.1, 50)
    assert least.is_passed(0.006, "share", 10_000, 0)
    assert not least.is_passed(0.004, "share", 10**6, 0)
    assert not least.is_passed(0.006, "share", 8_000, 0)
    assert not least.is_passed(None, "share", 8_000, 0)
    assert not least.is_passed(np.nan, "share", 8_000, 0)
    assert least.is_passed(2.0, "ratio", 0, 40)
    assert not least.is_passed(2.0, "ratio", 0, 30)
    assert not least.is_passed(1.05, "ratio", 0, 10_000)


@pytest.mark.parametrize(
    ("one", "other", "unit", "test_id", "sub_id", "same"),
    [
        (20.0, 20.9, "ms", "E1", "ms", True),
        (20.0, 22.5, "ms", "E1", "ms", False),
        (200.0, 215.0, "ms", "E3", "ms", True),
        (10.0, 10.04, "Hz", "E5", "slow", True),
        (10.0, 10.06, "Hz", "E5", "slow", False),
        (1.0, 999.0, "ms", "E4", "1s", True),
        (100.0, 130.0, "ms", "E4", "1s", False),
        (None, 1.0, "ms", "E1", "ms", False),
    ],
)
def test_peaks_are_one_within_their_tolerance(one, other, unit: str, test_id: str, sub_id: str, same: bool) -> None:
    assert same_peak(one, other, unit, test_id, sub_id) == same


def test_a_date_is_weak_only_if_both_halves_show_it() -> None:
    assert day_verdict("mc", 0.01, True, True, ("own_law",)) == "weak"
    assert [day_verdict("mc", 0.01, True, None, ()), day_verdict("mc", 0.01, False, True, ())] == ["none", "none"]
    assert [day_verdict("mc", 0.06, True, True, ()), day_verdict("screened", None, False, None, ())] == ["none", "none"]
    assert day_verdict("fact", None, False, None, ()) == "fact"


@pytest.mark.parametrize("note", AGAINST)
def test_what_the_test_itself_explains_is_none_on_a_date_and_over_dates(note: str) -> None:
    assert day_verdict("mc", 0.0001, True, True, ("stage1_only", note)) == "none"
    explained = {"notes": [note], "verdict": "simulated:none"}
    row = over(*[explained] * 4, {}, {})
    assert (row["verdict_discovery"], row["days_discovery_found"], row["days_replicated"]) == ("simulated:none", 0, 2)
    assert row["verdict"] == "simulated:weak"  # by the held-out dates' own; never supported by dates that explain it
    with pytest.raises(ContractError, match="what_is_explained_is_none"):
        AlgoTest.validate(frame_of(AlgoTest, [sample_row(0) | {"notes": [note]}]))
