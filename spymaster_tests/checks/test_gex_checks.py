"""Checks of gamma exposure: a good session passes, one planted violation fails each; no options, no violation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.checks.frames import OPTION_DEFINITION, OPTION_FORWARD, OPTION_QUOTE, OPTION_STATISTICS
from spymaster.checks.gex import GEX, LEVEL
from spymaster.lake import Lake
from spymaster.options.chain import Chain
from spymaster_tests.checks.gex_lake import add_options, make_exposures
from spymaster_tests.checks.sessions import DT, SYMBOL, copy_lake, spoil
from spymaster_tests.checks.test_every_check import (
    CHECKS,
    MIDDLE_ROW,
    ROW,
    Spoiler,
    drop,
    first_float,
    first_required,
    lie_about_rows,
    put,
)

OURS = [check.key for check in all_checks() if check.tables[0] in (GEX, LEVEL)]


@pytest.fixture(scope="module")
def options_lake(good_lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = copy_lake(good_lake, tmp_path_factory.mktemp("options") / "lake")
    add_options(lake)
    return lake


@pytest.fixture
def lake(options_lake: Lake, tmp_path: Path) -> Lake:
    return copy_lake(options_lake, tmp_path / "lake")


def few_interests(lake: Lake) -> None:
    """Statistics of four options in five."""
    spoil(lake, OPTION_STATISTICS, lambda frame: frame.filter(ROW % 5 != 0))


LARGEST = pl.col("gex_abs") == pl.col("gex_abs").max().over("window_end")
SPOILERS: dict[str, Spoiler] = {
    f"{GEX}:grid_complete": drop(GEX, MIDDLE_ROW),
    f"{GEX}:spot_of_snapshot": put(GEX, MIDDLE_ROW, spot_ref_price_int=pl.col("spot_ref_price_int") + 250_000_000),
    f"{GEX}:underlying_of_selection": put(GEX, MIDDLE_ROW, underlying="ESM4"),
    f"{LEVEL}:underlying_of_selection": put(LEVEL, MIDDLE_ROW, underlying="ESM4"),
    f"{GEX}:interest_joined": few_interests,
    f"{GEX}:sums_of_sides": put(GEX, MIDDLE_ROW, gex=pl.col("gex") + 0.01 * pl.col("gex_abs")),
    # a wrong multiplier, in all that is stored
    f"{GEX}:equal_recomputation": put(
        GEX, ROW >= 0, **{name: pl.col(name) * 1.2 for name in ("gex_call", "gex_put", "gex", "gex_abs")}
    ),
    f"{LEVEL}:minutes_complete": drop(LEVEL, MIDDLE_ROW),
    f"{LEVEL}:levels_of_surface": put(LEVEL, MIDDLE_ROW, call_wall_price_int=pl.col("put_wall_price_int") + 5 * 10**9),
}
SPOILERS |= {f"{table}:finite": put(table, ROW == 0, **{first_float(table): float("inf")}) for table in (GEX, LEVEL)}
SPOILERS |= {f"{table}:contract": put(table, ROW == 0, **{first_required(table): None}) for table in (GEX, LEVEL)}
SPOILERS |= {f"{table}:manifest_true": lie_about_rows(table) for table in (GEX, LEVEL)}
MORE: dict[str, tuple[str, Spoiler]] = {
    "a second is missing": (
        "grid_complete",
        drop(GEX, pl.col("window_end") == pl.col("window_end").sort().get(pl.len() // 2)),
    ),
    "a strike is moved": ("grid_complete", put(GEX, MIDDLE_ROW, strike_price_int=pl.col("strike_price_int") + 10**9)),
    "puts have the sign of calls": (
        "equal_recomputation",
        put(GEX, ROW >= 0, gex_put=-pl.col("gex_put")),
    ),
    "a null side is a zero": ("sums_of_sides", put(GEX, MIDDLE_ROW, gex=None, gex_abs=None)),
}
EXPOSURES = ["gex_call", "gex_put", "gex_abs", "gex", "gex_imbalance_ratio", "gex_share", "flow_gex"]
NEAREST = pl.col("rel_ticks").abs() == pl.col("rel_ticks").abs().min().over("window_end")
UNTOLD: dict[str, dict[str, object]] = {
    "all exposures": {**dict.fromkeys(EXPOSURES)},
    "exposures of puts": {"gex_put": None, "gex": pl.col("gex_call"), "gex_abs": pl.col("gex_call")},
    "flow": {"flow_gex": None},
    "flow of the other sign": {"flow_gex": -pl.col("flow_gex")},
    "flow of another multiplier": {"flow_gex": 1.2 * pl.col("flow_gex")},
    "open interest": {"oi_put": None},
    "another open interest": {"oi_call": pl.col("oi_call") + 1},
}
LEVELS: dict[str, Spoiler] = {
    "total": put(LEVEL, MIDDLE_ROW, gex_abs_total=pl.col("gex_abs_total") * 1.01),
    "spot": put(LEVEL, MIDDLE_ROW, spot_ref_price_int=pl.col("spot_ref_price_int") + 250_000_000),
    "root": put(LEVEL, MIDDLE_ROW, zero_gamma_price_int=[10**9]),
    "no total": put(LEVEL, MIDDLE_ROW, gex_abs_total=None),
    "no wall": put(LEVEL, MIDDLE_ROW, put_wall_price_int=None),
}


def failed(lake: Lake, key: str) -> str:
    result = CHECKS[key].run(lake, SYMBOL, DT)
    assert not result.passed
    assert result.metadata["violations"]
    json.dumps(result.metadata, allow_nan=False)
    return result.message


def test_every_check_has_its_violation() -> None:
    assert set(OURS) == SPOILERS.keys()


def test_a_good_session_passes(options_lake: Lake) -> None:
    results = {key: CHECKS[key].run(options_lake, SYMBOL, DT) for key in OURS}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}
    assert results[f"{GEX}:equal_recomputation"].metadata["compared"] == 3 * 7 * 25
    assert results[f"{GEX}:interest_joined"].metadata["without_open_interest"] == 0
    assert results[f"{GEX}:interest_joined"].metadata["share"] == pytest.approx(1)
    minutes = results[f"{LEVEL}:levels_of_surface"].metadata["minutes"]
    assert isinstance(minutes, int)
    assert minutes >= 5


@pytest.mark.parametrize("key", OURS)
def test_a_violation_fails_its_check(key: str, lake: Lake) -> None:
    SPOILERS[key](lake)
    failed(lake, key)


@pytest.mark.parametrize("case", MORE)
def test_other_violations_of_the_surface(case: str, lake: Lake) -> None:
    name, spoiler = MORE[case]
    spoiler(lake)
    failed(lake, f"{GEX}:{name}")


@pytest.mark.parametrize("case", UNTOLD)
def test_what_is_missing_or_another_everywhere_is_seen(case: str, lake: Lake) -> None:
    put(GEX, ROW >= 0, **UNTOLD[case])(lake)
    failed(lake, f"{GEX}:equal_recomputation")


# a fifth of one strike is within what smoothing may do
@pytest.mark.parametrize("case", sorted(UNTOLD.keys() - {"flow of another multiplier"}))
def test_what_is_missing_or_another_at_one_strike_is_seen(case: str, lake: Lake) -> None:
    put(GEX, NEAREST, **UNTOLD[case])(lake)
    failed(lake, f"{GEX}:equal_recomputation")


def test_exposures_of_options_that_cannot_be_told_are_seen(lake: Lake) -> None:
    """Neither open interest nor a volatility is known, but the surface stays."""
    spoil(lake, OPTION_STATISTICS, lambda frame: frame.head(0))
    assert "gex_call is there and cannot be told" in failed(lake, f"{GEX}:equal_recomputation")
    put(GEX, ROW >= 0, **dict.fromkeys((*EXPOSURES[:2], "oi_call", "oi_put")))(lake)
    assert CHECKS[f"{GEX}:equal_recomputation"].run(lake, SYMBOL, DT).passed, "flow needs no open interest"
    put(OPTION_QUOTE, ROW >= 0, iv=None, delta=None, gamma=None)(lake)
    assert "flow_gex is there and cannot be told" in failed(lake, f"{GEX}:equal_recomputation")


@pytest.mark.parametrize(
    "wrong", [lambda one: {"multiplier": one.multiplier / 2}, lambda one: {"is_call": ~one.is_call}]
)
def test_a_chain_that_misreads_its_definitions_is_seen(
    wrong: Callable[[Chain], dict[str, np.ndarray]], lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Surface and check build the chain by the same code; what an option is the check reads from its definition."""
    right = Chain.universe

    def misread(*arguments: Any) -> Chain:
        chain = right(*arguments)
        return replace(chain, **wrong(chain))

    monkeypatch.setattr(Chain, "universe", misread)
    make_exposures(lake)
    failed(lake, f"{GEX}:equal_recomputation")


