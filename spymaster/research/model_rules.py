"""Numbers that models are made with, as the profile has them, and the identity of what is tried."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from spymaster.research.walk_forward import Plan
from spymaster.settings import OutcomeModelSettings


@dataclass(frozen=True)
class ModelRules:
    """See `spymaster.settings.OutcomeModelSettings`."""

    min_sessions: int
    min_resolved: int
    embargo: int
    min_data_in_leaf: int
    rounds: int
    standard_sessions: int
    """What the standard profile asks for: a model of fewer is provisional."""
    settings: OutcomeModelSettings

    @classmethod
    def of(cls, settings: OutcomeModelSettings, profile: str = "standard") -> ModelRules:
        """Those of a profile."""
        demo = profile == "demo"
        return cls(
            settings.min_sessions_demo if demo else settings.min_sessions,
            settings.min_resolved_demo if demo else settings.min_resolved,
            settings.embargo_sessions_demo if demo else settings.embargo_sessions,
            settings.min_data_in_leaf_demo if demo else settings.min_data_in_leaf,
            settings.rounds_demo if demo else settings.rounds,
            settings.min_sessions,
            settings,
        )

    @property
    def plan(self) -> Plan:
        """How sessions are cut for the outer folds and the hold-out."""
        return Plan(self.min_sessions, self.embargo, self.settings.refit_sessions, self.settings.holdout_share)

    def document(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self) | {"settings": self.settings.model_dump(mode="json")}


def configuration(
    *, kind: str, horizon_s: int, family: str, lead_s: int, head: str, algo: str, rules: ModelRules
) -> dict[str, Any]:
    """What is tried, as plain data: panel, head, algorithm and every number it is made with."""
    panel = {"kind": kind, "horizon_s": horizon_s, "family": family, "lead_s": lead_s}
    return {**panel, "head": head, "algo": algo, "rules": rules.document()}


def trial_id(configuration: dict[str, Any]) -> str:
    """Name of a configuration: equal ones have equal names."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
