"""Every check passes on a good lake and fails on one planted violation. A check that cannot fail is a defect."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from spymaster.checks import all_checks
from spymaster.lake import Lake
from spymaster.lake.layout import MANIFEST_FILE
from spymaster.tables import all_tables
from spymaster_tests.checks.sessions import CONTRACT, DT, EARLIER, SYMBOL, TABLES, Recorded, spoil

Spoiler = Callable[[Lake], None]

CHECKS = {check.key: check for check in all_checks()}
OURS = [check for check in all_checks() if set(check.tables) <= set(TABLES)]
ROW = pl.int_range(pl.len())
MIDDLE = pl.len() // 2
ONE_TICK = 250_000_000

SNAPSHOT = "silver.book_snapshot_1s"
WALL = "silver.wall_surface_1s"
VACUUM = "silver.vacuum_surface_1s"
BANDS = "silver.physics_bands_1s"
RADAR = "silver.radar_vacuum_1s"
TRADE = "silver.trade"
BBO = "silver.bbo_change"
ORDER_EVENT = "silver.order_event"
ORDER_LIFE = "silver.order_life"
CALIBRATION = "gold.physics_norm_calibration"
CANDLE = "silver.candle_2m"
LEVEL = "silver.session_level"
MEASURE = "silver.move_measure_1s"
CONDITIONS = "silver.move_conditions_1s"
MOVE_SCALE = "gold.move_condition_scale"
VECTOR = "gold.setup_vector"
SCALER = "gold.vector_scaler"
MBO = "bronze.future_mbo"
SELECTION = "bronze.contract_day_selection"
DEFINITION = "bronze.future_definition"


def put(table: str, at: pl.Expr, **values: object) -> Spoiler:
    """Set columns of the rows where `at` holds."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        new = [
            pl.when(at).then(value if isinstance(value, pl.Expr) else pl.lit(value)).otherwise(name).alias(name)
            for name, value in values.items()
        ]
        return frame.with_columns(new).cast(frame.schema)

    return lambda lake: spoil(lake, table, change)


def drop(table: str, at: pl.Expr) -> Spoiler:
    """Remove the rows where `at` holds."""
    return lambda lake: spoil(lake, table, lambda frame: frame.filter(~at))


def count(table: str, **counters: int) -> Spoiler:
    """Set counters of the manifest."""
    return lambda lake: spoil(lake, table, counters=counters)


def one_row_group(lake: Lake) -> None:
    """A file whose only row group holds two contracts."""
    partition = lake.partition(MBO, SYMBOL, DT)
    frame = partition.read().with_columns(contract=pl.when(ROW < MIDDLE).then(pl.lit("ESH4")).otherwise(pl.lit("ESM4")))
    partition.path.unlink()
    frame.write_parquet(partition.path)


def lie_about_rows(table: str) -> Spoiler:
    """A copy of the manifest that says something else than the file."""

    def apply(lake: Lake) -> None:
        copy = lake.partition(table, SYMBOL, DT).path.parent / MANIFEST_FILE
        record = json.loads(copy.read_text())
        copy.unlink()
        copy.write_text(json.dumps(record | {"rows": record["rows"] + 1}))

    return apply


def first_float(table: str) -> str:
    return next(name for name, column in all_tables()[table].columns.items() if column.is_float)


def first_required(table: str) -> str:
    return next(name for name, column in all_tables()[table].columns.items() if not column.nullable)


MIDDLE_ROW = ROW == MIDDLE
VALID_MIDDLE = pl.col("window_valid") & (ROW == MIDDLE)
LIVE_MIDDLE = MIDDLE_ROW
SIGNED = ("pull_add_log", "net_withdrawal", "wall_erosion", "d2_pull_add_log")
IDLE = pl.all_horizontal(pl.col(name) == 0 for name in SIGNED) & pl.col("window_valid")
FIRST_IDLE = IDLE & (IDLE.cum_sum() == 1)
FIRST_VALID = pl.col("window_valid") & (pl.col("window_valid").cum_sum() == 1)

VALID_VECTOR = (pl.col("family") == "s1") & pl.col("valid")

