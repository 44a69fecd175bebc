"""Views of vectors are those of radar, and mirror images of each other."""

from __future__ import annotations

import re

import numpy as np
import pytest

from spymaster.setups.errors import SetupInputError
from spymaster.setups.vector_layout import layout
from spymaster.setups.vector_views import fu_view
from spymaster.setups.vectors import Request
from spymaster.surfaces.radar import RadarBuilder
from spymaster.surfaces.views import fu_view as radar_view
from spymaster_tests.setups.vector_markets import ES, START_S, day

AT = START_S + 1500


def vector(direction: int, version: str = "L28", mirrored: bool = False) -> tuple[np.ndarray, float]:
    session, scale = day()
    session = session.mirrored() if mirrored else session
    answer = session.builder(scale).vectors(session.walls(), [Request.of("s1", [AT], direction, version)])[0]
    return answer.vectors[0], float(answer.sigma_60[0])


@pytest.mark.parametrize(("direction", "way", "letter"), [(1, "up", "u"), (-1, "down", "f")])
def test_the_last_window_of_a_vector_has_the_views_of_radar(direction: int, way, letter: str):
    session, _ = day()
    radar = RadarBuilder(eps_qty=ES.eps_qty).update(session.wall, session.snapshot)
    row = radar_view(radar, way).row(radar["window_end"].dt.epoch("s").to_list().index(AT), named=True)
    views = fu_view(vector(direction)[0], layout("s1", "L28"), direction, vector(direction)[1])
    assert set(views) == set(row) - {"window_end"}
    assert sum(name.startswith(letter) for name in views) == len(views) / 4
    for name, got in views.items():
        assert got == pytest.approx(row[name], rel=1e-4, abs=2e-5), name
    assert len([name for name, got in views.items() if got != 0]) > 80


def test_down_in_the_mirrored_market_is_up_in_this_one():
    (up, sigma), (down, same) = vector(1), vector(-1, mirrored=True)
    assert sigma == same
    one = fu_view(up, layout("s1", "L28"), 1, sigma)
    two = fu_view(down, layout("s1", "L28"), -1, sigma)
    swap = {"ask": "bid", "bid": "ask"}
    for name, got in one.items():
        order, number, rest = re.fullmatch(r"(d\d_)?u(\d+)_(.*)", name).groups("")  # pyright: ignore[reportOptionalMemberAccess]
        side, _, feature = rest.partition("_")
        twin = f"{order}f{number}_{swap.get(side, side)}_{feature}"
        assert got == pytest.approx(two[twin], abs=1e-5), name


def test_other_blocks_have_views_and_layouts_without_them_say_so():
    made = layout("s1", "L28")
    point, sigma = vector(1)
    means = fu_view(point, made, 1, sigma, block="w24_mean")
    name = "u4_ask_pull_add_log_rest"
    assert means[name] == float(point[made.names.index("w24_mean.v.ah_pull_add_log_rest")])
    with pytest.raises(SetupInputError, match=r"L13 has no dim w0\.d1\."):
        fu_view(vector(1, "L13")[0], layout("s1"), 1, sigma)
