"""Truth tables: what the market knew and no feed tells, as Parquet below `{lake}/truth/run_id=*/table=*/dt=*`.

Every table carries `symbol` and `provenance`; `run_id` and `dt` are in the path. `truth_event` lists events of several
records (single records explain themselves) and `truth_order` the orders that are anything but plain background orders.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spymaster.lake import layout as lake_layout
from spymaster.market.dbn import UNDEF_PRICE
from spymaster.simulator.emit import PATTERN_LETTERS
from spymaster.simulator.faults import LoggedFault
from spymaster.simulator.handover import Truth
from spymaster.simulator.layout import EVENT_KINDS, FIRST_SCRIPT, FRONT, QUOTE
from spymaster.simulator.market import MarketDay
from spymaster.simulator.script import KIND_NAMES
from spymaster.simulator.script_truth import episode_columns, scenario_columns

_UTC = pa.timestamp("ns", tz="UTC")
_CLASS_NAMES = ["machine", "fleeting", "brief", "seconds", "minute", "minutes", "hours", "standing", "agent"]
_AGGRESSOR = len(_CLASS_NAMES)


@dataclass(frozen=True)
class TruthWriter:
    """Writes the truth tables of one date of a run."""

    lake_root: Path
    run_id: str
    symbol: str
    dt: date

    def path(self, table: str, part: int = 0) -> Path:
        """File of a table; part 1 has what options add to a table of the future."""
        folder = lake_layout.truth_dir(self.lake_root) / f"run_id={self.run_id}" / f"table={table}" / f"dt={self.dt}"
        return folder / lake_layout.PART_FILE.replace("00000", f"{part:05d}")

    def write(self, table: str, columns: dict[str, Any], part: int = 0) -> Path:
        """Write one table; arrays become columns as they are."""
        path = self.path(table, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = len(next(iter(columns.values())))
        constant = {"symbol": self.symbol, "provenance": "simulated"}
        repeated = {
            name: pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [value]) for name, value in constant.items()
        }
        content = pa.table({**{name: pa.array(column) for name, column in columns.items()}, **repeated})
        temporary = path.with_name(f".{path.name}.partial")
        pq.write_table(
            content.replace_schema_metadata({"provenance": "simulated", "run_id": self.run_id}),
            temporary,
            compression="zstd",
            compression_level=1,
        )
        temporary.replace(path)
        return path

    def write_day(self, day: MarketDay) -> list[Path]:
        """All tables of a date that come from the market itself."""
        truth = day.truth
        ids = np.array([contract.instrument_id for contract in day.contracts], np.uint32)
        return [
            self.write("truth_order", order_columns(truth)),
            self.write("truth_event", event_columns(truth, ids)),
            self.write("truth_book_1s", book_columns(truth, ids)),
            self.write("truth_latent_1s", latent_columns(truth)),
            self.write("truth_bbo", bbo_columns(truth, day)),
            self.write("truth_agent", agent_columns(day, ids)),
            self.write("truth_response", response_columns(truth.responses)),
            self.write("truth_episode", episode_columns(day.script, day.state, _rows(truth.quotes))),
            self.write(
                "truth_scenario", scenario_columns(day.script, day.state, _rows(truth.seconds), _rows(truth.levels))
            ),
        ]


def order_columns(truth: Truth) -> dict[str, Any]:
    """Orders with an agent, hidden quantity, a metaorder behind them, or a stop price."""
    rows = _joined(truth.tags, ("id", "hidden", "meta", "agent", "cls", "stop"))
    cls = np.where((rows["meta"] > 0) | (rows["stop"] > 0), _AGGRESSOR, rows["cls"]).astype(np.int32)
    return {
        "order_id": rows["id"].astype(np.uint64),
        "agent_id": rows["agent"].astype(np.int32),
        "class": pa.DictionaryArray.from_arrays(cls, [*_CLASS_NAMES, "aggressor"]),
        "hidden_total": rows["hidden"],
        "is_stop": rows["stop"] > 0,
        "metaorder_id": rows["meta"],
    }


def event_columns(truth: Truth, ids: NDArray[np.uint32]) -> dict[str, Any]:
    """Events of several records: pattern (first 16 actions), length and what happened in them."""
    rows = _joined(truth.events, ("event_id", "ts", "pattern", "n", "kind", "inst"))
    patterns, at = np.unique(rows["pattern"], return_inverse=True)
    kinds, kind_at = np.unique(rows["kind"], return_inverse=True)
    return {
        "event_id": rows["event_id"],
        "ts_event": _time(rows["ts"]),
        "instrument_id": ids[rows["inst"]],
        "pattern": pa.DictionaryArray.from_arrays(at.astype(np.int32), [pattern_text(int(p)) for p in patterns]),
        "n_records": rows["n"],
        "kind": pa.DictionaryArray.from_arrays(kind_at.astype(np.int32), [kind_text(int(k)) for k in kinds]),
    }


def book_columns(truth: Truth, ids: NDArray[np.uint32]) -> dict[str, Any]:
    """The book at the end of each second: up to 20 levels a side, orders, and the checksum of all of them."""
    rows = _joined(truth.seconds, ("end", "inst", "n_orders", "checksum", "origin", "tick_size"))
    levels = np.concatenate(truth.levels) if truth.levels else np.zeros((0, 2, 3, 20), np.int32)
    columns: dict[str, Any] = {"window_end": _time(rows["end"]), "instrument_id": ids[rows["inst"]]}
    for side, name in enumerate(("bid", "ask")):
        present = levels[:, side, 2] > 0
        offsets = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
        price = rows["origin"][:, None] + levels[:, side, 0].astype(np.int64) * rows["tick_size"][:, None]
        for part, values in (("price_int", price), ("qty", levels[:, side, 1]), ("orders", levels[:, side, 2])):
            columns[f"{name}_{part}"] = pa.ListArray.from_arrays(offsets, values[present])
    return columns | {"n_orders": rows["n_orders"].astype(np.int32), "checksum64": rows["checksum"]}


def latent_columns(truth: Truth) -> dict[str, Any]:
    """What drove the second: intensity, its slow and fast factors, the efficient price, the work of metaorders."""
    names = ("end", "rate", "shape", "excitement", "walk", "meta_net", "meta_left", "messages")
    rows = _joined(truth.latent, names)
    return {
        "window_end": _time(rows["end"]),
        "messages_per_second": rows["rate"],
        "slow_factor": rows["shape"],
        "excitement": rows["excitement"],
        "walk_ticks": rows["walk"],
        "metaorders_net": rows["meta_net"].astype(np.int32),
        "metaorder_qty_net": rows["meta_left"],
        "messages_total": rows["messages"],
    }


def bbo_columns(truth: Truth, day: MarketDay) -> dict[str, Any]:
    """Every change of the first contract's best prices (1e-9): what option quotes are made from."""
    rows = _joined(truth.quotes, ("ts", "bid", "ask"))
    front = day.state["inst"][FRONT]
    origin, tick = int(front["origin"]), int(front["tick_size"])
    empty = (rows["bid"] < 0) | (rows["ask"] >= 1 << 14)
    return {
        "ts_event": _time(rows["ts"]),
        "bid_price_int": np.where(empty, UNDEF_PRICE, origin + rows["bid"] * tick),
        "ask_price_int": np.where(empty, UNDEF_PRICE, origin + rows["ask"] * tick),
    }


