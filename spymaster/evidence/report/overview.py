"""The beginning of a report: what was found in short, and a line for every test."""

from __future__ import annotations

from collections.abc import Sequence

from spymaster.evidence.report import sentences as say
from spymaster.evidence.report.blocks import Block, Section, Table, Text
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.groups import VERDICTS
from spymaster.evidence.report.results import Results
from spymaster.evidence.report.section_of_test import MOST_SENTENCES, sentence
from spymaster.evidence.report.sections import moment
from spymaster.evidence.report.sentences import Row

ROLES = {
    "discovery": "discovery date: structure may be looked for on it",
    "holdout": "hold-out date: it only says whether what other dates showed is there again",
}
NO_EVIDENCE = "{prefix}no evidence found by the tests of {names}"
SILENCED = "{prefix}no verdict, as a negative control failed, by the tests of {names}"
NOT_TESTED = "{prefix}too little to count for the tests of {names}"
EXTENTS = {"none": "", "sample": ", on its busiest hour", "full": ", on the whole date"}


def in_short(data: ReportData, results: Sequence[Results]) -> Section:
    """The strongest finding of each test, what was not found, and what the date is."""
    run = data.run
    passed = {None: "not run", True: "passed", False: "failed"}[run["controls_passed"]]
    rows = (
        ("instrument", f"{run['contract']} ({data.symbol})"),
        ("session", f"of {run['session_date']}: {moment(run['ts_start'])} to {moment(run['ts_end'])} New York"),
        ("messages", f"{run['n_messages']:,}, of which tests may look at {run['n_usable']:,}"),
        ("data", str(run["provenance"])),
        ("role of the date", ROLES[str(run["role"])]),
        ("negative controls", passed if run["controls_passed"] is None else passed + EXTENTS[str(run["controls"])]),
        ("version", f"{data.version}, profile {run['profile']}"),
    )
    blocks: list[Block] = []
    if run["controls_passed"] is False:
        blocks.append(
            Text("A negative control found structure where none is: no verdict of this date counts.", "warning")
        )
    lead = [one.findings[0] for one in results if one.found.height]
    lead.sort(key=lambda row: VERDICTS.index(row["plain"]))
    blocks += [sentence(row) for row in lead[:MOST_SENTENCES]]
    blocks += [Text(words, "nothing") for words in _not_found(data, results)]
    blocks.append(Table(("", " "), rows))
    return Section("In short", "short", tuple(blocks))


def _not_found(data: ReportData, results: Sequence[Results]) -> list[str]:
    """Which tests found nothing, apart from those that a failed control silenced and those that had nothing to test."""
    told: dict[str, list[str]] = {NO_EVIDENCE: [], SILENCED: [], NOT_TESTED: []}
    for one in results:
        if one.verdict in ("none", "fact"):
            why = NOT_TESTED if not one.n_groups else SILENCED if "blocked" in one.reasons(data.least) else NO_EVIDENCE
            name = say.NAMES[one.test].lower()
            told[why].append(name if one.verdict == "none" else f"{name} (beside the fact)")
    start = say.prefix(data.provenance)
    return [say.sentence(words.format(prefix=start, names=_list(names))) for words, names in told.items() if names]


def all_tests(data: ReportData, results: Sequence[Results]) -> Section:
    """Every test with its largest effect, found or not."""
    rows = []
    for one in results:
        first = one.found.row(0, named=True) if one.found.height else None
        unit = "share" if first is None else str(first["effect_unit"])
        interval = (
            "" if first is None else f"{say.share(first['effect_lo'], unit)} to {say.share(first['effect_hi'], unit)}"
        )
        rows.append(
            (
                f"{one.test} {say.NAMES[one.test]}",
                f"{one.n_groups}",
                f"{one.n_found}",
                "" if first is None else say.share(first["effect"], unit),
                interval,
                _least_q(one, first),
                _dates(first),
                _verdict(data, one),
            )
        )  # fmt: skip
    heads = ("test", "groups", "found in", "largest effect", "95 % interval", "q", "dates by q_by", "verdict")
    note = (
        "Every test that ran is a row, found or not. A group is a kind of message, by side, size, distance and time of "
        "day, registered before the date was looked at, with one part of the test (such as a period, or a range of "
        "delays). q is adjusted for everything the test tried. One date alone is weak at most; supported needs other "
        "dates, some of them held out. Dates by q_by are those, of all that tested the group, on which the stricter "
        "q_by is 0.05 or less, too: a hint may have none. Facts need no test, and are not counted as groups."
    )
    return Section("All tests", "tests", (Text(note, "note"), Table(heads, tuple(rows), heads[1:7])))


def _least_q(one: Results, first: Row | None) -> str:
    """q of the finding that is named; of what found nothing the smallest."""
    row = one.nearest if first is None else first
    return "" if row is None or row["q_bh"] is None else say.probability(row["q_bh"])


def _dates(first: Row | None) -> str:
    """On how many dates the group was found by q_by; nothing for facts, which no date tests."""
    if first is None or first["plain"] == "fact" or first["found_on"] is None:
        return ""
    return f"{first['found_on']} of {first['seen_on']}" if first["seen_on"] > 1 else "this one alone"


def _verdict(data: ReportData, one: Results) -> str:
    """The verdict, and of none why: what kept the group that came nearest from one."""
    if one.verdict != "none":
        return one.verdict
    why = next(iter(one.reasons(data.least)), None)
    return "not tested" if not one.n_groups else f"none: {say.WHY_NOT_SHORT[why]}" if why else "none"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
