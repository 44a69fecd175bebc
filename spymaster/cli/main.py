"""The command `spymaster`: collects the command groups and turns failures into messages and exit codes.

Exit codes: 0 done, 1 something failed (a message, and a hint where there is one), 2 a usage error, 130 interrupted.
An error that is not a `SpymasterError` is a defect and keeps its traceback.
"""

from __future__ import annotations

import sys

import typer

from spymaster import __version__
from spymaster.cli import (
    analogues,
    bench,
    check,
    clean,
    demo,
    evidence,
    fit,
    inspect,
    raw,
    run,
    serve,
    simulate,
    status,
    tables,
    up,
)
from spymaster.errors import SpymasterError

app = typer.Typer(
    name="spymaster",
    help="Order-book mechanics around spot, from CME market-by-order data to one-second surfaces.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"spymaster {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Order-book mechanics around spot, from CME market-by-order data to one-second surfaces."""


app.command("demo")(demo.demo)
app.add_typer(raw.app, name="raw")
simulate.app.command("fit")(fit.fit)
app.add_typer(simulate.app, name="simulate")
app.command("run")(run.run)
app.command("check")(check.check)
app.add_typer(inspect.app, name="inspect")
app.command("status")(status.status)
app.command("tables")(tables.tables)
app.command("analogues")(analogues.analogues)
app.command("evidence")(evidence.evidence)
app.command("up")(up.up)
app.command("serve")(serve.serve)
app.command("token")(serve.token)
app.command("bench")(bench.bench)
app.command("clean")(clean.clean)


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exits the process with its code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        app(args=arguments, prog_name="spymaster")
    except SpymasterError as error:
        from spymaster.cli.output import print_error

        print_error(error, as_json="--json" in arguments)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
