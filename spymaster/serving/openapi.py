"""The description of the HTTP API as a document of the reference.

uv run python -m spymaster.serving.openapi docs/reference/openapi.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from spymaster.serving.app import api


def description() -> str:
    """OpenAPI 3.1 as text: the same for the same code."""
    return json.dumps(api().openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(description(), encoding="utf-8", newline="\n")
