"""Integrity of models: learned from what was over, stored whole, and as well calibrated as they say."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from spymaster.checks.base import Finding, Session, Severity, Suite, check
from spymaster.checks.frames import MODEL, collect, scan

ECE_LIMIT = 0.10
"""Calibration error of inner folds beyond which a model is worth a look; with few samples chance alone reaches it."""
ECE_LEAST = 500
"""Samples of inner folds below which it is not judged."""
TOLERANCE = 1e-9


@check(MODEL, suite=Suite.PHYSICS, blocking=True)
def learned_before(session: Session) -> Finding:
    """Models are of the partition's date, and everything they learned from was over when it began.

    Inputs but the scaler, which knows earlier dates only, are of earlier dates. A setup of the evening may belong to
    the trade date of the partition, never to a later one.
    """
    rows = collect(scan(session, MODEL, ["model_id", "asof_dt", "last_label_end", "train_sessions"]))
    begin = datetime(session.dt.year, session.dt.month, session.dt.day, tzinfo=UTC)
    late = (
        (pl.col("asof_dt") != session.dt)
        | (pl.col("last_label_end") > begin)
        | (pl.col("train_sessions").list.max() > session.dt)
    ).fill_null(False)
    faults = [f"{name} learned from what was not over" for name in rows.filter(late)["model_id"]]
    inputs = [one.name for one in session.partition(MODEL).manifest.inputs if one.kind == "partition"]
    histories = [name for name in inputs if not name.startswith("gold.vector_scaler ")]
    faults += [
        f"input {name} is not earlier than {session.dt}"
        for name in sorted(set(histories))
        if date.fromisoformat(name.rsplit(" ", 1)[1]) > session.dt - timedelta(days=1)
    ]
    message = faults[0] if faults else "all was over before"
    return Finding(len(faults), message, {"models": rows.height, "inputs": len(histories)}, tuple(faults))


@check(MODEL, suite=Suite.DATA, blocking=True)
def artifacts_whole(session: Session) -> Finding:
    """Every artifact has the hash it says, and is of the head, algorithm, sessions and features of its row."""
    columns = ["model_id", "head", "algo", "features", "train_sessions", "n_train", "artifact", "artifact_sha256"]
    rows = collect(scan(session, MODEL, columns).filter(pl.col("artifact").is_not_null()))
    faults = [f"{row['model_id']}: {fault}" for row in rows.iter_rows(named=True) if (fault := _fault(row)) is not None]
    message = faults[0] if faults else "artifacts are what their rows say"
    return Finding(len(faults), message, {"artifacts": rows.height}, tuple(faults))


def _fault(row: dict[str, Any]) -> str | None:
    if hashlib.sha256(row["artifact"].encode()).hexdigest() != row["artifact_sha256"]:
        return "the artifact has another hash"
    told = json.loads(row["artifact"])
    own = {name: row[name] for name in ("head", "algo", "features", "n_train")}
    own["train_sessions"] = [(day - date(1970, 1, 1)).days for day in row["train_sessions"]]
    wrong = [name for name, value in own.items() if told[name] != value]
    return f"the artifact has other {', '.join(wrong)}" if wrong else None


@check(MODEL, suite=Suite.PHYSICS, severity=Severity.WARN)
def calibrated(session: Session) -> Finding:
    """The calibration error is that of the bins, and with 500 samples or more at most 0.10."""
    rows = collect(
        scan(session, MODEL, ["model_id", "ece", "calibration_json"]).filter(pl.col("calibration_json").is_not_null())
    )
    faults, worst = [], 0.0
    for name, ece, text in rows.iter_rows():
        bins = json.loads(text)["bins"]
        if (ece is None) != (bins is None):
            faults.append(f"{name}: error and bins do not go together")
        elif ece is not None:
            count = sum(bins["count"])
            off = sum(n * abs(p - y) for n, p, y in zip(bins["count"], bins["p_mean"], bins["share"], strict=True))
            worst = max(worst, ece)
            if abs(off / count - ece) > TOLERANCE:
                faults.append(f"{name}: the error of the bins is {off / count:.4f}, told is {ece:.4f}")
            elif count >= ECE_LEAST and ece > ECE_LIMIT:
                faults.append(f"{name}: calibration error {ece:.3f}")
    message = faults[0] if faults else "probabilities agree with frequencies"
    return Finding(len(faults), message, {"models": rows.height, "largest_ece": round(worst, 6)}, tuple(faults))
