"""Analogues as the API tells them: a question in, plain documents out. Blocks on disk: worker threads only.

What tells how setups ended is not in a document unless it is asked for: shares and their base rates, outcomes, and
paths after the decision.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from spymaster.lake.errors import MissingPartitionError
from spymaster.market.calendar import SECOND_NS
from spymaster.research.analogues import (
    DIRECTIONS,
    PATH_S,
    AnalogueResult,
    analogues,
    cutoff_of,
    date_of,
    panel_for,
)
from spymaster.research.errors import NotCausalError, QueryError, StalePanelError
from spymaster.research.kept import NEEDED, Kept
from spymaster.serving.catalog import SessionInfo
from spymaster.serving.describe import NOT_MATERIALISED
from spymaster.serving.download import json_value, plain
from spymaster.serving.errors import BadQuestionError, NotYetKnownError, UnavailableError

_LAST_NS = 2**63 - 1
MOST_NEIGHBOURS = 200
"""Neighbours that may be asked for."""
_QUERY_ID = re.compile(r"([A-Z0-9]{1,12}):([0-9]{1,19}):(1|-1):(s1|s5|c120):([0-9]{1,4}):([0-9]{1,4})")
_SAID = ("query_id", "k", "n_sessions", "provisional", "abstain", "abstain_reason", "index_id", "d_1", "d_k", "n_eff",
         "novelty")  # fmt: skip
_REVEALED = ("p_break", "p_reject", "p_chop", "p0_break", "p0_reject", "p0_chop", "median_mfe", "median_mae", "end_q10",
             "end_q90")  # fmt: skip
"""Columns of `gold.retrieval_result` that are told always, and once revealed."""


@dataclass(frozen=True)
class Asked:
    """A question: the last whole second (c120: candle) up to `ts`, as of a time that is not before it. ns UTC."""

    symbol: str
    ts: int
    family: str = "auto"
    direction: str = "auto"
    k: int | None = None
    horizon_s: int | None = None
    as_of: int | None = None

    @property
    def dt(self) -> date:
        """The date of the second that is asked about. Raises `BadQuestionError` for what is no family or horizon."""
        try:
            panel = panel_for(self.family, self.horizon_s)
        except QueryError as error:
            raise BadQuestionError(Exception.__str__(error), hint=error.hint) from error
        return date_of(cutoff_of(self.ts, panel.family))

    @classmethod
    def parse(cls, query_id: str) -> Asked:
        """The question whose answer has this `query_id`. Raises `BadQuestionError`."""
        found = _QUERY_ID.fullmatch(query_id)
        if found is None or int(found[2]) > _LAST_NS or not 1 <= int(found[6]) <= MOST_NEIGHBOURS:
            raise BadQuestionError("no such query_id", hint="It is that of an answer of /v1/analogues.")
        way = next(name for name, sign in DIRECTIONS.items() if sign == int(found[3]))
        return cls(found[1], int(found[2]), found[4], way, int(found[6]), int(found[5]))


def parse_ns(text: str, *, name: str) -> int:
    """A time given as ns since the epoch or as RFC 3339 with an offset. Raises `BadQuestionError`."""
    if text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= _LAST_NS:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1970 < moment.year < 2262:
        raise BadQuestionError(f"{name} must be ns since the epoch or a time with an offset (RFC 3339)")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * SECOND_NS + since.microseconds * 1000


def ask(kept: Kept, info: SessionInfo, asked: Asked, *, paths: bool = False) -> list[AnalogueResult]:
    """The answers to a question about a session.

    Raises `BadQuestionError`, `NotYetKnownError`, and `UnavailableError` where a table is not there or no longer fits.
    """
    lacking = [name for name in NEEDED if name not in info.partitions]
    if lacking:
        raise UnavailableError(f"analogues: {lacking[0]} {NOT_MATERIALISED}")
    try:
        return analogues(
            kept.lake, asked.symbol, asked.ts, family=asked.family, direction=asked.direction, k=asked.k,
            horizon_s=asked.horizon_s, asof=asked.as_of, paths=paths, kept=kept,
        )  # fmt: skip
    except NotCausalError as error:
        raise NotYetKnownError(Exception.__str__(error)) from error
    except (StalePanelError, MissingPartitionError) as error:
        stale = "the panel does not fit the tables that it was made from"
        raise UnavailableError(f"analogues: {stale}", hint="Materialise gold.retrieval_index again.") from error
    except QueryError as error:
        raise BadQuestionError(Exception.__str__(error), hint=error.hint) from error


def document(
    kept: Kept, answers: Sequence[AnalogueResult], *, reveal: bool, episode_id: str | None = None
) -> dict[str, Any]:
    """What is told of the answers to one question, one for each direction."""
    first = answers[0].result
    query = {name: first[name] for name in ("symbol", "family", "kind", "horizon_s", "k")}
    return {
        "query": query | {"ts": str(first["ts_query"]), "episode_id": episode_id},
        "provenance": first["provenance"],
        "revealed": reveal,
        "state": _state(kept, first),
        "answers": [_answer(one, reveal) for one in answers],
    }


def paths_document(answer: AnalogueResult, *, reveal: bool) -> dict[str, Any]:
    """Ticks second by second from `first_s` to `last_s` around each neighbour's decision; null where none is known."""
    last = PATH_S if reveal else 0
    paths = answer.paths.filter(pl.col("offset_s") <= last)
    found = []
    for (rank,), rows in paths.group_by("rank", maintain_order=True):
        ticks = np.full(PATH_S + last + 1, np.nan)
        ticks[rows["offset_s"].to_numpy() + PATH_S] = rows["ticks"].to_numpy()
        found.append({"rank": rank, "ticks": [None if one != one else one for one in ticks.tolist()]})
    query_id = answer.result["query_id"]
    return {"query_id": query_id, "revealed": reveal, "first_s": -PATH_S, "last_s": last, "paths": found}


def _answer(one: AnalogueResult, reveal: bool) -> dict[str, Any]:
    shown = one if reveal else one.concealed()
    names = (*_SAID, *_REVEALED) if reveal else _SAID
    return {
        "direction": one.result["direction"],
        "result": {name: shown.result.get(name) for name in names},
        "neighbours": plain(shown.neighbours).to_dicts(),
    }


def _state(kept: Kept, query: dict[str, Any]) -> dict[str, Any] | None:
    """The row of `silver.move_conditions_1s` of the second; None without one."""
    ts = query["ts_query"]
    row = kept.conditions(query["symbol"], date_of(ts // SECOND_NS), ts)
    return None if row is None else {k: json_value(v) for k, v in plain(row).row(0, named=True).items()}
