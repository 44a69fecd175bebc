"""Hours of replay: no hole, and memory that stays where it was.

Here a minute at full speed. Nightly two hours as a trader runs it: SPYMASTER_SOAK_S=7200 SPYMASTER_SOAK_SPEED=1.
"""

from __future__ import annotations

import os

import pytest

from benchmarks.ws_client import Plan
from benchmarks.ws_load import SURFACES, TOKEN, load, serving
from spymaster.lake import Lake
from spymaster_tests.serving.lakes import DT, SYMBOL

LENGTH_S = float(os.environ.get("SPYMASTER_SOAK_S", "60"))
SPEED = float(os.environ.get("SPYMASTER_SOAK_SPEED", "100"))
CLIENTS = 8


@pytest.mark.slow
def test_replays_over_and_over_leave_no_hole_and_take_no_memory(served: Lake) -> None:
    with serving(served.root) as server:
        what = server.url, TOKEN, SYMBOL, str(DT), SURFACES
        plan = Plan(*what, CLIENTS, SPEED, LENGTH_S, starts=(0, 700, 1900), stalled=1)
        load(server, Plan(**{**vars(plan), "seconds": 20.0}), "both hours are loaded now")
        before = server.rss_mb()
        row = load(server, plan, "soak")
        drift = server.rss_mb() - before
    print(f"{row['windows']} windows in {LENGTH_S:g} s at {SPEED:g}x, memory {drift:+.1f} MB")  # noqa: T201 - with pytest -s
    assert (row["holes"], row["ended"]) == (0, 0)
    if SPEED > 1:
        assert row["windows"] > CLIENTS * LENGTH_S, "faster than the market"
    else:
        assert row["windows"] > 0.98 * CLIENTS * SPEED * LENGTH_S, "as fast as the market"
    assert drift < 50
