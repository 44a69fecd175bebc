"""Files that the HUD's contract tests read: frames, tiles, codes and messages, each beside what it says as JSON.

    uv run python -m spymaster_tests.serving.fixtures hud/test/fixtures

`test_fixtures` writes them again and compares. README.md in the folder says what each file is.
"""

from __future__ import annotations

import base64
import json
import math
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from spymaster.serving import codec
from spymaster.serving.batches import columns_of, missing_columns, record_batch
from spymaster.serving.lod import LEVELS, NO_TICK, group, pool_cells
from spymaster.serving.surfaces import (
    BY_NAME,
    SURFACES,
    Geometry,
    Transfers,
    WireColumn,
    WireSurface,
    column_dict,
)
from spymaster.serving.transfer import SignedLog, SignedUnit, Transfer, Unit
from spymaster_tests.serving.documents import T0_NS, manifest, messages
from spymaster_tests.serving.move_states import states_truth

FIRST = 52_200
GEOMETRY = Geometry(half_ticks=20, ladder_ticks=4, gex_strikes=5)
"""Of most files, so that they stay small; `max` has the largest grid."""
LARGEST = Geometry(half_ticks=400)

README = """\
# Fixtures of the wire

Written by `uv run python -m spymaster_tests.serving.fixtures hud/test/fixtures`; do not edit.

| file | what it is |
|---|---|
| `schema.bin` | SCHEMA frame of all ten surfaces |
| `window.bin` `window-missing.bin` `bundle.bin` | WINDOW and BUNDLE frames of all surfaces; the second knows nothing |
| `bundle-max.bin` | 300 windows of wall, vacuum and pressure at 801 rows; the JSON holds sums of codes per column |
| `tile-{surface}.arrows` `tile-{surface}-empty.arrows` | bodies of tile answers: Arrow streams |
| `*.json` beside them | the same content: header fields, and columns as lists (NaN as null) |
| `geometry.json` | lengths of the list columns in these files, and their columns as the manifest declares them |
| `bad-frames.json` | frames (base64) that a parser refuses, and the rule that each breaks |
| `transfer.json` | values and codes of every transfer function |
| `lod.json` | rows, and what they pool to at each level |
| `moves.json` | every state of the four conditions: its bits, which conditions hold, and what the table makes of them |
| `control.json` `manifest.json` | one example of every message; the manifest of a session |
"""


def write(folder: Path) -> None:
    """Write every fixture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in fixtures().items():
        (folder / name).write_bytes(content)


def fixtures() -> dict[str, bytes]:
    """Content by file name; the same bytes every time."""
    files: dict[str, bytes] = {"README.md": README.encode()}
    names = [surface.name for surface in SURFACES]
    schema = codec.pack(codec.schema_body(names, GEOMETRY), codec.Kind.SCHEMA, epoch=3, seq=0)
    files |= _frame("schema", schema, {})
    window = {s.name: known(s, 1, seed=1) for s in SURFACES}
    files |= _frame("window", _pack(window, codec.Kind.WINDOW, seq=1, count=1), window)
    nothing = {s.name: _batch(s, GEOMETRY, 1, missing_columns(s, GEOMETRY, 1)) for s in SURFACES}
    files |= _frame("window-missing", _pack(nothing, codec.Kind.WINDOW, seq=2, count=1, flags=2), nothing)
    bundle = {s.name: known(s, 7, seed=2) for s in SURFACES}
    files |= _frame("bundle", _pack(bundle, codec.Kind.BUNDLE, seq=3, count=7, flags=1), bundle)
    largest = {name: _regular(BY_NAME[name], codec.MAX_BUNDLE) for name in ("wall", "vacuum", "pressure")}
    data = _pack(largest, codec.Kind.BUNDLE, seq=4, count=codec.MAX_BUNDLE, flags=5)
    files["bundle-max.bin"] = data
    files["bundle-max.json"] = _json(_header(data) | {"sums": {n: _sums(n, b) for n, b in largest.items()}})
    for surface in SURFACES:
        if surface.tiles:
            rows = known(surface, 3, seed=5)
            files[f"tile-{surface.name}.arrows"] = stream(surface, GEOMETRY, [rows])
            files[f"tile-{surface.name}.json"] = _json(_truth({surface.name: rows})[surface.name])
            files[f"tile-{surface.name}-empty.arrows"] = stream(surface, GEOMETRY, [])
    files["geometry.json"] = _json(geometry_truth())
    small = {name: known(BY_NAME[name], 2, seed=6) for name in ("snap", "vacuum")}
    files["bad-frames.json"] = _json(bad_frames(_pack(small, codec.Kind.BUNDLE, seq=5, count=2)))
    files["transfer.json"] = _json([transfer_truth(fn) for fn in (Unit(), SignedUnit(), SignedLog(10.0, 20_000.0))])
    files["lod.json"] = _json(lod_truth())
    files["moves.json"] = _json(states_truth())
    files["manifest.json"] = manifest().model_dump_json(by_alias=True).encode() + b"\n"
    files["control.json"] = _json([json.loads(message.text()) for message in messages()])
    return files


def stream(surface: WireSurface, geometry: Geometry, batches: list[pa.RecordBatch]) -> bytes:
    """An Arrow stream of a surface."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, surface.schema(geometry)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def known(surface: WireSurface, rows: int, *, seed: int) -> pa.RecordBatch:
    """Random but legal rows, with some of everything that can be missing."""
    rng = np.random.default_rng(100 * seed + surface.id)
    columns = missing_columns(surface, GEOMETRY, rows)
    for column in surface.columns:
        columns[column.name] = _some(column, columns[column.name], rng)
    return _batch(surface, GEOMETRY, rows, columns)


