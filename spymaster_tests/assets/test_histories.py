"""A history that follows another: the same dates, as far as they are there, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from spymaster.lake import Lake, Partition
from spymaster.settings import Settings
from spymaster.tables.trade import Trade
from spymaster.tables.wall_surface_1s import WallSurface1s
from spymaster_assets.definitions import defs
from spymaster_assets.inputs import History, OwnHistory, Resolved, SkipSession, TableInput
from spymaster_assets.partitions import SessionKey, history_mapping
from spymaster_assets.plan import Catalogue
from spymaster_tests.tables.samples import sample

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = (date(2024, 1, day) for day in (8, 9, 10, 11))


def last_two_earlier(partitions: Sequence[Partition], dt: date, settings: Settings) -> list[Partition]:
    return [partition for partition in partitions if partition.dt < dt][-2:]


def resolved(lake: Lake, dt: date, *, withheld: dict[SessionKey, str] | None = None) -> Resolved:
    """Walls of the last two earlier dates, and the trades of those."""
    into = Resolved()
    session = SessionKey(dt, "ES")
    History(WallSurface1s, -30, 0, select=last_two_earlier).resolve(
        "walls", TableInput(lake, WallSurface1s, None), session, into
    )
    History(Trade, -30, 0, dates_of="walls").resolve(
        "trades", TableInput(lake, Trade, None, withheld or {}), session, into
    )
    return into


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Walls of four dates, trades of all but Tuesday and Thursday."""
    lake = Lake.open(tmp_path / "lake", create=True)
    for model, dates in ((WallSurface1s, (MONDAY, TUESDAY, WEDNESDAY, THURSDAY)), (Trade, (MONDAY, WEDNESDAY))):
        for dt in dates:
            with lake.writer(model, "ES", dt) as writer:
                writer.write(sample(model))
                writer.commit(provenance="simulated")
    return lake


def test_it_reads_the_dates_of_the_other_and_notes_the_gaps(lake: Lake):
    found = resolved(lake, THURSDAY)
    assert [partition.dt for partition in found.values["walls"]] == [TUESDAY, WEDNESDAY]
    assert [partition.dt for partition in found.values["trades"]] == [WEDNESDAY]
    assert found.notes["trades_history"] == {"read": 1, "gaps": ["2024-01-09"]}
    assert [one.as_input().name for one in found.inputs] == [
        "silver.wall_surface_1s ES 2024-01-09",
        "silver.wall_surface_1s ES 2024-01-10",
        "silver.trade ES 2024-01-10",
    ]


def test_it_does_not_need_the_date_itself_but_the_other_does(lake: Lake):
    assert resolved(lake, TUESDAY).values["trades"][0].dt == MONDAY
    with pytest.raises(SkipSession, match="wall_surface_1s"):
        resolved(lake, date(2024, 1, 12))


def test_a_partition_that_is_held_back_is_a_gap(lake: Lake):
    held = {SessionKey(WEDNESDAY, "ES"): "a check failed"}
    assert resolved(lake, THURSDAY, withheld=held).values["trades"] == []


def test_where_the_other_reads_nothing_neither_does_it(lake: Lake):
    found = resolved(lake, MONDAY)
    assert found.values == {"walls": [], "trades": []}
    assert found.notes["trades_history"] == {"read": 0, "gaps": []}


def own_history(lake: Lake, dt: date, *, withheld: dict[SessionKey, str] | None = None) -> Resolved:
    into = Resolved()
    source = TableInput(lake, WallSurface1s, None, withheld or {})
    OwnHistory(WallSurface1s, -2).resolve("earlier", source, SessionKey(dt, "ES"), into)
    return into


def test_a_table_reads_its_own_earlier_dates_and_records_them(lake: Lake):
    found = own_history(lake, THURSDAY)
    assert [partition.dt for partition in found.values["earlier"]] == [TUESDAY, WEDNESDAY]
    assert [one.as_input().name for one in found.inputs] == [
        "silver.wall_surface_1s ES 2024-01-09",
        "silver.wall_surface_1s ES 2024-01-10",
    ]
    found = own_history(lake, MONDAY)
    assert found.values["earlier"] == []
    assert found.notes["earlier_history"]["gaps"] == ["2024-01-04", "2024-01-05"]


def test_of_its_own_earlier_dates_it_does_not_read_what_is_held_back(lake: Lake):
    found = own_history(lake, THURSDAY, withheld={SessionKey(WEDNESDAY, "ES"): "a check failed"})
    assert [partition.dt for partition in found.values["earlier"]] == [TUESDAY]
    assert found.notes["earlier_history"]["gaps"] == ["2024-01-10"]


def test_dagster_is_not_told_of_it_and_one_worker_makes_all_dates_in_order():
    """A backfill over an asset that depends on itself would go on to dates that nobody asked for."""
    own = dg.AssetKey(["gold", "algo_intensity_1s"])
    definitions = [one for one in defs.assets or () if isinstance(one, dg.AssetsDefinition)]
    (made,) = (one for one in definitions if own in one.keys)
    assert own not in made.keys_by_input_name.values()
    catalogue = Catalogue(definitions)
    (stage,) = catalogue.stages(frozenset({"gold.algo_intensity_1s"}))
    assert stage.sequential


def test_of_a_long_history_dagster_knows_the_last_dates_and_the_lake_the_rest(lake: Lake):
    short, long = History(WallSurface1s, -30, 0), History(WallSurface1s, -260, 0)
    assert short.partition_mapping() == history_mapping(-30, 0)
    assert long.partition_mapping() == history_mapping(-5, 0)
    session = SessionKey(WEDNESDAY, "ES")
    only = TableInput(lake, WallSurface1s, frozenset({session}))
    read = {}
    for name, one in (("short", short), ("long", long)):
        into = Resolved()
        one.resolve(name, only, session, into)
        read[name] = [partition.dt for partition in into.values[name]]
    assert read == {"short": [WEDNESDAY], "long": [MONDAY, TUESDAY, WEDNESDAY]}
    held = TableInput(lake, WallSurface1s, frozenset({session}), {SessionKey(TUESDAY, "ES"): "a check failed"})
    into = Resolved()
    long.resolve("long", held, session, into)
    assert [partition.dt for partition in into.values["long"]] == [MONDAY, WEDNESDAY]
