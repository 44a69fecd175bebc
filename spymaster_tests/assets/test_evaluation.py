"""Ledger and report as assets: overwriting makes them anew and takes no entry away, and the page follows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.research.errors import LedgerError
from spymaster.tables.evaluation_report import EvaluationReport
from spymaster.tables.trials_ledger import TrialsLedger
from spymaster_assets.assets.evaluation import evaluation_report
from spymaster_assets.factory import recipe_of
from spymaster_assets.inputs import Raw, TableInput
from spymaster_assets.partitions import SessionKey
from spymaster_assets.recipe import Made
from spymaster_tests.research.evaluated import DT, SYMBOL, quick
from spymaster_tests.research.model_lakes import build
from spymaster_tests.tables.samples import sample

TABLES = (TrialsLedger.full_name, EvaluationReport.full_name)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("evaluation") / "lake")


def make(lake: Lake, *, overwrite: tuple[str, ...] = (), tables: tuple[str, ...] = TABLES) -> dict[str, Made]:
    recipe = recipe_of(evaluation_report)
    assert recipe is not None
    sources = {
        name: TableInput(lake, item.model, None) for name, item in recipe.inputs.items() if not isinstance(item, Raw)
    }
    made = recipe.make(lake, SessionKey(DT, SYMBOL), sources, tables=tables, overwrite=overwrite)
    assert recipe.after is not None
    recipe.after(lake)
    return {one.model.full_name: one for one in made}


def test_both_tables_and_the_page_are_made_and_then_fresh(lake: Lake):
    first = make(lake)
    assert not any(one.reused for one in first.values())
    again = make(lake)
    assert all(one.reused for one in again.values())
    hashes = [{name: one.partition.content_hash for name, one in made.items()} for made in (first, again)]
    assert hashes[0] == hashes[1]
    page = lake.root / "reports" / "evaluation" / f"symbol={SYMBOL}" / "report.html"
    assert "Nothing was tried" in page.read_text()


def test_overwriting_keeps_every_entry_of_the_ledger(lake: Lake):
    make(lake)
    entered = sample(TrialsLedger)
    with lake.writer(TrialsLedger, SYMBOL, DT) as writer:
        writer.write(entered)
        writer.commit(provenance="simulated")
    make(lake, overwrite=TABLES)
    assert lake.read(TrialsLedger, SYMBOL, DT).select(entered.columns).head(entered.height).equals(entered)


def test_a_later_date_may_have_opened_the_holdout(tmp_path: Path):
    lake = build(tmp_path / "lake")
    opens = Lake.open(lake.root, settings=quick(lake.settings, open_holdout=True))
    entry = sample(TrialsLedger).head(1).with_columns(
        [pl.lit(None).alias(name) for name in ("kind", "horizon_s", "lead_s", "head", "algo", "subset", "metric")],
        stage=pl.lit("holdout_opened"), sessions=pl.lit([DT]), n_sessions=1, session_scores=pl.lit([]),
    ).cast(TrialsLedger.schema())  # type: ignore[arg-type]  # fmt: skip
    with lake.writer(TrialsLedger, SYMBOL, DT + timedelta(days=1)) as writer:
        writer.write(entry)
        writer.commit(provenance="simulated")
    with pytest.raises(LedgerError, match=f"1 of its 2 sessions, the first of them {DT}"):
        make(opens)


def test_the_report_alone_can_be_made_where_its_trials_are_entered(lake: Lake, tmp_path: Path):
    make(lake)
    alone = make(lake, overwrite=TABLES[1:], tables=TABLES[1:])
    assert set(alone) == {EvaluationReport.full_name}
    report = alone[EvaluationReport.full_name].partition.read()
    assert report.filter(pl.col("verdict").is_not_null()).height == 4
