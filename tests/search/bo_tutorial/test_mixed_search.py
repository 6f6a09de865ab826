"""The search over mixed spaces: it ends on settings, where the largest value is."""

import itertools

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.mixed_search import ascend

SPACE = {
    "a": FloatDistribution(0, 1),
    "b": IntDistribution(0, 99),
    "c": CategoricalDistribution("xyz"),
    "d": FloatDistribution(-1, 1),
    "e": IntDistribution(0, 4),
}


class Bowl:
    """A concave function of all columns, highest at a given point."""

    def __init__(self, top):
        self.top = np.asarray(top)
        self.calls = 0

    def values(self, points):
        return self.values_and_gradients(points)[0]

    def values_and_gradients(self, points):
        self.calls += 1
        away = points - self.top
        return -np.square(away).sum(1), -2 * away


@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_top_and_ends_on_settings(seed):
    cube = UnitCube(SPACE)
    generator = np.random.default_rng(seed)
    bowl = Bowl(generator.random(cube.dimension))
    starts = cube.snap(generator.random((4, cube.dimension)))
    ends, values = ascend(bowl, cube, starts, cube.snap)
    np.testing.assert_allclose(ends, cube.snap(ends), atol=1e-12)
    np.testing.assert_allclose(values, bowl.values(ends))
    best = max(
        -np.square(cube.to_unit([{"a": 0.0, "b": b, "c": c, "d": 0.0, "e": e}])[0, 1:5] - bowl.top[1:5]).sum()
        - np.square((e + 0.5) / 5 - bowl.top[6])
        for b, c, e in itertools.product(range(100), "xyz", range(5))
    )
    np.testing.assert_allclose(values, best, atol=1e-4)


def test_discrete_values_stay_if_told_so():
    cube = UnitCube(SPACE)
    starts = cube.snap(np.random.default_rng(0).random((4, cube.dimension)))
    ends, _ = ascend(Bowl(np.full(cube.dimension, 0.3)), cube, starts, None)
    for end, start in zip(cube.from_unit(ends), cube.from_unit(starts), strict=True):
        assert {name: end[name] for name in "bce"} == {name: start[name] for name in "bce"}
        assert end["a"] == pytest.approx(0.3, abs=1e-2)


@pytest.mark.parametrize("space", [{"c": CategoricalDistribution("xyz")}, {"a": FloatDistribution(0, 1)}])
def test_spaces_of_one_kind(space):
    cube = UnitCube(space)
    top = np.linspace(0.1, 0.9, cube.dimension)
    ends, _ = ascend(Bowl(top), cube, cube.snap(np.zeros((2, cube.dimension))), cube.snap)
    (one, other) = cube.from_unit(ends)
    assert one == other == {"c": "z"} if "c" in space else one["a"] == pytest.approx(0.1, abs=1e-2)


def test_an_inactive_float_stays_where_it_is_and_moves_once_it_is_there():
    cube = UnitCube({"kind": CategoricalDistribution("ab"), "x": FloatDistribution(0, 1)}, conditional=["x"])

    def complete(points):
        filled = points.copy()
        filled[:, 2] = points[:, 0] >= 0.5
        return cube.snap(filled)

    start = cube.to_unit([{"kind": "a"}])
    stays, _ = ascend(Bowl([0.0, 0.9, 0.0]), cube, start, complete)
    assert cube.from_unit(stays) == [{"kind": "a"}]
    (moved,) = cube.from_unit(ascend(Bowl([1.0, 0.9, 1.0]), cube, start, complete)[0])
    assert moved["kind"] == "b"
    assert moved["x"] == pytest.approx(0.9, abs=1e-2)
