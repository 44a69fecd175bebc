"""What commands print: results on stdout, progress and errors on stderr, one JSON document with `--json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spymaster.errors import SpymasterError

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console, RenderableType
    from rich.progress import Progress


class CommandFailedError(SpymasterError):
    """The command did its work and part of it failed; the message is the one-line summary of what and where.

    The command has already printed its result, so only the summary is left to say.
    """


def stdout() -> Console:
    """Console of results; wide enough for tables when it is not a terminal."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def stderr() -> Console:
    """Console of progress and errors."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else 160)


def print_json(document: Any) -> None:
    """One JSON document on stdout; dates, paths and enumerations as text."""
    sys.stdout.write(json.dumps(document, default=str, indent=2, ensure_ascii=False) + "\n")


def print_rendered(*parts: RenderableType) -> None:
    """Rich text or tables on stdout."""
    console = stdout()
    for part in parts:
        console.print(part)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """A table on stdout; the columns named in `right` hold numbers."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(text_of(cell)) for cell in row))
    print_rendered(table)


def exact_times(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Timestamps as ISO text with all nine digits; Python's own lose the nanoseconds."""
    import polars as pl

    return frame.with_columns(pl.selectors.datetime().dt.to_string("%Y-%m-%dT%H:%M:%S%.9fZ"))


def type_text(dtype: object) -> str:
    """A Polars type in few words: `Datetime ns UTC`, `Enum B A N`, `Int64`."""
    import polars as pl

    match dtype:
        case pl.Datetime():
            return f"Datetime {dtype.time_unit} {dtype.time_zone or ''}".strip()
        case pl.Enum():
            return f"Enum {' '.join(dtype.categories)}"
        case _:
            return str(dtype)


def text_of(value: object) -> str:
    """How a value reads in a table: thousands separated, floats to six digits, nothing for None."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.6g}"
        case _:
            return str(value)


def print_error(error: SpymasterError, *, as_json: bool) -> None:
    """Message and hint on stderr; with `--json` also as a document, unless the command has printed its own."""
    from rich.text import Text

    message = Exception.__str__(error)
    if as_json and not isinstance(error, CommandFailedError):
        print_json({"error": {"type": type(error).__name__, "message": message, "hint": error.hint}})
    sys.stdout.flush()
    console = stderr()
    console.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)
    if error.hint:
        console.print(Text(f"  {error.hint}"), soft_wrap=True)


@contextmanager
def progress(*, unit: str, quiet: bool) -> Iterator[Progress]:
    """A progress display on stderr: done, total, rate, time elapsed and left; silent with `--json`."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        """Steps per second so far."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.1f} {unit}/s")

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=stderr(),
        transient=sys.stderr.isatty(),
        disable=quiet,
    ) as display:
        yield display
