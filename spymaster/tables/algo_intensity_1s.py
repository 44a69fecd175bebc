"""`gold.algo_intensity_1s`: how much of what is sent is owed to habits that earlier dates showed."""

from __future__ import annotations

from typing import Any

import polars as pl

from spymaster.tables.model import Column, Columns, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import BANDS, PROVENANCE, SIDES, TIMESTAMP

INTENSITY_SIDES = (*SIDES, "all")
INTENSITY_BANDS = (*BANDS, "all")
"""`all` holds what is further from spot than FAR, too."""
INTENSITY_FAMILIES = {
    "chain": "reprices from the tenth of their order on (E2)",
    "fleeting": "cancels at a preferred age (E1)",
    "reaction": "answers after a preferred delay (E3)",
    "periodic": "messages at a preferred phase (E4) or of a periodic sender (E5)",
    "iceberg": "refills and returning orders (E6)",
    "coplace": "orders placed and removed together (E10)",
    "layering": "layers withdrawn after a trade of the other side (E7)",
}
COUNTED_KINDS = ("add", "cancel", "reprice", "size_up", "size_down", "refill")
"""What somebody sent (or, for a refill, left a standing instruction for). Executions are what happens to orders."""
_NO_LIST = "null without a list of an earlier date"
_NO_SHARE = "null without messages, or a list of an earlier date"


def share_column(family: str) -> str:
    """Column with the share of a family."""
    return f"share_{family}"


def _share(what: str) -> Column:
    return Column(pl.Float32, f"share of messages: {what}; {_NO_SHARE}", nullable=True, ge=0, le=1)


def _families_within(pl: Any) -> pl.Expr:
    return pl.all_horizontal(
        [
            (pl.col(share_column(family)) <= pl.col("share_msgs") + 1e-5)
            & (pl.col(share_column(family)).is_null() == pl.col("share_msgs").is_null())
            for family in INTENSITY_FAMILIES
        ]
    )


class AlgoIntensity1s(TableModel):
    """One row per second, side and band with messages, and one of all sides and bands for every second.

    Messages are what somebody sent: entries, cancels, changes, and refills; executions are not counted. Each has a
    weight from 0 to 1, by what a finding of the latest earlier date leaves unexplained in the bins of its peak; it
    takes the largest. Nothing is attributed by what came after its second: of a fleeting order only the cancel is.
    """

    layer = "gold"
    name = "algo_intensity_1s"
    key = ("window_end", "side", "band")
    constant = ("contract",)
    time_column = "window_end"
    parameters = ("evidence", "instrument")
    parquet = ParquetLayout(
        delta=("window_end",),
        dictionary=("contract", "session_date", "side", "band", "n_msgs", "qty_msgs", "attribution_hash", "provenance"),
    )

    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "trade date of the exchange")
    window_end = Column(TIMESTAMP, "end of the window, exclusive", unit="ns")
    side = Column(pl.Enum(INTENSITY_SIDES), "side of the orders")
    band = Column(pl.Enum(INTENSITY_BANDS), "distance from the last print before the message")
    n_msgs = Column(pl.Int32, "messages that tests may look at; 0 where they may not", unit="messages", ge=0)
    qty_msgs = Column(pl.Int64, "lots of them", unit="lots", ge=0)
    n_attr = Column(pl.Float32, f"sum of their weights; {_NO_LIST}", unit="messages", nullable=True, ge=0)
    qty_attr = Column(pl.Float32, f"sum of weight times lots; {_NO_LIST}", unit="lots", nullable=True, ge=0)
    share_msgs = Column(pl.Float32, f"n_attr / n_msgs; {_NO_SHARE}", nullable=True, ge=0, le=1)
    share_qty = Column(pl.Float32, "qty_attr / qty_msgs; null without lots, or a list", nullable=True, ge=0, le=1)
    families = Columns({share_column(name): _share(what) for name, what in INTENSITY_FAMILIES.items()})
    expected_share = Column(
        pl.Float32,
        "median share_msgs of the half hour, side and band over earlier sessions; null without one",
        nullable=True,
        ge=0,
        le=1,
    )
    intensity_z = Column(
        pl.Float32,
        "share_msgs less that median, in deviations (1.4826 median absolute deviation), at most 8 either "
        "way; null with "
        "fewer earlier sessions than needed, or where they do not differ",
        nullable=True,
        ge=-8,
        le=8,
    )
    attribution_hash = Column(pl.String, "hash of the list of findings and thresholds; null without one", nullable=True)
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "attributed_are_messages",
            "n_attr <= n_msgs and qty_attr <= qty_msgs",
            lambda pl: (
                (pl.col("n_attr") <= pl.col("n_msgs") * 1.00001) & (pl.col("qty_attr") <= pl.col("qty_msgs") * 1.00001)
            ),
        ),
        Invariant(
            "list_or_nothing",
            "n_attr and qty_attr are null exactly without attribution_hash",
            lambda pl: (
                (pl.col("n_attr").is_null() == pl.col("attribution_hash").is_null())
                & (pl.col("qty_attr").is_null() == pl.col("attribution_hash").is_null())
            ),
        ),
        Invariant(
            "share_where_messages",
            "share_msgs is null exactly without messages or list",
            lambda pl: pl.col("share_msgs").is_null() == ((pl.col("n_msgs") == 0) | pl.col("n_attr").is_null()),
        ),
        Invariant("families_are_parts", "no family's share is above share_msgs", _families_within),
    )