SPOILERS: dict[str, Spoiler] = {
    f"{SNAPSHOT}:snapshot_completed": put(SNAPSHOT, ROW >= 0, book_valid=False, window_valid=False),
    f"{SNAPSHOT}:bid_below_ask": put(SNAPSHOT, MIDDLE_ROW, best_bid_price_int=pl.col("best_ask_price_int")),
    f"{SNAPSHOT}:windows_contiguous": drop(SNAPSHOT, MIDDLE_ROW),
    f"{SNAPSHOT}:valid_share": put(SNAPSHOT, ROW < MIDDLE, window_valid=False),
    f"{SNAPSHOT}:fifo_consistency": count(SNAPSHOT, fifo_known_fills=1000, fifo_front_fills=899),
    f"{SNAPSHOT}:known_order_ids": count(SNAPSHOT, unknown_cancel=1),
    f"{WALL}:rel_ticks_bound": put(WALL, MIDDLE_ROW, rel_ticks=pl.col("rel_ticks") + 1),
    f"{WALL}:conservation": put(WALL, MIDDLE_ROW, add_qty=pl.col("add_qty") + 1),
    f"{TRADE}:volume_of_snapshot": put(TRADE, MIDDLE_ROW, qty=pl.col("qty") + 1),
    f"{BBO}:last_state_of_snapshot": put(BBO, pl.len() - 1 == ROW, bid_orders=pl.col("bid_orders") + 1),
    f"{ORDER_EVENT}:prints_of_trades": put(ORDER_EVENT, pl.col("kind") == "trade", event_id=pl.col("event_id") + 1),
    f"{ORDER_EVENT}:flow_of_wall": drop(ORDER_EVENT, MIDDLE_ROW & (pl.col("kind") != "trade")),
    f"{ORDER_LIFE}:messages_of_lives": put(ORDER_LIFE, MIDDLE_ROW, n_reprice=pl.col("n_reprice") + 1),
    f"{VACUUM}:scores_in_unit_interval": put(VACUUM, FIRST_IDLE, vacuum_score=1.5),
    f"{VACUUM}:idle_is_half": put(VACUUM, FIRST_IDLE, vacuum_score=0.500001),
    f"{VACUUM}:rows_of_wall": put(VACUUM, MIDDLE_ROW, price_int=pl.col("price_int") + ONE_TICK),
    f"{VACUUM}:calibration_applied": put(
        VACUUM, ROW >= MIDDLE, vacuum_score=(pl.col("vacuum_score") + 0.01).clip(0, 1)
    ),
    f"{VACUUM}:share_clipped": put(VACUUM, IDLE.not_(), pull_add_log=50.0),
    f"{BANDS}:scores_in_unit_interval": put(BANDS, FIRST_VALID, above_score=1.2),
    f"{BANDS}:equal_recomputation": put(BANDS, FIRST_VALID, below_mid_ease=pl.col("below_mid_ease") * 0.99),
    f"{CANDLE}:trades_counted_once": put(CANDLE, MIDDLE_ROW, n_trades=pl.col("n_trades") + 1),
    f"{CANDLE}:candles_of_trading_hours": drop(CANDLE, MIDDLE_ROW),
    f"{CANDLE}:roll_of_contracts": put(CANDLE, ROW >= 0, roll_adj_int=ONE_TICK),
    f"{CANDLE}:averages_recomputed": put(CANDLE, MIDDLE_ROW, sma200=4800.0),
    f"{LEVEL}:pre_market_of_candles": put(
        LEVEL, (pl.col("level_type") == "PMH") & ~pl.col("is_placebo"), price_int=pl.col("price_int") + ONE_TICK
    ),
    f"{LEVEL}:one_price_at_a_time": put(
        LEVEL, pl.col("level_type") == "VWAP", valid_to=pl.col("valid_to").dt.offset_by("1h")
    ),
    f"{LEVEL}:placebos_keep_clear": put(
        LEVEL,
        pl.col("is_placebo"),
        price_int=pl.col("price_int") - pl.col("placebo_shift_ticks").cast(pl.Int64) * ONE_TICK,
    ),
    f"{MEASURE}:spot_and_mid_of_snapshot": put(
        MEASURE, MIDDLE_ROW, spot_ref_price_int=pl.col("spot_ref_price_int") + ONE_TICK
    ),
    f"{MEASURE}:flows_of_wall": put(MEASURE, pl.col("valid"), add_ask_w15=pl.col("add_ask_w15") + 1),
    f"{MOVE_SCALE}:causal": put(MOVE_SCALE, MIDDLE_ROW, last_dt_used=DT),
    f"{VECTOR}:look_back_is_valid": put(VECTOR, VALID_VECTOR, ts_cutoff=pl.col("ts_cutoff").dt.offset_by("-10m")),
    f"{VECTOR}:last_window_of_radar": put(VECTOR, VALID_VECTOR, ts_cutoff=pl.col("ts_cutoff").dt.offset_by("1s")),
    f"{SCALER}:sessions_are_earlier": put(SCALER, ROW == 0, sessions_used=[DT]),
    f"{SCALER}:dead_dims_never_vary": put(SCALER, ROW == 0, dead_dims=[3]),
    f"{MOVE_SCALE}:fits_are_mirrored": put(
        MOVE_SCALE, pl.col("measure") == "micro_price", value_json=pl.lit("[0.5, 0.0, 0.5]")
    ),
    f"{MOVE_SCALE}:added_of_sessions": drop(MOVE_SCALE, MIDDLE_ROW),
    f"{CONDITIONS}:conditions_of_measures": put(
        CONDITIONS, pl.col("z_n_bid_w5").is_not_null(), z_n_bid_w5=pl.col("z_n_bid_w5") * 0.99 + 0.01
    ),
    f"{CALIBRATION}:metrics_complete": drop(CALIBRATION, MIDDLE_ROW),
    f"{CALIBRATION}:causal": put(CALIBRATION, MIDDLE_ROW, asof_dt=DT),
    f"{CALIBRATION}:not_degenerate": put(CALIBRATION, MIDDLE_ROW, q05=1.0, q50=1.0, q95=1.0, scale=0.001),
    f"{MBO}:contracts_stored_apart": one_row_group,
    f"{MBO}:live_time_never_goes_back": put(MBO, MIDDLE_ROW, ts_event=pl.col("ts_event").dt.offset_by("-5s")),
    f"{MBO}:received_on_date": put(MBO, MIDDLE_ROW, ts_recv=pl.col("ts_recv").dt.offset_by("1d")),
    f"{MBO}:one_id_per_contract": put(MBO, MIDDLE_ROW, instrument_id=17078),
    f"{DEFINITION}:tick_as_configured": put(DEFINITION, ROW == 0, tick_size_int=10_000_000),
    f"{SELECTION}:every_contract_defined": put(DEFINITION, ROW == 0, contract="ESM4"),
    f"{SELECTION}:one_causal_choice": put(SELECTION, ROW == 0, prev_trading_date=DT),
    f"{SELECTION}:counts_of_file": put(SELECTION, ROW == 0, trade_volume=pl.col("trade_volume") + 1),
}
SPOILERS |= {
    f"{table}:spot_of_snapshot": put(table, MIDDLE_ROW, spot_ref_price_int=pl.col("spot_ref_price_int") + ONE_TICK)
    for table in (WALL, RADAR, VACUUM, BANDS)
}
SPOILERS |= {f"{table}:windows_of_snapshot": drop(table, MIDDLE_ROW) for table in (RADAR, BANDS, MEASURE, CONDITIONS)}
SPOILERS |= {
    f"{table}:contract_of_selection": put(table, MIDDLE_ROW, contract="ESM4")
    for table in (
        SNAPSHOT,
        WALL,
        RADAR,
        TRADE,
        BBO,
        ORDER_EVENT,
        ORDER_LIFE,
        VACUUM,
        BANDS,
        CANDLE,
        LEVEL,
        MEASURE,
        CONDITIONS,
    )
}
SPOILERS |= {
    f"{table}:finite": put(table, ROW == 0, **{first_float(table): float("inf")})
    for table in TABLES
    if f"{table}:finite" in CHECKS
}
SPOILERS |= {f"{table}:contract": put(table, ROW == 0, **{first_required(table): None}) for table in TABLES}
SPOILERS |= {f"{table}:manifest_true": lie_about_rows(table) for table in TABLES}


