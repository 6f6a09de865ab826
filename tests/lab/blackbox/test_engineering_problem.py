"""Engineering designs as problems: each is what its formulas say, wherever its ranges are turned."""

import numpy as np
import pytest
from optuna.samplers import RandomSampler

from trimtab.lab.blackbox.engineering import ENGINEERING_DESIGNS
from trimtab.lab.blackbox.engineering_problem import PROBLEMS
from trimtab.lab.blackbox.search import FEASIBLE, Search
from trimtab.lab.loading import load_problem


def params(problem, point):
    return dict(zip(problem.space, map(float, point), strict=True))


@pytest.mark.parametrize("name", ENGINEERING_DESIGNS)
def test_its_optimum_is_feasible_and_has_no_regret_wherever_it_is_turned(name):
    problem, design = load_problem(name), ENGINEERING_DESIGNS[name]
    problem.check(name)
    low, high = design.bounds
    for seed in range(3):
        placed = problem.placed(np.random.default_rng(seed))
        point = np.where(placed._turned, low + high - design.optimal_point, design.optimal_point)
        found = placed.evaluate(params(problem, np.clip(point, low, high)), None)
        scale = 1 + np.abs(np.array(placed.evaluate(params(problem, low), None).constraints))
        assert (np.array(found.constraints) <= 1e-5 * scale).all()
        assert placed.scored(found.value).loss == pytest.approx(np.log10(problem.tolerance))
    assert {problem.placed(np.random.default_rng(seed))._turned.any() for seed in range(20)} <= {True, False}
    assert len({tuple(problem.placed(np.random.default_rng(seed))._turned) for seed in range(40)}) > 2


@pytest.mark.parametrize("name", ["jlh1", "pressure_vessel"])
def test_values_are_those_of_the_formulas(name):
    problem, design = PROBLEMS[name](), ENGINEERING_DESIGNS[name]
    point = np.random.default_rng(0).uniform(*design.bounds)
    found = problem.evaluate(params(problem, point), None)
    assert found.value == design.objective(point)
    assert found.constraints == tuple(design.constraints(point))
    assert 0 < problem.tolerance < problem.solved == pytest.approx(100 * problem.tolerance)


def test_a_search_tells_whether_it_ends_feasible():
    search = Search(PROBLEMS["welded_beam"](), lambda seed: RandomSampler(seed=seed), seed=1000, budget=12)
    while not search.meter.exhausted:
        search.step()
    search.evaluate()
    known = [each for each in search._study.trials if all(c <= 0 for c in each.constraints.values())]
    assert search.measures()[FEASIBLE] == float(bool(known))
