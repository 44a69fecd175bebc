"""`spymaster simulate`: plans, runs, refusals, and the exit codes that tell them apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from spymaster.lake import Lake, raw_files
from spymaster.simulator.profile import load_profile
from spymaster_tests.cli.conftest import Cli

SMALL = ("simulate", "--preset", "ci", "--messages", 20_000)


def test_plan_says_what_would_be_written_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    done = cli("simulate", "--plan", "--lake", tmp_path / "lake", "--json")
    assert done.code == 0
    assert [day["messages"] for day in done.json["days"]] == [720_000, 720_000, 720_000, 2_400_000]
    assert [day["option_messages"] for day in done.json["days"]] == [250_000, 250_000, 250_000, 1_000_000]
    without = cli("simulate", "--plan", "--options", "off", "--json")
    assert [day["option_messages"] for day in without.json["days"]] == [0, 0, 0, 0]
    assert done.json["days"][-1]["instruments"] == ["ESH6", "ESM6", "ESH6-ESM6"]
    assert not (tmp_path / "lake").exists()
    assert "2026-01-06" in cli("simulate", "--plan").out


def test_a_run_leaves_files_truth_and_report(cli: Cli, tmp_path: Path) -> None:
    done = cli(*SMALL, "--lake", tmp_path / "lake", "--json")
    # so small a market misses targets, and says so
    assert done.code == 5
    (day,) = done.json["days"]
    assert {one["verdict"] for one in day["targets"]} == {"pass", "open", "miss", "n/a"}
    assert "SIMULATED" in Path(done.json["report"]).read_text()
    lake = Lake.open(tmp_path / "lake")
    assert lake.kind == "simulated"
    assert len(raw_files(lake, "ES", "market_by_order_dbn")) == 1
    assert (Path(done.json["report"]).parent / "sim_20260106.png").stat().st_size > 10_000
    again = cli(*SMALL, "--lake", tmp_path / "lake")
    assert again.code == 5
    assert "missed" in again.out


def test_fit_writes_the_next_version_of_a_profile_which_simulate_takes(cli: Cli, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    cli(*SMALL, "--lake", lake, "--options", "off")
    first = cli("simulate", "fit", "--from", lake, "--to", tmp_path, "--json").json
    written = Path(first["profile"])
    assert written.name == "es-2.toml"
    assert first["provenance"] == ["simulated"]
    before = written.read_bytes()
    (raw,) = raw_files(Lake.open(lake), "ES", "market_by_order_dbn")
    again = cli("simulate", "fit", "--from", raw.path, "--to", tmp_path, "--json").json
    assert Path(again["profile"]).name == "es-3.toml"
    assert written.read_bytes() == before
    assert load_profile(again["profile"]).model_dump(exclude={"fitted"}) == load_profile(str(written)).model_dump(
        exclude={"fitted"}
    )
    fitted, shipped = load_profile(str(written)), load_profile("es")
    # what the shipped profile says comes back, as far as some thousand records tell
    assert fitted.add_size.ranges[0][2] == pytest.approx(shipped.add_size.ranges[0][2], abs=0.04)
    assert fitted.add_size.ranges[1][2] == pytest.approx(shipped.add_size.ranges[1][2], abs=0.03)
    assert fitted.latency.values[0] == pytest.approx(shipped.latency.values[0], rel=0.1)
    assert fitted.price == shipped.price
    taken = cli(
        *SMALL, "--lake", tmp_path / "fitted", "--options", "off", "--profile", written,
        "--reference", again["portrait"], "--json",
    )  # fmt: skip
    (day,) = taken.json["days"]
    share = next(one for one in day["targets"] if one["metric"] == "share of size 1")
    value, error = fitted.fitted_figures["share of size 1"]
    assert share["high"] == pytest.approx(value + max(0.1 * value, 3 * error), rel=1e-6)


def test_refusals_have_their_own_exit_code(cli: Cli, tmp_path: Path) -> None:
    Lake.open(tmp_path / "real", create=True, kind="real")
    refused = cli(*SMALL, "--lake", tmp_path / "real")
    assert refused.code == 6
    assert "real" in refused.err


def test_bad_arguments_are_usage_errors(cli: Cli) -> None:
    assert cli("simulate", "--preset", "huge").code == 2
    assert cli("simulate", "--plan", "--closing-form", "mixed", "--closing-switch", "25:00").code == 2
    assert cli("simulate", "--plan", "--faults", "gone.toml").code == 2
    assert cli("simulate", "--dates", "2026-01-03").code == 2
