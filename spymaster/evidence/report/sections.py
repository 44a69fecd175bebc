"""Sections of a report beside those of the tests: intensity, the registered question, controls, limits, parameters."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from spymaster.evidence.report import figures
from spymaster.evidence.report import sentences as say
from spymaster.evidence.report.blocks import Block, Picture, Section, Table, Text
from spymaster.evidence.report.figures import NEW_YORK
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.groups import GROUP
from spymaster.evidence.report.sentences import Row
from spymaster.tables.algo_test import TEST_IDS

CONTROLS = {
    "jittered": "the date with its times jittered",
    "shuffled_days": "messages of the date with trades and quotes of an earlier one",
    "no_agents": "a simulated market without agents, as long and as busy",
}


def intensity(data: ReportData) -> Section:
    """How much of what is sent is owed to findings of earlier dates."""
    note = (
        "Each message has a weight from none to one: the share of its bin that surrogates do not explain, by "
        "findings of "
        "the latest earlier date. Their sum over all messages is the intensity. Nothing is attributed by "
        "what came later."
    )
    blocks: list[Block] = [Text(note, "note")]
    if data.attribution_hash is None:
        blocks.append(Text("No earlier date has a list of findings yet: shares are not known.", "nothing"))
    drawn = figures.intensity(data)
    blocks += [Picture(svg, caption) for caption, svg in drawn]
    if data.seconds.height:
        heads = ("second (New York)", "messages", "attributed", "share", "usual share", "z")
        rows = tuple(
            (
                clock(row["window_end"]),
                f"{row['n_msgs']:,}",
                f"{row['n_attr']:.1f}",
                say.share(row["share_msgs"]),
                "" if row["expected_share"] is None else say.share(row["expected_share"]),
                "" if row["intensity_z"] is None else f"{row['intensity_z']:+.1f}",
            )
            for row in data.seconds.iter_rows(named=True)
        )
        by = "z" if any(row[5] for row in rows) else "share: earlier sessions are too few for a z"
        blocks.append(Table(heads, rows, heads[1:], f"Seconds that stand out most, by {by}"))
    return Section("Intensity over the day", "intensity", tuple(blocks))


def joining(data: ReportData) -> Section:
    """The registered question about rejections, and its answer."""
    question = (
        "Is algorithmic intensity different in the seconds before a rejection than before matched placebo touches?"
    )
    blocks: list[Block] = [Text(question, "note")]
    if data.contrast.is_empty():
        blocks.append(Text("Not asked yet: no date at or before this one has an answer.", "nothing"))
        return Section("Before rejections", "joining", tuple(blocks))
    primary = data.contrast.filter("is_primary").row(0, named=True)
    tone = "finding" if primary["verdict"] in ("higher", "lower") else "nothing"
    words, detail = say.contrast({**primary, "verdict": str(primary["verdict"])})
    blocks.append(Text(words, tone, detail))
    blocks.append(Text(f"Answered with dates up to {data.contrast_dt}, hold-out dates only.", "note"))
    heads = ("question", "sets", "dates", "difference, points", "95 % interval", "p", "q", "could find", "verdict")
    rows = tuple(_contrast_row(row) for row in data.contrast.sort("is_primary", descending=True).iter_rows(named=True))
    if set(data.contrast["verdict"].cast(pl.String)) == {"too_few"}:
        blocks.append(
            Text(f"The other {len(rows) - 1} questions have too few matched touches or dates, too.", "nothing")
        )
        return Section("Before rejections", "joining", tuple(blocks))
    blocks.append(
        Table(heads, rows, heads[1:8], "The first question is the registered one; the others are a family of their own")
    )
    return Section("Before rejections", "joining", tuple(blocks))


def _contrast_row(row: Row) -> tuple[str, ...]:
    def points(value: float | None) -> str:
        return "" if value is None else f"{100 * value:+.2f}"

    interval = "" if row["ci_lo"] is None else f"{points(row['ci_lo'])} to {points(row['ci_hi'])}"
    return (
        row["contrast_id"].replace("_", " "), f"{row['n_sets']}", f"{row['n_days']}", points(row["delta"]), interval,
        "" if row["p_perm"] is None else say.probability(row["p_perm"]),
        "" if row["q_bh"] is None else say.probability(row["q_bh"]),
        "" if row["mdd"] is None else f"{100 * row['mdd']:.2f}", str(row["verdict"]).replace("_", " "),
    )  # fmt: skip


def controls(data: ReportData) -> Section:
    """What the same tests found where nothing is."""
    blocks: list[Block] = []
    if data.controls.is_empty():
        blocks.append(Text("No controls were run for this date.", "nothing"))
        return Section("Negative controls", "controls", tuple(blocks))
    kinds = data.controls["control_kind"].cast(pl.String).unique(maintain_order=True).to_list()
    named = "; ".join(CONTROLS[kind] for kind in kinds)
    note = (
        f"The same tests on data in which nothing can be found: {named}. If they find more than chance does, nothing "
        "on this page counts."
    )
    blocks.append(Text(note, "note"))
    families = (
        data.controls.filter(pl.col("q_bh").is_not_null())
        .group_by("control_kind", *GROUP)
        .agg(least=pl.col("q_bh").min())
        .group_by("control_kind", "test_id")
        .agg(groups=pl.len(), found=(pl.col("least") <= say.ALPHA).sum(), least=pl.col("least").min())
        .sort("control_kind", pl.col("test_id").replace_strict({test: k for k, test in enumerate(TEST_IDS)}))
    )
    rows = tuple(
        (str(kind).replace("_", " "), f"{test} {say.NAMES[test]}", f"{groups}", f"{found}", say.probability(least))
        for kind, test, groups, found, least in families.iter_rows()
    )
    heads = ("control", "test", "groups", "found", "smallest q")
    blocks.append(Table(heads, rows, heads[2:]))
    tested = data.tests.filter(pl.col("q_bh").is_not_null())["test_id"].unique()
    without = [say.NAMES[test] for test in say.NAMES if test in tested and test not in families["test_id"]]
    if without:
        blocks.append(Text(f"Without a control on this date: {', '.join(without).lower()}.", "nothing"))
    return Section("Negative controls", "controls", tuple(blocks))


def limits() -> Section:
    """What a report cannot say."""
    said = (
        "The data name no participant: nothing here says who sent a message, or why.",
        "Structure finer than some time means that something as fast as that was at work; a machine is the plain "
        "explanation, not the only one. Matching engines, gateways and packets are fast, too.",
        "A layering-like pattern is also what inventory, hedging and news look like.",
        "Several users behind one gateway blend into broad bumps, which these tests do not see. No finding is not a "
        "finding of none: the smallest effect that would have been found is given where its interval tells it.",
        "Thresholds without a source are assumptions until they have been refitted on real sessions.",
    )
    return Section("Limits", "limits", tuple(Text(words) for words in said))


def appendix(data: ReportData) -> Section:
    """What the run was made with."""
    run = data.run
    law = json.loads(run["law_json"] or "{}")
    delays = [run[f"capture_p{q}_ns"] for q in (50, 90, 99)]
    capture = ", ".join("unknown" if value is None else say.duration(value) for value in delays)
    rows = (
        ("run", run["run_id"]),
        ("code, strata, data", f"{run['code_hash']}, {run['strata_hash']}, {run['data_hash']}"),
        ("seed", str(run["seed"])),
        ("surrogates", f"{run['n_surrogate']}, then {run['n_surrogate_second'] or 'no more'}"),
        ("mass cancels left out", f"{run['n_mass_cancel']:,}"),
        ("capture delay, 50, 90, 99 %", capture),
        ("thresholds of", ", ".join(str(one) for one in run["law_dates"]) or "the date itself: hints, no more"),
        ("thresholds", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(law.items()))),
        ("list of findings used for intensity", data.attribution_hash or "none"),
    )
    return Section("Parameters", "parameters", (Table(("", " "), rows),))


def moment(when: Any) -> str:
    """Date and time of day in New York: a session begins on the evening before its date."""
    return f"{when.astimezone(NEW_YORK):%Y-%m-%d %H:%M:%S}"


def clock(when: Any, *, micro: bool = False) -> str:
    """A time of day in New York."""
    local = when.astimezone(NEW_YORK)
    return f"{local:%H:%M:%S.%f}" if micro else f"{local:%H:%M:%S}"
