"""Recommendations: better than luck, right where the answer is known, the same twice, and nothing is changed."""

import copy
import doctest
import math

import numpy as np
import optuna
import pytest
import torch
from botorch.models import SingleTaskGP
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from trimtab.primitives.unit_cube import UnitCube
from trimtab.search.bo_tutorial import recommendation
from trimtab.search.bo_tutorial.fast_gp import FastGP
from trimtab.search.bo_tutorial.recommendation import LARGEST, recommend
from trimtab.search.bo_tutorial.study_data import StudyData, complete_trials
from trimtab.testing.global_randomness import global_states, require_untouched

optuna.logging.set_verbosity(optuna.logging.WARNING)

UNIT = FloatDistribution(0.0, 1.0)


def add(study, params, value, constraints=None, **kinds):
    kinds = {name: kinds.get(name, UNIT) for name in params}
    study.add_trial(create_trial(params=params, distributions=kinds, value=value, constraints=constraints))


def line(values, direction="minimize", constraints=None):
    """A study of one float from 0 to 1, evenly spaced."""
    study = optuna.create_study(direction=direction)
    for row, (x, value) in enumerate(zip(np.linspace(0, 1, len(values)).tolist(), values, strict=True)):
        add(study, {"x": x}, value, constraints[row] if constraints else None)
    return study


def valley(x):
    return (x - 0.7) ** 2


def noisy(seed, count=40, noise=0.15):
    generator = np.random.default_rng(seed)
    study = optuna.create_study()
    for x, y in generator.random((count, 2)).tolist():
        add(study, {"x": x, "y": y}, regret({"x": x, "y": y}) + noise * generator.standard_normal())
    return study


def regret(params):
    return valley(params["x"]) + 0.5 * (params["y"] - 0.2) ** 2


def test_its_regret_is_less_than_that_of_the_best_trial():
    studies = [noisy(seed) for seed in range(24)]
    lucky = np.array([regret(study.best_params) for study in studies])
    trusted = np.array([regret(recommend(study).params) for study in studies])
    gain = lucky - trusted
    assert gain.mean() > 2 * gain.std(ddof=1) / math.sqrt(len(gain))
    assert trusted.mean() < 0.8 * lucky.mean()


@pytest.mark.parametrize("seed", range(4))
def test_without_noise_the_best_trial_is_recommended(seed):
    study = noisy(seed, noise=0.0)
    found = recommend(study)
    assert found.trial == study.best_trial.number
    assert found.mean == pytest.approx(study.best_value, abs=0.01)


def test_the_best_value_is_too_good_to_be_true_and_the_interval_is_not():
    inside, promised = [], []
    for seed in range(24):
        study = noisy(seed)
        found = recommend(study, level=0.9)
        inside.append(found.interval[0] <= regret(found.params) <= found.interval[1])
        promised.append(study.best_value - regret(study.best_params))
    assert np.mean(promised) < -0.1
    assert sum(inside) >= 18


def test_the_mean_and_the_interval_are_those_of_botorchs_model():
    study = noisy(0)
    trials = complete_trials(study)
    seen = StudyData.of_study(study, UnitCube.of_trials(trials), trials)
    fitted = FastGP(seen.data, of_logarithms=True)
    model = SingleTaskGP(torch.tensor(seen.points), torch.tensor(seen.values)[:, None])
    model.covar_module.lengthscale = torch.tensor(fitted.hyperparameters.lengthscales)
    model.likelihood.noise = torch.tensor(fitted.hyperparameters.noise, dtype=torch.float64)
    model.mean_module.constant.data.fill_(fitted.constant)
    posterior = model.eval().posterior(torch.tensor(seen.points))
    best = int(posterior.mean.argmax())
    mean, deviation = -posterior.mean[best].item(), posterior.variance[best].sqrt().item()
    found = recommend(study, level=0.6826894921370859)
    assert found.trial == best
    assert found.mean == pytest.approx(mean, rel=1e-8)
    assert found.interval == pytest.approx((mean - deviation, mean + deviation), rel=1e-6)


def test_maximising_is_minimising_the_negative():
    values = [valley(x) + 0.1 * math.sin(40 * x) for x in np.linspace(0, 1, 9)]
    for report in ("evaluated", "anywhere"):
        least = recommend(line(values), report=report)
        most = recommend(line([-value for value in values], "maximize"), report=report)
        assert (least.params, least.trial) == (most.params, most.trial)
        assert most.mean == pytest.approx(-least.mean)
        assert most.interval == pytest.approx((-least.interval[1], -least.interval[0]))


def test_anywhere_is_between_the_trials():
    study = line([valley(x) for x in np.linspace(0, 1, 16)])
    here, anywhere = recommend(study), recommend(study, report="anywhere")
    assert here.params["x"] == pytest.approx(2 / 3, abs=0.07)
    assert anywhere.trial is None
    assert anywhere.params["x"] == pytest.approx(0.7, abs=0.02)
    assert anywhere.mean < here.mean


def test_repeats_of_a_setting_count_as_one():
    """One lucky value among three does not win against three good ones."""
    study = optuna.create_study()
    for x, values in {0.1: [-0.4, 0.9, 1.0], 0.5: [0.1, 0.15, 0.2], 0.9: [0.8, 0.9, 1.0]}.items():
        for value in values:
            add(study, {"x": x}, value)
    assert study.best_params == {"x": 0.1}
    found = recommend(study)
    assert found.params == {"x": 0.5}
    assert found.trial == 3