OF_VALID = pl.col("valid") & (pl.col("valid").cum_sum() == 1)
KNOWN_Z = pl.col("z_n_bid_w15").is_not_null()
USUAL = (pl.col("measure") == "add") & (pl.col("n_rows") > 0)
TRADED = pl.col("n_trades") > 0
MORE: dict[str, tuple[str, Spoiler]] = {
    "a candle's vwap is not known": (f"{CANDLE}:trades_counted_once", put(CANDLE, TRADED, vwap_price_int=None)),
    "a candle's high is not known": (f"{CANDLE}:trades_counted_once", put(CANDLE, TRADED, high_price_int=None)),
    "a candle's close": (
        f"{CANDLE}:trades_counted_once",
        put(CANDLE, TRADED, close_price_int=pl.col("open_price_int") + ONE_TICK),
    ),
    "a candle without trades has its trades' price": (
        f"{CANDLE}:trades_counted_once",
        put(CANDLE, ROW >= 0, n_trades=0, n_off_market=pl.col("n_trades") + pl.col("n_off_market"), volume=0),
    ),
    "buyers and sellers of a candle change places": (
        f"{CANDLE}:trades_counted_once",
        put(CANDLE, TRADED, buy_volume=pl.col("sell_volume"), sell_volume=pl.col("buy_volume")),
    ),
    "a candle's sigma is not known": (
        f"{CANDLE}:candles_of_trading_hours",
        put(CANDLE, pl.col("sigma_bar_ticks").is_not_null(), sigma_bar_ticks=None),
    ),
    "a candle's number": (
        f"{CANDLE}:candles_of_trading_hours",
        put(CANDLE, MIDDLE_ROW, candle_id=pl.col("candle_id") + 1),
    ),
    "an average of too few closes": (f"{CANDLE}:averages_recomputed", put(CANDLE, ROW == 0, sma400=4800.0)),
    "a usable second is not valid": (
        f"{MEASURE}:spot_and_mid_of_snapshot",
        put(MEASURE, OF_VALID, valid=False),
    ),
    "the first second is valid": (f"{MEASURE}:spot_and_mid_of_snapshot", put(MEASURE, ROW == 0, valid=True)),
    "a measure does not know the mid": (f"{MEASURE}:spot_and_mid_of_snapshot", put(MEASURE, OF_VALID, mid2_int=None)),
    "a measure does not know absorb": (f"{MEASURE}:spot_and_mid_of_snapshot", put(MEASURE, OF_VALID, absorb=None)),
    "an imbalance of queues": (
        f"{MEASURE}:spot_and_mid_of_snapshot",
        put(MEASURE, OF_VALID, queue_imb=-pl.col("queue_imb") + 1e-3),
    ),
    "an imbalance of flow": (f"{MEASURE}:spot_and_mid_of_snapshot", put(MEASURE, OF_VALID, ofi_1=pl.col("ofi_1") + 1)),
    "a best price that has moved": (
        f"{MEASURE}:spot_and_mid_of_snapshot",
        put(MEASURE, OF_VALID, b_ask_w5=pl.col("b_ask_w5") + 0.2),
    ),
    "messages of a second": (f"{MEASURE}:spot_and_mid_of_snapshot", put(MEASURE, MIDDLE_ROW, msgs=pl.col("msgs") + 1)),
    "quantities at both ends": (
        f"{MEASURE}:flows_of_wall",
        put(MEASURE, pl.col("valid"), q0_bid_w5=pl.col("q0_bid_w5") + 1, q1_bid_w5=pl.col("q1_bid_w5") + 1),
    ),
    "a mean distance is not known": (f"{MEASURE}:flows_of_wall", put(MEASURE, pl.col("valid"), c0_ask_w15=None)),
    "a mean distance": (
        f"{MEASURE}:flows_of_wall",
        put(MEASURE, pl.col("valid"), c1_bid_w1=pl.col("c1_bid_w1") + 0.01),
    ),
    "a median that is not that of the sessions": (
        f"{MOVE_SCALE}:added_of_sessions",
        put(MOVE_SCALE, USUAL, median=pl.col("median") + 1.0),
    ),
    "a pool of one row more": (
        f"{MOVE_SCALE}:added_of_sessions",
        put(MOVE_SCALE, USUAL, n_rows=pl.col("n_rows") + 1),
    ),
    "a z that is not known": (f"{CONDITIONS}:conditions_of_measures", put(CONDITIONS, KNOWN_Z, z_n_bid_w15=None)),
    "no soft and": (f"{CONDITIONS}:conditions_of_measures", put(CONDITIONS, KNOWN_Z, soft_and_w5=None)),
    "a z without a scale": (
        f"{CONDITIONS}:conditions_of_measures",
        put(MOVE_SCALE, pl.col("measure") == "r_ask", n_sessions=0),
    ),
    "a consumption": (
        f"{CONDITIONS}:conditions_of_measures",
        put(CONDITIONS, KNOWN_Z, f_ask_w1=pl.col("f_ask_w1") + 0.01),
    ),
    "a state": (
        f"{CONDITIONS}:conditions_of_measures",
        put(CONDITIONS, KNOWN_Z, state_up_w5=15 - pl.col("state_up_w5")),
    ),
    "conditions of a second that is not valid": (
        f"{CONDITIONS}:conditions_of_measures",
        put(CONDITIONS, ROW == 0, valid=True),
    ),
}
"""Violations that a check is easily blind to: key of the check, and what is done."""


