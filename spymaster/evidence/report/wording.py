"""Words that nothing said about evidence may use: data without names cannot accuse, and structure is not intent.

What may be said: structure finer than some time, an answer after some delay, a layering-like pattern, refills on one
order id, an effect with its interval and the dates it was seen on, "consistent with automation".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FORBIDDEN = {
    "accusation": r"spoof\w*|manipulat\w*|illegal\w*|fraud\w*|caught|cheat\w*|abus\w+",
    "identity": r"this (firm|bank|fund|trader)|HFT firms?|a (certain|single) (firm|bank|fund)",
    "intent": r"(algorithms?|bots?|robots?|they) (wants?|intends?|tr(y|ies)|hopes?|plans?)",
    "certainty": r"proves that|proven|is an? (robot|bot|algorithm)|undoubtedly|certainly",
}
"""Kind of fault to a pattern of it, whatever the case."""

_PATTERNS = {name: re.compile(rf"\b({pattern})\b", re.IGNORECASE) for name, pattern in FORBIDDEN.items()}
_NUMBER = re.compile(r"\d")


@dataclass(frozen=True)
class Fault:
    """A forbidden phrase, why it is one, and the words around it."""

    kind: str
    phrase: str
    context: str


def faults(text: str) -> list[Fault]:
    """Every forbidden phrase of a text, in order."""
    return sorted(_faults(text), key=lambda fault: (fault.context, fault.phrase))


def _faults(text: str) -> Iterator[Fault]:
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            around = text[max(match.start() - 30, 0) : match.end() + 30]
            yield Fault(kind, match.group(), " ".join(around.split()))


def has_free_numbers(template: str) -> bool:
    """Whether a template (`str.format`) says a number itself instead of taking it from a result."""
    return bool(_NUMBER.search(re.sub(r"\{[^}]*\}", "", template)))
