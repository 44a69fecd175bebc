"""One lake for all tests of the sidecar, and an application over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from spymaster.lake import Lake
from spymaster.serving.app import create_app
from spymaster.serving.catalog import Catalog
from spymaster.serving.session import Session
from spymaster.serving.store import SessionStore
from spymaster.settings import Settings, get_settings
from spymaster_tests.checks.sessions import copy_lake
from spymaster_tests.serving.lakes import KEY, served_lake

TOKEN = "a-token-for-tests"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
BASE = f"/v1/sessions/{KEY.symbol}/{KEY.dt}"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake; not to be changed."""
    return served_lake(tmp_path_factory.mktemp("served") / "lake")


@pytest.fixture
def own_lake(served: Lake, tmp_path: Path) -> Lake:
    """A copy, to change."""
    return copy_lake(served, tmp_path / "lake")


def settings_for(lake: Lake, **serving: Any) -> Settings:
    """Settings of a sidecar over a lake."""
    return get_settings(lake_root=str(lake.root), serving={"token": TOKEN, **serving})


@pytest.fixture(scope="session")
def store(served: Lake) -> SessionStore:
    """A store over the lake, shared: what is loaded stays."""
    return SessionStore(Catalog(served), settings_for(served))


@pytest.fixture(scope="session")
def market(store: SessionStore) -> Session:
    """The market session that most tests are about."""
    return store.session(KEY)


@pytest.fixture(scope="session")
def app(served: Lake) -> FastAPI:
    """The application."""
    return create_app(settings_for(served))


@pytest.fixture(scope="session")
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client that is signed in, without a network between."""
    with TestClient(app, base_url="http://127.0.0.1:8787", headers=HEADERS) as one:
        app.state.services.guard.may_ask = lambda _: True  # the rate has tests of its own
        yield one
