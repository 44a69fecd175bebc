"""Which verdict a violation gets: what is a warning, what an error, and what is not judged at all."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest

from spymaster.checks import Check, CheckResult, Finding, Severity, Suite, all_checks, check, checks_for
from spymaster.lake import Lake, MissingPartitionError
from spymaster.lake.layout import MANIFEST_FILE, SUCCESS_FILE
from spymaster.lake.manifest import InputRecord
from spymaster_tests.checks.sessions import DT, EARLIER, SYMBOL, spoil

SNAPSHOT = "silver.book_snapshot_1s"
WALL = "silver.wall_surface_1s"
VACUUM = "silver.vacuum_surface_1s"
BANDS = "silver.physics_bands_1s"
CALIBRATION = "gold.physics_norm_calibration"
BY_KEY = {item.key: item for item in all_checks()}


def run(key: str, lake: Lake, dt: date = DT) -> CheckResult:
    return BY_KEY[key].run(lake, SYMBOL, dt)


def set_first(rows: int, **values: object):
    """A change of the first rows."""
    at = pl.int_range(pl.len()) < rows

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        new = [pl.when(at).then(pl.lit(value)).otherwise(name).alias(name) for name, value in values.items()]
        return frame.with_columns(new).cast(frame.schema)

    return change


def test_names_fit_dagster_and_are_unique_per_table():
    keys = [item.key for item in all_checks()]
    assert len(set(keys)) == len(keys)
    assert all(item.name.replace("_", "").isalnum() and item.description for item in all_checks())


def test_suites_hold_the_checks_of_the_design():
    names = {suite: {item.name for item in checks_for(suites=(suite,))} for suite in Suite}
    assert {"snapshot_completed", "bid_below_ask", "conservation", "rel_ticks_bound", "finite"} <= names[Suite.DATA]
    assert {"windows_contiguous", "spot_of_snapshot", "valid_share", "fifo_consistency"} <= names[Suite.DATA]
    assert {"scores_in_unit_interval", "idle_is_half", "equal_recomputation", "causal"} <= names[Suite.PHYSICS]
    assert {"calibration_applied", "share_clipped", "not_degenerate"} <= names[Suite.PHYSICS]


def test_a_check_takes_name_and_description_from_its_function():
    @check(SNAPSHOT, WALL, suite=Suite.DATA, blocking=True)
    def no_rain(session: object) -> Finding:
        """It does not rain
        on the book.

        More words.
        """
        return Finding(0, "dry")

    assert isinstance(no_rain, Check)
    assert (no_rain.key, no_rain.description) == (f"{SNAPSHOT}:no_rain", "It does not rain on the book.")


def test_what_a_check_reads_is_known_before_it_runs(good_lake: Lake):
    bands = BY_KEY[f"{BANDS}:equal_recomputation"]
    assert bands.missing(good_lake, SYMBOL, DT) == ()
    assert set(bands.missing(good_lake, SYMBOL, date(2024, 3, 7))) == {BANDS, WALL, SNAPSHOT, CALIBRATION}
    with pytest.raises(MissingPartitionError):
        bands.run(good_lake, SYMBOL, date(2024, 3, 7))


def test_a_book_valid_only_later_is_a_warning_never_valid_an_error(lake: Lake):
    spoil(lake, SNAPSHOT, set_first(5, book_valid=False, window_valid=False))
    assert run(f"{SNAPSHOT}:snapshot_completed", lake).severity is Severity.WARN
    spoil(lake, SNAPSHOT, set_first(10_000, book_valid=False, window_valid=False))
    assert run(f"{SNAPSHOT}:snapshot_completed", lake).severity is Severity.ERROR


def test_without_a_complete_snapshot_unknown_ids_are_no_surprise(lake: Lake):
    spoil(lake, SNAPSHOT, set_first(5, book_valid=False, window_valid=False), counters={"unknown_cancel": 3})
    assert run(f"{SNAPSHOT}:known_order_ids", lake).passed


def test_crossed_moments_are_a_warning_a_crossed_book_an_error(lake: Lake):
    spoil(lake, SNAPSHOT, set_first(300, crossed=True))
    moments = run(f"{SNAPSHOT}:bid_below_ask", lake)
    assert (moments.passed, moments.severity, moments.metadata["crossed_at_window_end"]) == (False, Severity.WARN, 0)
    spoil(lake, SNAPSHOT, set_first(300, best_bid_price_int=10**15))
    assert run(f"{SNAPSHOT}:bid_below_ask", lake).severity is Severity.ERROR


@pytest.mark.parametrize("changes", [{"window_valid": False}, {"phase": "pre_open"}])
def test_a_crossed_book_is_legitimate_before_the_open_and_where_not_valid(lake: Lake, changes: dict[str, object]):
    spoil(lake, SNAPSHOT, set_first(300, crossed=True, best_bid_price_int=10**15, **changes))
    assert run(f"{SNAPSHOT}:bid_below_ask", lake).passed


def test_few_fills_say_nothing_about_queues(lake: Lake):
    spoil(lake, SNAPSHOT, counters={"fifo_known_fills": 99, "fifo_front_fills": 0})
    assert run(f"{SNAPSHOT}:fifo_consistency", lake).passed


def test_clipping_is_judged_by_how_much_and_by_the_basis(lake: Lake):
    active = pl.any_horizontal(pl.col("pull_add_log", "net_withdrawal", "wall_erosion", "fill_share") != 0)

    def clip(every: int, dt: date) -> CheckResult:
        # every n-th active row beyond any scale; the same rows stay active, so that the share is about 1/n
        beyond = active & (active.cum_sum() % every == 0)
        changed = pl.when(beyond).then(99.0).otherwise("net_withdrawal").cast(pl.Float32)
        spoil(lake, VACUUM, lambda rows: rows.with_columns(net_withdrawal=changed), dt=dt)
        return run(f"{VACUUM}:share_clipped", lake, dt)

    prior = clip(5, DT)
    assert (prior.passed, prior.severity, prior.metadata["limit"]) == (False, Severity.WARN, 0.15)
    assert clip(1, DT).severity is Severity.ERROR
    first_session = clip(5, EARLIER)
    assert (first_session.passed, first_session.metadata["limit"]) == (True, 0.30)


def test_an_empty_pool_is_a_warning(lake: Lake):
    spoil(lake, CALIBRATION, set_first(100, n_rows=0))
    result = run(f"{CALIBRATION}:not_degenerate", lake)
    assert (result.passed, result.severity) == (False, Severity.WARN)


def test_a_later_session_among_the_inputs_is_look_ahead(lake: Lake):
    spoil(lake, CALIBRATION, inputs=[lake.partition(WALL, SYMBOL, DT)])
    result = run(f"{CALIBRATION}:causal", lake)
    assert not result.passed
    assert "not earlier" in str(result.metadata["examples"])


def test_a_first_session_may_calibrate_itself_and_says_so(good_lake: Lake):
    result = run(f"{CALIBRATION}:causal", good_lake, EARLIER)
    assert (result.passed, result.metadata["basis"]) == (True, "same_session")


def test_a_changed_input_is_a_warning(lake: Lake):
    spoil(lake, WALL, lambda rows: rows.head(rows.height - 1), dt=EARLIER)
    result = run(f"{CALIBRATION}:manifest_true", lake)
    assert (result.passed, result.severity) == (False, Severity.WARN)
    assert "has changed" in result.message


def test_a_flipped_bit_is_an_error(lake: Lake):
    path = lake.partition(WALL, SYMBOL, DT).path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.unlink()
    path.write_bytes(content)
    result = run(f"{WALL}:manifest_true", lake)
    assert (result.passed, result.severity) == (False, Severity.ERROR)
    assert "SHA-256" in result.message


@pytest.mark.parametrize("name", [MANIFEST_FILE, SUCCESS_FILE])
def test_a_missing_copy_is_an_error(lake: Lake, name: str):
    (lake.partition(WALL, SYMBOL, DT).path.parent / name).unlink()
    assert run(f"{WALL}:manifest_true", lake).severity is Severity.ERROR


def test_an_input_from_the_future_is_an_error(lake: Lake):
    class Tomorrow:
        def as_input(self) -> InputRecord:
            return InputRecord("partition", f"{WALL} {SYMBOL} 2024-03-07", "0" * 64)

    spoil(lake, BANDS, inputs=[Tomorrow()])
    result = run(f"{BANDS}:manifest_true", lake)
    assert (result.passed, result.severity) == (False, Severity.ERROR)
    assert "lies in the future" in result.message


def test_data_of_the_other_kind_is_an_error(lake: Lake):
    record = json.loads((lake.root / "_LAKE.json").read_text())
    (lake.root / "_LAKE.json").unlink()
    (lake.root / "_LAKE.json").write_text(json.dumps(record | {"kind": "real"}))
    result = run(f"{WALL}:manifest_true", lake)
    assert (result.passed, result.severity) == (False, Severity.ERROR)
    assert "provenance" in result.message


def test_empty_partitions_are_judged_without_falling_over(lake: Lake):
    for table in {table for item in all_checks() for table in item.tables if lake.has(table, SYMBOL, DT)}:
        spoil(lake, table, lambda rows: rows.clear())
    results = {item.key: item.run(lake, SYMBOL, DT) for item in all_checks() if not item.missing(lake, SYMBOL, DT)}
    failed = {key for key, result in results.items() if not result.passed and result.severity is Severity.ERROR}
    # A calibration without rows lacks every scale, and so do the conditions; all others have nothing to say about none.
    scales = "gold.move_condition_scale:added_of_sessions"
    assert failed == {f"{CALIBRATION}:metrics_complete", f"{VACUUM}:calibration_applied", scales}
