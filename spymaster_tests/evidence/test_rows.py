"""Results as rows: exemplars are what the day has, and what nobody saw is null."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from spymaster.evidence import icebergs
from spymaster.evidence.families import Judged
from spymaster.evidence.identity import Identity
from spymaster.evidence.rows import Context, exemplar_rows, result_rows
from spymaster.evidence.strata import Stratum
from spymaster.evidence.streams import Streams
from spymaster.evidence.verdicts import Least
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_test import AlgoTest
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
