"""Results as rows: exemplars are what the day has, and what nobody saw is null."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from spymaster.evidence import icebergs, lifetimes
from spymaster.evidence.families import Halves, Judged
from spymaster.evidence.identity import Identity
from spymaster.evidence.result import TestResult
from spymaster.evidence.rows import Context, exemplar_rows, result_rows
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster.evidence.verdicts import Least
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_test import AGAINST, AlgoTest
from spymaster_tests.evidence.markets import Market

DAY, LEAST = date(2024, 1, 2), Least(0.005, 1.1, 50)
CONTEXT = Context("ES", DAY, Identity("r", "c", "s", "d"), "ESH4", DAY, "real", 1, False, LEAST)


def test_an_order_whose_entry_was_not_seen_is_an_exemplar_without_an_event() -> None:
    market = Market(120, 2).background()
    market.place(np.array([10**9, 2 * 10**9]), np.array([5 * 10**9, 6 * 10**9]), size=10, side=0, filled=60, refills=5)
    day = market.day()
    iceberg = np.flatnonzero(day.lives.refills > 0)
    unseen = day.lives.event_add.copy()
    unseen[iceberg[0]] = -1
    day = replace(day, lives=replace(day.lives, event_add=unseen))
    bids = Stratum(side="B")
    result = icebergs.native(day, bids, Streams(1, "E6"))
    judged = [Judged(result, bids, 0, 0, None, None, False)]
    rel = pl.Series(np.arange(len(day.messages.ts)) % 7, dtype=pl.Int32)
    rows = AlgoExemplar.validate(exemplar_rows(CONTEXT, day, judged, rel)).sort("ts_event")
    assert rows["event_id"].is_null().to_list() == [True, False]
    assert rows["rel_ticks"].is_null().to_list() == [True, False]
    place = int(np.flatnonzero(day.messages.event == rows["event_id"][1])[0])
    assert rows["rel_ticks"][1] == place % 7
    assert day.messages.order[place] == rows["order_id"][1]
    tests = AlgoTest.validate(result_rows(CONTEXT, day, judged))
    assert tests["verdict"].to_list() == ["fact"]


@pytest.mark.parametrize("note", AGAINST)
def test_a_result_that_its_test_explains_is_written_as_none(note: str) -> None:
    day = Market(120, 2).background().day()
    stratum = Stratum(kind="cancel")
    (result,) = [one for one in lifetimes.run(day, stratum, Streams(1, "E1"), 19) if one.sub_id == "ms"]
    result = replace(result, p_raw=0.001, p_floor=0.001, n_ref=10**6, effect=0.1, effect_lo=0.09, effect_hi=0.11)
    written = [
        AlgoTest.validate(result_rows(CONTEXT, day, [judged(replace(result, notes=notes), stratum)]))
        for notes in ((), ("stage1_only", note))
    ]
    assert [one["verdict"][0] for one in written] == ["weak", "none"]
    assert written[1]["notes"][0].to_list() == ["stage1_only", note, "own_law"]


def judged(result: TestResult, stratum: Stratum) -> Judged:
    return Judged(result, stratum, 0, 1, 0.001, 0.001, False, Halves(20.0, 20.0, True))
