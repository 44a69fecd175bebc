"""`status`, `check`, `clean` and `bench` on a small lake."""

from __future__ import annotations

import fcntl
from pathlib import Path

import polars as pl
import pytest

from spymaster.lake import Lake
from spymaster.lake.files import open_staging
from spymaster.lake.layout import staging_dir
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, TABLES, spoil
from spymaster_tests.cli.conftest import Cli

WALL = "silver.wall_surface_1s"


@pytest.fixture(autouse=True)
def settings_of_the_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands read the settings that the lake was made with: with others its tables are stale, and rightly so."""
    for profile in ("", "_DEMO"):
        monkeypatch.setenv(f"SPYMASTER_SETUPS__SCALE_MIN_SESSIONS{profile}", "1")


def states(cli: Cli, lake: Lake, *arguments: str) -> dict[tuple[str, str], str]:
    document = cli("status", "--lake", lake.root, "--json", *arguments).json
    return {(one["table"], one["dt"]): one["state"] for one in document["partitions"]}


def test_status_of_a_lake_without_options(cli: Cli, good_lake: Lake):
    found = states(cli, good_lake)
    made = {(table, str(dt)) for table in TABLES for dt in (EARLIER, DT)}
    assert {one: state for one, state in found.items() if state == "complete"}.keys() == made
    assert {state for one, state in found.items() if one not in made} == {"missing"}
    shown = cli("status", "--lake", good_lake.root)
    assert shown.code == 0
    assert "simulated lake" in shown.out


def test_status_tells_missing_and_stale_with_the_reason(cli: Cli, lake: Lake):
    lake.partition("silver.trade", SYMBOL, DT).path.unlink()
    spoil(lake, WALL, lambda rows: rows.head(rows.height - 1))
    found = states(cli, lake)
    assert found["silver.trade", str(DT)] == "missing"
    assert found["silver.vacuum_surface_1s", str(DT)] == "stale"
    assert found["silver.vacuum_surface_1s", str(EARLIER)] == "complete"
    shown = cli("status", "--lake", lake.root).out.replace("\n", " ")
    assert f"input {WALL} {SYMBOL} {DT} has changed" in shown


def test_status_can_be_narrowed(cli: Cli, good_lake: Lake):
    assert {dt for _, dt in states(cli, good_lake, "--dates", f"{DT}:")} == {str(DT)}
    assert {dt for _, dt in states(cli, good_lake, "--dates", str(EARLIER))} == {str(EARLIER)}
    assert states(cli, good_lake, "--symbol", "CL") == {}


def test_a_raw_file_without_partitions_is_what_is_missing(cli: Cli, lake: Lake):
    for table in ("bronze", "silver", "gold"):
        for path in lake.root.glob(f"{table}/**/*.parquet"):
            path.unlink()
    found = states(cli, lake)
    assert set(found.values()) == {"missing"}
    assert {dt for _, dt in found} == {str(EARLIER), str(DT)}


def test_check_of_a_good_lake_passes(cli: Cli, good_lake: Lake):
    done = cli("check", "--lake", good_lake.root, "--json")
    document = done.json
    assert done.code == 0
    assert document["counts"].keys() <= {"passed", "warning"}
    assert {one["suite"] for one in document["checks"]} == {"data", "physics"}
    assert {one["dt"] for one in document["checks"]} == {str(EARLIER), str(DT)}


def test_a_failed_check_fails_the_command_and_says_where(cli: Cli, lake: Lake):
    spoil(lake, WALL, lambda rows: rows.with_columns(fill_qty=pl.col("fill_qty") + 1))
    done = cli("check", "data", "--dt", DT, "--symbol", SYMBOL, "--table", "wall_surface_1s", "--lake", lake.root)
    assert done.code == 1
    assert "conservation" in done.out
    summary = done.err.strip().splitlines()[-1]
    assert summary.startswith("error: ")
    assert f"{WALL} {SYMBOL} {DT}" in summary


def test_warnings_are_shown_and_do_not_fail(cli: Cli, lake: Lake):
    spoil(lake, "silver.book_snapshot_1s", counters={"fifo_known_fills": 1000, "fifo_front_fills": 1})
    done = cli("check", "data", "--dt", DT, "--table", "book_snapshot_1s", "--lake", lake.root)
    assert done.code == 0
    assert "fifo_consistency" in done.out
    assert "warning" in done.out


def test_a_check_whose_tables_are_not_there_is_skipped_never_passed(cli: Cli, lake: Lake):
    lake.partition(WALL, SYMBOL, DT).path.unlink()
    document = cli("check", "physics", "--dt", DT, "--table", "physics_bands_1s", "--lake", lake.root, "--json").json
    by_name = {one["check"]: one for one in document["checks"]}
    assert by_name["equal_recomputation"]["state"] == "skipped"
    assert WALL in by_name["equal_recomputation"]["message"]
    assert by_name["scores_in_unit_interval"]["state"] == "passed"


def test_a_partition_that_cannot_be_read_is_a_failed_check(cli: Cli, lake: Lake):
    path = lake.partition("silver.trade", SYMBOL, DT).path
    path.unlink()
    path.write_bytes(b"PAR1 and nothing else")
    done = cli("check", "data", "--dt", DT, "--table", "trade", "--lake", lake.root, "--json")
    assert done.code == 1
    assert "failed" in done.json["counts"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dt", "2020-01-01"], "no complete partition"),
        (["--symbol", "CL"], "no complete partition"),
        (["service"], "no check in suite service"),
        (["--table", "walls"], "no table 'walls'"),
    ],
)
def test_nothing_to_check_is_a_failure(cli: Cli, good_lake: Lake, arguments: list[str], message: str):
    done = cli("check", *arguments, "--lake", good_lake.root)
    assert done.code == 1
    assert message in done.err


def test_clean_removes_leftovers_and_nothing_else(cli: Cli, lake: Lake):
    before = {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()}
    left, file = open_staging(lake.root, "silver.trade")
    file.write(b"x" * 2_000_000)
    file.close()
    held, kept = open_staging(lake.root, "silver.wall")
    try:
        fcntl.flock(kept, fcntl.LOCK_EX)
        done = cli("clean", "--lake", lake.root, "--json")
    finally:
        kept.close()
    assert done.json == {"removed": [left.name], "bytes": 2_000_000, "in_use": 1}
    assert held.exists()
    assert "1 leftovers removed" in cli("clean", "--lake", lake.root).out
    assert list(staging_dir(lake.root).iterdir()) == []
    assert {path: path.read_bytes() for path in lake.root.rglob("*") if path.is_file()} == before


@pytest.fixture
def benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text('BENCHMARKS = {"quick": "how quick", "broken": "nothing"}\n')
    (folder / "quick.py").write_text("import json, sys\nprint(json.dumps({'arguments': sys.argv[1:]}))\n")
    (folder / "broken.py").write_text("raise SystemExit('no disk')\n")
    monkeypatch.setattr("spymaster.cli.bench.FOLDER", folder)
    return folder


def test_bench_collects_the_figures(cli: Cli, benchmarks: Path):
    done = cli("bench", "quick", "--messages", 5, "--json")
    assert done.code == 0
    assert done.json == {"figures": {"quick": {"arguments": ["--messages", "5", "--json"]}}, "failed": {}}


def test_a_broken_benchmark_does_not_hide_the_others(cli: Cli, benchmarks: Path):
    done = cli("bench", "--json")
    assert done.code == 1
    assert set(done.json["figures"]) == {"quick"}
    assert done.json["failed"] == {"broken": "no disk"}
    assert "1 of 2 benchmarks failed: broken: no disk" in done.err


def test_benchmarks_are_listed_and_unknown_ones_refused(cli: Cli, benchmarks: Path):
    assert cli("bench", "--list", "--json").json == {"quick": "how quick", "broken": "nothing"}
    done = cli("bench", "slow")
    assert done.code == 1
    assert "known: quick, broken" in done.err


def test_bench_without_a_checkout_says_so(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("spymaster.cli.bench.FOLDER", tmp_path / "none")
    assert "checkout" in cli("bench").err
