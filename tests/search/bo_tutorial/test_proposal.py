"""The next setting: where the criterion is largest, and not what is to be avoided."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tests.search.bo_tutorial.test_mixed_search import Bowl
from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.activity import SeenActivity
from trimtab.search.bo_tutorial.proposal import Search, propose, raw_points

SPACE = {"x": FloatDistribution(0, 1), "n": IntDistribution(0, 9)}


def proposed(space, top, avoided=(), restarts=4, samples=64):
    cube = UnitCube(space)
    points = cube.to_unit(list(avoided)) if avoided else np.empty((0, cube.dimension))
    nothing = np.empty((0, cube.dimension))
    activity = SeenActivity(cube, nothing)
    generator, search = np.random.default_rng(0), Search(restarts, samples)
    point = propose(Bowl(top), cube, activity, search, generator, around=points[:1], avoided=points)
    return cube.from_unit(point[None])[0]


def test_it_is_the_top():
    found = proposed(SPACE, [0.3, 0.62])
    assert found["x"] == pytest.approx(0.3, abs=1e-2)
    assert found["n"] == 6


def test_what_is_avoided_is_not_proposed_while_there_is_anything_else():
    space = {"n": IntDistribution(0, 3), "c": CategoricalDistribution("ab")}
    every = [{"n": n, "c": c} for n in range(4) for c in "ab"]
    left, found = list(every), []
    while left:
        found.append(proposed(space, [0.62, 0.0], [each for each in every if each not in left]))
        left.remove(found[-1])
    assert found[0] == {"n": 2, "c": "a"}
    assert proposed(space, [0.62, 0.0], every) == {"n": 2, "c": "a"}


def test_a_corner_is_avoided_too():
    space = {"x": FloatDistribution(0, 1)}
    assert proposed(space, [-1.0])["x"] == 0.0
    assert 0 < proposed(space, [-1.0], [{"x": 0.0}])["x"] < 0.2


@pytest.mark.parametrize(("restarts", "samples"), [(1, 1), (5, 2), (3, 100)])
def test_few_starts_and_samples(restarts, samples):
    assert proposed(SPACE, [0.3, 0.62], restarts=restarts, samples=samples)["x"] == pytest.approx(0.3, abs=1e-2)


def test_raw_points_are_in_the_cube_as_many_as_asked_for_and_partly_near():
    cube = UnitCube(SPACE)
    points = raw_points(cube, 100, np.random.default_rng(0), np.array([[0.9, 0.05]]))
    assert points.shape == (100, 2)
    assert ((points >= 0) & (points <= 1)).all()
    assert (np.abs(points - [0.9, 0.05]).max(1) < 0.2).sum() >= 12
    again = raw_points(cube, 100, np.random.default_rng(0), np.array([[0.9, 0.05]]))
    np.testing.assert_array_equal(points, again)
