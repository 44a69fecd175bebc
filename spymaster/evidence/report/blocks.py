"""What a report is made of: sections of plain blocks, which `page` and `markdown` render."""

from __future__ import annotations

from dataclasses import dataclass

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
    """The whole: title, sections, whether the data are simulated, and groups by verdict (`groups.counts`)."""

    title: str
    simulated: bool
    sections: tuple[Section, ...]
    verdicts: dict[str, int]
    controls_passed: bool | None