@pytest.mark.parametrize("case", MORE)
def test_checks_see_what_is_missing_too(case: str, lake: Lake):
    key, apply = MORE[case]
    apply(lake)
    result = run(key, lake)
    assert not result.passed
    assert result.metadata["violations"]


def run(key: str, lake: Lake, dt: datetime.date = DT):
    return CHECKS[key].run(lake, SYMBOL, dt)


def test_every_check_has_its_violation():
    assert {check.key for check in OURS} == SPOILERS.keys()


@pytest.mark.parametrize("dt", [EARLIER, DT])
def test_good_sessions_pass_every_check(good_lake: Lake, dt: datetime.date):
    results = {check.key: check.run(good_lake, SYMBOL, dt) for check in OURS}
    assert {key: result.message for key, result in results.items() if not result.passed} == {}


@pytest.mark.parametrize("key", SPOILERS)
def test_check_fails_on_its_violation(key: str, lake: Lake):
    check = CHECKS[key]
    SPOILERS[key](lake)
    result = check.run(lake, SYMBOL, DT)
    assert not result.passed
    assert result.metadata["violations"]
    assert result.message
    json.dumps(result.metadata, allow_nan=False)


def test_spoiling_does_not_reach_the_good_lake(good_lake: Lake, lake: Lake):
    SPOILERS[f"{WALL}:conservation"](lake)
    assert not run(f"{WALL}:conservation", lake).passed
    assert run(f"{WALL}:conservation", good_lake).passed


