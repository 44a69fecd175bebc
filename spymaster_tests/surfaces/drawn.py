"""Frames of every table that has a drawing, as long as a test wants them."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from spymaster.surfaces.bands import physics_bands
from spymaster.surfaces.calibration import calibration_frame, session_pool
from spymaster.surfaces.pressure import Buckets, PressurePass
from spymaster.surfaces.pressure_pool import PressurePool
from spymaster.surfaces.radar import RadarBuilder
from spymaster.surfaces.vacuum import vacuum_frames
from spymaster.tables import all_tables
from spymaster.tables.outcome_model import OutcomeModel
from spymaster_tests.evidence.report_days import contrast
from spymaster_tests.surfaces.frames import TICK, make_session, start_of
from spymaster_tests.tables.samples import sample

DT = date(2024, 1, 3)
HOUR_NS = 3_600 * 10**9


def exposures(shots: pl.DataFrame) -> pl.DataFrame:
    """Five strikes around 4800 in every second; of the lowest nothing is known."""
    strikes = pl.DataFrame({"strike_price_int": [(4_790 + 5 * i) * 10**9 for i in range(5)]})
    call, put = pl.col("strike_price_int") / 1e6, -(pl.col("strike_price_int") - 4_785 * 10**9) / 10.0
    known = pl.col("strike_price_int") > 4_790 * 10**9
    rows = shots.select("window_end", "spot_ref_price_int", "window_valid", underlying="contract")
    return rows.join(strikes, how="cross").with_columns(
        gex_call=pl.when(known).then(call), gex_put=pl.when(known).then(put),
        gex=pl.when(known).then(call + put), gex_abs=pl.when(known).then(call - put),
    )  # fmt: skip


def exposure_levels(shots: pl.DataFrame) -> pl.DataFrame:
    """Walls and totals; nothing in the first row, several zero gammas in the others."""
    n = shots.height
    return shots.select(
        "window_end", "spot_ref_price_int", underlying="contract",
        call_wall_price_int=pl.Series([None, *[4_800 * 10**9] * (n - 1)], dtype=pl.Int64),
        put_wall_price_int=pl.Series([None, *[4_780 * 10**9] * (n - 1)], dtype=pl.Int64),
        zero_gamma_price_int=pl.Series([None, *[[4_790 * 10**9, 4_795 * 10**9]] * (n - 1)], dtype=pl.List(pl.Int64)),
        gex_total=pl.Series([None, *[float(i - 50) for i in range(1, n)]], dtype=pl.Float64),
        flow_gex_total=pl.Series([None, *[1e3 * i for i in range(1, n)]], dtype=pl.Float64),
    )  # fmt: skip


def tables(seconds: int) -> dict[str, pl.DataFrame]:
    """A frame of every table that has a drawing, `seconds` long, in the table's own types."""
    rng = np.random.default_rng(3)
    wall, shots = make_session(seconds, dt=DT, invalid=(2, 3), without_mid=(5,))
    buckets = Buckets(TICK, 4)
    pool = session_pool([wall], eps_qty=1.0, pressure=PressurePool(buckets, decay_s=15.0))
    calibration = calibration_frame({date(2024, 1, 2): pool}, DT)
    spot = shots["spot_ref_price_int"]
    snapshot = shots.with_columns(
        best_bid_price_int=spot - TICK,
        best_ask_price_int=spot + TICK,
        trade_high_price_int=spot,
        trade_low_price_int=spot,
        buy_volume=pl.lit(3),
        sell_volume=pl.lit(2),
        none_volume=pl.lit(1),
        phase=pl.lit("continuous"),
        crossed=pl.int_range(pl.len()) % 7 == 0,
    )
    n = seconds * 3
    events = pl.DataFrame(
        {
            "ts_event": start_of(DT) + np.sort(rng.integers(0, seconds * 10**9, n)),
            "contract": ["ESH4"] * n,
            "price_int": spot[0] + rng.integers(-9, 9, n) * TICK,
            "qty": rng.geometric(0.1, n),
            "aggressor": rng.choice(["B", "A", "N"], n).tolist(),
            "levels_consumed": rng.geometric(0.8, n),
            "bid_price_int": spot[0] - rng.integers(1, 3, n) * TICK,
            "ask_price_int": spot[0] + rng.integers(0, 3, n) * TICK,
            "crossed": [False] * n,
            "book_valid": [True] * n,
            "action": rng.choice(list("ACMFT"), n).tolist(),
        }
    ).with_columns(ts_recv=pl.col("ts_event"))
    contracts = pl.DataFrame(
        {
            "contract": ["ESH4", "ESM4", "ESU4"],
            "trade_volume": [9_000, 30, 0],
            "prev_volume": [8_000, None, 2],
            "is_selected": [True, False, False],
            "basis": ["prior_session"] * 3,
        }
    )
    listed = [
        (right, strike, start_of(DT) + (24 * day + 20) * HOUR_NS)
        for day in range(-1, 1 + seconds // 20)
        for strike in range(4_700, 4_800 if seconds > 1 else 4_705, 5)
        for right in ("C", "P")
    ]
    options = pl.DataFrame(
        {
            "instrument_id": range(len(listed)),
            "right": [right for right, _, _ in listed],
            "strike_price_int": [strike * 10**9 for _, strike, _ in listed],
            "expiration": [moment for _, _, moment in listed],
            "is_deleted": [False] * len(listed),
        }
    )
    quoted = pl.DataFrame(
        {
            "window_end": start_of(DT) + np.repeat(np.arange(1, seconds + 1), 3) * 10**9,
            "instrument_id": np.tile([1, 2, 3], seconds),
            "iv": np.tile([0.3, 0.2, 0.25], seconds),
            "delta": np.tile([-0.2, 0.4, -0.6], seconds),
        }
    ).with_columns(pl.col("window_end").cast(pl.Datetime("ns", "UTC")))
    forwards = pl.DataFrame(
        {
            "window_end": start_of(DT) + np.arange(1, seconds + 1) * 10**9,
            "expiration": [start_of(DT) + 20 * HOUR_NS] * seconds,
            "underlying": ["ESH4"] * seconds,
            "forward_source": ["parity" if k % 7 == 0 else "future" for k in range(seconds)],
            "parity_gap_ticks": rng.normal(0, 1, seconds),
            "atm_iv": np.linspace(0.1, 0.2, seconds),
        }
    ).with_columns(pl.col("window_end", "expiration").cast(pl.Datetime("ns", "UTC")))
    candles = pl.DataFrame(
        {
            "bar_start": start_of(DT) + np.arange(seconds) * 120 * 10**9,
            "contract": ["ESH4"] * seconds,
            "open_price_int": spot,
            "high_price_int": spot + 3 * TICK,
            "low_price_int": spot - 2 * TICK,
            "close_price_int": spot + rng.integers(-2, 3, seconds) * TICK,
            "buy_volume": rng.integers(0, 90, seconds),
            "sell_volume": rng.integers(0, 90, seconds),
            "sma200": spot / 1e9,
            "sma400": [None] * seconds,
            "is_halt": np.arange(seconds) % 50 == 3,
            "is_carry": np.arange(seconds) % 11 == 5,
            "n_off_market": [0] * seconds,
        }
    )
    begin = start_of(DT) + np.arange(seconds) * 10**9
    levels = pl.DataFrame(
        {
            "contract": ["ESH4"] * seconds,
            "level_type": rng.choice(["PMH", "VWAP", "SWL", "HVN", "ROUND25"], seconds).tolist(),
            "price_int": spot,
            "valid_from": begin,
            "valid_to": begin + 60 * 10**9,
            "is_placebo": np.arange(seconds) % 3 == 2,
        }
    )
    kinds = np.where(np.arange(seconds) % 2 == 0, "touch", "candle")
    episodes = pl.DataFrame(
        {
            "episode_id": [f"e{k}" for k in range(seconds)],
            "contract": ["ESH4"] * seconds,
            "kind": kinds.tolist(),
            "direction": rng.choice([-1, 1], seconds),
            "is_placebo": np.arange(seconds) % 5 == 4,
            "ts_approach": pl.Series(begin - 9 * 10**9).set(pl.Series(kinds == "candle"), None),
            "ts_decision": begin,
            "ts_trigger_bar": pl.Series(begin - 240 * 10**9).set(pl.Series(kinds == "touch"), None),
            "level_price_int": spot,
            "p0_mid2_int": spot * 2 + TICK,
            "valid": np.arange(seconds) % 9 != 3,
        }
    )
    ends = rng.choice(["break", "reject", "chop"], seconds)
    outcomes = pl.DataFrame(
        {
            "episode_id": [f"e{k}" for k in range(seconds)],
            "horizon_s": [360] * seconds,
            "barrier_ticks": [9] * seconds,
            "ts_label_start": begin,
            "ts_label_end": begin + 360 * 10**9,
            "ts_hit": pl.Series(begin + 40 * 10**9).set(pl.Series(ends == "chop"), None),
            "outcome": ends.tolist(),
            "valid": np.arange(seconds) % 9 != 3,
        }
    )
    conditions = pl.DataFrame(
        {
            "window_end": begin + 10**9,
            "contract": ["ESH4"] * seconds,
            "valid": np.arange(seconds) % 40 != 7,
            "scale_provisional": [True] * seconds,
            "soft_and_w5": rng.normal(size=seconds),
            "drive_dn_w5": rng.normal(size=seconds),
            "state_name_w5": rng.choice(
                ["both_vacuum", "ask_vacuum", "bid_vacuum", "build", "mixed"], seconds
            ).tolist(),
        }
    )
    halves = [(half, f"{letter}_{side}") for half in range(48) for letter in "rnf" for side in ("ask", "bid")]
    scales = pl.DataFrame(halves, schema=["tod_bucket", "measure"], orient="row").with_columns(
        horizon_s=5, n_sessions=3, median=pl.int_range(pl.len()) / 100, mad=pl.lit(0.2)
    )
    messages = events.with_columns(
        kind=pl.Series(rng.choice(["add", "cancel", "reprice", "size_up", "fill_full", "refill", "trade"], n)),
        dist_ticks=pl.when(pl.int_range(pl.len()) % 5 > 0).then(pl.Series(rng.integers(-4, 40, n))),
    )
    lives = events.select(
        "contract",
        ts_add="ts_event",
        ts_end=pl.col("ts_event") + pl.Series(rng.integers(0, 10**10, n)),
        end_reason=pl.Series(rng.choice(["cancel", "fill", "open"], n)),
        known_add=pl.int_range(pl.len()) % 3 > 0,
    )
    families = [family for family in ("s1", "s5", "c120") for _ in range(seconds)]
    points = [rng.normal(size=12 if family == "c120" else 30).tolist() for family in families]
    vectors = pl.DataFrame(
        {
            "family": families,
            "kind": ["candidate"] * len(families),
            "ts_cutoff": np.tile(begin, 3),
            "vector": points,
            "valid": [True] * len(families),
        }
    ).with_columns(vector=pl.when(pl.col("family") != "c120").then("vector"), valid=pl.col("family") != "c120")
    setups = pl.DataFrame(
        {
            "rank": np.arange(1, seconds + 1),
            "ts_query": begin,
            "vector_dt": [DT] * seconds,
            "outcome": rng.choice(["break", "reject", "chop"], seconds).tolist(),
        }
    )
    scaler = pl.DataFrame(
        {
            "family": ["c120", "s1", "s5"],
            "sessions_used": [[], [DT], [DT]],
            "n_rows": [0, 700, 700],
            "mad": [None, rng.random(30).tolist(), [0.0] * 30],
        }
    )
    groups = pl.DataFrame({"side": ["B", "A", "all", "all"], "band": ["all", "all", "all", "AT"]})
    intensity = shots.select("window_end", "contract").join(groups, how="cross")
    intensity = intensity.with_columns(
        n_msgs=pl.Series(rng.integers(0, 50, intensity.height)), n_attr=pl.lit(1.0), expected_share=pl.lit(0.05)
    )
    frames = {
        "bronze.contract_day_selection": contracts,
        "bronze.future_mbo": events.with_columns(
            contract=pl.when(pl.int_range(pl.len()) % 9 == 0).then(pl.lit("ESM4")).otherwise("contract")
        ),
        "bronze.option_definition": options,
        "bronze.option_mbo": events.with_columns(instrument_id=pl.int_range(pl.len()) % min(n, 50)),
        "gold.move_condition_scale": scales,
        "gold.outcome_model": sample(OutcomeModel),
        "gold.physics_norm_calibration": calibration,
        "gold.retrieval_index": setups.with_columns(family=pl.lit("s1"), kind=pl.lit("touch"), horizon_s=120),
        "gold.retrieval_neighbor": setups.with_columns(query_id=pl.lit("q"), distance=pl.col("rank") / 7),
        "gold.retrieval_result": setups.with_columns(
            contract=pl.lit("ESH4"),
            abstain=pl.col("rank") % 3 == 0,
            provisional=pl.lit(True),
            p_break=pl.when(pl.col("rank") % 5 > 0).then(0.25),
            p_reject=pl.when(pl.col("rank") % 5 > 0).then(0.5),
            p_chop=pl.when(pl.col("rank") % 5 > 0).then(0.25),
            p0_break=pl.lit(0.3),
            p0_reject=pl.lit(0.3),
            p0_chop=pl.lit(0.4),
        ),
        "gold.setup_vector": vectors,
        "gold.vector_scaler": scaler,
        "gold.setup_episode": episodes,
        "gold.setup_outcome": outcomes,
        "silver.bbo_change": events,
        "silver.book_snapshot_1s": snapshot,
        "silver.candle_2m": candles,
        "silver.gex_level_1m": exposure_levels(shots),
        "silver.gex_surface_1s": exposures(shots),
        "silver.move_conditions_1s": conditions,
        "silver.option_forward_1s": forwards,
        "silver.option_quote_1s": quoted,
        "gold.algo_contrast": contrast(),
        "gold.algo_intensity_1s": intensity,
        "silver.order_event": messages,
        "silver.order_life": lives,
        "silver.physics_bands_1s": pl.concat(physics_bands([wall], shots, calibration, eps_qty=1.0)),
        "silver.pressure_surface_1s": pl.concat(PressurePass([wall], shots, calibration, buckets=buckets)),
        "silver.radar_vacuum_1s": RadarBuilder(eps_qty=1.0).update(wall, shots),
        "silver.session_level": levels,
        "silver.trade": events,
        "silver.vacuum_surface_1s": pl.concat(vacuum_frames([wall], calibration, eps_qty=1.0)),
        "silver.wall_surface_1s": wall,
    }
    return {
        name: frame.select(
            pl.col(column).cast(dtype) for column, dtype in all_tables()[name].schema().items() if column in frame
        )
        for name, frame in frames.items()
    }
