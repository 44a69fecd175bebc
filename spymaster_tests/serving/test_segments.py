"""Segments that are copied: the same bytes as Arrow makes, of every surface, and nothing of the seconds beside them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from spymaster.serving import segments
from spymaster.serving.codec import Segment, batch_segment
from spymaster.serving.segments import Segments
from spymaster.serving.session import CHUNK_S, Session
from spymaster.serving.surfaces import SURFACES


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
@pytest.mark.parametrize("count", [1, 2, 7, 60, 300])
def test_they_are_the_bytes_that_arrow_makes(market: Session, surface, count: int) -> None:
    for number in range(market.chunks):
        chunk = market.chunk(number)
        own = Segments(chunk.batches)
        for at in (0, 1, (chunk.rows - count) // 2, chunk.rows - count):
            if at + count > chunk.rows or at < 0:
                continue
            expected = batch_segment(surface.name, chunk.batches[surface.name].slice(at, count))
            assert own.segment(surface.name, at, count) == expected


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_windows_of_a_session_make_theirs_without_arrow_where_they_can(market: Session, surface, monkeypatch) -> None:
    windows = list(market.iter_batches(CHUNK_S - 3, CHUNK_S + 3, [surface.name]))
    expected = [batch_segment(surface.name, window.batches[surface.name]) for window in windows]
    assert [window.segment(surface.name) for window in windows] == expected

    def never(*_: object) -> Segment:
        raise AssertionError("this went through Arrow")

    monkeypatch.setattr(segments, "batch_segment", never)
    if surface.name == "reading":
        with pytest.raises(AssertionError, match="through Arrow"):
            windows[0].segment(surface.name)
    else:
        assert [window.segment(surface.name) for window in windows] == expected


def test_what_does_not_fit_the_pattern_goes_through_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "batch_segment", lambda _, batch: Segment(1, 1, batch.num_rows, plain(batch)))
    nullable = pa.record_batch({"a": pa.array([1, None, 3], pa.int32())})
    texts = pa.record_batch({"a": ["x", "y", "z"]})
    whole = pa.record_batch({"a": pa.array(np.arange(3, dtype=np.int32))})
    for batch in (nullable, texts, whole.slice(0, 0), whole):
        own = Segments({"snap": batch})
        for at in range(batch.num_rows):
            assert own.segment("snap", at, 1).payload == plain(batch.slice(at, 1))


def plain(batch: pa.RecordBatch) -> bytes:
    """A message that is not made like others: its body is padded to 128 bytes."""
    message = batch.serialize().to_pybytes()
    return message + b"\0" * 128
