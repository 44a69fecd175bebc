"""`spymaster simulate fit`: a new version of a profile from real files of orders, and their portrait."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from spymaster.cli.options import JsonOption, parse_dates

BaseName = Literal["es", "cl"]


def fit(
    source: Annotated[
        Path, typer.Option("--from", metavar="LAKE|FILE", help="A lake with raw files of orders, or one DBN file.")
    ],
    profile: Annotated[BaseName, typer.Option(help="Profile to start from.")] = "es",
    symbol: Annotated[str, typer.Option("--symbol", "-s", metavar="ROOT", help="Root symbol.")] = "ES",
    dates: Annotated[
        str | None, typer.Option("--dates", metavar="DATES", help="One date or FIRST:LAST.", show_default="all")
    ] = None,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the new version goes.")] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Measure real files of orders and write a new version of a profile, and a portrait for comparison.

    Writes `{profile}-{version}.toml` for `spymaster simulate --profile` and `{profile}-{version}.portrait.json` for its
    `--reference`; no file is ever changed.
    """
    from spymaster.cli import output
    from spymaster.simulator.acceptance.files import provenance_of, tally_file
    from spymaster.simulator.acceptance.fit import fit_profile, merged, next_version, toml_text
    from spymaster.simulator.acceptance.portrait import portrait
    from spymaster.simulator.acceptance.targets import judge
    from spymaster.simulator.profile import load_profile

    paths = _files(source, symbol, dates)
    base = load_profile(profile)
    tallies = [tally_file(path, symbol) for path in paths]
    kinds = {provenance_of(path) for path in paths}
    portraits = [portrait(one, f"{symbol} {one.dt}", next(iter(kinds))) for one in tallies]
    measured = merged(portraits, f"{symbol}, {len(tallies)} dates")
    to.mkdir(parents=True, exist_ok=True)
    version = next_version(to, profile)
    fitted = fit_profile(tallies, measured, base, profile, version, [path.name for path in paths])
    written, drawn = (to / f"{profile}-{version}{suffix}" for suffix in (".toml", ".portrait.json"))
    comment = (
        f"Profile {profile}, version {version}: fitted to {', '.join(kinds)} data by `spymaster simulate fit`.\n"
        "Tables with status anchor were measured on the files named under [fitted]; the others are those of the base."
    )
    with written.open("x", encoding="utf-8") as file:
        file.write(toml_text(fitted, comment))
    measured.write(drawn)
    if as_json:
        output.print_json(
            {
                "profile": str(written), "portrait": str(drawn), "provenance": sorted(kinds),
                "dates": [one.dt for one in tallies], "messages": sum(one.records for one in tallies),
                "figures": {one.metric: {"value": one.estimate.value, "error": one.estimate.error}
                            for one in measured.figures},
            }
        )  # fmt: skip
        return
    bounds = {one.metric: one for one in judge(measured.figures, profile, "emergent")}
    output.print_table(
        f"{symbol}: what {len(tallies)} files show, beside the bounds of profile {profile}",
        ("#", "figure", "value", "standard error", "from", "to", "verdict"),
        [
            (
                one.number, one.metric, one.estimate.value, one.estimate.error,
                *((bounds[one.metric].low, bounds[one.metric].high, bounds[one.metric].verdict)
                  if one.metric in bounds else ("", "", "")),
            )
            for one in measured.figures
        ],
        right=("value", "standard error", "from", "to"),
    )  # fmt: skip
    output.stdout().print(f"profile: {written}\nportrait: {drawn}")


def _files(source: Path, symbol: str, dates: str | None) -> list[Path]:
    """The DBN file that is named, or the files of orders of a lake."""
    from spymaster.lake import Lake, raw_files
    from spymaster.simulator.errors import MeasureError

    if source.is_file():
        return [source]
    first, last = parse_dates(dates, option="--dates")
    found = [
        file.path
        for file in raw_files(Lake.open(source), symbol, "market_by_order_dbn")
        if (first is None or file.dt >= first) and (last is None or file.dt <= last)
    ]
    if not found:
        raise MeasureError(f"no files of {symbol} orders in {source}", hint="Add them with `spymaster raw add`.")
    return found
