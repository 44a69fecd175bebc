"""Hours of replay in minutes: no hole, and memory that stays where it was. Nightly: SPYMASTER_SOAK_S=7200."""

from __future__ import annotations

import os

import pytest

from benchmarks.ws_client import Plan
from benchmarks.ws_load import SURFACES, TOKEN, load, serving
from spymaster.lake import Lake
from spymaster_tests.serving.lakes import DT, SYMBOL

LENGTH_S = float(os.environ.get("SPYMASTER_SOAK_S", "60"))


@pytest.mark.slow
def test_replays_over_and_over_leave_no_hole_and_take_no_memory(served: Lake) -> None:
    with serving(served.root) as server:
        plan = Plan(server.url, TOKEN, SYMBOL, str(DT), SURFACES, 8, 100.0, LENGTH_S, starts=(0, 700, 1900), stalled=1)
        load(server, Plan(**{**vars(plan), "seconds": 20.0}), "both hours are loaded now")
        before = server.rss_mb()
        row = load(server, plan, "soak")
        drift = server.rss_mb() - before
    print(f"{row['windows']} windows in {LENGTH_S:g} s, memory {drift:+.1f} MB")  # noqa: T201 - with pytest -s
    assert (row["holes"], row["ended"]) == (0, 0)
    assert row["windows"] > 8 * LENGTH_S, "faster than the market"
    assert drift < 50
