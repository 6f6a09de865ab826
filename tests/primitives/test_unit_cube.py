"""Search spaces as a cube: where values stand, that every point goes back to one, and that nothing is lost."""

import doctest
import math

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial

from trimtab.primitives import unit_cube
from trimtab.primitives.unit_cube import UnitCube

SPACE = {
    "real": FloatDistribution(-5.0, 10.0),
    "log": FloatDistribution(1e-5, 1.0, log=True),
    "step": FloatDistribution(-10.2, 10.2, step=0.1),
    "int": IntDistribution(1, 9),
    "int_step": IntDistribution(2, 11, step=3),
    "int_log": IntDistribution(1, 256, log=True),
    "two": CategoricalDistribution([None, True]),
    "many": CategoricalDistribution(["a", 2, math.nan]),
    "only": IntDistribution(3, 3),
}


def place(distribution, value):
    return UnitCube({"x": distribution}).to_unit([{"x": value}])[0].tolist()


def every(distribution):
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    count = round((distribution.high - distribution.low) / distribution.step) + 1
    return [min(distribution.low + k * distribution.step, distribution.high) for k in range(count)]


@pytest.mark.parametrize(
    ("distribution", "value", "expected"),
    [
        (FloatDistribution(-5, 10), 2.5, [0.5]),
        (FloatDistribution(1e-4, 1, log=True), 1e-3, [0.25]),
        (FloatDistribution(-1.6e308, 1.6e308), 0.8e308, [0.75]),
        (FloatDistribution(0, 1, step=0.25), 0.25, [0.3]),
        (IntDistribution(1, 4), 3, [0.625]),
        (IntDistribution(0, 9, step=3), 9, [0.875]),
        (IntDistribution(1, 4, log=True), 2, [math.log(4) / math.log(9)]),
        (CategoricalDistribution("ab"), "a", [0.0]),
        (CategoricalDistribution("ab"), "b", [1.0]),
        (CategoricalDistribution("abc"), "b", [0.0, 1.0, 0.0]),
        (IntDistribution(3, 3), 3, []),
    ],
)
def test_where_values_stand(distribution, value, expected):
    np.testing.assert_allclose(place(distribution, value), expected, rtol=1e-14)


@pytest.mark.parametrize("name", [name for name, kind in SPACE.items() if getattr(kind, "step", 1) is not None])
def test_every_value_of_a_discrete_parameter_comes_back_exactly(name):
    values = every(SPACE[name])
    cube = UnitCube({name: SPACE[name]})
    back = [each[name] for each in cube.from_unit(cube.to_unit([{name: value} for value in values]))]
    assert list(map(repr, back)) == list(map(repr, values))  # types, and NaN, which is not equal to itself
    assert len({tuple(point) for point in cube.to_unit([{name: value} for value in values])}) == len(values)


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**40), st.integers(1, 1000), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_large_ints_come_back_exactly(low, reach, step, data):
    kind = IntDistribution(low, low + reach - reach % step, step=step)
    value = low + step * data.draw(st.integers(0, reach // step))
    cube = UnitCube({"x": kind})
    assert cube.from_unit(cube.to_unit([{"x": value}])) == [{"x": value}]
    logarithmic = UnitCube({"x": IntDistribution(1, 2**40 + reach, log=True)})
    assert logarithmic.from_unit(logarithmic.to_unit([{"x": reach + 1}])) == [{"x": reach + 1}]


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300), st.floats(0, 1))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_floats_come_back_to_rounding(one, other, part):
    low, high = sorted((one, other))
    kind = FloatDistribution(low, high)
    value = float(np.clip(low * (1 - part) + high * part, low, high))
    cube = UnitCube({"x": kind})
    (back,) = cube.from_unit(cube.to_unit([{"x": value}]))
    assert abs(back["x"] - value) <= 1e-15 * 4 * max(abs(low), abs(high))
    assert kind._contains(back["x"])


