"""The report of a date: what it says, what it leaves to be said, and words it may not use."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from spymaster.evidence.report import content, figures, markdown, page
from spymaster.evidence.report import sentences as say
from spymaster.evidence.report.blocks import BANNER, Picture, Report, Table, Text
from spymaster.evidence.report.gather import highest
from spymaster.evidence.report.svg import Axis, Chart
from spymaster.evidence.report.wording import faults, has_free_numbers
from spymaster.tables.algo_contrast import CONTRAST_VERDICTS, AlgoContrast
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_test import TEST_IDS, AlgoTest
from spymaster_tests.evidence import report_days as days

HUD = Path(__file__).parents[2] / "hud" / "src"


@pytest.fixture(scope="module")
def found() -> Report:
    return content.build(days.report_data(controls=True))


@pytest.fixture(scope="module")
def nothing() -> Report:
    return content.build(days.report_data(found=False))


def texts(report: Report) -> list[Text]:
    return [block for section in report.sections for block in section.blocks if isinstance(block, Text)]


def test_the_made_up_rows_keep_the_contracts() -> None:
    data = days.report_data()
    for model, rows in (
        (AlgoTest, data.tests),
        (AlgoCurve, data.curves),
        (AlgoExemplar, data.exemplars),
        (AlgoContrast, data.contrast),
    ):
        model.validate(rows.sort(model.key))


def test_sections_stand_in_a_fixed_order_whatever_was_found(found: Report, nothing: Report) -> None:
    titles = [section.title for section in found.sections]
    assert titles == [section.title for section in nothing.sections]
    assert titles[:2] == ["In short", "All tests"]
    assert titles[2:10] == [f"{test} {say.NAMES[test]}" for test in TEST_IDS]
    assert titles[10:] == ["Intensity over the day", "Before rejections", "Negative controls", "Limits", "Parameters"]


def test_every_finding_says_how_large_how_sure_and_how_often(found: Report) -> None:
    said = [one for one in texts(found) if one.tone == "finding" and one.detail]
    assert len(said) >= 2 * len(TEST_IDS)
    for one in said:
        assert one.words.startswith("Simulated data: ")
        assert re.search(r"\d", one.words)
        assert "interval" in one.detail
        assert (
            ("q " in one.detail and "null: " in one.detail and "dates" in one.detail)
            or "fact" in one.detail
            or "p " in one.detail
        )


def test_what_was_not_found_is_said_with_what_would_have_been(nothing: Report) -> None:
    said = [one for section in nothing.sections[2:10] for one in section.blocks if isinstance(one, Text)]
    assert sum("no evidence found" in one.words for one in said) == len(TEST_IDS)
    short = next(one for one in nothing.sections[0].blocks if isinstance(one, Text))
    assert all(say.NAMES[test].lower() in short.words for test in TEST_IDS)
    assert sum("Minimum detectable effect" in one.detail for one in texts(nothing)) == len(TEST_IDS)
    summary = next(block for block in nothing.sections[1].blocks if isinstance(block, Table))
    assert [row[-1] for row in summary.rows] == ["none"] * len(TEST_IDS)
    assert (nothing.verdicts["weak"], nothing.verdicts["none"]) == (0, 16)


def test_every_test_has_a_picture_of_the_data_against_surrogates(found: Report, nothing: Report) -> None:
    for report in (found, nothing):
        for section in report.sections[2:10]:
            assert any(isinstance(block, Picture) for block in section.blocks), section.title


def test_simulated_data_say_so_in_a_banner_and_real_data_do_not(found: Report) -> None:
    assert BANNER in page.render(found)
    assert BANNER in markdown.render(found)
    real = days.report_data()
    tests = real.tests.with_columns(
        provenance=pl.lit("real").cast(AlgoTest.columns["provenance"].dtype),
        verdict=pl.col("verdict").cast(pl.String).str.replace("simulated:", "").cast(AlgoTest.columns["verdict"].dtype),
    )
    report = content.build(
        replace(real, run={**real.run, "provenance": "real"}, tests=tests, contrast=real.contrast.clear())
    )
    assert "imulated" not in page.render(report).replace("a simulated day without agents", "")


def test_the_page_is_whole_and_loads_nothing(found: Report) -> None:
    html = page.render(found)
    assert not re.findall(r"(?:src|href)=\"(?!#)", html)
    assert "<script" not in html
    assert "url(" not in html
    assert html.count("<section") == html.count("</section>") == len(found.sections)
    assert html == page.render(content.build(days.report_data(controls=True)))


def test_a_failed_control_stands_above_everything() -> None:
    data = days.report_data(controls=True)
    report = content.build(replace(data, run={**data.run, "controls_passed": False}))
    first = report.sections[0].blocks[0]
    assert isinstance(first, Text)
    assert first.tone == "warning"
    assert report.controls_passed is False


@pytest.mark.parametrize(
    ("kinds", "said", "without"),
    [
        (("jittered",), "the date with its times jittered", True),
        (
            ("jittered", "shuffled_days"),
            "the date with its times jittered; messages of the date with trades and quotes of an earlier one",
            False,
        ),
        (
            ("jittered", "no_agents"),
            "the date with its times jittered; a simulated market without agents, as long and as busy",
            False,
        ),
    ],
)
def test_the_section_names_the_controls_there_are_and_the_tests_without_one(
    kinds: tuple[str, ...], said: str, without: bool
) -> None:
    data = days.report_data(controls=True)
    row = data.controls.head(1)
    dtype = row.schema["control_kind"]
    tests = {"jittered": ("E1", "E2", "E3", "E4", "E5", "E6", "E10"), "shuffled_days": ("E2", "E3", "E7")}
    tests["no_agents"] = (*tests["jittered"], "E7")
    held = pl.concat(
        row.with_columns(control_kind=pl.lit(kind, dtype), test_id=pl.lit(test), q_bh=pl.lit(0.5))
        for kind in kinds
        for test in tests[kind]
    )
    section = next(one for one in content.build(replace(data, controls=held)).sections if one.anchor == "controls")
    text = [block.words for block in section.blocks if isinstance(block, Text)]
    assert text[0].startswith(f"The same tests on data in which nothing can be found: {said}. If")
    assert text[1:] == (["Without a control on this date: layering-like pattern."] if without else [])


def test_the_last_column_of_messages_says_what_their_lag_is(found: Report) -> None:
    of = {section.title[:3].strip(): one for section in found.sections for one in section.blocks
          if isinstance(one, Table) and "order id" in one.columns}  # fmt: skip
    assert {test: one.columns[-1] for test, one in of.items()} == {
        "E1": "life",
        "E2": "moved for",
        "E7": "after the trade",
    }
    assert "life" not in of["E2"].columns  # rows that are messages have none
    assert all(len(row) == len(one.columns) and all(row[-1:]) for one in of.values() for row in one.rows)


def test_a_session_says_on_which_evening_it_begins() -> None:
    data = days.report_data()
    start = data.run["ts_start"] - timedelta(hours=16)
    told = content.build(replace(data, run={**data.run, "ts_start": start}))
    about = next(one for one in told.sections[0].blocks if isinstance(one, Table))
    assert ("session", "of 2024-01-02: 2024-01-01 18:00:00 to 2024-01-02 11:00:00 New York") in about.rows


def test_markdown_has_every_word_and_table_of_the_page(found: Report) -> None:
    text = markdown.render(found)
    assert all(one.words in text and one.detail in text for one in texts(found))
    assert text.count("|---") >= sum(isinstance(block, Table) for section in found.sections for block in section.blocks)


def test_names_from_tables_cannot_break_the_page() -> None:
    data = days.report_data()
    levels = data.levels.with_columns(level_type=pl.lit("<script>"))
    html = page.render(content.build(replace(data, levels=levels, symbol="<b>")))
    assert "<script" not in html
    assert "<b>" not in html


def test_no_template_or_page_uses_a_forbidden_word(found: Report, nothing: Report) -> None:
    for text in (*say.TEMPLATES, *say.QUESTIONS.values(), *say.PICTURES.values(), *say.NAMES.values()):
        assert not faults(text), text
    for report in (found, nothing):
        assert not faults(markdown.render(report))
        assert not faults(page.render(report))


def test_no_string_of_the_hud_uses_a_forbidden_word() -> None:
    files = sorted(HUD.rglob("*.ts"))
    assert len(files) > 20
    for file in files:
        assert not faults(file.read_text()), file.name


@pytest.mark.parametrize(
    "text",
    [
        "clear spoofing",
        "a Spoofer",
        "market manipulation",
        "this firm did",
        "an HFT firm",
        "the algorithm wants out",
        "this proves that",
        "they were caught",
        "it is a robot",
        "illegal",
        "fraudulent",
    ],
)
def test_forbidden_words_are_seen(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    ["structure finer than 5 ms", "responds after 20.1 ms", "layering-like pattern", "refill on the same order id",
     "effect 1.8 % of cancels, seen on 9 of 12 days", "consistent with automation", "no evidence found"],
)  # fmt: skip
def test_what_may_be_said_passes(text: str) -> None:
    assert not faults(text)


def test_templates_take_their_numbers_from_results() -> None:
    assert not [text for text in say.TEMPLATES if has_free_numbers(text)]
    assert has_free_numbers("about 5 of {n}")


@pytest.mark.parametrize("verdict", CONTRAST_VERDICTS)
def test_the_registered_question_has_an_answer_for_every_verdict(verdict: str) -> None:
    row = days.samples_of_contrast(2) | {"verdict": verdict, "delta": -0.03 if verdict == "lower" else 0.03}
    words, detail = say.contrast(row)
    assert "rejections" in words
    assert ("3.00" in words) == (verdict != "too_few")
    assert "60 sets on 6 dates" in detail


def test_intensity_is_drawn_over_the_whole_day() -> None:
    data = days.report_data()
    minutes = data.minutes.filter((pl.col("side") == "all") & (pl.col("band") == "all"))
    starts = minutes["minute"].to_physical().to_list()
    assert starts == [days.START + k * 60 * days.SECOND for k in range(days.MINUTES)]
    svg = figures.intensity(data)[0][1]
    drawn = [float(x) for x in re.findall(r"[ML](\d+\.\d) ", svg)]
    assert max(drawn) - min(drawn) > 700


def test_seconds_that_stand_out_go_by_z_where_there_is_one() -> None:
    rows = days.intensity()
    by_share = highest(rows)
    assert by_share["share_msgs"].is_sorted(descending=True)
    scored = rows.with_columns(intensity_z=-pl.col("share_msgs").cast(pl.Float32))
    assert highest(scored)["share_msgs"].is_sorted()


def test_a_group_is_said_in_words() -> None:
    text = days.stratum(kind="cancel", side="A", size="3-5", distance="2", segment="open")
    assert say.group(text) == "cancels of offers, 3-5 lots, 2 ticks away, first hour"
    reaction = days.stratum(kind="add", reference="trade_sell", relation="other", size="=12")
    assert say.group(reaction) == "sellers' trades answered by new orders on the other side, 12 lots"


def test_axes_place_their_ends_at_their_ends() -> None:
    for axis in (Axis(0, 4), Axis(0.1, 300, log=True)):
        assert axis.place([axis.low, axis.high, axis.high * 2]).tolist() == pytest.approx([0, 1, 1])
        assert all(axis.low <= value <= axis.high for value, _ in axis.marks())
    svg = Chart(Axis(0, 1), Axis(0, 1), "a & b").line([0, 0.5, 1], [0, float("nan"), 1]).render()
    assert "a &amp; b" in svg
    assert svg.count("M") >= 2
    assert "nan" not in svg
