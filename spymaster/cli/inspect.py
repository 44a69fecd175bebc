"""`spymaster inspect`: looks into files and partitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spymaster.cli.options import JsonOption, LakeOption, lake_root, parse_date

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import polars as pl

    from spymaster.cli.census import InstrumentCensus
    from spymaster.cli.ladder import Ladder
    from spymaster.lake import Manifest

app = typer.Typer(help="Look into files and partitions.", no_args_is_help=True)

MAX_INSTRUMENTS = 20
WIDE = 10
"""Tables with more columns than this are shown one column per line."""

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A DBN file of schema mbo.")]
SymbolOption = Annotated[str | None, typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol such as ES.")]
DateOption = Annotated[
    str | None, typer.Option("--dt", metavar="DATE", help="Date of the partition.", show_default="latest")
]


@app.command("flags")
def flags(file: FileArgument, as_json: JsonOption = False) -> None:
    """Count the actions, flags, events and times of an MBO file.

    A damaged file is counted up to the damage, which is then reported.
    """
    from spymaster.cli import output
    from spymaster.cli.census import census, total
    from spymaster.errors import SpymasterError
    from spymaster.feed.reader import MboFile

    opened = MboFile.open(file)
    counted: dict[int, InstrumentCensus] = {}
    fault: SpymasterError | None = None
    with output.progress(unit="record", quiet=as_json) as display:
        task = display.add_task(file.name, total=None)

        def watched() -> Iterable[np.ndarray]:
            for chunk in opened.chunks():
                yield chunk
                display.advance(task, len(chunk))

        try:
            census(watched(), counted)
        except SpymasterError as error:
            fault = error
    instruments = sorted(counted.values(), key=lambda one: -one.records)
    names = opened.metadata.symbols
    if as_json:
        document = {
            "file": str(file),
            "metadata": {name: value for name, value in vars(opened.metadata).items() if name != "symbols"},
            "total": _census_record(total(instruments)),
            "instruments": {names[one.instrument_id]: _census_record(one) for one in instruments},
        }
        if fault is not None:
            document["error"] = {"type": type(fault).__name__, "message": str(fault)}
        output.print_json(document)
    else:
        _print_census(file, opened.metadata, total(instruments), instruments, names)
    if fault is not None:
        raise output.CommandFailedError(str(fault))


@app.command("book")
def book(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="A DBN file; without it the lake's future_mbo.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="UTC time, 14:30:00 or ISO.", show_default="end of the file"),
    ] = None,
    contract: Annotated[str | None, typer.Option("--contract", help="Contract such as ESH4.")] = None,
    levels: Annotated[int, typer.Option("--levels", "-n", min=1, help="Levels per side.")] = 10,
    symbol: SymbolOption = None,
    dt: DateOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the order book of a contract at a moment: every event before it has been applied."""
    from spymaster.cli import output
    from spymaster.cli.book_source import from_file, from_lake
    from spymaster.cli.ladder import ladder_at, parse_time

    if file is not None:
        source = from_file(file, symbol, contract)
    else:
        day = None if dt is None else parse_date(dt, option="--dt")
        source = from_lake(lake_root(lake), symbol, day, contract)
    try:
        at_ns = None if at is None else parse_time(at, source.dt)
    except ValueError:
        raise typer.BadParameter(
            f"'{at}' is not a time (14:30:00, or 2023-12-25T14:30:00)", param_hint="--at"
        ) from None
    with output.progress(unit="record", quiet=as_json) as display:
        task = display.add_task(source.contract, total=None)

        def watched() -> Iterable[np.ndarray]:
            for chunk in source.chunks:
                yield chunk
                display.advance(task, len(chunk))

        ladder = ladder_at(
            watched(),
            instrument_id=source.instrument_id,
            tick_size_int=source.tick_size_int,
            at_ns=at_ns,
            levels=levels,
        )
    _print_ladder(ladder, source.contract, at_ns, as_json=as_json)