@pytest.mark.parametrize("seed", range(3))
def test_every_point_goes_back_to_valid_values_and_snaps_to_them(seed):
    cube = UnitCube(SPACE, conditional=["int", "many", "only"])
    generator = np.random.default_rng(seed)
    points = np.vstack(
        [
            generator.random((200, cube.dimension)),
            generator.integers(0, 2, (50, cube.dimension)),
            generator.normal(0, 3, (50, cube.dimension)),  # and of those outside the cube as well
            [np.full(cube.dimension, 1e300), np.full(cube.dimension, -1e300)],
        ]
    )
    params = cube.from_unit(points)
    for each in params:
        assert each.keys() | cube.conditional == SPACE.keys()
        for name, value in each.items():
            assert SPACE[name]._contains(SPACE[name].to_internal_repr(value))
            if name != "two" and name != "many":
                assert type(value) is (int if isinstance(SPACE[name], IntDistribution) else float)
    np.testing.assert_allclose(cube.snap(points), cube.to_unit(params), atol=1e-12)
    assert not cube.outside(params).any()


def test_a_value_that_is_off_by_rounding_is_the_same_point():
    cube = UnitCube({"x": FloatDistribution(0, 1, step=0.1)})
    one, other = cube.to_unit([{"x": 0.3}, {"x": 0.1 + 0.2}])
    assert one.tolist() == other.tolist()


def test_cells_are_of_one_width():
    cube = UnitCube({"x": IntDistribution(0, 4)})
    found = [each["x"] for each in cube.from_unit(np.linspace(0.001, 0.999, 1000)[:, None])]
    assert [found.count(value) for value in range(5)] == [200] * 5


def test_log_ints_change_half_way():
    cube = UnitCube({"x": IntDistribution(1, 9, log=True)})
    edges = np.log(np.arange(1.5, 9) / 0.5) / math.log(9.5 / 0.5)
    below, above = (cube.from_unit(edges[:, None] + sign * 1e-9) for sign in (-1, 1))
    assert [each["x"] for each in below] == list(range(1, 9))
    assert [each["x"] for each in above] == list(range(2, 10))


def test_a_conditional_parameter_has_its_activity_in_a_column():
    cube = UnitCube({"c": CategoricalDistribution("abc"), "f": FloatDistribution(0, 1)}, conditional=["c", "f"])
    points = cube.to_unit([{"c": "b"}, {"f": 0.25}, {}])
    third = 1 / 3
    expected = [[0, 1, 0, 1, 0.5, 0], [third, third, third, 0, 0.25, 1], [third, third, third, 0, 0.5, 0]]
    np.testing.assert_allclose(points, expected)
    assert cube.from_unit(points) == [{"c": "b"}, {"f": 0.25}, {}]
    assert cube.continuous.tolist() == [4]
    assert [axis.name for axis in cube.discrete] == ["c"]


def test_a_conditional_parameter_of_a_single_value_has_its_activity_alone():
    cube = UnitCube({"only": IntDistribution(3, 3), "always": IntDistribution(2, 2)}, conditional=["only"])
    points = cube.to_unit([{"only": 3, "always": 2}, {"always": 2}])
    assert points.tolist() == [[1.0], [0.0]]
    assert cube.from_unit(points) == [{"only": 3, "always": 2}, {"always": 2}]


def test_what_is_outside_is_flagged_and_clipped_or_stands_outside():
    cube = UnitCube({"f": FloatDistribution(0, 1), "i": IntDistribution(1, 4), "l": IntDistribution(1, 8, log=True)})
    settings_ = [{"f": 2.0, "i": 7, "l": 100}, {"f": 0.5, "i": 1, "l": -3}, {"f": 0.5, "i": 1, "l": 1}]
    assert cube.outside(settings_).tolist() == [True, True, False]
    clipped = cube.to_unit(settings_)
    assert cube.from_unit(clipped)[0] == {"f": 1.0, "i": 4, "l": 8}
    np.testing.assert_array_equal(clipped, cube.snap(clipped))
    beyond = cube.to_unit(settings_, clip=False)
    np.testing.assert_allclose(beyond[0, :2], [2.0, 1.625])
    assert beyond[0, 2] > 1
    assert beyond[1, 2] == 0  # a logarithm of it there is not


