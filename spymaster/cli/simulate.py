"""`spymaster simulate`: writes a simulated market into a lake of its own.

Exit codes beyond the usual ones: 5 an acceptance target was missed (the files are kept), 6 refused (the lake holds real
data, or a raw file would have to change).
"""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from spymaster.cli.options import JsonOption, parse_dates

if TYPE_CHECKING:
    from spymaster.simulator.acceptance import Target
    from spymaster.simulator.acceptance.portrait import Portrait
    from spymaster.simulator.request import Plan
    from spymaster.simulator.simulate import Run

MISSED, REFUSED = 5, 6
DEFAULT_LAKE = Path("lake") / "demo"

PresetName = Literal["ci", "demo", "rth", "full_day"]
PriceModeName = Literal["emergent", "walk"]
VolumeName = Literal["q10", "q50", "q90"]
OptionsName = Literal["on", "off"]
ClosingFormName = Literal["last", "sentinel", "mixed"]
ScenarioName = Literal["background", "pm_high", "break", "reject", "chop", "agents", "full", "mixed"]
SnapshotFormName = Literal["clear_terminated", "plain_terminated", "plain_unterminated"]
CompressionName = Literal["zstd", "none"]


app = typer.Typer(invoke_without_command=True)


@app.callback(invoke_without_command=True)
def simulate(
    context: typer.Context,
    symbol: Annotated[str, typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol.")] = "ES",
    dates: Annotated[
        str | None, typer.Option("--dates", metavar="DATES", help="One date or FIRST:LAST.", show_default="of preset")
    ] = None,
    preset: Annotated[PresetName, typer.Option(help="Span and size of the days.")] = "demo",
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another market.")] = 7,
    profile: Annotated[
        str | None,
        typer.Option(metavar="es|cl|FILE.toml", help="Numbers of the market.", show_default="by root"),
    ] = None,
    price_mode: Annotated[PriceModeName, typer.Option(help="Prices from the queues, or a random walk.")] = ("emergent"),
    volume: Annotated[VolumeName, typer.Option(help="Size of a full_day.")] = "q50",
    messages: Annotated[int | None, typer.Option(min=1_000, help="Messages of the main date.")] = None,
    options: Annotated[OptionsName, typer.Option(help="Options on the future too (ES).")] = "on",
    closing_form: Annotated[ClosingFormName, typer.Option(help="F_LAST on the last record, or on one of its own.")] = (
        "last"
    ),
    closing_switch: Annotated[
        str, typer.Option(metavar="HH:MM", help="New York time from which a mixed file has records of their own.")
    ] = "10:00",
    publisher_bit: Annotated[bool, typer.Option("--publisher-bit/--no-publisher-bit", help="As in older files.")] = (
        False
    ),
    snapshot_form: Annotated[SnapshotFormName, typer.Option(help="Head of the file.")] = ("clear_terminated"),
    fifo_slip: Annotated[float, typer.Option(min=0, max=1, help="Share of fills that skip one order.")] = 0.0,
    dbn_version: Annotated[int, typer.Option(min=1, max=3, help="Version of the order file.")] = 3,
    compress: Annotated[CompressionName, typer.Option(help="Compression of the order file.")] = "zstd",
    agents: Annotated[
        str,
        typer.Option(metavar="none|reference|FILE.toml", help="Planted participants; the truth names their orders."),
    ] = "none",
    faults: Annotated[
        str, typer.Option(metavar="none|FILE.toml", help="Faults to make in the order files; the truth lists them.")
    ] = "none",
    weekend_files: Annotated[
        bool, typer.Option("--weekend-files/--no-weekend-files", help="Sunday evenings between the dates too.")
    ] = False,
    scripts: Annotated[
        str,
        typer.Option(metavar="none|pm_high|g6|decoys|FILE.toml", help="Planted scenes, told in the truth."),
    ] = "none",
    scenario: Annotated[
        ScenarioName | None, typer.Option(help="Agents and scripts together.", show_default="of preset")
    ] = None,
    lake: Annotated[Path, typer.Option("--lake", metavar="ROOT", help="Root of a lake for simulated data.")] = (
        DEFAULT_LAKE
    ),
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Another market for the pictures: a portrait (.json) or a DBN file of orders.",
        ),
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Say what would be written, and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate futures and their options order by order: DBN files, the truth about them, and a report.

    What it writes carries its own data set name and can never pass as real; it goes to a lake of its own. Raw files are
    never replaced: another seed needs another lake.
    """
    if context.invoked_subcommand is not None:
        return
    from spymaster.cli import output
    from spymaster.simulator.errors import SimulationRefusedError, SimulationRequestError, SimulatorConfigError
    from spymaster.simulator.request import Request, plan, session_dates

    first, last = parse_dates(dates, option="--dates")
    try:
        request = Request(
            symbol=symbol,
            dates=(
                session_dates(first or last, last or first, symbol, weekend_files=weekend_files)
                if first and last
                else ()
            ),
            preset=preset,
            seed=seed,
            profile=profile or "",
            price_mode=price_mode,
            volume=volume,
            closing_form=closing_form,
            closing_switch=_wall_time(closing_switch),
            publisher_bit=publisher_bit,
            snapshot_form=snapshot_form,
            fifo_slip=fifo_slip,
            dbn_version=dbn_version,
            compression="zstd" if compress == "zstd" else None,
            messages=messages,
            agents=agents,
            faults=faults,
            weekend_files=weekend_files,
            scripts=scripts,
            scenario=scenario or "",
            options=options == "on",
        )
        planned = plan(request)
    except (SimulationRequestError, SimulatorConfigError) as error:
        raise typer.BadParameter(str(error)) from None
    if plan_only:
        _print_plan(planned, lake, as_json=as_json)
        return
    beside = _reference(reference, symbol)
    try:
        run, targets = run_plan(planned, lake, quiet=as_json, reference=beside)
    except SimulationRefusedError as error:
        output.print_error(error, as_json=as_json)
        raise typer.Exit(REFUSED) from None
    print_run(run, targets, as_json=as_json)
    if any(one.verdict == "miss" for found in targets.values() for one in found):
        raise typer.Exit(MISSED)


def _reference(path: Path | None, symbol: str) -> Portrait | None:
    if path is None:
        return None
    from spymaster.simulator.acceptance.files import portrait_file
    from spymaster.simulator.acceptance.portrait import Portrait

    return Portrait.read(path) if path.suffix == ".json" else portrait_file(path, symbol)


def run_plan(
    planned: Plan, lake: Path, *, quiet: bool, reference: Portrait | None = None
) -> tuple[Run, dict[str, list[Target]]]:
    """Simulate into a lake with progress, and write the report; returns its targets by date too."""
    from spymaster.cli import output
    from spymaster.simulator.report import write_report
    from spymaster.simulator.simulate import simulate as run_simulation

    with output.progress(unit="message", quiet=quiet) as display:
        tasks = {
            f"{planned.request.symbol} {day.dt}": display.add_task(
                f"{planned.request.symbol} {day.dt}", total=day.messages, start=False
            )
            for day in planned.days
        }

        def show(what: str, done: int, total: int) -> None:
            display.start_task(tasks[what])
            display.update(tasks[what], completed=min(done, total))

        run = run_simulation(planned, lake, progress=show)
    _, targets = write_report(run, reference)
    return run, targets


def _wall_time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time of day such as 10:00", param_hint="--closing-switch") from None


def _print_plan(planned: Plan, lake: Path, *, as_json: bool) -> None:
    from spymaster.cli import output
    from spymaster.simulator.request import MESSAGES_PER_SECOND

    rows = [
        {
            "date": day.dt,
            "instruments": [contract.symbol for contract in day.contracts],
            "new_york": [str(wall) for wall in day.span] if day.span else ["whole UTC date"],
            "messages": day.messages,
            "option_messages": day.option_messages,
            "megabytes": round(day.bytes / 1e6, 1),
            "seconds": round((day.messages + day.option_messages) / MESSAGES_PER_SECOND, 1),
        }
        for day in planned.days
    ]
    if as_json:
        output.print_json({"lake": str(lake), "preset": planned.request.preset, "days": rows})
        return
    output.print_table(
        f"{planned.request.preset} into {lake}, not run",
        ("date", "instruments", "New York", "messages", "of options", "MB", "seconds"),
        [
            (row["date"], ", ".join(row["instruments"]), " to ".join(row["new_york"]), row["messages"],
             row["option_messages"], row["megabytes"], row["seconds"])
            for row in rows
        ],
        right=("messages", "of options", "MB", "seconds"),
    )  # fmt: skip


def print_run(run: Run, targets: dict[str, list[Target]], *, as_json: bool) -> None:
    """What was written, and which targets were missed."""
    from spymaster.cli import output

    report = run.folder / "sim_report.md"
    if as_json:
        output.print_json(
            {
                "run_id": run.run_id,
                "provenance": "simulated",
                "report": str(report),
                "days": [
                    {
                        "date": day.plan.dt,
                        "messages": day.messages,
                        "option_messages": day.options.messages if day.options else 0,
                        "seconds": round(day.seconds, 3),
                        "files": day.files,
                        "option_files": day.option_files,
                        "targets": [
                            {"number": one.number, "metric": one.metric, "value": one.value, "low": one.low,
                             "high": one.high, "error": one.error, "verdict": one.verdict}
                            for one in targets[day.plan.dt.isoformat()]
                        ],
                    }
                    for day in run.days
                ],
            }
        )  # fmt: skip
        return
    rows = []
    for day in run.days:
        found = targets[day.plan.dt.isoformat()]
        met, open_, missed = (sum(one.verdict == verdict for one in found) for verdict in ("pass", "open", "miss"))
        chain = day.options.messages if day.options else 0
        rows.append((day.plan.dt, day.messages, chain, round(day.seconds, 1), met, open_, missed))
    output.print_table(
        f"simulated run {run.run_id}",
        ("date", "messages", "of options", "seconds", "targets met", "open", "missed"),
        rows,
        right=("messages", "of options", "seconds", "targets met", "open", "missed"),
    )
    for dt, found in targets.items():
        for one in found:
            if one.verdict == "miss":
                output.stdout().print(
                    f"{dt}: target {one.number} missed: {one.metric} is {output.text_of(one.value)}, "
                    f"expected {output.text_of(float(one.low))} to {output.text_of(float(one.high))}"
                )
    output.stdout().print(f"report: {report}")
