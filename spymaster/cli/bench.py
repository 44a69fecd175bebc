"""`spymaster bench`: runs the measurements of `benchmarks/`, each a script that prints JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from spymaster.cli.options import JsonOption
from spymaster.errors import SpymasterError

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


class NoBenchmarksError(SpymasterError):
    """The benchmarks are part of the repository, not of the installed package; or the name is not one of them."""


def available() -> dict[str, Path]:
    """Benchmark scripts by name; helpers (leading underscore, `conftest`) are not measurements."""
    return {
        path.stem: path
        for path in sorted(FOLDER.glob("*.py"))
        if not path.stem.startswith("_") and "--json" in path.read_text(encoding="utf-8")
    }


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Benchmarks to run; all when none.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="List the benchmarks and stop.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure this machine: run the benchmarks one after another and print their figures."""
    from spymaster.cli import output

    scripts = available()
    if not scripts:
        raise NoBenchmarksError(f"no benchmark in {FOLDER}", hint="benchmarks run from a checkout of the repository")
    unknown = [name for name in names or () if name not in scripts]
    if unknown:
        raise NoBenchmarksError(f"unknown benchmark: {', '.join(unknown)}", hint=f"known: {', '.join(scripts)}")
    chosen = {name: scripts[name] for name in names or scripts}
    if list_only:
        if as_json:
            output.print_json(list(chosen))
        else:
            output.print_table("benchmarks", ("name", "measures"), [(n, _summary(p)) for n, p in chosen.items()])
        return

    figures: dict[str, object] = {}
    failed: dict[str, str] = {}
    with output.progress(unit="benchmark", quiet=as_json) as display:
        task = display.add_task("benchmarks", total=len(chosen))
        for name, script in chosen.items():
            display.update(task, description=name)
            done = subprocess.run(
                [sys.executable, str(script), "--json"], cwd=FOLDER.parent, capture_output=True, text=True, check=False
            )
            try:
                if done.returncode:
                    raise ValueError(f"exit code {done.returncode}")
                figures[name] = json.loads(done.stdout)
            except ValueError as error:
                failed[name] = f"{error}: {_last_line(done.stderr) or _last_line(done.stdout) or 'no output'}"
            display.advance(task)
    if as_json:
        output.print_json({"figures": figures, "failed": failed})
    else:
        for name, value in figures.items():
            output.print_table(name, ("figure", "value"), list(_flat(value)), right=("value",))
    if failed:
        summary = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise output.CommandFailedError(f"{len(failed)} of {len(chosen)} benchmarks failed: {summary}")


def _flat(value: object, prefix: str = ""):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{prefix}{key}." if isinstance(item, (dict, list)) else f"{prefix}{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            name = item.get("name", index) if isinstance(item, dict) else index
            yield from _flat(item, f"{prefix}{name}." if isinstance(item, (dict, list)) else f"{prefix}{name}")
    else:
        yield prefix.rstrip("."), value


def _summary(path: Path) -> str:
    """First line of a script's docstring."""
    import ast

    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.splitlines()[0] if text else ""


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
