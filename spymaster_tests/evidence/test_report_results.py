"""What a report counts as found, how large an effect would have been found, and why a test has no verdict."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.evidence import lifetimes, reactions, spectra
from spymaster.evidence.report import content, groups, reasons, results
from spymaster.evidence.report import sentences as say
from spymaster.evidence.report.blocks import Report, Table, Text
from spymaster.evidence.report.detectable import detectable
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.section_of_test import TOO_FEW
from spymaster.tables.algo_test import TEST_IDS
from spymaster_tests.evidence import report_days as days

E1 = f"ES:{days.DAY}:none:E1:ms:0000"


def with_row(data: ReportData, row_id: str, **changes: Any) -> ReportData:
    """One row of the tests changed."""
    here = pl.col("test_row_id") == row_id
    columns = [
        pl.when(here).then(pl.lit(value).cast(data.tests.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in changes.items()
    ]
    return replace(data, tests=data.tests.with_columns(columns))


def twice(data: ReportData, row_id: str) -> ReportData:
    """A row again, with another name: a second line of the same group."""
    again = data.tests.filter(pl.col("test_row_id") == row_id).with_columns(test_row_id=pl.lit(f"{row_id}:1"))
    return replace(data, tests=pl.concat([data.tests, again]))


def details(report: Report, section: str) -> str:
    """All words of a section."""
    blocks = next(one for one in report.sections if one.anchor == section).blocks
    return " ".join(f"{one.words} {one.detail}" for one in blocks if isinstance(one, Text))


def line_of(report: Report, test: str) -> dict[str, str]:
    """Its line in the table of all tests."""
    table = next(block for block in report.sections[1].blocks if isinstance(block, Table))
    row = next(row for row in table.rows if row[0].startswith(f"{test} "))
    return dict(zip(table.columns, row, strict=True))


NO_VERDICT = {
    "blocked": ({"blocked_by_control": True}, "1 as a negative control of the date failed", "a control failed"),
    "explained": (
        {"notes": ["leads_reference"]},
        "1 as the test itself has another explanation of it",
        "explained otherwise",
    ),
    "halves": ({"halves_agree": False}, "1 as the two halves of the date do not agree", "halves disagree"),
    "few": (
        {"n_ref": 100, "effect": 0.4, "effect_lo": 0.38, "effect_hi": 0.42},
        "1 with too few messages of it (at least 50 a day count)",
        "too few messages",
    ),
    "wide": (
        {"effect": 0.02, "effect_lo": 0.001, "effect_hi": 0.04},
        "1 with an interval that reaches below the least effect",
        "interval too wide",
    ),
    "small": (
        {"effect": 0.004, "effect_lo": 0.003, "effect_hi": 0.005},
        "1 with an effect too small to count",
        "effect too small",
    ),
}


@pytest.mark.parametrize("why", NO_VERDICT)
def test_a_null_result_says_what_kept_it_from_a_verdict(why: str) -> None:
    changes, long, short = NO_VERDICT[why]
    data = with_row(days.report_data(), E1, verdict="simulated:none", **changes)
    report = content.build(data)
    said = details(report, "E1")
    assert f"Groups with a q of 0.05 or less and no verdict all the same: {long}" in said
    assert line_of(report, "E1")["verdict"] == f"none: {short}"
    silenced = "Simulated data: no verdict, as a negative control failed, by the tests of order lifetimes."
    assert (silenced in details(report, "short")) == (why == "blocked")
    assert ("no evidence found by the tests of order lifetimes." in details(report, "short")) == (why != "blocked")


def test_every_reason_has_words_and_a_case() -> None:
    assert tuple(NO_VERDICT) == reasons.REASONS == tuple(say.WHY_NOT) == tuple(say.WHY_NOT_SHORT)


def test_a_ratio_is_held_against_the_least_ratio() -> None:
    found = days.report_data().tests.filter(pl.col("test_id") == "E7").row(0, named=True)
    for low, effect, n_tgt, why in ((1.05, 1.09, 4000, "small"), (1.05, 2.0, 4000, "wide"), (2.0, 3.0, 4, "few")):
        row = found | {"effect": effect, "effect_lo": low, "n_tgt": n_tgt}
        assert reasons.reason(row, days.LEAST) == why


def test_a_group_with_two_lines_has_the_reason_that_came_nearest() -> None:
    row = days.report_data().tests.filter(pl.col("test_row_id") == E1).row(0, named=True)
    rows = [row | {"halves_agree": False}, row | {"effect_lo": 0.001}, row | {"effect_lo": 0.001, "sub_id": "s"}]
    assert reasons.count(rows, days.LEAST) == {"halves": 1, "wide": 1}


def test_a_test_that_is_like_its_surrogates_says_so_and_whether_it_could_have_been_otherwise() -> None:
    data = days.report_data(found=False)
    like, underpowered = "No group has a q of 0.05 or less", "none alone could have had one"
    said = details(content.build(data), "E1")
    assert like in said
    assert underpowered not in said
    of_test = pl.col("test_id") == "E1"
    weak = data.tests.with_columns(underpowered_family=pl.col("underpowered_family") | of_test)
    said = details(content.build(replace(data, tests=weak)), "E1")
    assert underpowered in said
    assert line_of(content.build(data), "E1")["verdict"] == "none"


def test_a_test_without_a_group_was_not_asked() -> None:
    data = days.report_data(found=False)
    report = content.build(replace(data, tests=data.tests.filter(pl.col("test_id") != "E4")))
    assert TOO_FEW in details(report, "E4")
    assert line_of(report, "E4")["verdict"] == "not tested"
    short = details(report, "short")
    assert "too little to count for the tests of phase of the clock." in short
    assert "phase of the clock" not in short.split("no evidence found")[1].split(".")[0]


def shares(n: int, low: float, high: float, n_ref: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"effect": (low + high) / 2, "effect_lo": low, "effect_hi": high, "effect_unit": "share", "n_ref": n_ref,
         "n_tgt": n_ref}
    ).select(pl.all().repeat_by(n).explode())  # fmt: skip


def test_the_least_effect_is_part_of_what_would_have_been_found() -> None:
    se = 0.005
    for n_ref, floor in ((10**6, 0.005), (1000, 0.05)):  # 50 messages of 1000
        found = detectable(shares(3, -1.96 * se, 1.96 * se, n_ref), days.LEAST)["share"]
        assert found == pytest.approx(floor + 2.8 * se)
        estimates = np.random.default_rng(1).normal(floor + 2.8 * se, se, 4000)
        passed = [days.LEAST.is_passed(one - 1.96 * se, "share", n_ref, n_ref) for one in estimates]
        assert 0.77 < np.mean(passed) < 0.83


def test_what_would_have_been_found_of_a_ratio_is_beyond_the_least_ratio_and_number() -> None:
    se = 0.1
    for n_tgt in (10**6, 10):
        row = shares(1, math.exp(-1.96 * se), math.exp(1.96 * se), 5000)
        rows = row.with_columns(effect_unit=pl.lit("ratio"), effect=pl.lit(1.0), n_tgt=pl.lit(n_tgt))
        found = detectable(rows, days.LEAST)["ratio"]
        assert found is not None
        estimates = found * np.exp(np.random.default_rng(2).normal(0, se, 4000))
        seen = round(n_tgt * found)
        passed = [days.LEAST.is_passed(one * math.exp(-1.96 * se), "ratio", 5000, seen) for one in estimates]
        assert 0.77 < np.mean(passed) < 0.83


def test_an_interval_without_width_tells_nothing() -> None:
    assert detectable(shares(3, 0.0, 0.0, 5000), days.LEAST) == {"share": None}
    words = say.nothing("real", 3, {"share": None}, None, "Because")[1]
    assert "Minimum detectable effect not known" in words
    both = say.nothing("real", 3, {"ratio": 1.62, "share": 0.021}, None, "Because")[1]
    assert "2.10 % where it is a share, 1.6 times chance where it is a ratio" in both
    assert "more than all of a group" in say.nothing("real", 3, {"share": 1.2}, None, "Because")[1]


def test_facts_are_neither_tests_nor_claims() -> None:
    report = content.build(days.report_data())
    assert report.verdicts == {"supported": 0, "weak": 8, "fact": 1, "none": 8}
    assert (line_of(report, "E6")["groups"], line_of(report, "E6")["found in"]) == ("2", "1")
    data = days.report_data()
    alone = replace(data, tests=data.tests.filter((pl.col("test_id") != "E6") | (pl.col("p_method") == "fact")))
    report = content.build(alone)
    line = line_of(report, "E6")
    assert (line["groups"], line["found in"], line["dates by q_by"], line["verdict"]) == ("0", "0", "", "fact")
    assert "too little to count for the tests of hidden quantity (beside the fact)" in details(report, "short")


def test_a_fact_of_nothing_is_not_told() -> None:
    data = days.report_data()
    fact = data.tests.filter(pl.col("p_method") == "fact")["test_row_id"].item()
    report = content.build(with_row(data, fact, effect=0.0, effect_lo=0.0, effect_hi=0.0))
    assert report.verdicts["fact"] == 0
    assert "executed beyond what their orders displayed" not in details(report, "E6")


def test_a_group_with_two_rows_counts_once() -> None:
    data = days.report_data()
    for place in range(2):
        data = twice(data, f"ES:{days.DAY}:none:E5:slow:{place:04d}")
    report = content.build(data)
    assert report.verdicts == content.build(days.report_data()).verdicts
    assert (line_of(report, "E5")["groups"], line_of(report, "E5")["found in"]) == ("2", "1")
    assert details(report, "E5").count("are locked to") == 1
    tried = groups.tried(data.tests.with_columns(plain=groups.plain()))
    assert tried.filter(pl.col("test_id") == "E5").row(0) == ("E5", 2, 1)
    assert set(tried["test_id"].to_list()) == set(TEST_IDS)


def test_groups_with_too_little_to_count_were_not_tried() -> None:
    data, of_test = days.report_data(found=False), pl.col("test_id") == "E10"
    untested: dict[str, Any] = {"p_raw": None, "p_floor": None, "q_bh": None, "q_by": None, "family_size": 0}
    columns = [pl.when(~of_test).then(name).otherwise(pl.lit(value)).alias(name) for name, value in untested.items()]
    told = replace(data, tests=data.tests.with_columns(*columns))
    report = content.build(told)
    assert line_of(content.build(data), "E10")["groups"] != "0"
    assert line_of(report, "E10")["groups"] == "0"
    assert TOO_FEW in details(report, "E10")
    assert "too little to count for the tests of placed together" in details(report, "short")
    tried = groups.tried(told.tests.with_columns(plain=groups.plain()))
    assert tried.filter(pl.col("test_id") == "E10").row(0) == ("E10", 0, 0)


def test_controls_that_were_run_are_named_and_their_groups_count_once() -> None:
    data = days.report_data(controls=True)
    line = data.controls.filter(pl.col("test_id") == "E5")
    both = pl.concat([data.controls, line.with_columns(test_row_id=pl.col("test_row_id") + ":1")])
    report = content.build(replace(data, controls=both))
    said = details(report, "controls")
    assert "the date with its times jittered." in said
    assert "without agents" not in said
    blocks = next(one for one in report.sections if one.anchor == "controls").blocks
    table = next(block for block in blocks if isinstance(block, Table))
    assert [row[1].split()[0] for row in table.rows] == list(TEST_IDS)
    assert {row[2:4] for row in table.rows} == {("2", "1")}


def test_a_hint_that_other_dates_have_too_says_why_it_is_no_more() -> None:
    row = days.report_data().tests.filter(pl.col("test_row_id") == E1).row(0, named=True)
    assert say.finding(row, 1, 1)[1].endswith(f"{say.STRENGTH['weak']}.")
    assert say.finding(row, 4, 4)[1].endswith(f"{say.STRENGTH['weak again']}.")


def test_questions_without_an_answer_are_no_table() -> None:
    data = days.report_data()
    few = data.contrast.with_columns(verdict=pl.lit("too_few").cast(data.contrast.schema["verdict"]))
    report = content.build(replace(data, contrast=few))
    blocks = next(one for one in report.sections if one.anchor == "joining").blocks
    assert not any(isinstance(block, Table) for block in blocks)
    assert "The other 3 questions have too few" in details(report, "joining")


def test_effect_and_q_of_steered_orders_are_of_two_things() -> None:
    row = days.report_data().tests.filter(pl.col("test_id") == "E2").row(0, named=True)
    words, detail = say.finding(row, 1, 4)
    assert "answers of those to the quote gather 3.2 ms after it moves" in words
    assert detail.startswith("95 % interval of that share 3.70 % to 4.50 %; q of the delay below 0.001")


@pytest.mark.parametrize("stored", [True, False])
def test_of_a_first_date_nobody_reads_how_often_others_had_it(stored: bool) -> None:
    data = days.report_data()
    over = data.replication.with_columns(
        days_seen=pl.lit(1).cast(data.replication.schema["days_seen"]),
        days_replicated=pl.lit(0).cast(data.replication.schema["days_replicated"]),
    )
    report = content.build(replace(data, replication=over if stored else over.clear()))
    said = details(report, "E1")
    assert "no other date has tested this group yet" in said
    assert "of 1" not in said
    assert line_of(report, "E1")["dates by q_by"] == ("this one alone" if stored else "")
    often = content.build(data)
    assert "dates that also have a q_by of 0.05 or less: 4 of 4" in details(often, "E1")
    assert line_of(often, "E1")["dates by q_by"] == "4 of 4"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0"), (0.00001234, "0.000012"), (1.1, "1.1"), (3.44, "3.4"), (9.96, "10"), (10.0, "10"), (12.3, "12"),
     (99.7, "100"), (123.4, "123"), (45_678.0, "45678"), (3e6, "3000000")],
)  # fmt: skip
def test_no_ratio_has_an_exponent(value: float, words: str) -> None:
    assert say.share(value, "ratio") == f"{words} times"


def test_no_time_or_peak_has_an_exponent() -> None:
    assert say.duration(123_456 * 10**9) == "123456 s"
    assert say.duration(-1_500_000) == "-1.5 ms"
    peaks = {"ms": (9_999_999.0, "10000 s"), "Hz": (199.96, "200.0 Hz"), "filled / displayed": (250.0, None)}
    for unit, (value, words) in peaks.items():
        said = say.peak({"peak_value": value, "peak_unit": unit})
        assert said == (words or f"250 {unit}")


def test_a_ratio_and_a_share_of_one_test_are_said_as_what_they_are() -> None:
    row = days.report_data().tests.filter(pl.col("test_id") == "E7").row(0, named=True)
    words = say.finding(row, 1, 4)[0]
    assert "3.4 times as many as with shifted trades went 153.0 ms after a trade of the other side" in words
    pulled = row | {"sub_id": "contra_pull", "effect_unit": "share", "effect": 0.031, "peak_value": 1000.0}
    words = say.finding(pulled, 1, 4)[0]
    assert "withdrawn within 1 s after 84,211 trades" in words
    assert "larger by 3.10 % of it" in words
    assert "as many as" not in words


def test_what_a_row_is_noted_for_stands_with_its_sentence() -> None:
    row = days.report_data().tests.filter(pl.col("test_id") == "E3").row(0, named=True)
    assert say.NOTES["leads_reference"] in say.finding(row | {"notes": ["leads_reference"]}, 1, 4)[1]
    assert say.finding(row | {"notes": ["own_law"]}, 1, 1)[1].endswith("held out.")


def test_names_of_sub_tests_say_where_they_look() -> None:
    for test, grids in (("E1", lifetimes.GRIDS[:2]), ("E3", reactions.GRIDS)):
        for grid in grids:
            low, high = (f"{float(edge) / 1e6:g}" for edge in (grid.edges[0], grid.edges[-1]))
            assert say.sub_test(test, grid.name) == f"{low} to {high} ms"
    for band in spectra.PASSES:
        assert say.sub_test("E5", band.name) == f"{band.low_hz:g} to {band.high_hz:g} Hz"
    assert [say.sub_test("E4", "100ms"), say.sub_test("E4", "60s"), say.sub_test("E10", "10us")] == [
        "100 ms", "60 s", "10 µs",
    ]  # fmt: skip


def test_a_sentence_about_real_data_begins_with_a_capital() -> None:
    row = days.report_data().tests.filter(pl.col("test_id") == "E7").row(0, named=True)
    assert say.finding(row | {"provenance": "real"}, 1, 4)[0].startswith("Of 84,211 groups of large orders")
    assert json.loads(row["stratum_json"])["side"] == "B"


@pytest.mark.parametrize(("hz", "verdict", "seen"), [(10.03, "supported", 4), (27.0, "weak", None)])
def test_a_line_is_supported_by_dates_of_its_own_line_only(hz: float, verdict: str, seen: int | None) -> None:
    data = days.report_data()
    over = data.replication.with_columns(
        verdict=pl.lit("simulated:supported").cast(data.replication.schema["verdict"]), peak_value=pl.lit(hz)
    )
    found = results.results_of(replace(data, replication=over), "E5").found
    assert found.select("plain", "seen_on").rows() == [(verdict, seen)]
