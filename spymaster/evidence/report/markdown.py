"""A report as Markdown: every word and table of the page; pictures are named, and stand in the page."""

from __future__ import annotations

from spymaster.evidence.report.blocks import BANNER, Block, Picture, Report, Table, Text


def render(report: Report) -> str:
    """The text, ending in a newline."""
    parts = [f"# {report.title}"]
    if report.simulated:
        parts.append(f"> **{BANNER}**")
    for section in report.sections:
        parts.append(f"## {section.title}")
        parts += [_block(block) for block in section.blocks]
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Text(words, tone, detail):
            said = f"{words} {detail}".strip()
            return {"finding": f"- {said}", "warning": f"> **{said}**"}.get(tone, said)
        case Picture(_, caption):
            return f"*Picture in the page: {caption}*"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    heads = f"| {' | '.join(name.strip() for name in table.columns)} |"
    rule = f"|{'|'.join('---:' if name in table.numbers else '---' for name in table.columns)}|"
    rows = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in table.rows]
    caption = [f"{table.caption}:", ""] if table.caption else []
    return "\n".join([*caption, heads, rule, *rows])
