"""The rules of an answer: who may be a neighbour, what neighbours say, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spymaster.research.retrieval import (
    ABSTAIN_REASONS,
    Library,
    Question,
    Rules,
    answer,
    base_rates,
    neighbours,
    usual_distances,
)
from spymaster.settings import RetrievalSettings
from spymaster.tables.setup_outcome import OUTCOMES

SESSIONS, OF_EACH, DIM = 30, 40, 20
FIRST_DAY = 19_700
MINUTE = 60 * 1_000_000_000
DEMO = Rules.of(RetrievalSettings(), "demo")
STANDARD = Rules.of(RetrievalSettings(), "standard")


def library(seed: int = 1, sessions: int = SESSIONS) -> Library:
    """Points in three clouds; a point's cloud tells its outcome in nine of ten cases."""
    rng = np.random.default_rng(seed)
    n = sessions * OF_EACH
    cloud = rng.integers(0, 3, n)
    session = np.repeat(FIRST_DAY + np.arange(sessions), OF_EACH)
    tod = np.sort(rng.integers(0, 23_000, (sessions, OF_EACH)), axis=1).reshape(-1)
    kinds = [("PMH",), ("ONL", "VWAP"), ("SMA200",)]
    return Library(
        points=(rng.normal(size=(n, DIM)) + 6 * np.eye(3, DIM)[cloud]).astype(np.float32),
        session=session,
        group=np.array([f"g{k}" for k in rng.integers(0, 6, n)], dtype=object),
        ts=session * 86_400 * 1_000_000_000 + tod * 1_000_000_000,
        direction=np.where(rng.random(n) < 0.5, 1, -1).astype(np.int8),
        tod_sec=tod,
        sigma_60=rng.uniform(2, 12, n),
        level_types=tuple(kinds[k] for k in rng.integers(0, 3, n)),
        outcome=np.where(rng.random(n) < 0.9, cloud, rng.integers(0, 3, n)),
    )


def question(cloud: int = 0, day: int = FIRST_DAY + SESSIONS + 1, **changes) -> Question:
    point = np.random.default_rng(99).normal(size=DIM) * 0.5 + 6 * np.eye(3, DIM)[cloud]
    return replace(Question(point.astype(np.float32), day, 1, 9000, 5.0), **changes)


def test_neighbours_are_those_of_brute_force_under_the_same_rules():
    """Gate G12, with the rules taken one by one in another order of work."""
    held, asked = library(), question()
    said = answer(held, asked, STANDARD)
    assert asked.point is not None
    distance = np.sqrt(((held.points.astype(np.float64) - asked.point) ** 2).sum(axis=1))
    kept: list[int] = []
    for row in np.argsort(distance, kind="stable")[: 20 * STANDARD.k]:
        if held.session[row] >= asked.session or held.session[row] == FIRST_DAY + SESSIONS - 1:
            continue  # the session next to the question's
        if sum(held.session[other] == held.session[row] for other in kept) >= 3:
            continue
        same = [other for other in kept if held.group[other] == held.group[row]]
        if any(abs(held.ts[other] - held.ts[row]) < 10 * MINUTE for other in same):
            continue
        kept.append(int(row))
    assert said.rows.tolist() == kept[: STANDARD.k]
    assert len(said.rows) == 50
    assert said.distance == pytest.approx(distance[said.rows])


def test_shares_are_votes_by_distance_that_lean_on_the_base_rate():
    held, asked = library(), question(cloud=1)
    said = answer(held, asked, STANDARD)
    assert said.reason is None
    assert said.p is not None
    assert said.p0 is not None
    weight = np.exp(-((said.distance / said.distance[-1]) ** 2) / 2)
    assert said.weight == pytest.approx(weight)
    for code in range(3):
        votes = weight[held.outcome[said.rows] == code].sum()
        assert said.p[code] == pytest.approx((votes + 20 * said.p0[code]) / (weight.sum() + 20))
    assert said.p.sum() == pytest.approx(1.0)
    assert said.n_eff == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert OUTCOMES[int(said.p.argmax())] == "reject"
    assert said.p[1] > said.p0[1] + 0.2


def test_no_neighbour_is_of_the_session_or_next_to_it_also_without_walk_forward():
    held = library()
    day = FIRST_DAY + 12
    said = answer(held, question(day=day, walk_forward=False), STANDARD)
    found = set(held.session[said.rows].tolist())
    assert not found & {day - 1, day, day + 1}
    assert min(found) < day < max(found)
    forward = answer(held, question(day=FIRST_DAY + 29), STANDARD)
    assert max(held.session[forward.rows]) <= FIRST_DAY + 27
    assert forward.n_sessions == 28
    counts = np.unique(held.session[said.rows], return_counts=True)[1]
    assert counts.max() <= 3


def test_later_sessions_change_nothing():
    held, asked = library(), question(day=FIRST_DAY + 25)
    other = library(seed=2)
    late = held.session >= FIRST_DAY + 25
    mixed = replace(
        held,
        points=np.where(late[:, None], other.points, held.points),
        outcome=np.where(late, other.outcome, held.outcome),
    )
    usual = usual_distances(
        replace(
            held, **{n: getattr(held, n)[~late] for n in ARRAYS}, level_types=held.level_types[: int((~late).sum())]
        ),
        STANDARD,
    )
    one, two = answer(held, asked, STANDARD, usual), answer(mixed, asked, STANDARD, usual)
    assert one.rows.tolist() == two.rows.tolist()
    assert one.p is not None
    assert two.p is not None
    assert one.p.tobytes() == two.p.tobytes()


