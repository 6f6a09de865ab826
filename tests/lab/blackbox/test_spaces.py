"""Spaces: a method's ranges are Optuna's distributions, and points are spread over them."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trimtab.lab.blackbox.spaces import distributions, spread, written
from trimtab.study.errors import InputError
from trimtab.study.tunable import Choice, LogOneMinus, LogUniform, Uniform, Whole


def test_ranges_of_methods_are_distributions():
    space = {
        "a": Uniform(0, 2),
        "b": LogUniform(1e-3, 1),
        "c": Whole(1, 9),
        "d": Whole(1, 64, log=True),
        "e": Choice(("x", 1, None)),
        "f": FloatDistribution(0, 1, step=0.5),
    }
    assert distributions(space) == {
        "a": FloatDistribution(0, 2),
        "b": FloatDistribution(1e-3, 1, log=True),
        "c": IntDistribution(1, 9),
        "d": IntDistribution(1, 64, log=True),
        "e": CategoricalDistribution(("x", 1, None)),
        "f": FloatDistribution(0, 1, step=0.5),
    }
    with pytest.raises(InputError, match=r"'m' needs one of .* not LogOneMinus"):
        distributions({"m": LogOneMinus(0.5, 0.99)})


def test_points_are_spread_the_same_with_a_seed_and_a_longer_row_extends_a_shorter():
    space = {"x": FloatDistribution(1e-4, 1, log=True), "n": IntDistribution(1, 4), "one": IntDistribution(3, 3)}
    points = spread(space, 8, 5)
    assert points == spread(space, 8, 5) != spread(space, 8, 6)
    assert spread(space, 3, 5) == points[:3]
    assert sorted(each["n"] for each in points) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert {each["one"] for each in points} == {3}
    assert spread(space, 0, 5) == []
    assert spread({"one": IntDistribution(3, 3)}, 2, 0) == [{"one": 3}, {"one": 3}]


def test_ranges_in_words():
    assert written(CategoricalDistribution(["a", "b"])) == "in {a, b}"
    assert written(FloatDistribution(1e-3, 10, log=True)) == "in [0.001, 10], on a logarithmic scale"
