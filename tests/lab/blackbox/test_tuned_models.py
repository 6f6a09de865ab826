"""Tuned models: what is developed on, what says the truth, and whose randomness it is."""

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.model_selection import KFold
from sklearn.svm import SVC

from trimtab.lab.blackbox.spaces import middle, spread
from trimtab.lab.blackbox.tuned_models import BoostingDiabetes, ForestBreastCancer, MLPDigits, SVCDigits

KINDS = (SVCDigits, ForestBreastCancer, BoostingDiabetes, MLPDigits)
GOOD = {"kernel": "rbf", "C": 10.0, "gamma": 1e-3, "degree": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_used_as_it_is(kind):
    problem = kind()
    problem.check(problem.name)
    facts = problem.facts(problem.name, (), None)
    name = problem.metric.name
    assert [measure.heading for measure in facts.measures] == [f"test {name}", "in interval", "ms a suggestion"]
    assert facts.objective is problem.metric
    kinds = {type(each) for each in problem.distributions.values()}
    assert kinds == {FloatDistribution, IntDistribution, CategoricalDistribution}


@pytest.mark.parametrize("kind", KINDS)
def test_the_three_parts_have_no_sample_in_common_and_each_seed_draws_others(kind):
    problem = kind()
    one, again, other = (problem.placed(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert sorted(one._order) == list(range(len(problem._targets)))
    assert one.development + one.validation < 0.75 * len(one._order)
    assert list(one._order) == list(again._order) != list(other._order)
    assert one._model_seed == again._model_seed != other._model_seed
    assert problem._order is not one._order


@pytest.mark.parametrize("kind", KINDS)
def test_the_generator_makes_the_noise_and_nothing_else_does(kind):
    problem = kind()
    params = spread(problem.distributions, 4, 0)[3]
    values = [problem.evaluate(params, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert problem.true_value(params, "validation") == problem.true_value(params, "validation")


def test_an_evaluation_is_cross_validation_on_what_is_developed_on():
    problem = SVCDigits().placed(np.random.default_rng(3))
    folds, _ = np.random.default_rng(5).integers(2**31, size=2)
    rows = problem._order[:500]
    errors = []
    for fit, score in KFold(3, shuffle=True, random_state=int(folds)).split(rows):
        model = SVC(**GOOD).fit(problem._inputs[rows[fit]], problem._targets[rows[fit]])
        errors.append(1 - model.score(problem._inputs[rows[score]], problem._targets[rows[score]]))
    assert problem.evaluate(GOOD, np.random.default_rng(5)) == pytest.approx(np.mean(errors), abs=1e-12)


@pytest.mark.parametrize(("split", "rows"), [("validation", slice(500, 1100)), ("test", slice(1100, None))])
def test_the_truth_is_of_a_model_of_all_that_is_developed_on(split, rows):
    problem = SVCDigits()
    fit, score = problem._order[:500], problem._order[rows]
    model = SVC(**GOOD).fit(problem._inputs[fit], problem._targets[fit])
    error = 1 - model.score(problem._inputs[score], problem._targets[score])
    assert problem.true_value(GOOD, split) == pytest.approx(error, abs=1e-12)
    assert problem.true_value(GOOD, split) < 0.06 < 0.5 < problem.true_value({**GOOD, "gamma": 1.0}, split)


def test_scores_are_what_they_are_called():
    forest, boosted = ForestBreastCancer(), BoostingDiabetes()
    alone = {**middle(forest.distributions), "max_depth": 16, "min_samples_leaf": 1, "n_estimators": 4}
    assert 0 < forest.true_value(alone, "train") < forest.true_value(alone, "validation") < np.log(1000)
    weak = {**middle(boosted.distributions), "learning_rate": 1e-3, "n_estimators": 8, "max_depth": 1}
    rows = boosted._order[180:310]
    spreading = np.std(boosted._targets[rows])  # hardly anything was learned
    assert boosted.true_value(weak, "validation") == pytest.approx(spreading, rel=0.05)
