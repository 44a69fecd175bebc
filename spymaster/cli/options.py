"""Options that several commands share, and how their values are read.

Nothing heavy is imported here: `spymaster --help` pays for this module.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

LakeOption = Annotated[
    str | None,
    typer.Option("--lake", metavar="ROOT", help="Root of the lake.", show_default="SPYMASTER_LAKE_ROOT, else lake"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
SymbolsOption = Annotated[
    list[str] | None, typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol such as ES; may be repeated.")
]

DATES_HELP = "One date, or an inclusive range FIRST:LAST; an open end takes what is there."


def lake_root(value: str | None) -> Path:
    """The lake root of a command: `--lake`, else the settings (environment, `spymaster.toml`, default)."""
    if value:
        return Path(value).expanduser().absolute()
    from spymaster.settings import get_settings

    return Path(get_settings().lake_root).expanduser().absolute()


def parse_date(text: str, *, option: str) -> date:
    """An ISO date; anything else is a usage error that names the option."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a date (YYYY-MM-DD)", param_hint=option) from None


def parse_dates(text: str | None, *, option: str) -> tuple[date | None, date | None]:
    """First and last date of `2025-10-01`, `2025-10-01:2026-01-08`, `2025-10-01:` or `:2026-01-08`."""
    if text is None:
        return None, None
    head, colon, tail = text.partition(":")
    first = parse_date(head, option=option) if head.strip() else None
    if not colon:
        if first is None:
            raise typer.BadParameter("an empty date", param_hint=option)
        return first, first
    last = parse_date(tail, option=option) if tail.strip() else None
    if first and last and last < first:
        raise typer.BadParameter(f"the range ends ({last}) before it starts ({first})", param_hint=option)
    return first, last