def agent_columns(day: MarketDay, ids: NDArray[np.uint32]) -> dict[str, Any]:
    """The agents of the date: what they do, with which parameters, from when to when."""
    first, last = day.trading_hours()
    rows = [(agent.agent_id, agent.kind, agent.parameters, agent.strength) for agent in day.agents]
    if day.script is not None:
        named = {"script": day.script.name}
        rows += [(FIRST_SCRIPT + k, f"script_{kind}", named, 1.0) for k, kind in enumerate(KIND_NAMES)]
    return {
        "agent_id": np.array([row[0] for row in rows], np.int32),
        "kind": pa.array([row[1] for row in rows], pa.string()),
        "params_json": pa.array([json.dumps(row[2]) for row in rows], pa.string()),
        "t_start": _time(np.full(len(rows), first)),
        "t_end": _time(np.full(len(rows), last)),
        "strength": np.array([row[3] for row in rows], np.float64),
        "instrument_id": np.full(len(rows), ids[FRONT], np.uint32),
    }


def response_columns(responses: list[np.ndarray]) -> dict[str, Any]:
    """What agents did in answer to an event: the event, the order that they placed, moved or cancelled, the lag."""
    rows = _joined(responses, ("agent", "event", "id", "ts_trigger", "ts"))
    return {
        "agent_id": rows["agent"].astype(np.int32),
        "trigger_event_id": rows["event"],
        "response_order_id": rows["id"].astype(np.uint64),
        "ts_trigger": _time(rows["ts_trigger"]),
        "ts_response": _time(rows["ts"]),
        "lag_ns": rows["ts"] - rows["ts_trigger"],
    }


def fault_columns(log: list[LoggedFault]) -> dict[str, Any]:
    """What was made wrong with the file: since when, from which of its records on, and how many it is about."""
    log = sorted(log, key=lambda one: one.fault.fault_id)
    return {
        "fault_id": np.array([one.fault.fault_id for one in log], np.int32),
        "kind": pa.array([one.fault.section.kind for one in log], pa.string()),
        "ts": _time(np.array([one.fault.start_ns for one in log], np.int64)),
        "record_index": np.array([one.record_index for one in log], np.int64),
        "records": np.array([one.records for one in log], np.int64),
    }


def pattern_text(pattern: int) -> str:
    """Actions of an event's pattern, such as TFFCC."""
    letters = ""
    while pattern:
        letters = PATTERN_LETTERS[pattern & 15] + letters
        pattern >>= 4
    return letters


def kind_text(kind: int) -> str:
    """Names of an event's kind bits, joined by a bar."""
    return "|".join(name for name, bit in EVENT_KINDS.items() if kind & bit)


def _joined(blocks: list[np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Columns of blocks of rows; no block gives empty columns."""
    if not blocks:
        return {name: np.zeros(0, np.int64) for name in names}
    return {name: np.concatenate([block[name] for block in blocks]) for name in names}


def _rows(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(blocks) if blocks else np.zeros(0, QUOTE)


def _time(ns: np.ndarray) -> pa.Array:
    return pa.array(ns.astype(np.int64)).cast(_UTC)
