"""Gates G1, G4, G6 and G7 in their fast size, on simulated sessions that go through all of the product's functions.

Full sizes: `spymaster bench research`. The sessions are those of the simulator's random walk (`emergent` for G7b), an
hour each, and scales come from three sessions before them.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import research_gates as gates
from benchmarks.research_days import Research, Shape
from benchmarks.research_gates import Size

PLANTED = Size(14, 8)
QUIET = Size(8, 8, Shape(spacing=gates.CLOSE), level=0.99)
EMERGENT = Size(6, 6, Shape(spacing=gates.CLOSE), level=0.99)


@pytest.fixture(scope="module")
def planted() -> Research:
    """Meetings of which 40 % are rejections, 40 % breaks, and the rest chance."""
    return gates.simulated(range(PLANTED.sessions), PLANTED, gates.files(PLANTED))


@pytest.fixture(scope="module")
def walk() -> Research:
    return gates.simulated(range(QUIET.sessions), QUIET, [None] * QUIET.sessions)


def test_g6_a_planted_rejection_is_found(planted: Research):
    figures, samples = gates.planted_rejection(planted, PLANTED)
    assert figures["n"] >= 25
    assert min(gates.sides(samples).values()) >= 20
    assert figures["auc"]["stack"]["value"] >= 0.75
    # neighbours: a bound on what was measured; of the 0.75 of the design they lack what docs/concepts/gates.md says
    assert figures["auc"]["knn"]["value"] >= 0.70


def test_g4_labels_of_another_session_leave_nothing(planted: Research):
    """The same models on the same features, which found what was planted, see nothing of other labels."""
    _, samples = gates.planted_rejection(planted, PLANTED)
    figures = gates.label_shift(samples, PLANTED)
    assert figures["n"] >= 20
    assert figures["configurations"] >= 1
    together = gates.pooled_shifts([figures], PLANTED.level)
    assert len(together["auc"]) == figures["configurations"]
    assert together["holding"] == 1.0


def test_g1_nothing_foretells_a_random_walk(walk: Research):
    figures = gates.random_walk(walk, QUIET)
    assert figures["configurations"] + len(figures["constant"]) >= 15
    assert figures["configurations"] >= 5
    assert figures["holding"] >= 0.85
    pooled = gates.pooled_walks([figures], QUIET.level)
    assert pooled["configurations"] == figures["configurations"]
    for name, found in pooled["auc"].items():
        assert found["value"] == pytest.approx(figures["auc"][name]["value"], abs=1e-5), name


def test_g1_labels_anchored_on_the_level_seem_foretold_without_their_offset(walk: Research):
    """The teeth of the gate: on the very same walk the distance to the level alone looks like a find, and the offset
    takes it away.
    """
    figures = gates.level_anchored(walk)
    assert figures["n"] >= 100
    assert figures["auc"]["low"] > 0.8
    assert figures["gain"]["low"] <= 0.0 <= figures["gain"]["high"]


def test_g7_background_of_a_walk_gains_nothing_over_the_bar(walk: Research):
    figures = gates.background(walk, QUIET)
    assert figures["configurations"] >= 20
    assert figures["without"] >= 0.9
    near = list(figures["near"].values())
    assert len(near) >= 12
    assert np.median(near) >= 0.9
    assert np.mean(near) >= 0.7


def test_g7_background_of_a_market_with_queues_gains_nothing_over_the_bar():
    made = gates.simulated(range(EMERGENT.sessions), EMERGENT, [None] * EMERGENT.sessions, walk=False)
    figures = gates.background(made, EMERGENT)
    assert figures["configurations"] >= 10
    assert figures["without"] >= 0.9
    near = list(figures["near"].values())
    assert len(near) >= 12
    assert np.median(near) >= 0.9
    assert np.mean(near) >= 0.7


@pytest.mark.slow
def test_g6_decoys_are_told_from_the_full_script():
    """Single conditions and pairs of them end either way: the probability of reject is well below that of all four."""
    size = Size(24, 16)
    files = [*gates.files(Size(24, 0)), *gates.files(Size(16, 0), "decoys")]
    figures = gates.decoys(gates.simulated(range(size.sessions), size, files), 16, size)
    full = figures["p_reject"]["full_reject"]
    others = [name for name in figures["p_reject"] if not name.startswith("full")]
    assert len(others) >= 3
    mean = np.average([figures["p_reject"][name] for name in others], weights=[figures["n"][name] for name in others])
    assert full - mean >= 0.15
