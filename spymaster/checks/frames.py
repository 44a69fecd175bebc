"""Frames as the checks read them: lazily, in blocks of whole windows, and with violations turned into words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from spymaster.checks.base import MAX_EXAMPLES, Finding, Session, Value

SNAPSHOT = "silver.book_snapshot_1s"
WALL = "silver.wall_surface_1s"
RADAR = "silver.radar_vacuum_1s"
TRADE = "silver.trade"
BBO = "silver.bbo_change"
ORDER_EVENT = "silver.order_event"
ORDER_LIFE = "silver.order_life"
VACUUM = "silver.vacuum_surface_1s"
BANDS = "silver.physics_bands_1s"
PRESSURE = "silver.pressure_surface_1s"
CANDLE = "silver.candle_2m"
LEVEL = "silver.session_level"
MEASURE = "silver.move_measure_1s"
CONDITIONS = "silver.move_conditions_1s"
MOVE_SCALE = "gold.move_condition_scale"
EPISODE = "gold.setup_episode"
OUTCOME = "gold.setup_outcome"
CALIBRATION = "gold.physics_norm_calibration"
VECTOR = "gold.setup_vector"
SCALER = "gold.vector_scaler"
INDEX = "gold.retrieval_index"
RESULT = "gold.retrieval_result"
NEIGHBOR = "gold.retrieval_neighbor"
MODEL = "gold.outcome_model"
ALGO_RUN = "gold.algo_run"
ALGO_TEST = "gold.algo_test"
ALGO_CURVE = "gold.algo_curve"
ALGO_EXEMPLAR = "gold.algo_exemplar"
ALGO_LAW = "gold.algo_law"
ALGO_REPLICATION = "gold.algo_replication"
SELECTION = "bronze.contract_day_selection"
MBO = "bronze.future_mbo"
DEFINITION = "bronze.future_definition"
FUTURE_STATISTICS = "bronze.future_statistics"
OPTION_DEFINITION = "bronze.option_definition"
OPTION_FORWARD = "silver.option_forward_1s"
OPTION_MBO = "bronze.option_mbo"
OPTION_QUOTE = "silver.option_quote_1s"
OPTION_STATISTICS = "bronze.option_statistics"

SECOND_NS = 1_000_000_000
MUTED_NS = 60 * SECOND_NS
"""Before its expiration an option is not priced for so long."""


def scan(session: Session, table: str, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """The rows of the session's partition of `table`, in stored order."""
    return session.partition(table).scan(columns)


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query without holding the whole partition in memory."""
    return frame.collect(engine="streaming")


def window_blocks(session: Session, table: str, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The partition's rows in blocks that never split a window (rows of one `window_end`)."""
    rest: pl.DataFrame | None = None
    for batch in session.partition(table).batches(columns):
        frame = batch if rest is None else pl.concat([rest, batch])
        if frame.is_empty():
            continue
        last = frame["window_end"][-1]
        rest = frame.filter(pl.col("window_end") == last)
        if rest.height < frame.height:
            yield frame.head(frame.height - rest.height)
    if rest is not None and not rest.is_empty():
        yield rest


def describe(rows: pl.DataFrame) -> tuple[str, ...]:
    """Rows as short texts, `window_end=2023-12-25T23:00:01 price_int=...`, at most `MAX_EXAMPLES` of them."""
    exact = rows.head(MAX_EXAMPLES).with_columns(pl.selectors.datetime().dt.to_string("%Y-%m-%dT%H:%M:%S%.f"))
    return tuple(
        " ".join(f"{name}={_text(value)}" for name, value in row.items()) for row in exact.iter_rows(named=True)
    )


def violations(bad: pl.LazyFrame, rule: str, **metadata: Value) -> Finding:
    """A finding from the query of offending rows: how many there are, and the first of them."""
    count = int(collect(bad.select(pl.len())).item())
    first = collect(bad.head(MAX_EXAMPLES)) if count else pl.DataFrame()
    return finding(count, first, rule, **metadata)


def finding(count: int, first: pl.DataFrame, rule: str, **metadata: Value) -> Finding:
    """A finding of `count` violations of the sentence `rule`, quoting the rows in `first`."""
    examples = describe(first)
    message = (
        f"holds: {rule}"
        if count == 0
        else f"{count:,} violations of: {rule}; first: {examples[0] if examples else '?'}"
    )
    return Finding(count, message, metadata, examples)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.9g}"
    return str(value)
