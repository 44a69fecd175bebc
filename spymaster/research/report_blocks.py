"""Parts of a rendered report, and both forms they are written in: a page that needs nothing else, and plain text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Heading:
    """A heading of level 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph; `tone` marks one that must not be overlooked (`answer`, `warning`)."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Head and rows of plain text. `left` columns are words, the others are numbers."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    caption: str = ""
    last_is_long: bool = False
    """The last column holds sentences."""


@dataclass(frozen=True)
class Charts:
    """Drawings side by side (SVG), with a sentence that says what they show: all that plain text gets of them."""

    drawings: Sequence[str]
    sentence: str


Block = Heading | Text | Table | Charts

STYLE = """
:root { color-scheme: light dark; --ink:#1b2430; --soft:#5b6675; --rule:#d5dae1; --paper:#ffffff; --well:#f4f6f9;
  --blue:#1f5fa8; --amber:#8a5a00; --amber-well:#fff4dc; }
@media (prefers-color-scheme: dark) { :root { --ink:#e3e8ef; --soft:#9aa6b5; --rule:#333c48; --paper:#12171e;
  --well:#1a212b; --blue:#7db4f0; --amber:#f0c26b; --amber-well:#2b2413; } }
body { font:15px/1.5 system-ui, sans-serif; color:var(--ink); background:var(--paper); margin:0 auto; max-width:1240px;
  padding:24px 20px 64px; }
h1 { font-size:26px; margin:0 0 4px; } h2 { font-size:20px; margin:36px 0 8px; border-bottom:1px solid var(--rule);
  padding-bottom:4px; } h3 { font-size:16px; margin:24px 0 6px; }
p { margin:8px 0; max-width:78ch; } .answer { font-size:19px; padding:14px 16px; border:2px solid var(--blue);
  border-radius:6px; background:var(--well); max-width:none; }
.warning { padding:10px 14px; border-left:4px solid var(--amber); background:var(--amber-well); max-width:none; }
.wide { overflow-x:auto; } table { border-collapse:collapse; font-size:13.5px; margin:8px 0 4px; }
caption { text-align:left; color:var(--soft); padding-bottom:4px; }
th, td { padding:3px 10px; border-bottom:1px solid var(--rule); white-space:nowrap; text-align:right;
  font-variant-numeric:tabular-nums; } th { color:var(--soft); font-weight:600;
  vertical-align:bottom; white-space:normal; line-height:1.25; }
.words { text-align:left; } td small { display:block; color:var(--soft); font-size:11.5px; line-height:1.2; }
td.long { white-space:normal; min-width:32ch; text-align:left; line-height:1.3; }
.charts { display:flex; flex-wrap:wrap; gap:16px; margin:8px 0; }
svg { background:var(--well); border-radius:4px; } svg text { font:11px system-ui, sans-serif; fill:var(--soft); }
.axis { stroke:var(--rule); } .guide { stroke:var(--soft); stroke-dasharray:3 3; } .mark { fill:var(--blue);
  stroke:var(--blue); } .line { fill:none; stroke:var(--blue); stroke-width:1.6; } .band { fill:var(--soft);
  opacity:.22; } .soft { color:var(--soft); }
"""


def as_html(title: str, subtitle: str, blocks: Sequence[Block]) -> str:
    """A page without scripts and without anything from elsewhere."""
    body = "\n".join(_html(block) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        f'<p class="soft">{escape(subtitle)}</p>\n{body}\n</body>\n</html>\n'
    )


def as_markdown(title: str, subtitle: str, blocks: Sequence[Block]) -> str:
    """The same in plain text: drawings become the sentence that says what they show."""
    return "\n\n".join([f"# {title}", subtitle, *(_markdown(block) for block in blocks)]) + "\n"


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Text):
        tone = f' class="{block.tone}"' if block.tone else ""
        return f"<p{tone}>{escape(block.text)}</p>"
    if isinstance(block, Charts):
        return f'<div class="charts">{"".join(block.drawings)}</div>\n<p class="soft">{escape(block.sentence)}</p>'

    def row(cells: Sequence[str], tag: str) -> str:
        told = []
        for k, cell in enumerate(cells):
            long = block.last_is_long and k == len(cells) - 1
            kind = " class=words" if k < block.left else " class=long" if long else ""
            value, bracket, rest = (
                cell.partition(" (") if tag == "td" and k >= block.left and not long else (cell, "", "")
            )
            told.append(
                f"<{tag}{kind}>{escape(value)}{f'<small>{escape(rest[:-1])}</small>' if bracket else ''}</{tag}>"
            )
        return f"<tr>{''.join(told)}</tr>"

    caption = f"<caption>{escape(block.caption)}</caption>" if block.caption else ""
    head, rows = row(block.head, "th"), "\n".join(row(cells, "td") for cells in block.rows)
    table = f"<table>{caption}<thead>{head}</thead>\n<tbody>\n{rows}\n</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Text):
        return f"**{block.text}**" if block.tone else block.text
    if isinstance(block, Charts):
        return block.sentence
    lines = [
        " | ".join(block.head),
        " | ".join("---" if k < block.left else "---:" for k in range(len(block.head))),
        *(" | ".join(cell or " " for cell in cells) for cells in block.rows),
    ]
    table = "\n".join(f"| {line} |" for line in lines)
    return f"{block.caption}\n\n{table}" if block.caption else table
