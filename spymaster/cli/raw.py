"""`spymaster raw`: brings market data files into the lake, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root

if TYPE_CHECKING:
    from spymaster.feed.ingest import AddedRaw

app = typer.Typer(help="Raw market data files of the lake.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Raw market data files of the lake."""


@app.command("add")
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="DBN files (.dbn or .dbn.zst).")],
    symbol: Annotated[
        str, typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol that the files belong to.")
    ],
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy DBN files into the lake; product type, table and date come from the files' own metadata.

    A file that is already stored is left alone; a different file of the same name is refused. The lake is created where
    there is none yet.
    """
    from spymaster.cli import output
    from spymaster.errors import SpymasterError
    from spymaster.feed.ingest import add_raw
    from spymaster.lake import Lake
    from spymaster.market.instruments import instrument
    from spymaster.settings import get_settings

    settings = get_settings()
    instrument(symbol, settings)
    opened = Lake.open(lake_root(lake), settings=settings, create=True)
    added: list[dict[str, object]] = []
    failed: list[tuple[Path, SpymasterError]] = []
    with output.progress(unit="file", quiet=as_json) as display:
        task = display.add_task("raw files", total=len(files))
        for path in files:
            display.update(task, description=path.name)
            try:
                added.append(_report(path, add_raw(opened, path, symbol)))
            except SpymasterError as error:
                failed.append((path, error))
            display.advance(task)
    if as_json:
        problems = [{"file": str(path), "error": type(error).__name__, "message": str(error)} for path, error in failed]
        output.print_json({"lake": str(opened.root), "added": added, "failed": problems})
    elif added:
        _print_added(f"raw files of {symbol} in {opened.root}", added)
    if failed:
        what = "; ".join(str(error).replace("\n", " ") for _, error in failed)
        raise output.CommandFailedError(f"{len(failed)} of {len(files)} files were not added: {what}")


def _report(path: Path, added: AddedRaw) -> dict[str, object]:
    return {
        "file": path.name,
        "product_type": added.file.product_type,
        "table": added.file.table,
        "date": added.file.dt,
        "state": "already there" if added.already_there else "added",
        "note": added.note,
        "stored_as": added.file.name,
    }


def _print_added(title: str, added: list[dict[str, object]]) -> None:
    from spymaster.cli import output

    columns = ("file", "product_type", "table", "date", "state", "note")
    output.print_table(title, columns, [[row[column] for column in columns] for row in added])
