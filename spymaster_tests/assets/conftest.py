"""What the tests of the Dagster code location share: a small lake, its definitions, and runs over partition ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from spymaster.lake import Lake
from spymaster_assets import checks
from spymaster_assets.resources import LakeResource
from spymaster_tests.assets.toys import D4, D5, D7, Harness, Toys
from spymaster_tests.streams import day_ns, random_stream, write_raw_day

AddRaw = Callable[..., Path]

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake for simulated data."""
    return Lake.open(tmp_path / "lake", create=True, kind="simulated")


@pytest.fixture
def resource(lake: Lake) -> LakeResource:
    """The lake as the definitions get it."""
    return LakeResource(root=str(lake.root))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that lives in memory."""
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def add_raw(lake: Lake) -> AddRaw:
    """Write a small generated MBO file into the lake: `add_raw("ES", date(2024, 3, 6), seed=1)`."""

    def add(symbol: str, dt: date, *, seed: int = 1, messages: int = 1500) -> Path:
        records = random_stream(seed, messages, start_ns=day_ns(dt) + 15 * HOUR_NS)
        return write_raw_day(lake.root, symbol, dt, records)

    return add


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """Toys without the library's checks, which would find their empty tables wanting."""
    monkeypatch.setattr(checks, "checks_of", lambda table: ())
    return Toys()


@pytest.fixture
def harness(toys: Toys, resource: LakeResource, instance: dg.DagsterInstance) -> Harness:
    return Harness(toys, resource, instance)


@pytest.fixture
def week(add_raw: AddRaw) -> None:
    """Raw files for Monday, Tuesday and Thursday."""
    for dt in (D4, D5, D7):
        add_raw("ES", dt, messages=10)
