"""What a report says, in a fixed order of sections.

What was not found is said as well as what was: a report without a null result has left something out.
"""

from __future__ import annotations

import polars as pl

from spymaster.evidence.report import groups, overview, sections
from spymaster.evidence.report.blocks import Report
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.results import results_of
from spymaster.evidence.report.section_of_test import section_of_test
from spymaster.tables.algo_test import TEST_IDS


def build(data: ReportData) -> Report:
    """The report of a date."""
    results = [results_of(data, test) for test in TEST_IDS]
    told = (
        overview.in_short(data, results),
        overview.all_tests(data, results),
        *(section_of_test(data, one) for one in results),
        sections.intensity(data),
        sections.joining(data),
        sections.controls(data),
        sections.limits(),
        sections.appendix(data),
    )
    verdicts = groups.counts(pl.concat([one.rows for one in results]))
    title = f"Evidence of automation, {data.run['contract']}, {data.dt}"
    return Report(title, data.provenance == "simulated", told, verdicts, data.run["controls_passed"])