@app.command("table")
def table(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="Table, e.g. silver.trade or trade.")],
    symbol: SymbolOption = None,
    dt: DateOption = None,
    rows: Annotated[int, typer.Option("--rows", "-n", min=1, help="Rows to show.")] = 5,
    tail: Annotated[bool, typer.Option("--tail", help="The last rows instead of the first.")] = False,
    columns: Annotated[str | None, typer.Option("--columns", help="Only these columns, comma-separated.")] = None,
    describe: Annotated[bool, typer.Option("--describe", help="Nulls, minimum, mean and maximum per column.")] = False,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show rows of a partition, or describe its columns."""
    from spymaster.cli import output
    from spymaster.cli.pick import pick
    from spymaster.lake import Lake

    opened = Lake.open(lake_root(lake))
    partition = pick(opened, name, symbol, None if dt is None else parse_date(dt, option="--dt"))
    wanted = [part.strip() for part in columns.split(",")] if columns else None
    frame = partition.scan(wanted)
    title = f"{partition.label}: {partition.rows:,} rows"
    if describe:
        _print_description(frame, partition.table, title, as_json=as_json)
        return
    shown = output.exact_times(frame.tail(rows) if tail else frame.head(rows)).collect()
    if as_json:
        output.print_json({"partition": partition.label, "rows": partition.rows, "shown": shown.to_dicts()})
    elif shown.width > WIDE:
        numbers = [f"row {i}" for i in (range(partition.rows - shown.height, partition.rows) if tail else range(rows))]
        lines = [(column, *values) for column, values in zip(shown.columns, shown.iter_columns(), strict=True)]
        output.print_table(title, ("column", *numbers[: shown.height]), lines)
    else:
        output.print_table(title, shown.columns, shown.iter_rows())


@app.command("manifest")
def manifest(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="Table, e.g. silver.trade or trade.")],
    symbol: SymbolOption = None,
    dt: DateOption = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a partition was made from: inputs, parameters, counters, provenance."""
    from spymaster.cli import output
    from spymaster.cli.pick import pick
    from spymaster.lake import Lake

    opened = Lake.open(lake_root(lake))
    partition = pick(opened, name, symbol, None if dt is None else parse_date(dt, option="--dt"))
    if as_json:
        output.print_json(partition.manifest.as_dict())
    else:
        _print_manifest(partition.manifest)


def _census_record(one: InstrumentCensus) -> dict[str, Any]:
    from spymaster.cli.census import FLAGS, time_text

    letters = "ACMRTFN"
    parts = ("live", "snapshot")
    return {
        "records": one.records,
        "snapshot_records": one.snapshot,
        "live_records": one.live,
        "events": one.events,
        "snapshots": one.snapshots,
        "actions": {letter: one.of_action(letter) for letter in letters},
        "actions_by_part": {
            part: {letter: int(one.actions[i, ord(letter)]) for letter in letters} for i, part in enumerate(parts)
        },
        "flags": {name: int(one.flags[:, i].sum()) for i, name in enumerate(FLAGS)},
        "flags_by_part": {
            part: {name: int(one.flags[p, i]) for i, name in enumerate(FLAGS)} for p, part in enumerate(parts)
        },
        "first_live_ts_event": time_text(one.first_live),
        "last_live_ts_event": time_text(one.last_live),
        "first_ts_recv": time_text(one.first_recv),
        "last_ts_recv": time_text(one.last_recv),
    }


def _print_census(file: Path, metadata, whole: InstrumentCensus, instruments, names: dict[int, str]) -> None:
    from spymaster.cli import output
    from spymaster.cli.census import FLAGS, time_text

    out = output.stdout()
    kind = "simulated" if metadata.simulated else "real"
    out.print(f"{file}: DBN version {metadata.version}, {metadata.dataset} ({kind}), {metadata.dt}", soft_wrap=True)
    out.print(f"live    {time_text(whole.first_live) or 'none'} .. {time_text(whole.last_live) or 'none'}")
    out.print(f"received {time_text(whole.first_recv) or 'none'} .. {time_text(whole.last_recv) or 'none'}")
    out.print(f"{whole.events:,} closed live events, {whole.snapshots:,} snapshots\n")
    counted = ("live", "snapshot", "all")
    actions = [
        (name, int(whole.actions[0, ord(letter)]), int(whole.actions[1, ord(letter)]), whole.of_action(letter))
        for letter, name in zip(
            "ACMRTFN", ("A add", "C cancel", "M modify", "R clear", "T trade", "F fill", "N none"), strict=True
        )
    ]
    actions.append(("all", whole.live, whole.snapshot, whole.records))
    output.print_table("actions", ("action", *counted), actions, right=counted)
    flag_rows = [
        (name, int(whole.flags[0, i]), int(whole.flags[1, i]), int(whole.flags[:, i].sum()))
        for i, name in enumerate(FLAGS)
    ]
    output.print_table("flags", ("flag", *counted), flag_rows, right=counted)
    if len(instruments) > 1:
        columns = ("contract", "id", "records", "snapshot", "events", "trades")
        rows = [
            (
                names[one.instrument_id],
                str(one.instrument_id),
                one.records,
                one.snapshot,
                one.events,
                one.of_action("T"),
            )
            for one in instruments[:MAX_INSTRUMENTS]
        ]
        title = f"instruments ({len(instruments):,}, the {len(rows)} largest)"
        output.print_table(title, columns, rows, right=columns[2:])


