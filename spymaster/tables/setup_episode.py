"""`gold.setup_episode`: when price came to a level, and how."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, ParquetLayout, TableModel
from spymaster.tables.types import PROVENANCE, TIMESTAMP

EPISODE_KINDS = ("touch", "candle")
TRIGGER_KINDS = ("cross", "pierce", "touch")
CONFIRM_KINDS = ("hold", "fail", "inside")
INVALID_REASONS = ("bars", "book", "no_sigma")
"""Why an episode is not valid, the first that holds: a candle of the look-back is missing, not complete or halted; the
book was not usable just before the decision; the usual size of moves is not known yet."""

_TOUCH = "null for candle"
_CANDLE = "null for touch"
_SIGMA = "null if not known yet"


def _known_exactly(kind: str, columns: tuple[str, ...]) -> Invariant:
    return Invariant(
        f"{kind}_says_so",
        f"{', '.join(columns)} are known exactly for kind {kind}",
        lambda pl: pl.all_horizontal(
            [pl.col(name).is_not_null() == (pl.col("kind").cast(pl.String) == kind) for name in columns]
        ),
    )


class SetupEpisode(TableModel):
    """One row per time that price came to a level, seen at two zooms that are never mixed; placebos, too.

    `touch`: the event at which the mid, after an approach, is first within a tick of the level. `candle`: the close of
    the candle after the one that met the level. An episode is known at ts_decision, and so is every column but
    match_set_id, overlap_n and weight_unique: those are for studies, and are known when the date is over.

    Of levels in one group only the one known for the longest has episodes. sigma_15 is the root mean square of the
    mid's changes over 15 s, with weights that halve every 30 minutes.
    """

    layer = "gold"
    name = "setup_episode"
    version = 3
    key = ("episode_id",)
    constant = ("contract",)
    time_column = "ts_decision"
    parameters = ("instrument", "setups")
    parquet = ParquetLayout(
        dictionary=("contract", "kind", "level_id", "group_id", "match_set_id", "trigger_kind", "confirm_kind",
                    "invalid_reason", "provenance")
    )  # fmt: skip

    contract = Column(pl.String, "the selected contract of the date")
    session_date = Column(pl.Date, "trade date of the exchange")
    episode_id = Column(pl.String, "kind:level_id:ts_decision in ns")
    kind = Column(pl.Enum(EPISODE_KINDS), "zoom")
    direction = Column(pl.Int8, "+1 price came from below, -1 from above", isin=(-1, 1))
    level_id = Column(pl.String, "the level, as in session_level")
    group_id = Column(pl.String, "its group at that time, as in session_level")
    level_types = Column(
        pl.List(pl.String), "kinds of the levels of the group that held then, in order of the enumeration"
    )
    is_placebo = Column(pl.Boolean, "at a price that means nothing")
    match_set_id = Column(
        pl.String,
        "episode_id of the real episode that it is compared with; of a real one its own; null if not matched",
        nullable=True,
    )
    ts_approach = Column(TIMESTAMP, f"start of the approach; {_TOUCH}", unit="ns", nullable=True)
    ts_decision = Column(TIMESTAMP, "the episode is known from then on", unit="ns")
    ts_trigger_bar = Column(TIMESTAMP, f"start of the trigger candle; {_CANDLE}", unit="ns", nullable=True)
    trigger_bar = Column(pl.Int64, f"bar_index of the trigger candle; {_CANDLE}", nullable=True, ge=0)
    confirm_bar = Column(pl.Int64, f"bar_index of the candle after it; {_CANDLE}", nullable=True, ge=0)
    candle_id_trigger = Column(pl.Int32, f"candle_id of the trigger candle; {_CANDLE}", nullable=True)
    level_price_int = Column(pl.Int64, "price of the level", unit="1e-9 price")
    spot_ref_price_int = Column(
        pl.Int64, "spot of the last whole second; null before there is one", unit="1e-9 price", nullable=True
    )
    p0_mid2_int = Column(
        pl.Int64, "twice the mid at ts_decision; null without a usable book then", unit="1e-9 price", nullable=True
    )
    rel_ticks = Column(pl.Float64, "level minus spot; null without spot", unit="ticks", nullable=True)
    touch_index = Column(pl.Int32, "1 for the first episode of the kind at the level in the date's session", ge=1)
    gap_through = Column(pl.Boolean, f"one event went past the level by more than a tick; {_TOUCH}", nullable=True)
    trigger_kind = Column(pl.Enum(TRIGGER_KINDS), f"how the trigger candle met the level; {_CANDLE}", nullable=True)
    confirm_kind = Column(
        pl.Enum(CONFIRM_KINDS),
        f"where the next candle closed: beyond, back, or within a tick; {_CANDLE}",
        nullable=True,
    )
    approach_speed = Column(
        pl.Float64,
        "move of the mid over 15 s along direction, in sigma_15; null without sigma or 15 s of a usable book",
        nullable=True,
    )
    sigma_15 = Column(pl.Float64, f"usual change of the mid over 15 s; {_SIGMA}", unit="ticks", nullable=True, ge=0)
    sigma_60 = Column(pl.Float64, f"2 sigma_15; {_SIGMA}", unit="ticks", nullable=True, ge=0)
    sigma_120 = Column(pl.Float64, f"sigma_15 times root 8; {_SIGMA}", unit="ticks", nullable=True, ge=0)
    msg_rate_rel = Column(
        pl.Float64,
        "messages per second of the last 15 s over their mean with weights that halve every 30 minutes; null without "
        "messages",
        nullable=True,
        ge=0,
    )
    tod_sec = Column(pl.Int32, "time since 09:30 New York of session_date, negative before", unit="s")
    overlap_n = Column(
        pl.Int32, "episodes of its kind, placebos apart, whose 360 s after the decision overlap its own", ge=0
    )
    weight_unique = Column(pl.Float64, "1/mean number of such episodes, itself included, over its 360 s", gt=0, le=1)
    valid = Column(pl.Boolean, "may enter studies")
    invalid_reason = Column(pl.Enum(INVALID_REASONS), "why it may not; null if valid", nullable=True)
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        _known_exactly("touch", ("ts_approach", "gap_through")),
        _known_exactly(
            "candle",
            ("ts_trigger_bar", "trigger_bar", "confirm_bar", "candle_id_trigger", "trigger_kind", "confirm_kind"),
        ),
        Invariant(
            "id_says_what",
            "episode_id = kind:level_id:ts_decision",
            lambda pl: (
                pl.col("episode_id")
                == pl.concat_str(
                    pl.col("kind").cast(pl.String),
                    pl.lit(":"),
                    pl.col("level_id"),
                    pl.lit(":"),
                    pl.col("ts_decision").to_physical(),
                )
            ),
        ),
        Invariant(
            "approach_before_decision",
            "ts_approach <= ts_decision",
            lambda pl: pl.col("ts_approach") <= pl.col("ts_decision"),
        ),
        Invariant(
            "confirmation_follows",
            "confirm_bar = trigger_bar + 1",
            lambda pl: pl.col("confirm_bar") == pl.col("trigger_bar") + 1,
        ),
        Invariant(
            "reason_of_invalid",
            "invalid_reason is null exactly where valid",
            lambda pl: pl.col("valid") == pl.col("invalid_reason").is_null(),
        ),
        Invariant(
            "valid_is_known",
            "a valid episode knows p0_mid2_int and sigma_15",
            lambda pl: ~pl.col("valid") | (pl.col("p0_mid2_int").is_not_null() & pl.col("sigma_15").is_not_null()),
        ),
    )
