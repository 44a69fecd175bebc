"""`gold.trials_ledger` and `gold.evaluation_report` of a date, from the stored tables of all dates up to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from spymaster.lake.partition import Partition
from spymaster.research.errors import LedgerError
from spymaster.research.evaluation import Asked, Numbers, evaluate, held_out, outside, verdict_rows
from spymaster.research.knn import is_said, with_neighbours
from spymaster.research.ledger import EPOCH, Origin, Trial, extended, luck, require_longer, seen_sessions
from spymaster.research.model_rules import ModelRules
from spymaster.research.models import ALGOS
from spymaster.research.panels import Panel
from spymaster.research.retrieval import Rules
from spymaster.research.sample_tables import DateTables, load_samples
from spymaster.research.samples import Samples
from spymaster.research.session_retrieval import ASKED
from spymaster.research.trial_rows import Place
from spymaster.settings import Settings
from spymaster.tables.evaluation_report import EvaluationReport
from spymaster.tables.setup_outcome import OUTCOMES, TOUCH_HORIZONS_S

CANDLES: Final = Panel("c120", "candle", 360)
"""Candles have one horizon and no lead."""


@dataclass(frozen=True)
class Written:
    """The two tables of a date."""

    ledger: pl.DataFrame
    report: pl.DataFrame


def session_evaluation(
    dates: Sequence[DateTables], neighbours: Sequence[Partition], ledger: pl.DataFrame, others: pl.DataFrame, *,
    settings: Settings, profile: str, provenance: str, enters: bool = True,
    algos: Sequence[str] = ALGOS,
) -> Written:  # fmt: skip
    """Both tables. dates: complete dates up to and with the own one. ledger: the entries of the own partition so far,
    others: those of all other partitions, in order, later ones among them: what was looked at is known at any date.

    Raises `LedgerError` if the ledger cannot be entered (`enters` is false) and lacks a trial, if a trial is known with
    another score, and where the hold-out is to be opened though another evaluation has seen it.
    """
    rules = ModelRules.of(settings.outcome_model, profile)
    loaded = load_panels(dates, settings, profile)
    held = held_out(loaded, rules.plan.holdout_share)
    numbers = Numbers(
        settings.evaluation.draws, settings.evaluation.permutations, settings.evaluation.placebo_draws,
        settings.setups.theta,
    )  # fmt: skip
    enough = len(dates) >= least_sessions(settings, profile)
    opens = settings.evaluation.open_holdout and enough
    panels = loaded if opens else outside(loaded, held)
    asks = Rules.of(settings.retrieval, profile)
    if enough:
        panels = {place: _asked_of_each_other(samples, asks) for place, samples in panels.items()}
    origin = origin_of(dates if opens else _before(dates, held), panels.values(), held, provenance)
    openings = [opening(held, loaded, settings, profile, algos)] if opens and len(held) else []
    for one in openings:
        require_unseen(pl.concat([others, ledger]), one, origin)
    told = asked_of(dates, neighbours, settings.setups.k_barrier) if enough else {}
    tried = rules if enough else replace(rules, min_sessions=len(dates) + 1)
    found = evaluate(
        panels, tried, asks, numbers, held=held, asked=told, algos=algos, open_holdout=opens,
        common={"k_barrier": settings.setups.k_barrier, "retrieval": asks.document()},
    )  # fmt: skip
    trials = [*found.trials, *openings]
    entered = require_longer(ledger, extended(ledger, trials, origin))
    if not enters and entered.height > ledger.height:
        raise LedgerError(
            f"{entered.height - ledger.height} trials are not in the ledger of {dates[-1].dt}",
            hint="Materialise gold.trials_ledger together with gold.evaluation_report.",
        )
    verdict_rows(found, panels, luck(pl.concat([others, entered])), provenance)
    return Written(entered, found.rows.frame(_report_id(origin, settings, profile), provenance))


def least_sessions(settings: Settings, profile: str) -> int:
    """Sessions from which anything is tried."""
    chosen = settings.evaluation
    return chosen.min_sessions_demo if profile == "demo" else chosen.min_sessions


def load_panels(dates: Sequence[DateTables], settings: Settings, profile: str) -> dict[Place, Samples]:
    """Samples by kind, horizon and lead, real setups and placebos; without a lead only where little is to be tried.

    `_asked_of_each_other` gives them neighbours where retrieval was not asked.
    """
    few = len(dates) < least_sessions(settings, profile)
    leads = [0] if few else settings.evaluation.leads_s
    wanted = [(Panel("s1", "touch", horizon), lead) for horizon in TOUCH_HORIZONS_S for lead in leads]
    panels = {}
    for panel, lead in (*wanted, (CANDLES, 0)):
        samples = load_samples(dates, panel, lead, k_barrier=settings.setups.k_barrier)
        if samples is not None:
            panels[Place(panel.kind, panel.horizon_s, lead)] = samples
    return panels


def _before(dates: Sequence[DateTables], held: np.ndarray) -> list[DateTables]:
    """Dates before the first session of the hold-out: no session outside it has a setup on a later one."""
    return [one for one in dates if not len(held) or (one.dt - EPOCH).days < held[0]]


def _asked_of_each_other(samples: Samples, rules: Rules) -> Samples:
    """Where retrieval was not asked, real setups are asked of each other here, and placebos always are, with vectors
    scaled by the scaler of their own date.
    """
    shares = samples.knn.copy()
    for placebo in (False, True):
        rows = np.flatnonzero(samples.is_placebo == placebo)
        if len(rows) and not is_said(samples.select(rows)).any():
            shares[rows] = with_neighbours(samples.select(rows), rules).knn
    return replace(samples, knn=shares)


def asked_of(dates: Sequence[DateTables], neighbours: Sequence[Partition], k_barrier: float) -> dict[Place, Asked]:
    """What retrieval said of the setups of these dates, where they have an outcome by now.

    k_barrier: distance of the barriers whose outcomes count, in usual moves.
    """
    of_date = {one.dt: one for one in neighbours}
    code = {name: k for k, name in enumerate(OUTCOMES)}
    result = {}
    for panel in ASKED:
        parts = []
        for tables in dates:
            if tables.dt not in of_date:
                continue
            suffix = f":{panel.family}:{panel.horizon_s}"
            rows = (
                of_date[tables.dt]
                .scan(["query_id", "rank", "outcome"])
                .filter(pl.col("query_id").str.ends_with(suffix))
            )
            own = tables.outcomes.scan(["episode_id", "horizon_s", "k_barrier", "outcome", "valid"]).filter(
                pl.col("valid") & (pl.col("horizon_s") == panel.horizon_s) & (pl.col("k_barrier") == k_barrier)
            )
            days = tables.episodes.scan(["episode_id", "session_date", "direction"])
            parts.append(
                rows.with_columns(episode_id=pl.col("query_id").str.strip_suffix(suffix))
                .join(own.select("episode_id", own="outcome"), on="episode_id")
                .join(days, on="episode_id")
                .collect()
            )
        both = pl.concat(parts) if parts else pl.DataFrame()
        if both.is_empty():
            continue
        episode = both["episode_id"].rle_id().to_numpy()
        first = np.flatnonzero(np.append(True, np.diff(episode) > 0))
        found = np.full((len(first), int(both["rank"].max())), -1, dtype=np.int64)  # type: ignore[arg-type]
        found[episode, both["rank"].to_numpy() - 1] = both["outcome"].cast(pl.String).replace_strict(code).to_numpy()
        result[Place(panel.kind, panel.horizon_s, 0)] = Asked(
            both["own"].cast(pl.String).replace_strict(code).to_numpy()[first],
            found,
            both["session_date"].to_physical().to_numpy().astype(np.int64)[first],
            both["direction"].to_numpy()[first],
        )
    return result


def origin_of(
    dates: Sequence[DateTables], panels: Iterable[Samples], held: np.ndarray, provenance: str
) -> Origin:  # fmt: skip
    """What all trials of an evaluation have in common. dates, panels: those that are looked at; held: the hold-out."""
    data = hashlib.sha256(f"hold-out from {held[:1].tolist()}\n".encode())
    for tables in dates:
        for name, partition in sorted(vars(tables).items()):
            if partition is not None:
                data.update(f"{name} {partition.dt} {partition.content_hash}\n".encode())
    last = max((int(one.ts_label_end.max()) for one in panels if len(one)), default=0)
    return Origin(code_hash(), data.hexdigest()[:16], last, provenance)


def code_hash() -> str:
    """Hash of the sources of research and setups, and of the libraries that models are fitted by: an evaluation by
    other code is another trial.
    """
    digest = hashlib.sha256(f"{version('numpy')} {version('lightgbm')}\n".encode())
    package = Path(__file__).parent
    for folder in (package, package.parent / "setups"):
        for path in sorted(folder.glob("*.py")):
            digest.update(f"{folder.name}/{path.name}".encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def opening(
    held: np.ndarray, panels: Iterable[Place], settings: Settings, profile: str, algos: Sequence[str]
) -> Trial:  # fmt: skip
    """The entry that the hold-out is looked at, under everything that says what is shown of it."""
    parameters = {name: getattr(settings, name).model_dump(mode="json") for name in EvaluationReport.parameters}
    parameters |= {"profile": profile, "algos": list(algos), "panels": [vars(one) for one in panels]}
    return Trial(
        place={}, parameters=parameters, stage="holdout_opened", baseline=False, value=np.nan, error=np.nan,
        days=held, session_scores=np.empty(0), note="the hold-out was scored",
    )  # fmt: skip


def require_unseen(ledger: pl.DataFrame, one: Trial, origin: Origin) -> None:
    """Raises `LedgerError` where an opening is not the first look at its sessions. ledger: rows of all dates.

    The same opening again (settings, code, data) shows nothing new, and may be made as often as one likes.
    """
    if one.id(origin) in set(ledger["trial_id"]):
        return
    seen = seen_sessions(ledger, one.days)
    if seen:
        raise LedgerError(
            f"the hold-out was opened before or scored by walk-forward: {len(seen)} of its {len(one.days)} sessions,"
            f" the first of them {seen[0]}, are known",
            hint="Set open_holdout to false until there are new sessions, or lower holdout_share so far that only new "
            "ones are held out.",
        )


def _report_id(origin: Origin, settings: Settings, profile: str) -> str:
    parts: Mapping[str, object] = {
        name: getattr(settings, name).model_dump_json() for name in EvaluationReport.parameters
    }
    text = f"{origin} {profile} {parts}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
