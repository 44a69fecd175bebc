"""The committed page: complete inside the package, self-contained, within its size, the same bytes on every machine."""

from __future__ import annotations

import gzip
import re
from importlib import resources

import pytest

STATIC = resources.files("spymaster.serving") / "static"
KB = 1024


def assets() -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in (STATIC / "assets").iterdir()}


def test_the_page_and_everything_it_names_are_inside_the_package() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="\./([^"]+)"', page)
    assert any(name.endswith(".js") for name in named)
    for name in named:
        assert (STATIC / name).is_file(), name
    script = next(content for name, content in assets().items() if name.startswith("index-") and name.endswith(".js"))
    for worker in re.findall(rb"worker-[\w-]+\.js", script):
        assert worker.decode() in assets()


def test_the_page_is_plain_and_asks_nobody_else() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]* src=)", page)
    for name, content in assets().items():
        assert b"\r\n" not in content, name
        assert b"sourceMappingURL" not in content, name
        foreign = set(re.findall(rb"https?://[\w.-]+", content)) - {b"http://localhost", b"http://www.w3.org"}
        assert not foreign, (name, foreign)


@pytest.mark.parametrize(("suffix", "limit"), [(".js", 80 * KB), (".css", 12 * KB)])
def test_it_is_small(suffix: str, limit: int) -> None:
    sizes = [len(gzip.compress(content, 9)) for name, content in assets().items() if name.endswith(suffix)]
    assert 0 < sum(sizes) <= limit
