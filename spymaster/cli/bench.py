"""`spymaster bench`: runs the measurements of `benchmarks/`, which prints its own tables, or JSON."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spymaster.cli.options import JsonOption
from spymaster.errors import SpymasterError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


class NoBenchmarksError(SpymasterError):
    """The benchmarks are part of the repository, not of the installed package; or the name is not one of them."""


def available() -> dict[str, str]:
    """What each benchmark measures, by name: the list that the folder itself keeps."""
    index = FOLDER / "__init__.py"
    if not index.is_file():
        raise NoBenchmarksError(f"no benchmarks in {FOLDER}", hint="they run from a checkout of the repository")
    return dict(runpy.run_path(str(index))["BENCHMARKS"])


def long_ones() -> tuple[str, ...]:
    """Benchmarks that run only when they are named."""
    return tuple(runpy.run_path(str(FOLDER / "__init__.py")).get("LONG", ()))


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Benchmarks to run; all but long ones when none.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="List the benchmarks and stop.")] = False,
    messages: Annotated[int | None, typer.Option(min=1, help="Messages of the generated day.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Timed rounds.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure this machine: run the benchmarks one after another."""
    from spymaster.cli import output

    known = available()
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise NoBenchmarksError(f"unknown benchmark: {', '.join(unknown)}", hint=f"known: {', '.join(known)}")
    if list_only:
        if as_json:
            output.print_json(known)
        else:
            output.print_table("benchmarks", ("name", "measures"), known.items())
        return
    chosen = list(names or (name for name in known if name not in long_ones()))
    options = [text for name, value in (("--messages", messages), ("--repeats", repeats)) if value is not None
               for text in (name, str(value))]  # fmt: skip
    figures: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for number, name in enumerate(chosen, start=1):
        output.stderr().print(f"{name} ({number} of {len(chosen)}): {known[name]}")
        try:
            figures[name] = _run(name, options, as_json=as_json)
        except ValueError as error:
            failed[name] = str(error)
    if as_json:
        output.print_json({"figures": figures, "failed": failed})
    if failed:
        summary = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise output.CommandFailedError(f"{len(failed)} of {len(chosen)} benchmarks failed: {summary}")


def _run(name: str, options: list[str], *, as_json: bool) -> Any:
    """Run one benchmark; its JSON document, or None after it has printed its table. Raises ValueError if it fails."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *options, *(["--json"] if as_json else [])]
    sys.stdout.flush()
    stdout = subprocess.PIPE if as_json else None
    done = subprocess.run(command, cwd=FOLDER.parent, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise ValueError(lines[-1] if lines else f"exit code {done.returncode}")
    return json.loads(done.stdout) if as_json else None
