"""Functions whose minimum is known: it is where the literature says, and nowhere is less."""

import numpy as np
import pytest

from trimtab.lab.blackbox.functions import Branin, Hartmann6
from trimtab.study.errors import InputError

MINIMISERS = {
    Branin: [(-np.pi, 12.275), (np.pi, 2.275), (3 * np.pi, 2.475)],
    Hartmann6: [(0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730054)],
}


def settings(kind, point):
    return dict(zip(kind.space, map(float, point), strict=True))


@pytest.mark.parametrize(("kind", "point"), [(kind, point) for kind, points in MINIMISERS.items() for point in points])
def test_the_known_minimisers_have_the_least_value(kind, point):
    function = kind()
    assert function.value(settings(kind, point)) == pytest.approx(function.optimum, abs=1e-6)
    assert function.true_value(settings(kind, point), "validation") == pytest.approx(function.optimum, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "point", "value"),
    [
        (Branin, (0, 0), 36 + 10 * (1 - 1 / (8 * np.pi)) + 10),  # the parabola's 6 squared, and the cosine of 0
        (Branin, (0, 6), 10 * (1 - 1 / (8 * np.pi)) + 10),
        (Hartmann6, (0.5,) * 6, -0.5053149),
    ],
)
def test_values_elsewhere(kind, point, value):
    assert kind().value(settings(kind, point)) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize("kind", MINIMISERS)
def test_no_value_is_less(kind):
    generator = np.random.default_rng(0)
    low, high = np.array([(d.low, d.high) for d in kind.space.values()]).T
    anywhere = generator.uniform(low, high, (2000, len(low)))
    near = np.clip(MINIMISERS[kind][0] + generator.normal(size=(2000, len(low))) * (high - low) * 1e-3, low, high)
    function = kind()
    assert min(function.value(settings(kind, point)) for point in (*anywhere, *near)) >= function.optimum - 1e-12


def test_noise_is_of_that_deviation_and_no_part_of_the_truth():
    function, generator, where = Branin(noise=2.0), np.random.default_rng(0), {"x": np.pi, "y": 2.275}
    seen = [function.evaluate(where, generator) for _ in range(4000)]
    assert np.mean(seen) == pytest.approx(function.optimum, abs=0.1)
    assert np.std(seen) == pytest.approx(2.0, rel=0.05)
    assert function.true_value(where, "validation") == pytest.approx(function.optimum, abs=1e-6)
    assert "noise of standard deviation 2 is added" in function.summary
    assert "noise" not in Branin().summary


@pytest.mark.parametrize("noise", [-1, float("nan"), "much", True])
def test_noise_that_cannot_be_is_refused(noise):
    with pytest.raises((InputError, TypeError), match="noise"):
        Hartmann6(noise=noise)


@pytest.mark.parametrize("kind", MINIMISERS)
def test_each_seed_shifts_it_and_a_minimum_stays_within(kind):
    function, space = kind(), kind.space
    widths = {name: each.high - each.low for name, each in space.items()}
    seen = set()
    for seed in range(200):
        found = function.placed(np.random.default_rng(seed))
        assert all(abs(found.shift[name]) <= 0.1 * widths[name] for name in space)
        points = [
            {name: value - found.shift[name] for name, value in settings(kind, p).items()} for p in MINIMISERS[kind]
        ]
        inside = [p for p in points if all(space[name].low <= value <= space[name].high for name, value in p.items())]
        assert inside
        assert all(found.true_value(p, "validation") == pytest.approx(function.optimum, abs=1e-6) for p in inside)
        seen.add(tuple(found.shift.values()))
    assert len(seen) == 200
    assert function.placed(np.random.default_rng(7)).shift == function.placed(np.random.default_rng(7)).shift
    assert function.shift == {}


def test_branin_s_least_value_is_the_least_of_the_whole_plane():
    generator = np.random.default_rng(0)
    points = generator.uniform(-100, 100, (5000, 2))
    assert min(Branin().value({"x": x, "y": y}) for x, y in points) >= Branin.optimum


def test_regret_is_floored_and_counted_by_its_logarithm():
    function = Branin()
    assert function.scored(function.optimum + 0.1).loss == pytest.approx(-1)
    assert function.scored(function.optimum + 0.1).metric == pytest.approx(0.1)
    for value in (function.optimum, function.optimum - 1e-9, function.optimum + 1e-4):
        assert function.scored(value).loss == -3
    facts = function.facts("branin", (), None)
    assert (facts.objective.name, facts.quoted.name, facts.solved.goal) == ("log10 regret", "regret", "regret <= 0.05")


def test_intervals_of_the_logarithm_of_a_regret_may_be_negative():
    facts = Branin().facts("branin", (), None)
    assert facts.objective.bounds == (pytest.approx(-3), None)
