"""Partition keys and mappings: ours, and the behaviour of Dagster's beta API that the assets rely on.

The tests of Dagster itself are pins: where one fails after an upgrade, the code that names the trap wants a look.
"""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from toposort import CircularDependencyError

from spymaster.settings import get_settings
from spymaster_assets.partitions import (
    SessionKey,
    history_dates,
    history_mapping,
    session_keys,
    session_partitions,
    step_dates,
)

PARTITIONS = session_partitions(get_settings(start_date=date(2024, 1, 1), symbols=["ES", "CL"]))


def upstream_of(mapping: dg.MultiPartitionMapping, *keys: str) -> list[str]:
    """Keys that `keys` depend on, in Dagster's order."""
    subset = PARTITIONS.empty_subset().with_partition_keys(keys)
    result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, PARTITIONS, PARTITIONS)
    assert not list(result.required_but_nonexistent_subset.get_partition_keys())
    return list(result.partitions_subset.get_partition_keys())


def test_keys_read_date_then_symbol_and_weekends_have_none():
    keys = PARTITIONS.get_partition_keys()
    assert keys[:3] == ["2024-01-01|ES", "2024-01-01|CL", "2024-01-02|ES"]
    assert {SessionKey.parse(key).dt.weekday() for key in keys} == {0, 1, 2, 3, 4}
    assert "2024-12-25|ES" in keys  # holidays have partitions: exchanges trade on part of them


def test_a_key_survives_the_way_to_dagster_and_back():
    session = SessionKey(date(2024, 3, 6), "ES")
    assert str(session) == session.partition_key == "2024-03-06|ES"
    assert SessionKey.parse(str(session)) == session


def test_the_last_key_is_today_or_the_coming_monday():
    def last(now: str) -> str:
        with partition_loading_context(effective_dt=datetime.fromisoformat(now).replace(tzinfo=UTC)):
            return PARTITIONS.get_last_partition_key() or ""

    assert last("2024-03-06T12:00:00") == "2024-03-06|CL"
    assert last("2024-03-09T12:00:00") == "2024-03-11|CL"  # a Saturday: 'the last partition' is a day to come


def test_dates_are_stepped_over_weekends():
    assert step_dates(date(2024, 3, 11), -1) == date(2024, 3, 8)
    assert step_dates(date(2024, 3, 8), 1) == date(2024, 3, 11)
    assert step_dates(date(2024, 3, 6), -30) == date(2024, 1, 24)
    assert history_dates(date(2024, 3, 12), -3, 0) == [date(2024, 3, day) for day in (7, 8, 11, 12)]


@pytest.mark.parametrize(("start", "end"), [(0, 1), (-1, -2), (1, 1)])
def test_a_history_never_looks_ahead(start: int, end: int):
    with pytest.raises(ValueError, match="never ahead"):
        history_mapping(start, end)


def test_history_maps_the_same_symbol_and_the_dates_we_count_ourselves():
    keys = upstream_of(history_mapping(-30, 0), "2024-03-06|ES")
    assert session_keys(keys) == [SessionKey(dt, "ES") for dt in history_dates(date(2024, 3, 6), -30, 0)]


def test_dagster_names_upstream_keys_unsorted():
    """Trap: whoever takes the order for the order of dates looks ahead. We sort (`session_keys`)."""
    orders = {tuple(upstream_of(history_mapping(-9, 0), f"2024-03-{day:02}|ES")) for day in range(11, 16)}
    assert any(list(order) != sorted(order) for order in orders)
    assert [session_keys(order) for order in orders] == [sorted(map(SessionKey.parse, order)) for order in orders]


def test_dagster_cuts_a_history_before_the_first_partition_without_a_word():
    """Trap: the mapped keys do not tell that the history is short. We count what a full one has (`history_dates`)."""
    keys = upstream_of(history_mapping(-30, -1), "2024-01-04|ES")
    assert len(keys) == 3
    assert len(history_dates(date(2024, 1, 4), -30, -1)) == 30
    assert upstream_of(history_mapping(-30, -1), "2024-01-01|ES") == []


def toy(name: str, upstream: str, mapping: dg.PartitionMapping) -> dg.AssetsDefinition:
    @dg.asset(name=name, partitions_def=PARTITIONS, ins={"x": dg.AssetIn(upstream, partition_mapping=mapping)})
    def compute(x):
        return x

    return compute


def test_dagster_refuses_a_cycle_even_over_earlier_dates():
    """Trap: `a` on yesterday's `b` and `b` on today's `a` is a cycle to Dagster. Calibration reads the wall only."""
    assets = [toy("a", "b", history_mapping(-1, -1)), toy("b", "a", dg.IdentityPartitionMapping())]
    with pytest.raises(CircularDependencyError):
        dg.Definitions(assets=assets).resolve_all_job_defs()


def test_dagster_allows_an_asset_on_its_own_earlier_partitions():
    assets = [toy("a", "a", history_mapping(-1, -1))]
    dg.Definitions(assets=assets).resolve_all_job_defs()


def test_our_use_of_the_beta_mapping_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history_mapping(-1, 0)