def _some(column: WireColumn, empty: Any, rng: np.random.Generator) -> Any:
    if column.type == "utf8":
        return [f"{column.name} {number}: 6800.25, “more”" for number in range(len(empty))]
    shape = empty.shape
    match column.type:
        case "u8":
            return rng.integers(0, 4, shape)
        case "cells_u8":
            values = rng.integers(1, 256, shape)
        case "f32" | "f32_list":
            values = rng.normal(0, 2, shape)
        case _:
            values = 27_200 + rng.integers(-40, 40, shape) if column.unit == "ticks" else rng.integers(0, 900, shape)
    return np.where(rng.random(shape) < 0.15, empty, values)


def _batch(surface: WireSurface, geometry: Geometry, rows: int, columns: Mapping[str, Any]) -> pa.RecordBatch:
    return record_batch(surface, geometry, np.arange(FIRST, FIRST + rows, dtype=np.int32), columns)


def _regular(surface: WireSurface, rows: int) -> pa.RecordBatch:
    """A pattern that compresses well: code (row + cell) / 8, modulo 256."""
    pattern = (np.arange(rows)[:, None] + np.arange(LARGEST.width)[None, :]) // 8 % 256
    return _batch(surface, LARGEST, rows, {column.name: pattern for column in surface.columns})


def _pack(batches: Mapping[str, pa.RecordBatch], kind: codec.Kind, *, seq: int, count: int, flags: int = 0) -> bytes:
    ts_ns = T0_NS + (FIRST + count) * 1_000_000_000
    body = codec.batch_body(batches)
    return codec.pack(body, kind, epoch=3, seq=seq, ts_ns=ts_ns, sec=FIRST, count=count, flags=flags)


def _frame(name: str, data: bytes, batches: Mapping[str, pa.RecordBatch]) -> dict[str, bytes]:
    return {f"{name}.bin": data, f"{name}.json": _json(_header(data) | {"surfaces": _truth(batches)})}


def _header(data: bytes) -> dict[str, Any]:
    frame = codec.parse(data)
    return {
        "bytes": len(data),
        "kind": int(frame.kind),
        "flags": int(frame.flags),
        "epoch": frame.epoch,
        "seq": frame.seq,
        "ts_ns": str(frame.ts_ns),
        "sec": frame.sec,
        "count": frame.count,
        "segments": [
            {"surface_id": s.surface_id, "schema_rev": s.schema_rev, "rows": s.rows, "length": len(s.payload)}
            for s in frame.segments
        ],
    }


def _truth(batches: Mapping[str, pa.RecordBatch]) -> dict[str, Any]:
    return {
        name: {
            "sec": batch.column("sec").to_pylist(),
            **{column: _plain(values) for column, values in columns_of(BY_NAME[name], batch).items()},
        }
        for name, batch in batches.items()
    }


def _plain(values: Any) -> Any:
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    return [_plain(item) if isinstance(item, list) else _number(item) for item in listed]


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _sums(name: str, batch: pa.RecordBatch) -> dict[str, int]:
    return {column: int(values.sum()) for column, values in columns_of(BY_NAME[name], batch).items()}