def test_infeasible_settings_never_win():
    values = [valley(x) for x in np.linspace(0, 1, 11)]
    constraints = [{"c": x - 0.45} for x in np.linspace(0, 1, 11)]
    study = line(values, constraints=constraints)
    assert recommend(study).params["x"] == pytest.approx(0.4)
    anywhere = recommend(study, report="anywhere").params["x"]
    assert 0.4 <= anywhere <= 0.47
    for each in constraints:
        each["c"] = 1.0
    with pytest.raises(ValueError, match="keeps all constraints"):
        recommend(line(values, constraints=constraints))


@pytest.mark.filterwarnings("ignore:.*constraints_func:FutureWarning")
def test_constraints_of_a_samplers_function_are_kept():
    sampler = optuna.samplers.TPESampler(seed=0, constraints_func=lambda trial: (trial.params["x"] - 0.4,))
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: valley(trial.suggest_float("x", 0, 1)), n_trials=15)
    assert recommend(study).params["x"] <= 0.4


@pytest.mark.parametrize("report", ["evaluated", "anywhere"])
def test_a_space_with_conditions_and_changing_ranges(report):
    generator = np.random.default_rng(0)
    study = optuna.create_study()
    kind = CategoricalDistribution(["svm", "forest"])
    for row in range(30):
        if row % 2:
            c = float(generator.random())
            value = valley(c) + 0.05 * generator.standard_normal()
            add(study, {"model": "svm", "c": c}, value, model=kind)
        else:
            deepest = 8 if row < 15 else 3
            depth = int(generator.integers(1, deepest + 1))
            value = 0.5 + 0.1 * depth + 0.05 * generator.standard_normal()
            add(
                study,
                {"model": "forest", "depth": depth},
                value,
                model=kind,
                depth=IntDistribution(1, 8 if row < 15 else 3),
            )
    found = recommend(study, report=report)
    assert found.params.keys() == {"model", "c"}
    assert found.params["model"] == "svm"
    assert found.params["c"] == pytest.approx(0.7, abs=0.2)


@pytest.mark.parametrize("report", ["evaluated", "anywhere"])
def test_choices_alone(report):
    study = optuna.create_study()
    kinds = {"a": CategoricalDistribution("xyz"), "b": CategoricalDistribution([None, 1])}
    for a in "xy":
        for b in (None, 1):
            for noise in (-0.1, 0.1):
                add(study, {"a": a, "b": b}, ord(a) + (b or 0) + noise, **kinds)
    assert recommend(study, report=report).params == {"a": "x", "b": None}


@pytest.mark.parametrize("report", ["evaluated", "anywhere"])
@pytest.mark.parametrize(
    ("values", "mean", "interval"),
    [
        ([3.0], 3.0, (-math.inf, math.inf)),
        ([3.0, 3.0, 3.0], 3.0, (3.0, 3.0)),
        ([math.inf, math.inf], 0.0, (0.0, 0.0)),
    ],
)
def test_nothing_to_tell_apart(report, values, mean, interval):
    found = recommend(line(values), report=report)
    assert (found.mean, found.interval) == (pytest.approx(mean), pytest.approx(interval))


@pytest.mark.parametrize("bad", [1e300, math.inf, -math.inf])
def test_values_that_are_not_to_be_learned_from(bad):
    """A value that is infinitely good counts as the best of the others."""
    values = [valley(x) for x in np.linspace(0, 1, 11)]
    study = line([*values[:2], bad, *values[3:]])
    found = recommend(study)
    assert found.params["x"] == pytest.approx(0.7, abs=0.11)
    assert math.isfinite(found.mean)
    assert np.ptp(found.interval) < 2


def test_two_trials():
    found = recommend(line([1.0, 2.0]))
    assert found.params == {"x": 0.0}
    assert found.interval[0] < found.mean < found.interval[1]


def test_a_space_without_a_choice():
    study = optuna.create_study()
    for value in (1.0, 2.0, 3.0):
        add(study, {"x": 2}, value, x=IntDistribution(2, 2))
    for report in ("evaluated", "anywhere"):
        found = recommend(study, report=report)
        assert found.params == {"x": 2}
        assert found.mean == pytest.approx(2.0)


def test_thousands_of_trials():
    generator = np.random.default_rng(0)
    study = optuna.create_study()
    points = generator.random(LARGEST + 500)
    study.add_trials(
        create_trial(params={"x": x}, distributions={"x": UNIT}, value=valley(x) + 0.3 * error)
        for x, error in zip(points.tolist(), generator.standard_normal(len(points)), strict=True)
    )
    found = recommend(study)
    assert found.params["x"] == pytest.approx(0.7, abs=0.15)
    assert found.interval[0] < valley(found.params["x"]) < found.interval[1]


def test_other_trials_are_passed_over_and_nothing_is_changed():
    study = line([valley(x) for x in np.linspace(0, 1, 9)])
    expected = recommend(study, report="anywhere")
    study.add_trial(create_trial(params={"x": 0.7}, distributions={"x": UNIT}, state=TrialState.FAIL))
    study.ask({"x": UNIT})
    before, states = copy.deepcopy(study.trials), global_states()
    assert recommend(study, report="anywhere") == expected
    assert study.trials == before
    require_untouched(states)


def test_it_is_refused_by_name():
    study = line([1.0, 2.0])
    with pytest.raises(TypeError, match="study=3"):
        recommend(3)
    with pytest.raises(ValueError, match="report='best': one of evaluated, anywhere"):
        recommend(study, report="best")
    for level in (0.0, 1.0, -1, 2, math.nan, True, "0.5"):
        with pytest.raises(ValueError, match="level="):
            recommend(study, level=level)
    with pytest.raises(ValueError, match="2 objectives"):
        recommend(optuna.create_study(directions=["minimize", "maximize"]))
    with pytest.raises(ValueError, match="no complete trial"):
        recommend(optuna.create_study())


def test_the_examples_are_true():
    assert doctest.testmod(recommendation).failed == 0
