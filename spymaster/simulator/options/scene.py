"""Customers of a scene: trades that a script plants in single options, and the truth about them.

They take what is quoted, as customers do, and draw from a stream of their own. Each flow is an agent of the truth
tables (number `FIRST_CUSTOMER` and up), and every trade of it an order of that agent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from spymaster.market.calendar import CONTINUOUS
from spymaster.market.instruments import PRICE_SCALE
from spymaster.simulator.errors import SimulatorConfigError
from spymaster.simulator.layout import FIRST_SCRIPT
from spymaster.simulator.options import arrays
from spymaster.simulator.options.chain import Chain
from spymaster.simulator.schedule import SECOND_NS, Segment
from spymaster.simulator.script import OptionFlow, Script

FIRST_CUSTOMER = FIRST_SCRIPT + 100
"""Agent number of a script's first option flow; those of its tasks on the future come before."""
_STREAM = 104
"""Number of the stream that the times of trades are drawn from."""


def planted_trades(
    script: Script | None, base: float, chain: Chain, parts: Sequence[Segment], seed: int, dt: date
) -> np.ndarray:
    """Rows of `arrays.PLANTED` in order of time: `per_second` trades on average, at uniform times while it trades.

    `base` is what the script's prices are counted from, points. Raises SimulatorConfigError for an option that is not
    listed in the first expiry, and for more trades than there is room for.
    """
    flows = script.options if script is not None else ()
    listed = {(one.strike, one.right): i for i, one in enumerate(chain.options) if one.expiry == 0}
    trading = [(part.start_ns + SECOND_NS, part.end_ns - SECOND_NS) for part in parts if part.phase == CONTINUOUS]
    found = []
    for k, flow in enumerate(flows):
        strike = base + flow.strike
        series = listed.get((round(strike), flow.right)) if strike == round(strike) else None
        if series is None:
            strikes = [strike for strike, _ in listed]
            raise SimulatorConfigError(
                f"script {script.name if script else ''} has {flow.step} at strike {strike:g} on {dt}; the chain lists"
                f" {min(strikes)} to {max(strikes)}",
                hint="Choose a preset whose chain reaches that far, or --options off.",
            )
        generator = np.random.Generator(np.random.PCG64([seed, dt.toordinal(), _STREAM, k]))
        count = round(flow.per_second * (flow.end - flow.start) / SECOND_NS)
        ts = np.sort(generator.integers(flow.start, flow.end, count))
        inside = np.zeros(count, bool)
        for low, high in trading:
            inside |= (ts >= low) & (ts < high)
        rows = np.zeros(int(inside.sum()), arrays.PLANTED)
        rows["ts"], rows["series"], rows["flow"] = ts[inside], series, k
        rows["side"] = arrays.BUY if flow.bought else arrays.SELL
        found.append(rows)
    trades = np.concatenate(found) if found else np.zeros(0, arrays.PLANTED)
    if len(trades) > arrays.MAX_PLANTED:
        raise SimulatorConfigError(f"the script of {dt} has {len(trades)} option trades, at most {arrays.MAX_PLANTED}")
    return trades[np.argsort(trades["ts"], kind="stable")]


def customer_columns(flows: Sequence[OptionFlow], name: str, base: float, chain: Chain) -> dict[str, Any]:
    """Rows of `truth_agent`: one per flow."""
    numbers = {(one.strike, one.right): one.instrument_id for one in chain.options if one.expiry == 0}
    parameters = [
        {
            "script": name, "step": one.step, "right": one.right, "strike": base + one.strike,
            "bought": one.bought, "per_second": one.per_second,
        }
        for one in flows
    ]  # fmt: skip
    return {
        "agent_id": np.arange(FIRST_CUSTOMER, FIRST_CUSTOMER + len(flows), dtype=np.int32),
        "kind": pa.array(["script_customers"] * len(flows), pa.string()),
        "params_json": pa.array([json.dumps(one) for one in parameters], pa.string()),
        "t_start": _time([one.start for one in flows]),
        "t_end": _time([one.end for one in flows]),
        "strength": np.ones(len(flows)),
        "instrument_id": np.array([numbers[round(base + one.strike), one.right] for one in flows], np.uint32),
    }


def trade_columns(trades: np.ndarray) -> dict[str, Any]:
    """Rows of `truth_order`: the aggressor of every trade that found something to take."""
    made = trades[trades["qty"] > 0]
    return {
        "order_id": made["id"].astype(np.uint64),
        "agent_id": (FIRST_CUSTOMER + made["flow"]).astype(np.int32),
        "class": pa.DictionaryArray.from_arrays(np.zeros(len(made), np.int32), ["aggressor"]),
        "hidden_total": np.zeros(len(made), np.int64),
        "is_stop": np.zeros(len(made), bool),
        "metaorder_id": np.zeros(len(made), np.int64),
    }


def step_columns(flows: Sequence[OptionFlow], name: str, base: float, trades: np.ndarray) -> dict[str, Any]:
    """Rows of `truth_scenario`: from when on, at which strike, contracts that were traded, trades a second planned."""
    traded = np.bincount(trades["flow"], weights=trades["qty"], minlength=len(flows)).astype(np.int64)
    return {
        "scenario": pa.array([name] * len(flows), pa.string()),
        "step": pa.array([one.step for one in flows], pa.string()),
        "ts": _time([one.start for one in flows]),
        "price_int": np.array([round((base + one.strike) * PRICE_SCALE) for one in flows], np.int64),
        "quantity": traded,
        "value": np.array([one.per_second for one in flows], np.float64),
    }


def _time(ns: Sequence[int]) -> pa.Array:
    return pa.array(list(ns), pa.int64()).cast(pa.timestamp("ns", tz="UTC"))