def geometry_truth() -> dict[str, Any]:
    """Lengths and declarations of the columns in these files."""
    return {
        "half_ticks": GEOMETRY.half_ticks,
        "ladder_ticks": GEOMETRY.ladder_ticks,
        "gex_strikes": GEOMETRY.gex_strikes,
        "t0_ns": str(T0_NS),
        "surfaces": [
            {
                "id": surface.id,
                "name": surface.name,
                "columns": [column_dict(column, GEOMETRY, Transfers()) for column in surface.columns],
            }
            for surface in SURFACES
        ],
    }


def bad_frames(good: bytes) -> list[dict[str, str]]:
    """Frames that break one rule each; `code` is what the parser in Python says."""

    def changed(offset: int, form: str, *values: Any) -> bytes:
        data = bytearray(good)
        struct.pack_into(form, data, offset, *values)
        return bytes(data)

    first = codec.HEADER.size
    second = first + codec.ENTRY.size
    cases = {
        "no header": good[:20],
        "cut in the table": good[: first + 10],
        "cut in a segment": good[:-9],
        "other magic": changed(0, "<4s", b"SPM2"),
        "other version": changed(4, "<B", 9),
        "unknown kind": changed(5, "<B", 7),
        "a window of two": changed(5, "<B", 2),
        "an empty bundle": changed(36, "<I", 0),
        "too many segments": changed(12, "<I", 4_000_000_000),
        "an id twice": changed(second, "<H", 1),
        "an odd offset": changed(first + 8, "<I", 81),
        "into the header": changed(first + 8, "<I", 0),
        "overlapping": changed(first + 12, "<I", len(good) - 100),
        "beyond the end": changed(first + 12, "<I", 4_294_967_295),
        "other rows": changed(first + 4, "<I", 3),
    }
    return [{"name": name, "code": refusal(data), "base64": _text(data)} for name, data in cases.items()]


def refusal(data: bytes) -> str:
    """The rule that a frame breaks."""
    try:
        codec.parse(data)
    except codec.FrameError as error:
        return error.code
    raise AssertionError("a bad frame was accepted")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def transfer_truth(fn: Transfer) -> dict[str, Any]:
    """Every code's value, and codes of values around every step.

    Values to twelve digits: the last ones of an exponential are not the same on every processor.
    """
    codes = np.arange(256, dtype=np.uint8)
    values = fn.decode(codes)
    rng = np.random.default_rng(3)
    top = 25_000.0 if isinstance(fn, SignedLog) else 1.25
    drawn = rng.uniform(-top, top, 200) * rng.choice([1.0, 0.1, 0.01, 0.001], 200)
    inputs = np.concatenate([[0.0, 1.0, -1.0, 0.5, top, -top, math.nan], drawn])
    return {
        "transfer": fn.as_dict(),
        "decode": [_number(float(f"{value:.12g}")) for value in values.tolist()],
        "values": [_number(value) for value in inputs.tolist()],
        "encode": fn.encode(inputs).tolist(),
        "clipped": fn.clipped(inputs).tolist(),
    }


def lod_truth() -> dict[str, Any]:
    """Seventy seconds with a moving spot, gaps and invalid seconds, pooled in every way."""
    rng = np.random.default_rng(11)
    rows, width = 70, 21
    secs = np.arange(14, 14 + rows, dtype=np.int32)
    spot = (27_200 + np.cumsum(rng.integers(-2, 3, rows))).astype(np.int32)
    spot[[5, 6, 7, 8, 9, 40]] = NO_TICK
    state = np.where(rng.random(rows) < 0.2, 1, 3).astype(np.uint8)
    state[spot == NO_TICK] = 0
    state[20:36] = 2
    codes = np.where(rng.random((rows, width)) < 0.3, 0, rng.integers(1, 256, (rows, width))).astype(np.uint8)
    codes[spot == NO_TICK] = 0
    answers = []
    for level in LEVELS[1:]:
        groups = group(secs, spot, state, level)
        for fn in (SignedLog(10.0, 20_000.0), SignedUnit(), Unit()):
            for pool in ("max", "mean", "last"):
                pooled = pool_cells(codes, spot, groups, pool, fn)
                answers.append(
                    {
                        "level": level,
                        "transfer": fn.as_dict(),
                        "pool": pool,
                        "secs": groups.secs.tolist(),
                        "anchor": groups.anchor.tolist(),
                        "codes": _text(pooled.tobytes()),
                    }
                )
    return {
        "width": width,
        "secs": secs.tolist(),
        "spot": spot.tolist(),
        "state": state.tolist(),
        "codes": _text(codes.tobytes()),
        "pooled": answers,
    }


def _json(document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
