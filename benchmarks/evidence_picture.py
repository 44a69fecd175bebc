"""Power of the search for automation as a picture: `python -m benchmarks.evidence_picture [--results FILE]`.

One panel per planted kind: share of the dates that found it, with a 95 % interval, against the share of all messages
that the agents sent in their pattern. Points are the strengths of the steps `power` of `benchmarks.evidence`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.doc_images import FOLDER, LARGEST
from benchmarks.evidence import RESULTS, code_hash, kind_of_step, usable
from benchmarks.evidence_power import powers
from benchmarks.kept_steps import read_lines

NAME = "evidence-power.png"
ACROSS = 4
TITLES = {
    "fleeting_quoter": "orders of one age (E1)", "peg": "orders that follow the quote (E2)",
    "reaction_bot": "answers to trades (E3)", "clock_bot": "orders on the second (E4)",
    "periodic_bot": "a period of its own (E5)", "synthetic_iceberg": "orders that come back (E6)",
    "layerer": "layers withdrawn (E7)", "co_placer": "orders in pairs (E10)",
}  # fmt: skip


def picture(rows: Sequence[dict[str, Any]]) -> bytes:
    """PNG of rows of `powers`. Raises ValueError without any."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

    if not rows:
        raise ValueError("no step `power` was finished by this code: nothing to draw")
    figure = Figure(figsize=(10, 5), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(-(-len(TITLES) // ACROSS), ACROSS, sharey=True).ravel()
    for axis, (kind, title) in zip(axes, TITLES.items(), strict=True):
        own = [row for row in rows if row["kind"] == kind and row["share of messages"]]
        own.sort(key=lambda row: row["strength"])
        x, y = [100 * row["share of messages"] for row in own], [row["recall"] for row in own]
        spread = [[row["recall"] - row["low"] for row in own], [row["high"] - row["recall"] for row in own]]
        axis.errorbar(x, y, yerr=spread, marker="o", markersize=4, linewidth=1, capsize=2, color="#1f6f8b")
        for number, (row, place) in enumerate(zip(own, x, strict=True)):
            above = 4 if number % 2 == 0 else -10  # strengths that few agents round to the same number lie close
            axis.annotate(
                f"x{row['strength']:g}", (place, row["recall"]), textcoords="offset points", xytext=(4, above),
                fontsize=7,
            )  # fmt: skip
        axis.set_title(title, fontsize=8)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 3), numticks=6))
        axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.margins(x=0.15)
        axis.set_ylim(-0.12, 1.15)
        axis.tick_params(labelsize=7)
        axis.grid(visible=True, linewidth=0.3)
    dates = "-".join(str(count) for count in sorted({row["dates"] for row in rows}))
    figure.supxlabel("% of all messages that the agents sent in their pattern", fontsize=8)
    figure.supylabel("share of dates that found it", fontsize=8)
    figure.suptitle(f"Simulated data: two hours each, {dates} dates a point", fontsize=9)
    image = BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()


def main() -> None:
    """Draw what a file of results has."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence_picture", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--out", type=Path, default=FOLDER / NAME)
    given = parser.parse_args()
    lines = [line for line in read_lines(given.results) if kind_of_step(line["step"]) == "power"]
    done = usable(lines, {name: code_hash(name) for name in {line["step"] for line in lines}})
    image = picture(powers([line["figures"] for line in done.values()]))
    if len(image) > LARGEST:
        raise SystemExit(f"{given.out}: {len(image):,} bytes")
    given.out.write_bytes(image)
    print(f"{given.out}: {len(image):,} bytes")


if __name__ == "__main__":
    main()
