"""The evaluation of a lake: what is entered and when, what opening the hold-out costs, what a report always says."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.research.errors import LedgerError
from spymaster.research.ledger import Origin
from spymaster.research.models import ALGOS, MODELS
from spymaster.research.report_page import NAMES, render, render_reports
from spymaster.research.report_rows import Report
from spymaster.research.session_evaluation import Written, opening
from spymaster.research.trial_rows import Place
from spymaster.settings import Settings
from spymaster.tables.evaluation_report import SECTIONS, EvaluationReport
from spymaster.tables.setup_vector import SetupVector
from spymaster.tables.trials_ledger import TrialsLedger
from spymaster_tests.research.evaluated import DT, FEW, SYMBOL, dates_of, evaluate_date, quick
from spymaster_tests.research.lakes import DATES
from spymaster_tests.research.model_lakes import build

SECTION, STAGE = pl.col("section").cast(pl.String), pl.col("stage").cast(pl.String)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("evaluation") / "lake")


@pytest.fixture(scope="module")
def made(lake: Lake) -> Written:
    return evaluate_date(lake, quick(lake.settings))


@pytest.fixture(scope="module")
def opened(lake: Lake) -> Written:
    return evaluate_date(lake, quick(lake.settings, open_holdout=True))


def test_tables_keep_their_contracts_and_come_out_alike_twice(lake: Lake, made: Written):
    TrialsLedger.validate(made.ledger)
    EvaluationReport.validate(made.report)
    again = evaluate_date(lake, quick(lake.settings))
    assert again.report.equals(made.report)
    assert again.ledger.equals(made.ledger)
    assert set(made.report.filter(SECTION == "score")["algo"]) == set(FEW)


def test_threads_and_processes_change_no_byte(lake: Lake):
    """Gate G13: another process with one thread of the libraries and other hashes, and this one with as many threads as
    there are; every model.
    """
    code = (
        "import sys; from pathlib import Path; from spymaster.lake import Lake\n"
        "from spymaster_tests.research.test_session_evaluation import digest\n"
        "print(digest(Lake.open(Path(sys.argv[1]))))"
    )
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "7"}
    told = subprocess.run(
        [sys.executable, "-c", code, str(lake.root)], env={**os.environ, **alone}, capture_output=True, text=True,
        check=True, timeout=300,
    )  # fmt: skip
    assert told.stdout.strip() == digest(lake)


def digest(lake: Lake) -> str:
    """Hash of all that both tables hold, the hold-out opened."""
    made = evaluate_date(lake, quick(lake.settings, open_holdout=True, draws=20), algos=ALGOS)
    assert set(made.report.filter(SECTION == "score")["algo"]) == set(ALGOS)
    return hashlib.sha256((made.ledger.write_json() + made.report.write_json()).encode()).hexdigest()


def test_a_trial_is_entered_once_and_never_taken_back(lake: Lake, made: Written):
    again = evaluate_date(lake, quick(lake.settings), ledger=made.ledger)
    assert again.ledger.equals(made.ledger)
    other = evaluate_date(lake, quick(lake.settings).model_copy(
        update={"outcome_model": quick(lake.settings).outcome_model.model_copy(update={"stack_c": 0.5})}
    ), ledger=made.ledger)  # fmt: skip
    assert other.ledger.head(made.ledger.height).equals(made.ledger)
    assert other.ledger.height == 2 * made.ledger.height
    assert other.ledger["entry"].to_list() == list(range(1, other.ledger.height + 1))


def test_no_score_without_its_entry(lake: Lake, made: Written):
    with pytest.raises(LedgerError, match="not in the ledger"):
        evaluate_date(lake, quick(lake.settings), enters=False)
    alone = evaluate_date(lake, quick(lake.settings), ledger=made.ledger, enters=False)
    assert alone.report.equals(made.report)


def test_the_holdout_is_shut_until_it_is_opened_and_then_known(lake: Lake, made: Written, opened: Written):
    assert made.report.filter(SECTION == "holdout").is_empty()
    assert not opened.report.filter(SECTION == "holdout").is_empty()
    entry = opened.ledger.filter(STAGE == "holdout_opened").to_dicts()
    assert len(entry) == 1
    assert entry[0]["sessions"] == DATES[-2:]
    outer = opened.ledger.filter((STAGE == "outer") & (pl.col("n_sessions") > 0))
    assert not {day for days in outer["sessions"] for day in days} & set(DATES[-2:])
    parents = set(opened.ledger.filter(STAGE == "holdout")["parent_trial"])
    assert parents <= set(outer["trial_id"])
    # the same opening again is the same
    assert evaluate_date(lake, quick(lake.settings, open_holdout=True), ledger=opened.ledger).ledger.equals(
        opened.ledger
    )


CHANGES = {
    "outcome_model": {"stack_c": 0.25}, "retrieval": {"k_demo": 5}, "evaluation": {"leads_s": [0, 5]},
    "setups": {"theta": 0.25},
}  # fmt: skip


def with_changes(settings: Settings, section: str, changes: dict[str, object]) -> Settings:
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=changes)})


@pytest.mark.parametrize("section", CHANGES)
def test_the_holdout_is_opened_once(lake: Lake, opened: Written, section: str):
    changed = with_changes(quick(lake.settings, open_holdout=True), section, CHANGES[section])
    with pytest.raises(LedgerError, match="opened before"):
        evaluate_date(lake, changed, ledger=opened.ledger)
    with pytest.raises(LedgerError, match="opened before"):
        evaluate_date(lake, changed, others=opened.ledger)


def test_other_models_are_another_opening(lake: Lake, opened: Written):
    with pytest.raises(LedgerError, match="opened before"):
        evaluate_date(lake, quick(lake.settings, open_holdout=True), ledger=opened.ledger, algos=FEW[:2])


def test_an_opening_names_barriers_and_panels():
    settings = Settings()
    held, panels = np.array([19_000, 19_001]), [Place("touch", 120, 0), Place("touch", 30, 0)]
    one = opening(held, panels, settings, "demo", FEW)
    far = with_changes(settings, "setups", {"k_barrier": 2.0})
    others = [
        opening(held, panels, far, "demo", FEW), opening(held, panels[:1], settings, "demo", FEW),
        opening(held, panels, settings, "standard", FEW),
    ]  # fmt: skip
    origin = Origin("code", "data", 0, "simulated")
    assert len({other.id(origin) for other in (one, *others)}) == 4
    assert opening(held, panels, settings, "demo", FEW).id(origin) == one.id(origin)


def test_what_walk_forward_scored_is_no_holdout(lake: Lake, made: Written):
    """A larger share would call sessions a hold-out whose scores are in the ledger, of this date or of a later one."""
    wide = with_changes(quick(lake.settings, open_holdout=True), "outcome_model", {"holdout_share": 0.5})
    words = f"2 of its 4 sessions, the first of them {DATES[4]}"
    with pytest.raises(LedgerError, match=words):
        evaluate_date(lake, wide, ledger=made.ledger)
    with pytest.raises(LedgerError, match=words):
        evaluate_date(lake, wide, others=made.ledger)


def test_other_rules_of_retrieval_are_other_trials(lake: Lake, made: Written):
    """Its neighbours are asked for here, by rules that no table remembers."""
    other = evaluate_date(
        lake, with_changes(quick(lake.settings), "retrieval", {"k_demo": 5}), ledger=made.ledger
    )  # fmt: skip
    assert other.ledger.height == 2 * made.ledger.height
    named = [json.loads(text) for text in other.ledger["params_json"]]
    assert {one["retrieval"]["k"] for one in named} == {10, 5}
    assert {(one["k_barrier"], one["draws"], tuple(one["algos"])) for one in named} == {(1.0, 100, FEW)}


def test_walk_forward_scores_know_nothing_of_later_dates(lake: Lake, tmp_path: Path, made: Written):
    """Sessions up to the last but one score alike, whatever comes after."""
    changed = build(tmp_path / "lake", changed=DATES[-2])
    other = evaluate_date(changed, quick(changed.settings, open_holdout=True))
    place = ["kind", "horizon_s", "lead_s", "head", "algo", "subset", "sessions", "session_scores"]
    outer = [frame.ledger.filter(STAGE == "outer").select(place).sort(place[:6]) for frame in (made, other)]
    assert outer[0].height > 20
    assert outer[0].equals(outer[1])


def test_a_shut_holdout_is_in_no_byte(lake: Lake, tmp_path: Path, made: Written, opened: Written):
    """Other vectors, conditions and outcomes in the hold-out: same report, same ledger; opened, they are seen."""
    changed = build(tmp_path / "lake", changed=DATES[-2])
    shut = evaluate_date(changed, quick(changed.settings))
    assert shut.report.write_json() == made.report.write_json()
    assert shut.ledger.write_json() == made.ledger.write_json()
    few = [evaluate_date(one, one.settings).report.write_json() for one in (lake, changed)]
    assert few[0] == few[1]
    other = evaluate_date(changed, quick(changed.settings, open_holdout=True))
    for section in ("sample", "states", "hypothesis"):
        of = [one.report.filter(section == SECTION).drop("report_id") for one in (opened, other, made)]
        assert not of[0].equals(of[1]), section
        assert not of[0].equals(of[2]), section


def test_too_few_sessions_are_an_answer(lake: Lake):
    few = evaluate_date(lake, lake.settings)  # the demo profile asks for ten
    assert few.ledger.is_empty()
    verdicts = few.report.filter(SECTION == "verdict")
    assert set(verdicts["verdict"]) == {"simulated:insufficient"}
    panels = few.report.filter(SECTION == "sample").select("kind", "horizon_s", "lead_s").n_unique()
    assert verdicts.height == panels == 4
    assert set(few.report["section"].cast(pl.String)) >= {"sample", "states", "hypothesis", "trials", "verdict"}
    page = rendered(few)
    assert "Nothing was tried" in page["report.html"]


def rendered(written: Written) -> dict[str, str]:
    return render(Report(SYMBOL, str(DT), written.report, written.ledger))


def test_a_page_says_the_answer_first_and_that_data_are_simulated(made: Written):
    page = rendered(made)
    html, text = page["report.html"], page["report.md"]
    assert html.index("Simulated data") < html.index('class="answer"') < html.index("How much there is")
    assert text.index("Simulated data") < text.index("The answer, for every model")
    for words in (
        "bar: B1 + B2 + B3",
        "The sixteen states",
        "H2: the share of chop",
        "placebo",
        "What this does not say",
    ):
        assert words in html
        assert words in text
    assert "nan" not in html.lower().replace("finance", "")
    # nothing from elsewhere, nothing that runs
    assert "<script" not in html
    assert "http" not in html


def test_nothing_found_is_as_large_as_a_find(made: Written):
    """One place, one style, whatever the verdicts are."""
    pages = []
    for word in ("simulated:none", "simulated:weak", "simulated:leak_suspected", "simulated:supported"):
        report = made.report.with_columns(verdict=pl.when(SECTION == "verdict").then(pl.lit(word)))
        pages.append(render(Report(SYMBOL, str(DT), report, made.ledger))["report.html"])
    answers = [page.split('class="answer">')[1].split("</p>")[0] for page in pages]
    assert answers[0].startswith("Nothing was found: none of")
    assert "lack what is named" in answers[1]
    assert "a leak is suspected" in answers[2]
    assert "find what the simulator planted" in answers[3]


def test_what_was_too_good_is_shown_beside_what_is_left_of_it(made: Written):
    rest = made.report.filter(SECTION != "leak")
    assert "Too good to be true?" not in render(Report(SYMBOL, str(DT), rest, made.ledger))["report.md"]
    own = (SECTION == "score") & (pl.col("head") == "side") & (pl.col("metric") == "auc")
    score = rest.filter(own, pl.col("subset").cast(pl.String) == "real", pl.col("algo").is_in(MODELS))[:1]
    left = score.with_columns(
        section=pl.lit("leak", pl.Enum(SECTIONS)), metric=pl.lit("shifted_auc"), value=pl.lit(0.4711),
        ci_lo=pl.lit(0.4011), ci_hi=pl.lit(0.5422),
    )  # fmt: skip
    text = render(Report(SYMBOL, str(DT), pl.concat([rest, left]), made.ledger))["report.md"]
    told = text.split("Too good to be true?")[1].split("##")[0]
    assert NAMES[score["algo"][0]] in told
    assert "0.471 (0.401 to 0.542)" in told
    assert f"{score['value'][0]:.3f}" in told


def test_the_last_report_is_rendered(lake: Lake, made: Written, tmp_path: Path):
    for model, frame in ((TrialsLedger, made.ledger), (EvaluationReport, made.report)):
        for dt in (DT - timedelta(days=1), DT):
            with lake.writer(model, SYMBOL, dt) as writer:
                writer.write(frame)
                writer.commit(provenance="simulated")
    written = render_reports(lake)
    folder = lake.root / "reports" / "evaluation" / f"symbol={SYMBOL}"
    assert written == [folder / "report.html", folder / "report.md"]
    assert f"Sessions up to {DT}" in (folder / "report.md").read_text()


def test_dates_that_lack_a_table_are_left_out(lake: Lake):
    assert [one.dt for one in dates_of(lake)] == DATES
    assert date(2024, 1, 2) in {one.dt for one in lake.partitions(SetupVector, SYMBOL)}
