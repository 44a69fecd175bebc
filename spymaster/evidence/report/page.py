"""A report as one page of HTML: style and pictures inside it, no scripts, nothing loaded from anywhere."""

from __future__ import annotations

from html import escape

from spymaster.evidence.report.blocks import BANNER, Block, Picture, Report, Section, Table, Text

STYLE = """
:root{--ink:#1d2733;--faint:#667484;--line:#dde3ea;--paper:#fff;--wash:#f5f7fa;--mark:#e0701b}
*{box-sizing:border-box}
body{margin:0;background:var(--wash);color:var(--ink);
font:16px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:960px;margin:0 auto;padding:0 16px 60px}
.banner{position:sticky;top:0;z-index:1;background:#ffd866;color:#3a2c00;text-align:center;font-weight:700;
padding:6px 16px;letter-spacing:.02em}h1{font-size:1.7rem;margin:26px 0 4px}h2{font-size:1.2rem;margin:0 0 6px}
nav{font-size:.92rem;margin:4px 0 18px}nav a{margin-right:14px;white-space:nowrap}a{color:#1b5fae}
section{background:var(--paper);border:1px solid var(--line);border-radius:8px;padding:16px 20px;margin:14px 0}
p{margin:6px 0}.note{color:var(--faint);font-size:.93rem}
.finding{border-left:4px solid var(--mark);padding:2px 0 2px 12px;margin:10px 0}
.nothing{border-left:4px solid var(--line);padding:2px 0 2px 12px;margin:10px 0}
.warning{background:#fff3d6;border-left:4px solid #e0a100;padding:8px 12px;font-weight:600}.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:8px 0;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--faint);padding:8px 0 4px}
th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--faint);font-weight:600;white-space:nowrap}.n{text-align:right;white-space:nowrap}
th[scope=row]{width:13rem}small{display:block;color:var(--faint);font-size:.87rem}figure{margin:14px 0}
figcaption{font-size:.9rem;margin-bottom:4px}svg{display:block;width:100%;height:auto;max-width:860px}
.chip{display:inline-block;border-radius:10px;padding:0 9px;font-size:.85rem;background:#e8edf2;color:#45525f;
white-space:nowrap}.chip.supported,.chip.higher,.chip.lower{background:#e0701b;color:#fff}
.chip.weak{background:#fbe3cf;color:#7a3a08}.chip.fact{background:#dcebf9;color:#124a80}
@media print{.banner{position:static}section{break-inside:avoid-page}}
"""


NUMBER = ' class="n"'
"""Attribute of cells that hold numbers."""


def render(report: Report) -> str:
    """The page. A banner stays in view where the data are simulated."""
    banner = f'<div class="banner" role="note">{escape(BANNER)}</div>' if report.simulated else ""
    links = " ".join(f'<a href="#{one.anchor}">{escape(one.title)}</a>' for one in report.sections)
    body = "".join(_section(one) for one in report.sections)
    title = escape(report.title)
    return document(title, f"{banner}<main><h1>{title}</h1><nav>{links}</nav>{body}</main>")


def document(title: str, body: str) -> str:
    """A whole page around a body; both are HTML already."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
    return (
        f'<!doctype html><html lang="en"><head>{head}<title>{title}</title><style>{STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )


def _section(one: Section) -> str:
    blocks = "".join(_block(block) for block in one.blocks)
    return f'<section id="{one.anchor}"><h2>{escape(one.title)}</h2>{blocks}</section>'


def _block(block: Block) -> str:
    match block:
        case Text(words, tone, detail):
            more = f"<small>{escape(detail)}</small>" if detail else ""
            return f'<p class="{tone}">{escape(words)} {more}</p>'
        case Picture(svg, caption):
            return f"<figure><figcaption>{escape(caption)}</figcaption>{svg}</figure>"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    names = "".join(f'<th scope="col"{_right(table, name)}>{escape(name)}</th>' for name in table.columns)
    heads = f"<thead><tr>{names}</tr></thead>" if any(name.strip() for name in table.columns) else ""
    rows = "".join(f"<tr>{''.join(_cells(table, row))}</tr>" for row in table.rows)
    return f'<div class="scroll"><table>{caption}{heads}<tbody>{rows}</tbody></table></div>'


def _cells(table: Table, row: tuple[str, ...]) -> list[str]:
    cells = []
    for number, (name, words) in enumerate(zip(table.columns, row, strict=True)):
        if number == 0 and not name.strip():
            cells.append(f'<th scope="row">{escape(words)}</th>')
        elif name == "verdict":
            cells.append(f'<td><span class="chip {escape(words.split()[0])}">{escape(words)}</span></td>')
        else:
            cells.append(f"<td{_right(table, name)}>{escape(words)}</td>")
    return cells


def _right(table: Table, name: str) -> str:
    return NUMBER if name in table.numbers else ""
