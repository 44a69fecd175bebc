"""`spymaster evidence`: the report of a date, from the tables that the lake has."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root

MISSING, CONTROL_FAILED = 4, 5
"""Exit codes beside 0: a table that is not there; a negative control of the date failed (the report is written)."""


class Form(StrEnum):
    """Forms of a report."""

    HTML = "html"
    MD = "md"


class Controls(StrEnum):
    """How much of a date its negative controls take."""

    NONE = "none"
    SAMPLE = "sample"
    FULL = "full"


def evidence(
    symbol: Annotated[str, typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol such as ES.")],
    dt: Annotated[str, typer.Option("--dt", metavar="DATE", help="Date, YYYY-MM-DD.")],
    form: Annotated[str, typer.Option("--format", metavar="FORMS", help="html, md, or both.")] = "html,md",
    controls: Annotated[
        Controls | None,
        typer.Option(
            help="Run tests and negative controls anew, these on nothing, the busiest hour, or all of the date.",
            show_default="as they are stored",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write here.", show_default="the lake's reports")
    ] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the report of a date and say what it found.

    The tests are run by `spymaster run`; this reads what it stored. With --controls they are run anew, which takes as
    long as it did there, and the report is written beside the stored one; no table changes. Exit codes: 0 done,
    4 a table that is not there, 5 a negative control of the date failed, so that none of its verdicts counts.
    """
    from spymaster import __version__
    from spymaster.cli import output
    from spymaster.evidence.report import session_report
    from spymaster.lake import Lake
    from spymaster.lake.errors import MissingPartitionError

    opened, day, forms = Lake.open(lake_root(lake)), _date(dt), _forms(form)
    extent = None if controls is None else controls.value
    try:
        data = session_report.data_of(opened, symbol, day, version=__version__, controls=extent)
    except MissingPartitionError as error:
        output.print_error(error, as_json=as_json)
        raise typer.Exit(MISSING) from None
    if data is None:
        message = f"{symbol} {dt} has no messages, and no report"
        output.print_json({"symbol": symbol, "dt": dt, "files": []}) if as_json else output.stdout().print(message)
        return
    made = session_report.render(data)
    folder = out if out is not None else opened.root / session_report.folder(symbol, day, extent)
    files = session_report.write(opened.root if out is None else None, folder, made, forms)
    lines = session_report.findings(made.report)
    if as_json:
        output.print_json(
            {
                "symbol": symbol, "dt": dt, "provenance": data.provenance, "verdicts": made.report.verdicts,
                "controls_passed": made.report.controls_passed, "findings": lines, "files": files,
            }
        )  # fmt: skip
    else:
        for line in lines:
            output.stdout().print(line)
        for file in files:
            output.stdout().print(str(file))
    if made.report.controls_passed is False:
        raise typer.Exit(CONTROL_FAILED)


def _date(text: str):
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a date (2026-01-06)", param_hint="--dt") from None


def _forms(text: str) -> list[str]:
    forms = [part.strip() for part in text.split(",") if part.strip()]
    if not forms or any(one not in list(Form) for one in forms):
        raise typer.BadParameter(f"'{text}' is not html, md or html,md", param_hint="--format")
    return forms
