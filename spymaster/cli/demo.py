"""`spymaster demo`: everything on simulated data, in a lake and a Dagster home of its own.

Nothing here does the work: it is `simulate`, `run` and `up`, one after the other, with the page up as soon as there are
surfaces to look at. What is complete is left as it is, so a demo that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spymaster.cli.options import JsonOption, lake_root
from spymaster.cli.simulate import DEFAULT_LAKE
from spymaster.cli.up import PagePortOption

if TYPE_CHECKING:
    from spymaster.cli.early_page import EarlyPage
    from spymaster.lake import Lake
    from spymaster.simulator.request import Plan

PRESET = "demo"
PROFILE = "demo"
AHEAD = "silver.option_quote_1s"
"""Once the kernels up to those of this table are compiled, a run does not catch up with the compilation."""
HOST = "127.0.0.1"


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Stop when every table is made.")] = False,
    lake: Annotated[
        str, typer.Option("--lake", metavar="ROOT", help="Root of the lake: a new one, or one of simulated data.")
    ] = str(DEFAULT_LAKE),
    port: Annotated[int, typer.Option(help="Port of the Dagster UI; 0 picks a free one.")] = 3000,
    page_port: PagePortOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a few sessions, make every table of them, and start the Dagster UI and the page.

    The page is up as soon as the surfaces are there, and shows the rest as it comes.

    Works offline, and only on simulated data: a lake of real data is refused. What is complete already is reused.
    """
    from spymaster.cli import output
    from spymaster.cli import run as runner
    from spymaster.cli.home import environment, prepare_home
    from spymaster.cli.supervisor import hold, require_free_port
    from spymaster.cli.up import free_port, serve
    from spymaster.simulator.request import Request, plan

    planned = plan(Request(preset=PRESET))
    opened = _open(lake_root(lake))
    home = prepare_home(opened.root, own=True)
    variables = {**environment(opened.root, home), "SPYMASTER_PARAMETER_PROFILE": PROFILE}
    port = 0 if headless else port or free_port(HOST)
    with hold(home, {} if headless else {"dagster": f"http://{HOST}:{port}"}), ExitStack() as services:
        page: EarlyPage | None = None
        if not headless:
            require_free_port(HOST, port, option="--port")
            page = services.enter_context(_page(opened, planned, home, variables, page_port, quiet=as_json))
        first, last = planned.days[0].dt, planned.days[-1].dt
        with ExitStack() as stack:
            simulation = _simulate(planned, opened, home, stack, quiet=as_json)
            outcome, log = runner.materialise(
                [planned.request.symbol],
                first,
                last,
                home=home,
                environment=variables,
                quiet=as_json,
                watch=page.watch if page else None,
            )
        document = {"simulation": simulation, **runner.document(outcome, log)}
        if not as_json:
            runner.print_outcome(outcome)
        elif headless or outcome.failures():
            output.print_json({**document, "lake": str(opened.root), "dagster_home": str(home)})
        runner.require_success(outcome, log)
        _require_complete(opened, planned)
        if page:
            serve(
                opened.root, home, HOST, port, variables,
                page=page.service, running=page.running, as_json=as_json, document=document,
            )  # fmt: skip
        elif not as_json:
            where = "" if lake == str(DEFAULT_LAKE) else f" --lake {lake}"
            output.stdout().print(f"every table is complete; look at them: spymaster demo{where}", soft_wrap=True)


def _page(
    lake: Lake, planned: Plan, home: Path, variables: dict[str, str], port: int | None, *, quiet: bool
) -> AbstractContextManager[EarlyPage]:
    """The page, up as soon as the surfaces of the last date are there."""
    from spymaster.cli import output
    from spymaster.cli.early_page import early_page
    from spymaster.cli.home import log_folder
    from spymaster.cli.up import print_page, sidecar

    service = sidecar(lake.root, HOST, port, log_folder(home))

    def tell() -> None:
        if not quiet:
            print_page(service)
            output.stdout().print("the page is up; research and evidence are still being made, and will show in it")
            sys.stdout.flush()

    return early_page(service, home, variables, planned.days[-1].dt, tell)


def _open(root: Path) -> Lake:
    """The lake of the demo, with its profile; `LakeKindError` before anything of a real one is touched."""
    from spymaster.lake import Lake
    from spymaster.settings import get_settings

    opened = Lake.open(root, settings=get_settings(parameter_profile=PROFILE), create=True, kind="simulated")
    opened.set_profile(PROFILE)
    return opened


def _simulate(planned: Plan, lake: Lake, home: Path, stack: ExitStack, *, quiet: bool) -> dict[str, Any]:
    """Write the raw files unless a whole run of this plan is there; says which run it is.

    The kernels of the run that follows are compiled meanwhile, and until `stack` is closed: a run may begin as soon as
    those that take long are there, because it reaches the others later than they do.
    """
    from spymaster.cli import output
    from spymaster.cli.compile import compiled_aside
    from spymaster.cli.simulate import print_run, run_plan
    from spymaster.simulator.simulate import complete_run

    folder = complete_run(planned, lake)
    reused = folder is not None
    if folder is None:
        wait = stack.enter_context(compiled_aside(home))
        run, targets = run_plan(planned, lake.root, quiet=quiet)
        wait(AHEAD)
        folder = run.folder
        if not quiet:
            print_run(run, targets, as_json=False)
    elif not quiet:
        output.stdout().print(f"simulated sessions are there: {folder}", soft_wrap=True)
    return {"run": str(folder), "reused": reused, "dates": [day.dt for day in planned.days]}


def _require_complete(lake: Lake, planned: Plan) -> None:
    """Raise `CommandFailedError` unless every table of every date is complete and fresh."""
    from spymaster.cli.output import CommandFailedError
    from spymaster.lake.status import due, lake_status

    states = due(lake_status(lake, [planned.request.symbol], [day.dt for day in planned.days]))
    wanting = [one for one in states if one.state != "complete"]
    if wanting:
        one = wanting[0]
        because = "; ".join(one.reasons) or one.state
        raise CommandFailedError(
            f"{len(wanting)} of {len(states)} partitions are not complete; first: {one.table} {one.symbol} {one.dt}: "
            f"{because}",
            hint="Start the demo again: it goes on from what is there.",
        )
