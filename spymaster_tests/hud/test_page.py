"""Runs the tests of the page (TypeScript) where Node is there, and the page on the real sidecar where a browser is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from spymaster.lake import Lake
from spymaster.serving.catalog import Catalog
from spymaster.serving.store import SessionStore
from spymaster.settings import get_settings
from spymaster_tests.checks.sessions import DT, SYMBOL, write_raw
from spymaster_tests.conftest import REPOSITORY
from spymaster_tests.serving.analogue_lake import analogue_lake
from spymaster_tests.serving.lakes import KEY, RECORDS, served_lake

HUD = REPOSITORY / "hud"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def npx() -> str:
    """The runner of the page's tools; skips where they are not installed."""
    found = shutil.which("npx")
    if found is None:
        absent("Node is not installed: the committed page is used as it is")
    if not (HUD / "node_modules").is_dir():
        absent("the page's tools are not installed (npm ci in hud/)")
    return found


@pytest.fixture(scope="module")
def browser() -> str:
    """A Chromium; skips where there is none."""
    found = os.environ.get("SPYMASTER_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        absent("no Chromium (set SPYMASTER_CHROMIUM to one)")
    return found


def absent(what: str) -> NoReturn:
    """Skip; or fail, where the caller knows that everything is there (`.ci/run` does)."""
    if os.environ.get("SPYMASTER_PAGE_TESTS") == "required":
        pytest.fail(what)
    pytest.skip(what)


def vitest(npx: str, *arguments: str, **environment: str) -> None:
    done = subprocess.run(
        [npx, "vitest", "run", *arguments],
        cwd=HUD,
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_units_and_contract_of_the_page(npx: str) -> None:
    vitest(npx)


@pytest.mark.slow
def test_flows_of_the_page_on_a_double_of_the_sidecar(npx: str, browser: str) -> None:
    vitest(npx, "--config", "vitest.e2e.config.ts", "pixels", "flows", SPYMASTER_CHROMIUM=browser)


@pytest.mark.slow
def test_the_page_on_the_real_sidecar(npx: str, browser: str, tmp_path: Path) -> None:
    with serving(served_lake(tmp_path / "lake").root) as link:
        vitest(npx, "--config", "vitest.e2e.config.ts", "real", SPYMASTER_HUD_URL=link, SPYMASTER_CHROMIUM=browser)


@pytest.mark.slow
def test_analogues_of_the_page_on_the_real_sidecar(npx: str, browser: str, tmp_path: Path) -> None:
    served = served_lake(tmp_path / "served")
    market = SessionStore(Catalog(served), get_settings(lake_root=str(served.root))).session(KEY)
    root = analogue_lake(served, market, tmp_path / "lake").root
    with serving(root) as link:
        vitest(
            npx, "--config", "vitest.e2e.config.ts", "analogues", SPYMASTER_HUD_ANALOGUES_URL=link,
            SPYMASTER_CHROMIUM=browser,
        )  # fmt: skip


@pytest.mark.slow
def test_the_page_on_one_session_without_options(npx: str, browser: str, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    Lake.open(root, create=True, kind="simulated")
    write_raw(root, DT, seed=1, records=RECORDS)
    made = spymaster("run", "--symbol", SYMBOL, "--dates", str(DT), "--lake", str(root), DAGSTER_HOME=str(tmp_path))
    assert made.wait() == 0, made.stdout.read() if made.stdout else ""
    with serving(root) as link:
        vitest(npx, "--config", "vitest.e2e.config.ts", "lone", SPYMASTER_HUD_LONE_URL=link, SPYMASTER_CHROMIUM=browser)


def spymaster(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spymaster.cli.main", *arguments]
    return subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)


@contextmanager
def serving(lake: Path) -> Iterator[str]:
    """A sign-in link to the sidecar of a lake, which ends with the block."""
    options = ("--lake", str(lake), "--port", "0", "--json")
    with spymaster("serve", *options, SPYMASTER_SERVING__TOKEN="a-token-for-tests") as server:
        try:
            yield told_link(server)
        finally:
            server.terminate()


def told_link(server: subprocess.Popen[str]) -> str:
    """The sign-in link that the server prints as one JSON document when it listens."""
    assert server.stdout is not None
    text = ""
    for line in server.stdout:
        text += line
        if line.startswith("}"):
            return json.loads(text)["sign_in"]
    raise AssertionError(f"the sidecar ended before it listened: {text}")
