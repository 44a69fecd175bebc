"""The tests and controls of a stored date anew, at another extent of the controls, for a report alone."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from spymaster.evidence.controls import Extent
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.session import Inputs, other_day, session_tests, with_other_day
from spymaster.lake import Lake
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_law import AlgoLaw
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest
from spymaster.tables.bbo_change import BboChange
from spymaster.tables.book_snapshot_1s import BookSnapshot1s
from spymaster.tables.contract_day_selection import ContractDaySelection
from spymaster.tables.future_definition import FutureDefinition
from spymaster.tables.order_event import OrderEvent
from spymaster.tables.order_life import OrderLife
from spymaster.tables.trade import Trade

_INPUTS = (OrderEvent, OrderLife, Trade, BboChange, BookSnapshot1s)


def rerun(data: ReportData, lake: Lake, controls: Extent) -> ReportData:
    """The data of a report with run, tests, curves, exemplars and controls made anew in memory; nothing is stored.

    What holds over dates, and the intensity, stay as they are stored. Raises `MissingPartitionError` where a table that
    the tests read is not there.
    """
    selection, definitions = (
        lake.partition(model, data.symbol, data.dt) for model in (ContractDaySelection, FutureDefinition)
    )
    lake.partition(AlgoLaw, data.symbol, data.dt)  # the law of the date itself must be among them
    trades, quotes, snapshots = (
        with_other_day(lake.partitions(model, data.symbol, end=data.dt), data.dt, lake.settings)
        for model in (Trade, BboChange, BookSnapshot1s)
    )
    frames = session_tests(
        Inputs(*(lake.partition(model, data.symbol, data.dt) for model in _INPUTS)),
        selection,
        definitions,
        lake.partitions(AlgoLaw, data.symbol, end=data.dt),
        settings=lake.settings,
        profile=lake.profile,
        other=other_day(trades, quotes, snapshots),
        controls=controls,
    )
    every = frames[AlgoTest.name]
    return replace(
        data,
        run=frames[AlgoRun.name].row(0, named=True),
        tests=every.filter(~pl.col("is_negative_control")),
        controls=every.filter("is_negative_control"),
        curves=frames[AlgoCurve.name],
        exemplars=frames[AlgoExemplar.name],
    )
