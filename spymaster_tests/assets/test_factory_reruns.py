"""What the factory promises about running again: fresh tables stay, stale ones are made anew, and shown as such."""

from __future__ import annotations

import dagster as dg

from spymaster.lake import Lake, RawFile
from spymaster.lake.status import partition_status
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.trade import Trade
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import Raw
from spymaster_assets.recipe import Session
from spymaster_assets.resources import OVERWRITE_TAG, LakeResource
from spymaster_tests.assets.conftest import AddRaw
from spymaster_tests.assets.toys import (
    BBO,
    CALIBRATION,
    D4,
    D5,
    D6,
    D7,
    DEFINITION,
    TRADE,
    Harness,
    Toys,
    metadata,
)


def test_a_rerun_leaves_fresh_partitions_alone_and_still_reports_them(harness: Harness, week: None, toys: Toys):
    harness.run(D4, D5)
    before = harness.latest(DEFINITION, D4)
    toys.calls.clear()
    assert harness.run(D4, D5).success
    assert toys.calls == []
    after = harness.latest(DEFINITION, D4)
    assert metadata(after) == metadata(before) | {"reused": True}
    assert (after.tags or {})["dagster/data_version"] == (before.tags or {})["dagster/data_version"]


def test_overwrite_makes_the_named_tables_again(harness: Harness, week: None, toys: Toys):
    harness.run(D4)
    toys.calls.clear()
    assert harness.run(D4, tags={OVERWRITE_TAG: "silver.trade"}).success
    assert toys.calls == [("pass", D4, frozenset({"trade"}))]


def test_a_changed_input_makes_what_is_below_stale(harness: Harness, week: None, toys: Toys, add_raw: AddRaw):
    harness.run(D4, D5)
    toys.calls.clear()
    add_raw("ES", D4, seed=99, messages=20)
    assert harness.run(D4, D5).success
    assert toys.called("definition") == [D4]
    assert toys.called("pass") == []  # the definitions came out the same: equal hashes, nothing to do


def test_dagster_shows_as_stale_what_the_lake_calls_stale(harness: Harness, week: None, toys: Toys, lake: Lake):
    harness.run(D4, D5)
    assert harness.stale(D5, DEFINITION, TRADE, CALIBRATION) == ["FRESH", "FRESH", "FRESH"]
    toys.first_id = 100
    harness.run(D4, asset_selection=[DEFINITION], tags={OVERWRITE_TAG: "*"})
    assert harness.stale(D4, DEFINITION, TRADE, BBO) == ["FRESH", "STALE", "STALE"]
    assert harness.stale(D5, DEFINITION, TRADE) == ["FRESH", "FRESH"]
    assert [partition_status(lake, Trade, "ES", dt).state for dt in (D4, D5)] == ["stale", "complete"]
    assert harness.run(D4, D5).success
    assert harness.stale(D4, DEFINITION, TRADE, BBO, CALIBRATION) == ["FRESH"] * 4


def test_a_replaced_raw_file_seen_by_one_table_makes_the_others_that_read_it_stale(
    resource: LakeResource, instance: dg.DagsterInstance, week: None, add_raw: AddRaw, toys: Toys
):
    @lake_assets(ContractDaySelection, raw=Raw("market_by_order_dbn"))
    def toy_selection(session: Session, raw: RawFile):
        return ContractDaySelection.empty()

    harness = Harness(toys, resource, instance, toy_selection)
    selection = dg.AssetKey(["bronze", "contract_day_selection"])
    harness.run(D4)
    add_raw("ES", D4, seed=2, messages=11)
    harness.run(D4, asset_selection=[selection])
    assert harness.stale(D4, DEFINITION, selection) == ["STALE", "FRESH"]


def test_an_earlier_date_that_comes_later_is_shown_as_stale(harness: Harness, week: None, add_raw: AddRaw):
    harness.run(D4, D7)
    add_raw("ES", D6, messages=10)
    harness.run(D6, asset_selection=[DEFINITION, TRADE, BBO])
    assert harness.stale(D7, CALIBRATION) == ["STALE"]
    assert harness.stale(D5, CALIBRATION) == ["FRESH"]


def test_an_earlier_date_that_comes_later_renews_the_tables_that_read_it(
    harness: Harness, week: None, toys: Toys, add_raw: AddRaw
):
    harness.run(D4, D7)
    add_raw("ES", D6, messages=10)
    toys.calls.clear()
    toys.histories.clear()
    harness.run(D4, D7)
    assert toys.called("definition") == [D6]
    assert toys.histories == {D6: [D4, D5, D6], D7: [D4, D5, D6, D7]}
