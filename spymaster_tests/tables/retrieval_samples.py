"""Sample rows of retrieval: index, results, neighbours; see `samples`."""

from __future__ import annotations

from datetime import date
from typing import Any

from spymaster_tests.tables.setup_samples import SECOND, START

Row = dict[str, Any]


def index(index: int) -> Row:
    """Four setups of one panel, the last of which was chop."""
    chop = index == 3
    return {
        "index_id": "0123456789abcdef",
        "family": "s1",
        "layout_version": "L13",
        "vector_dim": 455,
        "kind": "touch",
        "horizon_s": 120,
        "panel_row": index,
        "episode_id": f"touch:ES:2024-01-02:PMH:0:{START + index * SECOND}",
        "vector_dt": date(2024, 1, 2),
        "session_date": date(2024, 1, 2),
        "ts_decision": START + index * SECOND,
        "direction": 1,
        "group_id": "ES:2024-01-02:PMH:0",
        "level_types": ["PMH"],
        "tod_sec": 1800 + index,
        "sigma_60": 5.5,
        "outcome": "chop" if chop else "reject",
        "t_hit_s": None if chop else 12.5,
        "mfe_ticks": 3.0,
        "mae_ticks": 7.5,
        "end_ticks": -6.5,
        "scaler_sha256": "5f" * 32,
        "provenance": "simulated",
    }


def result(index: int) -> Row:
    """Two answers, one of which is novel, one without neighbours, and one without anything earlier."""
    said, known = index < 2, index < 3
    reason = (None, "novel", "few_neighbours", "few_sessions")[index]
    return {
        "query_id": f"touch:ES:2024-01-02:PMH:0:{START + index * SECOND}:s1:120",
        "ts_query": START + index * SECOND,
        "contract": "ESH4",
        "episode_id": f"touch:ES:2024-01-02:PMH:0:{START + index * SECOND}",
        "kind": "touch",
        "direction": -1,
        "family": "s1",
        "lead_s": 0,
        "horizon_s": 120,
        "k": 50,
        "p_break": 0.25 if said else None,
        "p_reject": 0.5 if said else None,
        "p_chop": 0.25 if said else None,
        "p0_break": 0.375 if known else None,
        "p0_reject": 0.375 if known else None,
        "p0_chop": 0.25 if known else None,
        "n_eff": 40.5 if said else None,
        "n_sessions": 25 if known else 0,
        "d_1": 11.5 if said else None,
        "d_k": 19.25 if said else None,
        "novelty": 0.97 if index == 1 else None,
        "abstain": reason is not None,
        "abstain_reason": reason,
        "provisional": not known,
        "median_mfe": 5.5 if said else None,
        "median_mae": 7.5 if said else None,
        "end_q10": -9.5 if said else None,
        "end_q90": 4.5 if said else None,
        "index_id": "0123456789abcdef" if known else None,
        "provenance": "simulated",
    }


def neighbor(rank: int) -> Row:
    """Four neighbours of one question, the last of which was chop."""
    chop = rank == 3
    return {
        "query_id": "touch:ES:2024-01-03:PMH:0:1704300000000000001:s1:120",
        "rank": rank + 1,
        "episode_id": f"touch:ES:2024-01-02:PMH:0:{START + rank * SECOND}",
        "session_date": date(2024, 1, 2),
        "ts_decision": START + rank * SECOND,
        "direction": 1,
        "level_types": ["PMH"],
        "distance": 11.5 + rank,
        "weight": 0.75 - rank / 16,
        "outcome": "chop" if chop else "break",
        "t_hit_s": None if chop else 80.25,
        "mfe_ticks": 12.0,
        "mae_ticks": 2.5,
        "end_ticks": 8.0,
        "alike_dims": ["w0.v.ofi_int"],
        "unlike_dims": ["w24_delta.v.ah_com_disp_log"],
        "provenance": "simulated",
    }
