"""`spymaster status`: what the lake holds, what is stale and why, and what could be made from the raw files."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from spymaster.cli.options import DATES_HELP, JsonOption, LakeOption, SymbolsOption, lake_root, parse_dates

if TYPE_CHECKING:
    from spymaster.lake import Lake
    from spymaster.lake.raw import RawFile
    from spymaster.lake.status import PartitionStatus

SHOWN = 10


def status(
    symbols: SymbolsOption = None,
    dates: Annotated[str | None, typer.Option("--dates", help=DATES_HELP)] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count complete, stale and missing partitions per table, and the raw files.

    A partition counts as missing on dates that have a raw file or any partition of the symbol; of a table that a range
    of dates makes for its last one only, on the last of them.
    """
    from spymaster.cli import output
    from spymaster.lake import Lake
    from spymaster.lake.raw import all_raw_files

    first, last = parse_dates(dates, option="--dates")
    opened = Lake.open(lake_root(lake))
    raw = [
        file
        for file in all_raw_files(opened)
        if (not symbols or file.symbol in symbols) and (first or file.dt) <= file.dt <= (last or file.dt)
    ]
    days = _dates(opened, raw, symbols, first, last)
    states = _states(opened, days, quiet=as_json)
    if as_json:
        output.print_json(
            {
                "lake": str(opened.root),
                "kind": opened.kind,
                "profile": opened.profile,
                "raw": [_raw_record(file) for file in raw],
                "partitions": [
                    {"table": s.table, "symbol": s.symbol, "dt": s.dt, "state": s.state, "reasons": list(s.reasons)}
                    for s in states
                ],
            }
        )
        return
    output.stdout().print(f"{opened.root}: {opened.kind or 'empty'} lake, profile {opened.profile}\n", soft_wrap=True)
    _print_raw(raw)
    _print_states(states)


def _dates(
    lake: Lake, raw: list[RawFile], symbols: list[str] | None, first: date | None, last: date | None
) -> dict[str, list[date]]:
    """Dates of each symbol on which a partition exists or could."""
    from spymaster.tables import all_tables

    found: dict[str, set[date]] = defaultdict(set)
    for file in raw:
        if file.table == "market_by_order_dbn" and file.dt.weekday() < 5:
            found[file.symbol].add(file.dt)
    for table in all_tables():
        for partition in lake.partitions(table, start=first, end=last):
            if not symbols or partition.symbol in symbols:
                found[partition.symbol].add(partition.dt)
    return {symbol: sorted(found[symbol]) for symbol in sorted(found)}


def _states(lake: Lake, days: dict[str, list[date]], *, quiet: bool) -> list[PartitionStatus]:
    from spymaster.cli import output
    from spymaster.lake.status import due, lake_status

    states: list[PartitionStatus] = []
    with output.progress(unit="date", quiet=quiet) as display:
        task = display.add_task("partitions", total=sum(len(dates) for dates in days.values()))
        for symbol, dates in days.items():
            for dt in dates:
                states += lake_status(lake, [symbol], [dt])
                display.advance(task)
    return due(states)


def _raw_record(file: RawFile) -> dict[str, object]:
    return {
        "symbol": file.symbol,
        "product_type": file.product_type,
        "table": file.table,
        "dt": file.dt,
        "file": file.name,
        "bytes": file.path.stat().st_size,
        "has_partition": file.dt.weekday() < 5,
    }


def _print_raw(raw: list[RawFile]) -> None:
    from spymaster.cli import output

    groups: dict[tuple[str, str, str], list[RawFile]] = defaultdict(list)
    for file in raw:
        groups[file.symbol, file.product_type, file.table].append(file)
    rows = [
        (
            *key,
            len(files),
            min(file.dt for file in files),
            max(file.dt for file in files),
            sum(file.path.stat().st_size for file in files) / 1e6,
            sum(file.dt.weekday() >= 5 for file in files) or None,
        )
        for key, files in sorted(groups.items())
    ]
    columns = ("symbol", "product type", "table", "files", "first", "last", "MB", "weekend (no partition)")
    output.print_table("raw files", columns, rows, right=("files", "MB", "weekend (no partition)"))


def _print_states(states: list[PartitionStatus]) -> None:
    from spymaster.cli import output

    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in states:
        counts[one.table, one.symbol][one.state] += 1
    rows = [
        (table, symbol, count["complete"], count["stale"], count["missing"])
        for (table, symbol), count in counts.items()
    ]
    columns = ("table", "symbol", "complete", "stale", "missing")
    output.print_table("partitions", columns, rows, right=columns[2:])
    stale = [one for one in states if one.state == "stale"]
    if stale:
        shown = [(f"{one.table} {one.symbol} {one.dt}", "; ".join(one.reasons)) for one in stale[:SHOWN]]
        output.print_table(f"stale ({len(stale):,}, first {len(shown)})", ("partition", "because"), shown)
