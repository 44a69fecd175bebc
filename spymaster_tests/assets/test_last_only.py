"""A table that reads all earlier dates is made for the last date of a request, and for others that are asked alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import dagster as dg

from spymaster.lake import Lake, Partition
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.outcome_model import OutcomeModel
from spymaster_assets.factory import NOT_LAST, SKIPPED, lake_assets
from spymaster_assets.inputs import History
from spymaster_assets.partitions import SessionKey
from spymaster_assets.plan import Catalogue
from spymaster_assets.recipe import Session
from spymaster_assets.resources import LakeResource
from spymaster_tests.assets.toys import D4, D5, D6, D7, Harness, Toys

SUMMARY = dg.AssetKey(["gold", "outcome_model"])
TABLES = frozenset({FutureDefinition.full_name, OutcomeModel.full_name})


@lake_assets(OutcomeModel, history=History(FutureDefinition, -10, 0))
def toy_summary(session: Session, history: Sequence[Partition]):
    session.notes["dates"] = [one.dt for one in history]
    return OutcomeModel.empty()


def harness(toys: Toys, resource: LakeResource, instance: dg.DagsterInstance) -> Harness:
    return Harness(toys, resource, instance, toy_summary)


def dates_read(lake: Lake, dt: date) -> list[str]:
    return lake.partition(OutcomeModel, "ES", dt).manifest.notes["dates"]


def test_of_a_range_the_last_date_is_made(
    toys: Toys, resource: LakeResource, instance: dg.DagsterInstance, week: None, lake: Lake
):
    site = harness(toys, resource, instance)
    result = site.run(D4, D7)
    assert result.success
    assert site.materialized(SUMMARY) == ["2024-03-07|ES"]
    assert dates_read(lake, D7) == [f"{dt}" for dt in (D4, D5, D7)]
    told = {
        event.partition: event.asset_observation_data.asset_observation.metadata[SKIPPED].value
        for event in result.all_events
        if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        and event.asset_observation_data.asset_observation.asset_key == SUMMARY
    }
    assert told == {f"{dt}|ES": NOT_LAST for dt in (D4, D5, D6)}


def test_the_last_date_is_the_last_one_with_a_raw_file(
    toys: Toys, resource: LakeResource, instance: dg.DagsterInstance, week: None
):
    site = harness(toys, resource, instance)
    assert site.run(D4, D6).success
    assert site.materialized(SUMMARY) == ["2024-03-05|ES"]


def test_any_date_is_made_where_it_is_asked_alone(
    toys: Toys, resource: LakeResource, instance: dg.DagsterInstance, week: None, lake: Lake
):
    site = harness(toys, resource, instance)
    assert site.run(D4).success
    assert site.run(D5).success
    assert site.materialized(SUMMARY) == ["2024-03-04|ES", "2024-03-05|ES"]
    assert dates_read(lake, D5) == [f"{D4}", f"{D5}"]


def test_a_request_that_was_done_has_nothing_to_do(
    toys: Toys, resource: LakeResource, instance: dg.DagsterInstance, week: None, lake: Lake
):
    """Of earlier dates the table is not missed; of the last one it is."""
    site = harness(toys, resource, instance)
    assert site.run(D4, D5).success
    catalogue = Catalogue([*toys.assets(), toy_summary])
    assert catalogue.last_only() == {OutcomeModel.full_name}
    keys = [SessionKey(dt, "ES") for dt in (D4, D5)]
    known = {table: frozenset(instance.get_materialized_partitions(dg.AssetKey(table.split(".")))) for table in TABLES}
    assert catalogue.first_stale(lake, keys, TABLES, known) is None
    assert catalogue.first_stale(lake, keys[:1], TABLES, known) == 0
    (stage,) = [one for one in catalogue.stages(TABLES) if OutcomeModel.full_name in one.tables]
    assert stage.sequential
