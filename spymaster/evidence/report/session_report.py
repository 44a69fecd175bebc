"""From stored tables to the files of a report, its row of `gold.evidence_report`, and the index over dates."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path

import polars as pl

from spymaster.evidence.controls import Extent
from spymaster.evidence.errors import ForbiddenWordError
from spymaster.evidence.report import content, markdown, page
from spymaster.evidence.report.blocks import BANNER, Report, Text
from spymaster.evidence.report.gather import ReportData, gather
from spymaster.evidence.report.rerun import rerun
from spymaster.evidence.report.wording import faults
from spymaster.lake import Lake, Partition, files
from spymaster.settings import Settings
from spymaster.tables.algo_contrast import AlgoContrast
from spymaster.tables.algo_curve import AlgoCurve
from spymaster.tables.algo_exemplar import AlgoExemplar
from spymaster.tables.algo_intensity_1s import AlgoIntensity1s
from spymaster.tables.algo_replication import AlgoReplication
from spymaster.tables.algo_run import AlgoRun
from spymaster.tables.algo_test import AlgoTest
from spymaster.tables.candle_2m import Candle2m
from spymaster.tables.evidence_report import EvidenceReport
from spymaster.tables.session_level import SessionLevel

NAME = "evidence"
FOLDER = "reports/evidence"
_OWN = (AlgoRun, AlgoTest, AlgoCurve, AlgoExemplar, AlgoReplication, AlgoIntensity1s)
_BESIDE = (Candle2m, SessionLevel)


@dataclass(frozen=True)
class Rendered:
    """A report in both forms, and the verdicts it came to."""

    html: bytes
    md: bytes
    report: Report


def render(data: ReportData) -> Rendered:
    """Both forms of the report. Raises `ForbiddenWordError` rather than say what may not be said."""
    report = content.build(data)
    html, md = page.render(report), markdown.render(report)
    said = faults(md)
    if said:
        raise ForbiddenWordError(
            f"the report of {data.symbol} {data.dt} would say '{said[0].phrase}' ({said[0].kind}): {said[0].context}",
            hint="The words come from names in the tables or from the templates; nothing was written.",
        )
    return Rendered(html.encode(), md.encode(), report)


def folder(symbol: str, dt: date | None = None, controls: Extent | None = None) -> str:
    """Folder of a date's report, or of the index of a symbol, from the root of the lake.

    A report of tests that were run anew stands beside the stored one, whose bytes `gold.evidence_report` knows.
    """
    inner = "" if dt is None else f"/dt={dt}"
    anew = "" if controls is None else f"/controls={controls}"
    return f"{FOLDER}/symbol={symbol}{inner}{anew}"


def latest(partitions: Sequence[Partition], dt: date, settings: Settings) -> Sequence[Partition]:
    """The last of the partitions at or before the date, alone."""
    return [one for one in partitions if one.dt <= dt][-1:]


def store(root: Path, data: ReportData | None) -> pl.DataFrame:
    """Write both files into the lake and return the row of the table; no row without data."""
    if data is None:
        return EvidenceReport.empty()
    made, inside = render(data), folder(data.symbol, data.dt)
    write(root, root / inside, made, ("html", "md"))
    verdicts = made.report.verdicts
    row = {
        "html_path": f"{inside}/{NAME}.html",
        "md_path": f"{inside}/{NAME}.md",
        "html_sha256": hashlib.sha256(made.html).hexdigest(),
        "md_sha256": hashlib.sha256(made.md).hexdigest(),
        "run_id": data.run["run_id"],
        "contract": data.run["contract"],
        **{f"n_{name}": verdicts[name] for name in ("supported", "weak", "fact", "none")},
        "controls_passed": data.run["controls_passed"],
        "contrast_dt": data.contrast_dt,
        "provenance": data.provenance,
    }
    return pl.DataFrame([row], schema=EvidenceReport.schema())


def write(root: Path | None, inside: Path, made: Rendered, forms: Sequence[str]) -> list[Path]:
    """Write some forms (`html`, `md`) into a folder; durably where it is one of the lake at `root`."""
    written = []
    for form, body in (("html", made.html), ("md", made.md)):
        if form not in forms:
            continue
        target = inside / f"{NAME}.{form}"
        if root is not None:
            files.write_durably(root, target, body)
        else:
            inside.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
        written.append(target)
    return written


def findings(report: Report) -> list[str]:
    """What stands in short at the top of a report, as text."""
    said = [block for block in report.sections[0].blocks if isinstance(block, Text)]
    return [f"{one.words} {one.detail}".strip() for one in said]


def write_index(lake: Lake) -> None:
    """`index.html` and `index.md` of every symbol that has reports: a line per date, the latest first."""
    partitions = lake.partitions(EvidenceReport)
    for symbol in sorted({one.symbol for one in partitions}):
        rows = [(one.dt, one.read().row(0, named=True)) for one in partitions if one.symbol == symbol and one.rows]
        rows.sort(key=lambda row: row[0], reverse=True)
        inside = lake.root / folder(symbol)
        files.write_durably(lake.root, inside / "index.html", _index_page(symbol, rows).encode())
        files.write_durably(lake.root, inside / "index.md", _index_text(symbol, rows).encode())


_HEADS = ("date", "contract", "supported", "weak", "facts", "nothing found", "controls")
_CONTROLS = {None: "not run", True: "passed", False: "failed"}


def _line(row: dict) -> tuple[str, ...]:
    counts = (f"{row[f'n_{name}']}" for name in ("supported", "weak", "fact", "none"))
    return (row["contract"], *counts, _CONTROLS[row["controls_passed"]])


def _index_page(symbol: str, rows: Sequence[tuple[date, dict]]) -> str:
    simulated = any(row["provenance"] == "simulated" for _, row in rows)
    banner = f'<div class="banner" role="note">{escape(BANNER)}</div>' if simulated else ""
    heads = "".join(f'<th scope="col"{page.NUMBER if 1 < k < 6 else ""}>{head}</th>' for k, head in enumerate(_HEADS))
    lines = "".join(
        f'<tr><td><a href="dt={dt}/{NAME}.html">{dt}</a></td>'
        + "".join(f"<td{page.NUMBER if 0 < k < 5 else ''}>{escape(cell)}</td>" for k, cell in enumerate(_line(row)))
        + "</tr>"
        for dt, row in rows
    )
    title = f"Evidence of automation, {escape(symbol)}"
    body = f"<section><table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></section>"
    return page.document(title, f"{banner}<main><h1>{title}</h1>{body}</main>")


def _index_text(symbol: str, rows: Sequence[tuple[date, dict]]) -> str:
    lines = [f"| [{dt}](dt={dt}/{NAME}.md) | {' | '.join(_line(row))} |" for dt, row in rows]
    simulated = [f"> **{BANNER}**", ""] if any(row["provenance"] == "simulated" for _, row in rows) else []
    heads = [f"| {' | '.join(_HEADS)} |", "|---|---|---:|---:|---:|---:|---|"]
    return "\n".join([f"# Evidence of automation, {symbol}", "", *simulated, *heads, *lines, ""])


def data_of(lake: Lake, symbol: str, dt: date, *, version: str, controls: Extent | None = None) -> ReportData | None:
    """What a report of a stored date is made from; None for a date without seconds.

    controls: how much of the date its negative controls take; given, its tests and controls are run anew (`rerun`).
    Raises `MissingPartitionError` where a table of the search is not there. The others may be absent.
    """
    run, tests, curves, exemplars, replication, intensity = (lake.partition(model, symbol, dt) for model in _OWN)
    contrasts = latest(lake.partitions(AlgoContrast, symbol, end=dt), dt, lake.settings)
    candles, levels = (lake.partition(model, symbol, dt) if lake.has(model, symbol, dt) else None for model in _BESIDE)
    data = gather(
        run, tests, curves, exemplars, replication, intensity, contrasts, candles, levels,
        settings=lake.settings, version=version,
    )  # fmt: skip
    return data if data is None or controls is None else rerun(data, lake, controls)
