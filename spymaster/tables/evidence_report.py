"""`gold.evidence_report`: where the report of a date is, and what it came to."""

from __future__ import annotations

import polars as pl

from spymaster.tables.model import Column, Invariant, TableModel
from spymaster.tables.types import PROVENANCE


class EvidenceReport(TableModel):
    """One row per date: the files of its report, and findings by verdict. A date without seconds has no row.

    The files are made from this date's tables of the search for automation, and the latest answers of algo_contrast at
    or before it.
    """

    layer = "gold"
    name = "evidence_report"
    key = ("html_path",)
    parameters = ("evidence",)

    html_path = Column(pl.String, "the page, from the root of the lake")
    md_path = Column(pl.String, "the same as Markdown, from the root of the lake")
    html_sha256 = Column(pl.String, "SHA-256 of the page")
    md_sha256 = Column(pl.String, "SHA-256 of the Markdown file")
    run_id = Column(pl.String, "as in algo_run")
    contract = Column(pl.String, "the selected contract of the date")
    n_supported = Column(pl.Int32, "tested groups whose best verdict is supported", ge=0)
    n_weak = Column(pl.Int32, "tested groups whose best verdict is weak", ge=0)
    n_fact = Column(pl.Int32, "groups with a fact: an effect above 0 that needs no test", ge=0)
    n_none = Column(pl.Int32, "tested groups where nothing was found", ge=0)
    controls_passed = Column(pl.Boolean, "as in algo_run; null where none were run", nullable=True)
    contrast_dt = Column(pl.Date, "date of the algo_contrast that is shown; null without one", nullable=True)
    provenance = Column(PROVENANCE, "real or simulated data")

    invariants = (
        Invariant(
            "both_in_one_folder",
            "html_path and md_path differ in their ending only",
            lambda pl: pl.col("html_path").str.strip_suffix(".html") == pl.col("md_path").str.strip_suffix(".md"),
        ),
    )
