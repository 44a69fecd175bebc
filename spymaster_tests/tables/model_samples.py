"""Sample rows of models; see `samples`."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from typing import Any

from spymaster_tests.tables.setup_samples import SECOND, START

Row = dict[str, Any]


def outcome_model(index: int) -> Row:
    """Two algorithms of two heads, the last of which had too few setups."""
    fitted = index < 3
    head, algo = ("resolve", "resolve", "side", "side")[index], ("logit", "gbm", "logit", "gbm")[index]
    features = ["z_n_ah", "soft_and"]
    artifact = json.dumps(
        {"head": head, "algo": algo, "features": features, "train_sessions": [19_724], "n_train": 410}, sort_keys=True
    )
    bins = {"count": [200, 210], "p_mean": [0.25, 0.5], "share": [0.25, 0.5], "ece": 0.0}
    return {
        "model_id": f"touch:s1:120:0:{head}:{algo}:2024-01-03",
        "kind": "touch",
        "family": "s1",
        "horizon_s": 120,
        "lead_s": 0,
        "head": head,
        "algo": algo,
        "asof_dt": date(2024, 1, 3),
        "status": "fitted" if fitted else "insufficient",
        "reason": None if fitted else "12 setups reached a barrier, 200 are needed",
        "provisional": True,
        "train_sessions": [date(2024, 1, 2)],
        "last_label_end": START + 120 * SECOND,
        "n_train": 410 if fitted else 12,
        "n_events": 200 if fitted else 6,
        "features": features if fitted else [],
        "params_json": '{"c":0.1}' if fitted else None,
        "calibration_json": json.dumps({"method": "platt", "slope": 1.0, "shift": 0.0, "bins": bins})
        if fitted
        else None,
        "ece": 0.0 if fitted else None,
        "artifact": artifact if fitted else None,
        "artifact_sha256": hashlib.sha256(artifact.encode()).hexdigest() if fitted else None,
        "scaler_sha256": "5f" * 32,
        "trial_id": "0123456789abcdef",
        "provenance": "simulated",
    }
