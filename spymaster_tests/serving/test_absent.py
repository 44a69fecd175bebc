"""A lake that lacks any one of its tables: the sidecar serves what remains, and says what is missing and why."""

from __future__ import annotations

import shutil

import pytest
from starlette.testclient import TestClient

from spymaster.lake import Lake
from spymaster.serving.app import create_app
from spymaster.serving.opening import CALIBRATION
from spymaster.serving.surfaces import LATER_TABLES, PANEL_COLUMNS, SNAPSHOT, SURFACES
from spymaster.tables import all_tables
from spymaster_tests.checks.sessions import copy_lake
from spymaster_tests.serving.conftest import BASE, HEADERS, settings_for
from spymaster_tests.serving.lakes import DT, SYMBOL
from spymaster_tests.serving.test_http import get


@pytest.mark.parametrize("gone", sorted(set(all_tables()) - {SNAPSHOT}))
def test_without_any_single_table_the_rest_is_served_and_the_manifest_names_it(
    served: Lake, client: TestClient, tmp_path, gone: str
) -> None:
    """A table that the shared lake never had is asked of it; any other is taken out of a copy."""
    if not served.has(gone, SYMBOL, DT):
        require_the_rest(client, served, gone)
        return
    lake = copy_lake(served, tmp_path / "lake")
    shutil.rmtree(lake.partition(gone, SYMBOL, DT).path.parent)
    with TestClient(create_app(settings_for(lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        require_the_rest(one, lake, gone)


def require_the_rest(one: TestClient, lake: Lake, gone: str) -> None:
    manifest = one.get(BASE).json()
    (told,) = (t for t in manifest["tables"] if f"{t['layer']}.{t['name']}" == gone)
    assert (told["status"], told["reason"]) == ("unavailable", "not materialised")
    status = {part["name"]: part for part in (*manifest["surfaces"], *manifest["panels"])}
    for surface in SURFACES:
        lacks = gone in surface.needs
        assert status[surface.name]["status"] == ("unavailable" if lacks else "ok"), surface.name
        assert not lacks or status[surface.name]["reason"].endswith("not materialised")
        if surface.tiles:
            assert get(one, f"/tiles/{surface.name}", **{"from": 0, "to": 20}).status_code == 200, surface.name
    for panel, table in LATER_TABLES.items():
        if table == gone:
            assert status[panel]["status"] == "unavailable"
        elif panel in PANEL_COLUMNS and lake.has(table, SYMBOL, DT):
            assert status[panel]["status"] == "ok"
    assert (manifest["calibration"]["status"] == "defaults") == (gone == CALIBRATION)
    for path in ("/reading?sec=900", "/inspect?sec=900&tick=27200", "/overview?as_of=900"):
        assert one.get(f"{BASE}{path}").status_code == 200


def test_without_the_snapshot_there_is_no_session(own_lake: Lake) -> None:
    shutil.rmtree(own_lake.partition(SNAPSHOT, SYMBOL, DT).path.parent)
    with TestClient(create_app(settings_for(own_lake)), base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        assert one.get(BASE).status_code == 404