ROLL = f"{CANDLE}:roll_of_contracts"
OTHER = "ESM4"


def other_contract(lake: Lake, table: str, dt: datetime.date) -> pl.DataFrame:
    """Rows of another contract."""
    return lake.partition(table, SYMBOL, dt).read().with_columns(contract=pl.lit(OTHER))


def with_opening(lake: Lake, *, apart: int) -> None:
    """The date's records open with orders of the two contracts, whose mids are `apart` ticks from one another."""
    price, snapshot = pl.col("price_int"), pl.lit(0x28)
    first = lake.partition(MBO, SYMBOL, DT).read().filter(pl.col("action") == "A").head(1)
    quotes = [(OTHER, "B", 0), (OTHER, "A", 2), (CONTRACT, "B", apart - 1), (CONTRACT, "A", apart + 3)]
    head = [
        first.with_columns(contract=pl.lit(name), side=pl.lit(side), price_int=price + at * ONE_TICK, flags=snapshot)
        for name, side, at in quotes
    ]
    live = ((pl.col("flags") & 0x20) == 0) & (pl.col("action") != "R")
    spoil(lake, MBO, lambda frame: pl.concat([*(one.cast(frame.schema) for one in head), frame.filter(live)]))


def test_a_roll_is_that_of_the_mids_at_the_opening(lake: Lake):
    spoil(lake, CANDLE, lambda frame: frame.with_columns(contract=pl.lit(OTHER)), dt=EARLIER)
    put(CANDLE, ROW >= 0, roll_adj_int=None)(lake)
    assert run(ROLL, lake).passed  # no book of the other contract
    with_opening(lake, apart=40)
    assert not run(ROLL, lake).passed
    put(CANDLE, ROW >= 0, roll_adj_int=40 * ONE_TICK)(lake)
    assert run(ROLL, lake).passed


def test_a_roll_is_missed_over_a_date_without_candles(lake: Lake):
    """The date between has candles of none, the one before it of another contract: 0 is not what the roll is worth."""
    before = EARLIER - datetime.timedelta(days=1)
    with lake.writer(CANDLE, SYMBOL, before) as writer:
        writer.write(
            other_contract(lake, CANDLE, EARLIER).with_columns(
                pl.col("bar_start", "window_end").dt.offset_by("-1d"), bar_index=pl.col("bar_index") - 720
            )
        )
        writer.commit(provenance="simulated", dataset=lake.partition(CANDLE, SYMBOL, DT).manifest.dataset)
    spoil(lake, CANDLE, lambda frame: frame.clear(), dt=EARLIER)
    trades = lake.partition(TRADE, SYMBOL, EARLIER)
    records = lake.partition(CANDLE, SYMBOL, DT).manifest.inputs
    named = replace(trades.as_input(), name=trades.as_input().name.replace(str(EARLIER), str(before)))
    assert run(ROLL, lake).passed  # nothing earlier was read
    spoil(lake, CANDLE, inputs=[Recorded(one) for one in (*records, named)])
    with_opening(lake, apart=40)
    assert not run(ROLL, lake).passed
    put(CANDLE, ROW >= 0, roll_adj_int=40 * ONE_TICK)(lake)
    assert run(ROLL, lake).passed
