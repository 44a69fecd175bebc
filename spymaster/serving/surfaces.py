"""The registry of what is drawn: wire surfaces, their columns, and the tables they come from.

Only drawn surfaces need an entry. Every table with a model appears in the manifest and in the download endpoint by
itself. A surface whose table is not there is `unavailable`, one whose table lacks a required column is `broken`;
neither is an error. A table that no model declares yet counts as not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import pyarrow as pa

from spymaster.serving.lod import Pool
from spymaster.serving.transfer import SignedLog, SignedUnit, Transfer, Unit
from spymaster.tables import TableModel, all_tables
from spymaster.tables.physics_bands_1s import BAND_METRICS
from spymaster.tables.radar_vacuum_1s import BASE_COLUMNS, DERIVATIVES
from spymaster.tables.types import BANDS

ColumnType = Literal["i32", "u8", "f32", "utf8", "cells_u8", "i32_list", "f32_list"]
TransferName = Literal["depth", "flow", "unit", "signed_unit"]

SNAPSHOT = "silver.book_snapshot_1s"
CALIBRATION = "gold.physics_norm_calibration"
"""The only table that a market session must have."""

STATES = ("MISSING", "NO_SNAPSHOT", "IN_SNAPSHOT", "VALID")
FLAGS: dict[str, int] = {
    "GAP": 1,
    "MAYBE_BAD_BOOK": 2,
    "CROSSED": 4,
    "STALE_SPOT": 8,
    "HALT_OR_PREOPEN": 16,
    "CLIPPED": 32,
    "PARTIAL": 64,
    "WINDOW_INVALID": 128,
}

DEFAULT_SCALE = SignedLog(10.0, 20_000.0)
"""Scale of depth and flow without a calibration, lots."""


@dataclass(frozen=True)
class Geometry:
    """Sizes that vary with the session: every list column has one of these lengths."""

    half_ticks: int = 200
    ladder_ticks: int = 40
    gex_strikes: int = 25

    @property
    def width(self) -> int:
        """Cells of a row: spot in the middle."""
        return 2 * self.half_ticks + 1

    @property
    def rungs(self) -> int:
        """Prices of the ladder."""
        return 2 * self.ladder_ticks + 1


@dataclass(frozen=True)
class WireColumn:
    """One column after `sec`. `size` names the length of a list: a number, or a field of `Geometry`."""

    name: str
    type: ColumnType
    unit: str = ""
    size: int | str | None = None
    transfer: TransferName | None = None
    pool: Pool | None = None
    members: tuple[str, ...] = ()
    """What the entries of a list are, where they are not prices."""

    def length(self, geometry: Geometry) -> int | None:
        """Entries of a list column; None for a plain one."""
        return getattr(geometry, self.size) if isinstance(self.size, str) else self.size

    def arrow_type(self, geometry: Geometry) -> pa.DataType:
        """Type on the wire."""
        plain = _ARROW.get(self.type)
        if plain is not None:
            return plain
        item = {"cells_u8": pa.uint8(), "i32_list": pa.int32(), "f32_list": pa.float32()}[self.type]
        return pa.list_(pa.field("item", item, nullable=False), self.length(geometry))


@dataclass(frozen=True)
class WireSurface:
    """One surface: id and name on the wire, columns, and the columns of tables it needs."""

    id: int
    name: str
    description: str
    columns: tuple[WireColumn, ...]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tiles: bool = True
    default: bool = True
    absent: Literal["zero", "missing"] = "missing"
    schema_rev: int = 1

    def schema(self, geometry: Geometry) -> pa.Schema:
        """The Arrow schema: `sec` first, nothing nullable, no metadata."""
        fields = [pa.field("sec", pa.int32(), nullable=False)]
        fields += [pa.field(c.name, c.arrow_type(geometry), nullable=False) for c in self.columns]
        return pa.schema(fields)

    def column(self, name: str) -> WireColumn:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)


_ARROW: dict[str, pa.DataType] = {"i32": pa.int32(), "u8": pa.uint8(), "f32": pa.float32(), "utf8": pa.utf8()}

SNAP_COLUMNS: dict[str, str] = {
    "spot_tick": "spot_ref_price_int",
    "bid_tick": "best_bid_price_int",
    "ask_tick": "best_ask_price_int",
    "last_tick": "last_trade_price_int",
    "open_tick": "trade_open_price_int",
    "high_tick": "trade_high_price_int",
    "low_tick": "trade_low_price_int",
    "bid_qty": "best_bid_qty",
    "ask_qty": "best_ask_qty",
    "buy_vol": "buy_volume",
    "sell_vol": "sell_volume",
}
"""Numbers of `snap` and the column of the snapshot that each is read from; `_tick` ones are prices."""
OPTIONAL_SNAPSHOT = ("trade_open_price_int", "trade_high_price_int", "trade_low_price_int")
SNAP_ORDER = (
    "spot_tick", "bid_tick", "ask_tick", "last_tick", "bid_qty", "ask_qty", "open_tick", "high_tick", "low_tick",
    "buy_vol", "sell_vol",
)  # fmt: skip
_SNAPSHOT_NEEDS = (
    "window_start", "window_end", "contract", "best_bid_price_int", "best_bid_qty", "best_ask_price_int",
    "best_ask_qty", "last_trade_price_int", "spot_ref_price_int", "buy_volume", "sell_volume", "crossed", "book_state",
    "phase", "book_valid", "window_valid", "maybe_bad_book", "sequence_gap", "is_partial", "spot_age_s",
)  # fmt: skip

BAND_CELLS: tuple[str, ...] = tuple(
    f"{direction}_{band.lower()}_{metric}"
    for direction in ("above", "below")
    for band in BANDS
    for metric in BAND_METRICS
)
SCORES = ("above_score", "below_score", "vacuum_total_score")
SCORES_D1 = tuple(f"d1_{name}" for name in SCORES)
MOVE_Z = ("z_r_ask_w5", "z_n_ask_w5", "z_r_bid_w5", "z_n_bid_w5", "z_f_ask_w5", "z_f_bid_w5")
MOVE_D1 = tuple(f"d1_{name}" for name in MOVE_Z)
_MOVE_WORDS = ("ask retreat", "ask net pull", "bid retreat", "bid net pull", "ask consumption", "bid consumption")
GEX_COLUMNS = {"call": "gex_call", "put": "gex_put", "net": "gex", "share": "gex_share", "flow": "flow_gex"}
RADAR_FEATURES = (*BASE_COLUMNS, *(f"{order}_{name}" for order in DERIVATIVES for name in BASE_COLUMNS))
LADDER = ("bid", "ask", "add", "pull", "fill")

_WALL = (
    "window_end", "price_int", "side", "rel_ticks", "depth_qty_end", "depth_qty_rest", "add_qty", "pull_qty_total",
    "fill_qty",
)  # fmt: skip
_GEX_UNIT = "dollars per 1 % move"


def _cells(name: str, transfer: TransferName, unit: str, pool: Pool) -> WireColumn:
    return WireColumn(name, "cells_u8", unit, size="width", transfer=transfer, pool=pool)


SURFACES: tuple[WireSurface, ...] = (
    WireSurface(
        1, "snap", "spot, best bid and offer, trades of the second, state and flags",
        (
            *(
                WireColumn(name, "i32", "ticks" if name.endswith("_tick") else "contracts")
                for name in SNAP_ORDER
            ),
            WireColumn("state", "u8"),
            WireColumn("flags", "u8"),
        ),
        {SNAPSHOT: _SNAPSHOT_NEEDS},
    ),
    WireSurface(
        2, "wall", "resting depth (asks +, bids -), its net flow, and the share of it that has rested 500 ms",
        (
            _cells("depth", "depth", "contracts", "max"),
            _cells("net_flow", "flow", "contracts/s", "mean"),
            _cells("rest_share", "unit", "share", "last"),
        ),
        {"silver.wall_surface_1s": _WALL},
        absent="zero",
    ),
    WireSurface(
        3, "vacuum", "0.5 idle, towards 1 liquidity leaving, towards 0 building",
        (_cells("score", "unit", "score", "mean"),),
        {"silver.vacuum_surface_1s": ("window_end", "rel_ticks", "side", "vacuum_score")},
    ),
    WireSurface(
        4, "pressure", "who outpaces whom at a price: +1 all long, -1 all short",
        (_cells("net", "signed_unit", "balance", "mean"),),
        {"silver.pressure_surface_1s": (
            "window_end", "bucket_price_int", "long_pressure", "short_pressure", "net_pressure", "rest_ratio_ask",
            "rest_ratio_bid",
        )},
    ),
    WireSurface(
        5, "bands", "strength, erosion, vacuum and ease of the four bands on either side of spot",
        (
            WireColumn("cells", "f32_list", "0..1", size=len(BAND_CELLS), members=BAND_CELLS),
            WireColumn("scores", "f32_list", "0..1", size=3, members=SCORES),
            WireColumn("scores_d1", "f32_list", "1/s", size=3, members=SCORES_D1),
        ),
        {"silver.physics_bands_1s": ("window_end", *BAND_CELLS, *SCORES, *SCORES_D1)},
    ),
    WireSurface(
        6, "moves", "the four conditions that precede a move, their consumption, and the state they make",
        (
            WireColumn("z", "f32_list", "robust standard deviations", size=6, members=_MOVE_WORDS),
            WireColumn("d1", "f32_list", "1/s", size=6, members=_MOVE_WORDS),
            WireColumn("soft_and", "f32", "robust standard deviations"),
            WireColumn("drive_dn", "f32", "robust standard deviations"),
            WireColumn("state_dn", "u8"),
            WireColumn("state_up", "u8"),
            WireColumn("valid", "u8"),
        ),
        {"silver.move_conditions_1s": (
            "window_end", *MOVE_Z, *MOVE_D1, "soft_and_w5", "drive_dn_w5", "state_dn_w5", "state_up_w5", "valid",
            "scale_provisional",
        )},
    ),
    WireSurface(
        7, "gex", "gamma exposure by strike: calls plus, puts minus; null what was not priced",
        (
            WireColumn("strike_tick", "i32_list", "ticks", size="gex_strikes"),
            *(
                WireColumn(name, "f32_list", "share" if name == "share" else _GEX_UNIT, size="gex_strikes")
                for name in GEX_COLUMNS
            ),
        ),
        {"silver.gex_surface_1s": ("window_end", "strike_price_int", *GEX_COLUMNS.values())},
    ),
    WireSurface(
        8, "ladder", "exact contracts near spot",
        tuple(WireColumn(name, "i32_list", "contracts", size="rungs") for name in LADDER),
        {"silver.wall_surface_1s": _WALL},
        tiles=False,
        absent="zero",
    ),
    WireSurface(
        9, "reading", "what the tables say in words, and the facts behind it",
        tuple(WireColumn(name, "utf8") for name in ("above", "below", "moves", "facts")),
        {"silver.wall_surface_1s": _WALL},
        tiles=False,
    ),
    WireSurface(
        10, "radar", "dimensionless features of the book near spot and their differences",
        (WireColumn("features", "f32_list", size=len(RADAR_FEATURES), members=RADAR_FEATURES),),
        {"silver.radar_vacuum_1s": ("window_end", *RADAR_FEATURES)},
        default=False,
    ),
)  # fmt: skip

BY_NAME = {surface.name: surface for surface in SURFACES}
BY_ID = {surface.id: surface for surface in SURFACES}

LATER_TABLES: dict[str, str] = {
    "candles": "silver.candle_2m",
    "levels": "silver.session_level",
    "episodes": "gold.setup_episode",
    "analogues": "gold.retrieval_index",
    "evidence": "gold.algo_test",
}
"""Panels and the table that each needs."""
PANEL_COLUMNS: dict[str, tuple[str, ...]] = {
    "candles": ("bar_start", "window_end", *(f"{name}_price_int" for name in ("open", "high", "low", "close"))),
    "analogues": ("family", "kind", "horizon_s", "vector_dt", "panel_row", "episode_id", "scaler_sha256"),
    "episodes": (
        "is_placebo", "ts_decision", "ts_approach", "ts_trigger_bar", "level_price_int", "episode_id", "kind",
        "direction", "level_id", "group_id", "level_types", "touch_index", "gap_through", "trigger_kind",
        "confirm_kind", "approach_speed", "sigma_60", "msg_rate_rel", "valid", "invalid_reason",
    ),
    "evidence": (
        "test_row_id", "test_id", "sub_id", "stratum_json", "available_from", "n_ref", "effect", "effect_unit",
        "effect_lo", "effect_hi", "peak_value", "peak_unit", "null_method", "null_param_json", "p_raw",
        "p_floor", "q_bh", "family_size", "is_negative_control", "blocked_by_control", "verdict",
    ),
    "levels": (
        "is_placebo", "valid_from", "valid_to", "level_id", "level_type", "price_int", "is_moving", "group_id", "tags",
    ),
}  # fmt: skip
"""Columns that a panel reads. A panel without an entry has no answer yet, even where its table is there."""


OUTCOMES = "gold.setup_outcome"
"""What came of episodes; they are listed without where it is not there."""
OUTCOME_COLUMNS = (
    "episode_id", "ts_label_end", "horizon_s", "k_barrier", "barrier_ticks", "outcome", "t_hit_s", "mfe_ticks",
    "mae_ticks", "end_ticks", "valid", "censored", "horizon_end_reason", "b1_break", "b1_reject", "b1_chop",
)  # fmt: skip


REPLICATION, CURVE, INTENSITY = "gold.algo_replication", "gold.algo_curve", "gold.algo_intensity_1s"
"""What evidence is told with where it is there: dates, bins, and how much of what is sent is owed to it."""


@dataclass(frozen=True)
class Transfers:
    """The transfer functions of one session, by the name that columns declare."""

    depth: SignedLog = DEFAULT_SCALE
    flow: SignedLog = DEFAULT_SCALE

    def of(self, name: TransferName) -> Transfer:
        """The function of a column."""
        match name:
            case "depth":
                return self.depth
            case "flow":
                return self.flow
            case "unit":
                return Unit()
            case "signed_unit":
                return SignedUnit()


@cache
def model_of(table: str) -> type[TableModel] | None:
    """The model of a table by full name, or None while nothing declares it."""
    return all_tables().get(table)


def column_dict(column: WireColumn, geometry: Geometry, transfers: Transfers) -> dict[str, Any]:
    """A column as the manifest declares it."""
    return {
        "name": column.name,
        "type": column.type,
        "unit": column.unit,
        "length": column.length(geometry),
        "transfer": transfers.of(column.transfer).as_dict() if column.transfer else None,
        "pool": column.pool,
        "members": list(column.members) or None,
    }