@pytest.mark.parametrize("case", LEVELS)
def test_other_violations_of_the_levels(case: str, lake: Lake) -> None:
    LEVELS[case](lake)
    failed(lake, f"{LEVEL}:levels_of_surface")


def test_options_without_open_interest_are_named_and_only_warned_of(lake: Lake) -> None:
    few_interests(lake)
    result = CHECKS[f"{GEX}:interest_joined"].run(lake, SYMBOL, DT)
    assert result.severity == "warn"
    assert result.metadata["without_open_interest"] == result.metadata["violations"] == 33
    assert "E1B" in str(result.metadata["examples"])


def test_sessions_without_options_or_without_open_interest_pass(lake: Lake) -> None:
    spoil(lake, OPTION_STATISTICS, lambda frame: frame.head(0))
    make_exposures(lake)
    verdicts = {key: CHECKS[key].run(lake, SYMBOL, DT) for key in OURS}
    assert [key for key, verdict in verdicts.items() if not verdict.passed] == [f"{GEX}:interest_joined"]
    for table in (OPTION_QUOTE, OPTION_FORWARD, OPTION_DEFINITION):
        spoil(lake, table, lambda frame: frame.head(0))
    make_exposures(lake)
    assert lake.partition(GEX, SYMBOL, DT).rows == 0
    assert "option_definition has no rows" in (lake.partition(GEX, SYMBOL, DT).manifest.empty_reason or "")
    verdicts = {key: CHECKS[key].run(lake, SYMBOL, DT) for key in OURS}
    assert {key: verdict.message for key, verdict in verdicts.items() if not verdict.passed} == {}
