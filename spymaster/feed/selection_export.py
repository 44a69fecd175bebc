"""The contract choices of all dates in one file, `lake/selection/mbo_contract_day_selection.parquet`.

Regenerated from the partitions of `bronze.contract_day_selection`, which are the truth; programs that want one table of
dates and contracts read this one. One row per root, date and rule. The research rule looks at later sessions
(`research_selection`): `select_contract` refuses it to what is live. Rows of a rule leave the other's columns null.
"""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from spymaster.errors import SpymasterError
from spymaster.feed.research_selection import research_rows
from spymaster.lake import Lake, Partition
from spymaster.lake.files import locked, write_durably
from spymaster.lake.layout import selection_file
from spymaster.tables.contract_day_selection import ContractDaySelection

if TYPE_CHECKING:
    import pandera.polars as pa

EXPORT_SCHEMA = pl.Schema(
    {
        "root": pl.String,
        "session_date": pl.Date,
        "rule": pl.Enum(["causal", "research"]),
        "selected_symbol": pl.String,
        "selected_exp_date": pl.Date,
        "basis": pl.Enum(["prior_session", "first_session"]),
        "prev_trading_date": pl.Date,
        "prev_volume_selected": pl.Int64,
        "prev_volume_rank2": pl.Int64,
        "roll_flag": pl.Boolean,
        "dominant_symbol": pl.String,
        "dominance_ratio": pl.Float64,
        "total_trade_count": pl.Int64,
        "trade_count_dominant": pl.Int64,
        "run_id": pl.Int32,
        "run_pos": pl.Int32,
        "run_len": pl.Int32,
        "median_trade_count_run": pl.Float64,
        "trade_count_ratio": pl.Float64,
        "include_flag": pl.Boolean,
        "exclude_reason": pl.String,
        "is_lookahead": pl.Boolean,
    }
)


class LookAheadError(SpymasterError):
    """Something live asked for what is known later only."""


class UnknownSelectionError(SpymasterError):
    """The export has no row of a date."""


REQUIRED = ("root", "session_date", "rule", "selected_symbol", "roll_flag", "include_flag", "is_lookahead")
"""Columns that no row lacks."""


def export_schema() -> pa.DataFrameSchema:
    """The export as a Pandera schema: strict, in order, one row per root, date and rule."""
    import pandera.polars as pa

    research = pl.col("rule").cast(pl.String) == "research"
    rules = {
        "is_lookahead exactly for the research rule": pl.col("is_lookahead") == research,
        "a contract exactly where include_flag": (pl.col("selected_symbol") != "") == pl.col("include_flag"),
        "a reason exactly where not include_flag": pl.col("exclude_reason").is_null() == pl.col("include_flag"),
        "basis exactly for the causal rule": pl.col("basis").is_null() == research,
    }
    return pa.DataFrameSchema(
        {name: pa.Column(kind, nullable=name not in REQUIRED) for name, kind in EXPORT_SCHEMA.items()},
        checks=[
            pa.Check(lambda data, rule=rule: data.lazyframe.select(rule), name=name, error=name)
            for name, rule in rules.items()
        ],
        strict=True, ordered=True, unique=["root", "session_date", "rule"],
    )  # fmt: skip


def export_selection(lake: Lake) -> Path:
    """Write the export anew from all complete partitions, under a lock and by one atomic replace; return its path."""
    target = selection_file(lake.root)
    with locked(lake.root, "selection", wait=True):
        content = io.BytesIO()
        export_schema().validate(export_rows(lake)).write_parquet(content, compression="zstd")
        write_durably(lake.root, target, content.getvalue())
    return target


def export_rows(lake: Lake) -> pl.DataFrame:
    """Rows of both rules, by root, date and rule."""
    by_root: dict[str, list[Partition]] = {}
    for partition in lake.partitions(ContractDaySelection):
        by_root.setdefault(partition.symbol, []).append(partition)
    research = [
        row for root, own in by_root.items() for row in research_rows(root, sorted(own, key=lambda one: one.dt))
    ]
    made = pl.concat([causal_rows(lake), pl.DataFrame(research, schema=EXPORT_SCHEMA, orient="row")])
    return made.sort("root", "session_date", "rule")


def select_contract(
    lake: Lake, root: str, session_date: date, *, rule: Literal["causal", "research"] = "causal", live: bool = True
) -> str | None:  # fmt: skip
    """Contract of a date by the export; None where the research rule leaves the date out.

    Raises `LookAheadError` where something live asks by the research rule, and `UnknownSelectionError` where the export
    has no such row.
    """
    if live and rule == "research":
        raise LookAheadError(
            f"the contract of {root} {session_date} by the research rule depends on later sessions",
            hint="Ask by the causal rule, or with live=False in a study.",
        )
    path = selection_file(lake.root)
    rows = pl.read_parquet(path) if path.is_file() else pl.DataFrame(schema=EXPORT_SCHEMA)
    found = rows.filter(
        pl.col("root") == root, pl.col("session_date") == session_date, pl.col("rule").cast(pl.String) == rule
    )
    if not found.height:
        raise UnknownSelectionError(
            f"{path}: no {rule} row of {root} {session_date}",
            hint="Materialise bronze.contract_day_selection of that date.",
        )
    return found["selected_symbol"][0] or None


def causal_rows(lake: Lake) -> pl.DataFrame:
    """One row per root and date with a selection, in order; `roll_flag` compares with the root's date before it."""
    rows: list[dict[str, Any]] = []
    previous: dict[str, str] = {}
    for partition in lake.partitions(ContractDaySelection):
        frame = partition.read()
        if not frame.height:
            continue
        chosen = frame.row(by_predicate=pl.col("is_selected"), named=True)
        others = frame.filter(~pl.col("is_selected"))["prev_volume"].drop_nulls()
        root, contract = partition.symbol, chosen["contract"]
        rows.append(
            {
                "root": root,
                "session_date": partition.dt,
                "rule": "causal",
                "selected_symbol": contract,
                "selected_exp_date": chosen["expiration"] and chosen["expiration"].date(),
                "basis": chosen["basis"],
                "prev_trading_date": chosen["prev_trading_date"],
                "prev_volume_selected": chosen["prev_volume"],
                "prev_volume_rank2": others.max(),
                "roll_flag": previous.get(root, contract) != contract,
                "include_flag": True,
                "is_lookahead": False,
            }
        )
        previous[root] = contract
    return pl.DataFrame(rows, schema=EXPORT_SCHEMA, orient="row")