ARRAYS = ("points", "session", "group", "ts", "direction", "tod_sec", "sigma_60", "outcome")


def test_filters_keep_what_they_name():
    held = library()
    close = answer(held, question(near_in_time=True), DEMO)
    assert (np.abs(held.tod_sec[close.rows] - 9000) <= 90 * 60).all()
    alike = answer(held, question(like_sigma=True), DEMO)
    assert ((held.sigma_60[alike.rows] >= 2.5) & (held.sigma_60[alike.rows] <= 10)).all()
    typed = answer(held, question(level_types=frozenset({"VWAP", "PMH"})), DEMO)
    assert {held.level_types[row] for row in typed.rows} == {("PMH",), ("ONL", "VWAP")}
    free = answer(held, question(), DEMO)
    assert len({tuple(a.rows.tolist()) for a in (close, alike, typed, free)}) == 4


def test_base_rates_are_of_the_half_hour_and_direction_or_of_a_wider_class():
    held = library()
    every = np.ones(len(held), dtype=bool)
    close = (held.direction == 1) & (held.tod_sec // 1800 == 5)
    assert close.sum() >= 20
    shares = base_rates(held, every, 1, 9000)
    assert shares == pytest.approx([(held.outcome[close] == code).mean() for code in range(3)])
    night = base_rates(held, every, 1, -20_000)
    assert night == pytest.approx([(held.outcome[held.direction == 1] == code).mean() for code in range(3)])
    few = np.arange(len(held)) < 7
    assert base_rates(held, few, 1, 9000) == pytest.approx(np.bincount(held.outcome[:7], minlength=3) / 7)
    assert base_rates(held, ~every, 1, 9000) is None


@pytest.mark.parametrize("walk_forward", [True, False])
def test_base_rates_are_of_sessions_that_may_be_asked(walk_forward: bool):
    """What came of the session, of those next to it, and, walking forward, of later ones, is not in them."""
    held, other = library(), library(seed=2)
    day = FIRST_DAY + 20
    unseen = held.session >= day - 1 if walk_forward else np.abs(held.session - day) <= 1
    names = ("outcome", "direction", "tod_sec", "sigma_60")
    mixed = replace(held, **{name: np.where(unseen, getattr(other, name), getattr(held, name)) for name in names})
    asked = question(day=day, walk_forward=walk_forward)
    one, two = answer(held, asked, STANDARD).p0, answer(mixed, asked, STANDARD).p0
    assert one is not None
    assert two is not None
    assert one.tobytes() == two.tobytes()
    told = {"outcome": 1, "direction": asked.direction, "tod_sec": asked.tod_sec}
    last = held.session == day - 2
    seen = replace(held, **{name: np.where(last, value, getattr(held, name)) for name, value in told.items()})
    three = answer(seen, asked, STANDARD).p0
    assert three is not None
    assert three[1] > one[1]


class TestAbstention:
    def test_without_a_vector(self):
        said = answer(library(), question(point=None), STANDARD)
        assert (said.reason, said.p) == ("invalid", None)
        assert said.p0 is not None

    def test_with_few_sessions(self):
        short = library(sessions=15)
        assert answer(short, question(day=FIRST_DAY + 99), STANDARD).reason == "few_sessions"
        assert answer(short, question(day=FIRST_DAY + 99), DEMO).reason is None
        assert answer(short, question(day=FIRST_DAY), STANDARD).p0 is None

    def test_with_few_neighbours(self):
        said = answer(library(), question(level_types=frozenset({"ZG"})), STANDARD)
        assert (said.reason, len(said.rows), said.p) == ("few_neighbours", 0, None)

    def test_far_from_everything(self):
        far = question()
        assert far.point is not None
        said = answer(library(), replace(far, point=far.point + 40), STANDARD)
        assert said.reason == "novel"
        assert said.novelty == 1.0
        assert said.p is not None
        near = answer(library(), question(), STANDARD)
        assert near.novelty is not None
        assert near.novelty < 0.95

    def test_chosen_neighbours_are_never_novel(self):
        """Those of one kind of level are further away than any, which does not make the question a new one."""
        far = question()
        assert far.point is not None
        far = replace(far, point=far.point + 40)
        for chosen in ({"level_types": frozenset({"PMH"})}, {"near_in_time": True}, {"like_sigma": True}):
            said = answer(library(), replace(far, **chosen), STANDARD)
            assert said.p is not None
            assert said.novelty is None
            assert said.reason != "novel"

    def test_when_neighbours_say_what_everyone_says(self):
        held = library()
        flat = replace(held, outcome=np.zeros(len(held), dtype=np.int64))
        assert answer(flat, question(), STANDARD).reason == "uninformative"

    def test_novelty_needs_enough_setups(self):
        short = library(sessions=4)
        assert answer(short, question(day=FIRST_DAY + 99), DEMO).novelty is None

    def test_every_reason_is_one_of_the_table(self):
        assert ABSTAIN_REASONS == ("invalid", "few_sessions", "few_neighbours", "novel", "uninformative")


def test_the_usual_distance_is_that_to_the_kth_neighbour_of_other_sessions():
    held = library(sessions=12)
    usual = usual_distances(held, DEMO)
    assert len(usual) == 400
    row = int(np.argsort(held.ts, kind="stable")[-1])
    _, distance = neighbours(held, held.points[row], held.session != held.session[row], DEMO)
    assert usual[-1] == distance[-1]


def test_equal_questions_have_equal_answers():
    one, two = (answer(library(), question(), STANDARD) for _ in range(2))
    assert one.rows.tolist() == two.rows.tolist()
    assert one.distance.tobytes() == two.distance.tobytes()
