"""The section of a test: its question, what it found or did not, pictures, and messages behind its first finding."""

from __future__ import annotations

import polars as pl

from spymaster.evidence.report import figures
from spymaster.evidence.report import sentences as say
from spymaster.evidence.report.blocks import Block, Picture, Section, Table, Text
from spymaster.evidence.report.detectable import detectable
from spymaster.evidence.report.gather import ReportData
from spymaster.evidence.report.results import Results
from spymaster.evidence.report.sections import clock
from spymaster.evidence.report.sentences import Row

MOST_PICTURES, MOST_SENTENCES, EXAMPLES = 3, 8, 5
TOO_FEW = "No group had enough of what this test counts."


def section_of_test(data: ReportData, one: Results) -> Section:
    """The section of one test."""
    blocks: list[Block] = [Text(say.QUESTIONS[one.test], "note")]
    title = f"{one.test} {say.NAMES[one.test]}"
    if one.verdict in ("none", "fact"):
        blocks.append(_nothing(data, one) if one.n_groups else Text(TOO_FEW, "nothing"))
    if not one.rows.height:
        return Section(title, one.test, tuple(blocks))
    found = one.findings
    blocks += [sentence(row) for row in found[:MOST_SENTENCES]]
    if len(found) > MOST_SENTENCES:
        more = f"And for {len(found) - MOST_SENTENCES} more kinds of message; they are in the table of the date."
        blocks.append(Text(more, "note"))
    drawn = _pictures(data, one)
    if drawn:
        blocks += [Text(say.PICTURES[one.test], "note"), *drawn]
    blocks += [block for row in found[:1] if (block := _examples(data, row))]
    return Section(title, one.test, tuple(blocks))


def sentence(row: Row) -> Text:
    """A finding, and how sure it is; without a row over dates the date stands alone."""
    words, detail = say.finding({**row, "verdict": row["plain"]}, row["found_on"] or 0, row["seen_on"] or 1)
    return Text(words, "finding", detail + say.also(row["test_id"], row["others"]))


def _nothing(data: ReportData, one: Results) -> Text:
    why = say.why_nothing(one.reasons(data.least), data.least.messages, underpowered=one.is_underpowered)
    found = detectable(one.tested, data.least)
    words, detail = say.nothing(data.provenance, one.n_groups, found, one.nearest, why)
    return Text(words, "nothing", detail)


def _pictures(data: ReportData, one: Results) -> list[Picture]:
    made: list[tuple[str, str | None]] = []
    if one.test == "E2":
        made.append(("Steered orders: follow the quote orange, to and fro blue, others grey", figures.chains(data)))
    if one.test == "E7":
        made += [("Groups against shifted trades", figures.ratios(data)), ("One group", figures.episode(data))]
    chosen = [row for row in one.findings if row["p_method"] != "fact"]
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
    heads = ["time", "order id", "what", "side", "price", "from spot", "lots", "life"]
    lines = [
        [
            f"{clock(one['ts_event'], micro=True)}",
            str(one["order_id"]),
            f"{one['role'].replace('_', ' ')}: {one['kind']}",
            {"B": "bid", "A": "offer"}[str(one["side"])],
            f"{one['price_int'] / 1e9:,.10g}",
            "" if one["rel_ticks"] is None else f"{one['rel_ticks']:+d} ticks",
            f"{one['size']:,}",
            "" if one["lifetime_ns"] is None else say.duration(one["lifetime_ns"]),
        ]
        for one in rows.iter_rows(named=True)
    ]
    if not any(line[-1] for line in lines):  # messages, not orders
        heads.pop()
        lines = [line[:-1] for line in lines]
    lag = say.examples_lag(row)
    if lag is not None:
        heads.append(lag)
        lines = [[*line, say.duration(ns)] for line, ns in zip(lines, rows["lag_ns"], strict=True)]
    return Table(
        tuple(heads),
        tuple(tuple(line) for line in lines),
        tuple(heads[4:]),
        f"Messages behind the first finding, {say.examples_order(row)}",
    )
