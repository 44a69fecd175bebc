"""`spymaster evidence`: files, what is printed, and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from spymaster.cli.main import main
from spymaster.evidence.report import session_report
from spymaster.evidence.report.gather import ReportData
from spymaster.lake import Lake
from spymaster.market.dbn import SIM_DATASET
from spymaster.tables.evidence_report import EvidenceReport
from spymaster.tables.model import TableModel
from spymaster_tests.evidence import report_days as days
from spymaster_tests.tables.intensity_samples import intensity
from spymaster_tests.tables.samples import frame_of

DT = "2024-01-02"


def put(lake: Lake, model: type[TableModel], frame: pl.DataFrame) -> None:
    with lake.writer(model, "ES", date.fromisoformat(DT)) as writer:
        writer.write(frame.sort(model.key).select(list(model.columns)))
        writer.commit(inputs=[], dataset=SIM_DATASET)


def build(root: Path, *, passed: bool | None = None) -> Lake:
    """A lake with the tables of a made-up date."""
    lake = Lake.open(root, create=True, kind="simulated")
    data = days.report_data()
    controls = {"controls": "none" if passed is None else "sample", "controls_passed": passed}
    runs = days.frame(session_report.AlgoRun, [dict(data.run) | controls | {
        name: int(data.run[name].timestamp()) * 10**9 for name in ("ts_start", "ts_end")
    }])  # fmt: skip
    put(lake, session_report.AlgoRun, runs)
    put(lake, session_report.AlgoTest, data.tests)
    put(lake, session_report.AlgoCurve, data.curves)
    put(lake, session_report.AlgoExemplar, data.exemplars)
    put(lake, session_report.AlgoReplication, data.replication)
    put(lake, session_report.AlgoContrast, data.contrast)
    put(
        lake, session_report.AlgoIntensity1s, frame_of(session_report.AlgoIntensity1s, [intensity(k) for k in range(4)])
    )
    return lake


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["evidence", "--symbol", "ES", "--dt", DT, *arguments])
    code = stopped.value.code
    return code if isinstance(code, int) else 0


def test_both_forms_are_written_into_the_lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = build(tmp_path / "lake")
    assert run("--lake", str(lake.root)) == 0
    inside = lake.root / "reports/evidence/symbol=ES" / f"dt={DT}"
    assert {path.name for path in inside.iterdir()} == {"evidence.html", "evidence.md"}
    printed = capsys.readouterr().out
    assert "Simulated data: 4.10 %" in printed
    assert "evidence.html" in printed


def test_one_form_goes_where_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = build(tmp_path / "lake")
    assert run("--lake", str(lake.root), "--format", "md", "--out", str(tmp_path / "out"), "--json") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["evidence.md"]
    document = json.loads(capsys.readouterr().out)
    assert document["verdicts"]["weak"] == len(days.PEAKS)
    assert document["controls_passed"] is None
    assert not (lake.root / "reports").exists()


def test_a_missing_table_and_a_failed_control_have_codes_of_their_own(tmp_path: Path) -> None:
    empty = Lake.open(tmp_path / "empty", create=True)
    assert run("--lake", str(empty.root)) == 4
    failed = build(tmp_path / "failed", passed=False)
    assert run("--lake", str(failed.root)) == 5
    assert (failed.root / "reports/evidence/symbol=ES" / f"dt={DT}" / "evidence.html").is_file()
    assert run("--lake", str(failed.root), "--format", "pdf") == 2


@pytest.mark.parametrize(("passed", "code"), [(True, 0), (False, 5)])
def test_with_controls_a_date_is_tested_anew_and_its_report_stands_beside_the_stored_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passed: bool, code: int
) -> None:
    def anew(data: ReportData, lake: Lake, controls: str) -> ReportData:
        return replace(data, run={**data.run, "controls": controls, "controls_passed": passed})

    monkeypatch.setattr(session_report, "rerun", anew)
    lake = build(tmp_path / "lake")
    assert run("--lake", str(lake.root)) == 0
    stored = lake.root / "reports/evidence/symbol=ES" / f"dt={DT}"
    before = (stored / "evidence.md").read_bytes()
    assert run("--lake", str(lake.root), "--controls", "full") == code
    said = f"{'passed' if passed else 'failed'}, on the whole date"
    assert said not in before.decode()
    assert said in (stored / "controls=full/evidence.md").read_text()
    assert (stored / "evidence.md").read_bytes() == before
    assert run("--lake", str(lake.root), "--controls", "some") == 2


def test_the_table_names_the_files_and_the_index_lists_them(tmp_path: Path) -> None:
    lake = build(tmp_path / "lake")
    data = session_report.data_of(lake, "ES", date.fromisoformat(DT), version="0")
    row = session_report.store(lake.root, data)
    put(lake, EvidenceReport, EvidenceReport.validate(row))
    session_report.write_index(lake)
    inside = lake.root / "reports/evidence/symbol=ES"
    for name in ("index.html", "index.md"):
        assert f"dt={DT}/evidence" in (inside / name).read_text()
    again = session_report.store(lake.root, session_report.data_of(lake, "ES", date.fromisoformat(DT), version="0"))
    assert again.equals(row)
    assert session_report.store(lake.root, None).is_empty()
