"""Frames: what goes in comes out, and what is not a frame is refused by name."""

from __future__ import annotations

import base64
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.serving import codec
from spymaster.serving.batches import columns_of, empty_batch, missing_columns, record_batch
from spymaster.serving.codec import Flag, FrameError, Kind
from spymaster.serving.surfaces import BY_NAME, SURFACES, Geometry
from spymaster_tests.serving.fixtures import FIRST, GEOMETRY, bad_frames, known, refusal

NAMES = [surface.name for surface in SURFACES]
SCHEMAS = {surface.name: surface.schema(GEOMETRY) for surface in SURFACES}


@pytest.fixture(scope="module")
def bundle() -> bytes:
    body = codec.batch_body({surface.name: known(surface, 5, seed=9) for surface in SURFACES})
    return codec.pack(body, Kind.BUNDLE, epoch=7, seq=2**40, ts_ns=2**62, sec=FIRST, count=5, flags=Flag.HISTORY)


def test_header_and_batches_round_trip(bundle: bytes) -> None:
    frame = codec.parse(bundle)
    assert (frame.kind, frame.epoch, frame.seq, frame.ts_ns) == (Kind.BUNDLE, 7, 2**40, 2**62)
    assert (frame.sec, frame.count, frame.flags) == (FIRST, 5, Flag.HISTORY)
    read = codec.read_batches(frame, SCHEMAS)
    assert list(read) == NAMES
    for surface in SURFACES:
        assert read[surface.name].serialize() == known(surface, 5, seed=9).serialize()


def test_schemas_travel_on_their_own() -> None:
    frame = codec.parse(codec.pack(codec.schema_body(NAMES, GEOMETRY), Kind.SCHEMA, epoch=1, seq=0))
    assert frame.count == 0
    assert codec.read_schemas(frame) == SCHEMAS


def test_schemas_have_no_nulls_no_int64_and_no_timestamps() -> None:
    for schema in SCHEMAS.values():
        assert schema.metadata is None
        for field in schema:
            item = field.type.value_type if pa.types.is_fixed_size_list(field.type) else field.type
            assert not field.nullable
            assert item in (pa.int32(), pa.uint8(), pa.float32(), pa.utf8())


def test_segments_lie_at_multiples_of_eight(bundle: bytes) -> None:
    for number in range(len(SURFACES)):
        offset = codec.ENTRY.unpack_from(bundle, codec.HEADER.size + 16 * number)[3]
        assert offset % 8 == 0


@pytest.mark.parametrize("case", bad_frames(codec.pack(codec.batch_body(
    {name: known(BY_NAME[name], 2, seed=6) for name in ("snap", "vacuum")}), Kind.BUNDLE, epoch=1, seq=0, count=2)),
    ids=lambda case: case["name"])  # fmt: skip
def test_bad_frames_are_refused(case: dict[str, str]) -> None:
    assert refusal(base64.b64decode(case["base64"])) == case["code"]


@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1))
def test_a_truncated_frame_is_refused(bundle: bytes, share: float) -> None:
    with pytest.raises(FrameError):
        codec.parse(bundle[: int(share * (len(bundle) - 8))])


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 199), value=st.integers(0, 255))
def test_a_spoilt_header_never_breaks_the_parser(bundle: bytes, position: int, value: int) -> None:
    data = bytearray(bundle)
    data[position] = value
    try:
        frame = codec.parse(bytes(data))
    except FrameError:
        return
    assert all(len(segment.payload) <= len(bundle) for segment in frame.segments)


def test_a_frame_over_two_mebibytes_is_refused() -> None:
    surface, geometry = BY_NAME["wall"], Geometry(half_ticks=400)
    rows = 900
    batch = record_batch(surface, geometry, np.arange(rows, dtype=np.int32), missing_columns(surface, geometry, rows))
    with pytest.raises(FrameError, match="over the limit"):
        codec.batch_body({"wall": batch})


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_an_empty_batch_keeps_every_column(surface) -> None:
    batch = empty_batch(surface, GEOMETRY)
    assert batch.num_rows == 0
    assert batch.schema == surface.schema(GEOMETRY)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_missing_is_told_from_zero_in_every_column(surface) -> None:
    nothing = missing_columns(surface, GEOMETRY, 2)
    zeros = {
        column.name: ["0"] * 2 if column.type == "utf8" else np.zeros_like(nothing[column.name])
        for column in surface.columns
        if column.type not in ("u8", "cells_u8")  # cells: see test_transfer; states: 0 is MISSING
    }
    for name, values in zeros.items():
        assert not np.array_equal(np.asarray(nothing[name]), np.asarray(values))


def test_columns_come_back_as_arrays() -> None:
    batch = known(BY_NAME["gex"], 3, seed=4)
    arrays = columns_of(BY_NAME["gex"], batch)
    assert arrays["strike_tick"].shape == (3, GEOMETRY.gex_strikes)
    again = record_batch(BY_NAME["gex"], GEOMETRY, np.arange(FIRST, FIRST + 3, dtype=np.int32), arrays)
    assert again.serialize() == batch.serialize()  # bytes: NaN differs from itself


def test_a_column_of_another_shape_is_refused() -> None:
    surface = BY_NAME["vacuum"]
    with pytest.raises(ValueError, match="column score has shape"):
        record_batch(surface, GEOMETRY, np.arange(2, dtype=np.int32), {"score": np.zeros((2, 5), np.uint8)})


def test_messages_read_back_and_foreign_fields_are_refused() -> None:
    from pydantic import ValidationError

    from spymaster.serving.control import CLIENT, SERVER, json_schema
    from spymaster_tests.serving.documents import messages

    clients = {"subscribe", "play", "pause", "step", "speed", "seek", "ack"}
    for message in messages():
        record = json.loads(message.text())
        adapter = CLIENT if record["type"] in clients else SERVER
        assert adapter.validate_json(message.text()) == message
        with pytest.raises(ValidationError):
            adapter.validate_python({**record, "more": 1})
    assert {"ClientMessage", "ServerMessage", "Subscribe"} <= set(json_schema()["$defs"])
