"""`spymaster raw add`: files in, byte for byte; bad ones refused with a reason, the good ones stored all the same."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from spymaster.lake import Lake
from spymaster_tests.checks.sessions import write_raw
from spymaster_tests.cli.conftest import Cli

SUNDAY, MONDAY = datetime.date(2024, 3, 3), datetime.date(2024, 3, 4)


@pytest.fixture
def monday(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "incoming", MONDAY, seed=1, records=50)


def test_a_file_is_stored_under_its_own_product_table_and_date(cli: Cli, tmp_path: Path, monday: Path):
    done = cli("raw", "add", monday, "--symbol", "ES", "--lake", tmp_path / "lake", "--json")
    assert done.code == 0
    (added,) = done.json["added"]
    assert (added["product_type"], added["table"], added["date"]) == ("future", "market_by_order_dbn", "2024-03-04")
    assert (added["state"], added["note"]) == ("added", None)
    assert (tmp_path / "lake" / added["stored_as"]).read_bytes() == monday.read_bytes()
    assert Lake.open(tmp_path / "lake").kind == "simulated"


def test_adding_twice_changes_nothing(cli: Cli, tmp_path: Path, monday: Path):
    for state in ("added", "already there"):
        done = cli("raw", "add", monday, "--symbol", "ES", "--lake", tmp_path / "lake", "--json")
        assert (done.code, done.json["added"][0]["state"]) == (0, state)


def test_a_weekend_file_is_stored_and_reported_as_having_no_partition(cli: Cli, tmp_path: Path):
    sunday = write_raw(tmp_path / "incoming", SUNDAY, seed=1, records=50)
    done = cli("raw", "add", sunday, "--symbol", "ES", "--lake", tmp_path / "lake")
    assert done.code == 0
    assert "Sunday" in done.out
    status = cli("status", "--lake", tmp_path / "lake", "--json").json
    assert [file["has_partition"] for file in status["raw"]] == [False]
    assert status["partitions"] == []


def test_bad_files_are_named_and_good_ones_stored(cli: Cli, tmp_path: Path, monday: Path):
    text, truncated = tmp_path / "notes.dbn", tmp_path / "cut-20240305.mbo.dbn.zst"
    text.write_text("not market data")
    truncated.write_bytes(monday.read_bytes()[:-20])
    done = cli("raw", "add", text, truncated, monday, tmp_path / "gone.dbn", "-s", "ES", "--lake", tmp_path / "lake",
               "--json")  # fmt: skip
    assert done.code == 1
    assert [Path(one["file"]).name for one in done.json["failed"]] == ["notes.dbn", truncated.name, "gone.dbn"]
    assert [one["file"] for one in done.json["added"]] == [monday.name]
    assert "3 of 4 files were not added" in done.err


def test_an_unknown_root_is_refused_before_anything_is_made(cli: Cli, tmp_path: Path, monday: Path):
    done = cli("raw", "add", monday, "--symbol", "ZZZ", "--lake", tmp_path / "lake")
    assert done.code == 1
    assert "ZZZ" in done.err
    assert not (tmp_path / "lake").exists()


def test_a_file_of_another_root_is_refused(cli: Cli, tmp_path: Path, monday: Path):
    done = cli("raw", "add", monday, "--symbol", "CL", "--lake", tmp_path / "lake")
    assert done.code == 1
    assert "ES" in done.err


def test_real_files(cli: Cli, tmp_path: Path, real_data: Path):
    files = sorted(real_data.glob("*.mbo.dbn.zst"))
    done = cli("raw", "add", *files, "--symbol", "ES", "--lake", tmp_path / "lake", "--json")
    assert done.code == 0
    assert [one["date"] for one in done.json["added"]] == ["2023-12-24", "2023-12-25"]
    assert Lake.open(tmp_path / "lake").kind == "real"
