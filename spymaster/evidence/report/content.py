"""What a report says, in a fixed order of sections, as plain blocks that `page` and `markdown` render.

What was not found is said as well as what was: a report without a null result has left something out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from spymaster.evidence.report import figures
from spymaster.evidence.report import sentences as say
from spymaster.evidence.report.figures import NEW_YORK
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.sentences import Row
from spymaster.tables.algo_test import TEST_IDS

MOST_PICTURES, MOST_SENTENCES, EXAMPLES = 3, 8, 5
TO_FIND = 2.8
"""Standard errors of an effect that four of five studies would find."""
BANNER = "SIMULATED DATA. Nothing on this page says anything about a real market."


@dataclass(frozen=True)
class Text:
    """A paragraph; `tone` is plain, finding, nothing, note or warning. `detail` is how sure the words are."""

    words: str
    tone: str = "plain"
    detail: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of words under column heads; `numbers` are the columns that hold numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[str, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Picture:
    """An SVG with a caption."""

    svg: str
    caption: str


Block = Text | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """The whole: title, sections, whether the data are simulated, and findings by verdict."""

    title: str
    simulated: bool
    sections: tuple[Section, ...]
    verdicts: dict[str, int]
    controls_passed: bool | None


@dataclass(frozen=True)
class _Of:
    """What one test came to."""

    test: str
    rows: pl.DataFrame
    found: pl.DataFrame
    """Rows with a verdict, the largest effects first."""

    @property
    def groups(self) -> list[Row]:
        """One row of `found` for each group, with the other sub-tests that found it."""
        facts = self.found.filter(pl.col("plain") == "fact")
        tested = self.found.filter(pl.col("plain") != "fact").unique("stratum_json", keep="first", maintain_order=True)
        rows = [
            *tested.iter_rows(named=True),
            *facts.with_columns(others=pl.lit([], pl.List(pl.String))).iter_rows(named=True),
        ]
        return [row | {"others": [one for one in row["others"] if one != row["sub_id"]]} for row in rows]

    @property
    def verdict(self) -> str:
        order = ("supported", "weak", "fact")
        held = set(self.found["plain"].to_list())
        return next((name for name in order if name in held), "none")


def build(data: ReportData) -> Report:
    """The report of a date."""
    results = [_of(data, test) for test in TEST_IDS]
    sections = (
        _header(data, results),
        _summary(data, results),
        *(_test(data, one) for one in results),
        _intensity(data),
        _joining(data),
        _controls(data),
        _limits(),
        _appendix(data),
    )
    every = pl.concat([one.rows["plain"] for one in results])
    counts = {name: int((every == name).sum()) for name in ("supported", "weak", "fact", "none")}
    title = f"Evidence of automation, {data.run['contract']}, {data.dt}"
    return Report(title, data.provenance == "simulated", sections, counts, data.run["controls_passed"])


def _of(data: ReportData, test: str) -> _Of:
    """Rows of a test with the verdict over dates where there is one."""
    keys = ["test_id", "sub_id", "stratum_json"]
    over_dates = data.replication.select(
        *keys, over=pl.col("verdict").cast(pl.String), found_on="days_replicated", seen_on="days_seen"
    )
    rows = data.of_test(test).with_columns(pl.col("verdict").cast(pl.String)).join(over_dates, on=keys, how="left")
    own, over = (pl.col(name).str.split(":").list.last() for name in ("verdict", "over"))
    # a group may be repeated over dates and absent on this one: the report of a date says what the date has
    plain = pl.when((own == "weak") & (over == "supported")).then(pl.lit("supported")).otherwise(own)
    rows = rows.with_columns(plain=plain)
    has = pl.col("plain").is_in(("supported", "weak")) | ((pl.col("plain") == "fact") & (pl.col("effect") > 0))
    rank = pl.col("plain").replace_strict({"supported": 0, "weak": 1, "fact": 2}, default=3, return_dtype=pl.Int8)
    found = rows.filter(has).sort(
        rank, pl.col("effect_lo"), pl.col("test_row_id"), descending=[False, True, False], nulls_last=True
    )
    once = found.unique(["sub_id", "stratum_json"], keep="first", maintain_order=True)
    others = pl.col("sub_id").filter(pl.col("plain") != "fact").unique(maintain_order=True)
    of_group = once.group_by("stratum_json").agg(others=others)
    return _Of(test, rows, once.join(of_group, on="stratum_json", how="left", maintain_order="left"))


def _sentence(row: Row) -> Text:
    found, seen = row["found_on"], row["seen_on"]
    if found is None:
        found, seen = int(row["plain"] in ("weak", "supported")), 1
    words, detail = say.finding({**row, "verdict": row["plain"]}, found, seen)
    return Text(words, "finding", detail + say.also(row["others"]))


def _nothing(data: ReportData, one: _Of) -> Text:
    tested = one.rows.filter(pl.col("effect_lo").is_not_null() & (pl.col("effect_unit") == "share"))
    width = ((tested["effect_hi"] - tested["effect_lo"]) / (2 * 1.96)).to_numpy()
    ratios = bool((one.rows["effect_unit"] == "ratio").any())
    least = None if tested.is_empty() or ratios else float(np.median(width)) * TO_FIND
    strata = one.rows.select("sub_id", "stratum_json").n_unique()
    q: Any = one.rows["q_bh"].min()
    words, detail = say.nothing(data.provenance, strata, least, "share", q)
    return Text(words, "nothing", detail)


def _header(data: ReportData, results: Sequence[_Of]) -> Section:
    run = data.run
    role = {
        "discovery": "discovery date: structure may be looked for on it",
        "holdout": "hold-out date: it only says whether what other dates showed is there again",
    }[str(run["role"])]
    passed = {None: "not run", True: "passed", False: "failed"}[run["controls_passed"]]
    rows = (
        ("instrument", f"{run['contract']} ({data.symbol})"),
        ("session", f"{run['session_date']}, {_clock(run['ts_start'])} to {_clock(run['ts_end'])} New York"),
        ("messages", f"{run['n_messages']:,}, of which tests may look at {run['n_usable']:,}"),
        ("data", str(run["provenance"])),
        ("role of the date", role),
        ("negative controls", passed),
        ("version", f"{data.version}, profile {run['profile']}"),
    )
    blocks: list[Block] = []
    if run["controls_passed"] is False:
        blocks.append(
            Text("A negative control found structure where none is: no verdict of this date counts.", "warning")
        )
    lead = [one.groups[0] for one in results if one.found.height]
    lead.sort(key=lambda row: ("supported", "weak", "fact").index(row["plain"]))
    none = [say.NAMES[one.test].lower() for one in results if one.verdict == "none"]
    blocks += [_sentence(row) for row in lead[:MOST_SENTENCES]]
    if not lead:
        blocks.append(
            Text(
                f"{say.prefix(data.provenance)}no structure was found that slower processes could not give.", "nothing"
            )
        )
    elif none:
        blocks.append(Text(f"{say.prefix(data.provenance)}no evidence found by the tests of {_list(none)}.", "nothing"))
    blocks.append(Table(("", " "), rows))
    return Section("In short", "short", tuple(blocks))


def _summary(data: ReportData, results: Sequence[_Of]) -> Section:
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
                f"{one.rows.select('sub_id', 'stratum_json').n_unique()}",
                f"{one.found.filter(pl.col('plain') != 'fact').height}",
                "" if first is None else say.share(first["effect"], unit),
                interval,
                _least_q(one, first),
                "" if first is None or first["found_on"] is None else f"{first['found_on']} of {first['seen_on']}",
                one.verdict,
            )
        )  # fmt: skip
    heads = ("test", "groups", "found in", "largest effect", "95 % interval", "q", "dates", "verdict")
    note = (
        "Every test that ran is a row, found or not. A group is a kind of message, by side, size, distance "
        "and time of day, "
        "registered before the date was looked at. q is adjusted for everything the test tried. One date "
        "alone is weak at "
        "most; supported needs other dates, some of them held out."
    )
    return Section("All tests", "tests", (Text(note, "note"), Table(heads, tuple(rows), heads[1:7])))


def _least_q(one: _Of, first: Row | None) -> str:
    """q of the finding that is named; of what found nothing the smallest."""
    q: Any = one.rows["q_bh"].min() if first is None else first["q_bh"]
    return "" if q is None else say.probability(q)


def _test(data: ReportData, one: _Of) -> Section:
    blocks: list[Block] = [Text(say.QUESTIONS[one.test], "note")]
    if not one.rows.height:
        blocks.append(Text("No group had enough messages to be tested.", "nothing"))
        return Section(f"{one.test} {say.NAMES[one.test]}", one.test, tuple(blocks))
    if one.verdict in ("none", "fact"):
        blocks.append(_nothing(data, one))
    found = one.groups
    blocks += [_sentence(row) for row in found[:MOST_SENTENCES]]
    if len(found) > MOST_SENTENCES:
        blocks.append(
            Text(f"And in {len(found) - MOST_SENTENCES} more groups; they are in the table of the date.", "note")
        )
    drawn = _pictures(data, one)
    if drawn:
        blocks += [Text(say.PICTURES[one.test], "note"), *drawn]
    blocks += [block for row in found[:1] if (block := _examples(data, row))]
    return Section(f"{one.test} {say.NAMES[one.test]}", one.test, tuple(blocks))


def _pictures(data: ReportData, one: _Of) -> list[Picture]:
    made: list[tuple[str, str | None]] = []
    if one.test == "E2":
        made.append(("Steered orders: follow the quote orange, to and fro blue, others grey", figures.chains(data)))
    if one.test == "E7":
        made += [("Episodes against shifted trades", figures.ratios(data)), ("One episode", figures.episode(data))]
    chosen = [row for row in one.groups if row["p_method"] != "fact"]
    if not chosen:  # what nothing looks like
        tested = one.rows.filter(pl.col("p_raw").is_not_null()).sort("p_raw", "test_row_id")
        chosen = list(tested.head(1).iter_rows(named=True))
    for row in chosen[:MOST_PICTURES]:
        made += figures.curves_of(data, row)
    if one.test == "E5":
        made.append(("Lines over the day", figures.persistence(data)))
    return [Picture(svg, caption) for caption, svg in made if svg]


def _examples(data: ReportData, row: Row) -> Table | None:
    """A few links of a finding as messages."""
    rows = data.exemplars.filter((pl.col("test_row_id") == row["test_row_id"]) & pl.col("is_typical"))
    links = rows["link_id"].unique().sort().head(EXAMPLES).to_list()
    rows = rows.filter(pl.col("link_id").is_in(links)).sort("link_id", "member").head(4 * EXAMPLES)
    if rows.is_empty():
        return None
    heads = ("time", "order id", "what", "side", "price", "from spot", "lots", "life", "lag")
    lines = tuple(
        (
            f"{_clock(one['ts_event'], micro=True)}",
            str(one["order_id"]),
            f"{one['role'].replace('_', ' ')}: {one['kind']}",
            {"B": "bid", "A": "offer"}[str(one["side"])],
            f"{one['price_int'] / 1e9:,.10g}",
            "" if one["rel_ticks"] is None else f"{one['rel_ticks']:+d} ticks",
            f"{one['size']:,}",
            "" if one["lifetime_ns"] is None else _span(one["lifetime_ns"]),
            _span(one["lag_ns"]),
        )
        for one in rows.iter_rows(named=True)
    )  # fmt: skip
    return Table(
        heads,
        lines,
        ("price", "from spot", "lots", "life", "lag"),
        "Messages behind the first finding, nearest to its peak",
    )


def _intensity(data: ReportData) -> Section:
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
                _clock(row["window_end"]),
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


def _joining(data: ReportData) -> Section:
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


def _controls(data: ReportData) -> Section:
    note = (
        "The same tests on data in which nothing can be found: a simulated day without agents, the date with its times "
        "jittered, one date's events against another's. If they find more than chance does, nothing on this "
        "page counts."
    )
    blocks: list[Block] = [Text(note, "note")]
    if data.controls.is_empty():
        blocks.append(Text("No controls were run for this date.", "nothing"))
        return Section("Negative controls", "controls", tuple(blocks))
    families = (
        data.controls.filter(pl.col("q_bh").is_not_null())
        .group_by("control_kind", "test_id")
        .agg(groups=pl.len(), found=(pl.col("q_bh") <= 0.05).sum(), least=pl.col("q_bh").min())
    )
    rows = tuple(
        (str(kind).replace("_", " "), f"{test} {say.NAMES[test]}", f"{groups}", f"{found}", say.probability(least))
        for kind, test, groups, found, least in families.sort("control_kind", "test_id").iter_rows()
    )
    heads = ("control", "test", "groups", "found", "smallest q")
    blocks.append(Table(heads, rows, heads[2:]))
    return Section("Negative controls", "controls", tuple(blocks))


def _limits() -> Section:
    said = (
        "The data name no participant: nothing here says who sent a message, or why.",
        "Structure finer than some time means that something as fast as that was at work; a machine is the plain "
        "explanation, not the only one. Matching engines, gateways and packets are fast, too.",
        "A layering-like pattern is also what inventory, hedging and news look like.",
        "Several users behind one gateway blend into broad bumps, which these tests do not see. No finding is not a "
        "finding of none: the smallest effect that would have been found is given.",
        "Thresholds without a source are assumptions until they have been refitted on real sessions.",
    )
    return Section("Limits", "limits", tuple(Text(words) for words in said))


def _appendix(data: ReportData) -> Section:
    run = data.run
    law = json.loads(run["law_json"] or "{}")
    capture = [run[f"capture_p{q}_ns"] for q in (50, 90, 99)]
    rows = (
        ("run", run["run_id"]),
        ("code, strata, data", f"{run['code_hash']}, {run['strata_hash']}, {run['data_hash']}"),
        ("seed", str(run["seed"])),
        ("surrogates", f"{run['n_surrogate']}, then {run['n_surrogate_second'] or 'no more'}"),
        ("mass cancels left out", f"{run['n_mass_cancel']:,}"),
        ("capture delay, 50, 90, 99 %", ", ".join("unknown" if value is None else _span(value) for value in capture)),
        ("thresholds of", ", ".join(str(one) for one in run["law_dates"]) or "the date itself: hints, no more"),
        ("thresholds", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(law.items()))),
        ("list of findings used for intensity", data.attribution_hash or "none"),
    )
    return Section("Parameters", "parameters", (Table(("", " "), rows),))


def _clock(moment: Any, *, micro: bool = False) -> str:
    local = moment.astimezone(NEW_YORK)
    return f"{local:%H:%M:%S.%f}" if micro else f"{local:%H:%M:%S}"


def _span(ns: int) -> str:
    """A time with four digits in the unit that suits it."""
    size, unit = next(
        ((size, unit) for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")) if abs(ns) >= size), (1.0, "ns")
    )
    return f"{ns / size:.4g} {unit}"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
