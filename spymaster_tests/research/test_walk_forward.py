"""Folds: what is tested follows what is learned from, with a gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.research.errors import SampleError
from spymaster.research.samples import Samples
from spymaster.research.walk_forward import Plan, holdout_folds, holdout_sessions, inner_folds, outer_folds
from spymaster_tests.research.made_samples import made_samples

SAMPLES = made_samples(sessions=40, per_session=6)


def sessions_of(samples: Samples, rows: np.ndarray) -> set[int]:
    return set(samples.session[rows].tolist())


def test_the_first_test_session_follows_first_and_embargo():
    folds = outer_folds(SAMPLES, Plan(first=20, embargo=1, block=1, holdout_share=0.3))
    known = SAMPLES.sessions.tolist()
    assert len(folds) == 40 - 12 - 21
    assert sessions_of(SAMPLES, folds[0].train) == set(known[:20])
    assert sessions_of(SAMPLES, folds[0].test) == {known[21]}
    assert sessions_of(SAMPLES, folds[-1].test) == {known[27]}
    held = holdout_folds(SAMPLES, Plan(first=20, embargo=1, block=1, holdout_share=0.3))
    assert [sessions_of(SAMPLES, fold.test) for fold in held] == [{one} for one in known[28:]]
    assert holdout_sessions(SAMPLES.sessions, 0.3).tolist() == known[28:]
    assert {fold.stage for fold in held} == {"holdout"}


@given(
    first=st.integers(1, 30), embargo=st.integers(0, 3), block=st.integers(1, 7), share=st.sampled_from([0.0, 0.3, 0.6])
)
@settings(max_examples=60, deadline=None)
def test_nothing_is_learned_from_what_comes_later(first: int, embargo: int, block: int, share: float):
    plan = Plan(first, embargo, block, share)
    known = SAMPLES.sessions
    folds = [*outer_folds(SAMPLES, plan), *holdout_folds(SAMPLES, plan)]
    tested = [one for fold in folds for one in fold.test_sessions.tolist()]
    assert tested == known[first + embargo :].tolist()
    for fold in folds:
        begin = int(np.searchsorted(known, fold.test_sessions[0]))
        assert sessions_of(SAMPLES, fold.train) == set(known[: begin - embargo].tolist())
        assert SAMPLES.ts_label_end[fold.train].max() <= SAMPLES.ts_decision[fold.test].min()


def test_a_label_that_ends_within_the_test_is_purged():
    samples = SAMPLES
    known = samples.sessions
    end = samples.ts_label_end.copy()
    row = int(np.flatnonzero(samples.session == known[3])[-1])
    end[row] = samples.ts_decision[samples.session == known[25]].min() + 1
    fold = next(
        fold
        for fold in outer_folds(replace(samples, ts_label_end=end), Plan(20, 1, 1, 0.3))
        if fold.test_sessions[0] == known[25]
    )
    assert row not in fold.train
    assert {row - 1, row + 1} <= set(fold.train.tolist())


def test_inner_folds_test_the_rest_of_training_block_by_block():
    folds = inner_folds(SAMPLES, first_share=0.4, blocks=4, embargo=1)
    assert [len(fold.test_sessions) for fold in folds] == [6, 6, 6, 5]
    assert [len(fold.train_sessions) for fold in folds] == [16, 22, 28, 34]
    two = inner_folds(made_samples(sessions=2, per_session=3), first_share=0.4, blocks=4, embargo=0)
    assert [(len(fold.train), len(fold.test)) for fold in two] == [(3, 3)]
    assert inner_folds(made_samples(sessions=2, per_session=3), first_share=0.4, blocks=4, embargo=1) == []


def test_few_sessions_give_no_fold_and_nonsense_is_refused():
    assert outer_folds(made_samples(sessions=10, per_session=2), Plan()) == []
    with pytest.raises(SampleError, match="cannot be cut"):
        outer_folds(SAMPLES, Plan(block=0))
