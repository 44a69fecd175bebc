"""Gates of the research: what must not be found where nothing is, and what must be found where something was planted.

G1  a random walk: nothing foretells the side; labels anchored on the level seem to be foretold, which is why they carry
    an offset or are for the eye only
G4  labels of another session: nothing is left
G6  a planted rejection is found, and what only looks like it is told apart
G7  background: a walk, and a market whose queues carry what the bar knows already

Each gate returns plain numbers: `spymaster_tests/research/test_gates.py` asserts the fast size of each, and
`benchmarks/research.py` runs the full one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import polars as pl

from benchmarks.foretold import CLOSE, DRAWS, PANELS, Foretold, Size, foretell, pooled_aucs, samples_of, simulated
from benchmarks.research_days import Research
from spymaster.research.day_blocks import auc_interval, mean_interval, session_draws, session_index
from spymaster.research.knn import with_neighbours
from spymaster.research.leak_gates import labels_of_another_session
from spymaster.research.logistic import fit_logistic, log_odds, sigmoid
from spymaster.research.panels import Panel
from spymaster.research.retrieval import Rules
from spymaster.research.samples import BREAK, REJECT, Samples
from spymaster.research.scores import auc, log_losses
from spymaster.settings import Settings, get_settings
from spymaster.simulator.meetings import MeetingFile, load_meetings

__all__ = ["CLOSE", "Foretold", "Size", "background", "decoys", "files", "label_shift", "level_anchored",
           "planted_rejection", "pooled_shifts", "pooled_walks", "random_walk", "sides", "simulated",
           "variants"]  # fmt: skip

TOUCHES = Panel("s1", "touch", 120)


# G1: the random walk


def random_walk(made: Research, size: Size, settings: Settings | None = None) -> dict[str, Any]:
    """Does any model of any panel see the side of a driftless walk? Levels and placebos are the same there.

    `holding` is of the configurations that tell samples apart at all; `constant` names the others. `pools` is what
    `pooled_walks` needs of each panel.
    """
    chosen = settings or get_settings()
    found: dict[str, Any] = {}
    pools: dict[str, Any] = {}
    constant: list[str] = []
    for panel in PANELS:
        samples = samples_of(made, panel, chosen, profile=size.profile)
        told = foretell(samples, size, chosen) if samples is not None else None
        if told is None:
            continue
        name = f"{panel.kind}:{panel.horizon_s}"
        found |= {f"{name}:{algo}": asdict(one) for algo, one in told.aucs(size.level).items()}
        constant += [f"{name}:{algo}" for algo in told.constant]
        pools[name] = told.pool()
    told_apart = [one for name, one in found.items() if name not in constant and np.isfinite(one["low"])]
    return {
        "auc": found, "constant": constant, "configurations": len(told_apart), "holding": _share_holding(told_apart),
        "pools": pools,
    }  # fmt: skip


def pooled_walks(walks: Sequence[dict[str, Any]], level: float) -> dict[str, Any]:
    """`random_walk` of several seeds together: a find too small for one of them shows."""
    found: dict[str, Any] = {}
    for name in sorted({name for one in walks for name in one["pools"]}):
        pools = [one["pools"][name] for one in walks if name in one["pools"]]
        found |= {f"{name}:{algo}": asdict(one) for algo, one in pooled_aucs(pools, level).items()}
    known = [one for one in found.values() if np.isfinite(one["low"])]
    return {"auc": found, "configurations": len(known), "holding": _share_holding(known)}


def _share_holding(intervals: Sequence[dict[str, float]]) -> float:
    """Share of intervals of an AUC that hold 0.5; NaN without any."""
    return float(np.mean([one["low"] <= 0.5 <= one["high"] for one in intervals])) if intervals else float("nan")


def level_anchored(made: Research) -> dict[str, Any]:
    """Barriers around the level: what the distance to it alone seems to foretell, without and with the offset of B1.

    Candles, whose distance to the level varies. `auc` is that of the signed distance; `gain` that of a regression on
    the distance with the offset over the offset alone.
    """
    parts = []
    for tables in made.dates:
        episodes = tables.episodes.scan(["episode_id", "kind", "direction", "session_date", "level_price_int",
                                         "p0_mid2_int"])  # fmt: skip
        outcomes = tables.outcomes.scan(
            ["episode_id", "valid", "sigma_h_ticks", "lv_outcome", "lv_b1_break", "lv_b1_reject"]
        )
        parts.append(
            episodes.filter(pl.col("kind").cast(pl.String) == "candle")
            .join(outcomes.filter("valid"), on="episode_id")
            .filter(pl.col("lv_outcome").cast(pl.String) != "chop")
            .collect()
        )
    rows = pl.concat(parts)
    away = (rows["p0_mid2_int"] / 2 - rows["level_price_int"]) * rows["direction"]
    distance = (away / 250_000_000 / rows["sigma_h_ticks"].clip(0.5)).to_numpy()
    y = (rows["lv_outcome"].cast(pl.String) == "break").to_numpy()
    session, n = session_index(rows["session_date"].to_physical().to_numpy())
    draws = session_draws(n, DRAWS)
    share = (rows["lv_b1_break"] / (rows["lv_b1_break"] + rows["lv_b1_reject"])).to_numpy()
    offset = log_odds(share)
    first = session < n // 2
    learned = fit_logistic(distance[first, None], y[first], offset[first], 0.1)
    after = ~first
    p = sigmoid(learned.scores(distance[after, None], offset[after]))
    gain = log_losses(y[after], share[after]) - log_losses(y[after], p)
    return {
        "n": len(y),
        "auc": asdict(auc_interval(y, distance, session, draws)),
        "gain": asdict(mean_interval(gain, session[after] - n // 2, session_draws(n - n // 2, DRAWS))),
    }


# G4: labels of another session


def label_shift(samples: Samples, size: Size, settings: Settings | None = None, *, shifts: int = 1) -> dict[str, Any]:
    """What models see of labels that belong to another session: the one before, and with more shifts earlier ones.

    Neighbours are asked anew for their new outcomes. `holding` is the share of intervals that hold 0.5, of single
    shifts and models that tell samples apart; `constant` names the others, `pools` is what `pooled_shifts` needs.
    """
    chosen = settings or get_settings()
    rules = Rules.of(chosen.retrieval, size.profile, size.neighbours)
    runs = []
    for back in range(1, shifts + 1):
        moved = with_neighbours(labels_of_another_session(samples, back), rules)
        told = foretell(moved, replace(size, train=size.train - back), chosen)
        assert told is not None, "labels of another session: nothing could be learned from them"
        runs.append(told)
    told_apart = [
        asdict(one) for told in runs for algo, one in told.aucs(size.level).items() if algo not in told.constant
    ]
    return {
        "pools": [told.pool() for told in runs], "configurations": len(told_apart),
        "holding": _share_holding(told_apart), "n": sum(len(told.y) for told in runs),
        "constant": [f"{back}:{algo}" for back, told in enumerate(runs, 1) for algo in told.constant],
    }  # fmt: skip


def pooled_shifts(shifts: Sequence[dict[str, Any]], level: float) -> dict[str, Any]:
    """`label_shift` of several seeds together: AUC by model, at a level at which all of them hold 0.5 at once."""
    pools = [pool for one in shifts for pool in one["pools"]]
    models = {algo for pool in pools for algo in pool["rank"]}
    each = 1.0 - (1.0 - level) / max(len(models), 1)
    found = {algo: asdict(interval) for algo, interval in pooled_aucs(pools, each).items()}
    return {"auc": found, "level": each, "holding": _share_holding(list(found.values()))}


# G6: the planted rejection, and what looks like it


def planted_rejection(made: Research, size: Size, settings: Settings | None = None) -> tuple[dict[str, Any], Samples]:
    """AUC of the side by model, at real levels of sessions with meetings; and the samples."""
    chosen = settings or get_settings()
    samples = samples_of(made, TOUCHES, chosen, profile=size.profile, real=True, neighbours=size.neighbours)
    assert samples is not None, "no touch of a planted level"
    told = foretell(samples, size, chosen)
    assert told is not None, "nothing could be learned from planted touches"
    figures = {algo: {**asdict(interval), "auc": auc(told.y, told.p[algo])} for algo, interval in told.aucs().items()}
    return {
        "auc": figures,
        "n": len(told.y),
        "train": int(np.isin(samples.session, samples.sessions[: size.train]).sum()),
    }, samples


def decoys(made: Research, days: int, size: Size, settings: Settings | None = None) -> dict[str, Any]:
    """Mean probability of reject by variant, on the last `days` sessions; models learn from those before.

    By truth: which meeting a touch belongs to. Of models: the stack.
    """
    chosen = settings or get_settings()
    samples = samples_of(made, TOUCHES, chosen, profile=size.profile, real=True, neighbours=size.neighbours)
    assert samples is not None, "no touch of a planted level"
    told = foretell(
        samples, replace(size, train=len(made.dates) - days), chosen, algos=("bar", "logit", "gbm", "knn", "stack")
    )
    assert told is not None, "nothing could be learned from planted touches"
    names = variants(made, told.samples)
    p_reject = 1.0 - told.p["stack"]
    by_name = {name: float(p_reject[names == name].mean()) for name in sorted(set(names)) if name}
    return {"p_reject": by_name, "n": {name: int((names == name).sum()) for name in by_name}}


def variants(made: Research, samples: Samples) -> np.ndarray:
    """object[n]: variant of the meeting that each touch is; empty for a touch that was not planted."""
    found = np.full(len(samples), "", dtype=object)
    for one in made.meetings:
        for k in range(len(samples)):
            near = np.flatnonzero(np.abs(one.touch - samples.ts_decision[k]) <= 1_000_000)
            if len(near):
                found[k] = one.variant[int(near[0])]
    return found


# G7: background


def background(made: Research, size: Size, settings: Settings | None = None) -> dict[str, Any]:
    """Where nothing was planted: gain over the bar of every model, panel and head, and how far models lean out.

    `near` is the share of tried samples of which a model says about the base rate (`foretold.NEAR`): of the side only,
    for whether a barrier is reached follows from its distance, and models are right to say so.
    """
    chosen = settings or get_settings()
    found: dict[str, Any] = {}
    near: dict[str, float] = {}
    for panel in PANELS:
        samples = samples_of(made, panel, chosen, profile=size.profile)
        for head in ("resolve", "side"):
            told = foretell(samples, size, chosen, head) if samples is not None else None
            if told is None:
                continue
            name = f"{panel.kind}:{panel.horizon_s}"
            found |= {f"{name}:{head}:{algo}": asdict(one) for algo, one in told.gains(size.level).items()}
            if head == "side":
                near |= {f"{name}:{algo}": share for algo, share in told.near_base().items()}
    no_gain = [one["low"] <= 0.0 for one in found.values() if np.isfinite(one["low"])]
    return {
        "gain": found, "configurations": len(no_gain), "without": float(np.mean(no_gain)) if no_gain else float("nan"),
        "near": near,
    }  # fmt: skip


def files(size: Size, name: str = "g6") -> list[MeetingFile | None]:
    """The same file of meetings for every session."""
    return [load_meetings(name)] * size.sessions


def sides(samples: Samples) -> dict[str, int]:
    """How many ended which way."""
    return {"break": int((samples.outcome == BREAK).sum()), "reject": int((samples.outcome == REJECT).sum())}
