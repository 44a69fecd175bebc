"""Faults of the options' files: each file is wrong in its way, and everything else is as without them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spymaster.feed.errors import TruncatedFileError
from spymaster.feed.reader import MboFile
from spymaster.market.calendar import wall_time_ns
from spymaster.simulator.errors import SimulationRequestError
from spymaster.simulator.fault_plan import OptionNoSnapshot, OptionTruncatedFile, PlannedFault
from spymaster.simulator.options.faults import ChainFaults
from spymaster.simulator.request import Request, plan
from spymaster.simulator.simulate import Run, simulate
from spymaster_tests.simulator.chains import SMALL, FinishedChain, finished_chain, walk
from spymaster_tests.simulator.days import TUESDAY

AT = OptionNoSnapshot.model_validate({"at": "10:30:00"}).at


@pytest.fixture(scope="module")
def finished() -> FinishedChain:
    return finished_chain(size=SMALL, messages=6_000, quotes=walk(moves=1_000))


def passed(records: np.ndarray, section: OptionNoSnapshot | OptionTruncatedFile) -> tuple[ChainFaults, np.ndarray]:
    """Records after the fault, told in blocks."""
    ns = wall_time_ns(TUESDAY, section.at)
    faults = ChainFaults([PlannedFault(1, section, ns, ns)])
    told = [part.copy() for k in range(0, len(records), 500) for part in faults.through(records[k : k + 500])]
    return faults, np.concatenate(told)


def test_a_file_without_a_snapshot_has_the_rest_of_the_records(finished: FinishedChain) -> None:
    faults, told = passed(finished.records, OptionNoSnapshot(at=AT))
    (logged,) = faults.log
    assert logged.fault.section.kind == "option_no_snapshot"
    assert (logged.record_index, logged.records) == (0, len(finished.records) - len(told))
    assert finished.records[logged.records :].tobytes() == told.tobytes()
    assert not (told["flags"] & 0x20).any()
    assert 0 < len(told) < len(finished.live)


def test_a_truncated_file_ends_inside_a_record(finished: FinishedChain) -> None:
    faults, told = passed(finished.records, OptionTruncatedFile(at=AT))
    (logged,) = faults.log
    assert logged.fault.section.kind == "option_truncated_file"
    assert logged.record_index == len(told) > 1_000
    assert finished.records[: len(told)].tobytes() == told.tobytes()
    assert 0 < len(faults.tail) < 56


def run_with(folder: Path, faults: str) -> Run:
    path = folder / "faults.toml"
    path.write_text(faults)
    return simulate(plan(Request(preset="ci", messages=4_000, faults=str(path))), folder / "lake")


def test_missing_and_truncated_files_of_options_leave_the_future_alone(tmp_path: Path) -> None:
    for name in ("whole", "faulty"):
        (tmp_path / name).mkdir()
    text = '[[option_file_missing]]\ntable = "definition"\n[[option_file_missing]]\ntable = "statistics"\n'
    whole, faulty = (
        run_with(tmp_path / "whole", ""),
        run_with(tmp_path / "faulty", text + '[[option_truncated_file]]\nat = "10:00:00"\n'),
    )
    assert faulty.days[0].files == whole.days[0].files
    left = {name.split("/")[-2] for name in whole.days[0].option_files} - {
        name.split("/")[-2] for name in faulty.days[0].option_files
    }
    assert left == {"table=definition", "table=statistics"}
    table = pl.read_parquet(
        faulty.folder / "table=truth_fault" / "dt=2026-01-06" / "part-00000.parquet", hive_partitioning=False
    )
    assert sorted(table["kind"]) == ["option_file_missing", "option_file_missing", "option_truncated_file"]
    (name,) = faulty.days[0].option_files
    with pytest.raises(TruncatedFileError) as raised:
        for _ in MboFile.open(tmp_path / "faulty" / "lake" / name).chunks():
            pass
    assert raised.value.record == table["record_index"].max()


def test_faults_of_options_need_options(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text('[[option_file_missing]]\ntable = "statistics"\n')
    with pytest.raises(SimulationRequestError, match="simulated without"):
        plan(Request(preset="ci", options=False, faults=str(path)))
