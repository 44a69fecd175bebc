"""What stands out in a scene, found for all seconds at once, against a look at one second after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spymaster.serving.lod import NO_TICK
from spymaster.serving.scene import DOWN, FLOW_S, LEAVE, THIN_DEPTH, THIN_TICKS, THIN_VACUUM, UP, Candidates, K
from spymaster_tests.serving.test_reading import HALF, PRICES, SPOT, quiet

SEEDS = st.integers(0, 2**32 - 1)


def random_scene(seed: int, rows: int = 12):
    """Anything may be unknown, spot moves, and buckets reach beyond the grid."""
    rng, scene = np.random.default_rng(seed), quiet(rows)
    for name in ("rest_bid", "rest_ask", "add", "pull"):
        values = rng.integers(-1, 9, getattr(scene, name).shape, dtype=np.int32)
        scene = replace(scene, **{name: np.where(rng.random(values.shape) < 0.3, np.int32(-1), values)})
    scene.vacuum[:] = rng.choice([np.nan, 0.2, 0.6, 0.7, 0.9], scene.vacuum.shape)
    for values in (scene.net, scene.ratio_bid, scene.ratio_ask):
        values[:] = rng.choice([np.nan, -0.3, 0.045, 0.3, 5.0], values.shape)
    scene.spot[:] = SPOT + rng.integers(-6, 7, rows)
    scene.spot[rng.integers(rows)] = NO_TICK
    return scene


def thin_by_hand(scene, row: int, direction: int, margin: float) -> tuple[int, int] | None:
    side = scene.rest_ask if direction == UP else scene.rest_bid
    rest = [int(side[row, HALF + direction * step]) for step in range(K + 1)]
    usual = float(np.median([value for value in rest if value >= 0] or [0]))
    run = 0
    for step in range(K + 2):
        leaving = step <= K and scene.vacuum[row, HALF + direction * step] >= THIN_VACUUM / margin
        low = step <= K and rest[step] + scene.eps <= THIN_DEPTH * margin * (usual + scene.eps)
        if 0 < step <= K and rest[step] >= 0 and (low or leaving):
            run += 1
        elif run >= THIN_TICKS:
            return step - run, step - 1
        else:
            run = 0
    return None


def balance_by_hand(scene, row: int, tick: int) -> float:
    adds = pulls = 0
    for member in range(max(0, row - FLOW_S + 1), row + 1):
        begin = tick - int(scene.spot[member]) + HALF
        if scene.spot[member] != NO_TICK and begin >= 0 and begin + PRICES.bucket_ticks <= 2 * HALF + 1:
            for step in range(PRICES.bucket_ticks):
                adds += max(0, int(scene.add[member, begin + step]))
                pulls += max(0, int(scene.pull[member, begin + step]))
    return (adds - pulls) / (adds + pulls + 1)


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_candidates_are_those_of_every_second_by_itself(seed: int) -> None:
    scene = random_scene(seed)
    for direction in (UP, DOWN):
        found = Candidates(scene, PRICES, direction)
        for row in range(len(scene.spot)):
            for held in (False, True):
                assert found.thin(row, held=held) == thin_by_hand(scene, row, direction, 1 / LEAVE if held else 1.0)
                own, count = scene.net.shape[1] // 2, 0
                while count <= min(K // 4, own) and scene.net[row, own + direction * count] * direction >= (
                    0.05 * LEAVE if held else 0.05
                ):
                    count += 1
                assert found.run(row, held=held) == count
            for tick in (SPOT - 44, SPOT, SPOT + 12, SPOT + 44):
                assert found.balance(row, tick) == balance_by_hand(scene, row, tick)
