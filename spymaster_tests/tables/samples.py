"""A small valid frame of every table, for tests that plant a violation in one or need something to store.

`sample(model)` fails with a clear message for a table that has none yet: a new table adds its rows here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import polars as pl

from spymaster.tables import TableModel
from spymaster_tests.tables import episode_samples as of_episodes
from spymaster_tests.tables import evaluation_samples as of_evaluation
from spymaster_tests.tables import evidence_samples as of_evidence
from spymaster_tests.tables import intensity_samples as of_intensity
from spymaster_tests.tables import model_samples as of_models
from spymaster_tests.tables import option_samples as of_options
from spymaster_tests.tables import order_samples as of_orders
from spymaster_tests.tables import retrieval_samples as of_retrieval
from spymaster_tests.tables import setup_samples as of_setups
from spymaster_tests.tables import vector_samples as of_vectors

SECOND = 1_000_000_000
START = 1_704_207_600 * SECOND
"""2024-01-02 15:00:00 UTC."""
TICK = 250_000_000
SPOT = 4800 * 4 * TICK
ROWS = 4

Row = dict[str, Any]


def sample(model: type[TableModel]) -> pl.DataFrame:
    """Four valid rows of `model` types and order as declared."""
    builder = _BUILDERS.get(model.full_name)
    assert builder is not None, f"{model.full_name} has no sample rows: add them to {__name__}"
    return frame_of(model, [builder(index) for index in range(ROWS)])


def frame_of(model: type[TableModel], rows: list[Row]) -> pl.DataFrame:
    """Rows as a frame of the table; timestamps are given in ns."""
    schema = model.schema()
    columns = {}
    for name, dtype in schema.items():
        values = [row[name] for row in rows]
        first = pl.Int64 if isinstance(dtype, pl.Datetime) else dtype
        columns[name] = pl.Series(name, values, dtype=first).cast(dtype)
    return pl.DataFrame(columns)


def _future_definition(index: int) -> Row:
    return {
        "contract": f"ES{'HMUZ'[index]}4" if index else "ESF4",
        "instrument_id": 17077 + index,
        "expiration": None if index == 1 else START + 80 * 86_400 * SECOND,
        "tick_size_int": TICK,
        "multiplier": 50.0,
        "currency": "USD",
        "exchange": "XCME",
        "instrument_class": "F",
        "ts_recv": None if index == 1 else START,
        "origin": "fallback" if index == 1 else "definition",
    }


def _future_mbo(index: int) -> Row:
    return {
        "contract": "ESH4" if index < 3 else "ESM4",
        "instrument_id": 17077,
        "publisher_id": 1,
        "ts_event": START + index,
        "ts_recv": START + index + 90_000,
        "order_id": 6_413_000_000_000 + index,
        "price_int": None if index == 2 else SPOT,
        "size": 3,
        "flags": 0x82,
        "channel_id": 0,
        "action": "ACRT"[index],
        "side": "BANB"[index],
        "ts_in_delta": 14_000,
        "sequence": 1000 + index,
    }


def _contract_day_selection(index: int) -> Row:
    return {
        "contract": f"ES{'HMUZ'[index]}4",
        "instrument_id": 17077 + index,
        "expiration": None if index == 1 else START + 80 * 86_400 * SECOND,
        "message_count": 1000 - index,
        "trade_count": 100,
        "trade_volume": 250,
        "trade_count_0930_1230": 40,
        "prev_volume": None if index == 3 else 900 - index,
        "is_selected": index == 0,
        "basis": "prior_session",
        "prev_trading_date": date(2023, 12, 29),
    }


def _book_snapshot(index: int) -> Row:
    traded = index > 0
    bid, ask = SPOT - TICK, SPOT
    return {
        "window_start": START + index * SECOND,
        "window_end": START + (index + 1) * SECOND,
        "contract": "ESH4",
        "best_bid_price_int": bid,
        "best_bid_qty": 22,
        "best_bid_orders": 12,
        "best_ask_price_int": ask,
        "best_ask_qty": 10,
        "best_ask_orders": 4,
        "mid_price": (bid + ask) / 2e9,
        "mid_price_int": (bid + ask) // 2,
        "micro_price": (bid * 10 + ask * 22) / 32 * 1e-9,
        "last_trade_price_int": SPOT if traded else None,
        "spot_ref_price_int": SPOT if traded else bid,
        "spread_ticks": 1,
        "trade_open_price_int": SPOT if traded else None,
        "trade_high_price_int": SPOT if traded else None,
        "trade_low_price_int": SPOT - TICK if traded else None,
        "buy_volume": 3 if traded else 0,
        "sell_volume": 1 if traded else 0,
        "none_volume": 0,
        "trade_count": 2 if traded else 0,
        "message_count": 40,
        "crossed": False,
        "book_state": "live",
        "phase": "continuous",
        "maybe_bad_book": False,
        "sequence_gap": False,
        "is_partial": index == ROWS - 1,
        "spot_age_s": 0.25 if traded else None,
        "book_valid": True,
        "window_valid": True,
    }


def _wall_surface(index: int) -> Row:
    """Two prices in each of two windows, the lower bid, the higher ask."""
    window, ask = divmod(index, 2)
    return {
        "window_end": START + (window + 1) * SECOND,
        "contract": "ESH4",
        "price_int": SPOT + (2 * ask - 1) * TICK,
        "side": "A" if ask else "B",
        "rel_ticks": 2 * ask - 1,
        "spot_ref_price_int": SPOT,
        "depth_qty_start": 10,
        "depth_qty_end": 11,
        "depth_qty_rest": 8,
        "order_count_end": 4,
        "add_qty": 6,
        "pull_qty_total": 3,
        "pull_qty_rest": 2,
        "fill_qty": 2,
        "refill_qty": 1,
        "reprice_away_qty": 1,
        "reprice_toward_qty": 1,
        "d1_depth_qty": 1,
        "d2_depth_qty": -1,
        "d3_depth_qty": 0,
        "window_valid": True,
    }


def _vacuum_surface(index: int) -> Row:
    wall = _wall_surface(index)
    shared = ("window_end", "contract", "price_int", "side", "rel_ticks", "spot_ref_price_int")
    valid = index < 2
    return {
        **{name: wall[name] for name in shared},
        "window_valid": valid,
        "pull_add_log": -0.5,
        "d1_pull_add_log": 0.1,
        "d2_pull_add_log": 0.0,
        "d3_pull_add_log": -0.1,
        "net_withdrawal": -0.3,
        "wall_erosion": -0.1,
        "pull_intensity_rest": 0.2,
        "wall_strength_log": 1.2,
        "fill_share": 0.4,
        "vacuum_score": 0.45 if valid else None,
    }


def _per_second(model: type[TableModel], index: int, values: Callable[[str], Any]) -> Row:
    fixed = {
        "window_end": START + (index + 1) * SECOND,
        "contract": "ESH4",
        "spot_ref_price_int": SPOT,
        "window_valid": True,
        "approach_dir": "up",
    }
    return {name: fixed[name] if name in fixed else values(name) for name in model.columns}


def _radar_vacuum(index: int) -> Row:
    from spymaster.tables.radar_vacuum_1s import RadarVacuum1s

    row = _per_second(RadarVacuum1s, index, lambda name: 0.25)
    if index == 0:  # no spot yet, so no features
        row |= {name: None for name in row if name[:3] in ("ask", "bid", "d1_", "d2_", "d3_")}
        row["spot_ref_price_int"] = None
    return row


def _physics_bands(index: int) -> Row:
    from spymaster.tables.physics_bands_1s import PhysicsBands1s

    return _per_second(PhysicsBands1s, index, lambda name: None if index == 0 else 0.5) | {"window_valid": index > 0}


def _trade(index: int) -> Row:
    return {
        "ts_event": START + index,
        "ts_recv": START + index + 90_000,
        "contract": "ESH4",
        "event_id": 10 + index,
        "price_int": SPOT,
        "vwap_price_int": SPOT,
        "qty": 4,
        "aggressor": "BAN"[index % 3],
        "levels_consumed": 1,
        "l1_qty_before": None if index % 3 == 2 else 22,
        "n_fills": 2,
        "is_implied": index % 3 == 2,
    }


def _bbo_change(index: int) -> Row:
    return {
        "ts_event": START + index,
        "ts_recv": START + index + 90_000,
        "contract": "ESH4",
        "event_id": 10 + index,
        "bid_price_int": SPOT - TICK,
        "bid_qty": 22,
        "bid_orders": 12,
        "ask_price_int": None if index == 3 else SPOT,
        "ask_qty": None if index == 3 else 10 + index,
        "ask_orders": None if index == 3 else 4,
        "crossed": False,
        "book_valid": True,
    }


def _pressure_surface(index: int) -> Row:
    valid, has_options = index < 2, index < 3
    return {
        "window_end": START + SECOND,
        "contract": "ESH4",
        "bucket_price_int": SPOT + index * 4 * TICK,
        "rel_buckets": index,
        "spot_ref_price_int": SPOT,
        "window_valid": valid,
        "has_options": has_options,
        "book_long": 120.5,
        "book_short": 80.25,
        "trade_long": 12.0,
        "trade_short": 0.0,
        "option_long": 3.5 if has_options else None,
        "option_short": 4.5 if has_options else None,
        "rest_long": 0.0,
        "rest_short": 310.0,
        "rest_ratio_ask": 1.1 if valid else None,
        "rest_ratio_bid": 0.0 if valid else None,
        "long_pressure": 0.9 if valid else None,
        "short_pressure": 0.8 if valid else None,
        "net_pressure": 0.06 if valid else None,
        "d1_net_pressure": 0.01 if valid else None,
        "d2_net_pressure": None,
    }


def _physics_norm_calibration(index: int) -> Row:
    return {
        "metric_name": "net_withdrawal",
        "band": (None, "AT", "NEAR", "MID")[index],
        "kind": "signed",
        "q05": -1.0,
        "q50": 0.0,
        "q95": 1.5,
        "mean": 0.05,
        "scale": 1.75,
        "n_rows": 120_000,
        "n_sessions": 20,
        "basis": "prior_sessions",
        "session_window": "2023-12-01/2023-12-29",
        "asof_dt": date(2023, 12, 29),
    }


_BUILDERS: dict[str, Callable[[int], Row]] = {
    "bronze.future_definition": _future_definition,
    "bronze.future_mbo": _future_mbo,
    "bronze.future_statistics": of_options.statistics,
    "bronze.option_definition": of_options.option_definition,
    "bronze.option_statistics": of_options.statistics,
    "bronze.option_mbo": of_options.option_mbo,
    "bronze.contract_day_selection": _contract_day_selection,
    "silver.order_event": of_orders.order_event,
    "silver.order_life": of_orders.order_life,
    "silver.book_snapshot_1s": _book_snapshot,
    "silver.wall_surface_1s": _wall_surface,
    "silver.vacuum_surface_1s": _vacuum_surface,
    "silver.radar_vacuum_1s": _radar_vacuum,
    "silver.physics_bands_1s": _physics_bands,
    "silver.pressure_surface_1s": _pressure_surface,
    "silver.trade": _trade,
    "silver.bbo_change": _bbo_change,
    "silver.option_quote_1s": of_options.option_quote,
    "silver.option_forward_1s": of_options.option_forward,
    "silver.gex_surface_1s": of_options.gex_surface,
    "silver.gex_level_1m": of_options.gex_level,
    "silver.candle_2m": of_setups.candle,
    "silver.session_level": of_setups.level,
    "silver.move_measure_1s": of_setups.move_measure,
    "silver.move_conditions_1s": of_setups.move_conditions,
    "gold.algo_law": of_evidence.law,
    "gold.algo_run": of_evidence.run,
    "gold.algo_test": of_evidence.test,
    "gold.algo_curve": of_evidence.curve,
    "gold.algo_exemplar": of_evidence.exemplar,
    "gold.algo_replication": of_evidence.replication,
    "gold.algo_intensity_1s": of_intensity.intensity,
    "gold.algo_contrast": of_intensity.contrast,
    "gold.evidence_report": of_intensity.report,
    "gold.move_condition_scale": of_setups.move_scale,
    "gold.evaluation_report": of_evaluation.report,
    "gold.retrieval_index": of_retrieval.index,
    "gold.retrieval_result": of_retrieval.result,
    "gold.retrieval_neighbor": of_retrieval.neighbor,
    "gold.outcome_model": of_models.outcome_model,
    "gold.setup_vector": of_vectors.setup_vector,
    "gold.trials_ledger": of_evaluation.ledger,
    "gold.vector_scaler": of_vectors.vector_scaler,
    "gold.setup_episode": of_episodes.episode,
    "gold.setup_outcome": of_episodes.outcome,
    "gold.physics_norm_calibration": _physics_norm_calibration,
}
