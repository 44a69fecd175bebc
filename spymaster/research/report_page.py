"""The rendered report: `reports/evaluation/symbol={root}/report.{html,md}`, from the two stored tables alone.

That nothing was found is told where a find would be told, in the same size. Rendered is the last date that has a
report.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import polars as pl

from spymaster.lake import files
from spymaster.lake.lake import Lake
from spymaster.research.report_blocks import Block, Charts, Heading, Table, Text, as_html, as_markdown
from spymaster.research.report_charts import interval_chart, rank_chart, reliability_chart
from spymaster.research.report_rows import (
    Report,
    by_size,
    chance,
    grouped,
    interval,
    number,
    panel_key,
    panel_name,
    rows_of,
)
from spymaster.tables.evaluation_report import SIMULATED, EvaluationReport
from spymaster.tables.setup_outcome import OUTCOMES
from spymaster.tables.trials_ledger import TrialsLedger

NAMES: Final = {
    "b0": "B0 base rates", "b1": "B1 driftless walk", "b2": "B2 recent moves", "b3": "B3 top of book",
    "bar": "bar: B1 + B2 + B3", "logit": "logit: 12 features", "gbm": "gbm: trees", "knn": "knn: neighbours",
    "stack": "stack of the three",
}  # fmt: skip
SCORES: Final = {"side": "shifted_auc", "resolve": "shifted_auc_over_bar"}
HEAD_NAMES: Final = {"resolve": "is a barrier reached?", "side": "break, given that one is"}
LIMITS: Final = (
    "A session counts as one observation of its weather: intervals resample whole sessions, and with few sessions they "
    "are wide and somewhat too narrow.",
    "Outcomes are of barriers around the mid at the decision. Costs, queues and the price at which one would trade "
    "play no part: nothing here is a profit.",
    "Neighbours of placebos, and of setups that retrieval was not asked about, are compared with vectors scaled by the "
    "scaler of their own date.",
    "Verdicts are on configurations that were tried, with the luck of all trials in the ledger taken off. Whoever "
    "chooses levels, features or horizons after reading this page has tried more than the ledger knows.",
)
"""What the numbers do not say."""


def render_reports(lake: Lake) -> list[Path]:
    """Write both files of every symbol that has a report; the paths that were written."""
    written = []
    for symbol in lake.settings.symbols:
        stored = lake.partitions(EvaluationReport, symbol)
        if not stored:
            continue
        last = max(stored, key=lambda one: one.dt)
        ledgers = [one.read() for one in lake.partitions(TrialsLedger, symbol) if one.dt <= last.dt]
        report = Report(symbol, str(last.dt), last.read(), pl.concat([TrialsLedger.empty(), *ledgers]))
        folder = lake.root / "reports" / "evaluation" / f"symbol={symbol}"
        for name, text in render(report).items():
            written.append(folder / name)
            files.write_durably(lake.root, folder / name, text.encode())
    return written


def render(report: Report) -> dict[str, str]:
    """Both files by name."""
    title = f"Can the book before a setup foretell what comes of it? {report.symbol}"
    told = report.rows.filter(pl.col("section").cast(pl.String) == "sample")
    sessions = int(told["n_sessions"].max() or 0)  # type: ignore[arg-type]
    subtitle = (
        f"Sessions up to {report.date}: {sessions}. Data: {report.provenance}. Report "
        f"{report.rows['report_id'][0] if report.rows.height else 'without rows'}."
    )
    blocks = list(_blocks(report))
    return {"report.html": as_html(title, subtitle, blocks), "report.md": as_markdown(title, subtitle, blocks)}


def _blocks(report: Report) -> Iterator[Block]:
    if report.provenance == "simulated":
        yield Text("Simulated data. Whatever is found here was planted or is luck: it says nothing about markets.",
                   "warning")  # fmt: skip
    yield Text(_answer(report), "answer")
    yield from _verdicts(report)
    yield from _sample(report)
    yield from _scores(report)
    yield from _leaks(report)
    yield from _levels(report)
    yield from _states(report)
    yield from _hypotheses(report)
    yield from _reliability(report)
    yield from _neighbours(report)
    yield from _trials(report)
    yield Heading("What this does not say")
    for limit in LIMITS:
        yield Text(limit)


def _answer(report: Report) -> str:
    """The one sentence."""
    rows = rows_of(report, "verdict")
    words = [row["verdict"].removeprefix(SIMULATED) for row in rows]
    tried = len([word for word in words if word != "insufficient"])
    if not tried:
        return (
            "Nothing was tried: there are too few sessions to learn from. Below is what there is, without a claim "
            "about what it foretells."
        )
    leaks, finds = words.count("leak_suspected"), words.count("supported")
    weak = words.count("weak")
    if leaks:
        return (
            f"{leaks} of {tried} models are better than the book can be, and were not shown to be honest: a leak is "
            "suspected, and until it is found nothing else here counts."
        )
    if finds and report.provenance == "simulated":
        return f"{finds} of {tried} models find what the simulator planted. On real data this would be no answer yet."
    if finds:
        return f"{finds} of {tried} models beat the bar by walk-forward, on the hold-out, and after all trials."
    if weak:
        return f"No model is supported. {weak} of {tried} are ahead of the bar by walk-forward, but lack what is named."
    return f"Nothing was found: none of {tried} models beats what the price and the top of the book tell already."


def _verdicts(report: Report) -> Iterator[Block]:
    rows = rows_of(report, "verdict")
    smallest = {(panel_key(row), row["head"], row["algo"]): row["value"] for row in rows_of(report, "trials")
                if row["metric"] == "detectable_auc"}  # fmt: skip
    aucs = {(panel_key(row), row["head"], row["algo"]): row for row in rows_of(report, "score")
            if row["metric"] == "auc" and row["subset"] == "real"}  # fmt: skip
    yield Heading("The answer, for every model that was tried")
    body = []
    for row in rows:
        where = (panel_key(row), row["head"], row["algo"])
        auc = aucs.get(where)
        body.append(
            [
                panel_name(row),
                HEAD_NAMES.get(row["head"], ""),
                NAMES.get(row["algo"], ""),
                row["verdict"],
                interval(row, 4, sign=True),
                interval(auc, 3) if auc else "",
                chance(row["p_perm"]),
                chance(row["p_deflated"]),
                number(smallest.get(where), 3),
                row["note"],
            ]
        )
    yield Table(
        ["panel", "foretold", "by", "verdict", "log-loss gain over the bar (95 %)", "AUC (95 %)", "p shuffled",
         "p after trials", "least AUC that would be seen", "why not supported"],
        body, left=4, last_is_long=True,
        caption="Gain in nats per setup, paired. The least AUC is what 80 of 100 such studies would find.",
    )  # fmt: skip
    drawn = [
        (f"{panel_name(row)}: {row['head']}, {row['algo']}", row["value"], row["ci_lo"], row["ci_hi"])
        for row in rows
        if row["ci_lo"] is not None
    ]
    if drawn:
        charts = [interval_chart("log-loss gain over the bar", part, "nats") for part in by_size(drawn, 16)]
        yield Charts(charts, "Right of the line: better than the bar. An interval that crosses it is no find.")


def _sample(report: Report) -> Iterator[Block]:
    rows = [row for row in rows_of(report, "sample") if row["metric"].startswith("share_")]
    yield Heading("How much there is")
    body = []
    for (key, subset), part in grouped(rows, lambda row: (panel_key(row), row["subset"])):
        shares = {row["metric"]: row for row in part}
        body.append(
            [panel_name(part[0]), subset, str(part[0]["n_episodes"]), str(part[0]["n_sessions"]),
             *(interval(shares[f"share_{name}"], 3) for name in OUTCOMES)]
        )  # fmt: skip
        del key
    yield Table(
        ["panel", "levels", "setups", "sessions", *OUTCOMES], body, left=2,
        caption="Base rates, 95 %. Sessions of the hold-out are left out of this page until it is opened.",
    )  # fmt: skip


def _scores(report: Report) -> Iterator[Block]:
    rows = rows_of(report, "score")
    if not rows:
        return
    gains = {(panel_key(row), row["head"], row["algo"], row["subset"]): row for row in
             rows_of(report, "gain") if row["metric"] == "log_loss_gain"}  # fmt: skip
    held = {(panel_key(row), row["head"], row["algo"]): row for row in
            rows_of(report, "holdout") if row["metric"] == "log_loss_gain"}  # fmt: skip
    yield Heading("Scores by walk-forward")
    yield Text(
        "Every model is scored on setups of sessions after those it learned from, all on the same setups. What has to "
        "be beaten is the bar: what a driftless walk, recent moves and the top of the book tell together."
        + ("" if held else " The hold-out, the last sessions, has not been opened.")
    )
    for (_, head), part in grouped(
        [row for row in rows if row["subset"] == "real"], lambda r: (panel_key(r), r["head"])
    ):
        body = []
        by_algo = {algo: {row["metric"]: row for row in of} for algo, of in grouped(part, lambda row: row["algo"])}
        for algo in [name for name in NAMES if name in by_algo]:
            own = by_algo[algo]
            where = (panel_key(part[0]), head, algo)
            body.append(
                [
                    NAMES[algo],
                    interval(own.get("log_loss"), 4),
                    interval(gains.get((*where, "real")), 4, sign=True),
                    interval(gains.get((*where, "placebo")), 4, sign=True),
                    interval(gains.get((*where, "real-placebo")), 4, sign=True),
                    interval(held.get(where), 4, sign=True),
                    interval(own.get("auc"), 3),
                    interval(own.get("bss"), 3, sign=True),
                    number(own["ece"]["value"], 3),
                ]
            )
        yield Heading(f"{panel_name(part[0])}: {HEAD_NAMES[head]}", 3)
        size = f"{part[0]['n_episodes']} setups of {part[0]['n_sessions']} sessions at real levels."
        yield Table(
            ["model", "log loss", "gain over the bar", "gain at placebos", "real less placebo", "gain on the hold-out",
             "AUC", "Brier skill over the bar", "ECE"],
            body, caption=size,
        )  # fmt: skip


def _leaks(report: Report) -> Iterator[Block]:
    """Scores that were too good, and what was left of them where labels are of another session."""
    shifted = [row for row in rows_of(report, "leak") if row["metric"] == SCORES.get(row["head"])]
    if not shifted:
        return
    scores = {
        (panel_key(row), row["head"], row["algo"], row["subset"]): row
        for section, metric in (("score", "auc"), ("gain", "auc_over_bar"))
        for row in rows_of(report, section)
        if SCORES.get(row["head"]) == f"shifted_{metric}" and row["metric"] == metric
    }
    body = []
    for row in shifted:
        where = (panel_key(row), row["head"], row["algo"])
        own, placebo = (interval(scores.get((*where, subset)), 3) for subset in ("real", "placebo"))
        told = [panel_name(row), HEAD_NAMES[row["head"]], NAMES[row["algo"]]]
        body.append([*told, own, interval(row, 3), placebo])
    yield Heading("Too good to be true?")
    yield Text(
        "A book is not known to tell this much half a minute or more ahead, so a leak is the first suspicion. The same "
        "models were fitted and tried on outcomes of the session before: whatever is left of the score then is a leak. "
        "And what looks ahead does so at any price, so placebos may not be foretold as well."
    )
    yield Table(
        ["panel", "foretold", "by", "score", "labels of another session", "at placebos"], body, left=3,
        caption="95 %. AUC; of whether a barrier is reached, the AUC less the bar's.",
    )  # fmt: skip


def _levels(report: Report) -> Iterator[Block]:
    rows = rows_of(report, "levels")
    yield Heading("Do real levels reject more than prices that mean nothing?")
    if not rows:
        yield Text("There is no real setup with a matched placebo yet.")
        return
    body = [
        [panel_name(row), str(row["n_episodes"]), str(row["n_sessions"]), interval(row, 3, sign=True)] for row in rows
    ]
    yield Table(["panel", "matched sets", "sessions", "share of reject, real less placebo (95 %)"], body)


def _states(report: Report) -> Iterator[Block]:
    rows = rows_of(report, "states")
    yield Heading("The sixteen states of the four conditions")
    yield Text(
        "Digits are C1 to C4: the side ahead rests further away, it is pulled more than added, the side behind rests "
        "further away, it is pulled more than added. The thesis reads 1111 as reject, 1100 as break, all else as chop."
    )
    for key, part in grouped(rows, panel_key):
        if key[2]:
            continue
        found = {(row["subset"], row["metric"]): row for row in part}
        codes = sorted({metric.split("_")[0] for _, metric in found}, reverse=True)
        body = []
        for code in codes:
            cells = [code]
            for subset in ("real", "placebo"):
                row = found.get((subset, f"{code}_share_reject"))
                cells.append(str(row["n_episodes"]) if row else "0")
                cells += [interval(found.get((subset, f"{code}_share_{name}")), 2) for name in OUTCOMES]
            body.append(cells)
        head = ["state", *(f"{subset}: {what}" for subset in ("real", "placebo") for what in ("setups", *OUTCOMES))]
        yield Table(head, body, caption=f"{panel_name(part[0])}; shares with 95 % intervals by whole sessions.")


_TESTS: Final = {
    "h1_soft_and": "H1: reject rises with the soft AND, beyond the four conditions",
    "h2_chop_by_state": "H2: the share of chop differs between the states (chi-square)",
    "h3_z_r_ah": "H3: retreat of the side ahead", "h3_z_n_ah": "H3: net pull of the side ahead",
    "h3_z_r_bh": "H3: retreat of the side behind", "h3_z_n_bh": "H3: net pull of the side behind",
}  # fmt: skip


def _hypotheses(report: Report) -> Iterator[Block]:
    rows = [row for row in rows_of(report, "hypothesis") if not row["lead_s"]]
    yield Heading("The registered tests")
    yield Text("Coefficients are of the log odds of reject, per deviation; chances are one-sided.")
    body = []
    for (_, metric), part in grouped(rows, lambda row: (panel_key(row), row["metric"])):
        of = {row["subset"]: row for row in part}
        real, placebo = of.get("real"), of.get("placebo")
        body.append(
            [panel_name(part[0]), _TESTS[metric], interval(real, 3, sign=True), chance(real["p_perm"]) if real else "",
             interval(placebo, 3, sign=True), chance(placebo["p_perm"]) if placebo else ""]
        )  # fmt: skip
    yield Table(["panel", "test", "real (95 %)", "p", "placebo (95 %)", "p"], body, left=2)


def _reliability(report: Report) -> Iterator[Block]:
    rows = [row for row in rows_of(report, "reliability") if not row["lead_s"]]
    if not rows:
        return
    yield Heading("Does it happen as often as stated?")
    charts = []
    for (key, head, algo), part in grouped(rows, lambda row: (panel_key(row), row["head"], row["algo"])):
        if algo not in ("bar", "stack", "logit"):
            continue
        of = {row["metric"]: row for row in part}
        count = len(part) // 2
        bins = [
            (of[f"stated_{k:02d}"]["value"], of[f"happened_{k:02d}"]["value"], of[f"stated_{k:02d}"]["n_episodes"])
            for k in range(1, count + 1)
        ]
        charts.append(reliability_chart(f"{key[0]} {key[1]} s, {head}: {algo}", bins))
    yield Charts(
        charts, "Each circle is about a tenth of the setups; on the dashed line it happens as often as stated."
    )


def _neighbours(report: Report) -> Iterator[Block]:
    rows = rows_of(report, "neighbours")
    yield Heading("Do near neighbours know more than far ones?")
    if not rows:
        yield Text("Retrieval has not answered for enough sessions yet.")
        return
    charts, body = [], []
    for key, part in grouped(rows, panel_key):
        of = {row["metric"]: row for row in part}
        ranks = sorted(name for name in of if name[-1].isdigit())
        values = [of[name]["value"] for name in ranks if of[name]["value"] is not None]
        band = of.get("agreement_random")
        spread = (band["ci_lo"], band["ci_hi"]) if band and band["ci_lo"] is not None else None
        charts.append(rank_chart(f"{key[0]}, {key[1]} s", values, spread, band["value"] if band else None))
        seen = of.get("agreement")
        body.append(
            [panel_name(part[0]), str(part[0]["n_episodes"]), number(values[0], 3), number(values[-1], 3),
             number(of["trend_by_rank"]["value"], 3, sign=True), number(seen["value"] if seen else None, 3),
             interval(band, 3), chance(seen["p_perm"]) if seen else ""]
        )  # fmt: skip
    yield Charts(charts, "If likeness means anything, the line falls from left to right and starts above the band of "
                 "neighbours drawn at random, which is 95 % by whole sessions. p: outcomes of the setups shuffled "
                 "within session and direction, neighbours as they are.")  # fmt: skip
    yield Table(["panel", "setups asked about", "first rank", "last rank", "change by rank", "all ranks", "at random",
                 "p"], body, caption="Share of neighbours that ended like the setup.")  # fmt: skip


def _trials(report: Report) -> Iterator[Block]:
    yield Heading("Trials")
    count = report.ledger.filter(pl.col("stage").cast(pl.String) != "holdout_opened")
    ideas = count.filter(~pl.col("baseline"))
    effective = next(
        (row["n_trials"] for row in rows_of(report, "trials") if row["metric"] == "effective_trials"), None
    )
    opened = report.ledger.filter(pl.col("stage").cast(pl.String) == "holdout_opened").height
    yield Text(
        f"The ledger holds {count.height} scores, {ideas.height} of them of models and not of what they have to beat. "
        f"By how their scores go together session by session they come to {effective or 1} independent trials at real "
        f"levels, and the luck of the best of so many is taken off. The hold-out was "
        f"{'never opened' if not opened else 'opened once' if opened == 1 else f'opened {opened} times'}."
    )
