"""The joining question: matched sets, the swap of labels, days as blocks, and what is said with too little."""

from __future__ import annotations

import itertools
from datetime import date

import numpy as np
import polars as pl
import pytest

from spymaster.evidence.contrast import PRIMARY, SECONDARY, MatchedSet, Question, Touches, answer, answers, apart
from spymaster.evidence.session_contrast import Shares, contrast_answers, contrast_frame, touches_of
from spymaster.tables.algo_contrast import CONTRAST_IDS, AlgoContrast
from spymaster.tables.algo_intensity_1s import INTENSITY_BANDS, INTENSITY_FAMILIES, INTENSITY_SIDES, share_column

SECOND = 1_000_000_000
START = 1_704_207_600 * SECOND


def sets(days: int, per_day: int, controls: int = 5) -> Touches:
    """Every case was rejected; of the controls every other one was."""
    n = days * per_day * (1 + controls)
    members = np.arange(n).reshape(days * per_day, 1 + controls)
    outcome = ["reject" if k % (1 + controls) == 0 or k % 2 else "break" for k in range(n)]
    return Touches(
        outcome,
        np.ones(n),
        [MatchedSet(k // per_day, int(row[0]), tuple(row[1:].tolist())) for k, row in enumerate(members)],
    )


def test_the_questions_are_the_registered_ones() -> None:
    assert tuple(question.contrast_id for question in (PRIMARY, *SECONDARY)) == CONTRAST_IDS


def test_a_difference_is_found_with_its_size() -> None:
    touches = sets(6, 10)
    rng = np.random.default_rng(1)
    values = rng.normal(0.1, 0.03, len(touches.outcome))
    for one in touches.sets:
        values[one.case] += 0.05
    found = answer(PRIMARY, touches, values, 1)
    assert found.delta == pytest.approx(0.05, abs=0.012)
    assert found.low < 0.05 < found.high
    assert (found.verdict, found.p_swap) == ("higher", 1 / 2000)
    assert found.p == found.p_days == 2 / 2**6  # all six dates lean one way, which no other signs do
    assert found.mean_case - found.mean_control == pytest.approx(found.delta)
    assert 0 < found.mdd < 0.05


def test_without_a_difference_p_of_swaps_is_uniform_enough() -> None:
    touches = sets(4, 8, 3)
    p = [
        answer(
            Question(f"null {seed}"), touches, np.random.default_rng(seed).normal(size=len(touches.outcome)), 1
        ).p_swap
        for seed in range(60)
    ]
    assert np.mean(np.array(p) <= 0.1) <= 0.25
    assert np.mean(np.array(p) <= 0.5) >= 0.3


def test_touches_of_one_move_count_once() -> None:
    seconds = [100, 0, 20, 60, 75, 300, 90, 125, 500, 505, 540]
    sets = [MatchedSet(0, 9, (10,)), MatchedSet(0, 0, (7, 6, 5, 4, 3, 2, 1)), MatchedSet(0, 8, (10,))]
    found = apart(np.array(seconds) * SECOND, sets)
    # 20 is near 0; 75, 90 and 125 are near the case at 100; the case at 505 is near that at 500
    assert found == [MatchedSet(0, 0, (1, 3, 5)), MatchedSet(0, 8, (10,)), MatchedSet(0, 9, ())]


def test_neighbouring_placebos_that_one_move_met_do_not_make_a_difference() -> None:
    """One move met four placebos, another one: two controls, and not five, or nothing is called something."""
    p: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sets, values, ts = [], [], []
        for number in range(24):
            moments = number * 3000 + np.array([0, 300, 304, 308, 312, 900])
            sets.append(MatchedSet(number // 6, 6 * number, tuple(range(6 * number + 1, 6 * number + 6))))
            values += rng.normal(size=3).repeat([1, 4, 1]).tolist()
            ts += moments.tolist()
        touches = Touches(["reject"] * len(values), np.ones(len(values)), sets)
        spaced = Touches(touches.outcome, touches.rate, apart(np.array(ts) * SECOND, sets))
        for together, one in ((True, touches), (False, spaced)):
            p[together].append(answer(PRIMARY, one, np.array(values), 1).p_swap)
    assert np.mean(np.array(p[True]) <= 0.05) >= 0.15
    assert np.mean(np.array(p[False]) <= 0.05) <= 0.125


def test_cases_need_two_controls_and_their_outcome() -> None:
    touches = sets(2, 6, 2)
    values = np.full(len(touches.outcome), 0.1)
    values[touches.sets[0].controls[0]] = np.nan
    found = answer(PRIMARY, touches, values, 1)
    assert (found.n_sets, found.n_dropped) == (11, 1)
    before_break = next(one for one in SECONDARY if one.case_def == "break")
    assert answer(before_break, touches, values, 1).n_sets == 0


def test_one_day_has_no_interval_and_says_nothing() -> None:
    found = answer(PRIMARY, sets(1, 30), np.random.default_rng(1).normal(size=180), 1)
    assert np.isnan([found.low, found.high, found.mdd]).all()
    assert found.verdict == "too_few"
    assert found.p == 1


@pytest.mark.parametrize(("days", "verdict"), [(5, "too_few"), (6, "higher")])
def test_on_five_days_no_difference_is_large_enough(days: int, verdict: str) -> None:
    touches = sets(days, 10)
    values = np.random.default_rng(1).normal(0.1, 0.001, len(touches.outcome))
    values[[one.case for one in touches.sets]] += 0.5
    found = answer(PRIMARY, touches, values, 1)
    assert (found.p, found.verdict) == (2 / 2**days, verdict)


def test_the_interaction_sees_what_only_real_rejections_have() -> None:
    rng = np.random.default_rng(3)
    touches = sets(10, 18)
    outcome = ["reject" if rng.random() < 0.5 else "break" for _ in touches.outcome]
    touches = Touches(outcome, touches.rate, touches.sets)
    values = rng.normal(0.1, 0.02, len(outcome))
    flat = values.copy()
    for one in touches.sets:
        values[one.case] += 0.04 * (outcome[one.case] == "reject")
    question = next(one for one in SECONDARY if one.case_def == "reject_minus_break")
    found, nothing = answer(question, touches, values, 1), answer(question, touches, flat, 1)
    assert found.delta == pytest.approx(0.04, abs=0.012)
    assert found.p <= 0.01 < nothing.p


def test_swaps_that_leave_no_difference_are_none_of_those_that_p_counts() -> None:
    """Two touches alone broke, in one set: where that set's case is a rejection no real touch broke."""
    outcome = ["reject"] * 15
    outcome[0] = outcome[1] = "break"
    sets = [MatchedSet(k % 2, 3 * k, (3 * k + 1, 3 * k + 2)) for k in range(5)]
    values = np.random.default_rng(5).normal(size=15)
    question = next(one for one in SECONDARY if one.case_def == "reject_minus_break")
    found = answer(question, Touches(outcome, np.ones(15), sets), values, 1)

    def difference(cases: tuple[int, ...]) -> float:
        real = np.isin(np.arange(15), 3 * np.arange(5) + cases)
        broke = np.array(outcome) == "break"
        groups = (real & ~broke, real & broke, ~real & ~broke, ~real & broke)
        means = [values[one].mean() if one.any() else np.nan for one in groups]
        return (means[0] - means[1]) - (means[2] - means[3])

    every = np.array([difference(cases) for cases in itertools.product(range(3), repeat=5)])
    own = difference((0,) * 5)
    assert found.delta == pytest.approx(own)
    assert np.isnan(every).mean() == pytest.approx(1 / 3)
    due = np.mean(np.abs(every[~np.isnan(every)]) >= abs(own) - 1e-12)
    assert found.p_swap == pytest.approx(due, abs=0.04)
    assert due - np.mean(np.abs(np.nan_to_num(every)) >= abs(own) - 1e-12) > 0.1


def test_only_the_secondary_family_is_adjusted_and_the_answer_is_reproducible() -> None:
    touches = sets(3, 6)
    values = np.random.default_rng(2).normal(size=len(touches.outcome))
    found = answers(touches, lambda question: values, 7)
    assert found[0].question == PRIMARY
    assert np.isnan(found[0].q)
    assert all(one.q >= one.p for one in found[1:] if not np.isnan(one.p))
    assert found == answers(touches, lambda question: values, 7)


def intensity(n_attr: np.ndarray, n_msgs: int = 10) -> pl.DataFrame:
    """Seconds from START with so many attributed messages, all on the ask near spot."""
    rows = []
    for k, value in enumerate(n_attr.tolist()):
        for side, band in (("A", "AT"), ("A", "all"), ("all", "AT"), ("all", "all")):
            share = None if value is None or np.isnan(value) else value / n_msgs
            rows.append(
                {
                    "window_end": START + (k + 1) * SECOND,
                    "side": side,
                    "band": band,
                    "n_msgs": n_msgs,
                    "qty_msgs": 20,
                    "n_attr": None if share is None else value,
                    "qty_attr": None if share is None else 20 * share,
                    **{share_column(name): share for name in INTENSITY_FAMILIES},
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col("window_end").cast(pl.Datetime("ns", "UTC")), pl.col("side").cast(pl.Enum(INTENSITY_SIDES)),
        pl.col("band").cast(pl.Enum(INTENSITY_BANDS)),
    )  # fmt: skip


def test_only_whole_seconds_before_the_touch_count() -> None:
    shares = Shares(intensity(np.arange(20.0)))
    at = np.array([START + 12 * SECOND, START + 12 * SECOND + 1, START + 13 * SECOND - 1, START + 13 * SECOND])
    up = np.ones(4, np.int8)
    # windows 2..11 (values 2 to 11) end at or before second 12, window 12 ends at 13
    assert shares.before(PRIMARY, at, up) == pytest.approx([0.65, 0.65, 0.65, 0.75])
    assert np.isnan(shares.before(PRIMARY, at - 11 * SECOND, up)[:3]).all()  # fewer than ten seconds
    ahead, behind = (next(one for one in SECONDARY if one.side == side) for side in ("ahead", "behind"))
    assert shares.before(ahead, at[:1], up[:1]) == pytest.approx([0.65])
    assert np.isnan(shares.before(behind, at[:1], up[:1])).all()  # no bids at all
    assert shares.before(behind, at[:1], -up[:1]) == pytest.approx([0.65])
    family = next(one for one in SECONDARY if one.measure == "share_chain")
    assert shares.before(family, at[:1], up[:1]) == pytest.approx([0.65])


def test_seconds_without_a_list_are_not_known() -> None:
    values = np.full(20, 2.0)
    values[5] = np.nan
    shares = Shares(intensity(values))
    assert np.isnan(shares.before(PRIMARY, np.array([START + 12 * SECOND]), np.ones(1, np.int8)))[0]


def test_from_tables_to_rows() -> None:
    """Six days of six touches, each with three placebos: quiet before placebos, busy before rejections."""
    days = []
    for day in range(6):
        base = START + day * 86_400 * SECOND
        attr = np.full(1000, 1.0)
        rows = []
        for touch in range(6):
            at = 20 + touch * 150
            attr[at - 10 : at] = 4.0
            real = f"real{day}{touch}"
            rows.append((real, False, real, at, "reject"))
            rows += [(f"fake{day}{touch}{k}", True, real, at + 31 + 31 * k, "chop") for k in range(3)]
        episodes = pl.DataFrame(
            {
                "episode_id": [row[0] for row in rows],
                "kind": "touch",
                "direction": pl.Series([1] * len(rows), dtype=pl.Int8),
                "is_placebo": [row[1] for row in rows],
                "match_set_id": [row[2] for row in rows],
                "ts_decision": pl.Series([base + row[3] * SECOND for row in rows]).cast(pl.Datetime("ns", "UTC")),
                "msg_rate_rel": 1.0,
                "valid": True,
            }
        )
        outcomes = pl.DataFrame(
            {
                "episode_id": [row[0] for row in rows],
                "horizon_s": 120,
                "k_barrier": 1.0,
                "outcome": [row[4] for row in rows],
                "valid": True,
            }
        )
        shifted = intensity(attr).with_columns(pl.col("window_end").dt.offset_by(f"{day}d"))
        days.append((touches_of(episodes, outcomes), Shares(shifted)))
    found = contrast_answers(days, 1)
    assert (found[0].n_sets, found[0].n_days) == (36, 6)
    assert found[0].delta == pytest.approx(0.3, abs=0.06)
    assert found[0].verdict == "higher"
    frame = contrast_frame(found, [date(2024, 1, 2 + day) for day in range(6)], "simulated")
    AlgoContrast.validate(frame)
    assert frame.filter("is_primary")["contrast_id"].to_list() == ["primary"]
