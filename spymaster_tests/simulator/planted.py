"""What the truth and the file say of the one agent of a small day."""

from __future__ import annotations

import numpy as np

from spymaster_tests.simulator.days import SmallDay


def orders_of(day: SmallDay) -> np.ndarray:
    """Ids of the orders that the truth gives to the agent, in order of time."""
    tags = day.truth("tags")
    return tags["id"][tags["agent"] == 1]


def records_of(day: SmallDay, action: str) -> np.ndarray:
    """Live records of one action about the agent's orders."""
    live = day.live
    return live[(live["action"] == ord(action)) & np.isin(live["order_id"].astype(np.int64), orders_of(day))]


def lags(day: SmallDay) -> np.ndarray:
    """Lags of all responses in ms."""
    rows = day.truth("responses")
    return (rows["ts"] - rows["ts_trigger"]) / 1e6