def _print_ladder(ladder: Ladder, contract: str, at_ns: int | None, *, as_json: bool) -> None:
    from spymaster.cli import output
    from spymaster.cli.census import time_text

    if as_json:
        sides = {
            side: [
                {"price_int": price, "price": price / 1e9, "qty": qty, "orders": orders} for price, qty, orders in rows
            ]
            for side, rows in (("bids", ladder.bids), ("asks", ladder.asks))
        }
        last = time_text(ladder.last_event_ns)
        output.print_json(
            {"contract": contract, "at": time_text(at_ns), "last_event": last, **sides, "counters": ladder.counters}
        )
        return
    asks = [(None, None, f"{price / 1e9:,.9g}", qty, orders) for price, qty, orders in reversed(ladder.asks)]
    bids = [(orders, qty, f"{price / 1e9:,.9g}", None, None) for price, qty, orders in ladder.bids]
    columns = ("bid orders", "bid qty", "price", "ask qty", "ask orders")
    moment = f"before {time_text(at_ns)}" if at_ns is not None else "at the end"
    output.print_table(f"{contract} {moment}", columns, [*asks, *bids], right=columns)
    last = time_text(ladder.last_event_ns)
    output.stdout().print(f"last live event applied: {last}" if last else "no live event applied yet")


def _print_description(frame: pl.LazyFrame, table_name: str, title: str, *, as_json: bool) -> None:
    import polars as pl

    from spymaster.cli import output
    from spymaster.tables import table as table_model

    columns = table_model(table_name).columns
    schema = frame.collect_schema()
    wanted = []
    for name, dtype in schema.items():
        ordered = dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean
        wanted += [
            pl.col(name).null_count().alias(f"{name}/nulls"),
            (pl.col(name).min() if ordered else pl.col(name).cast(pl.String).min()).alias(f"{name}/min"),
            (pl.col(name).mean() if dtype.is_numeric() or dtype == pl.Boolean else pl.lit(None)).alias(f"{name}/mean"),
            (pl.col(name).max() if ordered else pl.col(name).cast(pl.String).max()).alias(f"{name}/max"),
        ]
    values = output.exact_times(frame.select(wanted)).collect(engine="streaming").row(0, named=True)
    rows = [
        {"column": name, "unit": columns[name].unit}
        | {what: values[f"{name}/{what}"] for what in ("nulls", "min", "mean", "max")}
        for name in schema
    ]
    if as_json:
        output.print_json({"partition": title.split(":")[0], "columns": rows})
    else:
        output.print_table(title, tuple(rows[0]), [tuple(row.values()) for row in rows], right=("nulls", "mean"))


def _print_manifest(found: Manifest) -> None:
    from spymaster.cli import output

    facts = {
        name: value
        for name, value in found.as_dict().items()
        if name not in ("inputs", "parameters", "counters", "notes") and value is not None
    }
    output.print_table(
        f"{found.table} {found.symbol} {found.dt}",
        ("fact", "value"),
        [(name, " .. ".join(value) if isinstance(value, list) else str(value)) for name, value in facts.items()],
    )
    if found.inputs:
        rows = [(one.kind, one.name, one.content_hash[:16]) for one in found.inputs]
        output.print_table("inputs", ("kind", "name", "content hash"), rows)
    for title, values in (("parameters", found.parameters), ("counters", found.counters), ("notes", found.notes)):
        if values:
            output.print_table(title, ("name", "value"), list(_flat(values)))


def _flat(values: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
