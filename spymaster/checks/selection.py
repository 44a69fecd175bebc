"""Data integrity around `contract_day_selection`: true counts, a causal choice, and Silver that follows it."""

from __future__ import annotations

import polars as pl

from spymaster.checks.base import Check, Finding, Session, Suite, check
from spymaster.checks.frames import (
    BANDS,
    BBO,
    CANDLE,
    CONDITIONS,
    DEFINITION,
    EPISODE,
    LEVEL,
    MBO,
    MEASURE,
    PRESSURE,
    RADAR,
    SELECTION,
    SNAPSHOT,
    TRADE,
    VACUUM,
    WALL,
    collect,
    finding,
    scan,
)


@check(SELECTION, suite=Suite.DATA, blocking=True)
def one_causal_choice(session: Session) -> Finding:
    """Exactly one contract is selected, from sessions earlier than the date."""
    rows = collect(scan(session, SELECTION))
    if rows.is_empty():
        return Finding(0, "no outright in the file", {"contracts": 0})
    chosen = rows.filter("is_selected")
    late = chosen.filter((pl.col("prev_trading_date") >= session.dt).fill_null(False))
    count = abs(chosen.height - 1) + late.height
    first = late if late.height else chosen
    return finding(
        count,
        first.select("contract", "basis", "prev_trading_date", "prev_volume"),
        "one contract selected, by sessions before the date",
        contracts=rows.height,
        selected=str(chosen["contract"][0]) if chosen.height else None,
        basis=str(chosen["basis"][0]) if chosen.height else None,
    )


@check(SELECTION, MBO, suite=Suite.DATA)
def counts_of_file(session: Session) -> Finding:
    """Messages, trades and volume of every contract are those of `future_mbo`."""
    is_trade = pl.col("action") == "T"
    counted = (
        scan(session, MBO, ["contract", "action", "size"])
        .group_by("contract")
        .agg(
            pl.len().cast(pl.Int64).alias("messages_in_file"),
            is_trade.sum().cast(pl.Int64).alias("trades_in_file"),
            pl.col("size").cast(pl.Int64).filter(is_trade).sum().alias("volume_in_file"),
        )
    )
    stored = scan(session, SELECTION, ["contract", "message_count", "trade_count", "trade_volume"])
    both = collect(stored.join(counted, on="contract", how="left")).with_columns(
        pl.col("messages_in_file", "trades_in_file", "volume_in_file").fill_null(0)
    )
    bad = both.filter(
        (pl.col("message_count") != pl.col("messages_in_file"))
        | (pl.col("trade_count") != pl.col("trades_in_file"))
        | (pl.col("trade_volume") != pl.col("volume_in_file"))
    ).sort("contract")
    return finding(bad.height, bad, "counts are those of the file", contracts=both.height)


@check(SELECTION, DEFINITION, MBO, suite=Suite.DATA)
def every_contract_defined(session: Session) -> Finding:
    """Every contract of the file has a definition row with the same instrument id."""
    seen = scan(session, MBO, ["contract", "instrument_id"]).unique()
    defined = scan(session, DEFINITION, ["contract", "instrument_id"])
    bad = collect(seen.join(defined, on=["contract", "instrument_id"], how="anti").sort("contract"))
    origin = collect(scan(session, DEFINITION, ["origin"]).group_by("origin").len().sort("origin"))
    counts = {f"origin_{name}": int(count) for name, count in origin.iter_rows()}
    return finding(bad.height, bad, "every contract of the file is defined", **counts)


def _contract_check(table: str) -> Check:
    def contract_of_selection(session: Session) -> Finding:
        """The table holds the selected contract and no other."""
        selected = collect(scan(session, SELECTION).filter("is_selected").select("contract"))["contract"].to_list()
        rows = collect(
            scan(session, table, ["contract"]).group_by("contract").agg(pl.len().alias("rows")).sort("contract")
        )
        bad = rows.filter(~pl.col("contract").is_in(selected))
        chosen = selected[0] if selected else None
        return finding(bad.height, bad, f"contract is the selected one ({chosen})", selected=chosen)

    return check(table, SELECTION, suite=Suite.DATA, blocking=True)(contract_of_selection)


CONTRACT_CHECKS = [
    _contract_check(table)
    for table in (
        SNAPSHOT,
        WALL,
        RADAR,
        TRADE,
        BBO,
        VACUUM,
        BANDS,
        PRESSURE,
        CANDLE,
        LEVEL,
        MEASURE,
        CONDITIONS,
        EPISODE,
    )
]