def test_a_choice_that_there_is_not_stands_in_the_middle():
    cube = UnitCube({"c": CategoricalDistribution("abc"), "d": CategoricalDistribution("ab")})
    settings_ = [{"c": "z", "d": "z"}]
    assert cube.outside(settings_).tolist() == [True]
    np.testing.assert_allclose(cube.to_unit(settings_), [[1 / 3, 1 / 3, 1 / 3, 0.5]])


def trial(**both):
    names = {name: value for name, (value, _) in both.items()}
    return create_trial(params=names, distributions={name: kind for name, (_, kind) in both.items()}, value=0.0)


def test_of_trials():
    early, late = IntDistribution(0, 10, step=2), IntDistribution(5, 20, step=5)
    trials = [
        trial(n=(4, early), f=(0.5, FloatDistribution(0, 1)), c=("a", CategoricalDistribution("ab"))),
        trial(n=(10, late), f=(1.5, FloatDistribution(1, 2))),
    ]
    cube = UnitCube.of_trials(trials)
    assert cube.conditional == {"c"}
    assert (cube.distributions["n"], cube.distributions["f"]) == (late, FloatDistribution(1, 2))
    assert cube.outside([each.params for each in trials]).tolist() == [True, False]
    wide = UnitCube.of_trials(trials, widest=True)
    assert (wide.distributions["n"], wide.distributions["f"]) == (IntDistribution(0, 20), FloatDistribution(0, 2))
    assert not wide.outside([each.params for each in trials]).any()
    assert wide.from_unit(wide.to_unit([each.params for each in trials])) == [each.params for each in trials]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (FloatDistribution(0, 1, step=0.25), FloatDistribution(0.5, 2, step=0.25), FloatDistribution(0, 2, step=0.25)),
        (FloatDistribution(0, 1, step=0.25), FloatDistribution(0.1, 1.1, step=0.25), FloatDistribution(0, 1.1)),
        (IntDistribution(1, 8, log=True), IntDistribution(4, 9, log=True), IntDistribution(1, 9, log=True)),
        (CategoricalDistribution("ab"), FloatDistribution(0, 1), FloatDistribution(0, 1)),
    ],
)
def test_the_widest_range(one, other, expected):
    trials = [
        create_trial(params={"x": getattr(kind, "high", "a")}, distributions={"x": kind}, value=0.0)
        for kind in (one, other)
    ]
    assert UnitCube.of_trials(trials, widest=True).distributions == {"x": expected}


def test_no_columns_and_no_trials():
    assert UnitCube({}).from_unit(np.empty((2, 0))) == [{}, {}]
    assert UnitCube.of_trials([]).dimension == 0
    assert UnitCube({"x": IntDistribution(1, 1)}).from_unit(np.empty((1, 0))) == [{"x": 1}]


def test_it_is_refused_by_name():
    with pytest.raises(ValueError, match=r"conditional=\['y'\]"):
        UnitCube({"x": IntDistribution(0, 1)}, conditional=["y"])
    with pytest.raises(TypeError, match="x=3"):
        UnitCube({"x": 3})
    cube = UnitCube({"x": IntDistribution(0, 1)})
    with pytest.raises(ValueError, match="x is missing in setting 1"):
        cube.to_unit([{"x": 1}, {}])
    with pytest.raises(ValueError, match=r"\(n, 1\) is needed"):
        cube.from_unit(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="NaN"):
        cube.snap(np.array([[math.nan]]))


def test_what_optunas_samplers_draw_comes_back(monkeypatch):
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        study.tell(study.ask(dict(SPACE)), 0.0)
    cube = UnitCube.of_trials(study.trials)
    drawn = [each.params for each in study.trials]
    for back, one in zip(cube.from_unit(cube.to_unit(drawn)), drawn, strict=True):
        for name, value in one.items():
            if name in ("real", "log"):
                assert back[name] == pytest.approx(value, rel=1e-12, abs=1e-12)
            else:
                assert repr(back[name]) == repr(value)


def test_the_examples_are_true():
    assert doctest.testmod(unit_cube).failed == 0
