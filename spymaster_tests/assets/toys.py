"""Three toy assets and a way to run them.

The toys make tiny frames of real tables, so that the lake's contracts, manifests and staleness are the real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest

from spymaster.errors import SpymasterError
from spymaster.lake import Lake, Partition, RawFile
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.physics_norm_calibration import PhysicsNormCalibration
from spymaster.tables.trade import Trade
from spymaster_assets.assets.raw import raw_files
from spymaster_assets.factory import lake_assets
from spymaster_assets.inputs import History, Raw, Same
from spymaster_assets.io_manager import LakeIOManager
from spymaster_assets.recipe import Session
from spymaster_assets.resources import LakeResource

D4, D5, D6, D7 = (date(2024, 3, day) for day in (4, 5, 6, 7))
DEFINITION, TRADE, BBO, CALIBRATION = (
    dg.AssetKey(path)
    for path in (
        ["bronze", "future_definition"],
        ["silver", "trade"],
        ["silver", "bbo_change"],
        ["gold", "physics_norm_calibration"],
    )
)


class BadDataError(SpymasterError):
    """What a library function raises about a file."""


@dataclass
class Toys:
    """The toy assets, what they were called with, and what they should do wrong."""

    calls: list[tuple[str, date, frozenset[str]]] = field(default_factory=list)
    histories: dict[date, list[date]] = field(default_factory=dict)
    errors: dict[date, Exception] = field(default_factory=dict)
    exports: int = 0
    first_id: int = 0
    """Added to instrument ids: changes what the definitions hold."""

    def assets(self) -> list[dg.AssetsDefinition]:
        def export(lake: Lake) -> None:
            self.exports += 1

        @lake_assets(FutureDefinition, raw=Raw("market_by_order_dbn"), after=export)
        def toy_definition(session: Session, raw: RawFile):
            self.calls.append(("definition", session.dt, session.tables))
            if session.dt in self.errors:
                raise self.errors.pop(session.dt)
            session.counters["bytes_of_raw"] = raw.path.stat().st_size
            return definition_frame(session.dt.day + self.first_id)

        @lake_assets(Trade, BboChange, definition=Same(FutureDefinition))
        def toy_pass(session: Session, definition: Partition):
            self.calls.append(("pass", session.dt, session.tables))
            yield {name: model.empty() for name, model in (("trade", Trade), ("bbo_change", BboChange))}

        @lake_assets(PhysicsNormCalibration, trades=History(Trade, -3, 0))
        def toy_calibration(session: Session, trades: Sequence[Partition]):
            self.calls.append(("calibration", session.dt, session.tables))
            self.histories[session.dt] = [partition.dt for partition in trades]
            return PhysicsNormCalibration.empty()

        return [toy_definition, toy_pass, toy_calibration]

    def called(self, name: str) -> list[date]:
        return [dt for call, dt, _ in self.calls if call == name]


def definition_frame(instrument_id: int) -> pl.DataFrame:
    row = {
        "contract": "ESH4",
        "instrument_id": instrument_id,
        "expiration": None,
        "tick_size_int": 250_000_000,
        "multiplier": 50.0,
        "currency": "USD",
        "exchange": "XCME",
        "instrument_class": "F",
        "ts_recv": None,
        "origin": "fallback",
    }
    return pl.DataFrame([row], schema=FutureDefinition.schema())


class Harness:
    """Runs of the toy assets in one instance and one lake."""

    def __init__(
        self, toys: Toys, resource: LakeResource, instance: dg.DagsterInstance, *more: dg.AssetsDefinition
    ) -> None:
        self.definitions = dg.Definitions(
            assets=[*toys.assets(), *more, *raw_files],
            resources={"lake": resource, "lake_io": LakeIOManager(lake=resource)},
        )
        self.instance = instance

    def run(
        self, first: date, last: date | None = None, *, tags: dict[str, str] | None = None, **options: Any
    ) -> dg.ExecuteInProcessResult:
        """Materialise ES over a range (one date: as a single partition)."""
        keys = {"partition_key": f"{first}|ES"} if last is None else {}
        ranged = {
            "dagster/asset_partition_range_start": f"{first}|ES",
            "dagster/asset_partition_range_end": f"{last}|ES",
        }
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            tags={**(ranged if last else {}), **(tags or {})},
            raise_on_error=False,
            **keys,
            **options,
        )

    def materialized(self, key: dg.AssetKey) -> list[str]:
        return sorted(self.instance.get_materialized_partitions(key))

    def stale(self, dt: date, *keys: dg.AssetKey) -> list[str]:
        """What Dagster shows about partitions: FRESH, STALE or MISSING."""
        graph = self.definitions.resolve_asset_graph()
        resolver = CachingStaleStatusResolver(self.instance, graph, LoadingContextForTest(self.instance))
        return [resolver.get_status(key, f"{dt}|ES").value for key in keys]

    def latest(self, key: dg.AssetKey, dt: date) -> dg.AssetMaterialization:
        records = self.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[f"{dt}|ES"]), limit=1
        ).records
        materialization = records[0].asset_materialization
        assert materialization is not None
        return materialization


def metadata(materialization: dg.AssetMaterialization) -> dict[str, Any]:
    return {name: value.value for name, value in materialization.metadata.items()}
