"""Which conditional parameters a setting has, by what was seen."""

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial.activity import SeenActivity

SPACE = {
    "model": CategoricalDistribution(["svm", "forest", "net"]),
    "kernel": CategoricalDistribution(["rbf", "poly"]),
    "degree": IntDistribution(2, 5),
    "layers": IntDistribution(1, 3),
    "c": FloatDistribution(0, 1),
}
SEEN = [
    {"model": "svm", "kernel": "rbf", "c": 0.3},
    {"model": "svm", "kernel": "poly", "degree": 3, "c": 0.4},
    {"model": "forest"},
    {"model": "net", "layers": 2},
]


def test_the_parameters_are_those_of_the_setting_most_like_it():
    cube = UnitCube(SPACE, conditional=SPACE.keys() - {"model"})
    activity = SeenActivity(cube, cube.to_unit(SEEN))
    generator = np.random.default_rng(0)
    points = generator.random((200, cube.dimension))
    asked = cube.from_unit(activity(points))
    full = UnitCube(SPACE).from_unit(np.delete(points, [axis.activity for axis in cube.axes if axis.activity], axis=1))
    for found, whole in zip(asked, full, strict=True):
        expected = {
            "forest": {"model"},
            "net": {"model", "layers"},
            "svm": {"model", "kernel", "c"} | ({"degree"} if whole["kernel"] == "poly" else set()),
        }[whole["model"]]
        assert found.keys() == expected
        assert found == {name: whole[name] for name in expected}
    again = activity(activity(points))
    np.testing.assert_array_equal(again, activity(points))


def test_of_contradictions_the_latest_counts():
    cube = UnitCube({"kind": CategoricalDistribution("ab"), "x": FloatDistribution(0, 1)}, conditional=["x"])
    seen = [{"kind": "a", "x": 0.5}, {"kind": "a"}]
    assert cube.from_unit(SeenActivity(cube, cube.to_unit(seen))(np.array([[0.0, 0.2, 1.0]]))) == [{"kind": "a"}]
    assert cube.from_unit(SeenActivity(cube, cube.to_unit(seen[::-1]))(np.array([[0.0, 0.2, 0.0]]))) == [
        {"kind": "a", "x": 0.2}
    ]


def test_without_conditions_it_only_snaps():
    cube = UnitCube({"n": IntDistribution(0, 3)})
    np.testing.assert_allclose(SeenActivity(cube, cube.to_unit([{"n": 1}]))(np.array([[0.9]])), [[0.875]])
