"""What was true of a chain: volatilities and the dealers' inventory at whole minutes, and the figures of the report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spymaster.simulator.acceptance import Target
from spymaster.simulator.options.arrays import FIRMS
from spymaster.simulator.options.day import OptionsDay
from spymaster.simulator.options.interest import OpenInterest
from spymaster.simulator.options.quoting import FIRST_FIRM, LEAST_REACTION_NS, MOST_REACTION_NS
from spymaster.simulator.options.scene import customer_columns, step_columns, trade_columns
from spymaster.simulator.options.surface import LEAST_SECONDS, YEAR_SECONDS
from spymaster.simulator.schedule import SECOND_NS
from spymaster.simulator.script import Script
from spymaster.simulator.truth import TruthWriter, response_columns

_UNITS = 20.0
_NEAR = 0.0025
_AT_THE_MONEY = 12.5
"""Points from the forward within which options count as at the money."""
_LEAST_LIFE = 3_600
"""Seconds to expiry below which a tick is more than any volatility can be told by."""


def write_option_truth(
    writer: TruthWriter,
    day: OptionsDay,
    interest: OpenInterest,
    future_id: int,
    script: Script | None = None,
    base: float = 0.0,
) -> list[Path]:
    """`truth_iv` and `truth_inventory` of a date, its makers as agents that answer to the future `future_id`, and the
    customers that a script planted, whose prices are counted from `base`.

    Inventory stands beside the open interest that the date began with: the position of customers is its negative.
    """
    rows, common, alive = _minute_rows(day)
    outstanding = {"open_interest": np.tile(interest.final, len(day.minutes.end))[alive]}
    agents, planted = _firm_columns(day, future_id), []
    if script is not None and script.options:
        agents = _under(agents, customer_columns(script.options, script.name, base, day.chain))
        planted = [
            writer.write("truth_order", trade_columns(day.planted), part=1),
            writer.write("truth_scenario", step_columns(script.options, script.name, base, day.planted), part=1),
        ]
    return [
        *planted,
        writer.write("truth_iv", common | _volatility_columns(day, rows, alive)),
        writer.write("truth_inventory", common | {"inventory": rows["inventory"].astype(np.int64), **outstanding}),
        writer.write("truth_agent", agents, part=1),
        writer.write("truth_response", response_columns(day.responses), part=1),
    ]


def _under(above: dict[str, Any], below: dict[str, Any]) -> dict[str, Any]:
    return {name: pa.concat_arrays([pa.array(column), pa.array(below[name])]) for name, column in above.items()}


def _firm_columns(day: OptionsDay, future_id: int) -> dict[str, Any]:
    """The firms that quote the chain; their answers are to changes of the best prices of the future."""
    first, last = day.trading_hours()
    parameters = json.dumps({
        "lag_ns": [LEAST_REACTION_NS, MOST_REACTION_NS], "modified_share": 0.7, "trigger": "best price",
    })  # fmt: skip
    return {
        "agent_id": np.arange(FIRST_FIRM, FIRST_FIRM + FIRMS, dtype=np.int32),
        "kind": pa.array(["option_quoter"] * FIRMS, pa.string()),
        "params_json": pa.array([parameters] * FIRMS, pa.string()),
        "t_start": _time(np.full(FIRMS, first)),
        "t_end": _time(np.full(FIRMS, last)),
        "strength": np.ones(FIRMS),
        "instrument_id": np.full(FIRMS, future_id, np.uint32),
    }


def _minute_rows(day: OptionsDay) -> tuple[np.ndarray, dict[str, Any], NDArray[np.bool_]]:
    series, minutes = day.series, day.minutes
    n = len(series)
    ends = np.repeat(np.array(minutes.end, np.int64), n)
    rows = np.concatenate(minutes.rows) if minutes.rows else np.zeros(0, series.dtype)
    tiled = np.tile(np.arange(n), len(minutes.end))
    expiry = day.state["expiries"]["end"][series["expiry"][tiled]]
    # what is listed during the date is quoted from then on
    late = np.array([option.late for option in day.chain.options], bool)[tiled]
    alive = (ends < expiry) & (~late | (ends > day.chain.listing_ns))
    tiled = tiled[alive]
    common = {
        "minute_end": _time(ends[alive]),
        "instrument_id": series["id"][tiled].astype(np.uint32),
        "expiration": _time(expiry[alive]),
        "strike": series["strike"][tiled],
        "right": pa.DictionaryArray.from_arrays((1 - series["call"][tiled]).astype(np.int32), ["C", "P"]),
    }
    return rows[alive], common, alive


def _volatility_columns(day: OptionsDay, rows: np.ndarray, alive: NDArray[np.bool_]) -> dict[str, Any]:
    series, minutes = day.series, day.minutes
    ends = np.repeat(np.array(minutes.end, np.int64), len(series))
    expiry = np.tile(day.state["expiries"]["end"][series["expiry"]], len(minutes.end))
    years = np.maximum((expiry - ends)[alive] / SECOND_NS, LEAST_SECONDS) / YEAR_SECONDS
    return {
        "forward": rows["mark"],
        "t_years": years,
        "iv": rows["root_w"] / np.sqrt(years),
        "price": rows["theo"],
        "gamma": rows["gamma"],
    }


def option_targets(day: OptionsDay, messages: int) -> list[Target]:
    """Row 21 of the report, measured on the quotes that stood at whole minutes."""
    parity, butterfly, volatility = _quote_figures(day)
    return [
        Target(21, "option messages over plan", day.messages / max(messages, 1), 0.97, 1.03),
        Target(21, "put-call parity of middles, ticks, 95 %", parity, 0.0, 1.0),
        Target(21, "cheapest butterfly at bid and ask, points", butterfly, 0.0, 1e6),
        Target(21, "volatility at the money from middles, points off, 95 %", volatility, 0.0, 0.3),
    ]


def _quote_figures(day: OptionsDay) -> tuple[float | None, float | None, float | None]:
    if not day.minutes.end:
        return None, None, None
    series, state = day.series, day.state
    bid, ask = np.array(day.minutes.bid), np.array(day.minutes.ask)
    rows = np.stack(day.minutes.rows)
    alive = np.array(day.minutes.end)[:, None] < state["expiries"]["end"][series["expiry"]] - _LEAST_LIFE * SECOND_NS
    two = (bid > 0) & (ask > 0) & alive
    middle = (bid + ask) / (2 * _UNITS)
    calls, puts = slice(0, None, 2), slice(1, None, 2)  # a chain lists the call, then the put of each strike
    strike, expiry = series["strike"][calls], series["expiry"][calls]
    discount = state["expiries"]["discount"][expiry]
    forward = np.array(day.minutes.forward)[:, None] + state["expiries"]["carry"][expiry]
    near = two[:, calls] & two[:, puts] & (np.abs(strike / forward - 1) < _NEAR)
    if not near.any():
        return None, None, None
    off = np.abs(middle[:, calls] - middle[:, puts] - discount * (forward - strike))
    tick = np.where(np.maximum(middle[:, calls], middle[:, puts]) > 5, 0.25, 0.05)
    parity = float(np.round(np.quantile((off / tick)[near], 0.95), 1))
    butterfly = min(_cheapest(bid, ask, two, part, strike, expiry) for part in (calls, puts))
    return parity, butterfly, _volatility_error(day, middle, two, rows)


def _cheapest(
    bid: NDArray[np.int64], ask: NDArray[np.int64], two: NDArray[np.bool_], part: slice, strike: Any, expiry: Any
) -> float:
    """Least price, in points, at which a butterfly of neighbouring equidistant strikes could be bought."""
    bids, asks, there = bid[:, part], ask[:, part], two[:, part]
    even = (expiry[2:] == expiry[:-2]) & (strike[2:] + strike[:-2] == 2 * strike[1:-1])
    cost = (asks[:, 2:] + asks[:, :-2] - 2 * bids[:, 1:-1]) / _UNITS
    quoted = there[:, 2:] & there[:, :-2] & there[:, 1:-1] & even
    return float(cost[quoted].min()) if quoted.any() else 0.0


def _volatility_error(day: OptionsDay, middle: Any, two: Any, rows: np.ndarray) -> float | None:
    """Volatility from the middles at the money of the first expiry against the true one, in points, 95 % of minutes."""
    series, state = day.series, day.state
    errors = []
    for m, end in enumerate(day.minutes.end):
        years = (int(state["expiries"]["end"][0]) - end) / SECOND_NS / YEAR_SECONDS
        chosen = np.flatnonzero(
            two[m] & (series["expiry"] == 0) & (np.abs(series["strike"] - rows["mark"][m]) < _AT_THE_MONEY)
        )
        if not len(chosen):
            continue
        offs = []
        for i in chosen:
            forward, strike = float(rows["mark"][m, i]), float(series["strike"][i])
            price = float(middle[m, i]) / float(state["expiries"]["discount"][0])
            root = _implied_root(price, forward, strike, call=bool(series["call"][i]))
            offs.append(100 * (root - float(rows["root_w"][m, i])) / math.sqrt(years))
        errors.append(abs(float(np.mean(offs))))
    return float(np.quantile(errors, 0.95)) if errors else None


def _implied_root(price: float, forward: float, strike: float, *, call: bool) -> float:
    """Square root of the total variance that gives a price, by bisection."""
    low, high = 1e-6, 1.0
    for _ in range(32):
        root = 0.5 * (low + high)
        d1 = math.log(forward / strike) / root + 0.5 * root
        value = forward * _below(d1) - strike * _below(d1 - root)
        value = value if call else value - forward + strike
        low, high = (root, high) if value < price else (low, root)
    return 0.5 * (low + high)


def _below(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def _time(ns: np.ndarray) -> pa.Array:
    return pa.array(ns.astype(np.int64)).cast(pa.timestamp("ns", tz="UTC"))
